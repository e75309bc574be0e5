"""What a fault makes of a call that was fine."""

from collections.abc import Callable

from starlette.responses import HTMLResponse, Response

from sandbox.image_api import delivery, errors, throttling
from sandbox.image_api.errors import ApiError
from sandbox.image_api.faults import Fault
from sandbox.image_api.kinds import Kind
from sandbox.image_api.order import Order

# Words in a prompt that the safety system acts on.
TRIGGERS = {
    "forbidden-input": Kind.MODERATION_INPUT,
    "forbidden-output": Kind.MODERATION_OUTPUT,
    "forbidden-unsaid": Kind.MODERATION_UNSAID,
}
MODERATED = {
    Kind.MODERATION_INPUT: "input",
    Kind.MODERATION_OUTPUT: "output",
    Kind.MODERATION_UNSAID: None,
}
GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
LIMIT_IMAGES = 100_000  # a limit that is told is kept from then on: this one slows nobody down
LIMIT_TOKENS = 1_000_000_000

_UNBILLED: dict[Kind, Callable[[Fault, Order], ApiError]] = {
    Kind.ERROR_UNBILLED: lambda fault, _: errors.failure(fault.status),
    Kind.ERROR_500_UNBILLED: lambda _, __: errors.failure(500),
    Kind.SLOW_START: lambda _, __: errors.failure(503),
    Kind.INSUFFICIENT_QUOTA: lambda _, __: errors.insufficient_quota(),
    Kind.BILLING_HARD_LIMIT: lambda _, __: errors.billing_hard_limit(),
    Kind.INVALID_API_KEY: lambda _, __: errors.invalid_api_key(),
    Kind.UNVERIFIED_ORG: lambda _, __: errors.unverified_organization(),
    Kind.MODEL_NOT_FOUND: lambda _, order: errors.model_not_found(order.model.id),
    Kind.CONTENT_POLICY: lambda _, __: errors.content_policy_violation(),
    Kind.MODERATION_INPUT: lambda _, __: errors.moderation_blocked("input"),
    Kind.RATE_LIMIT: lambda fault, order: throttling.rate_limited(
        order.model.id, limit=LIMIT_IMAGES, used=LIMIT_IMAGES, requested=order.n, seconds=fault.duration
    ),
    Kind.RATE_LIMIT_TOKENS: lambda fault, order: throttling.rate_limited(
        order.model.id,
        unit=throttling.TOKENS,
        limit=LIMIT_TOKENS,
        used=LIMIT_TOKENS,
        requested=order.usage.total,
        seconds=fault.duration,
    ),
    Kind.REQUEST_TOO_LARGE: lambda _, order: throttling.request_too_large(
        order.model.id, limit=max(0, order.n - 1), requested=order.n
    ),
}


def triggered(prompt: str) -> frozenset[Kind]:
    """What the words of a prompt bring about."""
    return frozenset(kind for word, kind in TRIGGERS.items() if word in prompt)


def before_billing(fault: Fault, order: Order) -> Response | None:
    """The answer of a fault that strikes before the bill; None if the fault comes later.

    Raises:
        ApiError: the answer is an error of the API.
    """
    if fault.kind is Kind.RESET_BEFORE_BILLING:
        return delivery.ResetResponse()
    if fault.kind is Kind.NON_JSON_500:
        return HTMLResponse(GATEWAY_PAGE, fault.status)
    if fault.kind in _UNBILLED:
        raise _UNBILLED[fault.kind](fault, order)
    return None


def after_billing(fault: Fault | None, oddities: frozenset[Kind]) -> tuple[Response, str] | None:
    """The answer that refuses a billed call after all, and its name in the ledger."""
    for kind in (Kind.MODERATION_OUTPUT, Kind.MODERATION_UNSAID):
        if kind in oddities:
            return delivery.Refusal(errors.moderation_blocked(MODERATED[kind])), "moderation_blocked"
    if fault is None:
        return None
    if fault.kind in {Kind.ERROR_BILLED, Kind.ERROR_500_BILLED}:
        return delivery.Refusal(errors.failure(fault.status)), f"error_{fault.status}"
    if fault.kind is Kind.RESET_AFTER_BILLING:
        return delivery.ResetResponse(), "reset"
    return None
