from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.trust import PROOF, Trust

MAXIMA = st.integers(1, 10**12)
TRUSTS = st.builds(
    Trust, uncertain=st.booleans(), within=st.integers(0, 100), permille=st.integers(1000, 1002)
)


def test_a_certain_maximum_needs_no_proof() -> None:
    assert Trust().proven
    assert Trust().at_once(100) == 100


def test_calls_at_once_double_after_every_five_within_the_maximum() -> None:
    seen = [Trust(uncertain=True, within=within).at_once(100) for within in range(8 * PROOF)]

    assert seen[::PROOF] == [1, 2, 4, 8, 16, 32, 64, 100]
    assert all(before <= after for before, after in pairwise(seen))
    assert [len([one for one in seen if one == many]) for many in (1, 2, 64)] == [PROOF] * 3


def test_calls_at_once_never_pass_the_window() -> None:
    assert Trust(uncertain=True, within=10**9).at_once(3) == 3
    assert Trust(uncertain=True).at_once(1) == 1


def test_the_fifth_call_is_the_proof() -> None:
    trust = Trust(uncertain=True)
    for _ in range(PROOF):
        assert not trust.proven
        assert trust.settled(maximum=10, reserved=10, cost=10) == 0

    assert trust.proven


@pytest.mark.parametrize(
    ("maximum", "permille", "reserved"),
    [(7, 1000, 7), (7, 1001, 8), (1, 1001, 2), (1000, 1001, 1001), (0, 1500, 0)],
)
def test_reservations_are_rounded_up(maximum: int, permille: int, reserved: int) -> None:
    assert Trust(permille=permille).reservation(maximum) == reserved


def test_a_call_above_its_reservation_is_drift_and_begins_anew() -> None:
    trust = Trust(within=7)

    assert trust.settled(maximum=100, reserved=100, cost=131) == 31
    assert trust == Trust(uncertain=True, within=0, permille=1310, drifts=1, drift_nano=31)
    assert trust.settled(maximum=100, reserved=131, cost=131) == 0
    assert (trust.within, trust.permille, trust.drifts) == (1, 1310, 1)


def test_drift_above_an_older_smaller_reservation_is_charged_but_not_learnt_twice() -> None:
    trust = Trust(uncertain=True, within=3, permille=2000)

    assert trust.settled(maximum=100, reserved=100, cost=150) == 50
    assert (trust.permille, trust.within, trust.drift_nano) == (2000, 3, 50)


def test_a_maximum_of_nothing_can_drift() -> None:
    trust = Trust()

    assert trust.settled(maximum=0, reserved=0, cost=3) == 3
    assert trust.drift_nano == 3


@given(MAXIMA, st.integers(0, 10**13))
def test_what_drifted_once_is_reserved_for_the_next_time(maximum: int, cost: int) -> None:
    trust = Trust()
    drift = trust.settled(maximum, trust.reservation(maximum), cost)

    assert drift == max(0, cost - maximum)
    assert trust.reservation(maximum) >= cost or not drift
    assert trust.settled(maximum, trust.reservation(maximum), cost) == 0


def test_the_factor_is_only_ever_raised() -> None:
    trust = Trust(uncertain=True, within=6, permille=1200)
    trust.raise_to(1200)
    trust.raise_to(1100)
    assert trust == Trust(uncertain=True, within=6, permille=1200)

    trust.raise_to(1201)
    assert trust == Trust(uncertain=True, within=0, permille=1201)


def test_learning_of_a_higher_factor_begins_anew_with_the_others_proof() -> None:
    trust = Trust(within=9, drifts=1, drift_nano=5)

    assert trust.learn(Trust(uncertain=True, within=4, permille=1500, drifts=2, drift_nano=70))
    assert trust == Trust(uncertain=True, within=4, permille=1500, drifts=1, drift_nano=5)


def test_learning_of_a_lower_factor_takes_over_no_proof() -> None:
    trust = Trust(uncertain=True, within=1, permille=1500)

    assert not trust.learn(Trust(within=50))
    assert trust == Trust(uncertain=True, within=1, permille=1500)


@given(TRUSTS, TRUSTS)
def test_learning_is_idempotent_and_whoever_learns_is_never_less_careful(one: Trust, other: Trust) -> None:
    learnt = one.model_copy()
    raised = learnt.learn(other)
    again = learnt.model_copy()

    assert not again.learn(other)
    assert again == learnt
    assert raised == (other.permille > one.permille)
    assert learnt.permille == max(one.permille, other.permille)
    assert learnt.uncertain == (one.uncertain or other.uncertain or raised)
