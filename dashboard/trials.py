"""One item of a draft, bought by itself under a small cap, before the whole of it is."""

import hashlib
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from api.checks import market_of, problems_of
from api.context import Context
from api.models import ItemBody, JobBody
from api.previews import MOST_ROWS
from api.submission import submit
from dashboard.drafts import ENOUGH, Draft, items_of, read
from dashboard.faults import Faults, blame
from dashboard.previewing import Preview, ShownRow, previewed
from imagemill.domain.errors import InvalidInput
from imagemill.domain.money import format_usd
from imagemill.domain.pricing import Estimate
from imagemill.domain.request import ImageRequest, ImageSettings

NAME = "Trial"


@dataclass(frozen=True, slots=True)
class Trial:
    """A job of one item, and what it can cost."""

    body: JobBody
    row: ShownRow
    estimate: Estimate

    @property
    def item(self) -> ItemBody:
        """The one."""
        assert self.body.items  # noqa: S101 - see _body
        return self.body.items[0]

    @property
    def expected_usd(self) -> str:
        """What it is expected to cost."""
        return format_usd(self.estimate.expected_nano)

    @property
    def most_usd(self) -> str:
        """What it can cost at most, which is its cap."""
        return format_usd(self.estimate.high_nano)


async def trial_of(
    parts: Context, tenant: str, draft: Draft, preview: Preview, faults: Faults
) -> Trial | None:
    """The item of the line that the draft names, or the first that makes one; None: the faults say why."""
    whole = read(draft, faults, cap=ENOUGH)
    if whole is None:
        return None
    seen = await previewed(parts, tenant, draft, preview, faults)
    row = _chosen(seen, draft.text("try_line").strip(), faults)
    if row is None or faults:
        if seen.trouble:
            faults.add(None, seen.trouble)
        return None
    try:
        body = _body(draft, whole, row)
        if problems := await problems_of(parts, tenant, body):
            raise InvalidInput(problems)
    except ValidationError as error:
        faults.add("try_line", f"line {row.line}: {error.errors()[0]['msg']}")
        return None
    except InvalidInput as error:
        blame(faults, error)
        return None
    estimate = _estimate(parts, body)
    budget = body.budget.model_copy(update={"limit_usd": format_usd(estimate.high_nano)})
    return Trial(body.model_copy(update={"budget": budget}), row, estimate)


async def buy(parts: Context, tenant: str, draft: Draft, trial: Trial) -> str:
    """The job of a trial; the same however often it is asked for by the same form."""
    what = hashlib.sha256(trial.body.model_dump_json().encode()).hexdigest()[:16]
    accepted = await submit(parts, tenant, trial.body, f"{draft.text('once')}-try-{what}")
    return accepted.job


def _chosen(preview: Preview, line: str, faults: Faults) -> ShownRow | None:
    if line:
        row = next((row for row in preview.rows if str(row.line) == line), None)
        if row is None:
            faults.add("try_line", f"there is no row at line {line} among the first {MOST_ROWS}")
        elif row.problem or not row.is_chosen:
            faults.add("try_line", f"line {line}: {row.problem or 'the row is not chosen by where'}")
        return row
    found = next((row for row in preview.rows if row.is_chosen and not row.problem), None)
    if found is None and not faults and not preview.trouble:
        bad = next((row for row in preview.rows if row.problem), None)
        why = f"line {bad.line}: {bad.problem}" if bad else "where chooses none of the first rows"
        faults.add("try_line", f"none of the first rows makes an item: {why}")
    return found


def _body(draft: Draft, whole: JobBody, row: ShownRow) -> JobBody:
    """The same job with one item and nothing that is told to others."""
    item: dict[str, Any]
    if whole.manifest is None:
        item = list(items_of(draft.text("items")))[row.line - 1]
    else:
        settings = whole.manifest.variants[0] if whole.manifest.variants else ImageSettings()
        own = settings.model_dump(include=set(ImageSettings.model_fields), exclude_none=True)
        item = own | {"custom_id": row.custom_id, "prompt": row.prompts[0][1]} | row.inputs_as_settings
    more = {name: value for name in ("renditions",) if (value := getattr(whole, name, None))}
    return JobBody(
        name=f"{NAME}: {whole.name}"[:200] if whole.name else NAME,
        defaults=whole.defaults,
        items=[ItemBody(**item)],
        budget=whole.budget.model_copy(update={"limit_usd": ENOUGH}),
        on_unknown="skip",
        pools=whole.pools,
        prices=whole.prices,
        **more,
    )


def _estimate(parts: Context, body: JobBody) -> Estimate:
    market = market_of(parts, body)
    item = (body.items or [])[0]
    settings = ImageSettings(**item.model_dump(include=set(ImageSettings.model_fields)))
    request, _ = market.resolve(ImageRequest.of(item.prompt, settings.over(body.defaults), tenant=""))
    return market.estimate(request)
