import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.image import Images, Search
from activities.plans import Plans
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import (
    AccountTrouble,
    NotBilled,
    NotSent,
    OutcomeUnknown,
    Refused,
    StoreUnavailable,
)
from imagemill.domain.messages import GENERATE, ImageOutcome, ImageTask, Times
from imagemill.domain.pace import Pace, Told
from imagemill.pacing.gate import FAILURES_IN_A_ROW, PROVIDER_FAILING, Gate, Ticket
from imagemill.tenants import Tenants
from tests.fakes.provider import ScriptedProvider, generated, picture
from tests.unit.activities.places import Shop, call

CATALOGUE = Catalogue.load()
COST = 10 * 5_000 + 196 * 30_000


def task(*, look_first: bool = False, run: str | None = None, insists: bool = False) -> ImageTask:
    return ImageTask(
        job="job_1",
        tenant="t",
        chunk=0,
        index=0,
        reservation="r1",
        run=environment().info.workflow_run_id or "" if run is None else run,
        look_first=look_first,
        insists=insists,
        times=Times(),
    )


def environment(*, attempt: int = 1, seconds_ago: float = 0) -> ActivityEnvironment:
    made = ActivityEnvironment()
    started = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    made.info = replace(made.info, activity_type=GENERATE, attempt=attempt, started_time=started)
    return made


def open_gate() -> Gate:
    return Gate("w", (15, 300), time.time)


def images(shop: Shop, provider: ScriptedProvider, gate: Gate | None = None) -> Images:
    return Images(
        Plans(shop.control), provider, shop.delivery, CATALOGUE, gate=gate or open_gate(), pool="reseller"
    )


async def buy(
    shop: Shop,
    provider: ScriptedProvider,
    *,
    env: ActivityEnvironment | None = None,
    gate: Gate | None = None,
    insists: bool = False,
) -> ImageOutcome:
    await shop.plan()
    buying = images(shop, provider, gate)
    return await (env or environment()).run(buying.generate, task(insists=insists))


async def test_an_item_is_bought_stored_and_settled_by_its_usage() -> None:
    shop, provider = Shop(), ScriptedProvider()
    outcome = await buy(shop, provider)

    assert (outcome.kind, outcome.paid_nano, outcome.warnings) == ("stored", COST, [])
    assert outcome.call
    assert not outcome.call.estimated
    assert (outcome.call.reservation, outcome.call.pool) == ("r1", "reseller")
    assert shop.delivered.data("shop/job_1/a/1.png") == picture()
    assert provider.calls == [(shop.item.request, 600)]
    assert "private" not in outcome.model_dump_json()


@pytest.mark.parametrize("why", ["told", "second attempt", "other run"])
async def test_what_is_stored_already_is_not_bought_again(why: str) -> None:
    shop, provider = Shop(), ScriptedProvider()
    await shop.plan()
    stored = await shop.delivery.store(shop.place, call("r0"), [picture()])
    env = environment(attempt=2 if why == "second attempt" else 1)
    asked = task(look_first=why == "told", run="another" if why == "other run" else None)

    outcome = await env.run(images(shop, provider).generate, asked)

    assert (outcome.kind, outcome.call, outcome.paid_nano) == ("stored", stored, None)
    assert provider.calls == []


async def test_the_first_attempt_does_not_look() -> None:
    shop = Shop()
    await buy(shop, ScriptedProvider())

    assert {method for method, _ in shop.delivered.calls} == {"put_new"}


async def test_who_was_not_heard_for_half_the_timeout_sends_nothing() -> None:
    shop, provider = Shop(), ScriptedProvider()

    with pytest.raises(NotSent, match="too_old"):
        await buy(shop, provider, env=environment(seconds_ago=61))
    assert provider.calls == []
    assert (await buy(shop, provider, env=environment(seconds_ago=55))).kind == "stored"


async def test_a_cancel_during_the_call_still_finishes_stores_and_reports() -> None:
    shop, provider = Shop(), ScriptedProvider()
    provider.gate.clear()
    env = environment()
    buying = asyncio.create_task(buy(shop, provider, env=env))
    await provider.arrived.wait()
    env.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not buying.done()
    provider.gate.set()

    assert (await buying).paid_nano == COST
    assert shop.kept == ["shop/job_1/a/1.png"]


