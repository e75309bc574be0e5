"""Ids, as arguments: checked before they become part of an address, and completed by the shell."""

import re
from collections.abc import Callable
from typing import Annotated, Any

import typer

from cli import completion


def checked(what: str, example: str) -> Callable[[Any], Any]:
    """A callback that refuses what can't be an id; of an argument that is repeated, each of them."""

    def check(value: Any) -> Any:
        for text in value if isinstance(value, list) else [value]:
            if text is not None and not re.fullmatch(r"[\w-]+", text, re.ASCII):
                raise typer.BadParameter(f"{text!r} is no id of {what}; one looks like {example}")
        return value

    return check


_JOB = checked("a job", "job_01J9ZC3V5N8Q4T6W7XKABCDEFG")

JobId = Annotated[
    str, typer.Argument(metavar="JOB", help="The job's id.", callback=_JOB, autocompletion=completion.jobs)
]
JobIds = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[JOB]...", help="The ids of jobs.", callback=_JOB, autocompletion=completion.jobs
    ),
]
FileId = Annotated[
    str,
    typer.Argument(
        metavar="FILE_ID",
        help="The file's id.",
        callback=checked("a file", "file_01J9ZC3V5N8Q4T6W7XKABCDEFG"),
        autocompletion=completion.files,
    ),
]
UploadId = Annotated[
    str,
    typer.Argument(
        metavar="UPLOAD",
        help="The upload's id.",
        callback=checked("an upload", "upload_01J9ZC3V5N8Q4T6W7XKABCDEFG"),
    ),
]
EventId = Annotated[
    str,
    typer.Argument(
        metavar="EVENT",
        help="The event's id.",
        callback=checked("an event", "evt_0c5f3f1f8e9d4b7a6c2e1d0f9a8b7c6d"),
        autocompletion=completion.events,
    ),
]
ScheduleId = Annotated[
    str,
    typer.Argument(
        metavar="SCHEDULE",
        help="The schedule's id.",
        callback=checked("a schedule", "sched_01J9ZC3V5N8Q4T6W7XKABCDEFG"),
        autocompletion=completion.schedules,
    ),
]
