"""What may each tenant do? As the operator's file says now: it is read again when it has changed."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from imagemill.domain.access import KnownKey, Roll, Terms
from imagemill.domain.errors import Misconfigured
from imagemill.domain.tenant import Caps
from imagemill.inputs.reference import Rules
from imagemill.tenants_file import read_tenants

log = structlog.get_logger()

PATIENCE = 1.0
"""Seconds between two looks at the file."""

SETTLED = 2.0
"""Seconds after which a file's time of change tells the next change from this one, on any file system."""

State = tuple[int, int, int]


class Tenants:
    """The tenants of a file; without one, tenants that may do everything and have no key here.

    A file that has become unusable changes nothing: what it said last stays in force, and ``problem`` says
    why. All is meant for one event loop, and costs a comparison of clocks unless the file has changed.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Read the file.

        Raises:
            Misconfigured: it can't be used; says every fault and where it is.
        """
        self.path = path
        self.problem: str | None = None
        """Why the file as it is now can't be used, where it can't."""
        self._clock = clock
        self._now = now
        self._roll = Roll()
        self._text: bytes | None = None
        self._state: State | None = None
        self._rules: dict[tuple[str, Rules], Rules] = {}
        self._looked_at = clock()
        if path:
            try:
                self._load(path)
            except OSError as error:
                raise Misconfigured(f"IMAGEMILL_TENANTS_FILE: {path}: {error.strerror}") from None

    @property
    def roll(self) -> Roll:
        """All of them, by a look at the file that is at most a second old."""
        if self.path and self._clock() - self._looked_at >= PATIENCE:
            self.look()
        return self._roll

    def look(self) -> Roll:
        """All of them, by a look at the file now: before money is at stake."""
        if self.path:
            self._looked_at = self._clock()
            try:
                if _state_of(self.path) != self._state:
                    self._load(self.path)
            except OSError as error:
                self._text = None  # whatever is found there next is to be read
                self._keep(f"IMAGEMILL_TENANTS_FILE: {self.path}: {error.strerror}")
            except Misconfigured as error:
                self._keep(str(error))
        return self._roll

    # --- what a tenant may do -----------------------------------------------------------------

    def key(self, key_id: str) -> KnownKey | None:
        """The key of that id."""
        return self.roll.key(key_id)

    def terms(self, tenant: str) -> Terms:
        """Everything that the file says of a tenant."""
        return self.roll.terms(tenant)

    def caps(self, tenant: str) -> Caps | None:
        """Its caps, as the file is now; None: the file has none for it."""
        said = self.look().terms(tenant).caps
        return said.caps if said else None

    def is_removed(self, tenant: str) -> bool:
        """Is nothing more to be bought for it, as the file is now?"""
        return self.look().terms(tenant).removed

    def weight(self, tenant: str, otherwise: float) -> float:
        """Its share where tenants wait for the same provider."""
        said = self.terms(tenant).weight
        return otherwise if said is None else said

    def rules(self, tenant: str, shared: Rules) -> Rules:
        """What its references may be: ``shared``, but with its own buckets where the file names some now."""
        buckets = self.look().terms(tenant).buckets
        if buckets is None:
            return shared
        found = self._rules.get((tenant, shared))
        if found is None:
            found = self._rules[tenant, shared] = replace(shared, buckets=buckets)
        return found

    def may_use_pool(self, tenant: str, pool: str) -> bool:
        """May its jobs be bought from this pool?"""
        pools = self.terms(tenant).pools
        return pools is None or pool in pools

    def may_call_host(self, tenant: str, host: str) -> bool:
        """May its webhooks go to this host? Whether the host is a public one is for the caller to check."""
        return self.terms(tenant).may_call(host)

    # --- the file -----------------------------------------------------------------------------

    def _load(self, path: Path) -> None:
        state = _state_of(path)
        text = path.read_bytes()
        # A file that was changed a moment ago may change again within the same tick of its clock.
        self._state = state if self._now() - state[0] / 1e9 > SETTLED else None
        if text == self._text:
            return
        self._text = text
        self._roll = read_tenants(text, path.name)
        self._rules.clear()
        self.problem = None
        log.info("tenants read", tenants=len(self._roll.tenants))

    def _keep(self, problem: str) -> None:
        """Go on with what the file said last."""
        if problem != self.problem:
            self.problem = problem
            log.error("the file of tenants can't be used; what it said last stays in force", problem=problem)


def _state_of(path: Path) -> State:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
