"""Who may do what: the tenants of an operator's file, their keys, and the terms of each."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from imagemill.domain.money import parse_usd
from imagemill.domain.pools import Name as PoolName
from imagemill.domain.tenant import Caps
from imagemill.domain.windows import zone

Scope = Literal["read", "submit", "admin"]
"""``read``: look; ``submit``: whatever changes something; ``admin``: the tenant's own settings, alone."""

ALL_PURPOSE: frozenset[Scope] = frozenset({"read", "submit", "admin"})
"""What a key may do that is given by settings, not by a file."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[^/\s,]+)*/?")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")


def _moment(value: object) -> object:
    """TOML's own dates, or one in quotation marks; a number would be taken for seconds since 1970."""
    if isinstance(value, str | date):
        return value
    raise ValueError("must be a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z")


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _bucket(text: str) -> str:
    if not _BUCKET.fullmatch(text):
        raise ValueError("must be a bucket's name, or bucket/prefix for a part of one")
    return text.strip("/")


def _host(text: str) -> str:
    if not _HOST.fullmatch(text.lower()):
        raise ValueError(
            "must be a host such as hooks.shop.example, or *.shop.example; no scheme, port or path"
        )
    return text.lower()


def _usd(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('must be US dollars in quotation marks, such as "100.00"')
    if parse_usd(value) == 0:
        raise ValueError("must be above 0; to stop a tenant, give it a cap that no call can be paid from")
    return value


def _zone(name: str) -> str:
    zone(name)
    return name


Usd = Annotated[str, BeforeValidator(_usd)]


class Key(BaseModel):
    """One API key, without its secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,40}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$")] = Field(repr=False)
    """Of the whole key, ``im_<id>_<secret>``, in hexadecimal digits."""
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    expires: Annotated[datetime, BeforeValidator(_moment), AfterValidator(_in_utc)] | None = None
    """From then on it opens nothing; a date is the beginning of that day in UTC."""
    name: Annotated[str, StringConstraints(max_length=100)] | None = None


class TermsOfCaps(BaseModel):
    """A tenant's caps, as a file says them; one that is left out does not exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    day_usd: Usd | None = None
    month_usd: Usd | None = None
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"

    @model_validator(mode="after")
    def _caps_something(self) -> Self:
        if self.day_usd is None and self.month_usd is None:
            raise ValueError("needs day_usd or month_usd; leave caps out where the file is not to set them")
        return self

    @cached_property
    def caps(self) -> Caps:
        """The same as the account's caps."""
        return Caps(
            day_nano=self.day_usd and parse_usd(self.day_usd),
            month_nano=self.month_usd and parse_usd(self.month_usd),
            time_zone=self.time_zone,
        )


class Terms(BaseModel):
    """What one tenant may do. What is left out is as it is for a tenant that no file names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    removed: bool = False
    """Nothing more is taken or bought; what runs is cancelled. Its keys still read."""
    keys: tuple[Key, ...] = ()
    caps: TermsOfCaps | None = None
    weight: Annotated[float, Field(ge=0.001, le=1000)] | None = None
    """Its share where tenants wait for the same provider."""
    requests_per_minute: Annotated[PositiveInt, Field(le=1_000_000)] | None = None
    """By each of its keys."""
    pools: Annotated[tuple[PoolName, ...], Field(min_length=1)] | None = None
    """Those that its jobs may be bought from; None: any."""
    buckets: tuple[Annotated[str, AfterValidator(_bucket)], ...] | None = None
    """What its references may name, instead of what the settings let all tenants read; None: that."""
    webhook_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] | None = None
    """Where its webhooks may go; None: any public host."""

    def may_call(self, host: str) -> bool:
        """May its webhooks go to this host? ``*.shop.example`` is any name below ``shop.example``."""
        if self.webhook_hosts is None:
            return True
        host = host.lower().removesuffix(".")
        return any(
            host.endswith(said[1:]) and len(host) > len(said[1:]) if said.startswith("*.") else host == said
            for said in self.webhook_hosts
        )


UNNAMED = Terms()
"""The terms of a tenant that no file names."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    tenant: str
    key_id: str
    scopes: frozenset[Scope]
    requests_per_minute: int | None = None
    """None: as many as it likes."""
    removed: bool = False
    """Its tenant was removed: it may read, and nothing else."""

    def at_most_reading(self) -> "Caller":
        """The same, of a tenant that was removed."""
        return replace(self, scopes=self.scopes & {"read"}, removed=True)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What a key is checked against, and whom it stands for."""

    digest: bytes = field(repr=False)
    caller: Caller
    expires: datetime | None = None

    def has_expired(self, now: datetime) -> bool:
        """Does it open nothing any more?"""
        return self.expires is not None and self.expires <= now


class Roll:
    """All tenants that a file names, and their keys by id."""

    def __init__(self, tenants: Mapping[str, Terms] | None = None) -> None:
        self.tenants = dict(tenants or {})
        self._keys = {known.caller.key_id: known for known in _known(self.tenants.items())}

    def terms(self, tenant: str) -> Terms:
        """What a tenant may do."""
        return self.tenants.get(tenant, UNNAMED)

    def key(self, key_id: str) -> KnownKey | None:
        """The key of that id."""
        return self._keys.get(key_id)


def _known(tenants: Iterable[tuple[str, Terms]]) -> Iterable[KnownKey]:
    for name, terms in tenants:
        for key in terms.keys:
            caller = Caller(name, key.id, key.scopes, terms.requests_per_minute)
            caller = caller.at_most_reading() if terms.removed else caller
            yield KnownKey(bytes.fromhex(key.sha256), caller, key.expires)
