"""How a job is put into words."""

from collections.abc import Iterable, Iterator

from cli.answers import Estimate, InvalidRows, Job, Report
from cli.errors import harmless, one_line
from cli.holds import hold_words
from cli.money import dollars

STATES = ("succeeded", "blocked", "failed", "skipped", "cancelled", "running", "pending")
SHOWN_ROWS = 10


def images(count: int) -> str:
    """A number of images."""
    return f"{count:,} image{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time span for people."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def progress_line(job: Job) -> str:
    """How far a job is, in one line."""
    counts = job.items
    of = "" if counts.total is None else f"/{counts.total:,}"
    parts = [
        f"{job.state:<10}",
        f"{counts.done:,}{of} items",
        images(job.images),
        f"{dollars(job.cost.spent)} of {dollars(job.cost.limit_usd)}",
        *pace(job),
    ]
    return "  ".join(parts)


def pace(job: Job) -> Iterator[str]:
    """Rate and time left, where they are known."""
    if job.images_per_minute is not None:
        yield f"{job.images_per_minute:,.0f}/min"
    if job.hold is None and not job.ended and job.seconds_left is not None:
        yield f"{duration(job.seconds_left)} left"


def status_rows(job: Job) -> Iterator[tuple[str, str]]:
    """The status of a job as names and values."""
    yield "Job", job.id
    if job.name:
        yield "Name", one_line(job.name)
    yield "State", job.state
    yield "Items", items_by_state(job)
    if job.items.reused:
        yield "Reused", f"{job.items.reused:,} of them were bought before, and cost nothing"
    yield "Images", f"{job.images:,}"
    yield "Spent", f"{dollars(job.cost.spent)} of {dollars(job.cost.limit_usd)}{_besides(job)}"
    yield from _prospects(job)
    yield "Created", f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC"
    if job.seconds is not None:
        yield "Took", duration(job.seconds)
    else:
        yield "Pace", ", ".join(pace(job)) or "not known yet"
    yield from _troubles(job)


def status_lines(job: Job) -> Iterator[str]:
    """The status of a job for people."""
    for name, value in status_rows(job):
        yield f"{name:<9} {value}"


def items_by_state(job: Job | Report) -> str:
    """How many items there are of each state that there is."""
    counts = [(state, getattr(job.items, state)) for state in STATES]
    parts = [f"{count:,} {state}" for state, count in counts if count]
    total = "not counted yet" if job.items.total is None else f"{job.items.total:,}"
    return f"{total} ({', '.join(parts)})" if parts else total


def _besides(job: Job) -> str:
    """What is set aside for calls under way, and what was paid for nothing."""
    more = []
    if job.cost.reserved_usd:
        more.append(f"{dollars(job.cost.reserved_usd)} reserved")
    if job.cost.written_off_usd:
        more.append(f"{dollars(job.cost.written_off_usd)} of it written off")
    return f" ({', '.join(more)})" if more else ""


def estimate_words(estimate: Estimate) -> str:
    """What items cost, in a line."""
    return f"likely {dollars(estimate.expected_usd)}, at most {dollars(estimate.high_usd)}"


def uncertain_words(job: Job | Report) -> str:
    """How many items have a call whose bill can't be known."""
    items = f"{job.uncertain:,} item{'' if job.uncertain == 1 else 's'}"
    return f"{items} with a call whose bill can't be known"


def row_words(rows: InvalidRows, shown: int = SHOWN_ROWS) -> Iterator[str]:
    """The first of the bad rows, and how many more there are."""
    for row in rows.first[:shown]:
        place = f"line {row.line}" if row.line is not None else row.custom_id
        yield one_line(f"{place}: {row.detail}")
    if rows.count > shown:
        yield f"… and {rows.count - shown:,} more"


def _prospects(job: Job) -> Iterator[tuple[str, str]]:
    """What it will cost, while nothing is bought; what nobody knows the cost of, once something is."""
    if job.estimate and not job.ended and not job.cost.spent:
        yield from _below("Estimate", [estimate_words(job.estimate), *map(harmless, job.estimate.uncertain)])
    if job.uncertain:
        yield "Uncertain", f"{uncertain_words(job)}: {dollars(job.cost.written_off_usd)} written off"


def _troubles(job: Job) -> Iterator[tuple[str, str]]:
    yield from _below("Held", hold_words(job))
    if job.failure:
        yield "Failure", f"{harmless(job.failure.detail)} [{job.failure.code}]"
    yield from _below("Warnings", map(harmless, job.warnings))
    if job.invalid_rows:
        yield from _below("Bad rows", [f"{job.invalid_rows.count:,}", *row_words(job.invalid_rows)])


def _below(name: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Lines under one name."""
    for number, line in enumerate(lines):
        yield "" if number else name, line
