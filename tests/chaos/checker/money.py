"""Money as whole nano-dollars."""

from decimal import Decimal
from typing import Any


def nano(usd: Any) -> int:
    """A decimal string of US dollars as nano-dollars."""
    return int(Decimal(str(usd)) * 10**9)


def usd(amount: int) -> str:
    """Nano-dollars for people."""
    return f"${Decimal(amount) / 10**9:f}"
