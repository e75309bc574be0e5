"""The gate before an account in trouble: nobody goes through but a probe now and then."""

import asyncio

import pytest

from imagemill.domain.errors import AccountTrouble, CallError, NotBilled, NotSent, OutcomeUnknown, Refused
from imagemill.domain.pace import Pace, Trouble
from imagemill.pacing.gate import FAILURES_IN_A_ROW, PROVIDER_FAILING, Gate, InTrouble
from tests.unit.pacing.simulated import gate, now, run, today

KEY = AccountTrouble("invalid_api_key")
UNKNOWN = OutcomeUnknown("http_500")


async def call(made: Gate, error: CallError | None = None, *, insists: bool = False) -> None:
    ticket = await made.enter(1, 0, insists=insists)
    if error:
        made.failed(ticket, error)
    else:
        made.succeeded(ticket, None)


async def kept_back(made: Gate) -> float:
    began = now()
    with pytest.raises(InTrouble) as raised:
        await made.enter(1, 0)
    assert now() == began
    return raised.value.wait


def test_in_trouble_calls_are_kept_back_at_once() -> None:
    async def story() -> None:
        made = gate()
        await call(made, KEY)
        assert await kept_back(made) == pytest.approx(15, abs=0.01)
        await asyncio.sleep(10)
        assert await kept_back(made) == pytest.approx(5, abs=0.01)

    run(story())


def test_who_waits_when_the_trouble_begins_is_kept_back_too() -> None:
    async def story() -> None:
        made = gate()
        under_way = await made.enter(1, 0)
        made.adopt(Pace(paused_until=today().replace(year=2030)))
        waiting = [asyncio.create_task(made.enter(1, 0)) for _ in range(5)]
        await asyncio.sleep(3)
        made.failed(under_way, KEY)
        began = now()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert now() - began < 1.01
        assert all(isinstance(outcome, InTrouble) for outcome in outcomes)

    run(story())


def test_one_probe_goes_through_an_interval_which_doubles_up_to_the_last() -> None:
    async def story() -> None:
        made = gate()
        await call(made, KEY)
        began, probes = now(), list[float]()
        while now() < began + 1600:
            try:
                ticket = await made.enter(1, 0)
            except InTrouble:
                await asyncio.sleep(0.5)
                continue
            probes.append(now() - began)
            await asyncio.sleep(0.2)
            made.failed(ticket, KEY)
        gaps = [later - earlier for earlier, later in zip([0.0, *probes], probes, strict=False)]
        assert gaps == [pytest.approx(gap, abs=1.3) for gap in (15, 30, 60, 120, 240, 300, 300, 300)]

    run(story())


def test_while_a_probe_is_under_way_only_one_more_goes_an_interval() -> None:
    async def story() -> None:
        made = gate()
        await call(made, KEY)
        await asyncio.sleep(15)
        assert (await made.enter(1, 0)).is_probe
        assert await kept_back(made) == pytest.approx(15, abs=0.01)
        await asyncio.sleep(15)
        assert (await made.enter(1, 0)).is_probe
        await kept_back(made)

    run(story())


def test_who_insists_goes_through_and_takes_nobodys_turn() -> None:
    async def story() -> None:
        made = gate()
        assert not (await made.enter(1, 0, insists=True)).is_probe
        await call(made, KEY)
        await asyncio.sleep(1)
        await call(made, KEY, insists=True)
        assert await kept_back(made) == pytest.approx(14, abs=0.01)
        await call(made, insists=True)
        assert not (await made.enter(1, 0)).is_probe

    run(story())


def test_who_insists_still_waits_for_the_limits() -> None:
    async def story() -> None:
        made = gate()
        made.adopt(Pace(images_per_minute=60))
        made.failed(await made.enter(60, 0), KEY)
        await made.enter(10, 0, insists=True)
        assert now() == pytest.approx(10, abs=0.1)

    run(story())


def test_a_success_of_a_call_sent_since_ends_the_trouble() -> None:
    async def story() -> None:
        made = gate()
        await call(made, KEY)
        await asyncio.sleep(15)
        await call(made)
        assert not (await made.enter(1, 0)).is_probe
        news = made.take_news()
        assert news
        assert news.mended
        assert news.trouble is None

    run(story())


