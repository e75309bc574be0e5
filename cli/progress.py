"""What is seen of a running job: a bar on a terminal, lines elsewhere."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from cli.answers import Job
from cli.errors import harmless
from cli.money import dollars
from cli.show import duration, images, progress_line

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

    def show(self, job: Job) -> None:
        """Called with each status."""

    def say(self, sentence: str) -> None:
        """Called when there is something else to tell."""


class Lines:
    """A line whenever something has changed, for pipes and logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, job: Job) -> None:
        """Prints the line."""
        now = (job.state, job.items, job.images, job.cost.spent)
        if now != self._last:
            self.say(progress_line(job))
        self._last = now

    def say(self, sentence: str) -> None:
        """Prints a sentence; at once, since a pipe is read while the job runs."""
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        self._console.file.flush()


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

    def show(self, job: Job) -> None:
        """Moves the bar."""
        colour = COLOURS.get(job.state, "cyan")
        self._progress.update(
            self._task,
            description=f"[{colour}]{job.state}[/]",
            total=job.items.total,
            completed=job.items.done,
            facts=_facts(job),
        )

    def say(self, sentence: str) -> None:
        """Prints a sentence above the bar."""
        self._console.print(sentence, markup=False, highlight=False, style="yellow")


def view_for(console: Console) -> View:
    """The view that suits what is written to."""
    return Bar(console) if console.is_terminal else Lines(console)


def _facts(job: Job) -> str:
    """Short, so that the bar has room on a narrow terminal."""
    of = "" if job.items.total is None else f"/{job.items.total:,}"
    facts = [f"{job.items.done:,}{of}", images(job.images)]
    if job.images_per_minute is not None:
        facts.append(f"{job.images_per_minute:,.0f}/min")
    facts.append(f"{dollars(job.cost.spent)} of {dollars(job.cost.limit_usd)}")
    if job.hold is not None:
        facts.append(f"[yellow]{harmless(job.hold.code)}[/]")
    elif job.ended:
        facts.append(duration(job.seconds or 0))
    elif job.seconds_left is not None:
        facts.append(f"{duration(job.seconds_left)} left")
    return " · ".join(facts)
