"""The caps of a tenant: what the file of tenants says, or an operator has set, or what all tenants have."""

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


async def set_caps(control: ObjectStore, tenant: str, caps: Caps | None) -> None:
    """Set a tenant's caps, or take its own ones away; its account is to be told."""
    if caps is None:
        await control.delete(caps_key(tenant))
    else:
        await control.put(caps_key(tenant), caps.model_dump_json().encode())
