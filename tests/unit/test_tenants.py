"""The file of tenants while it changes under a process that runs."""

import os
from pathlib import Path

import pytest

from imagemill import tenants as module
from imagemill.domain.errors import Misconfigured
from imagemill.domain.tenant import Caps
from imagemill.inputs.reference import Rules
from imagemill.settings import TenantSettings, read
from imagemill.tenants import SETTLED, Tenants

GOOD = '[tenants.a]\nweight = 2\npools = ["p"]\nwebhook_hosts = ["h.example"]\nbuckets = ["bkt"]\n'


class Office:
    """A file, and clocks that stand still until they are moved."""

    def __init__(self, path: Path, text: str = GOOD) -> None:
        self.path, self.seconds, self.changes = path, 0.0, 0
        self.say(text)
        self.tenants = Tenants(path, clock=lambda: self.seconds, now=lambda: 10_000.0 + self.seconds)

    def say(self, text: str) -> None:
        """Another text, by another change of the file's time."""
        self.path.write_text(text)
        self.changes += 1
        self.touch(1_000 + self.changes)

    def touch(self, at: float) -> None:
        os.utime(self.path, (at, at))

    def weight_after(self, seconds: float) -> float:
        self.seconds += seconds
        return self.tenants.weight("a", 1.0)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "tenants.toml")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The errors that were logged."""
    said: list[str] = []
    monkeypatch.setattr(
        module.log, "error", lambda event, **more: said.append(more["problem"]), raising=False
    )
    return said


def test_without_a_file_everybody_may_do_everything() -> None:
    tenants, rules = Tenants(), Rules(buckets=("x",))

    assert tenants.may_use_pool("a", "any")
    assert tenants.may_call_host("a", "any.example")
    assert (tenants.weight("a", 3.0), tenants.caps("a"), tenants.key("k")) == (3.0, None, None)
    assert tenants.rules("a", rules) is rules
    assert tenants.problem is None


def test_the_file_says_what_each_may_do(office: Office) -> None:
    tenants, rules = office.tenants, Rules(buckets=("x",), allow_http=True)

    assert [tenants.may_use_pool("a", pool) for pool in ("p", "q")] == [True, False]
    assert [tenants.may_call_host("a", host) for host in ("h.example", "i.example")] == [True, False]
    assert tenants.rules("a", rules) == Rules(buckets=("bkt",), allow_http=True)
    assert tenants.rules("a", rules) is tenants.rules("a", rules)
    assert tenants.rules("other", rules) is rules


def test_a_change_is_seen_on_use_after_a_second_and_not_looked_for_before(office: Office) -> None:
    assert office.weight_after(0) == 2
    office.say(GOOD.replace("2", "7"))

    assert office.weight_after(0.9) == 2
    assert office.weight_after(0.2) == 7


def test_rules_of_before_are_forgotten(office: Office) -> None:
    rules = Rules()
    assert office.tenants.rules("a", rules).buckets == ("bkt",)
    office.say(GOOD.replace("bkt", "other"))
    office.seconds += 2

    assert office.tenants.rules("a", rules).buckets == ("other",)


def test_caps_are_those_of_this_very_moment(office: Office) -> None:
    assert office.tenants.caps("a") is None
    office.say(f'{GOOD}caps.day_usd = "5"')

    assert office.tenants.caps("a") == Caps(day_nano=5 * 10**9)


def test_a_file_that_has_not_changed_is_not_read_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))

    assert office.weight_after(100) == 2


def test_a_file_that_was_written_again_as_it_was_changes_nothing(office: Office) -> None:
    before = office.tenants.look()
    office.say(GOOD)

    assert office.tenants.look() is before


def test_a_second_change_within_the_same_tick_is_seen_too(office: Office) -> None:
    fresh = 10_000 + office.seconds
    office.path.write_text(GOOD.replace("2", "7"))
    office.touch(fresh)
    assert office.weight_after(1) == 7
    office.path.write_text(GOOD.replace("2", "8"))  # as long, and by the clock of the file as old
    office.touch(fresh)

    assert office.weight_after(SETTLED - 1) == 8


def test_a_file_that_was_put_in_the_place_of_the_other_is_seen(office: Office, tmp_path: Path) -> None:
    other = tmp_path / "new"
    other.write_text(GOOD.replace("2", "9"))
    os.utime(other, (1_000, 1_000))
    other.replace(office.path)

    assert office.weight_after(1) == 9


@pytest.mark.parametrize("broken", ["[tenants.a]\nweight = -1\n", "[tenants.a", None])
def test_a_broken_file_changes_nothing_and_is_told_once(
    office: Office, told: list[str], broken: str | None
) -> None:
    if broken is None:
        office.path.unlink()
    else:
        office.say(broken)

    assert [office.weight_after(1) for _ in range(4)] == [2, 2, 2, 2]
    assert len(told) == 1
    assert told[0] == office.tenants.problem
    assert "IMAGEMILL_TENANTS_FILE" in told[0]
    office.say(GOOD)
    assert office.weight_after(1) == 2
    assert office.tenants.problem is None
    office.say(GOOD.replace("2", "3"))
    assert office.weight_after(1) == 3


def test_the_fault_of_a_broken_file_is_told_with_its_place(office: Office, told: list[str]) -> None:
    office.say("[tenants.a]\nweight = -1\n")
    office.weight_after(1)

    assert "tenants.a.weight" in told[0]


@pytest.mark.parametrize("broken", ["[tenants.a]\nweight = -1\n", None])
def test_a_file_that_is_broken_at_start_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str | None
) -> None:
    path = tmp_path / "tenants.toml"
    if broken:
        path.write_text(broken)
    monkeypatch.setenv("IMAGEMILL_TENANTS_FILE", str(path))

    with pytest.raises(Misconfigured, match=r"IMAGEMILL_TENANTS_FILE: .*tenants\.toml: "):
        read(TenantSettings).load()


def test_without_the_setting_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGEMILL_TENANTS_FILE", raising=False)

    assert read(TenantSettings).load().path is None
