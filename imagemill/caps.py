"""The caps of a tenant: what the file of tenants says, or an operator has set, or what all tenants have.

A schedule has those that were set for it, or none: its tenant's hold besides.
"""

from imagemill.domain.errors import ObjectMissing
from imagemill.domain.places import caps_key
from imagemill.domain.tenant import Caps
from imagemill.ports import ObjectStore
from imagemill.tenants import Tenants


async def caps_of(control: ObjectStore, tenant: str, defaults: Caps, tenants: Tenants) -> Caps:
    """The caps that are in force."""
    if said := tenants.caps(tenant):
        return said
    try:
        return Caps.model_validate_json(await control.get(caps_key(tenant)))
    except ObjectMissing:
        return defaults


async def schedule_caps_of(control: ObjectStore, tenant: str, schedule: str) -> Caps:
    """The caps of a schedule."""
    try:
        return Caps.model_validate_json(await control.get(caps_key(tenant, schedule)))
    except ObjectMissing:
        return Caps()


async def set_caps(
    control: ObjectStore, tenant: str, caps: Caps | None, *, schedule: str | None = None
) -> None:
    """Set the caps of a tenant or a schedule, or take its own ones away; its account is to be told."""
    key = caps_key(tenant, schedule)
    if caps is None:
        await control.delete(key)
    else:
        await control.put(key, caps.model_dump_json().encode())
