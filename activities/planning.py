"""job.plan: every row of a submission becomes an item, or a reason why it can't be one.

1. claim the job for this run;
2. read the rows: inline, or streamed from the manifest and rendered by its templates;
3. make items of them: settings, price, names; a bad row becomes an item that has failed already;
4. write them in chunks, and say what there is. Nothing is bought before all of it is written.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from temporalio import activity

from activities.heartbeat import heartbeats
from imagemill.seen import Seen
from imagemill.claims import claim
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import InvalidInput
from imagemill.domain.item import PlannedItem, Problem
from imagemill.domain.job import Manifest, Submission, Variant
from imagemill.domain.market import Market
from imagemill.domain.messages import (
    ESTIMATE_PLAN,
    PLAN,
    Estimated,
    EstimateTask,
    Plan,
    PlannedChunk,
    PlanTask,
)
from imagemill.domain.money import format_usd
from imagemill.domain.places import (
    CHUNK_ITEMS,
    claim_key,
    estimate_key,
    file_key,
    name_problem,
    plan_index_key,
    plan_key,
    request_key,
    safe_segment,
)
from imagemill.domain.pools import Pools
from imagemill.domain.pricing import Estimate
from imagemill.domain.request import MOST_IMAGES, PROMPT_CHARACTERS, ImageRequest, ImageSettings
from imagemill.inputs.reference import Rules
from imagemill.inputs.uploads import Uploads
from imagemill.manifest import Row, read_rows
from imagemill.ports import ObjectStore, Rendered, TemplateRenderer, Templating

BATCH = 200
BATCH_CHARACTERS = 8_000_000
FIRST_PROBLEMS = 1000
"""So many bad rows are listed in the plan's index; all of them are in the items."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An item before it is checked."""

    line: int | None
    custom_id: str
    prompt: str
    settings: ImageSettings
    variant: str | None = None
    problem: str | None = None


@dataclass(slots=True)
class Tally:
    """What has been planned so far."""

    chunks: list[PlannedChunk] = field(default_factory=list)
    open: list[PlannedItem] = field(default_factory=list)
    invalid: int = 0
    problems: list[dict[str, object]] = field(default_factory=list)
    estimate: Estimate = field(default_factory=Estimate)
    cheapest: int = 0
    keeps: bool = True
    """Are the chunks to be written? Not where only the cost is asked for."""