@pytest.mark.parametrize("store", ["control", "delivered"])
async def test_a_store_that_is_away_before_the_call_sends_nothing(store: str) -> None:
    shop, provider = Shop(), ScriptedProvider()
    await shop.plan()
    getattr(shop, store).away = 1

    with pytest.raises(NotSent, match="store_away"):
        await environment().run(images(shop, provider).generate, task(look_first=True))
    assert provider.calls == []


async def test_nothing_is_bought_that_the_store_would_not_take() -> None:
    shop, provider = Shop(), ScriptedProvider()
    shop.delivered.away = 1

    with pytest.raises(NotSent, match="store_away"):
        await buy(shop, provider)
    assert provider.calls == []


@pytest.mark.parametrize("store", ["control", "delivered"])
async def test_a_store_that_refuses_holds_the_work_like_an_account_in_trouble(store: str) -> None:
    shop, provider = Shop(), ScriptedProvider()
    await shop.plan()
    getattr(shop, store).refuses = True

    outcome = await environment().run(images(shop, provider).generate, task())

    assert (outcome.kind, outcome.code, outcome.wait) == ("account", "store_refused", 15)
    assert provider.calls == []


async def test_while_a_paid_image_waits_for_the_store_no_other_is_bought() -> None:
    shop, provider = Shop(), ScriptedProvider()
    await shop.plan()
    buying = images(shop, provider)
    provider.gate.clear()
    first = asyncio.create_task(environment().run(buying.generate, task()))
    await provider.arrived.wait()
    shop.delivered.refuses = True
    provider.gate.set()
    for _ in range(20):  # until it is told, with many turns to spare
        await asyncio.sleep(0)
    assert shop.delivery.trouble

    held = await environment().run(buying.generate, task())

    assert (held.kind, held.code) == ("account", "store_refused")
    assert len(provider.calls) == 1
    shop.delivered.refuses = False
    assert (await first).paid_nano == COST
    assert shop.kept == ["shop/job_1/a/1.png"]


async def test_a_call_whose_turn_comes_after_the_store_has_gone_is_not_made() -> None:
    shop, provider = Shop(), ScriptedProvider()

    class Late(Gate):
        async def enter(self, *arguments: Any, **more: Any) -> Ticket:
            shop.delivery.delivery_room.refused(StoreUnavailable())
            return await super().enter(*arguments, **more)

    with pytest.raises(NotSent, match="store_away"):
        await buy(shop, provider, gate=Late("w", (15, 300), time.time))
    assert provider.calls == []


@pytest.mark.parametrize(("blocked", "billed"), [(True, True), (True, False), (False, False)])
async def test_a_refusal_is_an_answer(blocked: bool, billed: bool) -> None:
    refusal = Refused("blocked", "req_2", blocked=blocked, maybe_billed=billed)
    outcome = await buy(Shop(), ScriptedProvider(refusal))

    assert (outcome.kind, outcome.blocked, outcome.write_off) == ("refused", blocked, billed)
    assert (outcome.code, outcome.request_id, outcome.paid_nano) == ("blocked", "req_2", None)


async def test_trouble_of_the_account_is_an_answer() -> None:
    outcome = await buy(Shop(), ScriptedProvider(AccountTrouble("invalid_api_key", "req_3")))

    assert (outcome.kind, outcome.code, outcome.paid_nano) == ("account", "invalid_api_key", None)


@pytest.mark.parametrize("error", [NotBilled("rate_limited"), OutcomeUnknown("x"), NotSent("y")])
async def test_what_is_no_answer_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        await buy(Shop(), ScriptedProvider(error))


async def test_without_a_usage_the_maximum_is_charged_and_marked() -> None:
    shop = Shop()
    outcome = await buy(shop, ScriptedProvider(generated(usage=None)))

    assert outcome.paid_nano == shop.item.maximum_nano
    assert outcome.call
    assert outcome.call.estimated


async def test_anothers_image_counts_but_our_own_call_is_settled() -> None:
    shop = Shop()
    first = await shop.delivery.store(shop.place, call("r0", cost=1), [picture()])
    outcome = await buy(shop, ScriptedProvider(generated(picture("blue"))))

    assert (outcome.call, outcome.paid_nano, outcome.warnings) == (first, COST, ["paid_twice"])


async def test_fewer_images_and_another_format_are_warned_of() -> None:
    shop = Shop(n=2)
    outcome = await buy(shop, ScriptedProvider(generated(picture(form="JPEG"))))

    assert outcome.warnings == ["1_of_2_images", "other_format_than_asked"]


