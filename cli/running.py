"""What every command shares: its service, its exit code, its terminal."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import typer
from rich.console import Console

from cli.client import Client
from cli.errors import CliError
from cli.exits import FINE, INTERRUPTED, WRONG
from cli.service import ADMIN, Service, find_service
from sandbox.stack import StackError

Story = Callable[[Client], Awaitable[int]]


def run(url: str | None, story: Story) -> None:
    """Runs a command that talks to the service, and exits with the code that it returns.

    Errors that were foreseen are told as a sentence; `cli.exits` has the codes.
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
        return error.exit_code if isinstance(error, CliError) else WRONG
    except BrokenPipeError:
        # Who read has read enough, as `head` does; Python is not to complain of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
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
