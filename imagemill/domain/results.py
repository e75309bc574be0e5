"""One line of the results: what the plan says of an item, and what became of it."""

from collections.abc import Iterable, Sequence

from imagemill.domain.budget import UNKNOWN_MODEL, Spend, Spending
from imagemill.domain.errors import explain
from imagemill.domain.item import (
    CallRecord,
    DeliveredImage,
    EarlierItem,
    ImageFacts,
    ItemRecord,
    ItemResult,
    PlannedItem,
    Problem,
    ReusedFrom,
)
from imagemill.domain.job import ReportLine, add_lines
from imagemill.domain.places import image_key, name_in_set
from imagemill.domain.renditions import all_specs, copies_of, copy_warning


def result_of(item: PlannedItem, record: ItemRecord, prefix: str, job: str) -> ItemResult:
    """The result of an item; ``prefix`` is that of the delivery bucket."""
    images = _images(item, record, prefix, job)
    lacking = _lacking(item, images) if record.reused else []
    return ItemResult(
        index=item.index,
        custom_id=item.custom_id,
        variant=item.variant,
        line=item.line,
        state=record.state,
        model=item.request.model if item.request else None,
        images=images,
        cost_nano=sum(attempt.cost_nano for attempt in record.attempts),
        estimated=bool(record.call and record.call.estimated),
        problem=_problem(item, record),
        warnings=[*item.warnings, *record.warnings, *lacking],
        attempts=record.attempts,
        reused_from=ReusedFrom(**item.reused.model_dump()) if record.reused and item.reused else None,
    )


def _images(item: PlannedItem, record: ItemRecord, prefix: str, job: str) -> list[DeliveredImage]:
    if record.reused and item.reused:
        return _reused(item, item.reused)
    names = delivered_names(item.names, record.call) if record.call else []
    images = record.call.images if record.call else []
    return _delivered(item, record, images, [image_key(prefix, job, name) for name in names])


def _reused(item: PlannedItem, earlier: EarlierItem) -> list[DeliveredImage]:
    """Images of an earlier job, each with those of the copies asked for that it was given then.

    A copy of the same name and size may have been fitted in another way, or be of another quality.
    """
    made = [spec for spec in item.renditions if any(map(spec.is_made_like, earlier.made))]
    specs = all_specs(made, thumbnail=item.thumbnail)
    found = []
    for image in earlier.images:
        asked = copies_of(image.key, (image.width, image.height), specs, set())
        copies = {name: copy for name, copy in asked.items() if image.renditions.get(name) == copy}
        found.append(image.model_copy(update={"renditions": copies}))
    return found


def _lacking(item: PlannedItem, images: Sequence[DeliveredImage]) -> list[str]:
    """Warnings of the copies that a reused item's images do not have."""
    specs = all_specs(item.renditions, thumbnail=item.thumbnail)
    return [
        copy_warning(spec.name, number, len(images))
        for number, image in enumerate(images)
        for spec in specs
        if spec.name not in image.renditions
    ]


def _delivered(
    item: PlannedItem, record: ItemRecord, images: list[ImageFacts], keys: list[str]
) -> list[DeliveredImage]:
    """Each image with its copies, but for those that the item has a warning of."""
    specs = all_specs(item.renditions, thumbnail=item.thumbnail)
    found = []
    for number, (key, facts) in enumerate(zip(keys, images, strict=True)):
        lacking = {
            spec.name for spec in specs if copy_warning(spec.name, number, len(keys)) in record.warnings
        }
        copies = copies_of(key, (facts.width, facts.height), specs, lacking)
        found.append(DeliveredImage(key=key, renditions=copies, **facts.model_dump()))
    return found


def spent_by(result: ItemResult) -> Spending:
    """What an item cost, by model."""
    spend = Spend(
        settled=sum(a.cost_nano for a in result.attempts if a.outcome in ("settled", "recovered")),
        written_off=sum(a.cost_nano for a in result.attempts if a.outcome == "written_off"),
    )
    return {result.model or UNKNOWN_MODEL: spend} if spend.total else {}


def report_lines(results: Iterable[ItemResult]) -> list[ReportLine]:
    """What items cost, by model and state."""
    lines: list[ReportLine] = []
    for result in results:
        lines = add_lines(lines, [_line(result)])
    return lines


def _line(result: ItemResult) -> ReportLine:
    model = result.model or UNKNOWN_MODEL
    spend = spent_by(result).get(model, Spend())
    return ReportLine(
        model=model,
        state=result.state,
        items=1,
        images=0 if result.reused_from else len(result.images),  # those that were bought
        settled_nano=spend.settled,
        written_off_nano=spend.written_off,
        uncertain=int(spend.written_off > 0),
    )


def delivered_names(names: list[str], call: CallRecord) -> list[str]:
    """The names under which the images of a call lie."""
    if call.as_set:
        return set_names(names, call.reservation, len(call.images))
    return names[: len(call.images)]


def set_names(names: list[str], reservation: str, count: int) -> list[str]:
    """Names for a set of images; there may be more than were planned, if the provider sends more."""
    marks = [reservation if n < len(names) else f"{reservation}-{n + 1}" for n in range(count)]
    return [name_in_set(names[min(n, len(names) - 1)], mark) for n, mark in enumerate(marks)]


def _problem(item: PlannedItem, record: ItemRecord) -> Problem | None:
    if item.problem:
        return item.problem
    if not record.code:
        return None
    detail = explain(record.code)
    return Problem(code=record.code, detail=f"{record.where}: {detail}" if record.where else detail)