class Planning:
    """Plans jobs from control."""

    def __init__(
        self,
        control: ObjectStore,
        templating: Templating,
        catalogue: Catalogue,
        rules: Rules | None = None,
        pools: Pools | None = None,
    ) -> None:
        self._pools = pools or Pools.single()
        self._rules = rules or Rules()
        self._control = control
        self._templating = templating
        self._catalogue = catalogue

    @activity.defn(name=PLAN)
    async def plan(self, task: PlanTask) -> Plan:
        """Claim the job, then plan it."""
        async with heartbeats():
            if not await self._claim(task):
                return Plan(duplicate=True)
            submission = Submission.model_validate_json(
                await self._control.get(request_key(task.tenant, task.job))
            )
            try:
                return await self._plan(submission, Tally())
            except InvalidInput as error:
                return _unreadable(error)

    @activity.defn(name=ESTIMATE_PLAN)
    async def estimate(self, task: EstimateTask) -> Estimated:
        """Plan a stored submission without keeping the plan."""
        async with heartbeats():
            stored = await self._control.get(estimate_key(task.tenant, task.job))
            submission = Submission.model_validate_json(stored)
            tally = Tally(keeps=False)
            try:
                plan = await self._plan(submission, tally)
            except InvalidInput as error:
                plan = _unreadable(error)
            return Estimated.model_validate(
                {"plan": plan, "cheapest_nano": tally.cheapest, "problems": tally.problems}
            )

    async def _claim(self, task: PlanTask) -> bool:
        mine = json.dumps({"run": task.run}).encode()
        return await claim(self._control, claim_key(task.tenant, task.job), mine)

    async def _plan(self, submission: Submission, tally: Tally) -> Plan:
        with Seen() as ids, Seen() as names:
            inputs = InputChecker(self._rules, Uploads(self._control, submission.tenant))
            market = Market(self._catalogue, self._pools, submission.pools, submission.prices_nano)
            checker = Checker(submission, market, self._templating, inputs=inputs, ids=ids, names=names)
            async for drafts in self._drafts(submission):
                for item in await checker.items(drafts):
                    await self._add(submission, tally, item)
            await checker.close()
            tally.estimate, tally.cheapest = checker.estimate, checker.cheapest
        if tally.open:
            await self._write_chunk(submission, tally)
        return await self._conclude(submission, tally)

    # --- rows ---------------------------------------------------------------------------------

    async def _drafts(self, submission: Submission) -> AsyncIterator[list[Draft]]:
        if submission.items is not None:
            inline = (
                Draft(
                    line=None,
                    custom_id=item.custom_id,
                    prompt=item.prompt,
                    settings=item.over(submission.defaults),
                )
                for item in submission.items
            )
            while batch := list(islice(inline, BATCH)):
                yield batch
        elif submission.manifest:
            async for batch in self._manifest_drafts(submission, submission.manifest):
                yield batch

    async def _manifest_drafts(
        self, submission: Submission, manifest: Manifest
    ) -> AsyncIterator[list[Draft]]:
        templates = {"id": manifest.id, "prompt": manifest.prompt} | _input_templates(manifest)
        renderer = await self._templating.start(templates, manifest.where)
        try:
            with tempfile.TemporaryDirectory(prefix="imagemill-") as folder:
                path = Path(folder) / "manifest"
                await self._control.download(file_key(submission.tenant, manifest.file_id), path)
                rows = read_rows(path, manifest.format)
                while batch := await asyncio.to_thread(next_batch, rows):
                    yield await _render(batch, renderer, submission, self._rules)
        finally:
            await renderer.close()

    # --- chunks -------------------------------------------------------------------------------

    async def _add(self, submission: Submission, tally: Tally, item: PlannedItem) -> None:
        tally.open.append(item)
        if item.problem:
            tally.invalid += 1
            if len(tally.problems) < FIRST_PROBLEMS:
                tally.problems.append(
                    {"line": item.line, "custom_id": item.custom_id, "detail": item.problem.detail}
                )
        if len(tally.open) == CHUNK_ITEMS:
            await self._write_chunk(submission, tally)

    def _uncertain(self, items: list[PlannedItem]) -> list[str]:
        named = {item.request.model for item in items if item.request and not item.problem}
        known = {model for model in named if model in self._catalogue}
        return sorted(model for model in known if self._catalogue.model(model).uncertain)

    async def _write_chunk(self, submission: Submission, tally: Tally) -> None:
        items = [item.model_copy(update={"index": index}) for index, item in enumerate(tally.open)]
        if tally.keeps:
            await self._keep_chunk(submission, tally, items)
        maximum = sum(item.maximum_nano for item in items)
        tally.chunks.append(
            PlannedChunk(
                items=len(items),
                maximum_nano=maximum,
                expected_nano=sum(item.expected_nano for item in items),
                invalid=sum(item.problem is not None for item in items),
                uncertain=self._uncertain(items),
            )
        )
        tally.open = []

    async def _keep_chunk(self, submission: Submission, tally: Tally, items: list[PlannedItem]) -> None:
        body = "".join(item.model_dump_json(exclude_none=True) + "\n" for item in items).encode()
        key = plan_key(submission.tenant, submission.job, len(tally.chunks))
        # An earlier attempt at this plan may have written it, from the same rows.
        if not await claim(self._control, key, body):
            raise InvalidInput(
                [("manifest", "its templates gave other items on a second try; submit it again")]
            )

    async def _conclude(self, submission: Submission, tally: Tally) -> Plan:
        items = sum(chunk.items for chunk in tally.chunks)
        plan = Plan(chunks=tally.chunks, items=items, invalid_rows=tally.invalid, estimate=tally.estimate)
        if items == 0:
            plan.failure = "no_items"
            plan.failure_detail = "the manifest has no rows, or its where template chose none of them"
        elif tally.invalid == items:
            plan.failure = "no_valid_items"
            plan.failure_detail = f"all {items} rows are bad; the first: {_say(tally.problems[0])}"
        elif submission.cap_nano < tally.cheapest:
            plan.failure = "cap_too_low"
            plan.failure_detail = (
                f"the cheapest item can cost ${format_usd(tally.cheapest)}, the cap is "
                f"${format_usd(submission.cap_nano)}; set it to ${format_usd(tally.cheapest)} at least"
            )
        if not tally.keeps:
            return plan
        index = plan.model_dump(mode="json") | {"problems": tally.problems}
        await self._control.put(plan_index_key(submission.tenant, submission.job), json.dumps(index).encode())
        return plan


def _unreadable(error: InvalidInput) -> Plan:
    where, what = error.problems[0]
    return Plan(failure="manifest_unreadable", failure_detail=f"{where}: {what}")


