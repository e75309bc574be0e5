"""Pools: the provider accounts that images are bought from, and which of them serves a model.

A pool's *limit groups* are what its provider limits together: an account and a family of models. Each
group is a task queue with its own workers, and has its own pace.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, SecretStr, StringConstraints, model_validator

from imagemill.domain.catalogue import Catalogue

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
PerMinute = PositiveInt | Literal["unlimited"]

DEFAULT = "default"
"""The name of the pool that is made of the settings of a single provider, and of a pool's only group."""


class Group(BaseModel):
    """What a provider limits together. A limit that is left out is learnt from the answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[str, ...] = ("*",)
    """Patterns, ``*`` for any text."""
    images_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None

    def holds(self, model: str) -> bool:
        """Is the model limited by this group?"""
        return _matches(self.models, model)


class Pool(BaseModel):
    """One account at a provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    kind: Literal["openai", "azure"] = "openai"
    """How its addresses are made: ``azure`` has the deployment in them."""
    base_url: str
    """What ``/images/generations`` is added to; of kind ``azure``, the resource's own address."""
    api_key: SecretStr
    """Never logged, never in an error."""
    auth: Literal["bearer", "api-key"] = "bearer"
    """The header that the key goes into; of kind ``azure`` it is always ``api-key``."""
    query: Mapping[str, str] = Field(default_factory=dict)
    """Put after every address."""
    deployments: Mapping[str, str] = Field(default_factory=dict)
    """Of kind ``azure``: each model's deployment; one that is not named is deployed under its own name."""
    models: tuple[str, ...] = ("*",)
    price_factor: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(1)
    weight: PositiveInt = 1
    """Who serves a model first: the heavier pool."""
    free_5xx: bool = False
    """Calls that it answers with 5xx are known not to be billed."""
    size_as: Literal["size", "aspect_ratio", "nothing"] = "size"
    """How it wants to be told the size."""
    groups: Mapping[Name, Group] = Field(default_factory=lambda: {DEFAULT: Group()})

    @model_validator(mode="after")
    def _has_groups(self) -> Self:
        if not self.groups:
            raise ValueError("groups must not be empty; leave it out for one group of all models")
        return self

    def serves(self, model: str) -> bool:
        """Does it take this model, and has it a limit group for it?"""
        return _matches(self.models, model) and any(group.holds(model) for group in self.groups.values())

    def names(self, model: str) -> bool:
        """Is the model named, not only matched by a pattern? Then its shutdown elsewhere does not matter."""
        return model in self.models

    def group_of(self, model: str) -> str:
        """The first of its groups that holds the model. Raises KeyError."""
        for name, group in self.groups.items():
            if group.holds(model):
                return name
        raise KeyError(model)

    def queue_of(self, model: str) -> str:
        """Where calls of that model wait. Raises KeyError."""
        return queue_name(self.name, self.group_of(model))


@dataclass(frozen=True, slots=True)
class Alias:
    """What is bought where a model is asked for that an operator has given another name."""

    model: str
    pool: str | None = None


class Pools:
    """All pools, the heaviest first, and the operator's aliases of models."""

    def __init__(self, pools: Iterable[Pool], aliases: Mapping[str, Alias] | None = None) -> None:
        ordered = sorted(pools, key=lambda pool: -pool.weight)
        self._pools = {pool.name: pool for pool in ordered}
        self._aliases = dict(aliases or {})

    @classmethod
    def single(cls, factor: Decimal = Decimal(1)) -> "Pools":
        """One pool that serves every model; all that is to be known of it where nothing is called."""
        return cls([Pool(name=DEFAULT, base_url="", api_key=SecretStr(""), price_factor=factor)])

    def __iter__(self) -> Iterator[Pool]:
        return iter(self._pools.values())

    def __contains__(self, name: str) -> bool:
        return name in self._pools

    def __getitem__(self, name: str) -> Pool:
        return self._pools[name]

    @property
    def names(self) -> list[str]:
        """The names of all pools, the heaviest first."""
        return list(self._pools)

    @property
    def aliases(self) -> list[str]:
        """The models that the operator has put something in the place of."""
        return list(self._aliases)

    def alias(self, model: str) -> Alias | None:
        """What the operator has put in the place of a model."""
        return self._aliases.get(model)

    def serving(self, model: str, wanted: Sequence[str] = ()) -> list[Pool]:
        """The pools that a call of this model may go to, in order.

        Those that the job names, in its order; where it names none, the first that serves the model.
        """
        alias = self._aliases.get(model)
        if not wanted and alias and alias.pool in self._pools:
            wanted = [alias.pool]
        names = [name for name in wanted if name in self._pools] if wanted else self.names
        named = [self._pools[name] for name in names]
        found = [pool for pool in named if pool.serves(model)]
        return found if wanted else found[:1]

    def queues(self, model: str, wanted: Sequence[str] = ()) -> list[str]:
        """The queues of those pools, in order."""
        return [pool.queue_of(model) for pool in self.serving(model, wanted)]

    def factor(self, wanted: Sequence[str], model: str) -> Decimal:
        """The dearest factor among those pools: what is reserved must do for whichever is paid."""
        return max((pool.price_factor for pool in self.serving(model, wanted)), default=Decimal(1))

    def priced(self, catalogue: Catalogue, wanted: Sequence[str]) -> Catalogue:
        """The catalogue at the dearest factors that a job with these pools can meet."""
        return catalogue.scaled(lambda model: self.factor(wanted, model))

    def still_served(self, model: str, wanted: Sequence[str] = ()) -> bool:
        """Does one of those pools name the model itself, whatever its original provider has shut down?"""
        return any(pool.names(model) for pool in self.serving(model, wanted))


def queue_name(pool: str, group: str) -> str:
    """The task queue of a limit group."""
    return f"images.{pool}.{group}"


def quarantine_of(queue: str) -> str:
    """Where an item goes on whose worker died: one call at a time, so that the guilty one is known."""
    return f"{queue}.quarantine"


def _matches(patterns: Sequence[str], model: str) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in patterns)
