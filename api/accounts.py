"""Accounts: may this tenant spend, what may it or a schedule of its spend, and what have they spent?"""

import asyncio
import time
from collections.abc import Mapping

import structlog

from api.context import Context
from api.problems import CAPS_IN_FILE, NO_CAP, Problem
from imagemill.caps import caps_of, schedule_caps_of, set_caps
from imagemill.domain.errors import EngineUnavailable, ObjectMissing
from imagemill.domain.messages import AccountStart
from imagemill.domain.places import account_key
from imagemill.domain.tenant import Caps, TenantAccount
from imagemill.domain.windows import day_of
from imagemill.tenants import PATIENCE

log = structlog.get_logger()

NEW_SECONDS = (0.1, 0.2, 0.4, 0.8)
"""An account that has only just begun can't be asked before it knows that nothing was saved of it."""
SEEN_SECONDS = 1.0
"""So long an account is taken to work by the caps that it was seen to work by."""


async def caps_in_force(parts: Context, tenant: str) -> Caps:
    """The caps that a tenant has now."""
    return await caps_of(parts.control, tenant, parts.caps, parts.tenants)


async def open_account(parts: Context, tenant: str) -> None:
    """See to it that the tenant's account runs, and by the caps that are in force.

    Raises:
        Problem: the tenant has no cap, and the operator does not allow that.
    """
    caps, known = await asyncio.gather(caps_in_force(parts, tenant), _caps_seen(parts, tenant))
    if not _suffice(parts, caps):
        raise Problem(
            NO_CAP,
            f"tenant {tenant} has no cap by day or month; an operator sets one with "
            f"PUT /v1/tenants/{tenant}/caps, in the file of tenants, or for all of them with "
            "IMAGEMILL_CAPS_DAY_USD or _MONTH_USD",
        )
    if known != caps:
        await _tell(parts, tenant, caps)


async def _caps_seen(parts: Context, tenant: str) -> Caps | None:
    """The caps that an account works by, as they were seen within the last moment; None: it does not run.

    A tenant who submits many small jobs keeps its account busy, and a look at it waits for it. Caps that have
    changed since are told by whoever changed them, and differ here from those in force; an account that has
    ended since is started by the first job that asks it.
    """
    caps, seen_at = parts.seen.get(tenant, (None, 0.0))
    now = time.monotonic()
    if caps is None or now - seen_at >= SEEN_SECONDS:
        caps = await parts.engine.account_caps(tenant)
        if caps is not None:
            parts.seen[tenant] = caps, now
    return caps


async def change_caps(parts: Context, tenant: str, caps: Caps | None) -> Caps:
    """Set a tenant's caps, or go back to those of all tenants, and tell its account. Answers what it has.

    Raises:
        Problem: a file has the tenant's caps, or it would have none.
    """
    if parts.tenants.path and parts.tenants.caps(tenant):
        name = parts.tenants.path.name
        raise Problem(
            CAPS_IN_FILE,
            f"the caps of tenant {tenant} are in {name} (IMAGEMILL_TENANTS_FILE); change them there",
        )
    new = caps or parts.caps
    if not _suffice(parts, new):
        raise Problem(NO_CAP, f"tenant {tenant} would have no cap, and held jobs would run on without one")
    await set_caps(parts.control, tenant, caps)
    return await _tell(parts, tenant, new)


async def _tell(parts: Context, tenant: str, caps: Caps) -> Caps:
    """Tell an account its caps, until those that were told last are in force.

    Another request, or a change of the file, may have come between the look at the caps and the telling:
    then older caps, which may be larger, would have been told last.
    """
    while True:
        parts.told[tenant] = caps
        parts.seen.pop(tenant, None)
        await parts.engine.tell_account(_start(parts, tenant, caps), caps=caps)
        now = await caps_in_force(parts, tenant)
        if now == caps or not _suffice(parts, now):
            return caps
        caps = now


def _suffice(parts: Context, caps: Caps) -> bool:
    return caps.any or parts.allow_uncapped


async def follow_file(parts: Context) -> None:
    """Tell accounts that run of the caps that the file of tenants changes, for as long as we live.

    At first all that it names are looked at: it may have changed while nobody did.
    """
    seen: dict[str, Caps] = {}
    while parts.tenants.path:
        seen = await follow_once(parts, seen)
        await asyncio.sleep(PATIENCE)