async def test_what_is_no_image_is_dropped_and_the_rest_kept() -> None:
    shop = Shop(n=2)
    outcome = await buy(shop, ScriptedProvider(generated(b"not an image", picture())))

    assert outcome.call
    assert [image.format for image in outcome.call.images] == ["png"]
    assert outcome.warnings == ["1_of_2_images"]
    assert outcome.paid_nano == COST


async def test_bytes_that_are_no_image_at_all_are_of_unknown_outcome() -> None:
    shop = Shop()
    with pytest.raises(OutcomeUnknown) as caught:
        await buy(shop, ScriptedProvider(generated(b"not an image")))

    assert (caught.value.code, caught.value.request_id) == ("unreadable_images", "req_1")
    assert shop.kept == []


async def test_look_finds_what_is_stored() -> None:
    shop = Shop()
    await shop.plan()
    looking = Search(Plans(shop.control), shop.delivery)

    assert (await environment().run(looking.look, task())).call is None
    stored = await shop.delivery.store(shop.place, call("r0"), [picture()])
    assert (await environment().run(looking.look, task())).call == stored


# --- the gate ------------------------------------------------------------------------------------

KEY_TROUBLE = AccountTrouble("invalid_api_key", "req_3")
MODEL = "gpt-image-2.5-flare"
TOLD = Told(images_limit=50, images_left=12)


async def test_a_call_that_the_gate_keeps_back_is_an_answer_and_no_call() -> None:
    gate, provider = open_gate(), ScriptedProvider(KEY_TROUBLE)
    first = await buy(Shop(), provider, gate=gate)
    second = await buy(Shop(), provider, gate=gate)

    assert (first.kind, first.code, first.wait) == ("account", "invalid_api_key", None)
    assert (second.kind, second.code, second.paid_nano) == ("account", "invalid_api_key", None)
    assert second.wait
    assert 14 < second.wait <= 15
    assert len(provider.calls) == 1


async def test_who_insists_is_let_through_and_ends_the_trouble() -> None:
    gate = open_gate()
    await buy(Shop(), ScriptedProvider(KEY_TROUBLE), gate=gate)

    assert (await buy(Shop(), ScriptedProvider(), gate=gate, insists=True)).kind == "stored"
    assert (await buy(Shop(), ScriptedProvider(), gate=gate)).kind == "stored"


@pytest.mark.parametrize("refused", [False, True])
async def test_the_gate_hears_what_an_answer_tells(refused: bool) -> None:
    gate, refusal = open_gate(), Refused("blocked", blocked=True)
    refusal.told = TOLD
    await buy(Shop(n=3), ScriptedProvider(refusal if refused else generated(told=TOLD)), gate=gate)
    news = gate.take_news()

    assert news
    assert (news.calls, news.images, news.refused) == (1, 3, 0)
    assert news.told == TOLD.model_copy(update={"model": MODEL})


async def test_the_gate_hears_of_a_429() -> None:
    gate, error = open_gate(), NotBilled("rate_limited", retry_after=7)
    with pytest.raises(NotBilled):
        await buy(Shop(), ScriptedProvider(error), gate=gate)
    news = gate.take_news()

    assert news
    assert (news.calls, news.refused, news.told) == (1, 1, Told(wait=7, model=MODEL))


async def test_calls_of_unknown_outcome_close_the_gate_and_a_refusal_between_them_does_not() -> None:
    gate, unknown = open_gate(), ScriptedProvider(OutcomeUnknown("http_500"))
    await fail(gate, unknown, FAILURES_IN_A_ROW - 1)
    await buy(Shop(), ScriptedProvider(Refused("blocked")), gate=gate)
    await fail(gate, unknown, FAILURES_IN_A_ROW)
    outcome = await buy(Shop(), unknown, gate=gate)

    assert (outcome.kind, outcome.code) == ("account", PROVIDER_FAILING)
    assert outcome.wait
    assert len(unknown.calls) == 2 * FAILURES_IN_A_ROW - 1


async def fail(gate: Gate, provider: ScriptedProvider, times: int) -> None:
    for _ in range(times):
        with pytest.raises(OutcomeUnknown):
            await buy(Shop(), provider, gate=gate)


