"""What is seen of a running job: a bar on a terminal, lines elsewhere, JSON for programs."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from cli.answers import Job
from cli.errors import harmless
from cli.money import dollars
from cli.reading import Told
from cli.running import whisper
from cli.show import duration, images, progress_line
from cli.telling import print_line

COLOURS = {
    "completed": "green",
    "completed_with_errors": "yellow",
    "cancelled": "yellow",
    "failed": "red",
    "held": "yellow",
    "pausing": "yellow",
    "paused": "yellow",
}


class View(Protocol):
    """Shows how a job gets on."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, told: Told[Job]) -> None:
        """Called with each status."""

    def say(self, sentence: str) -> None:
        """Called when there is something else to tell."""


class Plain:
    """A view that needs no terminal: it shows what has changed."""

    def __init__(self) -> None:
        self._last: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def changed(self, job: Job) -> bool:
        """Is there anything new since it was last asked?"""
        now = (job.state, job.items, job.images, job.cost.spent)
        before, self._last = self._last, now
        return now != before


class Lines(Plain):
    """A line whenever something has changed, for pipes and logs; of several jobs, each with its id."""

    def __init__(self, console: Console, prefix: str = "") -> None:
        super().__init__()
        self._console = console
        self._prefix = prefix

    def show(self, told: Told[Job]) -> None:
        """Prints the line."""
        if self.changed(told.model):
            self.say(progress_line(told.model))

    def say(self, sentence: str) -> None:
        """Prints a sentence; at once, since a pipe is read while the job runs."""
        self._console.print(f"{self._prefix}{sentence}", markup=False, highlight=False, soft_wrap=True)
        self._console.file.flush()


class JsonLines(Plain):
    """The whole status as JSON whenever something has changed; sentences go to standard error."""

    def show(self, told: Told[Job]) -> None:
        """Prints the status."""
        if self.changed(told.model):
            print_line(told.document)

    def say(self, sentence: str) -> None:
        """Tells it beside."""
        whisper(sentence)


class Bar:
    """A progress bar, for a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None, complete_style="cyan", finished_style="green"),
            TextColumn("{task.fields[facts]}"),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task("queued", total=None, facts="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, told: Told[Job]) -> None:
        """Moves the bar."""
        job = told.model
        self._progress.update(
            self._task,
            description=coloured(job),
            total=job.items.total,
            completed=job.items.done,
            facts=_facts(job, self._console.width),
        )

    def say(self, sentence: str) -> None:
        """Prints a sentence above the bar."""
        # Wrapped by the terminal, so that a command in it can be copied.
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True, style="yellow")


def coloured(job: Job) -> str:
    """The job's state, in its colour."""
    return f"[{COLOURS.get(job.state, 'cyan')}]{harmless(job.state)}[/]"


def _facts(job: Job, width: int) -> str:
    """Short, so that the bar has room; on a narrow terminal without what can be done without."""
    of = "" if job.items.total is None else f"/{job.items.total:,}"
    facts = [f"{job.items.done:,}{of}"]
    if width >= 80:
        facts.append(images(job.images))
        if job.images_per_minute is not None:
            facts.append(f"{job.images_per_minute:,.0f}/min")
    cap = f" of {dollars(job.cost.limit_usd)}" if width >= 60 else ""
    facts.append(f"{dollars(job.cost.spent)}{cap}")
    if job.hold is not None:
        facts.append(f"[yellow]{harmless(job.hold.code)}[/]")
    elif job.ended:
        facts.append(duration(job.seconds or 0))
    elif job.seconds_left is not None:
        facts.append(f"{duration(job.seconds_left)} left")
    return " · ".join(facts)