async def follow_once(parts: Context, seen: Mapping[str, Caps]) -> dict[str, Caps]:
    """Tell the accounts whose caps in the file are not those that were seen, or told by a request meanwhile.

    Answers what was seen this time.
    """
    roll = parts.tenants.look()
    said = {name: terms.caps.caps for name, terms in roll.tenants.items() if terms.caps}
    done = dict(seen)
    for tenant in sorted(said.keys() | seen.keys()):
        if said.get(tenant) == seen.get(tenant) == parts.told.get(tenant, said.get(tenant)):
            continue
        try:
            await _follow(parts, tenant)
        except Exception as error:  # noqa: BLE001 - one tenant's trouble is not another's; it is tried again
            log.warning("caps not told yet", tenant=tenant, error=type(error).__name__)
            continue
        done.pop(tenant, None)
        if tenant in said:
            done[tenant] = said[tenant]
    return done


async def _follow(parts: Context, tenant: str) -> None:
    if await parts.engine.account_caps(tenant) is None:
        return
    # It is told even if it seems to have these caps: what it was told last may not have reached it yet.
    caps = await caps_in_force(parts, tenant)
    if _suffice(parts, caps):
        await _tell(parts, tenant, caps)
        log.info("caps told from the file of tenants", tenant=tenant)
    else:
        log.warning("the file has no caps of this tenant any more; what runs keeps the last", tenant=tenant)


async def set_schedule_caps(parts: Context, tenant: str, schedule: str, caps: Caps) -> None:
    """Set what the runs of a schedule may spend together, and tell its account, if any has run.

    Those told last are in force: who changed them meanwhile has told them too, or finds them here.
    """
    await set_caps(parts.control, tenant, caps, schedule=schedule)
    while await parts.engine.account_caps(tenant, schedule) is not None:
        start = _start(parts, tenant, caps).model_copy(update={"schedule": schedule})
        await parts.engine.tell_account(start, caps=caps)
        now = await schedule_caps_of(parts.control, tenant, schedule)
        if now == caps:
            return
        caps = now


async def account_of(parts: Context, tenant: str, schedule: str | None = None) -> TenantAccount:
    """The account of a tenant, or of a schedule, as it stands.

    Where the engine can't say, as it was saved a few seconds ago.

    Raises:
        EngineUnavailable: it was never saved, either.
    """
    for wait in (*NEW_SECONDS, None):
        try:
            account = await _told_or_saved(parts, tenant, schedule)
            break
        except EngineUnavailable:
            if wait is None:
                raise
            await asyncio.sleep(wait)
    if account is None:
        caps = await _caps_of(parts, tenant, schedule)
        account = TenantAccount(
            tenant=tenant, schedule=schedule, caps=caps, today=day_of(parts.now(), caps.time_zone)
        )
    account.turn(day_of(parts.now(), account.caps.time_zone))
    return account


async def _told_or_saved(parts: Context, tenant: str, schedule: str | None) -> TenantAccount | None:
    """None: there is no such account yet. Raises EngineUnavailable: there is, but nobody can tell it."""
    try:
        account = await parts.engine.account(tenant, schedule)
    except EngineUnavailable:
        account = await _saved(parts, tenant, schedule)
        if account is None:
            raise
        return account
    if account is None:
        return await _saved(parts, tenant, schedule)
    account.as_of = parts.now()
    return account


async def _caps_of(parts: Context, tenant: str, schedule: str | None) -> Caps:
    if schedule:
        return await schedule_caps_of(parts.control, tenant, schedule)
    return await caps_in_force(parts, tenant)


async def _saved(parts: Context, tenant: str, schedule: str | None) -> TenantAccount | None:
    try:
        return TenantAccount.model_validate_json(await parts.control.get(account_key(tenant, schedule)))
    except ObjectMissing:
        return None


def _start(parts: Context, tenant: str, caps: Caps) -> AccountStart:
    return AccountStart(tenant=tenant, caps=caps, times=parts.times, updates_a_run=parts.work.account_updates)
