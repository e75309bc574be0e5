"""Bodies of requests, which forbid what they do not know, and of answers, which only ever gain fields."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from imagemill.domain.item import Attempt, DeliveredImage, ItemState, Problem
from imagemill.domain.job import JobState
from imagemill.domain.money import parse_usd
from imagemill.domain.request import PROMPT_CHARACTERS, ImageSettings

INLINE_ITEMS = 10_000
"""More items than this come as a manifest."""


def _a_sum(text: str) -> str:
    if parse_usd(text) == 0:
        raise ValueError("a cap of 0 buys nothing")
    return text


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid")


class ItemBody(ImageSettings):
    """One item: an id of the caller's own, a prompt, and settings that win over the job's defaults."""

    custom_id: Annotated[str, Field(min_length=1, max_length=256, examples=["sku-1001"])]
    prompt: Annotated[str, Field(min_length=1, max_length=PROMPT_CHARACTERS, pattern=r"\S")]


class VariantBody(ImageSettings):
    """One picture for each row: a name, and settings that win over the job's defaults."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w-]+$", examples=["banner"])]


class ManifestBody(Body):
    """An uploaded file of rows, and the Liquid templates that make items of them."""

    file_id: Annotated[str, Field(pattern=r"^file_[0-9A-Z]{26}$")]
    format: Literal["csv", "jsonl"]
    id: Annotated[str, Field(min_length=1, examples=["{{ row.Handle }}"])]
    prompt: Annotated[str, Field(min_length=1, examples=["Studio photo of {{ row.Title }}"])]
    where: str | None = Field(
        default=None, description="A row is in when this renders to more than nothing, false or 0."
    )
    variants: Annotated[list[VariantBody], Field(max_length=20)] = []


class OutputBody(Body):
    """The names of the images, in the delivery bucket, below the job's own prefix."""

    key: Annotated[str, Field(min_length=1, examples=["{{ custom_id }}-{{ n }}.{{ ext }}"])] | None = Field(
        default=None,
        description="Liquid template that sees custom_id, variant, n and ext. "
        "Unset: {custom_id}/{n}.{ext}, with variants {custom_id}/{variant}-{n}.{ext}.",
    )


class BudgetBody(Body):
    """The job's cap, which its spending never passes."""

    limit_usd: Annotated[str, AfterValidator(_a_sum), Field(examples=["25.00"])]
    on_exhausted: Literal["skip"] = Field(
        default="skip", description="What becomes of the items that the cap leaves no money for."
    )


class JobBody(Body):
    """A submission: settings, a cap, and either items or a manifest."""

    name: Annotated[str, Field(max_length=200)] | None = None
    defaults: ImageSettings = ImageSettings()
    items: Annotated[list[ItemBody], Field(max_length=INLINE_ITEMS)] | None = None
    manifest: ManifestBody | None = None
    output: OutputBody = OutputBody()
    budget: BudgetBody
    on_unknown: Literal["retry", "skip"] = Field(
        default="retry",
        description="Whether an item is bought again, at most twice, after a call of unknown outcome.",
    )
    priority: Annotated[int, Field(ge=1, le=5, description="1 goes first.")] = 3

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
    sha256: str
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


class CostAnswer(BaseModel):
    """Money, as decimal strings of US dollars. settled + written_off + reserved never passes limit."""

    settled_usd: str
    reserved_usd: str
    written_off_usd: str
    limit_usd: str


class HoldAnswer(BaseModel):
    """What the service stopped for by itself; it tries one item at ``next_probe``."""

    code: str
    detail: str
    since: datetime
    next_probe: datetime | None


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
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    items: ItemCounts
    images: int
    cost: CostAnswer
    images_per_minute: float | None
    seconds_left: float | None
    hold: HoldAnswer | None
    failure: Problem | None
    invalid_rows: InvalidRows | None
    links: dict[str, str]


class ImageAnswer(DeliveredImage):
    """One image: where it lies in the delivery bucket, and an address that shows it for an hour."""

    url: str


class ItemAnswer(BaseModel):
    """One item, and what became of it."""

    custom_id: str
    variant: str | None
    line: int | None
    state: ItemState
    model: str | None
    images: list[ImageAnswer]
    cost_usd: str
    estimated: bool
    error: Problem | None
    warnings: list[str]
    attempts: list[Attempt]


class ItemPage(BaseModel):
    """A page of items; ``after`` of the next one is this one's ``last``."""

    object: Literal["list"] = "list"
    data: list[ItemAnswer]
    has_more: bool
    last: str | None
