"""/v1/models: what can be bought, where, and at which price.

The list has the provider's shape, so that its own SDK reads it; what is ours stands beside.
"""

import math
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.context import Context, context, tenant
from api.problems import NOT_FOUND, Problem
from imagemill.domain.catalogue import SAID
from imagemill.domain.money import format_usd
from imagemill.domain.pools import Pool
from imagemill.domain.pricing import Flat, Metered, Model, Table
from imagemill.domain.request import MOST_IMAGES, PROMPT_CHARACTERS

router = APIRouter(prefix="/v1/models", tags=["models"], dependencies=[Depends(tenant)])
Parts = Annotated[Context, Depends(context)]
MOST_OF_A_CALL = 10
MILLION = 10**6


class PricesAnswer(BaseModel):
    """US dollars: for an image, or for a million tokens of each kind."""

    image_usd: str | None = None
    text_in_usd: str | None = None
    image_in_usd: str | None = None
    image_out_usd: str | None = None
    text_out_usd: str | None = None


class SellerAnswer(BaseModel):
    """A pool that serves a model."""

    name: str = Field(description="What a submission names under `pools`.")
    default: bool = Field(description="It is where a job buys that names no pool.")
    prices: PricesAnswer


class LimitsAnswer(BaseModel):
    """The most that one item can hold."""

    prompt_characters: int = PROMPT_CHARACTERS
    n: int = MOST_OF_A_CALL
    images: int = Field(default=MOST_IMAGES, description="Input images.")


class ModelAnswer(BaseModel):
    """A model, under one of the names that it can be asked for by."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(default=0, description="Not known; there for those who expect it.")
    owned_by: str = "imagemill"
    bought_as: str = Field(description="What is bought: a dated name's model, or what the operator put here.")
    available: bool = Field(description="Is there a pool that serves it today?")
    shutdown: date | None = Field(description="The first day without it, where that is known.")
    successor: str | None = Field(description="What follows it then.")
    pools: list[SellerAnswer]
    limits: LimitsAnswer = LimitsAnswer()
    qualities: list[str] = Field(description="Besides `auto`; empty: any.")
    sizes: list[str] | None = Field(description="Besides `auto`; null: by rules, which a refusal explains.")
    formats: list[str]
    backgrounds: list[str]
    parameters: list[str] = Field(description="Settings of an item that not every model takes.")
    uncertain: str | None = Field(description="Why an image may cost more than its estimate.")


class ModelList(BaseModel):
    """All models that have a price, by name."""

    object: Literal["list"] = "list"
    data: list[ModelAnswer]


@router.get("", summary="The models and their prices")
async def list_models(parts: Parts) -> ModelList:
    """Every name under which a model can be asked for; also of those that no pool serves any more."""
    names = sorted({*parts.catalogue.names, *parts.pools.aliases})
    return ModelList(data=[found for name in names if (found := _answer(parts, name))])


@router.get("/{model:path}", summary="A model and its prices")
async def get_model(model: str, parts: Parts) -> ModelAnswer:
    """As in the list. A model without a price can be bought all the same, if the job states one."""
    if found := _answer(parts, model):
        return found
    raise Problem(NOT_FOUND, parts.catalogue.missing(_bought(parts, model), _today()))


def _bought(parts: Context, name: str) -> str:
    alias = parts.pools.alias(name)
    return alias.model if alias else name


def _answer(parts: Context, name: str) -> ModelAnswer | None:
    bought = _bought(parts, name)
    if bought not in parts.catalogue:
        return None
    model = parts.catalogue.model(bought)
    sellers = _sellers(parts, bought, model)
    output = model.rate.output
    return ModelAnswer(
        id=name,
        bought_as=model.name,
        available=bool(sellers),
        shutdown=model.shutdown,
        successor=model.successor,
        pools=sellers,
        qualities=list(model.qualities),
        sizes=list(next(iter(output.rows.values()))) if isinstance(output, Table) else None,
        formats=list(model.formats),
        backgrounds=list(model.backgrounds),
        parameters=[SAID[each] for each in model.parameters if each in SAID],
        uncertain=model.uncertain,
    )


def _sellers(parts: Context, name: str, model: Model) -> list[SellerAnswer]:
    """The pools that a job can buy it from today, the one that it gets unasked first."""
    first = parts.pools.serving(name)
    others = [pool for pool in parts.pools if pool not in first and pool.serves(name)]
    ended = model.shutdown is not None and model.shutdown <= _today()
    return [
        SellerAnswer(name=pool.name, default=pool in first, prices=_prices(model, pool))
        for pool in (*first, *others)
        if pool.names(name) or not ended
    ]


def _prices(model: Model, pool: Pool) -> PricesAnswer:
    """The listed prices at the pool's factor; a price that is finer than a nano-dollar is rounded up."""

    def usd(nano: int) -> str:
        return format_usd(math.ceil(nano * pool.price_factor))

    if isinstance(model.rate, Flat):
        return PricesAnswer(image_usd=usd(model.rate.image_nano))
    if not isinstance(model.rate, Metered):
        return PricesAnswer()
    each = model.rate.prices
    return PricesAnswer(
        text_in_usd=usd(each.text_in * MILLION),
        image_in_usd=usd(each.image_in * MILLION),
        image_out_usd=usd(each.image_out * MILLION),
        text_out_usd=usd(each.text_out * MILLION),
    )


def _today() -> date:
    return datetime.now(UTC).date()
