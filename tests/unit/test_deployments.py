"""What a deployment's versions say of the jobs that wait."""

from imagemill.deployments import Versions


def test_all_is_well_while_workers_of_every_version_with_jobs_poll() -> None:
    assert Versions("b", frozenset({"a", "b"}), {"a": 3, "b": 1}).problems == []


def test_a_drained_version_needs_no_workers() -> None:
    assert Versions("b", frozenset({"b"}), {"a": 0, "b": 1}).problems == []


def test_no_version_is_current() -> None:
    (problem,) = Versions(None, frozenset({"a"}), {"a": 0}).problems
    assert "no version is current" in problem


def test_nobody_runs_the_current_version() -> None:
    (problem,) = Versions("b", frozenset({"a"}), {"a": 1}).problems
    assert problem == "version b is current, but no worker of it polls"


def test_jobs_whose_version_has_gone_are_told_with_their_number() -> None:
    (problem,) = Versions("b", frozenset({"b"}), {"a": 3, "b": 1}).problems
    assert problem == "3 workflows wait for version a, of which no worker polls"


def test_what_is_shown_names_only_versions_that_are_bound_to() -> None:
    assert str(Versions("b", frozenset({"b"}), {"a": 0, "b": 2})).endswith("their version: b: 2")
