"""Money is an integer of nano-dollars inside, and a decimal string of US dollars at the edge."""

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Decimal, InvalidOperation, localcontext

NANO_DECIMALS = 9
NANO_PER_USD = 10**NANO_DECIMALS
LARGEST_NANO = 10**9 * NANO_PER_USD
"""A billion dollars: above it a sum is a typing error, and still far below 2**63."""


def parse_usd(text: str) -> int:
    """Read a decimal string of US dollars as nano-dollars.

    Raises:
        ValueError: it is no plain decimal number, is negative, is finer than a nano-dollar, or is
            above a billion dollars. The message says which.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f'{text!r} is not a decimal number of US dollars, such as "25.00"') from None
    if not amount.is_finite():
        raise ValueError(f"{text!r} is not a finite number of US dollars")
    if amount < 0:
        raise ValueError(f"{text!r} is negative")
    if amount > LARGEST_NANO // NANO_PER_USD:
        raise ValueError(f"{text!r} is above a billion dollars")
    with localcontext(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN):
        nano = amount.scaleb(NANO_DECIMALS)
        if nano != nano.to_integral_value():
            raise ValueError(f"{text!r} is finer than a nano-dollar (nine decimal places)")
        return int(nano)


def format_usd(nano: int) -> str:
    """Write nano-dollars as a decimal string of US dollars, exact, with at least two decimal places."""
    sign = "-" if nano < 0 else ""
    whole, rest = divmod(abs(nano), NANO_PER_USD)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"
