import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.image import Images
from activities.plans import Plans
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import AccountTrouble, NotBilled, NotSent, OutcomeUnknown, Refused
from imagemill.domain.messages import GENERATE, ImageOutcome, ImageTask, Times
from tests.fakes.provider import ScriptedProvider, generated, picture
from tests.unit.activities.places import Shop, call

CATALOGUE = Catalogue.load()
COST = 10 * 5_000 + 196 * 30_000


def task(*, look_first: bool = False, run: str | None = None) -> ImageTask:
    return ImageTask(
        job="job_1",
        tenant="t",
        chunk=0,
        index=0,
        reservation="r1",
        run=environment().info.workflow_run_id or "" if run is None else run,
        look_first=look_first,
        times=Times(),
    )


def environment(*, attempt: int = 1, seconds_ago: float = 0) -> ActivityEnvironment:
    made = ActivityEnvironment()
    started = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    made.info = replace(made.info, activity_type=GENERATE, attempt=attempt, started_time=started)
    return made


def images(shop: Shop, provider: ScriptedProvider) -> Images:
    return Images(Plans(shop.control), provider, shop.delivery, CATALOGUE)


async def buy(
    shop: Shop, provider: ScriptedProvider, *, env: ActivityEnvironment | None = None, **said: bool
) -> ImageOutcome:
    await shop.plan()
    return await (env or environment()).run(images(shop, provider).generate, task(**said))  # type: ignore[arg-type]


async def test_an_item_is_bought_stored_and_settled_by_its_usage() -> None:
    shop, provider = Shop(), ScriptedProvider()
    outcome = await buy(shop, provider)

    assert (outcome.kind, outcome.paid_nano, outcome.warnings) == ("stored", COST, [])
    assert outcome.call
    assert not outcome.call.estimated
    assert outcome.call.reservation == "r1"
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

    assert [method for method, _ in shop.delivered.calls] == ["put_new"]


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
    assert shop.delivered.written == ["shop/job_1/a/1.png"]


@pytest.mark.parametrize("store", ["control", "delivered"])
async def test_a_store_that_is_away_before_the_call_sends_nothing(store: str) -> None:
    shop, provider = Shop(), ScriptedProvider()
    await shop.plan()
    getattr(shop, store).away = 1

    with pytest.raises(NotSent, match="store_away"):
        await environment().run(images(shop, provider).generate, task(look_first=True))
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


async def test_look_finds_what_is_stored() -> None:
    shop = Shop()
    await shop.plan()
    looking = images(shop, ScriptedProvider())

    assert (await environment().run(looking.look, task())).call is None
    stored = await shop.delivery.store(shop.place, call("r0"), [picture()])
    assert (await environment().run(looking.look, task())).call == stored