def test_a_success_of_a_call_sent_before_does_not() -> None:
    async def story() -> None:
        made = gate()
        before = await made.enter(1, 0)
        await asyncio.sleep(1)
        await call(made, KEY)
        await asyncio.sleep(1)
        made.succeeded(before, None)
        await kept_back(made)

    run(story())


def test_calls_sent_before_do_not_put_the_next_probe_off() -> None:
    async def story() -> None:
        made = gate()
        under_way = [await made.enter(1, 0) for _ in range(20)]
        await call(made, KEY)
        await asyncio.sleep(10)
        for ticket in under_way:
            made.failed(ticket, KEY)
        assert await kept_back(made) == pytest.approx(5, abs=0.01)

    run(story())


def test_of_the_pool_a_gate_learns_of_trouble_and_of_its_end() -> None:
    async def story() -> None:
        made = gate()
        trouble = Trouble(code="insufficient_quota", since=today(), next_probe=today(), wait=60)
        later = trouble.model_copy(update={"next_probe": today().replace(year=2030)})
        made.adopt(Pace(trouble=later))
        await kept_back(made)
        made.adopt(Pace(trouble=trouble))
        await kept_back(made)
        made.adopt(Pace())
        assert not (await made.enter(1, 0)).is_probe

    run(story())


# --- the breaker ---------------------------------------------------------------------------------


def test_so_many_unknown_outcomes_in_a_row_are_trouble() -> None:
    async def story() -> None:
        made = gate()
        for _ in range(FAILURES_IN_A_ROW):
            await call(made, UNKNOWN)
        with pytest.raises(InTrouble) as raised:
            await made.enter(1, 0)
        assert raised.value.code == PROVIDER_FAILING
        await asyncio.sleep(15)
        await call(made, UNKNOWN)
        assert await kept_back(made) == pytest.approx(30, abs=0.01)
        await asyncio.sleep(30)
        await call(made)
        for _ in range(FAILURES_IN_A_ROW - 1):
            await call(made, UNKNOWN)
        assert not (await made.enter(1, 0)).is_probe

    run(story())


def test_a_success_between_begins_the_count_again() -> None:
    async def story() -> None:
        made = gate()
        for number in range(10 * FAILURES_IN_A_ROW):
            await call(made, None if number % FAILURES_IN_A_ROW == 0 else UNKNOWN)
        await call(made)

    run(story())


@pytest.mark.parametrize("error", [NotBilled("rate_limited"), Refused("y")])
def test_an_answer_is_no_failure(error: CallError) -> None:
    async def story() -> None:
        made = gate()
        for _ in range(3 * FAILURES_IN_A_ROW):
            await call(made, error)

    run(story())


@pytest.mark.parametrize("error", [NotBilled("http_503"), NotSent("connect_failed"), UNKNOWN])
def test_a_provider_that_does_not_answer_is_in_trouble(error: CallError) -> None:
    async def story() -> None:
        made = gate()
        for _ in range(FAILURES_IN_A_ROW):
            await call(made, error)
        assert await kept_back(made) == pytest.approx(15, abs=0.01)

    run(story())


def test_one_job_that_fails_beside_others_is_not_the_providers_trouble() -> None:
    async def story() -> None:
        made = gate()
        made.succeeded(await made.enter(1, 0, job="sound"), None)
        for _ in range(3 * FAILURES_IN_A_ROW):
            made.failed(await made.enter(1, 0, job="poison"), UNKNOWN)
        made.failed(await made.enter(1, 0, job="sound"), UNKNOWN)
        assert await kept_back(made) == pytest.approx(15, abs=0.01)

    run(story())


def test_a_probe_that_outlasts_the_trouble_begins_no_new_one() -> None:
    async def story() -> None:
        made = gate()
        await call(made, KEY)
        await asyncio.sleep(15)
        slow = await made.enter(1, 0)
        await call(made, insists=True)
        made.failed(slow, UNKNOWN)
        await call(made)

    run(story())
