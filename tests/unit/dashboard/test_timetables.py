"""When a schedule runs, as it is chosen in a form, and the form that says it again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.schedule_models import SpecAnswer
from dashboard.drafts import Draft
from dashboard.faults import Faults
from dashboard.timetables import KEPT, patch_of, schedule_field, spec_of, typed_of

TYPED = {"s_at": "06:30", "s_weekday": "5", "s_day": "31", "s_zone": "Europe/Berlin"}


def answer(**said: Any) -> SpecAnswer:
    plain: dict[str, Any] = {"cron": [], "calendars": [], "every_seconds": None, "time_zone": "Europe/Berlin"}
    return SpecAnswer(**{**plain, "jitter_seconds": 0, "start": None, "end": None, **said})


@pytest.mark.parametrize(
    ("every", "cron"),
    [
        ("daily", ["30 6 * * *"]),
        ("weekdays", ["30 6 * * 1-5"]),
        ("weekly", ["30 6 * * 5"]),
        ("monthly", ["30 6 31 * *"]),
        ("cron", ["0 6 * * 1", "0 18 * * 1"]),
    ],
)
def test_a_choice_is_cron_and_cron_is_the_choice_again(every: str, cron: list[str]) -> None:
    faults = Faults()
    spec = spec_of(Draft({**TYPED, "s_every": every, "s_cron": "0 6 * * 1\n\n0 18 * * 1"}), faults)

    assert spec is not None
    assert (spec.cron, spec.time_zone) == (cron, "Europe/Berlin")
    again = typed_of(answer(cron=cron))
    assert again["s_every"] == every
    assert spec_of(Draft(again), faults) == spec


def test_times_are_those_of_the_schedules_clock() -> None:
    typed = {**TYPED, "s_every": "daily", "s_start": "2026-07-01T00:00", "s_jitter": "5"}
    spec = spec_of(Draft(typed), Faults())

    assert spec is not None
    assert spec.start == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert spec.jitter_seconds == 300
    again = typed_of(answer(cron=spec.cron, start=spec.start, jitter_seconds=300))
    assert (again["s_start"], again["s_jitter"]) == ("2026-07-01T00:00", "5")


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ({"s_every": ""}, "s_every"),
        ({"s_every": "daily", "s_at": "25:00"}, "s_at"),
        ({"s_every": "monthly", "s_day": "32"}, "s_day"),
        ({"s_every": "cron", "s_cron": ""}, "s_cron"),
        ({"s_every": "cron", "s_cron": "0 6 * *"}, "s_cron"),
        ({"s_every": "daily", "s_zone": "Mars/Base"}, "s_zone"),
        ({"s_every": "daily", "s_start": "soon"}, "s_start"),
        ({"s_every": "daily", "s_jitter": "many"}, "s_jitter"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(typed: dict[str, str], at: str) -> None:
    faults = Faults()

    assert spec_of(Draft({**TYPED, **typed}), faults) is None
    assert list(faults.fields) == [at]


@pytest.mark.parametrize(
    "spec",
    [{"every_seconds": 3600}, {"cron": ["0 6 * * *"], "jitter_seconds": 90}, {"calendars": [{"hour": "6"}]}],
)
def test_times_that_the_form_can_t_say_are_left_alone(spec: dict[str, Any]) -> None:
    typed = typed_of(answer(**spec))
    patch = patch_of(Draft({**typed, "s_name": "x"}), Faults())

    assert typed["s_every"] == KEPT
    assert patch is not None
    assert "spec" not in patch.model_fields_set


def test_an_empty_cap_takes_the_months_cap_away() -> None:
    patch = patch_of(Draft({"s_every": KEPT, "s_name": "x", "s_month_usd": "", "s_runs": ""}), Faults())

    assert patch is not None
    assert patch.model_dump(include={"budget", "runs"}, exclude_unset=True) == {"budget": None, "runs": None}


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("/job/manifest/prompt", "prompt"),
        ("/job/budget/limit_usd", "limit_usd"),
        ("/spec", "s_cron"),
        ("/spec/time_zone", "s_zone"),
        ("/budget/month_usd", "s_month_usd"),
        ("/name", "s_name"),
        ("/else", None),
    ],
)
def test_every_place_of_a_schedule_has_its_field(place: str, name: str | None) -> None:
    assert schedule_field(place) == name