async def test_a_worker_that_stops_does_not_send_what_waits_at_the_gate() -> None:
    gate, provider, env = open_gate(), ScriptedProvider(), environment()
    gate.adopt(Pace(paused_until=datetime.now(UTC) + timedelta(hours=1)))
    env.worker_shutdown()

    with pytest.raises(NotSent, match="worker_stopping"):
        await buy(Shop(), provider, gate=gate, env=env)
    assert provider.calls == []


async def test_what_waits_at_the_gate_can_be_cancelled() -> None:
    gate, provider, env = open_gate(), ScriptedProvider(), environment()
    gate.adopt(Pace(paused_until=datetime.now(UTC) + timedelta(hours=1)))
    buying = asyncio.create_task(buy(Shop(), provider, gate=gate, env=env))
    for _ in range(20):
        await asyncio.sleep(0)
    assert gate.busy
    env.cancel()

    with pytest.raises((asyncio.CancelledError, NotSent)):
        await buying
    assert provider.calls == []
    gate.adopt(Pace())
    assert not gate.busy


async def test_a_model_without_a_price_here_is_not_called() -> None:
    shop, provider = Shop(), ScriptedProvider()
    assert shop.item.request
    shop.item = shop.item.model_copy(update={"request": shop.item.request.model_copy(update={"model": "m"})})

    with pytest.raises(NotSent, match="model_not_priced_here"):
        await buy(shop, provider)
    assert provider.calls == []


async def test_what_was_not_sent_uses_up_no_limit() -> None:
    # Where all wait for longer than half the heartbeat timeout, each takes its turn and none is sent.
    gate = open_gate()
    gate.adopt(Pace(images_per_minute=5))
    with pytest.raises(NotSent, match="too_old"):
        await buy(Shop(), ScriptedProvider(), gate=gate, env=environment(seconds_ago=61))

    assert gate.take_news() is None


async def test_nothing_takes_time_between_the_check_of_the_age_and_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hash of what is sent waits for a thread, which may be long where many inputs are checked."""
    order: list[str] = []

    class Spy(Gate):
        async def enter(self, *args: Any, **more: Any) -> Ticket:
            order.append("turn")
            return await super().enter(*args, **more)

    async def hashed(*_: object) -> str:
        order.append("hash")
        return "ab" * 32

    monkeypatch.setattr("activities.image.hash_of_sent", hashed)
    shop = Shop()
    outcome = await buy(shop, ScriptedProvider(), gate=Spy("w", (15, 300), time.time))

    assert order == ["hash", "turn"]
    assert outcome.call
    assert outcome.call.request_sha256 is None, "the plan has all that was sent"
    said = [(await shop.delivered.head(image)).metadata for image in shop.delivered.written]
    assert "ab" * 32 in {each.get("imagemill-request") for each in said}


@pytest.mark.parametrize("fails", [False, True])
async def test_the_job_is_told_that_what_it_bought_can_t_be_stored(
    monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    monkeypatch.setattr("activities.image.TELL_SECONDS", 0.01)
    shop, provider, told = Shop(), ScriptedProvider(), []

    async def tell(workflow: str, wait: float) -> None:
        told.append((workflow, wait))
        shop.delivered.refuses = False
        if fails:
            raise LookupError("no such workflow")

    await shop.plan()
    buying = Images(
        Plans(shop.control), provider, shop.delivery, CATALOGUE, gate=open_gate(), pool="reseller", tell=tell
    )
    provider.gate.clear()
    env = environment()
    first = asyncio.create_task(env.run(buying.generate, task()))
    await provider.arrived.wait()
    shop.delivered.refuses = True
    provider.gate.set()

    assert (await first).paid_nano == COST
    assert told == [(env.info.workflow_id, 15)]


async def test_nothing_is_bought_for_a_tenant_that_was_removed(tmp_path: Path) -> None:
    shop, provider, file = Shop(), ScriptedProvider(), tmp_path / "tenants.toml"
    file.write_text("[tenants.t]\nremoved = true\n")
    await shop.plan()
    buying = Images(
        Plans(shop.control), provider, shop.delivery, CATALOGUE, gate=open_gate(), tenants=Tenants(file)
    )

    refused = await environment().run(buying.generate, task())
    stored = await shop.delivery.store(shop.place, call("r0"), [picture()])
    found = await environment().run(buying.generate, task(look_first=True))

    assert (refused.kind, refused.code) == ("account", "tenant_removed")
    assert provider.calls == []
    assert found.call == stored  # what was bought before counts
