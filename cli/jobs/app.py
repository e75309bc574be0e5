"""`imagemill jobs`: all that can be asked of jobs and done with them."""

import typer

from cli.budget import budget
from cli.cancel import cancel
from cli.jobs.changes import priority, webhook
from cli.jobs.items import image, item, items
from cli.jobs.listing import list_jobs
from cli.jobs.retry import retry
from cli.jobs.share import share
from cli.jobs.streams import events, export
from cli.pause import pause
from cli.report import report
from cli.resume import resume
from cli.status import status

jobs = typer.Typer(no_args_is_help=True, help="Jobs: list them, look into them, change them.")
jobs.command("list")(list_jobs)
for own in (items, item, image, events, export, priority, webhook):
    jobs.command()(own)
# What stands at the top is looked for here too.
jobs.command("show", hidden=True)(status)
for other in (pause, resume, cancel, retry, budget, report, share):
    jobs.command(hidden=True)(other)
