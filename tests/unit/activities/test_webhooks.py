"""Writing events down, attempting deliveries, and what is remembered of both."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.webhooks import AT_ONE_HOST, SHARE, Deliveries, Emission
from imagemill.domain.errors import EngineUnavailable, StoreUnavailable
from imagemill.domain.messages import Times
from imagemill.domain.places import event_key
from imagemill.domain.webhook_messages import Attempt, DeliverTask, EmitTask, RecordTask
from imagemill.domain.webhooks import Notice, event_id
from imagemill.ports import Receipt
from imagemill.webhook_log import KEPT_ATTEMPTS, Delivery, LoggedAttempt, WebhookLog
from imagemill.webhook_secrets import rotate
from imagemill.webhook_targets import Disabled, Target, TargetRules, disable, is_disabled, set_target
from tests.fakes.engine import MemoryEngine
from tests.fakes.sender import MemorySender
from tests.fakes.store import MemoryStore

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
JOB = "job_01J9ZC3V5N8Q4T6W7XKABCDEFG"
URL = "https://hooks.example.com/in?token=very-secret"
TARGET = Target(url=URL, events=["job.held", "job.completed"])
NOTICE = Notice(type="job.held", number=1, at=NOW, state="held")
EVENT = event_id(JOB, "job.held", 1)


class Office:
    """The activities on a store, an engine and a sender in memory."""

    def __init__(self, *, control: MemoryStore | None = None, rules: TargetRules | None = None) -> None:
        self.control, self.engine, self.sender = control or MemoryStore(), MemoryEngine(), MemorySender()
        self.rules = rules or TargetRules()
        self.emission = Emission(self.control, self.engine, self.rules, [0.0, 5.0], Times())
        self.deliveries = Deliveries(self.control, self.sender, self.rules)
        self.log = WebhookLog(self.control, "t")

    async def emit(self, notice: Notice = NOTICE, *, tenant: str = "t") -> None:
        task = EmitTask(tenant=tenant, job=JOB, notice=notice)
        await ActivityEnvironment().run(self.emission.emit, task)

    async def deliver(self, event: str = EVENT, *, insists: bool = False, tenant: str = "t") -> Attempt:
        task = DeliverTask(tenant=tenant, event=event, insists=insists)
        return await ActivityEnvironment().run(self.deliveries.deliver, task)

    async def record(self, attempt: Attempt, **more: object) -> None:
        task = RecordTask.model_validate({"tenant": "t", "event": EVENT, "attempt": attempt} | more)
        await ActivityEnvironment().run(self.deliveries.record, task)

    async def states(self) -> list[tuple[str, str]]:
        page = await self.log.page(job=None, state=None, after=None, limit=100)
        return [(delivery.event, delivery.state) for delivery in page.data]


@pytest.fixture
async def office() -> Office:
    made = Office()
    await set_target(made.control, "t", JOB, TARGET)
    return made


# --- events --------------------------------------------------------------------------------------


async def test_an_event_is_written_before_its_delivery_is_started(office: Office) -> None:
    office.engine.away = 1
    with pytest.raises(EngineUnavailable):
        await office.emit()
    assert json.loads(await office.log.body(EVENT))["data"]["id"] == JOB
    assert await office.states() == [(EVENT, "pending")]
    assert office.engine.deliveries == []

    await office.emit()
    assert [(start.event, start.waits, again) for start, again in office.engine.deliveries] == [
        (EVENT, [0.0, 5.0], False)
    ]


class Fragile(MemoryStore):
    """Its so-manieth call from now on is answered by nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.breaks_at = 0

    async def _arrive(self, method: str, key: str) -> None:
        self.breaks_at -= 1
        if self.breaks_at == 0:
            raise StoreUnavailable
        await super()._arrive(method, key)


@pytest.mark.parametrize("step", range(1, 7))
async def test_an_event_that_is_told_again_after_any_step_is_the_same_event(step: int) -> None:
    office = Office(control=(control := Fragile()))
    await set_target(control, "t", JOB, TARGET)
    control.breaks_at = step
    with pytest.raises(StoreUnavailable):
        await office.emit()
    written = control.objects.get(event_key("t", EVENT))
    await office.emit(NOTICE.model_copy(update={"at": NOW + timedelta(1)}))
    if written:
        assert control.objects[event_key("t", EVENT)] == written
    assert await office.states() == [(EVENT, "pending")]
    assert len(office.engine.deliveries) == 1


async def test_an_event_whose_writing_was_answered_by_nothing_is_there_once(office: Office) -> None:
    office.control.lost_answers = 1
    with pytest.raises(StoreUnavailable):
        await office.emit()
    await office.emit()
    await office.emit()
    assert await office.states() == [(EVENT, "pending")]
    assert len(office.engine.deliveries) == 1


