"""What is wrong with a submission: found before anything is written, and all of it at once."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from api.context import Context
from api.manifests import manifest_of, source_problems
from api.models import ItemBody, JobBody, ManifestBody
from api.webhook_target import webhook_problems
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.market import Market
from imagemill.domain.money import format_usd, parse_usd
from imagemill.domain.places import file_key
from imagemill.domain.renditions import Rendition
from imagemill.domain.request import ImageRequest, ImageSettings
from imagemill.domain.schedules import RUN, is_template
from imagemill.inputs.reference import NoReference, Rules
from imagemill.inputs.uploads import Uploads, no_file
from imagemill.manifest import HEAD_BYTES, check_head
from imagemill.pool_problems import pool_problems
from imagemill.templating.check import ROW, Hints, template_problems

MOST_FILES = 5000
"""So many files are asked for while the caller waits."""

SOME_FILE = "file_" + "0" * 26
"""Stands for a reference that a row will name."""

NAME_VARIABLES = ("custom_id", "variant", "n", "ext")


async def problems_of(
    parts: Context, tenant: str, body: JobBody, *, scheduled: bool = False
) -> list[tuple[str, str]]:
    """Every problem: where, and what would be right.

    ``scheduled``: it is what a schedule submits, whose templates and prompts may say which run it is.
    """
    problems = _price_problems(parts, body)
    if problems:
        return problems  # without them, the rest can't be priced
    problems = await webhook_problems(parts, tenant, body.webhook)
    problems += _rendition_problems(body.renditions)
    problems += [] if scheduled else _schedule_problems(body)
    market = market_of(parts, body)
    if body.output.key is not None:
        names = (*NAME_VARIABLES, RUN) if scheduled else NAME_VARIABLES
        found = template_problems(body.output.key, names=names)
        problems += [("/output/key", what) for what in found]
    if body.manifest:
        problems += await _manifest_problems(parts, market, tenant, body, body.manifest, scheduled=scheduled)
    problems += await asyncio.to_thread(_item_problems, market, body)
    if scheduled:
        problems += await asyncio.to_thread(_prompt_problems, body)
    problems += await _reference_problems(parts, tenant, body)
    if problems:
        return problems
    requests = await asyncio.to_thread(lambda: list(_requests(market, body)))
    models = {request.model for request in requests}
    refused = pool_problems(parts.pools, body.pools, models, parts.pools_of(tenant))
    return refused or _cap_problems(market, requests, body)


def _schedule_problems(body: JobBody) -> list[tuple[str, str]]:
    """What only a run of a schedule can ask for."""
    if body.reuse != "schedule":
        return []
    return [("/reuse", "this job is no run of a schedule; say tenant, or none")]


def _rendition_problems(renditions: Sequence[Rendition]) -> list[tuple[str, str]]:
    """Renditions whose name another one has already."""
    first: dict[str, int] = {}
    found = []
    for index, rendition in enumerate(renditions):
        if (before := first.setdefault(rendition.name, index)) != index:
            what = f"{rendition.name!r} is the name of /renditions/{before} already; take another"
            found.append((f"/renditions/{index}/name", what))
    return found


async def _reference_problems(parts: Context, tenant: str, body: JobBody) -> list[tuple[str, str]]:
    """References that are none, or name a file that is not there; of each at the place that it came from."""
    problems, files = await asyncio.to_thread(_references, parts.tenants.rules(tenant, parts.rules), body)
    asked = list(dict.fromkeys(file_id for _, file_id in files))[:MOST_FILES]  # planning asks for all
    missing = await Uploads(parts.control, tenant).missing(asked)
    return problems + [(place, no_file(file_id)) for place, file_id in files if file_id in missing]


def _references(rules: Rules, body: JobBody) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What is wrong with references, and those that name files; each with its place."""
    problems: list[tuple[str, str]] = []
    files: list[tuple[str, str]] = []
    for where, settings in _places(body):
        for name, reference in settings.named:
            place = f"{where}/{name}"
            try:
                kind = rules.read(reference).kind
            except NoReference as error:
                problems.append((place, error.problem))
            else:
                files += [(place, reference)] if kind == "file" else []
    return problems, files


def _item_problems(market: Market, body: JobBody) -> list[tuple[str, str]]:
    items = body.items or []
    found = [
        problem
        for index, item in enumerate(items)
        for problem in _settings_problems(market, body, (f"/items/{index}", item))
    ]
    return found + _duplicates(items)


def _prompt_problems(body: JobBody) -> list[tuple[str, str]]:
    """What is wrong with the prompts of a schedule's items, which are templates."""
    found: dict[str, list[str]] = {}
    for item in body.items or []:
        if is_template(item.prompt) and item.prompt not in found:
            found[item.prompt] = template_problems(item.prompt, names=(RUN,))
    return [
        (f"/items/{index}/prompt", what)
        for index, item in enumerate(body.items or [])
        for what in found.get(item.prompt, ())
    ]


def _places(body: JobBody) -> Iterator[tuple[str, ImageSettings]]:
    """Everywhere that a submission has settings."""
    yield "/defaults", body.defaults
    for index, item in enumerate(body.items or []):
        yield f"/items/{index}", item
    for index, variant in enumerate(body.manifest.variants if body.manifest else []):
        yield f"/manifest/variants/{index}", variant