def next_batch(rows: Iterator[Row]) -> list[Row]:
    """The next rows, few enough to hold in memory."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += row.size
        if len(batch) == BATCH or size > BATCH_CHARACTERS:
            break
    return batch


def _input_templates(manifest: Manifest) -> dict[str, str]:
    """The templates of references, by the name of what they render."""
    images = {f"images/{number}": text for number, text in enumerate(manifest.images)}
    extras = {"mask": manifest.mask, "markup": manifest.markup}
    return images | {name: text for name, text in extras.items() if text is not None}


async def _render(
    rows: list[Row], renderer: TemplateRenderer, submission: Submission, rules: Rules
) -> list[Draft]:
    """Rows through the templates; each becomes one draft a variant."""
    sound = [{"row": row.values} for row in rows if row.values is not None]
    rendered = iter(await renderer.render(sound) if sound else [])
    drafts: list[Draft] = []
    for row in rows:
        answer = next(rendered) if row.values is not None else Rendered(problem=row.problem)
        drafts += _drafts_of(row, answer, submission, rules)
    return drafts


def _drafts_of(row: Row, answer: Rendered, submission: Submission, rules: Rules) -> Iterator[Draft]:
    if answer.problem:
        yield Draft(row.line, f"line-{row.line}", "", submission.defaults, problem=answer.problem)
        return
    if answer.texts is None:
        return
    texts = {name: text.strip() for name, text in answer.texts.items()}
    inputs, problem = _row_inputs(texts, rules)
    shared = inputs.over(submission.defaults)
    draft = Draft(row.line, texts["id"], texts["prompt"], shared, problem=problem)
    variants = submission.manifest.variants if submission.manifest else []
    if not variants:
        yield draft
    for variant in variants:
        yield replace(draft, settings=_settings(variant).over(shared), variant=variant.name)


def _row_inputs(texts: Mapping[str, str], rules: Rules) -> tuple[ImageSettings, str | None]:
    """The input images that a row names, and what is wrong with them, if something is."""
    images = [text for name, text in texts.items() if name.startswith("images/") and text]
    extras = {name: texts[name] for name in ("mask", "markup") if texts.get(name)}
    if len(images) > MOST_IMAGES:
        return ImageSettings(), f"the row has {len(images)} images; at most {MOST_IMAGES} are taken"
    named = [*((f"images/{number}", text) for number, text in enumerate(images)), *extras.items()]
    for place, text in named:
        if problem := rules.problem(text):
            return ImageSettings(), f"{place}: {problem}"
    return ImageSettings(images=images or None, mask=extras.get("mask"), markup=extras.get("markup")), None


def _settings(variant: Variant) -> ImageSettings:
    return ImageSettings(**variant.model_dump(exclude={"name"}))


class InputChecker:
    """Can the references of items be fetched, as far as that is known before fetching?"""

    def __init__(self, rules: Rules, uploads: Uploads) -> None:
        self._rules = rules
        self._uploads = uploads

    def problem(self, settings: ImageSettings) -> str | None:
        """What is wrong with the form of a reference."""
        for place, reference in settings.named:
            if problem := self._rules.problem(reference):
                return f"{place}: {problem}"
        return None

    async def missing(self, requests: Sequence[ImageRequest]) -> set[str]:
        """The uploaded files that they name and that are not there."""
        named = {reference for request in requests for reference in request.references}
        return await self._uploads.missing(name for name in named if self._rules.read(name).kind == "file")


class Checker:
    """Makes items of drafts; what is wrong with one becomes its problem."""

    def __init__(
        self,
        submission: Submission,
        market: Market,
        templating: Templating,
        *,
        inputs: InputChecker,
        ids: Seen,
        names: Seen,
    ) -> None:
        self._inputs = inputs
        self._submission = submission
        self._templating = templating
        self._market = market
        self._today = submission.submitted_at.date()
        self._ids = ids
        self._names = names
        self._renderer: TemplateRenderer | None = None
        self._count = 0
        self._estimates: dict[int, Estimate] = {}
        self.estimate = Estimate()
        """What all sound items cost."""
        self.cheapest = 0
        """What the cheapest of them can cost; 0: there is none yet."""

    async def items(self, drafts: list[Draft]) -> list[PlannedItem]:
        """The items of a batch, in order."""
        items = [self._item(draft) for draft in drafts]
        await self._find_files(items)
        await self._name(items)
        self._add_up(items)
        return items

    async def _find_files(self, items: list[PlannedItem]) -> None:
        sound = [(item, item.request) for item in items if item.request and not item.problem]
        missing = await self._inputs.missing([request for _, request in sound])
        for item, request in sound if missing else []:
            for place, name in request.named:
                if name in missing and not item.problem:
                    detail = f"{place}: there is no file {name}; upload it to /v1/files first"
                    item.problem = Problem(code="invalid_row", detail=detail)
                    item.maximum_nano = item.expected_nano = 0

    def _add_up(self, items: list[PlannedItem]) -> None:
        for item in items:
            if not item.problem:
                self.estimate = self.estimate.plus(self._estimates[item.index])
                self.cheapest = min(self.cheapest or item.maximum_nano, item.maximum_nano)
        self._estimates.clear()

    async def close(self) -> None:
        """End the renderer of names."""
        if self._renderer:
            await self._renderer.close()

    def _item(self, draft: Draft) -> PlannedItem:
        self._count += 1
        place = draft.line or self._count
        custom_id = draft.custom_id or f"line-{place}"
        item = PlannedItem(index=self._count, custom_id=custom_id, variant=draft.variant, line=draft.line)
        problem = draft.problem or self._draft_problem(draft)
        first = None if problem else self._ids.first_line(f"{custom_id}\0{draft.variant or ''}", place)
        if first is not None:
            problem = f"the id {custom_id!r} was used before, on {_unit(draft)} {first}"
            item.custom_id = f"{custom_id}~{place}"
        if problem:
            item.problem = Problem(code="invalid_row", detail=problem)
            return item
        asked = ImageRequest.of(draft.prompt, draft.settings, self._submission.tenant)
        item.request, item.warnings = self._market.resolve(asked)
        found = self._market.problems(item.request, self._today)
        if found:
            item.problem = Problem(
                code="invalid_row", detail="; ".join(f"{where}: {what}" for where, what in found)
            )
        else:
            self._price(item, item.request)
        return item

    def _price(self, item: PlannedItem, request: ImageRequest) -> None:
        estimate = self._estimates[item.index] = self._market.estimate(request)
        item.maximum_nano, item.expected_nano = estimate.high_nano, estimate.expected_nano
        item.image_nano = self._submission.prices_nano.get(request.model)

    def _draft_problem(self, draft: Draft) -> str | None:
        if not draft.custom_id:
            return "the id is empty"
        if len(draft.custom_id) > 256:
            return f"the id has {len(draft.custom_id)} characters; at most 256 are allowed"
        if not draft.prompt:
            return "the prompt is empty"
        if len(draft.prompt) > PROMPT_CHARACTERS:
            return f"the prompt has {len(draft.prompt)} characters; at most {PROMPT_CHARACTERS} are allowed"
        if draft.settings.model is None:
            return "no model is named, neither in the item nor in the job's defaults"
        return self._inputs.problem(draft.settings)

    # --- names --------------------------------------------------------------------------------

    async def _name(self, items: list[PlannedItem]) -> None:
        """Give every image its name: by the job's key template, or the default."""
        wanted = [
            (item, naming(item, n))
            for item in items
            if item.request and not item.problem
            for n in range(1, item.request.n + 1)
        ]
        names = await self._names_for([variables for _, variables in wanted])
        for (item, _), answer in zip(wanted, names, strict=True):
            self._give_name(item, answer)

    async def _names_for(self, naming: list[dict[str, object]]) -> Sequence[Rendered]:
        if self._submission.key is None:
            return [Rendered(texts={"name": default_name(variables)}) for variables in naming]
        if self._renderer is None:
            self._renderer = await self._templating.start({"name": self._submission.key}, None)
        return await self._renderer.render(naming) if naming else []

    def _give_name(self, item: PlannedItem, answer: Rendered) -> None:
        name = (answer.texts or {}).get("name", "").strip()
        problem = answer.problem or name_problem(name)
        first = None if problem else self._names.first_line(name, item.line or item.index)
        if first is not None:
            unit = "item" if item.line is None else "line"
            problem = f"the output name {name!r} is taken by {unit} {first}; make the key template unique"
        if problem:
            item.problem = Problem(code="invalid_row", detail=problem)
            item.maximum_nano = item.expected_nano = 0
        item.names.append(name)


def naming(item: PlannedItem, n: int) -> dict[str, object]:
    """What a key template sees of the n-th image of an item; ids are made safe as parts of a name."""
    return {
        "custom_id": safe_segment(item.custom_id),
        "variant": safe_segment(item.variant) if item.variant else None,  # an empty text is true in Liquid
        "n": n,
        "ext": item.request.extension if item.request else "",
    }


def default_name(variables: dict[str, object]) -> str:
    """The name of an image where the job has no key template: ``sku-1001/banner-1.png``."""
    variant = f"{variables['variant']}-" if variables["variant"] else ""
    return f"{variables['custom_id']}/{variant}{variables['n']}.{variables['ext']}"


def _unit(draft: Draft) -> str:
    return "item" if draft.line is None else "line"


def _say(problem: dict[str, object]) -> str:
    where = f"line {problem['line']}" if problem["line"] else f"item {problem['custom_id']}"
    return f"{where}: {problem['detail']}"
