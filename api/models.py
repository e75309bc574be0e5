"""Bodies of requests, which forbid what they do not know, and of answers, which only ever gain fields."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails

from imagemill.domain.item import DeliveredImage, ItemState, Problem, ReusedFrom
from imagemill.domain.job import Encoding, Format, OnExhausted, OnUnknown, ReuseScope
from imagemill.domain.job_states import JobState
from imagemill.domain.manifests import FoundManifest
from imagemill.domain.money import parse_usd
from imagemill.domain.renditions import MOST_RENDITIONS, Rendition
from imagemill.domain.request import LONGEST_REFERENCE, PROMPT_CHARACTERS, ImageSettings, Quality, Size
from imagemill.domain.webhooks import DEFAULT_EVENTS, LONGEST_URL, EventType
from imagemill.domain.windows import zone

INLINE_ITEMS = 10_000
"""More items than this come as a manifest."""
ALL_TEMPLATES_CHARACTERS = 60_000
"""Of all templates of a manifest together."""
MOST_VARIANTS = 100
"""Pictures of one row."""

METADATA_PAIRS = 16


def _a_sum(text: str) -> str:
    if parse_usd(text) == 0:
        raise ValueError("a cap of 0 buys nothing")
    return text


def _a_price(text: str) -> str:
    if parse_usd(text) == 0:
        raise ValueError("a price of 0 is no price: what is not known is not free")
    return text


def _a_zone(name: str) -> str:
    zone(name)
    return name


USD = {"pattern": r"^\d{1,9}(\.\d{1,9})?$"}
"""What a sum looks like; what is wrong with one that does not is said by ``parse_usd``."""
SUM_CHARACTERS = 40
Sum = Annotated[
    str,
    Field(max_length=SUM_CHARACTERS, examples=["25.00"], json_schema_extra=USD),
    AfterValidator(_a_sum),
]

MOST_KEYS = 1000
MOST_PROBLEMS = 10_000
"""To name each of millions would take minutes and gigabytes."""
Metadata = dict[
    Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^=\x00-\x1f]+$")],
    Annotated[str, Field(max_length=512, pattern=r"^[^\x00]*$")],
]


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _not_wrong_without_end(cls, said: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(said, dict) and len(said) > MOST_KEYS:
            raise ValueError(f"has {len(said):,} fields, which are more than there are")
        try:
            return check(said)
        except ValidationError as error:
            if error.error_count() <= MOST_PROBLEMS:
                raise
            count = error.error_count()
        raise ValueError(f"{count:,} things are wrong; send a few items to learn what")


class ItemBody(ImageSettings):
    """One item: an id of the caller's own, a prompt, and settings that win over the job's defaults."""

    custom_id: Annotated[str, Field(min_length=1, max_length=256, examples=["sku-1001"])]
    prompt: Annotated[str, Field(min_length=1, max_length=PROMPT_CHARACTERS, pattern=r"\S")]


VariantName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w-]+$", examples=["banner"])]
Words = Annotated[
    str, Field(min_length=1, max_length=4000, pattern=r"\S", examples=["on a white background"])
]


class VariantBody(ImageSettings):
    """One picture for each row: a name, and settings that win over the job's defaults."""

    name: VariantName
    words: Words | None = Field(default=None, description="Put after the row's prompt, with a space between.")


class MatrixBody(Body):
    """A picture for each row in every size, with every quality and every choice of words.

    A variant's name is made of those of the three that are given: ``1024x1024-low-white``.
    """

    sizes: Annotated[list[Size], Field(max_length=MOST_VARIANTS)] = []
    qualities: Annotated[list[Quality], Field(max_length=8)] = []
    words: dict[Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[\w-]+$")], Words] = Field(
        default={},
        description="What is put after the prompt, by the name that it goes under.",
        examples=[{"white": "on a white background", "forest": "in a forest"}],
    )

    @model_validator(mode="after")
    def _makes_variants(self) -> "MatrixBody":
        axes: dict[str, Sequence[str]] = {"sizes": self.sizes, "qualities": self.qualities}
        for name, values in axes.items():
            if twice := [value for value in values if values.count(value) > 1]:
                raise ValueError(f"{name} has {twice[0]!r} twice")
        if not (self.sizes or self.qualities or self.words):
            raise ValueError("give at least one of sizes, qualities and words")
        count = (len(self.sizes) or 1) * (len(self.qualities) or 1) * (len(self.words) or 1)
        if count > MOST_VARIANTS:
            raise ValueError(f"makes {count} variants of each row; at most {MOST_VARIANTS} are allowed")
        return self


