"""The stack that `imagemill dev` runs, as it is seen on the terminal."""

import asyncio
import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from sandbox.stack import LocalStack, PartReport, StackError, StackOptions
from sandbox.stack.interrupts import run_until_signal

COLOURS = {"starting": "dim", "ready": "green", "stopped": "dim", "died": "bold red"}
EXAMPLE = """\
  curl {url}/v1/jobs \\
    -H "Authorization: Bearer $(cat {key})" -H 'Content-Type: application/json' \\
    -d '{{"defaults": {{"model": "gpt-image-2.5-flare", "size": "1024x1024", "quality": "low"}},
         "items": [{{"custom_id": "mug-1", "prompt": "A red enamel mug on white"}}],
         "budget": {{"limit_usd": "1.00"}}}}'"""


def run(options: StackOptions) -> int:
    """Runs a stack until a signal, telling of it on the terminal; returns the exit code."""
    terminal = Screen(Console(soft_wrap=True, highlight=False))
    stack = LocalStack(options, terminal.part)
    try:
        asyncio.run(run_until_signal(stack, terminal.summary))
    except StackError as error:
        typer.echo(f"\nError: {error}", err=True)
        return 1
    return 0


class Screen:
    """What the command shows."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def part(self, report: PartReport) -> None:
        """One line for each part that came up or went down."""
        if report.state == "starting":
            return
        took = f"{report.seconds:.1f} s" if report.state == "ready" else ""
        line = Text(f"{report.name:<10}  ")
        line.append(f"{report.state:<7}", style=COLOURS[report.state])
        line.append(f"  {report.address or '':<21}  {took}".rstrip())
        self._console.print(line)
        # A pipe is read while the stack runs, not when it ends.
        sys.stdout.flush()

    def summary(self, stack: LocalStack) -> None:
        """Where everything is, and what to try."""
        addresses = stack.addresses
        key = _relative(stack.directory.api_key)
        rows = [
            ("API", addresses.url),
            ("Dashboard", f"{addresses.url}/"),
            ("API key", f"in {key}; the dashboard asks for it"),
            ("Temporal UI", addresses.ui),
            ("Store (S3)", addresses.store),
            ("Image API", addresses.image_api),
            ("Logs", f"in {_relative(stack.directory.logs)}"),
        ]
        lines = [f"  {name:<12} {value}" for name, value in rows if value is not None]
        example = EXAMPLE.format(url=addresses.url, key=key)
        text = "\n".join(["", *lines, "", "Try:", "", example, "", "Ctrl-C stops everything."])
        self._console.print(Text(text))
        sys.stdout.flush()


def _relative(path: Path) -> Path:
    """A path as somebody in the current directory would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
