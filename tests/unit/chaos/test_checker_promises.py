"""The checker on doctored evidence, for the promises beyond ends, caps, images and books."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.chaos.green import WORD, Green, green
from tests.unit.chaos.story import BEGAN
from tests.unit.chaos.test_checker import broken, verdict_of


@pytest.fixture
def told() -> Green:
    return green()


def undecided(told: Green, folder: Path, words: str) -> int:
    """How often the checker says that it can't tell, for this reason."""
    found = verdict_of(told, folder).undecided
    return sum(times for why, times in found.items() if words in why)


def parts_are_fine(told: Green) -> None:
    """Nothing befalls any part; what was written off is the provider's doing."""
    for line in told.story.faults:
        if line["event"] in ("begin", "end"):
            line["kind"] = "provider"
    told.story.provider[0]["fault"] = "reset_after_billing"


# --- I5: once ------------------------------------------------------------------------------------


def test_a_key_that_gives_two_jobs_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("submit", nth=1)["body"]["id"] = "job_01OTHER0000000000000000000"
    assert "I5" in broken(told, tmp_path)


def test_another_body_under_a_key_is_seen(told: Green, tmp_path: Path) -> None:
    begun = next(line for line in told.story.clients if line.get("name") == "submit")
    begun["body"]["name"] = "another"
    assert broken(told, tmp_path) == {"I5"}


def test_one_job_for_two_tenants_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("submit", nth=2)["body"]["id"] = told.acme.id
    assert "I5" in broken(told, tmp_path)


def test_a_refused_body_under_a_key_is_right(told: Green, tmp_path: Path) -> None:
    headers = {"Idempotency-Key": "daily"}
    told.story.failed("submit", 5.0, 422, tenant="acme", headers=headers, body=told.beta.body())
    assert broken(told, tmp_path) == set()


def test_a_job_that_ran_and_was_given_to_nobody_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.put("control", "jobs/acme/job_01LOST00000000000000000000/claim.json", b"{}")
    assert broken(told, tmp_path) == {"I5"}


def test_a_job_that_somebody_may_have_asked_for_without_a_key_is_not_judged(
    told: Green, tmp_path: Path
) -> None:
    told.story.put("control", "jobs/acme/job_01LOST00000000000000000000/claim.json", b"{}")
    told.story.call("submit", 5.0, tenant="acme", body=told.acme.body())
    assert broken(told, tmp_path) == set()
    assert undecided(told, tmp_path / "again", "nobody was given") == 1


# --- I6: kept ------------------------------------------------------------------------------------


def test_an_accepted_job_that_is_gone_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("final-status", told.beta.id).update(event="failed", status=404)
    assert "I6" in broken(told, tmp_path)


def test_an_accepted_job_that_never_ends_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("final-status", told.beta.id)["body"]["state"] = "queued"
    assert broken(told, tmp_path) >= {"I6", "I15"}


def test_a_job_that_is_made_anew_for_its_key_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("final-resubmit")["status"] = 202
    assert broken(told, tmp_path) == {"I6"}


# --- I7: bought once -----------------------------------------------------------------------------


def test_an_image_that_is_bought_again_is_seen(told: Green, tmp_path: Path) -> None:
    item = told.beta.items[0]
    request = told.story.bill(item.prompt, 9.0)
    lost = item.attempts[0] | {"reservation": "beta-again", "outcome": "written_off", "code": "worker_lost"}
    item.attempts.append(lost | {"request_id": request.id})
    found = broken(told, tmp_path)
    assert "I7" in found


def test_a_reservation_for_two_calls_is_seen(told: Green, tmp_path: Path) -> None:
    first, second = told.beta.items
    second.attempts[0]["reservation"] = first.attempts[0]["reservation"]
    assert broken(told, tmp_path) == {"I7"}


def test_a_call_for_what_nobody_asked_for_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.bill("A jug that nobody wants", 9.0)
    assert broken(told, tmp_path) == {"I7"}


def test_a_call_for_what_somebody_may_have_asked_for_is_not_judged(told: Green, tmp_path: Path) -> None:
    told.story.bill("A jug that nobody wants", 9.0)
    told.story.call("submit", 5.0, tenant="acme", body={"items": [], "budget": {"limit_usd": "1.00"}})
    assert broken(told, tmp_path) == set()


# --- I8: stops -----------------------------------------------------------------------------------


def test_a_call_while_a_job_is_paused_is_seen(told: Green, tmp_path: Path) -> None:
    parts_are_fine(told)
    told.story.refuse(told.acme.items[2].prompt, 7.9, 429, "rate_limit_exceeded")
    assert broken(told, tmp_path) == {"I8"}


def test_a_call_after_the_end_is_seen(told: Green, tmp_path: Path) -> None:
    parts_are_fine(told)
    told.story.refuse(told.beta.items[0].prompt, 14.0, 429, "rate_limit_exceeded")
    assert broken(told, tmp_path) == {"I8"}