async def _manifest_problems(
    parts: Context, market: Market, tenant: str, body: JobBody, manifest: ManifestBody, *, scheduled: bool
) -> list[tuple[str, str]]:
    columns = None
    if manifest.source:  # whose columns nobody knows before it is looked for
        if problems := source_problems(parts.tenants.rules(tenant, parts.rules), manifest.source):
            return problems
    else:
        file_id = manifest.file_id or ""
        try:
            head = await parts.control.start_of(file_key(tenant, file_id), HEAD_BYTES)
        except ObjectMissing:
            return [("/manifest/file_id", no_file(file_id))]
        columns = check_head(head, manifest.format, manifest.encoding)
    problems = await asyncio.to_thread(_template_problems, manifest, columns, scheduled)
    return problems + _variant_problems(market, body, manifest)


def _template_problems(
    manifest: ManifestBody, columns: list[str] | None, scheduled: bool
) -> list[tuple[str, str]]:
    """What is wrong with the templates, each looked at once; in a thread, since that takes its time."""
    hints, names = Hints(), (ROW, RUN) if scheduled else (ROW,)
    found: dict[str, list[str]] = {}
    for _, text in _templates(manifest):
        if text not in found:
            found[text] = template_problems(text, columns=columns, names=names, hints=hints)
    return [(f"/manifest/{name}", what) for name, text in _templates(manifest) for what in found[text]]


def _variant_problems(market: Market, body: JobBody, manifest: ManifestBody) -> list[tuple[str, str]]:
    """What is wrong with the settings of rows, each variant's over them, and with the variants' names."""
    rows = "/manifest", _of_rows(manifest)
    variants = list(_settings_of(manifest)) or [("/manifest", ImageSettings())]
    found = [problem for variant in variants for problem in _settings_problems(market, body, variant, rows)]
    names = [variant.name for variant in manifest.variants]
    twice = {name for name in names if names.count(name) > 1}
    found += [("/manifest/variants", f"two variants have the name {name!r}") for name in sorted(twice)]
    return list(dict.fromkeys(found))  # what is wrong with all of them is told once


def _settings_of(manifest: ManifestBody) -> Iterator[tuple[str, ImageSettings]]:
    """What each variant sets, and where; of a matrix each size and quality by itself."""
    for index, variant in enumerate(manifest.variants):
        yield f"/manifest/variants/{index}", variant
    if manifest.matrix:
        for index, size in enumerate(manifest.matrix.sizes):
            yield f"/manifest/matrix/sizes/{index}", ImageSettings(size=size)
        for index, quality in enumerate(manifest.matrix.qualities):
            yield f"/manifest/matrix/qualities/{index}", ImageSettings(quality=quality)


def _templates(manifest: ManifestBody) -> Iterator[tuple[str, str]]:
    for name in ("id", "prompt", "where", "mask", "markup"):
        if (text := getattr(manifest, name)) is not None:
            yield name, text
    yield from ((f"images/{number}", text) for number, text in enumerate(manifest.images))


def _of_rows(manifest: ManifestBody) -> ImageSettings:
    """What rows say of their input images, as far as it can be told before they are rendered."""
    both = manifest.mask and manifest.markup  # rows can have the one or the other
    return ImageSettings(
        images=[SOME_FILE] if manifest.images else None,
        mask=SOME_FILE if manifest.mask else None,
        markup=SOME_FILE if manifest.markup and not both else None,
    )


def _settings_problems(
    market: Market, body: JobBody, *said: tuple[str, ImageSettings]
) -> list[tuple[str, str]]:
    """What is wrong with settings, those that win first, over the defaults; each at its own place."""
    settings = body.defaults
    for _, own in reversed(said):
        settings = _own(own).over(settings)
    if settings.model is None:
        return [("/defaults/model", "no model is named, neither here nor in the item")]
    request, _ = market.resolve(ImageRequest.of("", settings, tenant=""))
    found = market.problems(request, datetime.now(UTC).date())
    return [(_origin(name, said), what) for name, what in found]


def _origin(name: str, said: Sequence[tuple[str, ImageSettings]]) -> str:
    """Where a setting was said; in a matrix its place is a value, and has no fields."""
    place = next((place for place, own in said if getattr(own, name) is not None), "/defaults")
    return place if place.startswith("/manifest/matrix/") else f"{place}/{name}"


def _price_problems(parts: Context, body: JobBody) -> list[tuple[str, str]]:
    return [
        (f"/prices/{name}", f"{name} has a price in the catalogue, which can't be changed by a job")
        for name in body.prices
        if name in parts.catalogue
    ]


def _cap_problems(market: Market, requests: Sequence[ImageRequest], body: JobBody) -> list[tuple[str, str]]:
    """Is the cap below what the cheapest item can cost? Of a manifest, one whose prompt is empty.

    Where items may be reused, planning finds out whether any has to be bought at all.
    """
    if body.reuse != "none":
        return []
    maxima = [market.estimate(request).high_nano for request in requests]
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


def market_of(parts: Context, body: JobBody) -> Market:
    """What the pools and the prices of a submission make of the catalogue."""
    return Market(parts.catalogue, parts.pools, body.pools, prices_of(body))


def _requests(market: Market, body: JobBody) -> Iterator[ImageRequest]:
    """What is bought: of each item, or with an empty prompt of each kind of row."""
    kinds: list[tuple[ImageSettings, str]] = [(_own(item), item.prompt) for item in body.items or []]
    if body.manifest:
        kinds = [(_own(variant), variant.words or "") for variant in manifest_of(body.manifest).variants]
        kinds = kinds or [(ImageSettings(), "")]
    for settings, prompt in kinds:
        yield market.resolve(ImageRequest.of(prompt, settings.over(body.defaults), tenant=""))[0]


def prices_of(body: JobBody) -> dict[str, int]:
    """The job's own prices of an image, in nano-dollars."""
    return {name: parse_usd(price.image_usd) for name, price in body.prices.items()}


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