async def test_no_address_travels_with_the_delivery(office: Office) -> None:
    await office.emit()
    assert "very-secret" not in "".join(start.model_dump_json() for start, _ in office.engine.deliveries)
    assert "very-secret" not in (await office.log.delivery(EVENT)).model_dump_json()


async def test_what_the_webhook_does_not_ask_for_any_more_is_no_event(office: Office) -> None:
    await office.emit(NOTICE.model_copy(update={"type": "job.running"}))
    await set_target(office.control, "t", JOB, None)
    await office.emit()
    assert await office.states() == []
    assert office.engine.deliveries == []


async def test_an_event_for_a_disabled_target_is_listed_and_not_sent(office: Office) -> None:
    gone = Disabled(target=TARGET.hash, host="hooks.example.com", at=NOW, event="evt_0")
    await disable(office.control, "t", gone)
    await office.emit()
    assert await office.states() == [(EVENT, "disabled")]
    assert office.engine.deliveries == []


# --- attempts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("receipt", "kind", "problem"),
    [
        (Receipt(status=200), "delivered", None),
        (Receipt(status=204), "delivered", None),
        (Receipt(status=410), "gone", None),
        (Receipt(status=301), "again", "redirected"),
        (Receipt(status=404), "again", None),
        (Receipt(status=429, retry_after=9), "again", None),
        (Receipt(status=500), "again", None),
        (Receipt(problem="too_slow"), "again", "too_slow"),
        (Receipt(problem="address_refused"), "again", "address_refused"),
    ],
)
async def test_what_an_answer_means(office: Office, receipt: Receipt, kind: str, problem: str | None) -> None:
    await office.emit()
    office.sender.answers = [receipt]
    attempt = await office.deliver()
    assert (attempt.kind, attempt.problem) == (kind, problem)
    assert (attempt.status, attempt.retry_after) == (receipt.status, receipt.retry_after)
    assert "hooks" not in attempt.model_dump_json()
    assert [letter.event for _, letter in office.sender.sent] == [EVENT]


async def test_it_goes_where_the_webhook_is_now(office: Office) -> None:
    await office.emit()
    await set_target(office.control, "t", JOB, Target(url="https://other.example.com/", events=["job.held"]))
    await office.deliver()
    assert [url for url, _ in office.sender.sent] == ["https://other.example.com/"]


async def test_a_removed_webhook_is_sent_nothing(office: Office) -> None:
    await office.emit()
    await set_target(office.control, "t", JOB, None)
    attempt = await office.deliver(insists=True)
    assert (attempt.kind, attempt.problem) == ("disabled", "webhook_removed")
    assert office.sender.sent == []


async def test_a_disabled_target_is_sent_only_what_somebody_insists_on(office: Office) -> None:
    await office.emit()
    await office.record(Attempt(kind="gone", at=NOW, status=410, target=TARGET.hash), state="disabled")
    assert (await office.deliver()).problem == "target_disabled"
    assert office.sender.sent == []
    attempt = await office.deliver(insists=True)
    assert attempt.kind == "delivered"
    await office.record(attempt, state="delivered")
    assert not await is_disabled(office.control, "t", TARGET.hash)
    assert (await office.deliver()).kind == "delivered"


async def test_a_target_that_rules_forbid_by_now_is_not_called() -> None:
    async def nobody(tenant: str, host: str) -> bool:
        return False

    office = Office(rules=TargetRules(may_call=nobody))
    await set_target(office.control, "t", JOB, TARGET)
    await office.emit()
    assert (await office.deliver()).problem == "address_refused"
    assert office.sender.sent == []


async def test_all_secrets_that_sign_now_are_used(office: Office) -> None:
    await office.emit()
    await office.deliver()
    own = "whsec_" + base64.b64encode(b"x" * 32).decode()
    await rotate(office.control, "t", own, timedelta(days=1), datetime.now(UTC))
    await office.deliver()
    (_, before), (_, after) = office.sender.sent
    assert list(after.secrets) == [own, *before.secrets]


async def test_of_one_host_only_so_many_attempts_are_under_way_and_others_go_on(office: Office) -> None:
    await office.emit()
    office.sender.gate.clear()
    slow = [asyncio.create_task(office.deliver()) for _ in range(AT_ONE_HOST)]
    for _ in slow:
        await office.sender.came.get()
    assert (await office.deliver()).kind == "busy"
    await set_target(office.control, "t", JOB, Target(url="https://other.example.com/", events=["job.held"]))
    other = asyncio.create_task(office.deliver())
    assert await office.sender.came.get() == "https://other.example.com/"
    office.sender.gate.set()
    assert {attempt.kind for attempt in await asyncio.gather(*slow, other)} == {"delivered"}
    await set_target(office.control, "t", JOB, TARGET)
    assert (await office.deliver()).kind == "delivered"