def test_a_call_that_may_have_been_on_its_way_is_not_judged(told: Green, tmp_path: Path) -> None:
    told.story.refuse(told.acme.items[2].prompt, 7.9, 429, "rate_limit_exceeded")
    assert broken(told, tmp_path) == set()
    assert undecided(told, tmp_path / "again", "on its way") == 1


def test_a_resumption_that_may_come_late_ends_a_pause(told: Green, tmp_path: Path) -> None:
    parts_are_fine(told)
    told.story.call("resume", 6.4, tenant="acme", job=told.acme.id)
    told.story.refuse(told.acme.items[2].prompt, 7.9, 429, "rate_limit_exceeded")
    assert broken(told, tmp_path) == set()


@pytest.mark.parametrize(("code", "found"), [("budget", {"I8"}), ("insufficient_quota", set())])
def test_a_call_between_two_readings_of_one_hold_is_seen(
    told: Green, tmp_path: Path, code: str, found: set[str]
) -> None:
    parts_are_fine(told)
    hold = {"code": code, "since": "2027-01-15T08:00:06Z"}
    for at in (6.5, 7.5):
        status = told.beta.status("held", 2, hold=hold)
        told.story.ended("status", at, status, tenant="beta", job=told.beta.id)
    told.story.refuse(told.beta.items[0].prompt, 7.7, 429, "rate_limit_exceeded")
    assert broken(told, tmp_path) == set()
    told.story.ended("status", 9.0, status, tenant="beta", job=told.beta.id)
    told.story.refuse(told.beta.items[0].prompt, 8.9, 429, "rate_limit_exceeded")
    assert broken(told, tmp_path / "again") == found


# --- I9: apart -----------------------------------------------------------------------------------


def test_a_job_that_another_tenant_can_read_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("foreign-status", told.beta.id).update(event="ended", status=200, body={})
    assert broken(told, tmp_path) == {"I9"}


@pytest.mark.parametrize("leak", ["job_01BETA00000000000000000000", "a bridge"])
def test_what_is_anothers_in_an_answer_is_seen(told: Green, tmp_path: Path, leak: str) -> None:
    told.story.ended("usage", 9.0, {"jobs": [{"name": leak}]}, tenant="acme")
    assert broken(told, tmp_path) == {"I9"}


# --- I10: bad items ------------------------------------------------------------------------------


def test_an_item_that_takes_too_many_calls_is_seen(told: Green, tmp_path: Path) -> None:
    for at in (8.71, 8.72, 8.73):
        told.story.refuse(told.acme.items[3].prompt, at, 400, "moderation_blocked")
    assert broken(told, tmp_path) == {"I10"}


def test_an_innocent_item_that_is_blocked_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.provider = [line for line in told.story.provider if line["event"] != "refused"]
    assert broken(told, tmp_path) == {"I10"}


# --- I11: status ---------------------------------------------------------------------------------


def test_counts_that_go_backwards_are_seen(told: Green, tmp_path: Path) -> None:
    told.story.ended("status", 9.5, told.acme.status("running", 1), tenant="acme", job=told.acme.id)
    assert broken(told, tmp_path) == {"I11"}


def test_readings_at_the_same_time_may_differ(told: Green, tmp_path: Path) -> None:
    begun = told.story.call("status", 6.4, tenant="acme", job=told.acme.id)
    end = {"op": begun["op"], "time": BEGAN + 9, "event": "ended", "status": 200}
    told.story.clients.append(end | {"body": told.acme.status("running", 1)})
    assert broken(told, tmp_path) == set()


def test_an_end_that_is_taken_back_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.ended("status", 10.9, told.acme.status("running"), tenant="acme", job=told.acme.id)
    assert broken(told, tmp_path) == {"I11"}


def test_a_completed_job_with_failures_is_seen(told: Green, tmp_path: Path) -> None:
    for line in told.story.clients:
        body = line.get("body")
        if isinstance(body, dict) and body.get("state") == "completed_with_errors":
            body["state"] = "completed"
    assert broken(told, tmp_path) == {"I11"}


def test_a_job_that_can_not_be_found_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.failed("status", 5.0, 404, tenant="acme", job=told.acme.id)
    assert broken(told, tmp_path) == {"I11"}


# --- I12: webhooks -------------------------------------------------------------------------------


def readings(told: Green, name: str) -> dict[str, Any]:
    """The end of what the receiver read first."""
    begun = next(line for line in told.story.clients if "delivery" in line and line["name"] == name)
    return next(line for line in told.story.clients if line["op"] == begun["op"] and "name" not in line)


def test_an_event_that_comes_twice_is_right(told: Green, tmp_path: Path) -> None:
    told.acme.tell("job.completed", "completed_with_errors", 10.9)
    assert broken(told, tmp_path) == set()


def test_an_event_before_its_results_is_seen(told: Green, tmp_path: Path) -> None:
    readings(told, "results")["body"].pop()
    assert broken(told, tmp_path) == {"I12"}


