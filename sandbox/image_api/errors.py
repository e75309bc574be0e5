"""The provider's refusals, with its status, headers and body."""

import math
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
    type: str = REQUEST
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


def missing(param: str) -> ApiError:
    """400: a parameter that must be there is not."""
    message = f"Missing required parameter: '{param}'."
    return ApiError(400, message, code="missing_required_parameter", param=param)


def malformed_json() -> ApiError:
    """400: the body is not a JSON object."""
    return ApiError(400, "We could not parse the JSON body of your request.")


def model_not_found(model: str, retired: str | None = None) -> ApiError:
    """404: no such model, or none any more."""
    message = f"The model '{model}' does not exist or you do not have access to it."
    if retired:
        message = f"The model '{model}' was shut down on {retired} and is no longer available."
    return ApiError(404, message, code="model_not_found")


def moderation_blocked(stage: str) -> ApiError:
    """400: the safety system stopped the call, at the ``input`` or at the ``output`` stage."""
    message = "Your request was rejected by the safety system. If you believe this is an error, contact us."
    details = {"moderation_stage": stage, "categories": ["violence"]}
    return ApiError(400, message, GENERATION, "moderation_blocked", extra={"moderation_details": details})


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


def server_error() -> ApiError:
    """500: nothing more is said."""
    return ApiError(
        500, "The server had an error while processing your request.", "server_error", "server_error"
    )


def rate_limited(
    model: str,
    *,
    limit: int,
    used: int,
    requested: int,
    seconds: float,
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    """429: too many images this minute; `seconds` is when to come back."""
    message = (
        f"Rate limit reached for {model} in organization org-sandbox on input-images per min: "
        f"Limit {limit}, Used {used}, Requested {requested}. Please try again in {spell(seconds)}."
    )
    waits = {"retry-after-ms": str(math.ceil(seconds * 1000)), "retry-after": str(math.ceil(seconds))}
    return ApiError(429, message, "input-images", "rate_limit_exceeded", headers={**(headers or {}), **waits})


def request_too_large(model: str, *, limit: int, requested: int, headers: Mapping[str, str]) -> ApiError:
    """429: the call asks for more images than a minute may ever hold, so it can never succeed."""
    message = (
        f"Request too large for {model} in organization org-sandbox on input-images per min: "
        f"Limit {limit}, Requested {requested}."
    )
    return ApiError(429, message, "input-images", "rate_limit_exceeded", headers=headers)


def spell(seconds: float) -> str:
    """A wait as the provider writes it: ``120ms``, ``12s`` or ``58.891s``."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    return f"{round(seconds, 3):g}s"
