"""`imagemill watch`: how a job gets on, until it ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import typer

from cli.answers import Job
from cli.client import Client
from cli.errors import ServiceAway
from cli.holds import hold_words, same_hold
from cli.progress import View, view_for
from cli.running import JobId, out, run, whisper
from cli.service import Url
from cli.show import status_rows

# The service may ask for 30 seconds between two polls; a person who watches wants to see something move.
LONGEST_PAUSE = 2.0
SHORTEST_PAUSE = 0.2
AWAY_SECONDS = 600.0
Pause = Callable[[float], Awaitable[None]]


def watch(job: JobId, url: Url = None) -> None:
    """Watches a job until it ends: a bar on a terminal, plain lines in a pipe.

    A held job is watched on: what it needs is said once.

    Exits with 0 if every item succeeded, and with 1 if not. Ctrl-C stops the watching, not the job.
    """
    run(url, lambda client: _watch(client, job))


async def _watch(client: Client, job: str) -> int:
    console = out()
    ended = await follow(client, job, view_for(console))
    if console.is_terminal:
        print_status(ended)
    return verdict(ended)


async def follow(client: Client, job: str, view: View, pause: Pause = asyncio.sleep) -> Job:
    """Shows a job until it has ended, and returns its last status.

    A service that was there and goes away is waited for, up to ten minutes; the job goes on without it.

    Raises:
        Refused: there is no such job.
        ServiceAway: the service was away from the first, or for too long.
    """
    with view:
        try:
            return await _follow(client, job, view, pause)
        except asyncio.CancelledError:
            view.say(f"No longer watching; the job goes on. `imagemill cancel {job}` would end it.")
            raise


async def _follow(client: Client, job: str, view: View, pause: Pause) -> Job:
    status, patience = await client.status(job)
    view.show(status)
    told = _tell_hold(view, status, ())
    while not status.ended:
        await pause(min(max(patience, SHORTEST_PAUSE), LONGEST_PAUSE))
        status, patience = await _status(client, job, view, pause)
        view.show(status)
        told = _tell_hold(view, status, told)
    return status


def _tell_hold(view: View, status: Job, told: tuple[object, ...]) -> tuple[object, ...]:
    """Says what a held job needs, unless that is what was told last; returns what has been told now."""
    now = same_hold(status)
    if now and now != told:
        for sentence in hold_words(status):
            view.say(f"  {sentence}")
    return now or told


async def _status(client: Client, job: str, view: View, pause: Pause) -> tuple[Job, float]:
    """The status, from a service that may be away for a while."""
    away_since: float | None = None
    while True:
        try:
            answer = await client.status(job)
        except ServiceAway as error:
            if away_since is None:
                away_since = time.monotonic()
                view.say("The service does not answer. Waiting for it; the job goes on.")
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise
            await pause(min(error.wait or 1.0, LONGEST_PAUSE))
        else:
            if away_since is not None:
                view.say("The service is back.")
            return answer


def print_status(job: Job) -> None:
    """Prints what is known of a job."""
    for name, value in status_rows(job):
        typer.echo(f"{name:<9} {value}")


def verdict(job: Job) -> int:
    """The exit code for a job that has ended: 0 if every item succeeded."""
    if job.state == "completed":
        return 0
    whisper(f"The job has ended as {job.state}.")
    return 1
