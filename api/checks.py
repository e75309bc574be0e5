"""What is wrong with a submission: found before anything is written, and all of it at once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from api.context import Context
from api.models import ItemBody, JobBody, ManifestBody
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.job import Submission
from imagemill.domain.money import format_usd, parse_usd
from imagemill.domain.places import file_key
from imagemill.domain.request import ImageRequest, ImageSettings
from imagemill.manifest import HEAD_BYTES, check_head
from imagemill.templating.check import template_problems

NAME_VARIABLES = ("custom_id", "variant", "n", "ext")


async def problems_of(parts: Context, tenant: str, body: JobBody) -> list[tuple[str, str]]:
    """Every problem: where, and what would be right."""
    problems = _price_problems(parts, body)
    if problems:
        return problems  # without them, the rest can't be priced
    parts = replace(parts, catalogue=parts.catalogue.with_prices(prices_of(body)))
    if body.output.key is not None:
        found = template_problems(body.output.key, names=NAME_VARIABLES)
        problems += [("/output/key", what) for what in found]
    if body.manifest:
        problems += await _manifest_problems(parts, tenant, body, body.manifest)
    for index, item in enumerate(body.items or []):
        settings = _own(item).over(body.defaults)
        problems += _settings_problems(parts, settings, f"/items/{index}", own=item)
    problems += _duplicates(body.items or [])
    return problems or _cap_problems(parts, body)


async def _manifest_problems(
    parts: Context, tenant: str, body: JobBody, manifest: ManifestBody
) -> list[tuple[str, str]]:
    try:
        head = await parts.control.start_of(file_key(tenant, manifest.file_id), HEAD_BYTES)
    except ObjectMissing:
        return [("/manifest/file_id", f"there is no file {manifest.file_id}; upload it to /v1/files first")]
    columns = check_head(head, manifest.format)
    problems = [
        (f"/manifest/{name}", what)
        for name in ("id", "prompt", "where")
        if (text := getattr(manifest, name)) is not None
        for what in template_problems(text, columns=columns)
    ]
    for index, variant in enumerate(manifest.variants):
        settings = _own(variant).over(body.defaults)
        problems += _settings_problems(parts, settings, f"/manifest/variants/{index}", own=variant)
    if not manifest.variants:
        problems += _settings_problems(parts, body.defaults, "/defaults", own=body.defaults)
    names = [variant.name for variant in manifest.variants]
    twice = {name for name in names if names.count(name) > 1}
    return problems + [
        ("/manifest/variants", f"two variants have the name {name!r}") for name in sorted(twice)
    ]


def _settings_problems(
    parts: Context, settings: ImageSettings, place: str, own: ImageSettings
) -> list[tuple[str, str]]:
    """What is wrong with an item's settings, each at the place that it came from."""
    if settings.model is None:
        return [("/defaults/model", "no model is named, neither here nor in the item")]
    request = ImageRequest(prompt="", **settings.model_dump(exclude_none=True))
    found = parts.catalogue.problems(request, datetime.now(UTC).date())
    return [
        (f"{place}/{name}" if getattr(own, name) is not None else f"/defaults/{name}", what)
        for name, what in found
    ]


def _price_problems(parts: Context, body: JobBody) -> list[tuple[str, str]]:
    return [
        (f"/prices/{name}", f"{name} has a price in the catalogue, which can't be changed by a job")
        for name in body.prices
        if name in parts.catalogue
    ]


def _cap_problems(parts: Context, body: JobBody) -> list[tuple[str, str]]:
    """Is the cap below what the cheapest item can cost? Of a manifest, one whose prompt is empty."""
    maxima = [parts.catalogue.model(request.model).maximum(request) for request in _requests(body)]
    cheapest, cap = min(maxima, default=0), parse_usd(body.budget.limit_usd)
    if cap >= cheapest:
        return []
    usd, least = format_usd(cap), format_usd(cheapest)
    return [
        (
            "/budget/limit_usd",
            f"{usd} is below what the cheapest item can cost; set it to {least} at least",
        )
    ]


def _requests(body: JobBody | Submission) -> Iterator[ImageRequest]:
    """What is asked for: of each item, or with an empty prompt of each kind of row."""
    kinds: list[tuple[ImageSettings, str]] = [(_own(item), item.prompt) for item in body.items or []]
    if body.manifest:
        kinds = [(_own(variant), "") for variant in body.manifest.variants] or [(ImageSettings(), "")]
    for settings, prompt in kinds:
        said = settings.over(body.defaults).model_dump(exclude_none=True)
        yield ImageRequest(prompt=prompt, **said)


def prices_of(body: JobBody) -> dict[str, int]:
    """The job's own prices of an image, in nano-dollars."""
    return {name: parse_usd(price.image_usd) for name, price in body.prices.items()}


def warnings_of(parts: Context, submission: Submission) -> list[str]:
    """What is not wrong yet."""
    today = submission.submitted_at.date()
    names = sorted({request.model for request in _requests(submission)} - set(submission.prices_nano))
    return [warning for name in names for warning in parts.catalogue.warnings(name, today)]


def first_ask(parts: Context, submission: Submission) -> int:
    """What the first items can cost that run at once; 0 where that is not known before the plan is."""
    if submission.items is None:
        return 0
    catalogue = parts.catalogue.with_prices(submission.prices_nano)
    at_once = parts.work.window * parts.work.chunks_at_once
    return sum(catalogue.model(each.model).maximum(each) for each in islice(_requests(submission), at_once))


def _duplicates(items: list[ItemBody]) -> list[tuple[str, str]]:
    first: dict[str, int] = {}
    found = []
    for index, item in enumerate(items):
        if item.custom_id in first:
            where = f"/items/{first[item.custom_id]}"
            found.append((f"/items/{index}/custom_id", f"{item.custom_id!r} is the id of {where} already"))
        first.setdefault(item.custom_id, index)
    return found


def _own(settings: ImageSettings) -> ImageSettings:
    return ImageSettings(**settings.model_dump(include=set(ImageSettings.model_fields)))
