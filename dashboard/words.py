"""Values as a person reads them: the filters of the templates."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any, Literal
from urllib.parse import quote

from imagemill.domain.errors import explain

Tone = Literal["idle", "busy", "good", "warn", "bad", "still"]

TONES: dict[str, Tone] = {
    "queued": "idle", "validating": "busy", "running": "busy", "pausing": "still", "paused": "still",
    "held": "warn", "cancelling": "still", "cancelled": "still", "completed": "good",
    "completed_with_errors": "warn", "failed": "bad", "duplicate": "still",
    "pending": "idle", "succeeded": "good", "blocked": "bad", "skipped": "warn",
    "ok": "good", "away": "bad", "refused": "bad", "trouble": "bad", "unknown": "idle", "silent": "warn",
    "disabled": "warn", "active": "good", "ended": "still", "delivered": "good", "delivering": "busy",
    "undelivered": "bad",
}  # fmt: skip
"""How a state is drawn; its word and its sign say the same."""

STATES = {
    "ok": "All right",
    "trouble": "In trouble",
    "unknown": "Not started yet",
    "completed_with_errors": "Completed with errors",
}

UNKNOWN = "—"
"""Stands for what is not known, or not known yet."""

AT_SECONDS = (
    (60, 1, "second"),
    (3600, 60, "minute"),
    (86400, 3600, "hour"),
    (30 * 86400, 86400, "day"),
    (365 * 86400, 30 * 86400, "month"),
)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def money(usd: str | Decimal | None) -> str:
    """``$1,234.50``; below a cent as many places as it takes to see something; a dash if it is not known."""
    if usd is None:
        return UNKNOWN
    amount = Decimal(usd)
    if amount == 0 or abs(amount) >= Decimal("0.01"):
        return _signed(f"{abs(amount.quantize(Decimal('0.01'), ROUND_HALF_UP)):,}", amount)
    places = min(9, 1 - amount.adjusted())
    return _signed(f"{abs(round(amount, places)):f}", amount)


def round_up(usd: str) -> str:
    """To the next cent, as a sum that can be typed."""
    return str(Decimal(usd).quantize(Decimal("0.01"), ROUND_CEILING))


def _signed(text: str, amount: Decimal) -> str:
    return f"-${text}" if amount < 0 else f"${text}"


def count(number: float | None) -> str:
    """``12,345``; a dash for what is not known."""
    return UNKNOWN if number is None else f"{number:,}"


def percent(part: float, whole: float | None) -> str:
    """``42%``; what is not whole is never said to be."""
    if not whole:
        return "0%"
    return f"{min(99, int(part * 100 / whole)) if part < whole else 100}%"


def size(number: int) -> str:
    """Bytes: ``1.4 MB``."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def duration(seconds: float | None) -> str:
    """``3 h 12 min``, ``45 s``; a dash for what is not known."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    said = [part for part in parts if part][:2]
    return " ".join(said) if said else f"{left} s"


def ago(moment: datetime) -> str:
    """``3 minutes ago``, ``in 2 hours``."""
    seconds = (now() - moment).total_seconds()
    away = abs(seconds)
    if away < 10:
        return "just now"
    number, unit = int(away // (365 * 86400)), "year"
    for below, each, name in AT_SECONDS:
        if away < below:
            number, unit = int(away // each), name
            break
    said = f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{said} ago" if seconds > 0 else f"in {said}"


def moment(time: datetime) -> str:
    """``2026-05-01 12:00 UTC``."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def zone_name(local: datetime) -> str:
    """Which time it is there: ``CEST`` where that has a name, ``+05:30`` where it has none."""
    name = local.tzname() or ""
    return name if name.isalpha() else f"{local:%z}"[:3] + ":" + f"{local:%z}"[3:5]


def iso(time: datetime) -> str:
    """As machines read it."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def clock(time: datetime) -> str:
    """``12:04:30``."""
    return f"{time.astimezone(UTC):%H:%M:%S}"


def pair(name: str) -> tuple[str, str]:
    """A state as a choice."""
    return name, state(name)


def segment(text: str) -> str:
    """Text as one segment of a path, whatever is in it."""
    return quote(text, safe="")


def state(name: str) -> str:
    """``Completed with errors``."""
    return STATES.get(name, name.replace("_", " ").capitalize())


def tone(name: str) -> Tone:
    """How a state is drawn."""
    return TONES.get(name, "idle")


def plural(number: int, one: str, more: str | None = None) -> str:
    """``1 item``, ``3 items``."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


FILTERS: dict[str, Callable[..., Any]] = {
    "money": money,
    "round_up": round_up,
    "zone_name": zone_name,
    "count": count,
    "percent": percent,
    "size": size,
    "duration": duration,
    "ago": ago,
    "moment": moment,
    "iso": iso,
    "state": state,
    "segment": segment,
    "clock": clock,
    "pair": pair,
    "tone": tone,
    "plural": plural,
    "explain": explain,
}
