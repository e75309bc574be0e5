"""Money, for people and for options."""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, InvalidOperation

import typer

CENT = Decimal("0.01")


def dollars(amount: Decimal) -> str:
    """Money for people: whole cents from a dollar up, and hundredths of a cent below, where there are any."""
    sign, amount = "-" if amount < 0 else "", abs(amount)
    cents = amount.quantize(CENT, ROUND_HALF_UP)
    if amount >= 1 or amount == cents:
        return f"{sign}${cents:,}"
    return f"{sign}${amount.quantize(Decimal('0.0001'), ROUND_HALF_UP)}"


def whole_cents(amount: Decimal) -> Decimal:
    """The least amount of whole cents that is enough."""
    return amount.quantize(CENT, ROUND_CEILING)


def parse_amount(text: str, option: str | None = None) -> Decimal:
    """An amount that was typed, as the value of an option.

    Raises:
        BadParameter: it is none, or below 0.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise typer.BadParameter(
            f"{text!r} is no amount of US dollars; one looks like 25.00", param_hint=option
        )
    return amount
