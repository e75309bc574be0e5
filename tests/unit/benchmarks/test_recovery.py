"""What the ledger shows of calls that were paid twice."""

import pytest

from benchmarks.recovery import Call, Kill, Twice, calls, first_image, times, twice

KILL = Kill(since=100.0, until=100.1, ready=103.0)
GOOD = Call("vase", 120.0, 121.0, answered=True)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (Call("vase", 99.5, 100.2, answered=False), Twice(1, 0, 0)),
        (Call("vase", 99.5, 100.5, answered=True), Twice(1, 0, 0)),
        (Call("vase", 99.5, float("inf"), answered=False), Twice(1, 0, 0)),
        (Call("vase", 98.0, 99.9, answered=True), Twice(0, 1, 0)),
        (Call("vase", 98.0, 99.9, answered=False), Twice(0, 0, 1)),
        (Call("vase", 80.0, 81.0, answered=True), Twice(0, 0, 1)),
        (Call("vase", 100.2, 101.0, answered=True), Twice(0, 0, 1)),
        (Call("jug", 80.0, 81.0, answered=True), Twice(0, 0, 0)),
    ],
)
def test_a_second_call_is_explained_by_a_kill_or_not(call: Call, told: Twice) -> None:
    assert twice([call, GOOD], [KILL]) == told


def test_an_item_that_was_bought_three_times_needs_two_kills() -> None:
    lost = Call("vase", 99.0, 100.5, answered=False)
    lost_again = Call("vase", 110.0, 111.0, answered=False)

    assert twice([lost, lost_again, GOOD], [KILL]) == Twice(1, 0, 1)
    assert twice([lost, lost_again, GOOD], [KILL, Kill(110.5, 110.6, 113.0)]) == Twice(2, 0, 0)


def test_a_call_that_was_lost_and_needed_no_other_is_not_paid_twice() -> None:
    assert twice([Call("vase", 99.5, 100.5, answered=True)], [KILL]) == Twice(0, 0, 0)


def test_the_first_image_is_that_of_a_call_which_came_after_the_kill() -> None:
    before = Call("a", 99.0, 100.4, answered=True)
    failed = Call("b", 100.2, 100.5, answered=False)
    after = Call("c", 101.0, 102.5, answered=True)

    assert first_image(100.0, [before, failed, after]) == 2.5


def test_a_kill_when_every_item_was_bought_once_tells_nothing_of_the_first_image() -> None:
    found = [GOOD, Call("jug", 130.0, 131.0, answered=True), Call("vase", 160.0, 161.0, answered=True)]
    late = Kill(140.0, 140.1, 143.0)

    rows = {row.figure: row for row in times("a worker", [KILL, late], found)}

    assert rows["until the worker is ready again"].count == 2
    assert rows["until the first image after a kill"].count == 1
    assert rows["until the first image after a kill"].median == pytest.approx(20.9)
    assert rows["until the first image, once it is ready again"].median == pytest.approx(18.0)


def test_calls_are_read_from_bills_and_what_became_of_them() -> None:
    entries = [
        {"event": "billed", "time": 1.0, "request_id": "r1", "prompt_sha256": "vase"},
        {"event": "refused", "time": 1.5, "request_id": "r2", "prompt_sha256": "jug"},
        {"event": "billed", "time": 2.0, "request_id": "r3", "prompt_sha256": "jug"},
        {"event": "answered", "time": 3.0, "request_id": "r1", "outcome": "answered"},
        {"event": "billed", "time": 4.0, "request_id": "r4", "prompt_sha256": "cup"},
        {"event": "outcome", "time": 5.0, "request_id": "r4", "outcome": "disconnected"},
    ]

    assert calls(entries) == [
        Call("vase", 1.0, 3.0, answered=True),
        Call("jug", 2.0, float("inf"), answered=False),
        Call("cup", 4.0, 5.0, answered=False),
    ]
