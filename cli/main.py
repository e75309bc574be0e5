"""`imagemill`: everything that an operator can type."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from cli.budget import budget
from cli.cancel import cancel
from cli.caps import caps
from cli.demo import demo
from cli.dev import dev
from cli.doctor.app import doctor
from cli.estimate import estimate
from cli.explain import explain
from cli.files.app import files
from cli.jobs.app import jobs
from cli.jobs.retry import retry
from cli.jobs.share import share
from cli.keys import keys
from cli.models import models
from cli.pause import pause
from cli.processes import api, worker
from cli.report import report
from cli.results import results
from cli.resume import resume
from cli.schedules.app import schedules
from cli.status import status
from cli.submit import submit
from cli.system import system
from cli.tenants import tenants
from cli.usage import usage
from cli.watch import watch
from cli.webhooks.app import webhooks

# Locals in a traceback would show the API key.
app = typer.Typer(
    name="imagemill",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("imagemill"))
        raise typer.Exit


@app.callback()
def main(
    *,
    version_: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Images in bulk, from a durable queue.

    Every command has --json for programs, and exits with 0 if all is well; docs/reference/cli.md says with
    what else. It finds the stack that `imagemill dev` runs in this folder, or the service of --url.
    """


JOBS, MONEY, SERVICE = "Jobs", "Money", "The service"
COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    JOBS: (submit, estimate, status, watch, results, pause, resume, cancel, retry, share),
    MONEY: (budget, report, usage, caps, tenants, models),
    SERVICE: (doctor, system, explain, dev, worker, api, demo),
}
FAMILIES = {
    "jobs": (jobs, JOBS),
    "files": (files, JOBS),
    "schedules": (schedules, JOBS),
    "webhooks": (webhooks, SERVICE),
    "keys": (keys, SERVICE),
}
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
for name, (family, panel) in FAMILIES.items():
    app.add_typer(family, name=name, rich_help_panel=panel)

if __name__ == "__main__":
    app()
