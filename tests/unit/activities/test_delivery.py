import asyncio

import pytest

from imagemill.domain.item import CallRecord
from imagemill.domain.places import record_key
from tests.fakes.provider import picture
from tests.unit.activities.places import Shop, call

NAME = "shop/job_1/a/1.png"
RED, BLUE = picture("red"), picture("blue")


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits pass at once; says how long they would have been."""
    waits: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds:
            waits.append(seconds)
        await real(0)

    monkeypatch.setattr("activities.delivery.asyncio.sleep", sleep)
    return waits


async def test_one_image_is_its_own_record() -> None:
    shop = Shop()
    mine = call("r1", RED)

    assert await shop.delivery.find(shop.place) is None
    assert await shop.delivery.store(shop.place, mine, [RED]) == mine
    assert shop.delivered.written == [NAME]
    assert shop.delivered.data(NAME) == RED
    assert (await shop.delivered.head(NAME)).content_type == "image/png"
    assert shop.control.written == []
    assert await shop.delivery.find(shop.place) == mine


async def test_a_lost_answer_is_found_to_be_ours(no_waits: list[float]) -> None:
    shop = Shop()
    shop.delivered.lost_answers = 1
    mine = call("r1", RED)

    assert await shop.delivery.store(shop.place, mine, [RED]) == mine
    assert shop.delivered.written == [NAME]


async def test_anothers_image_is_adopted_and_not_replaced() -> None:
    shop = Shop()
    first = await shop.delivery.store(shop.place, call("r1", RED), [RED])
    counts = await shop.delivery.store(shop.place, call("r2", BLUE), [BLUE])

    assert counts == first
    assert shop.delivered.data(NAME) == RED
    assert await shop.delivery.find(shop.place) == first


async def test_beside_a_foreign_object_the_image_is_kept_as_a_set() -> None:
    shop = Shop()
    await shop.delivered.put(NAME, b"the customer's own")
    counts = await shop.delivery.store(shop.place, call("r1", RED), [RED])

    assert counts.as_set
    assert shop.delivered.data(NAME) == b"the customer's own"
    assert shop.delivered.data("shop/job_1/a/1.r1.png") == RED
    assert await shop.delivery.find(shop.place) == counts


async def test_of_two_sets_the_first_record_counts_and_both_are_kept() -> None:
    shop = Shop(n=2)
    winner = await shop.delivery.store(shop.place, call("r1", RED, RED), [RED, RED])
    answer = await shop.delivery.store(shop.place, call("r2", BLUE, BLUE), [BLUE, BLUE])

    assert answer == winner
    assert winner.reservation == "r1"
    assert shop.delivered.written == [f"shop/job_1/a/{n}.{r}.png" for n in (1, 2) for r in ("r1", "r2")]
    assert shop.control.written == [record_key("t", "job_1", 0, 0)]
    assert await shop.delivery.find(shop.place) == winner


async def test_sets_stored_at_once_have_one_winner() -> None:
    shop = Shop(n=2)
    answers = await asyncio.gather(
        *(shop.delivery.store(shop.place, call(f"r{n}", RED, BLUE), [RED, BLUE]) for n in range(5))
    )

    assert {answer.reservation for answer in answers} == {answers[0].reservation}


async def test_a_set_counts_only_once_all_its_images_are_there() -> None:
    shop = Shop(n=2)
    await shop.delivered.put("shop/job_1/a/1.r1.png", RED)

    assert await shop.delivery.find(shop.place) is None


@pytest.mark.parametrize("count", [1, 3])
async def test_fewer_or_more_images_than_asked_are_kept_all(count: int) -> None:
    shop = Shop(n=2)
    images = [RED] * count
    counts = await shop.delivery.store(shop.place, call("r1", *images), images)

    assert counts.as_set
    assert len(shop.delivered.written) == count


async def test_paid_images_wait_while_the_store_is_away(no_waits: list[float]) -> None:
    shop = Shop()
    shop.delivered.away = 10
    mine = call("r1", RED)

    assert await shop.delivery.store(shop.place, mine, [RED]) == mine
    assert shop.delivered.data(NAME) == RED
    assert len(no_waits) == 10
    assert no_waits == sorted(no_waits)
    assert max(no_waits) == 10


async def test_a_set_waits_for_either_store(no_waits: list[float]) -> None:
    shop = Shop(n=2)
    shop.delivered.away, shop.control.away, shop.control.lost_answers = 3, 2, 1
    images = [RED, BLUE]

    counts: CallRecord = await shop.delivery.store(shop.place, call("r1", *images), images)
    assert counts.reservation == "r1"
    assert await shop.delivery.find(shop.place) == counts
