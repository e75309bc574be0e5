"""Items: drafts that were checked, priced and named, or a reason why they can't be."""

import asyncio
from collections.abc import Sequence

from activities.drafts import Draft, variables_of
from activities.reuse import Reuse
from imagemill.domain.item import PlannedItem, Problem
from imagemill.domain.job import Submission
from imagemill.domain.market import Market, Offer
from imagemill.domain.places import name_problem, safe_segment
from imagemill.domain.pricing import Estimate
from imagemill.domain.request import PROMPT_CHARACTERS, ImageRequest, ImageSettings
from imagemill.inputs.reference import Rules
from imagemill.inputs.uploads import Uploads, no_file
from imagemill.ports import Rendered, TemplateRenderer, Templating
from imagemill.seen import Seen

ID_CHARACTERS = 256
KEPT_OFFERS = 1000


class InputChecker:
    """Can the references of items be fetched, as far as that is known before fetching?"""

    def __init__(self, rules: Rules, uploads: Uploads) -> None:
        self._rules = rules
        self._uploads = uploads

    def problem(self, settings: ImageSettings) -> str | None:
        """What is wrong with the form of a reference."""
        return self._rules.first_problem(settings.named)

    async def missing(self, requests: Sequence[ImageRequest]) -> set[str]:
        """The uploaded files that they name and that are not there."""
        named = {reference for request in requests for reference in request.references}
        return await self._uploads.missing(name for name in named if self._rules.read(name).kind == "file")


class Bill:
    """What all sound items cost that are bought."""

    def __init__(self) -> None:
        self._low = self._expected = self._high = 0
        self._reused = 0
        self._uncertain: set[str] = set()
        self.cheapest = 0
        """What the cheapest of them can cost; 0: there is none yet."""

    def add(self, estimate: Estimate) -> None:
        """One more item."""
        self._low += estimate.low_nano
        self._expected += estimate.expected_nano
        self._high += estimate.high_nano
        self._uncertain.update(estimate.uncertain)
        self.cheapest = min(self.cheapest or estimate.high_nano, estimate.high_nano)

    def add_reused(self) -> None:
        """One more item, which costs nothing."""
        self._reused += 1

    @property
    def estimate(self) -> Estimate:
        """The sum."""
        return Estimate(
            low_nano=self._low,
            expected_nano=self._expected,
            high_nano=self._high,
            uncertain=sorted(self._uncertain),
            reused=self._reused,
        )


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
        reuse: Reuse | None = None,
        thumbnails: bool = False,
    ) -> None:
        self._reuse = reuse
        self._thumbnails = thumbnails
        self._inputs = inputs
        self._submission = submission
        self._templating = templating
        self._market = market
        self._today = submission.submitted_at.date()
        self._ids = ids
        self._names = names
        self._renderer: TemplateRenderer | None = None
        self._count = 0
        self._offers: dict[int, Offer | str] = {}
        self._settings: list[ImageSettings] = []
        self._estimates: dict[int, Estimate] = {}
        self.bill = Bill()

    async def items(self, drafts: Sequence[Draft]) -> list[PlannedItem]:
        """The items of a batch, in order."""
        first = self._count
        items = await asyncio.to_thread(lambda: [self._item(draft) for draft in drafts])
        await self._find_files(items)
        if self._reuse:
            await self._reuse.apply(items, first)
        names = await self._names_for(items)
        await asyncio.to_thread(self._finish, items, names)
        return items

    async def close(self) -> None:
        """End the renderer of names."""
        if self._renderer:
            await self._renderer.close()

    # --- requests -----------------------------------------------------------------------------

    def _item(self, draft: Draft) -> PlannedItem:
        self._count += 1
        place = draft.line or self._count
        item = PlannedItem(
            index=self._count,
            custom_id=_shown_id(draft, place),
            variant=draft.variant,
            line=draft.line,
            thumbnail=self._thumbnails,
            renditions=self._submission.renditions,
        )
        problem = draft.problem or _text_problem(draft)
        offer = problem or self._offer_of(draft)
        if isinstance(offer, str) or (problem := self._id_problem(draft, item, place)):
            return _refused(item, problem or str(offer))
        item.warnings = list(offer.warnings)
        item.request = offer.of(draft.prompt)
        if offer.problems:
            return _refused(item, "; ".join(f"{where}: {what}" for where, what in offer.problems))
        self._price(item, offer.estimate(item.request))
        return item

    def _offer_of(self, draft: Draft) -> Offer | str:
        if draft.request:
            return self._market.offer_again(draft.request, self._today)
        return self._offer(draft.settings)

    def _offer(self, settings: ImageSettings) -> Offer | str:
        """What settings buy, or why they buy nothing.

        Kept by identity: rows that ask for the same share their settings.
        """
        if (known := self._offers.get(id(settings))) is not None:
            return known
        if len(self._settings) >= KEPT_OFFERS:
            self._offers.clear()
            self._settings.clear()
        self._settings.append(settings)  # held, so that no other takes its identity
        found = self._offers[id(settings)] = self._found(settings)
        return found

    def _found(self, settings: ImageSettings) -> Offer | str:
        if settings.model is None:
            return "no model is named, neither in the item nor in the job's defaults"
        if problem := self._inputs.problem(settings):
            return problem
        return self._market.offer(settings, self._submission.tenant, self._today)

    def _price(self, item: PlannedItem, estimate: Estimate) -> None:
        self._estimates[item.index] = estimate
        item.maximum_nano, item.expected_nano = estimate.high_nano, estimate.expected_nano
        if item.request and self._submission.prices_nano:
            item.image_nano = self._submission.prices_nano.get(item.request.model)

    def _id_problem(self, draft: Draft, item: PlannedItem, place: int) -> str | None:
        first = self._ids.first_line(f"{draft.custom_id}\0{draft.variant or ''}", place)
        if first is None:
            return None
        item.custom_id = f"{draft.custom_id}~{place}"
        return f"the id {draft.custom_id!r} was used before, on {_unit(item)} {first}"

    async def _find_files(self, items: list[PlannedItem]) -> None:
        naming = [(item, item.request) for item in items if item.request and not item.problem]
        naming = [(item, request) for item, request in naming if request.images or request.references]
        missing = await self._inputs.missing([request for _, request in naming]) if naming else set()
        for item, request in naming if missing else []:
            place, name = next((named for named in request.named if named[1] in missing), (None, ""))
            if place:
                _refused(item, f"{place}: {no_file(name)}")

    # --- names --------------------------------------------------------------------------------

    async def _names_for(self, items: list[PlannedItem]) -> Sequence[Rendered] | None:
        """What the job's key template makes of every image; None where it has none."""
        if self._submission.key is None:
            return None
        if self._renderer is None:
            self._renderer = await self._templating.start({"name": self._submission.key}, None)
        also = variables_of(self._submission)
        wanted = [naming(item, n) | also for item in items for n in _images(item)]
        return await self._renderer.render(wanted) if wanted else []

    def _finish(self, items: list[PlannedItem], names: Sequence[Rendered] | None) -> None:
        """Give every image its name, and add up what is left sound."""
        rendered = iter(names or ())
        for item in items:
            for n in _images(item):
                self._give_name(item, next(rendered) if names is not None else default_name(item, n))
            if item.problem:
                item.reused = None
            elif item.reused:
                item.maximum_nano = item.expected_nano = 0
                self.bill.add_reused()
            else:
                self.bill.add(self._estimates[item.index])
        self._estimates.clear()

    def _give_name(self, item: PlannedItem, answer: Rendered | str) -> None:
        named = answer if isinstance(answer, str) else (answer.texts or {}).get("name", "").strip()
        problem = None if isinstance(answer, str) else answer.problem
        problem = problem or name_problem(named)
        first = None if problem else self._names.first_line(named, item.line or item.index)
        if first is not None:
            problem = (
                f"the output name {named!r} is taken by {_unit(item)} {first}; make the key template unique"
            )
        if problem:
            _refused(item, problem)
        item.names.append(named)


