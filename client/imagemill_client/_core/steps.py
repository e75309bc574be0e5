"""What the core asks of the world.

It does nothing itself: a call is a generator of steps, which the
blocking and the asynchronous shell carry out, each in its own way, and send the outcome back into.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar

T = TypeVar("T")


class Sink(Protocol):
    """Takes the body of an answer, piece by piece."""

    def begin(self) -> None:
        """A body comes, from its start."""

    def take(self, piece: bytes) -> None:
        """The next bytes."""


@dataclass(frozen=True, slots=True)
class Request:
    """Send this, and send back a `Reply`, or throw `Lost`.

    Attributes:
        url: may be signed, and is a secret then.
        repeatable: doing it twice is the same as doing it once.
        sink: takes the body of a 200, in the place of `Reply.content`.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)
    timeout: float
    repeatable: bool
    sink: Sink | None = None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let so many seconds go by."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Do something with files that may block."""

    do: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered. The names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


class Lost(Exception):
    """There is no answer.

    Attributes:
        what: in a few words, without an address.
        sent: the request may have left.
    """

    def __init__(self, what: str, *, sent: bool, in_time: bool = True) -> None:
        super().__init__(what)
        self.what = what
        self.sent = sent
        self.in_time = in_time


Step: TypeAlias = Request | Sleep | Work
Call: TypeAlias = Generator[Step, Reply | None, T]
"""A call of the service, as steps; its value is what the caller gets."""


def send(request: Request) -> Call[Reply]:
    """One request, once.

    Raises:
        Lost: there is no answer.
    """
    reply = yield request
    assert reply is not None  # noqa: S101 - what the shells promise
    return reply


def sleep(seconds: float) -> Call[None]:
    """A pause."""
    if seconds > 0:
        yield Sleep(seconds)


def work(do: Callable[[], T]) -> Call[T]:
    """What may block for a while: a file that is read, hashed or moved."""
    done: list[T] = []
    yield Work(lambda: done.append(do()))
    return done[0]
