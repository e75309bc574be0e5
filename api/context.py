"""What the routes work with, and who is asking."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from api.coalescing import Coalescer
from api.keys import Keyring, bearer, is_same, lacks
from api.models import InvalidRows
from api.previews import Previews
from api.problems import FORBIDDEN, Problem
from api.rate import RateLimits
from api.snapshots import Snapshot
from api.watching import Watches
from imagemill.domain.access import Caller, Scope
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.messages import Times
from imagemill.domain.pools import Pools
from imagemill.domain.tenant import Caps
from imagemill.inputs.reference import Rules
from imagemill.ports import Engine, ObjectStore, Schedules
from imagemill.settings import WebhookSettings, WorkSettings
from imagemill.starting import Starter
from imagemill.templating.process import ProcessTemplating
from imagemill.tenants import Tenants
from imagemill.webhook_targets import TargetRules

LOOKING = frozenset({"GET", "HEAD"})
"""The methods that change nothing."""


@dataclass(frozen=True, slots=True)
class Context:
    """The application's parts; made in ``api/app.py`` and kept as ``app.state.context``."""

    control: ObjectStore
    delivery: ObjectStore
    engine: Engine
    catalogue: Catalogue
    work: WorkSettings
    times: Times
    prefix: str
    keys: Keyring
    """The keys that open it, but for the operator's."""
    pools: Pools = field(default_factory=Pools.single)
    """The provider accounts, without their keys."""
    rules: Rules = field(default_factory=Rules)
    """What references to input images may be."""
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    targets: TargetRules = field(default_factory=TargetRules)
    """Where events may be sent; its ``may_call`` says which hosts a tenant may name."""
    caps: Caps = field(default_factory=Caps)
    """What a tenant may spend that no operator has set caps for."""
    allow_uncapped: bool = False
    admin_sha256: bytes | None = None
    """The key that may set caps; None: nobody may."""
    tenants: Tenants = field(default_factory=Tenants)
    """What each tenant may do."""
    told: dict[str, Caps] = field(default_factory=dict)
    """The caps that this process has told each tenant's account last."""
    seen: dict[str, tuple[Caps, float]] = field(default_factory=dict)
    """The caps that each tenant's account was seen to work by since, and when, by the monotonic clock."""
    previews: Previews = field(default_factory=lambda: Previews(ProcessTemplating()))
    """Renders templates for people who write them."""
    rates: RateLimits = field(default_factory=RateLimits)
    """How many requests each key may send."""
    schedules: Schedules | None = None
    """The engine's own schedules; None: there are none to be had here."""

    @property
    def starter(self) -> Starter:
        """How stored submissions become jobs."""
        return Starter(
            catalogue=self.catalogue,
            pools=self.pools,
            tenants=self.tenants,
            times=self.times,
            window=self.work.window,
            chunks_at_once=self.work.chunks_at_once,
            weights=self.work.tenant_weights,
        )

    def pools_of(self, tenant: str) -> list[str]:
        """The pools that a tenant may buy from."""
        return [pool for pool in self.pools.names if self.tenants.may_use_pool(tenant, pool)]

    reads: Coalescer[tuple[str, str], Snapshot] = field(default_factory=lambda: Coalescer(lambda key: key[0]))
    """Reads of jobs, by tenant and id."""
    watches: Watches = field(default_factory=Watches)
    """Who waits for jobs to change."""
    bad_rows: dict[str, InvalidRows] = field(default_factory=dict)
    """The bad rows of the last jobs that were asked for."""

    def is_operator(self, headers: Mapping[str, str]) -> bool:
        """Is the key that was sent the operator's? Raises Problem: none was sent."""
        return self.admin_sha256 is not None and is_same(bearer(headers), self.admin_sha256)

    @staticmethod
    def now() -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)


async def context(request: Request) -> Context:
    """The application's parts, for a route."""
    return parts_of(request)


async def tenant(request: Request) -> str:
    """Whose jobs the caller may see, or change, by its API key and what that may do.

    Raises:
        Problem: there is no key, it is not known, it lacks the scope, or it sends too many requests.
    """
    return admit(request, "read" if request.method in LOOKING else "submit").tenant


async def admin_tenant(request: Request) -> str:
    """Whose own settings the caller may look at and change: the key needs the scope ``admin``.

    Raises:
        Problem: as ``tenant`` does.
    """
    return admit(request, "admin").tenant


def admit(request: Request, scope: Scope) -> Caller:
    """Who asks, if it may; without FastAPI's dependencies.

    Raises:
        Problem: as ``permit`` does.
    """
    return permit(parts_of(request), request.headers, request.scope, scope)


def permit(
    parts: Context, headers: Mapping[str, str], asked: MutableMapping[str, Any], scope: Scope
) -> Caller:
    """Who asks, if it may; a matter of microseconds.

    The rate is counted, and told by the ``RateLimit`` fields of the answer, whatever it is. ``asked`` is the
    ASGI scope of the request, and the names of its ``headers`` are in small letters.

    Raises:
        Problem: there is no key, it is not known, it lacks the scope, or it sends too many requests.
    """
    caller = parts.keys.authenticate(headers)
    parts.rates.count(caller, asked)
    if scope not in caller.scopes:
        raise lacks(scope, caller)
    return caller


async def administrator(request: Request) -> None:
    """Is it an operator who asks?

    Raises:
        Problem: it is not.
    """
    parts = parts_of(request)
    if parts.admin_sha256 is None:
        raise Problem(FORBIDDEN, "nobody may do this by HTTP: IMAGEMILL_ADMIN_KEY is not set")
    if not parts.is_operator(request.headers):
        raise Problem(FORBIDDEN, "this takes the operator's key, IMAGEMILL_ADMIN_KEY")


def parts_of(request: Request) -> Context:
    """The application's parts, where a route is no dependency's."""
    found: Context = request.app.state.context
    return found
