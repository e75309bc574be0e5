"""The checker on evidence that was made up: green as it is, and doctored so that a promise does not hold."""

import json
from pathlib import Path

import pytest

from tests.chaos.checker.__main__ import main
from tests.chaos.checker.judging import judge
from tests.chaos.checker.verdict import Verdict
from tests.unit.chaos.green import Green, green
from tests.unit.chaos.story import drawn


@pytest.fixture
def told() -> Green:
    return green()


def verdict_of(told: Green, folder: Path) -> Verdict:
    return judge(told.story.write(folder / "run"))


def broken(told: Green, folder: Path) -> set[str]:
    """Which promises the checker finds broken."""
    return {violation.invariant for violation in verdict_of(told, folder).violations}


def test_where_every_promise_holds_nothing_is_violated(told: Green, tmp_path: Path) -> None:
    verdict = verdict_of(told, tmp_path)
    assert verdict.violations == []
    assert verdict.figures["items"] == 6


def test_the_command_writes_a_verdict_and_says_it_by_its_exit(told: Green, tmp_path: Path) -> None:
    folder = told.story.write(tmp_path / "run")
    assert main([str(folder)]) == 0
    assert json.loads((folder / "verdict.json").read_text())["violations"] == []


def test_a_violation_is_told_in_words_with_the_lines_that_show_it(
    told: Green, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told.story.bill(told.beta.items[0].prompt, 6.1)
    folder = told.story.write(tmp_path / "run")
    assert main([str(folder)]) == 1
    said = capsys.readouterr().out
    assert "I4 violated: 2 calls were billed, 1 are settled and 0 written off" in said
    assert told.beta.id in said
    assert "provider.jsonl:" in said
    (first, *_) = json.loads((folder / "verdict.json").read_text())["violations"]
    assert first.keys() == {"invariant", "what", "where", "evidence"}


# --- the evidence itself -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scenario.json", "clients.jsonl", "provider.jsonl", "bucket/objects.jsonl"])
def test_a_missing_file_is_a_violation(told: Green, tmp_path: Path, name: str) -> None:
    folder = told.story.write(tmp_path / "run")
    (folder / name).unlink()
    assert "evidence" in {violation.invariant for violation in judge(folder).violations}


def test_a_checker_that_judged_nothing_is_not_green(tmp_path: Path) -> None:
    story = green().story
    story.clients, story.provider, story.objects = [], [], {}
    found = judge(story.write(tmp_path / "run")).violations
    assert any("could be judged" in violation.what for violation in found)


def test_a_line_that_can_not_be_read_is_a_violation(told: Green, tmp_path: Path) -> None:
    folder = told.story.write(tmp_path / "run")
    with (folder / "provider.jsonl").open("a") as file:
        file.write('{"event": "bil')
    assert {violation.invariant for violation in judge(folder).violations} == {"evidence"}


# --- I1: ends ------------------------------------------------------------------------------------


def test_an_item_that_is_in_no_result_is_seen(told: Green, tmp_path: Path) -> None:
    for name in ("final-report", "final-results"):
        body = told.story.end_of(name, told.acme.id)["body"]
        (body["data"] if isinstance(body, dict) else body).pop(3)
    assert broken(told, tmp_path) == {"I1"}


def test_a_result_that_tells_otherwise_than_the_report_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("final-results", told.acme.id)["body"][3]["state"] = "failed"
    assert broken(told, tmp_path) == {"I1"}


def test_counts_that_do_not_add_up_are_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("final-report", told.beta.id)["body"]["items"] |= {"succeeded": 1, "failed": 1}
    assert broken(told, tmp_path) == {"I1"}


def test_an_end_that_changes_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("results", told.acme.id)["body"][0]["state"] = "failed"
    assert broken(told, tmp_path) == {"I1"}


def test_readings_at_the_same_time_have_no_order(told: Green, tmp_path: Path) -> None:
    line = told.story.end_of("results", told.acme.id)
    line["body"][0] |= {"state": "running", "images": []}
    assert broken(told, tmp_path) == set()


# --- I2: caps ------------------------------------------------------------------------------------


def cap(told: Green, usd: str) -> None:
    """The cap of the first job, as all who submit it said, and as its status shows it."""
    for line in told.story.clients:
        if line.get("tenant") == "acme" and "budget" in line.get("body", {}):
            line["body"]["budget"]["limit_usd"] = usd
        elif (line.get("body") or {} if isinstance(line.get("body"), dict) else {}).get("id") == told.acme.id:
            line["body"]["cost"]["limit_usd"] = usd


def test_a_bill_above_the_jobs_cap_is_seen(told: Green, tmp_path: Path) -> None:
    cap(told, "0.0205")
    assert broken(told, tmp_path) == {"I2"}


def test_a_cap_that_is_just_enough_is_enough(told: Green, tmp_path: Path) -> None:
    cap(told, "0.02052")
    assert broken(told, tmp_path) == set()


def raised(told: Green, at: float, event: str) -> None:
    """Somebody asks for a higher cap."""
    body = {"budget": {"limit_usd": "1.00"}}
    line = told.story.ended("set-budget", at, None, status=202, tenant="acme", job=told.acme.id, body=body)
    line["event"] = event


def test_a_higher_cap_counts_from_when_it_was_asked_for(told: Green, tmp_path: Path) -> None:
    cap(told, "0.0205")
    raised(told, 8.2, "unknown")
    assert broken(told, tmp_path) == set()


def test_a_higher_cap_that_was_refused_does_not_count(told: Green, tmp_path: Path) -> None:
    cap(told, "0.0205")
    raised(told, 8.2, "failed")
    assert broken(told, tmp_path) == {"I2"}


def test_a_lower_cap_binds_once_it_was_seen(told: Green, tmp_path: Path) -> None:
    body = {"budget": {"limit_usd": "0.001"}}
    told.story.ended("set-budget", 6.2, None, status=202, tenant="acme", job=told.acme.id, body=body)
    for line in told.story.clients:
        if isinstance(line.get("body"), dict) and line["body"].get("state") == "paused":
            line["body"]["cost"] |= {"limit_usd": "0.001", "committed_usd": "0.0165"}
    assert broken(told, tmp_path) == {"I2"}


def test_a_lower_cap_that_is_still_shown_does_not_bind_once_a_higher_one_was_taken(
    told: Green, tmp_path: Path
) -> None:
    lowered = {"budget": {"limit_usd": "0.001"}}
    told.story.ended("set-budget", 6.2, None, status=202, tenant="acme", job=told.acme.id, body=lowered)
    raised(told, 6.3, "ended")
    for line in told.story.clients:
        if isinstance(line.get("body"), dict) and line["body"].get("state") == "paused":
            line["body"]["cost"] |= {"limit_usd": "0.001", "committed_usd": "0.0165"}
    assert broken(told, tmp_path) == set()


def test_a_bill_above_the_tenants_cap_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.scenario["tenants"][0]["day_usd"] = "0.0205"
    assert broken(told, tmp_path) == {"I2"}


def test_a_status_that_is_behind_the_bill_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("status", told.acme.id)["body"]["cost"]["committed_usd"] = "0.0150"
    assert broken(told, tmp_path) == {"I2"}


# --- I3: images ----------------------------------------------------------------------------------


def image_of(told: Green, item: int, number: int = 0) -> tuple[str, str]:
    return "delivery", str(told.acme.items[item].images[number]["key"])


def change(told: Green, place: tuple[str, str], data: bytes) -> None:
    told.story.objects[place] = (data, told.story.objects[place][1])


def test_an_image_that_is_not_there_is_seen(told: Green, tmp_path: Path) -> None:
    del told.story.objects[image_of(told, 0)]
    assert broken(told, tmp_path) == {"I3"}


def test_an_image_that_the_store_could_not_keep_is_undecided(told: Green, tmp_path: Path) -> None:
    bucket, key = image_of(told, 0)
    del told.story.objects[bucket, key]
    folder = told.story.write(tmp_path / "run")
    (folder / "logs/store.log").write_text(
        f"putToFiler: create entry for /buckets/{bucket}/{key} failed but the entry exists, "
        "treating the write as successful\n"
    )
    verdict = judge(folder)
    assert verdict.violations == []
    assert any("could not keep" in reason for reason in verdict.undecided)


def test_other_bytes_are_seen(told: Green, tmp_path: Path) -> None:
    change(told, image_of(told, 0), drawn("something else"))
    assert broken(told, tmp_path) == {"I3"}


def swap(told: Green, one: tuple[int, int], other: tuple[int, int]) -> None:
    """Two images change places, and everything that is told of them with them."""
    rows = [told.acme.items[item].images[number] for item, number in (one, other)]
    places = [image_of(told, *each) for each in (one, other)]
    data = [told.story.objects[place][0] for place in places]
    told_of = [{name: row[name] for name in ("sha256", "bytes")} for row in rows]
    for index in (0, 1):
        change(told, places[index], data[1 - index])
        rows[index].update(told_of[1 - index])


def test_two_images_that_are_swapped_are_seen(told: Green, tmp_path: Path) -> None:
    swap(told, (0, 0), (2, 0))
    verdict = verdict_of(told, tmp_path)
    assert {violation.invariant for violation in verdict.violations} == {"I3"}
    assert "was made by another prompt" in verdict.violations[0].what


def test_two_images_of_one_set_that_are_swapped_are_seen(told: Green, tmp_path: Path) -> None:
    swap(told, (1, 0), (1, 1))
    assert broken(told, tmp_path) == {"I3"}


@pytest.mark.parametrize("wrong", [{"format": "png"}, {"width": 1024}, {"bytes": 3}])
def test_an_image_that_is_not_what_it_is_said_to_be_is_seen(
    told: Green, tmp_path: Path, wrong: dict[str, object]
) -> None:
    told.acme.items[0].images[0] |= wrong
    assert broken(told, tmp_path) == {"I3"}


def test_an_object_that_nobody_tells_of_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.put("delivery", f"{told.acme.id}/item-9/1.jpg", drawn("nobody's"))
    assert broken(told, tmp_path) == {"I3"}


def test_an_object_of_a_call_that_is_written_off_is_known(told: Green, tmp_path: Path) -> None:
    about = {"imagemill-reservation": "ACME-item-0-lost"}
    told.story.put("delivery", f"{told.acme.id}/item-0/late.jpg", drawn("late"), 5.0, **about)
    told.story.put("delivery", f"{told.acme.id}/_thumbnails/item-0/1.jpg.webp", b"small")
    assert broken(told, tmp_path) == set()


# --- I4: books -----------------------------------------------------------------------------------


def test_a_call_without_a_reservation_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.bill(told.beta.items[0].prompt, 5.05)
    assert "I4" in broken(told, tmp_path)


def test_a_settled_call_that_was_never_billed_is_seen(told: Green, tmp_path: Path) -> None:
    told.beta.items[0].attempts[0]["request_id"] = "req_none"
    assert broken(told, tmp_path) == {"I4"}


def test_a_call_that_settles_two_items_is_seen(told: Green, tmp_path: Path) -> None:
    first, second = told.beta.items
    second.attempts[0]["request_id"] = first.attempts[0]["request_id"]
    assert broken(told, tmp_path) == {"I4"}


def test_a_sum_that_is_not_that_of_the_items_is_seen(told: Green, tmp_path: Path) -> None:
    told.story.end_of("final-report", told.beta.id)["body"]["settled_usd"] = "0.00"
    assert broken(told, tmp_path) == {"I4"}


def test_a_settled_sum_above_the_bill_is_seen(told: Green, tmp_path: Path) -> None:
    bill = next(line for line in told.story.provider if line["request_id"] == "req_0003")
    bill["billed_nano"] -= 1
    assert broken(told, tmp_path) == {"I4"}


def without_faults(told: Green) -> None:
    told.story.faults = [line for line in told.story.faults if line["event"] in ("healed", "drained")]
    for line in told.story.provider:
        if line["event"] == "outcome":
            line |= {"event": "answered", "outcome": "answered"}


def test_without_faults_nothing_is_written_off(told: Green, tmp_path: Path) -> None:
    without_faults(told)
    assert broken(told, tmp_path) == {"I4"}


def test_a_machine_that_stood_still_may_lose_calls_by_itself(told: Green, tmp_path: Path) -> None:
    without_faults(told)
    told.story.scenario["settings"]["IMAGEMILL_TIMES_HEARTBEAT_TIMEOUT"] = "2"
    begun = told.story.call("status", 3.0, tenant="acme", job=told.acme.id)
    end = {"op": begun["op"], "time": begun["time"] + 2.5, "event": "ended", "status": 304, "body": None}
    told.story.clients.append(end)
    verdict = verdict_of(told, tmp_path)
    assert verdict.violations == []
    assert any("too slow" in why for why in verdict.undecided)
