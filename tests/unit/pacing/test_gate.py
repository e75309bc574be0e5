"""The gate: who goes when, and what it does about a 429."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemill.domain.errors import NotBilled, NotSent
from imagemill.domain.pace import Pace, Told
from imagemill.pacing.gate import Gate, Ticket
from tests.unit.pacing.simulated import clock, gate, now, run, today


def refused(made: Gate, ticket: Ticket, wait: float | None, over: str | None = "images") -> None:
    error = NotBilled("rate_limited", retry_after=wait)
    error.told = Told(wait=wait, over=over)
    made.failed(ticket, error)


def test_where_nothing_is_known_nobody_waits() -> None:
    async def story() -> None:
        made = gate()
        for _ in range(1000):
            await made.enter(10, 10**6)
        assert now() < 1

    run(story())


def test_who_came_first_goes_first_whatever_it_takes() -> None:
    async def story() -> list[int]:
        made, gone = gate(), list[int]()
        made.adopt(Pace(images_per_minute=10))
        await made.enter(10, 0)

        async def enter(number: int, images: int) -> None:
            await made.enter(images, 0)
            gone.append(number)

        await asyncio.gather(*(enter(number, 10 if number % 2 == 0 else 1) for number in range(8)))
        return gone

    assert run(story()) == list(range(8))


def test_who_gives_up_waiting_takes_nothing() -> None:
    async def story() -> None:
        made = gate()
        made.adopt(Pace(images_per_minute=60))
        await made.enter(60, 0)
        waiting = [asyncio.create_task(made.enter(30, 0)) for _ in range(3)]
        await asyncio.sleep(5)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert not any(isinstance(task, asyncio.Task) and not task.cancelled() for task in waiting)

        began = now()
        await made.enter(6, 0)
        assert now() - began == pytest.approx(1, abs=0.1)

    run(story())


def test_tokens_count_as_well_as_images() -> None:
    async def story() -> float:
        made = gate()
        made.adopt(Pace(images_per_minute=600, tokens_per_minute=6000))
        await made.enter(1, 6000)
        await made.enter(1, 1000)
        return now()

    assert run(story()) == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("while_it_waits", [False, True])
def test_a_worker_that_stops_sends_nothing_that_waits(while_it_waits: bool) -> None:
    async def story() -> float:
        made = gate()
        made.adopt(Pace(images_per_minute=1))
        await made.enter(1, 0)
        stop = 20 if while_it_waits else 0
        with pytest.raises(NotSent, match="worker_stopping"):
            await made.enter(1, 0, stopping=lambda: now() >= stop)
        return now() - stop

    assert 0 <= run(story()) <= 1.01


# --- a 429 ---------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.floats(0, 40),
            st.none() | st.floats(0, 90),
            st.sampled_from(["images", "tokens", None]),
            st.sampled_from(["heard", "adopted"]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([None, 6.0, 600.0]),
)
@settings(max_examples=60, deadline=None)
def test_no_call_before_a_told_wait_has_passed(
    refusals: list[tuple[float, float | None, str | None, str]], rate: float | None
) -> None:
    entered: list[float] = []
    closed: list[tuple[float, float]] = []

    async def keep_calling(made: Gate) -> None:
        while True:
            ticket = await made.enter(1, 100)
            entered.append(now())
            made.succeeded(ticket, Told(images_left=50, tokens_left=10**6))
            await asyncio.sleep(0.25)

    async def story() -> None:
        made = gate()
        pace = Pace(images_per_minute=rate, tokens_per_minute=60_000)
        made.adopt(pace)
        calling = asyncio.create_task(keep_calling(made))
        for passed, wait, over, how in refusals:
            await asyncio.sleep(passed)
            if how == "heard":
                refused(made, Ticket(clock(), 1, 100), wait, over)
            else:
                until = today().fromtimestamp(clock() + (wait or 0), today().tzinfo)
                made.adopt(pace.model_copy(update={"paused_until": until}))
            closed.append((now(), now() + (wait or 0)))
        await asyncio.sleep(100)
        calling.cancel()

    run(story())
    assert not [at for at in entered for start, end in closed if start < at < end - 1e-5]
    assert entered[-1] > max(end for _, end in closed)


def test_after_a_wait_it_goes_on_at_once() -> None:
    async def story() -> float:
        made = gate()
        made.adopt(Pace(images_per_minute=60))
        refused(made, await made.enter(4, 0), 12.5)
        await made.enter(4, 0)
        return now()

    assert run(story()) == pytest.approx(12.5, abs=0.01)


def test_an_older_shorter_wait_does_not_end_a_longer_one() -> None:
    async def story() -> float:
        made = gate()
        tickets = [await made.enter(1, 0) for _ in range(2)]
        refused(made, tickets[0], 30)
        refused(made, tickets[1], 1)
        made.adopt(Pace())
        await made.enter(1, 0)
        return now()

    assert run(story()) == pytest.approx(30, abs=0.01)


def test_a_429_without_a_wait_slows_down_too() -> None:
    async def story() -> int:
        made, calls = gate(), 0
        made.adopt(Pace(images_per_minute=6))
        for _ in range(6):
            await made.enter(1, 0)
        began = now()
        while now() < began + 60:
            ticket = await made.enter(1, 0)
            calls += 1
            await asyncio.sleep(0.2)
            refused(made, ticket, None, None)
        return calls

    assert run(story()) <= 7


def test_no_call_before_the_wait_of_another_error_has_passed() -> None:
    async def story() -> float:
        made = gate()
        made.failed(await made.enter(1, 0), NotBilled("http_503", retry_after=20))
        await made.enter(1, 0)
        return now()

    assert run(story()) >= 20
