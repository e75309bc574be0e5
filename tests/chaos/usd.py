"""Sums of money as the API takes them."""


def usd(nano: int) -> str:
    """Nano-dollars as a decimal string."""
    return f"{nano // 10**9}.{nano % 10**9:09d}"