TEMPLATE_CHARACTERS = 20_000
Template = Annotated[str, Field(min_length=1, max_length=TEMPLATE_CHARACTERS)]


class SourceBody(Body):
    """Where the manifest is looked for when the job is planned. Give one of the three."""

    newest: Annotated[str, Field(max_length=LONGEST_REFERENCE, examples=["s3://shop/feeds/"])] | None = Field(
        default=None,
        description="s3://bucket/prefix: the object below it that was changed last; of several at the same "
        "moment, the last by its key. The bucket must be one that input images may be read from.",
    )
    newest_file: Annotated[str, Field(min_length=1, max_length=200, examples=["feed-"])] | None = Field(
        default=None,
        description="The file that was uploaded last, of those whose name begins so.",
    )
    url: Annotated[str, Field(min_length=1, max_length=LONGEST_REFERENCE)] | None = Field(
        default=None,
        description="An https:// address of a public host.",
        examples=["https://shop.example/feed.csv"],
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "SourceBody":
        given = [name for name in SourceBody.model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give one of newest, newest_file and url")
        return self


class ManifestBody(Body):
    """A file of rows, uploaded or looked for, and the Liquid templates that make items of them."""

    file_id: Annotated[str, Field(pattern=r"^file_[0-9A-Z]{26}$")] | None = Field(
        default=None, description="An uploaded file."
    )
    source: SourceBody | None = Field(
        default=None, description="Instead of file_id: looked for each time that a job is planned."
    )
    format: Format = Field(description="Plain rows, or a known feed, which brings its own id and prompt.")
    encoding: Encoding = Field(default="auto", description="auto: what the byte order mark says, else UTF-8.")
    id: Template | None = Field(
        default=None,
        description="Required, but for known feeds.",
        examples=["{{ row.Handle }}"],
    )
    prompt: Template | None = Field(
        default=None,
        description="Required, but for known feeds.",
        examples=["Studio photo of {{ row.Title }}"],
    )
    where: str | None = Field(
        default=None,
        max_length=TEMPLATE_CHARACTERS,
        description="A row is in when this renders to more than nothing, false or 0.",
    )
    images: Annotated[list[Template], Field(max_length=64)] = Field(
        default=[],
        description="Each renders to one reference: an uploaded file's id, an https:// address, or "
        "s3://bucket/key. Those that render to nothing are left out; at most 16 may be left.",
        examples=[["{{ row.Image }}"]],
    )
    mask: Template | None = Field(default=None, description="Renders to one reference, or to nothing.")
    markup: Template | None = Field(default=None, description="Renders to one reference, or to nothing.")
    variants: Annotated[list[VariantBody], Field(max_length=MOST_VARIANTS)] = []
    matrix: MatrixBody | None = Field(default=None, description="Instead of variants.")

    @model_validator(mode="after")
    def _has_templates(self) -> "ManifestBody":
        if (self.file_id is None) == (self.source is None):
            raise ValueError("give either a file_id or a source")
        missing = [name for name in ("id", "prompt") if getattr(self, name) is None]
        if missing and self.format in ("csv", "jsonl"):
            faults = [InitErrorDetails(type="missing", loc=(name,), input=None) for name in missing]
            raise ValidationError.from_exception_data("ManifestBody", faults)
        if self.variants and self.matrix:
            raise ValueError("give either variants or a matrix")
        texts = (self.id, self.prompt, self.where, self.mask, self.markup, *self.images)
        size = sum(len(text or "") for text in texts)
        if size > ALL_TEMPLATES_CHARACTERS:
            most = f"{ALL_TEMPLATES_CHARACTERS:,}"
            raise ValueError(f"the templates have {size:,} characters together; at most {most} are allowed")
        return self


class OutputBody(Body):
    """The names of the images, in the delivery bucket, below the job's own prefix."""

    key: Annotated[Template, Field(examples=["{{ custom_id }}-{{ n }}.{{ ext }}"])] | None = Field(
        default=None,
        description="Liquid template that sees custom_id, variant, n and ext. "
        "Unset: {custom_id}/{n}.{ext}, with variants {custom_id}/{variant}-{n}.{ext}.",
    )


JobName = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["spring"])]
Priority = Annotated[int, Field(ge=1, le=5, description="1 goes first.")]
PoolNames = Annotated[list[Annotated[str, Field(min_length=1, max_length=40)]], Field(max_length=10)]


