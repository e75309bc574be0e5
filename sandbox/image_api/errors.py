"""The provider's refusals, with its status, headers and body."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REQUEST = "invalid_request_error"
GENERATION = "image_generation_user_error"


@dataclass(eq=False)
class ApiError(Exception):
    """A refusal in the provider's shape: ``{"error": {"message", "type", "param", "code", ...}}``."""

    status: int
    message: str
    type: str | None = REQUEST
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": {**error, **self.extra}}


def invalid_value(param: str, message: str, *, type: str = REQUEST) -> ApiError:  # noqa: A002
    """400: `param` has a value that is not supported."""
    return ApiError(400, message, type, "invalid_value", param)


def invalid_type(param: str, expected: str) -> ApiError:
    """400: `param` is of the wrong JSON type."""
    return ApiError(
        400, f"Invalid type for '{param}': expected {expected}.", code="invalid_type", param=param
    )


def unknown_parameter(param: str) -> ApiError:
    """400: the provider knows no such parameter for these models."""
    return ApiError(400, f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param)


def string_above_max_length(param: str, most: int, length: int) -> ApiError:
    """400: `param` is a string of too many characters."""
    message = (
        f"Invalid '{param}': string too long. Expected a string with maximum length {most}, "
        f"but got a string with length {length} instead."
    )
    return ApiError(400, message, code="string_above_max_length", param=param)


def missing(param: str) -> ApiError:
    """400: a parameter that must be there is not."""
    message = f"Missing required parameter: '{param}'."
    return ApiError(400, message, code="missing_required_parameter", param=param)


def malformed_json() -> ApiError:
    """400: the body is not a JSON object."""
    return ApiError(400, "We could not parse the JSON body of your request.")


def malformed_form(reason: str) -> ApiError:
    """400: the body is not the multipart form that it says it is."""
    return ApiError(400, f"Could not parse multipart form: {reason}")


def unsupported_content_type(given: str) -> ApiError:
    """400: the body is neither JSON nor, where that is taken, a form."""
    message = f"Unsupported content type: '{given}'. Please send JSON or, to edit images, a multipart form."
    return ApiError(400, message, code="unsupported_content_type")


def body_too_large() -> ApiError:
    """413: more bytes than any legal request has."""
    return ApiError(413, "Maximum content size limit exceeded.", code="request_too_large")


def unsupported_file(param: str, mime_type: str) -> ApiError:
    """400: an input image says that it is of another type."""
    message = (
        f"Invalid file '{param}': unsupported mimetype ('{mime_type}'). "
        "Supported file formats are 'image/jpeg', 'image/png', and 'image/webp'."
    )
    return ApiError(400, message, code="unsupported_file_mimetype", param=param)


def invalid_image(param: str, reason: str, code: str = "invalid_image_file") -> ApiError:
    """400: an input image, a mask or a markup is not usable."""
    return ApiError(400, f"Invalid file '{param}': {reason}.", GENERATION, code, param)


def model_not_found(model: str, retired: str | None = None) -> ApiError:
    """404: no such model, or none any more."""
    message = f"The model '{model}' does not exist or you do not have access to it."
    if retired:
        message = f"The model '{model}' was shut down on {retired} and is no longer available."
    return ApiError(404, message, code="model_not_found")


def moderation_blocked(stage: str | None) -> ApiError:
    """400: the safety system stopped the call at the ``input`` or ``output`` stage, or does not say where."""
    message = "Your request was rejected by the safety system. If you believe this is an error, contact us."
    details: dict[str, Any] = {"categories": ["violence"]}
    if stage:
        details["moderation_stage"] = stage
    return ApiError(400, message, GENERATION, "moderation_blocked", extra={"moderation_details": details})


def content_policy_violation() -> ApiError:
    """400: the older way to say that the prompt is not allowed."""
    message = "Your request was rejected as a result of our safety system."
    return ApiError(400, message, GENERATION, "content_policy_violation")


def invalid_api_key() -> ApiError:
    """401: the key is missing or wrong."""
    return ApiError(401, "Incorrect API key provided.", code="invalid_api_key")


def unverified_organization() -> ApiError:
    """403: the account must be verified first. The provider gives it no code: only the message tells."""
    message = (
        "Your organization must be verified to use this model. Please go to the organization settings "
        "and click on Verify Organization. If you just verified, it can take up to 15 minutes."
    )
    return ApiError(403, message)


def insufficient_quota() -> ApiError:
    """429: the account is out of money; waiting does not help."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return ApiError(429, message, "insufficient_quota", "insufficient_quota")


def billing_hard_limit() -> ApiError:
    """400: the account has reached its own spending limit."""
    message = "Billing hard limit has been reached."
    return ApiError(400, message, "billing_limit_user_error", "billing_hard_limit_reached")


SERVER = "server_error"
# By status: the type, the code and the message.
FAILURES: dict[int, tuple[str, str | None, str]] = {
    408: (REQUEST, "request_timeout", "The request timed out."),
    409: (REQUEST, "conflict", "The request conflicts with another one. Please try again."),
    500: (SERVER, "server_error", "The server had an error while processing your request."),
    502: (SERVER, None, "Bad gateway."),
    503: (SERVER, "server_overloaded", "The server is overloaded or not ready yet."),
    504: (SERVER, None, "Gateway timeout."),
    524: (SERVER, None, "A timeout occurred."),
}


def failure(status: int) -> ApiError:
    """A status after which the outcome is unknown; nothing more is said."""
    kind, code, message = FAILURES[status]
    return ApiError(status, message, kind, code)


def wrong_azure_key() -> ApiError:
    """401, as the provider with deployments says it."""
    message = (
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid "
        "key for an active subscription and use a correct regional API endpoint for your resource."
    )
    return ApiError(401, message, None, "401")


def resource_not_found() -> ApiError:
    """404, as the provider with deployments answers a URL without an ``api-version``."""
    return ApiError(404, "Resource not found", None, "404")


def deployment_not_found() -> ApiError:
    """404: the URL names a deployment that is not there."""
    message = "The API deployment for this resource does not exist."
    return ApiError(404, message, None, "DeploymentNotFound")
