"""What every command shares: its service, its exit code, its terminal."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from rich.console import Console

from cli.client import Client
from cli.errors import CliError
from cli.service import ADMIN, Service, find_service
from sandbox.stack import StackError

INTERRUPTED = 130
Story = Callable[[Client], Awaitable[int]]


def _job_id(text: str) -> str:
    if not re.fullmatch(r"[\w-]+", text, re.ASCII):
        raise typer.BadParameter(f"{text!r} is no id of a job; one looks like job_01J9ZC3V5N8Q4T6W7XKABCDEFG")
    return text


JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.", callback=_job_id)]


def run(url: str | None, story: Story) -> None:
    """Runs a command that talks to the service, and exits with the code that it returns.

    Errors that were foreseen are told as a sentence and exit with 1, an interruption with 130.
    """
    raise typer.Exit(outcome(lambda: asyncio.run(_tell(find_service(url), story))))


def run_as_operator(url: str | None, story: Story) -> None:
    """Runs a command that takes the operator's key, and otherwise as `run` does."""
    raise typer.Exit(outcome(lambda: asyncio.run(_tell(find_service(url, ADMIN), story))))


def outcome(action: Callable[[], int]) -> int:
    """The exit code of an action, whose foreseen errors are told."""
    try:
        return action()
    except (CliError, StackError) as error:
        sys.stdout.flush()
        typer.echo(f"Error: {error}", err=True)
        return error.exit_code if isinstance(error, CliError) else 1
    except KeyboardInterrupt:
        return INTERRUPTED


def out() -> Console:
    """Standard output."""
    return Console(highlight=False)


def err() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def whisper(sentence: str) -> None:
    """Tells something on standard error, so that standard output stays clean."""
    typer.echo(sentence, err=True)


async def _tell(service: Service, story: Story) -> int:
    async with Client(service) as client:
        return await story(client)