class BudgetBody(Body):
    """The job's cap, which its spending never passes."""

    limit_usd: Sum
    on_exhausted: OnExhausted = Field(
        default="hold",
        description="What becomes of the items that the cap leaves no money for: the job is held until the "
        "cap is raised, or they are skipped.",
    )


class BudgetPatch(Body):
    """Another cap; what is left out stays as it is."""

    limit_usd: Sum | None = None
    on_exhausted: OnExhausted | None = None


class WebhookBody(Body):
    """Where the job's events are sent to, and which of them."""

    url: Annotated[str, Field(min_length=1, max_length=LONGEST_URL, examples=["https://example.com/hooks"])]
    events: Annotated[list[EventType], Field(min_length=1, max_length=20)] = list(DEFAULT_EVENTS)


class JobPatch(Body):
    """What can be changed of a job; what is left out stays as it is."""

    budget: BudgetPatch | None = None
    priority: Priority | None = None
    webhook: WebhookBody | None = Field(
        default=None,
        description="Where events are sent from now on, those included that are still to be delivered; "
        "null: nowhere. It can be changed even when the job has ended.",
    )

    @model_validator(mode="after")
    def _something(self) -> "JobPatch":
        if self.budget is None and self.priority is None and "webhook" not in self.model_fields_set:
            raise ValueError("nothing is to be changed: give a budget, a priority or a webhook")
        return self


class PriceBody(Body):
    """What an image costs at most, as agreed with the provider."""

    image_usd: Annotated[str, Field(max_length=SUM_CHARACTERS, examples=["0.05"]), AfterValidator(_a_price)]


class CapsBody(Body):
    """A tenant's caps; one that is left out does not exist."""

    day_usd: Sum | None = None
    month_usd: Sum | None = None
    time_zone: Annotated[str, Field(max_length=64), AfterValidator(_a_zone)] = Field(
        default="UTC", description="Whose midnight ends a day: a name such as Europe/Berlin, or +05:30."
    )


class JobBody(Body):
    """A submission: settings, a cap, and either items or a manifest."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "spring-catalog",
                    "defaults": {"model": "gpt-image-2.5-flare", "size": "1024x1024", "quality": "medium"},
                    "items": [{"custom_id": "sku-1001", "prompt": "Studio photo of a red chair"}],
                    "budget": {"limit_usd": "25.00"},
                }
            ]
        }
    )

    name: JobName | None = None
    defaults: ImageSettings = ImageSettings()
    items: Annotated[list[ItemBody], Field(max_length=INLINE_ITEMS)] | None = None
    manifest: ManifestBody | None = None
    output: OutputBody = OutputBody()
    budget: BudgetBody
    on_unknown: OnUnknown = Field(
        default="retry",
        description="After a call that may have been billed and brought nothing: buy the item again, at most "
        "twice; hold the job until it is resumed, and then buy it again; or give the item up.",
    )
    prices: dict[Annotated[str, Field(max_length=100)], PriceBody] = Field(
        default_factory=dict,
        max_length=20,
        description="Prices of models that the catalogue does not know, by the model's name.",
    )
    pools: PoolNames = Field(
        default_factory=list,
        description="The provider accounts to buy from, in order: where one is in trouble, the next is "
        "taken. None: the first that serves the model.",
    )
    priority: Priority = 3
    renditions: list[Rendition] = Field(
        default_factory=list,
        max_length=MOST_RENDITIONS,
        description="Copies of each image in other sizes and formats, put beside it; the image itself stays "
        "as it came. Every image has a thumbnail without asking.",
    )
    webhook: WebhookBody | None = None
    metadata: Metadata = Field(
        default_factory=dict,
        max_length=METADATA_PAIRS,
        description="Words of the caller's own, by which jobs can be listed: at most 16 pairs.",
        examples=[{"shop": "berlin", "feed": "2026-05-01"}],
    )
    reuse: ReuseScope = Field(
        default="none",
        description="An item whose whole request was answered before, input images included, gets the "
        "earlier images and costs nothing: those of runs of the same schedule, or of any job of the tenant. "
        "The images stay where they are.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> "JobBody":
        if (self.items is None) == (self.manifest is None):
            raise ValueError("give either items or a manifest")
        if self.items is not None and not self.items:
            raise ValueError("items is empty: a job needs at least one item")
        return self


class FileAnswer(BaseModel):
    """An uploaded file."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    filename: str
    sha256: str | None = Field(
        description="Null of a file that came in parts and was not checked by its hash."
    )
    created_at: datetime


