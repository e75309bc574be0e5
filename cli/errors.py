"""What can go wrong, said so that the reader knows what to do."""

import unicodedata
from collections.abc import Sequence

from cli.exits import AWAY, USAGE, WRONG

SPACES = " \n\t"
STEERING = ("Cc", "Cs", "Zl", "Zp")
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
MARK = "\N{REPLACEMENT CHARACTER}"


class CliError(Exception):
    """A sentence for the user.

    Attributes:
        exit_code: what the command line ends with.
    """

    exit_code = WRONG


class Stopped(CliError):
    """Nothing was submitted: what was typed has to be changed first."""

    exit_code = USAGE


class Refused(CliError):
    """The service answered that it will not."""


class EstimateSlow(CliError):
    """The service could not read all rows in time: asking again would take as long."""


class ServiceAway(CliError):
    """The service does not answer, or not now: trying again may help.

    Attributes:
        wait: the seconds that the service asked for, if it did.
        answered: whether anything answered at all.
    """

    exit_code = AWAY

    def __init__(self, message: str, *, wait: float | None = None, answered: bool = False) -> None:
        super().__init__(message)
        self.wait = wait
        self.answered = answered


def problem_text(title: str, detail: str, errors: Sequence[tuple[str, str]] = ()) -> str:
    """A problem document for a terminal: title, detail, and each error with its place."""
    lines = [title, *([f"  {detail}"] if detail else []), *(f"  {where}: {what}" for where, what in errors)]
    return "\n".join(harmless(line) for line in lines)


def harmless(text: str) -> str:
    """Text without characters that could steer a terminal: details quote what strangers wrote.

    Nor such that turn the direction of writing around: what stands there would read as something else.
    """
    return "".join(character if _is_harmless(character) else MARK for character in text)


def one_line(text: str) -> str:
    """The same for a name within a line, which must not begin a line of its own."""
    return "".join(" " if character in SPACES else character for character in harmless(text))


def _is_harmless(character: str) -> bool:
    return character in SPACES or (
        unicodedata.category(character) not in STEERING and character not in TURNING
    )
