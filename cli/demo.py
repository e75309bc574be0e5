"""`imagemill demo`: a shop's product export in, its images out, on a stack that is gone afterwards."""

import asyncio
from importlib import import_module
from pathlib import Path

import typer

from cli.running import outcome


def demo() -> None:
    """Turns a sample shop's product export into images: no account, no key, no cost, under a minute.

    Runs the real engine, store, worker and API on this machine, with an image API that draws by itself;
    leaves nothing but the images in ./demo-output. Exits with 0 if every item succeeded.
    """
    # The clients of engine and store take a second to import, which other commands do without.
    run_demo, folder = import_module("cli.demo_run").run_demo, import_module("cli.demo_folder").NAME
    raise typer.Exit(outcome(lambda: asyncio.run(run_demo(Path(folder)))))