def test_an_event_before_its_end_can_be_read_is_seen(told: Green, tmp_path: Path) -> None:
    line = readings(told, "status")
    line["body"] = told.acme.status("running", 4)
    told.story.clients = [each for each in told.story.clients if "completed" not in str(each) or each is line
                          or each["time"] > BEGAN + 10.3]  # fmt: skip
    assert "I12" in broken(told, tmp_path)


def test_a_reading_that_nobody_answered_proves_nothing(told: Green, tmp_path: Path) -> None:
    line = readings(told, "results")
    line.update(event="unknown", status=503, body=None)
    assert broken(told, tmp_path) == set()
    assert undecided(told, tmp_path / "again", "receiver of an event") == 1


def test_an_event_that_never_came_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.sink.clear()
    assert broken(told, tmp_path) == {"I12"}


def test_an_end_that_is_told_by_no_event_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.sink.clear()
    told.acme.deliveries.clear()
    told.story.objects = {place: each for place, each in told.story.objects.items() if place[0] != "control"}
    assert broken(told, tmp_path) == {"I12"}


def test_an_event_that_is_listed_as_undelivered_is_not_lost(told: Green, tmp_path: Path) -> None:
    told.story.sink[-1]["status"] = 503
    told.acme.deliveries[0]["state"] = "failed"
    assert broken(told, tmp_path) == set()


def test_an_event_that_was_noted_and_forgotten_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.put("control", "webhooks/acme/events/evt_forgotten.json", b"{}")
    assert broken(told, tmp_path) == {"I12"}


def test_other_bodies_under_one_id_are_seen(told: Green, tmp_path: Path) -> None:
    told.acme.tell("job.completed", "completed_with_errors", 10.9)
    told.story.sink[-2]["body"]["data"]["extra"] = 1
    assert broken(told, tmp_path) == {"I12"}


def test_a_wrong_signature_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.sink[0]["verified"] = False
    assert broken(told, tmp_path) == {"I12"}


# --- I13: canaries -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    [
        f"A jug, {WORD} anchor number 0",
        f"{WORD} and what follows",
        "im_abc_secretsecret",
        "http://store/x?X-Amz-Signature=0a",
    ],
)
@pytest.mark.parametrize("place", ["worker-1", "engine"])
def test_a_word_that_must_not_be_there_is_seen(told: Green, tmp_path: Path, word: str, place: str) -> None:
    data = b"before " + word.encode() + b" after"
    if place == "engine":
        told.story.engine += data
    else:
        told.story.logs[place] += data
    assert broken(told, tmp_path) == {"I13"}


def test_the_stores_own_log_is_its_own(told: Green, tmp_path: Path) -> None:
    told.story.logs["store"] = b"GET /x?X-Amz-Signature=0a"
    assert broken(told, tmp_path) == set()


def test_without_logs_nothing_is_shown(told: Green, tmp_path: Path) -> None:
    told.story.logs.clear()
    assert broken(told, tmp_path) == {"evidence"}


# --- I14: bounds ---------------------------------------------------------------------------------


@pytest.mark.parametrize("much", [{"rss_bytes": 2 * 1024**3}, {"fds": 5000}, {"threads": 500}])
def test_a_process_that_takes_too_much_is_seen(told: Green, tmp_path: Path, much: dict[str, int]) -> None:
    told.story.processes[4] |= much
    assert broken(told, tmp_path) == {"I14"}


def test_a_history_that_is_too_long_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.histories[0]["events"] = 40_000
    assert broken(told, tmp_path) == {"I14"}


def test_without_samples_nothing_is_shown(told: Green, tmp_path: Path) -> None:
    told.story.processes.clear()
    assert broken(told, tmp_path) == {"evidence"}


# --- I15: the drain ------------------------------------------------------------------------------


def test_a_drain_that_takes_too_long_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.scenario["drain_limit_s"] = 5
    assert broken(told, tmp_path) == {"I15"}


def test_a_run_that_never_drained_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.faults.pop()
    assert broken(told, tmp_path) == {"I15"}


# --- I16: the pace -------------------------------------------------------------------------------


def wait(told: Green, at: float, seconds: float) -> None:
    """The provider asks to wait; what it says is not the item's fault."""
    told.story.refuse(told.acme.items[2].prompt, at, 429, "rate_limit_exceeded", retry_after=seconds)


def test_a_call_before_its_time_is_seen(told: Green, tmp_path: Path) -> None:
    parts_are_fine(told)
    wait(told, 1.5, 3)
    assert broken(told, tmp_path) == {"I16"}


def test_a_call_in_time_is_right(told: Green, tmp_path: Path) -> None:
    parts_are_fine(told)
    wait(told, 1.5, 2.4)
    assert broken(told, tmp_path) == set()


def test_many_refusals_with_a_limit_that_is_known_are_seen(told: Green, tmp_path: Path) -> None:
    parts_are_fine(told)
    told.story.scenario["limits"] = {"images_per_minute": 60}
    for number in range(13):
        wait(told, 4 + number / 100, 0.1)
    assert broken(told, tmp_path) == {"I16"}
