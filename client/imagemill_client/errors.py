"""What can go wrong, grouped by what the caller does next. No message holds a key or a signed address."""

from collections.abc import Sequence
from typing import NamedTuple


class Place(NamedTuple):
    """One thing that is wrong with a request: where, and what would be right."""

    pointer: str
    detail: str


class ImagemillError(Exception):
    """The root of all errors of this package."""


class NotConfigured(ImagemillError):
    """The client was not told where the service is, or has no key."""


class Unusable(ImagemillError):
    """What answered is not what Imagemill answers: is the address right?"""


class ServiceError(ImagemillError):
    """The service said no, and why.

    Attributes:
        status: the HTTP status.
        type: which kind of problem, such as ``/problems/job-ended``; None: something else answered.
        problems: each place of the request that is wrong, where the service named any.
        retry_after: seconds after which it is worth asking again, where the service said so.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str | None = None,  # noqa: A002 - its name in RFC 9457
        problems: Sequence[Place] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.problems = tuple(problems)
        self.retry_after = retry_after


class InvalidRequest(ServiceError):
    """The request is wrong as it is: mend what ``problems`` names."""


class AuthenticationError(ServiceError):
    """The API key is missing, wrong, or has been revoked."""


class PermissionDenied(ServiceError):
    """The key may not do that."""


class NotFound(ServiceError):
    """There is no such thing, or it is another tenant's."""


class Gone(ServiceError):
    """It was there once: the job was forgotten by the engine, or has left no report."""


class Conflict(ServiceError):
    """Not in its present state: a job that has ended can't be paused, one that runs has no report."""


class RateLimited(ServiceError):
    """Too many requests, and the client's own retries are used up: ask less often."""


class ServiceUnavailable(ServiceError):
    """The service, or a part that it stands on, is away, and the client's own retries are used up."""


class ConnectionFailed(ImagemillError):
    """Nothing answered, and the client's own retries are used up.

    Attributes:
        maybe_done: the request may have arrived, so that what it asked for may have been done.
    """

    def __init__(self, message: str, *, maybe_done: bool) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done


class Timeout(ConnectionFailed, TimeoutError):
    """The answer did not come in time."""


class WaitTimeout(ImagemillError, TimeoutError):
    """The job has not ended within the time that the caller gave; it goes on."""


class JobStopped(ImagemillError):
    """A job is in a state that the caller asked to be an error, with ``raise_on``.

    Attributes:
        job: the job's id.
        state: the state that it is in.
    """

    def __init__(self, message: str, *, job: str, state: str) -> None:
        super().__init__(message)
        self.job = job
        self.state = state


class UnsafeName(ImagemillError):
    """An image's name would lead out of the folder, is taken by another one, or can't be a file's."""


class StoreError(ImagemillError):
    """The store did not give an image, or gave something else than was stored there."""


class DownloadFailed(ImagemillError):
    """Some images could not be had; the others are there, and the same call again fetches the rest.

    Attributes:
        failed: each image's name or key, and why.
    """

    def __init__(self, message: str, failed: Sequence[tuple[str, Exception]]) -> None:
        super().__init__(message)
        self.failed = tuple(failed)


class InvalidSignature(ImagemillError):
    """A webhook is not signed by a secret that is known, or is too old: answer 400, and use nothing of it."""
