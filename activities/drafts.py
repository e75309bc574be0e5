"""Drafts: what rows and inline items ask for, before it is checked."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from imagemill.domain.item import PlannedItem
from imagemill.domain.job import InlineItem, Manifest, Submission, Variant
from imagemill.domain.request import MOST_IMAGES, ImageRequest, ImageSettings, named
from imagemill.domain.schedules import OWN, RUN, is_template, run_values
from imagemill.inputs.reference import Rules
from imagemill.manifest import Row
from imagemill.ports import Rendered, TemplateRenderer, Templating

BATCH = 100
"""Rows that are rendered, and drafts that are checked, at once."""
BATCH_CHARACTERS = 8_000_000
NOTHING: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class Draft:
    """An item before it is checked. Drafts that ask for the same share their settings."""

    line: int | None
    custom_id: str
    prompt: str
    settings: ImageSettings
    variant: str | None = None
    problem: str | None = None
    request: ImageRequest | None = None
    """What is bought, where an earlier job has resolved it already; ``settings`` are not looked at then."""


def draft_again(item: PlannedItem, submission: Submission) -> Draft:
    """An item of an earlier job."""
    return Draft(
        item.line,
        item.custom_id,
        item.request.prompt if item.request else "",
        submission.defaults,
        variant=item.variant,
        problem=item.problem.detail if item.problem else None,
        request=item.request,
    )


async def inline_drafts(submission: Submission, templating: Templating) -> AsyncGenerator[list[Draft], None]:
    """The drafts of inline items, a batch at a time. The prompts of a schedule's are templates."""
    inline = iter(submission.items or ())
    seen = variables_of(submission)
    renderer = await templating.start({}, None) if seen else None
    try:
        while batch := list(islice(inline, BATCH)):
            prompts = await _prompts(batch, renderer, seen) if renderer else [item.prompt for item in batch]
            yield [
                Draft(
                    line=None,
                    custom_id=item.custom_id,
                    prompt=prompt if isinstance(prompt, str) else (prompt.texts or {}).get(OWN, "").strip(),
                    settings=item.over(submission.defaults),
                    problem=None if isinstance(prompt, str) else prompt.problem,
                )
                for item, prompt in zip(batch, prompts, strict=True)
            ]
    finally:
        if renderer:
            await renderer.close()


async def _prompts(
    items: Sequence[InlineItem], renderer: TemplateRenderer, seen: Mapping[str, object]
) -> Sequence[str | Rendered]:
    """Each item's prompt: as it is said, or what its template gave."""
    templates = [{**seen, OWN: item.prompt} for item in items if is_template(item.prompt)]
    answers = iter(await renderer.render(templates) if templates else ())
    return [next(answers) if is_template(item.prompt) else item.prompt for item in items]


def variables_of(submission: Submission) -> dict[str, object]:
    """What all templates of a submission see besides rows and items: which run of its schedule it is."""
    return {RUN: run_values(submission.run)} if submission.run else {}


class RowDrafts:
    """Makes drafts of rendered rows: one for each variant."""

    def __init__(self, submission: Submission, manifest: Manifest, rules: Rules) -> None:
        self._rules = rules
        self._defaults = submission.defaults
        self._variants: list[Variant | None] = [*manifest.variants] or [None]
        self._plain = [_settings(variant).over(self._defaults) for variant in self._variants]

    def of(self, row: Row, answer: Rendered) -> Iterator[Draft]:
        """The drafts of one row, none where it is not chosen."""
        if answer.problem:
            yield Draft(row.line, f"line-{row.line}", "", self._defaults, problem=answer.problem)
            return
        if answer.texts is None:
            return
        texts = {name: text.strip() for name, text in answer.texts.items()}
        inputs, problem = self._inputs(texts)
        for variant, settings in zip(self._variants, self._over(inputs), strict=True):
            yield Draft(
                row.line,
                texts["id"],
                _prompt(texts["prompt"], variant),
                settings,
                variant.name if variant else None,
                problem,
            )

    def _inputs(self, texts: Mapping[str, str]) -> tuple[ImageSettings | None, str | None]:
        """The input images that a row names, if it names any, and what is wrong with them."""
        images = [text for name, text in texts.items() if name.startswith("images/") and text]
        mask, markup = texts.get("mask") or None, texts.get("markup") or None
        if len(images) > MOST_IMAGES:
            return None, f"the row has {len(images)} images; at most {MOST_IMAGES} are taken"
        if not (images or mask or markup):
            return None, None
        if problem := self._rules.first_problem(named(images, mask, markup)):
            return None, problem
        return ImageSettings(images=images or None, mask=mask, markup=markup), None

    def _over(self, inputs: ImageSettings | None) -> list[ImageSettings]:
        """The settings of each variant, with the input images of a row."""
        if inputs is None:
            return self._plain
        shared = inputs.over(self._defaults)
        return [_settings(variant).over(shared) for variant in self._variants]


def templates_of(manifest: Manifest) -> dict[str, str]:
    """What is rendered of each row, by the name of what it gives."""
    texts = {"id": manifest.id, "prompt": manifest.prompt, "mask": manifest.mask, "markup": manifest.markup}
    images = {f"images/{number}": text for number, text in enumerate(manifest.images)}
    return {name: text for name, text in (texts | images).items() if text is not None}


async def rendered(
    rows: Iterator[Row], renderer: TemplateRenderer, also: Mapping[str, object] = NOTHING
) -> AsyncGenerator[list[tuple[Row, Rendered]], None]:
    """Rows through the templates, a batch at a time; the next one is rendered while this one is used.

    ``also``: what the templates see besides the row.
    """
    ahead = asyncio.create_task(_next(rows, renderer, also))
    try:
        while batch := await ahead:
            ahead = asyncio.create_task(_next(rows, renderer, also))
            yield batch
    finally:
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)


async def _next(
    rows: Iterator[Row], renderer: TemplateRenderer, also: Mapping[str, object]
) -> list[tuple[Row, Rendered]]:
    batch = await asyncio.to_thread(next_batch, rows)
    sound = [{**also, "row": row.values} for row in batch if row.values is not None]
    answers = iter(await renderer.render(sound) if sound else [])
    return [
        (row, next(answers) if row.values is not None else Rendered(problem=row.problem)) for row in batch
    ]


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


def _prompt(prompt: str, variant: Variant | None) -> str:
    """A row without a prompt has none, whatever its variants would add."""
    return f"{prompt} {variant.words}" if prompt and variant and variant.words else prompt


def _settings(variant: Variant | None) -> ImageSettings:
    if variant is None:
        return ImageSettings()
    return ImageSettings(**variant.model_dump(include=set(ImageSettings.model_fields)))


def sliced(drafts: Iterator[Draft]) -> Iterator[Sequence[Draft]]:
    """Few enough drafts at a time, however many variants a row has."""
    batch: list[Draft] = []
    for draft in drafts:
        batch.append(draft)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