class ItemCounts(BaseModel):
    """Items by state."""

    total: int | None
    pending: int | None
    running: int
    succeeded: int
    blocked: int
    failed: int
    skipped: int
    cancelled: int
    reused: int = Field(description="Of those that succeeded: answered by an earlier item's images.")


class CostAnswer(BaseModel):
    """Money, as decimal strings of US dollars.

    ``committed`` never passes the limit, but by a provider that charges more than its price list allows
    for, or where the limit was lowered below it.
    """

    settled_usd: str = Field(description="Billed, by the provider's own count.")
    reserved_usd: str = Field(description="Set aside for calls under way.")
    written_off_usd: str = Field(
        description="Counted as spent, since the bill of those calls can't be known."
    )
    committed_usd: str = Field(
        description="The most that can be on the bill by now: settled, written off, and leased to chunks."
    )
    limit_usd: str


class HoldAnswer(BaseModel):
    """What the service stopped for by itself; it tries one item at ``next_probe``."""

    code: str
    detail: str
    since: datetime
    next_probe: datetime | None
    smallest_usd: str | None = Field(
        description="By how much the cap has to be raised at least, for one more item."
    )
    likely_usd: str | None = Field(
        description="By how much for all items, at what they are expected to cost."
    )
    until: datetime | None = Field(description="When it ends by itself, because the tenant's window turns.")


class EstimateAnswer(BaseModel):
    """What items cost: at least, as expected, and at most, which is what is reserved."""

    low_usd: str
    expected_usd: str
    high_usd: str
    uncertain: list[str] = Field(description="Why the most may not be the most, by model; empty if it is.")
    reused: int = Field(description="Items that cost nothing, since they were answered before.")


class InvalidRow(BaseModel):
    """A row that could not be turned into a request."""

    line: int | None
    custom_id: str
    detail: str


class InvalidRows(BaseModel):
    """The bad rows of a manifest: how many, and the first hundred."""

    count: int
    first: list[InvalidRow]