def naming(item: PlannedItem, n: int) -> dict[str, object]:
    """What a key template sees of the n-th image of an item; ids are made safe as parts of a name."""
    return {
        "custom_id": safe_segment(item.custom_id),
        "variant": safe_segment(item.variant) if item.variant else None,  # an empty text is true in Liquid
        "n": n,
        "ext": item.request.extension if item.request else "",
    }


def default_name(item: PlannedItem, n: int) -> str:
    """The name of an image where the job has no key template: ``sku-1001/banner-1.png``."""
    variables = naming(item, n)
    variant = f"{variables['variant']}-" if variables["variant"] else ""
    return f"{variables['custom_id']}/{variant}{variables['n']}.{variables['ext']}"


def _images(item: PlannedItem) -> range:
    """The numbers of its images; none where it can't be bought."""
    return range(1, item.request.n + 1) if item.request and not item.problem else range(0)


def _refused(item: PlannedItem, problem: str) -> PlannedItem:
    item.problem = item.problem or Problem(code="invalid_row", detail=problem)
    item.maximum_nano = item.expected_nano = 0
    return item


def _shown_id(draft: Draft, place: int) -> str:
    """The id that an item is shown by: its own, if it can be one."""
    usable = 0 < len(draft.custom_id) <= ID_CHARACTERS
    return draft.custom_id if usable else f"line-{place}"


def _text_problem(draft: Draft) -> str | None:
    if not draft.custom_id:
        return "the id is empty"
    if len(draft.custom_id) > ID_CHARACTERS:
        return f"the id has {len(draft.custom_id)} characters; at most {ID_CHARACTERS} are allowed"
    if not draft.prompt:
        return "the prompt is empty"
    if len(draft.prompt) > PROMPT_CHARACTERS:
        return f"the prompt has {len(draft.prompt)} characters; at most {PROMPT_CHARACTERS} are allowed"
    return None


def _unit(item: PlannedItem) -> str:
    return "item" if item.line is None else "line"
