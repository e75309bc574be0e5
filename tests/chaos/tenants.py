"""The file of tenants of a run, with a key for each."""

import hashlib
import secrets
from collections.abc import Iterable
from pathlib import Path

from tests.chaos.scenario import TenantPlan

SCOPES = '["read", "submit", "admin"]'


def write_tenants(path: Path, tenants: Iterable[TenantPlan]) -> dict[str, str]:
    """Write the file, and answer the keys by tenant."""
    keys = {tenant.id: f"im_{secrets.token_hex(6)}_{secrets.token_hex(20)}" for tenant in tenants}
    path.write_text("\n".join(_tenant(tenant, keys[tenant.id]) for tenant in tenants))
    return keys


def _tenant(tenant: TenantPlan, key: str) -> str:
    caps = {"day_usd": tenant.day_usd, "month_usd": tenant.month_usd}
    lines = [
        f"[tenants.{tenant.id}]",
        f"weight = {tenant.weight}",
        f"[tenants.{tenant.id}.caps]",
        *(f'{name} = "{cap}"' for name, cap in caps.items() if cap is not None),
        f"[[tenants.{tenant.id}.keys]]",
        f'id = "{key.split("_")[1]}"',
        f'sha256 = "{hashlib.sha256(key.encode()).hexdigest()}"',
        f"scopes = {SCOPES}",
    ]
    return "\n".join(lines) + "\n"
