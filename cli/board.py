"""Several jobs at once, on a terminal: a row for each, redrawn in place."""

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.answers import Job
from cli.errors import one_line
from cli.money import dollars
from cli.progress import coloured
from cli.reading import Told
from cli.show import duration

WIDE = 90
COLUMNS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("Job", 0, {"ratio": 3, "min_width": 6, "overflow": "ellipsis"}),
    ("State", 0, {}),
    ("", 60, {"ratio": 2, "min_width": 6}),
    ("Items", 0, {"justify": "right"}),
    ("Spent", 48, {"justify": "right"}),
    ("Pace", WIDE, {"justify": "right"}),
    ("Left", 0, {"justify": "right"}),
)
"""Each with the width of a terminal that has room for it."""


class Board:
    """The table. Each job's own view is a row of it."""

    def __init__(self, console: Console, jobs: list[str]) -> None:
        self.console = console
        self._jobs: dict[str, Job | None] = dict.fromkeys(jobs)
        self._live = Live(console=console, get_renderable=self.table, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.refresh()
        self._live.stop()

    def row(self, job: str) -> "Row":
        """The view of one of the jobs."""
        return Row(self, job)

    def show(self, job: Job) -> None:
        """Takes a row's newest status."""
        self._jobs[job.id] = job

    def table(self) -> Table:
        """What is to be seen now; a narrow terminal gets fewer columns."""
        width = self.console.width
        shown = [place for place, (_, least, _) in enumerate(COLUMNS) if width >= least]
        table = Table(box=None, expand=True, pad_edge=False)
        for place in shown:
            head, _, options = COLUMNS[place]
            table.add_column(head, no_wrap=True, **options)
        for key, job in self._jobs.items():
            cells = _cells(key, job, cap=width >= WIDE)
            table.add_row(*(cells[place] for place in shown))
        return table


class Row:
    """One job's view."""

    def __init__(self, board: Board, job: str) -> None:
        self._board = board
        self._job = job

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, told: Told[Job]) -> None:
        """Renews the row."""
        self._board.show(told.model)

    def say(self, sentence: str) -> None:
        """Prints a sentence above the table."""
        self._board.console.print(
            f"{self._job}: {sentence.strip()}", markup=False, highlight=False, soft_wrap=True, style="yellow"
        )


def _cells(key: str, job: Job | None, *, cap: bool) -> list[str | Text | ProgressBar]:
    """A row: what it is, state, bar, items, money, pace, what is left."""
    if job is None:
        return [key, "…", "", "", "", "", ""]
    of = "" if job.items.total is None else f"/{job.items.total:,}"
    spent = dollars(job.cost.spent) + (f" of {dollars(job.cost.limit_usd)}" if cap else "")
    pace = "" if job.images_per_minute is None or job.ended else f"{job.images_per_minute:,.0f}/min"
    return [
        Text(one_line(job.name or key)),
        coloured(job),
        ProgressBar(total=job.items.total or 1, completed=job.items.done, finished_style="green"),
        f"{job.items.done:,}{of}",
        spent,
        pace,
        _left(job),
    ]


def _left(job: Job) -> str | Text:
    if job.hold is not None:
        return Text(one_line(job.hold.code), style="yellow")
    if job.ended:
        return f"took {duration(job.seconds or 0)}"
    return "" if job.seconds_left is None else duration(job.seconds_left)
