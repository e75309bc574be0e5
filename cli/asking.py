"""What a submission would cost, shown before it is made; above an amount somebody has to say yes."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import typer

from cli.answers import Validation
from cli.client import Client
from cli.errors import CliError, EstimateSlow, Stopped, harmless
from cli.money import dollars, parse_amount
from cli.patience import patiently
from cli.running import whisper
from cli.show import estimate_words, row_words

SHOWN_ROWS = 3
# With --yes nobody waits for the estimate: it is only to be told.
BRIEF_SECONDS = 15.0
ENOUGH = {
    "surely": "enough for all of them, even at the most",
    "likely": "likely enough for all of them, but not at the most",
    "not_for_all": "likely not enough for all of them",
    "not_for_any": "not enough for any of them",
}


@dataclass(frozen=True, slots=True)
class Asking:
    """When to ask.

    Attributes:
        above: what may be spent without asking, in US dollars.
        yes: nothing is asked, and no estimate is needed.
    """

    above: Decimal
    yes: bool = False


async def ask_first(client: Client, body: dict[str, Any], asking: Asking) -> None:
    """Shows the estimate on standard error, and returns if the submission is to be made.

    Raises:
        Stopped: the job would fail, or nobody can be asked.
        typer.Exit: the answer was no.
    """
    found = await _estimate(client, body, asking)
    if found is not None:
        for line in estimate_lines(found):
            whisper(line)
        stop_if_it_fails(found)
    if not asking.yes:
        _ask(_most(body) if found is None else found.most, asking)


def estimate_lines(found: Validation, *, capped: bool = True) -> Iterator[str]:
    """The estimate for people; of the cap nothing is said where none was given."""
    items = f"{found.items:,} item{'' if found.items == 1 else 's'}"
    yield f"Estimate: {items}, {estimate_words(found.estimate)}."
    if found.reused:
        yield f"Bought before, and not bought again: {found.reused:,} of them."
    if capped:
        enough = ENOUGH.get(found.enough, harmless(found.enough))
        yield f"The cap of {dollars(found.limit_usd)} is {enough}."
    if found.invalid_rows:
        yield f"Bad rows, for which nothing is bought: {found.invalid_rows.count:,}"
        yield from (f"  {line}" for line in row_words(found.invalid_rows, SHOWN_ROWS))
    for sentence in (*found.estimate.uncertain, *found.warnings):
        yield harmless(f"Note: {sentence}")


def stop_if_it_fails(found: Validation) -> None:
    """Raises `Stopped` if the job would fail before it buys anything."""
    if found.failure:
        raise Stopped(
            harmless(f"Nothing was submitted, since it would fail: {found.failure.detail}")
            + f" [{harmless(found.failure.code)}]"
        )


async def _estimate(client: Client, body: dict[str, Any], asking: Asking) -> Validation | None:
    """None where there is none, and none is needed."""
    try:
        if asking.yes:
            return await client.validate(body, BRIEF_SECONDS)
        return await patiently(lambda: client.validate(body), say=whisper)
    except EstimateSlow as error:
        whisper(f"No estimate: {str(error).splitlines()[0]}.")
    except CliError as error:
        if not asking.yes:
            raise
        whisper(f"No estimate: {str(error).splitlines()[0]}")
    return None


def _most(body: dict[str, Any]) -> Decimal:
    """Without an estimate, the cap is all that is known of what may be spent."""
    try:
        return parse_amount(str(body["budget"]["limit_usd"]))
    except (KeyError, TypeError, typer.BadParameter):
        return Decimal("Infinity")


def _ask(most: Decimal, asking: Asking) -> None:
    if most <= asking.above:
        return
    may = f"up to {dollars(most)} may be spent" if most.is_finite() else "no amount limits what may be spent"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Stopped(
            f"Nothing was submitted: {may}, more than {dollars(asking.above)} (--ask-above), and there is no "
            "terminal to ask on. Give --yes to submit it."
        )
    if not _agreed(f"{may[0].upper()}{may[1:]}. Submit? [y/N] "):
        whisper("Nothing was submitted.")
        raise typer.Exit(1)


def _agreed(question: str) -> bool:
    # On standard error: standard output is the id's alone.
    typer.echo(question, nl=False, err=True)
    with _interruptible():
        return sys.stdin.readline().strip().lower() in ("y", "yes")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Lets Ctrl-C end the waiting for an answer, as it does outside of an event loop."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
