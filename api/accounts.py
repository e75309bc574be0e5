"""Tenants' accounts: may this tenant spend, what may it spend, and what has it spent?"""

from api.context import Context
from api.problems import NO_CAP, Problem
from imagemill.caps import caps_of, set_caps
from imagemill.domain.errors import EngineUnavailable, ObjectMissing
from imagemill.domain.messages import AccountStart
from imagemill.domain.places import account_key
from imagemill.domain.tenant import Caps, TenantAccount
from imagemill.domain.windows import day_of


async def open_account(parts: Context, tenant: str) -> None:
    """See to it that the tenant's account runs, and by the caps that are in force.

    Raises:
        Problem: the tenant has no cap, and the operator does not allow that.
    """
    caps = await caps_of(parts.control, tenant, parts.caps)
    if not caps.any and not parts.allow_uncapped:
        raise Problem(
            NO_CAP,
            f"tenant {tenant} has no cap by day or month; an operator sets one with "
            f"PUT /v1/tenants/{tenant}/caps, or IMAGEMILL_CAPS_DAY_USD or _MONTH_USD for all tenants",
        )
    if await parts.engine.account_caps(tenant) != caps:
        await parts.engine.tell_account(_start(parts, tenant, caps), caps=caps)


async def change_caps(parts: Context, tenant: str, caps: Caps | None) -> Caps:
    """Set a tenant's caps, or go back to those of all tenants, and tell its account. Answers what it has."""
    new = caps or parts.caps
    if not new.any and not parts.allow_uncapped:
        raise Problem(NO_CAP, f"tenant {tenant} would have no cap, and held jobs would run on without one")
    await set_caps(parts.control, tenant, caps)
    caps = new
    await parts.engine.tell_account(_start(parts, tenant, caps), caps=caps)
    return caps


async def account_of(parts: Context, tenant: str) -> TenantAccount:
    """The account as it stands; as it was saved a few seconds ago, where the engine can't say.

    Raises:
        EngineUnavailable: it was never saved, either.
    """
    try:
        account = await parts.engine.account(tenant)
        if account:
            account.as_of = parts.now()
        else:
            account = await _saved(parts, tenant)
    except EngineUnavailable:
        account = await _saved(parts, tenant)
        if account is None:
            raise
    if account is None:
        caps = await caps_of(parts.control, tenant, parts.caps)
        account = TenantAccount(tenant=tenant, caps=caps, today=day_of(parts.now(), caps.time_zone))
    account.turn(day_of(parts.now(), account.caps.time_zone))
    return account


async def _saved(parts: Context, tenant: str) -> TenantAccount | None:
    try:
        return TenantAccount.model_validate_json(await parts.control.get(account_key(tenant)))
    except ObjectMissing:
        return None


def _start(parts: Context, tenant: str, caps: Caps) -> AccountStart:
    return AccountStart(tenant=tenant, caps=caps, times=parts.times, updates_a_run=parts.work.account_updates)
