"""`imagemill`: everything that an operator can type."""

from collections.abc import Callable

import typer

from cli.budget import budget
from cli.cancel import cancel
from cli.caps import caps
from cli.demo import demo
from cli.dev import dev
from cli.keys import keys
from cli.pause import pause
from cli.processes import api, worker
from cli.report import report
from cli.results import results
from cli.resume import resume
from cli.status import status
from cli.submit import submit
from cli.usage import usage
from cli.watch import watch

# Locals in a traceback would show the API key.
app = typer.Typer(
    name="imagemill",
    help="Images in bulk, from a durable queue.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Jobs": (submit, status, watch, results, pause, resume, cancel),
    "Money": (budget, report, usage, caps),
    "The service": (dev, worker, api, demo),
}
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(keys, name="keys", rich_help_panel="The service")

if __name__ == "__main__":
    app()
