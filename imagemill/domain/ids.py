"""Ids that sort by the time of their making, in the ULID form (48 bits of milliseconds, 80 of chance)."""

import secrets
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(kind: str) -> str:
    """Make an id such as ``job_01J9ZC3V5N8Q4T6W7XKABCDEFG``."""
    return id_of(kind, time.time_ns() // 1_000_000, secrets.randbits(80))


def id_of(kind: str, milliseconds: int, rest: int) -> str:
    """The id with this time, and these 80 bits after it: the same from the same."""
    return f"{kind}_{_ulid(milliseconds, rest)}"


def made_at(id_: str) -> float:
    """When an id was made, in seconds since the epoch."""
    number = 0
    for character in id_.partition("_")[2]:
        number = number << 5 | _CROCKFORD.index(character)
    return (number >> 80) / 1000


def _ulid(milliseconds: int, chance: int) -> str:
    number = (milliseconds << 80) | chance
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))
