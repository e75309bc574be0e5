"""Jobs in the fakes, as the service would have left them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from imagemill.domain.item import DeliveredImage, ItemResult, ItemState, PlannedItem
from imagemill.domain.job import Counts, JobSummary, Progress
from imagemill.domain.job_states import JobState
from imagemill.domain.lines import to_lines
from imagemill.domain.places import CHUNK_ITEMS, image_key, plan_key, results_key
from imagemill.domain.request import ImageRequest
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore

JOB = "job_01J9ZC3V5N8Q4T6W7XKABCDEFG"
NOW = datetime.now(UTC)
MODEL = "gpt-image-2.5-flare"
PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 100


def summary(state: JobState = "running", **more: object) -> JobSummary:
    """What a job's memo says."""
    said: dict[str, object] = {
        "tenant": "t",
        "state": state,
        "name": "Spring",
        "submitted_at": NOW - timedelta(minutes=5),
        "started_at": NOW - timedelta(minutes=4),
        "items": 2,
        "chunks": 0,
        "cap_nano": 10**9,
    }
    return JobSummary.model_validate(said | more)


def progress(**counts: int) -> Progress:
    """Totals with these counts; each item that succeeded has cost a cent."""
    done = Counts(images=counts.get("succeeded", 0), **counts)
    return Progress(counts=done, settled_nano=counts.get("succeeded", 0) * 10**7)


def planned(
    index: int,
    custom_id: str,
    prompt: str = "a chair",
    images: Sequence[str] = (),
    variant: str | None = None,
) -> PlannedItem:
    """An item of the plan."""
    request = ImageRequest(prompt=prompt, model=MODEL, images=tuple(images))
    return PlannedItem(index=index, custom_id=custom_id, variant=variant, request=request)


def result(item: PlannedItem, state: ItemState = "succeeded", images: int = 1) -> ItemResult:
    """What became of it."""
    made = images if state == "succeeded" else 0
    return ItemResult(
        index=item.index,
        custom_id=item.custom_id,
        variant=item.variant,
        state=state,
        model=MODEL,
        images=[
            DeliveredImage(
                key=image_key("", JOB, f"{item.index}/{n}.png"),
                sha256="0" * 64,
                bytes=len(PICTURE),
                width=8,
                height=8,
                format="png",
            )
            for n in range(made)
        ],
    )


def keep(
    control: MemoryStore, delivery: MemoryStore, items: Sequence[PlannedItem], results: Sequence[ItemResult]
) -> None:
    """Put plan, results and images where the service has them; a chunk without results still runs."""
    for chunk in range(0, len(items), CHUNK_ITEMS):
        number, end = chunk // CHUNK_ITEMS, chunk + CHUNK_ITEMS
        _put(control, plan_key("t", JOB, number), to_lines(items[chunk:end]))
        if results[chunk:end]:
            _put(control, results_key("t", JOB, number), to_lines(results[chunk:end]))
    for each in results:
        for image in each.images:
            _put(delivery, image.key, PICTURE)


def ended_job(
    engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore, *ids: str
) -> list[ItemResult]:
    """A job all of whose items succeeded."""
    items = [planned(number % CHUNK_ITEMS, each) for number, each in enumerate(ids)]
    results = [result(item) for item in items]
    keep(control, delivery, items, results)
    chunks = -(-len(ids) // CHUNK_ITEMS)
    said = {"items": len(ids), "chunks": chunks, "ended_at": NOW, "ended": progress(succeeded=len(ids))}
    engine.summaries[JOB] = summary("completed", **said)
    return results


def _put(store: MemoryStore, key: str, data: bytes) -> None:
    store._keep(key, data, "text/html", {})