class JobAnswer(BaseModel):
    """The status of a job."""

    id: str
    object: Literal["job"] = "job"
    name: str | None
    state: JobState
    priority: int
    retry_of: str | None = Field(description="The job whose items this one tries again.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    items: ItemCounts
    images: int = Field(description="Those that were bought.")
    uncertain: int = Field(description="Items with a call whose bill can't be known.")
    cost: CostAnswer
    estimate: EstimateAnswer | None = Field(description="What all items cost; known once they are planned.")
    warnings: list[str]
    images_per_minute: float | None
    seconds_left: float | None
    hold: HoldAnswer | None
    failure: Problem | None
    invalid_rows: InvalidRows | None
    manifest: FoundManifest | None = Field(description="What the manifest's source led to.")
    metadata: dict[str, str] = Field(default_factory=dict)
    links: dict[str, str]


class ImageAnswer(DeliveredImage):
    """One image: where it lies in the delivery bucket, and an address that shows it for an hour."""

    url: str


class AttemptAnswer(BaseModel):
    """One reservation of an item, and what became of it."""

    reservation: str
    outcome: Literal["settled", "released", "written_off", "recovered"]
    reserved_usd: str
    cost_usd: str
    drift_usd: str = Field(description="What it cost above its reservation.")
    code: str | None
    request_id: str | None = Field(description="The provider's own id of the request.")


class ItemAnswer(BaseModel):
    """One item, and what became of it."""

    custom_id: str
    variant: str | None
    line: int | None
    state: ItemState
    model: str | None
    images: list[ImageAnswer]
    cost_usd: str
    uncertain_usd: str = Field(description="The part of it that was written off.")
    estimated: bool = Field(description="The provider sent no count; the reservation is charged.")
    error: Problem | None
    warnings: list[str]
    attempts: list[AttemptAnswer]
    reused_from: ReusedFrom | None = Field(
        description="The item that these images were bought for, where it was an earlier one."
    )


class ItemPage(BaseModel):
    """A page of items; ``after`` of the next one is this one's ``last``.

    A page of one state may be short, or empty, while there are more: go on as long as ``has_more``.
    """

    object: Literal["list"] = "list"
    data: list[ItemAnswer]
    has_more: bool
    last: str | None
    stale: bool = Field(
        default=False,
        description="No worker answers: items of running chunks are as the store has them, and those that "
        "have ended there since may still read as pending.",
    )


class ReportLineAnswer(BaseModel):
    """The items of one model that ended in one state."""

    model: str
    state: ItemState
    items: int
    images: int
    settled_usd: str
    written_off_usd: str
    uncertain: int = Field(description="Items with a call whose bill can't be known.")


class DriftAnswer(BaseModel):
    """Calls of a model that cost more than was reserved for them."""

    model: str
    calls: int
    above_usd: str
    factor: str = Field(description="What the model's maximum was multiplied by in the end.")


class ReportAnswer(BaseModel):
    """The receipt of a job that has ended."""

    object: Literal["report"] = "report"
    job: str
    name: str | None
    state: JobState
    created_at: datetime
    ended_at: datetime | None
    items: ItemCounts
    images: int
    uncertain: int
    limit_usd: str
    settled_usd: str
    written_off_usd: str
    vanished_usd: str = Field(
        description="The part of the write-offs that no item shows, since a chunk was ended by hand."
    )
    estimate: EstimateAnswer | None
    lines: list[ReportLineAnswer]
    drift: list[DriftAnswer]
    price_table: str | None = Field(description="The version of the prices that it was settled by.")


class SpendAnswer(BaseModel):
    """Money spent."""

    settled_usd: str
    written_off_usd: str


class WindowAnswer(SpendAnswer):
    """A cap, and what is left of it in the window that is open now."""

    limit_usd: str | None = Field(description="The cap; null: there is none.")
    left_usd: str | None = Field(description="What can still be leased to jobs.")
    ends_at: datetime


class CapsAnswer(BaseModel):
    """A tenant's caps."""

    tenant: str
    day_usd: str | None
    month_usd: str | None
    time_zone: str


class DayAnswer(SpendAnswer):
    """What was spent on a day of the tenant's time zone."""

    date: date
    models: dict[str, SpendAnswer]


class JobSpendAnswer(SpendAnswer):
    """What a job has spent in all, on whatever days."""

    id: str
    name: str | None
    state: str


class UsageAnswer(SpendAnswer):
    """What a tenant has spent, by day, model and job, and what its caps leave."""

    object: Literal["usage"] = "usage"
    tenant: str
    as_of: datetime = Field(
        description="When the account stood like this; a little ago, while no worker answers."
    )
    time_zone: str
    first: date
    last: date
    day: WindowAnswer
    month: WindowAnswer
    leased_usd: str = Field(description="Leased to running jobs and not yet spent, as far as they have told.")
    days: list[DayAnswer]
    models: dict[str, SpendAnswer]
    jobs: list[JobSpendAnswer] = Field(description="The latest first, at most a thousand.")
