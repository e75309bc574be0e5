"""What is said of models that images are bought from."""

from datetime import date
from decimal import Decimal

from imagemill_client.models._base import Answer


class Prices(Answer):
    """US dollars for an image, or for a million tokens of each kind."""

    image_usd: Decimal | None = None
    text_in_usd: Decimal | None = None
    image_in_usd: Decimal | None = None
    image_out_usd: Decimal | None = None
    text_out_usd: Decimal | None = None


class Seller(Answer):
    """A pool that serves a model: what a submission names under ``pools``."""

    name: str
    default: bool
    prices: Prices


class ModelLimits(Answer):
    """The most that one item can hold."""

    prompt_characters: int
    n: int
    images: int


class Model(Answer):
    """A model, under one of the names that it can be asked for by."""

    id: str
    created: int = 0
    owned_by: str = ""
    bought_as: str
    available: bool
    shutdown: date | None
    successor: str | None
    pools: tuple[Seller, ...]
    limits: ModelLimits
    qualities: tuple[str, ...]
    sizes: tuple[str, ...] | None
    formats: tuple[str, ...]
    backgrounds: tuple[str, ...]
    parameters: tuple[str, ...]
    uncertain: str | None


class ModelList(Answer):
    """All models that have a price."""

    data: tuple[Model, ...]
