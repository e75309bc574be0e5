"""Where a job's events may be sent, where they are sent to, and which receivers said that they are gone.

Only the form of an address is looked at here; where its name leads to is found out, and checked, with each
attempt. An address may grant access by itself, so no message holds one.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pydantic import BaseModel, Field
from ssrfguard import Policy, SSRFGuardError

from imagemill.domain.errors import ObjectMissing
from imagemill.domain.places import disabled_prefix, webhook_key
from imagemill.domain.webhooks import LONGEST_URL, EventType
from imagemill.ports import ObjectStore
from imagemill.presence import is_there

HostRule = Callable[[str, str], Awaitable[bool]]
"""May events of this tenant go to this host?"""

_NOT_PRINTED = re.compile(r"[\s\x00-\x1f\x7f]")


async def any_host(tenant: str, host: str) -> bool:
    """Every tenant may name every host that the policy lets through."""
    return True


class Target(BaseModel):
    """``webhook.json``: where a job's events go, and which of them."""

    url: str = Field(repr=False)
    events: list[EventType]

    @property
    def hash(self) -> str:
        """What stands for the address wherever it must not be shown."""
        return hashlib.sha256(self.url.encode()).hexdigest()


class Disabled(BaseModel):
    """A target that answered 410, by the host of its address and the hash of it."""

    target: str
    host: str
    at: datetime
    event: str


@dataclass(frozen=True)
class TargetRules:
    """What an operator lets targets be.

    ``allow_private`` is for tests and closed networks: any address and any port can then be called.
    ``may_call`` is asked with tenant and host, at submission and again before each attempt.
    """

    allow_http: bool = False
    allow_private: bool = False
    may_call: HostRule = any_host

    @cached_property
    def policy(self) -> Policy:
        """Which addresses may be connected to. Redirects are answers to the sender, which follows none."""
        schemes = frozenset({"https", "http"} if self.allow_http else {"https"})
        if not self.allow_private:
            return Policy(allowed_schemes=schemes, max_url_length=LONGEST_URL)
        return Policy(
            allowed_schemes=schemes,
            max_url_length=LONGEST_URL,
            allowed_networks=("0.0.0.0/0", "::/0"),  # type: ignore[arg-type] # it reads them as networks
            allowed_ports=frozenset(range(1, 65536)),
        )

    async def problem(self, tenant: str, url: str) -> str | None:
        """What is wrong with an address as a target, and what would be right; None: nothing."""
        if len(url) > LONGEST_URL:
            return f"has {len(url)} characters; at most {LONGEST_URL} are taken"
        if _NOT_PRINTED.search(url):
            return "holds white space or a control character"
        if url.lower().startswith("http://") and not self.allow_http:
            return "is an http:// address; events are sent to https:// ones"
        host = self.host(url)
        if host is None:
            return (
                "is no address that events are sent to; give https:// with a public host, the usual port, "
                "and no user or password"
            )
        if not await self.may_call(tenant, host):
            return f"names the host {host}, which this tenant's events may not be sent to"
        return None

    def host(self, url: str) -> str | None:
        """The host of an address that may be called; None: it may not."""
        try:
            return str(self.policy.check_url(url).host)
        except (SSRFGuardError, ValueError):
            return None


# --- in the store --------------------------------------------------------------------------------


async def target_of(control: ObjectStore, tenant: str, job: str) -> Target | None:
    """Where a job's events go now; None: nowhere."""
    try:
        return Target.model_validate_json(await control.get(webhook_key(tenant, job)))
    except ObjectMissing:
        return None


async def set_target(control: ObjectStore, tenant: str, job: str, target: Target | None) -> None:
    """Send a job's events there from now on, those included that are still to be delivered."""
    if target is None:
        await control.delete(webhook_key(tenant, job))
    else:
        await control.put(webhook_key(tenant, job), target.model_dump_json().encode())


async def is_disabled(control: ObjectStore, tenant: str, target: str) -> bool:
    """Did this receiver say that it is gone?"""
    return await is_there(control, _disabled_key(tenant, target))


async def disable(control: ObjectStore, tenant: str, disabled: Disabled) -> None:
    """Send nothing to this receiver until somebody insists."""
    await control.put(_disabled_key(tenant, disabled.target), disabled.model_dump_json().encode())


async def enable(control: ObjectStore, tenant: str, target: str) -> None:
    """The receiver is back."""
    await control.delete(_disabled_key(tenant, target))


async def disabled_targets(control: ObjectStore, tenant: str, after: str = "") -> AsyncIterator[Disabled]:
    """The receivers that said that they are gone, in the order of their hashes."""
    async for key in control.keys(disabled_prefix(tenant), after and _disabled_key(tenant, after)):
        yield Disabled.model_validate_json(await control.get(key))


def _disabled_key(tenant: str, target: str) -> str:
    return f"{disabled_prefix(tenant)}{target}.json"
