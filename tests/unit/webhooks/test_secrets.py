import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest

from imagemill.domain.errors import StoreUnavailable
from imagemill.webhook_secrets import MOST_AT_ONCE, TooManySecrets, ring_of, rotate, secret_problem
from tests.fakes.store import MemoryStore

NOW = datetime(2026, 3, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def secret(size: int) -> str:
    return "whsec_" + base64.b64encode(b"x" * size).decode()


async def test_of_many_who_ask_first_at_once_all_are_told_the_same_secret() -> None:
    store = MemoryStore()
    rings = await asyncio.gather(*(ring_of(store, "t", NOW) for _ in range(10)))
    assert len({ring.current.secret for ring in rings}) == 1
    assert secret_problem(rings[0].current.secret) is None
    assert (await ring_of(store, "other", NOW)).current.secret != rings[0].current.secret


async def test_after_a_rotation_both_sign_until_the_old_one_runs_out() -> None:
    store = MemoryStore()
    old = (await ring_of(store, "t", NOW)).current.secret
    new = (await rotate(store, "t", None, DAY, NOW)).current.secret
    ring = await ring_of(store, "t", NOW)
    assert [each.secret for each in ring.signing(NOW + DAY / 2)] == [new, old]
    assert [each.secret for each in ring.signing(NOW + DAY)] == [new]


async def test_an_own_secret_and_none_kept() -> None:
    store = MemoryStore()
    await ring_of(store, "t", NOW)
    ring = await rotate(store, "t", secret(32), timedelta(0), NOW)
    assert [each.secret for each in ring.signing(NOW)] == [secret(32)]


async def test_the_current_secret_given_again_is_no_second_one() -> None:
    store = MemoryStore()
    await rotate(store, "t", secret(32), DAY, NOW)
    ring = await rotate(store, "t", secret(32), DAY, NOW)
    assert [each.secret for each in ring.signing(NOW)].count(secret(32)) == 1


async def test_a_later_rotation_does_not_prolong_what_runs_out() -> None:
    store = MemoryStore()
    first = (await ring_of(store, "t", NOW)).current.secret
    await rotate(store, "t", None, DAY, NOW)
    ring = await rotate(store, "t", None, 10 * DAY, NOW)
    assert first not in [each.secret for each in ring.signing(NOW + 2 * DAY)]


async def test_two_rotations_at_once_both_sign() -> None:
    store = MemoryStore()
    await ring_of(store, "t", NOW)
    rings = await asyncio.gather(*(rotate(store, "t", None, DAY, NOW) for _ in range(3)))
    signing = {each.secret for each in (await ring_of(store, "t", NOW)).signing(NOW)}
    assert {ring.current.secret for ring in rings} <= signing
    assert len(signing) == 4


async def test_too_many_at_once_are_refused_and_change_nothing() -> None:
    store = MemoryStore()
    for _ in range(MOST_AT_ONCE - 1):
        await rotate(store, "t", None, DAY, NOW)
    before = await ring_of(store, "t", NOW)
    with pytest.raises(TooManySecrets):
        await rotate(store, "t", None, DAY, NOW)
    assert await ring_of(store, "t", NOW) == before
    assert len((await rotate(store, "t", None, timedelta(0), NOW)).signing(NOW)) == 1


async def test_a_store_that_is_away_makes_no_secret() -> None:
    store = MemoryStore()
    store.away = 1
    with pytest.raises(StoreUnavailable):
        await ring_of(store, "t", NOW)
    assert store.written == []


@pytest.mark.parametrize("text", ["", "whsec_", secret(23), secret(65), secret(32)[6:], "whsec_not base64!"])
def test_what_is_no_secret(text: str) -> None:
    assert "whsec_" in (secret_problem(text) or "")


@pytest.mark.parametrize("size", [24, 32, 64])
def test_what_is_a_secret(size: int) -> None:
    assert secret_problem(secret(size)) is None