async def points_to(office: Office, host: str, tenant: str = "t") -> None:
    await set_target(office.control, tenant, JOB, Target(url=f"https://{host}/", events=["job.held"]))


async def test_a_tenant_whose_receivers_all_hang_leaves_places_to_others(office: Office) -> None:
    """However many hosts it names."""
    await office.emit()
    await points_to(office, "hooks.other.com", tenant="other")
    await office.emit(tenant="other")
    office.sender.gate.clear()
    slow = []
    for number in range(64 // SHARE):
        await points_to(office, f"hooks-{number}.example.com")
        slow.append(asyncio.create_task(office.deliver()))
        await office.sender.came.get()
    await points_to(office, "one-more.example.com")

    assert (await office.deliver()).kind == "busy"
    other = asyncio.create_task(office.deliver(tenant="other"))
    assert await office.sender.came.get() == "https://hooks.other.com/"
    office.sender.gate.set()
    assert {attempt.kind for attempt in await asyncio.gather(*slow, other)} == {"delivered"}
    assert (await office.deliver()).kind == "delivered"


async def test_a_host_that_hangs_for_one_tenant_is_tried_for_another(office: Office) -> None:
    """Several tenants may have their receivers at one host, such as that of a platform."""
    await points_to(office, "hooks.example.com", tenant="other")
    for tenant in ("t", "other"):
        await office.emit(tenant=tenant)
    office.sender.gate.clear()
    slow = [asyncio.create_task(office.deliver()) for _ in range(AT_ONE_HOST)]
    for _ in slow:
        await office.sender.came.get()
    other = asyncio.create_task(office.deliver(tenant="other"))
    assert await office.sender.came.get() == "https://hooks.example.com/"
    office.sender.gate.set()
    assert (await other).kind == "delivered"
    await asyncio.gather(*slow)


async def test_what_the_store_does_is_no_attempt(office: Office) -> None:
    await office.emit()
    office.control.away = 1
    with pytest.raises(StoreUnavailable):
        await office.deliver()
    assert office.sender.sent == []


# --- the record ----------------------------------------------------------------------------------


async def test_an_attempt_that_is_recorded_twice_counts_once(office: Office) -> None:
    await office.emit()
    attempt = Attempt(kind="again", at=NOW, status=500, seconds=0.2)
    later = NOW + timedelta(seconds=5)
    for _ in range(2):
        await office.record(attempt, state="pending", next_attempt_at=later)
    delivery = await office.log.delivery(EVENT)
    assert delivery.attempts == [LoggedAttempt(at=NOW, seconds=0.2, status=500)]
    assert (delivery.state, delivery.next_attempt_at) == ("pending", later)


async def test_a_record_is_bounded(office: Office) -> None:
    await office.emit()
    for n in range(KEPT_ATTEMPTS + 3):
        attempt = Attempt(kind="again", at=NOW + timedelta(seconds=n), status=500)
        await office.record(attempt, state="pending")
    attempts = (await office.log.delivery(EVENT)).attempts
    assert len(attempts) == KEPT_ATTEMPTS
    assert attempts[-1].at == NOW + timedelta(seconds=KEPT_ATTEMPTS + 2)


async def test_the_log_is_paged_from_the_newest_on() -> None:
    office = Office()
    for n in range(5):
        delivery = Delivery(
            event=f"evt_{n:032d}",
            job=JOB if n % 2 else "job_other",
            type="job.held",
            host="h",
            created_at=NOW + timedelta(seconds=n),
            state="failed" if n < 2 else "delivered",
        )
        await office.log.open(delivery, b"{}")

    async def numbers(**more: object) -> tuple[list[int], bool, str | None]:
        asked = {"job": None, "state": None, "after": None, "limit": 2} | more
        page = await office.log.page(**asked)  # type: ignore[arg-type]
        return [int(each.event[4:]) for each in page.data], page.has_more, page.last

    first, more, last = await numbers()
    assert (first, more) == ([4, 3], True)
    second, more, last = await numbers(after=last)
    assert (second, more) == ([2, 1], True)
    assert (await numbers(after=last))[:2] == ([0], False)
    assert (await numbers(job=JOB, limit=9))[0] == [3, 1]
    failed, more, last = await numbers(state="failed", limit=1)
    assert (failed, more) == ([1], True)
    assert (await numbers(state="failed", limit=1, after=last))[:2] == ([0], False)
