"""`imagemill dev`: the whole service on this machine."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from sandbox.stack import LocalStack, PartReport, StackError, StackOptions
from sandbox.stack.interrupts import run_until_signal

DATA_DIR = Path(".imagemill")
COLOURS = {"starting": "dim", "ready": "green", "stopped": "dim", "died": "bold red"}
EXAMPLE = """\
  curl {url}/v1/jobs \\
    -H "Authorization: Bearer $(cat {key})" -H 'Content-Type: application/json' \\
    -d '{{"defaults": {{"model": "gpt-image-2.5-flare", "size": "1024x1024", "quality": "low"}},
         "items": [{{"custom_id": "mug-1", "prompt": "A red enamel mug on white"}}],
         "budget": {{"limit_usd": "1.00"}}}}'"""
Port = Annotated[int | None, typer.Option(min=1, max=65_535, show_default="as last time, or a free one")]


def dev(
    *,
    data_dir: Annotated[Path, typer.Option(help="Where everything is kept, over restarts too.")] = DATA_DIR,
    api_port: Port = None,
    temporal_port: Port = None,
    store_port: Port = None,
    image_api_port: Port = None,
    ui_port: Port = None,
    speed: Annotated[
        float, typer.Option(min=0, help="Scale of the image API's latencies: 1 is as in life, 0 is none.")
    ] = 0.02,
    workers: Annotated[int, typer.Option(min=1, help="How many worker processes.")] = 1,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Leave Temporal's web interface out.")] = False,
) -> None:
    """Runs the whole service on this machine until Ctrl-C: engine, store, image API, worker, API.

    The image API draws by itself and costs nothing. Everything listens on 127.0.0.1 alone.
    """
    ports = {
        "api": api_port,
        "temporal": temporal_port,
        "store": store_port,
        "image-api": image_api_port,
        "ui": ui_port,
    }
    options = StackOptions(
        data_dir=data_dir,
        ports={name: port for name, port in ports.items() if port is not None},
        speed=speed,
        workers=workers,
        ui=not no_ui,
    )
    raise typer.Exit(run(options))


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
            ("API key", f"in {key}"),
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
