"""Our errors, grouped by what the caller does next.

The messages never hold a prompt, a key or a presigned address: they travel through workflow
histories and logs.
"""

from imagemill.domain.pace import Told


class ImagemillError(Exception):
    """Something went wrong in Imagemill."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])


# --- the paid call: what is known of the money ---------------------------------------------------


class CallError(ImagemillError):
    """A paid call did not bring images.

    Attributes:
        code: our stable word for what happened, a key of ``EXPLANATIONS``.
        request_id: the provider's id of the request, where it told one.
        told: what the answer said of the provider's limits, where it said anything.
    """

    told: Told | None = None

    def __init__(self, code: str, request_id: str | None = None) -> None:
        super().__init__(f"{code} (provider request {request_id})" if request_id else code)
        self.code = code
        self.request_id = request_id


class NotSent(CallError):
    """The request provably never left: retry, the reservation still stands."""


class NotBilled(CallError):
    """The provider said no before doing anything: retry when told, the reservation still stands.

    Attributes:
        retry_after: seconds that the provider asked for, or None.
    """

    def __init__(self, code: str, request_id: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(code, request_id)
        self.retry_after = retry_after


class Refused(CallError):
    """The provider refuses this item for good, or we do before it costs anything: give the item up.

    Attributes:
        where: which part of the request it speaks of, where it is one: ``images/2``, ``mask``.
        blocked: it was the provider's moderation.
        maybe_billed: the refusal came at the output, or at a stage that was not said.
    """

    def __init__(
        self,
        code: str,
        request_id: str | None = None,
        *,
        blocked: bool = False,
        maybe_billed: bool = False,
        where: str | None = None,
    ) -> None:
        super().__init__(code, request_id)
        self.where = where
        self.blocked = blocked
        self.maybe_billed = maybe_billed


class AccountTrouble(CallError):
    """No call can succeed until somebody mends the provider account: hold the work."""


class OutcomeUnknown(CallError):
    """The call may have been billed and brought nothing: write the reservation off."""


# --- the store -----------------------------------------------------------------------------------


class StoreError(ImagemillError):
    """The object store did not do what was asked."""


class ObjectMissing(StoreError):
    """There is no object under that key."""


class ObjectExists(StoreError):
    """A conditional put found an object under that key already."""


class StoreUnavailable(StoreError):
    """The store can't be reached, or says to come back later: try again."""


class StoreRefused(StoreError):
    """The store refuses: no such bucket, no permission, a bad request. Somebody has to mend it."""


class EngineUnavailable(ImagemillError):
    """The engine can't be reached, or says to come back later: try again."""


# --- what was asked for --------------------------------------------------------------------------


class InvalidInput(ImagemillError):
    """What was submitted can't be run as it is.

    Attributes:
        problems: (where, what was wrong and what would be right), the where as a JSON pointer or
            as "line 17".
    """

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{where}: {what}" for where, what in problems[:3]))
        self.problems = problems


class Misconfigured(ImagemillError):
    """A setting is missing or wrong; the message names it."""


EXPLANATIONS = {
    "blocked": "The provider's moderation refused this item.",
    "invalid_request": "The provider refused the parameters of this item.",
    "request_above_limit": "One call of this item is above the provider's limit; ask for a lower n.",
    "invalid_row": "The row could not be turned into a request; nothing was bought.",
    "unknown_outcome": "The call may have been billed, brought no image, and was not bought again.",
    "budget_exhausted": "The job's cap left no money for this item.",
    "budget": "The job's cap leaves no money for the next item; raise it.",
    "tenant_budget": "The tenant's cap leaves no money for the next item; it waits for the next window, "
    "or for a higher cap.",
    "schedule_budget": "The schedule's cap by month leaves no money for the next item; it waits for the next "
    "month, or for a higher cap.",
    "unknown_outcomes": "A call may have been billed and brought nothing; resume the job to buy on.",
    "cap_too_low": "The job's cap is below what its cheapest item can cost.",
    "run_refused": "The schedule's run may not be started as things are now; nothing was bought.",
    "cancelled": "The job was cancelled before this item was bought.",
    "invalid_api_key": "The provider refuses the API key.",
    "permission_denied": "The provider refuses this account: check its verification and permissions.",
    "model_not_found": "The provider does not know the model, or this account may not use it.",
    "insufficient_quota": "The provider account is out of credit.",
    "billing_hard_limit_reached": "The provider account has reached its own billing limit.",
    "store_refused": "The bucket refuses to take images or to be read: its keys have expired or were taken "
    "back, or it is gone. Nothing is bought until it takes them again.",
    "tenant_removed": "The tenant was removed from the service; its jobs are being cancelled.",
    "redirected": "The provider's address redirects; set the one that it leads to.",
    "terminated": "An operator ended the job in the engine; what was bought before is in the bucket.",
    "rate_limited": "The provider asked to slow down.",
    "provider_failing": "One call after the other fails at the provider; one is tried now and then.",
    "alike_refusals": "Many items in a row were refused alike, as if the provider had blocked the account; "
    "resume the job to go on with the others.",
    "unverified_organization": "The provider wants this account's organization to be verified first.",
    "not_found": "The provider knows no such address or model: check the base URL, the deployment and the "
    "model.",
    "asynchronous_answer": "The provider answered with the id of a task instead of images, which is not "
    "supported; the call may have been billed.",
    "input_missing": "There is no such input image, or it may not be read.",
    "input_unreachable": "The input image could not be fetched; it was tried several times.",
    "input_address_refused": "The address of the input image is not one that is fetched: it leads to a "
    "private network, to another scheme or port, or redirects too often.",
    "input_bucket_not_allowed": "Objects of that bucket may not be read by this service.",
    "input_not_an_image": "The input is no image; png, jpeg and webp are taken.",
    "input_format_not_taken": "The input image is in a format that is not taken; png, jpeg and webp are.",
    "input_damaged": "The input image is cut off or damaged.",
    "input_too_large": "The input image has too many bytes; under 50 MB are taken.",
    "input_too_many_pixels": "The input image has more than 64 million pixels.",
    "input_too_narrow": "The input image is more than 8 times as long as it is wide, or the other way round.",
    "mask_not_png": "A mask must be a PNG.",
    "mask_without_alpha": "A mask must have an alpha channel: where it is transparent, the image is edited.",
    "mask_of_other_size": "A mask must have the width and height of the first image.",
    "mask_too_large": "A mask must have less than 4 MB.",
    "markup_not_png": "Markup must be a PNG.",
    "markup_without_alpha": "Markup must have an alpha channel, since it is laid over the image.",
    "markup_of_other_size": "Markup must have the width and height of the first image as it is shown.",
}
"""One sentence for each code that an item or a hold can carry."""


def explain(code: str) -> str:
    """Say what a code means; a code that is not in the table explains itself."""
    return EXPLANATIONS.get(code, code.replace("_", " "))
