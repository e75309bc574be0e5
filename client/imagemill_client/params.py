"""What is sent, as typed dictionaries: plain ones do as well. The HTTP API's own names."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, Required, TypeAlias, TypedDict

Sum: TypeAlias = Decimal | str | int
"""US dollars; never a float."""


class ImageSettings(TypedDict, total=False):
    """How images are to be made; what is left out is left to the job's defaults."""

    model: str
    size: str
    quality: str
    output_format: Literal["png", "jpeg", "webp"]
    output_compression: int
    background: Literal["transparent", "opaque", "auto"]
    moderation: Literal["auto", "low"]
    n: int
    input_fidelity: Literal["low", "high"]
    complexity: Literal["low", "medium", "high"]
    end_user: str
    images: Sequence[str]
    mask: str
    markup: str


class NewItem(ImageSettings, total=False):
    """One item: an id of the caller's own, a prompt, and settings that win over the job's defaults."""

    custom_id: Required[str]
    prompt: Required[str]


class Variant(ImageSettings, total=False):
    """One picture for each row of a manifest."""

    name: Required[str]
    words: str


class Matrix(TypedDict, total=False):
    """A picture for each row in every size, with every quality and every choice of words."""

    sizes: Sequence[str]
    qualities: Sequence[str]
    words: Mapping[str, str]


class Source(TypedDict, total=False):
    """Where the manifest is looked for when the job is planned; one of the three.

    ``newest``: the object below ``s3://bucket/prefix`` that was changed last. ``newest_file``: the file that
    was uploaded last, of those whose name begins so. ``url``: an ``https://`` address.
    """

    newest: str
    newest_file: str
    url: str


class Manifest(TypedDict, total=False):
    """A file of rows, and the Liquid templates that make items of them."""

    file_id: str
    source: Source
    format: Required[str]
    encoding: str
    id: str
    prompt: str
    where: str
    images: Sequence[str]
    mask: str
    markup: str
    variants: Sequence[Variant]
    matrix: Matrix


class Budget(TypedDict, total=False):
    """The job's cap; ``on_exhausted`` says what becomes of the items that it leaves no money for."""

    limit_usd: Required[Sum]
    on_exhausted: Literal["hold", "skip"]


class BudgetChange(TypedDict, total=False):
    """Another cap; what is left out stays as it is."""

    limit_usd: Sum
    on_exhausted: Literal["hold", "skip"]


class Webhook(TypedDict, total=False):
    """Where the job's events are sent to, and which of them."""

    url: Required[str]
    events: Sequence[str]


class Output(TypedDict, total=False):
    """The names of the images: a Liquid template that sees custom_id, variant, n and ext."""

    key: str


class Price(TypedDict):
    """What an image costs at most, as agreed with the provider."""

    image_usd: Sum


class Rendition(TypedDict, total=False):
    """A further size or format of each image."""

    name: Required[str]
    width: int
    height: int
    fit: str
    format: str
    quality: int
    background: str


class JobBody(TypedDict, total=False):
    """A whole submission, as a schedule holds it."""

    name: str
    defaults: ImageSettings
    items: Sequence[NewItem]
    manifest: Manifest
    output: Output
    budget: Required[Budget]
    on_unknown: Literal["retry", "hold", "skip"]
    prices: Mapping[str, Price]
    pools: Sequence[str]
    priority: int
    webhook: Webhook
    metadata: Mapping[str, str]
    reuse: Literal["none", "schedule", "tenant"]
    renditions: Sequence[Rendition]


Field: TypeAlias = int | str | Sequence[int]


class Calendar(TypedDict, total=False):
    """Times by the parts of a date: a number, ``"2-5"``, ``"*"``, ``"*/10"`` or a list."""

    year: Field
    month: Field
    day_of_month: Field
    day_of_week: Field
    hour: Field
    minute: Field
    second: Field
    comment: str


class Spec(TypedDict, total=False):
    """When a schedule runs."""

    cron: Sequence[str]
    calendars: Sequence[Calendar]
    every_seconds: int
    time_zone: str
    jitter_seconds: int
    start: datetime | str
    end: datetime | str


class MonthlyBudget(TypedDict, total=False):
    """What all runs of a schedule may spend in a month."""

    month_usd: Required[Sum]
    time_zone: str
