"""`imagemill watch`: how jobs get on, until they end."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer

from cli.answers import Job
from cli.board import Board
from cli.client import Client
from cli.errors import CliError, ServiceAway
from cli.exits import FINE, HELD, NOT_ALL
from cli.holds import hold_words, same_hold
from cli.ids import JobIds
from cli.progress import Bar, JsonLines, Lines, View
from cli.reading import Told
from cli.running import err, out, run, whisper
from cli.service import Url
from cli.show import status_lines
from cli.watched import MOST, jobs_under_way

# The service may ask for 30 seconds between two polls; a person who watches wants to see something move.
LONGEST_PAUSE = 2.0
SHORTEST_PAUSE = 0.2
AWAY_SECONDS = 600.0
# With more jobs each is asked less often, so that a key's rate is not used up by looking.
JOBS_A_SECOND = 10.0
Pause = Callable[[float], Awaitable[None]]


def watch(
    jobs: JobIds = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All jobs that have not ended.")] = False,
    until_held: Annotated[
        bool, typer.Option("--until-held", help="End with status 4 as soon as one of them is held.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each change.")] = False,
    url: Url = None,
) -> None:
    """Watches jobs until they end: live on a terminal, plain lines in a pipe.

    A held job is watched on: what it needs is said once.

    Exits with 0 if every item succeeded, and with 3 if not. Ctrl-C stops the watching, not the jobs.

    Example: imagemill watch --all
    """
    if bool(jobs) == all_:
        raise typer.BadParameter("give the ids of jobs, or --all")
    run(url, lambda client: _watch(client, jobs, json=json, until_held=until_held))


async def _watch(client: Client, jobs: list[str] | None, *, json: bool, until_held: bool) -> int:
    if jobs is None:
        jobs = await jobs_under_way(client)
        if not jobs:
            whisper("No job is under way.")
    return await attend(client, list(dict.fromkeys(jobs)), json=json, until_held=until_held, summary=True)


async def attend(
    client: Client,
    jobs: list[str],
    *,
    json: bool,
    until_held: bool = False,
    aside: bool = False,
    summary: bool = False,
) -> int:
    """Shows jobs until all have ended, and returns the exit code.

    Args:
        client: of their service.
        jobs: their ids.
        json: a line of JSON for each change.
        until_held: end when one is held.
        aside: standard output is for something else.
        summary: on a terminal, show one job's last status whole.
    """
    if len(jobs) > MOST:
        raise CliError(f"{len(jobs):,} jobs can't be watched at once, but {MOST}.")
    console = err() if aside and not json else out()
    frame, views = _views(console.is_terminal and not json, jobs, json=json, aside=aside)
    ended = await _together(client, frame, views, until_held=until_held)
    if summary and console.is_terminal and not json and len(ended) == 1:
        for line in status_lines(ended[0]):
            typer.echo(line)
    return worst(ended)


def _views(
    terminal: bool, jobs: list[str], *, json: bool, aside: bool
) -> tuple[AbstractContextManager[object], dict[str, View]]:
    """What the jobs are seen in: a frame around all, and a view for each."""
    console = err() if aside else out()
    if json:
        return nullcontext(), {job: JsonLines() for job in jobs}
    if len(jobs) == 1:
        return nullcontext(), {jobs[0]: Bar(console) if terminal else Lines(console)}
    if terminal:
        board = Board(console, jobs)
        return board, {job: board.row(job) for job in jobs}
    return nullcontext(), {job: Lines(console, f"{job}  ") for job in jobs}


async def _together(
    client: Client, frame: AbstractContextManager[object], views: dict[str, View], *, until_held: bool
) -> list[Job]:
    """All jobs side by side; an error of one ends it for all."""
    slowest = max(LONGEST_PAUSE, len(views) / JOBS_A_SECOND)
    with frame:
        tasks = [
            asyncio.create_task(follow(client, job, view, longest=slowest, until_held=until_held))
            for job, view in views.items()
        ]
        try:
            await _all(tasks, until_held=until_held)
        except asyncio.CancelledError:
            _leave(views)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks if not task.cancelled()]


async def _all(tasks: list[asyncio.Task[Job]], *, until_held: bool) -> None:
    """Waits for all, or for the first that is held."""
    waiting = set(tasks)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if any(task.result().hold is not None for task in done) and until_held:
            return


def _leave(views: dict[str, View]) -> None:
    """Says that nothing but the watching has ended."""
    job, view = next(iter(views.items()))
    if len(views) == 1:
        view.say(f"No longer watching; the job goes on. `imagemill cancel {job}` would end it.")
    else:
        whisper("No longer watching; the jobs go on. `imagemill cancel JOB` would end one.")


async def follow(
    client: Client,
    job: str,
    view: View,
    pause: Pause = asyncio.sleep,
    *,
    longest: float = LONGEST_PAUSE,
    until_held: bool = False,
) -> Job:
    """Shows a job until it has ended, and returns its last status.

    A service that was there and goes away is waited for, up to ten minutes; the job goes on without it.

    Raises:
        Refused: there is no such job.
        ServiceAway: the service was away from the first, or for too long.
    """
    with view:
        return await _follow(client, job, view, pause, longest=longest, until_held=until_held)


async def _follow(
    client: Client, job: str, view: View, pause: Pause, *, longest: float, until_held: bool
) -> Job:
    told, patience = await client.state(job)
    view.show(told)
    said = _tell_hold(view, told.model, ())
    while not (told.model.ended or (until_held and told.model.hold)):
        await pause(min(max(patience, SHORTEST_PAUSE), longest))
        told, patience = await _state(client, job, view, pause)
        view.show(told)
        said = _tell_hold(view, told.model, said)
    return told.model


def _tell_hold(view: View, status: Job, told: tuple[object, ...]) -> tuple[object, ...]:
    """Says what a held job needs, unless that is what was told last; returns what has been told now."""
    now = same_hold(status)
    if now and now != told:
        for sentence in hold_words(status):
            view.say(f"  {sentence}")
    return now or told


async def _state(client: Client, job: str, view: View, pause: Pause) -> tuple[Told[Job], float]:
    """The status, from a service that may be away for a while."""
    away_since: float | None = None
    while True:
        try:
            answer = await client.state(job)
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


def worst(jobs: Iterable[Job]) -> int:
    """The exit code for jobs that have ended, or of which one is held."""
    return max((verdict(job) for job in jobs), default=FINE)


def verdict(job: Job) -> int:
    """The exit code for a job: 0 if every item succeeded."""
    if job.state == "completed":
        return FINE
    if job.hold is not None:
        whisper(f"{job.id} is held.")
        return HELD
    whisper(f"The job has ended as {job.state}; `imagemill status {job.id}` says more.")
    return NOT_ALL
