"""Measuring by turns."""

from itertools import pairwise

import pytest

from benchmarks.rounds import Spread, alternate, order, ratios


async def test_each_is_measured_once_a_round_and_rounds_are_kept_together() -> None:
    done: list[str] = []

    def measure(name: str):  # type: ignore[no-untyped-def]
        async def one() -> int:
            done.append(name)
            return len(done)

        return one

    found = await alternate({"a": measure("a"), "b": measure("b")}, rounds=2)
    assert done == ["a", "b", "b", "a"]
    assert found == {"a": [1, 4], "b": [2, 3]}


def test_none_is_always_first_and_none_always_follows_the_same_other() -> None:
    names = ["a", "b", "c"]
    orders = [order(names, number) for number in range(6)]
    assert {each[0] for each in orders} == set(names)
    assert len({(one, two) for each in orders for one, two in pairwise(each)}) == 6


def test_ratios_are_formed_within_a_round() -> None:
    assert ratios([10, 30, 22], [10, 20, 20]) == Spread(median=1.1, least=1.0, most=1.5, count=3)


def test_rounds_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        ratios([1], [1, 2])


def test_a_spread_is_shown_with_both_ends() -> None:
    assert Spread.of([1.0, 1.25, 1.0]).shown() == "1.00 (1.00 to 1.25)"
