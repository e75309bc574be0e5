"""How a job is put into words."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from cli.answers import Job
from cli.errors import harmless

STATES = ("succeeded", "blocked", "failed", "skipped", "cancelled", "running", "pending")
SHOWN_ROWS = 10


def dollars(amount: Decimal) -> str:
    """Money for people: whole cents from a dollar up, and hundredths of a cent below, where there are any."""
    cents = amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    if amount >= 1 or amount == cents:
        return f"${cents:,}"
    return f"${amount.quantize(Decimal('0.0001'), ROUND_HALF_UP)}"


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
    if job.hold is not None:
        yield f"held: {harmless(job.hold.detail)}"
    elif not job.ended and job.seconds_left is not None:
        yield f"{duration(job.seconds_left)} left"


def status_rows(job: Job) -> Iterator[tuple[str, str]]:
    """The status of a job as names and values."""
    yield "Job", job.id
    if job.name:
        yield "Name", harmless(job.name)
    yield "State", job.state
    yield "Items", items_by_state(job)
    yield "Images", f"{job.images:,}"
    yield "Spent", f"{dollars(job.cost.spent)} of {dollars(job.cost.limit_usd)}{_besides(job)}"
    yield "Created", f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC"
    if job.seconds is not None:
        yield "Took", duration(job.seconds)
    else:
        yield "Pace", ", ".join(pace(job)) or "not known yet"
    yield from _troubles(job)


def items_by_state(job: Job) -> str:
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


def _troubles(job: Job) -> Iterator[tuple[str, str]]:
    if job.failure:
        yield "Failure", f"{harmless(job.failure.detail)} [{job.failure.code}]"
    if job.invalid_rows:
        yield "Bad rows", f"{job.invalid_rows.count:,}"
        for row in job.invalid_rows.first[:SHOWN_ROWS]:
            place = f"line {row.line}" if row.line is not None else row.custom_id
            yield "", harmless(f"{place}: {row.detail}")
        if job.invalid_rows.count > SHOWN_ROWS:
            yield "", f"… and {job.invalid_rows.count - SHOWN_ROWS:,} more"
