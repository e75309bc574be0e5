"""`imagemill dev`: the whole service on this machine."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from sandbox.stack import StackOptions

DATA_DIR = Path(".imagemill")
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
    # The clients of engine and store take a second to import, which other commands do without.
    raise typer.Exit(import_module("cli.dev_stack").run(options))
