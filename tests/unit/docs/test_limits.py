"""What the page on limits says is what the code holds."""

import re
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter

from api import limits, problems, receiving, schedule_models, uploads
from api.app import make_app
from api.forms import MOST_FIELDS
from api.headers import ALWAYS, BY_DEFAULT
from api.jobs import create_job
from api.models import (
    INLINE_ITEMS,
    MOST_KEYS,
    MOST_PROBLEMS,
    SUM_CHARACTERS,
    TEMPLATE_CHARACTERS,
    JobBody,
    ManifestBody,
    Sum,
    Template,
    VariantBody,
)
from api.schedule_models import ScheduleBody
from api.schedule_spec import LONGEST_JITTER, SpecBody
from api.schedules import MOST_BACKFILLED
from api.sharing import A_WEEK
from docs.build import ROOT
from imagemill.domain.request import LONGEST_REFERENCE, MOST_IMAGES, PROMPT_CHARACTERS
from imagemill.domain.schedules import LEAST_APART

PAGE = (ROOT / "docs" / "reference" / "limits.md").read_text()
KIB, MIB, GIB = 1024, 1024**2, 1024**3


def most(model: type[BaseModel], name: str) -> int:
    """The `maxLength` or `maxItems` that the description of a field says."""
    return bound(model.model_json_schema()["properties"][name])


def bound(schema: dict[str, Any]) -> int:
    options = schema.get("anyOf", [schema])
    found = [
        each[key] for each in options for key in ("maxLength", "maxItems", "maxProperties") if key in each
    ]
    return int(found[0])


def idempotency_key() -> int:
    said = next(each for each in get_args(create_job.__annotations__["idempotency_key"])[1:] if each)
    return next(int(each.max_length) for each in said.metadata if hasattr(each, "max_length"))


PATHS = make_app().openapi()["paths"]


def page_limit(path: str) -> int:
    parameters = PATHS[path]["get"]["parameters"]
    return int(next(each for each in parameters if each["name"] == "limit")["schema"]["maximum"])


ITEM = JobBody.model_json_schema()["$defs"]["ItemBody"]["properties"]
POOL = JobBody.model_json_schema()["properties"]["pools"]["items"]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("headers, all together | 32 KiB", limits.HEADER_BYTES / KIB),
        ("query | 8 KiB", limits.QUERY_BYTES / KIB),
        ("method, address and headers on the wire | 64 KiB", limits.HEAD_BYTES / KIB),
        ("time for them to come | 30 s", limits.HEAD_SECONDS),
        ("JSON body | 32 MiB", limits.JSON_BYTES / MIB),
        ("the dashboard's submit form, with its feed | 64 MiB", limits.limit_of("/submit") / MIB),
        ("silence within a body | 60 s", limits.GAP_SECONDS),
        ("average speed of a body, after a minute | 8 KiB a second", limits.SLOWEST / KIB),
        ("`Idempotency-Key` | 255 characters", idempotency_key()),
        ("places that one answer names as wrong | 1,000", problems.MOST_ERRORS),
        ("places that a submission has wrong | 10,000", MOST_PROBLEMS),
        ("fields of the body | 1,000", MOST_KEYS),
        ("a file | 5 GiB", limits.FILE_BYTES / GIB),
        ("its name | 255 characters", limits.FILENAME_CHARACTERS),
        ("of a form, other fields | 50", MOST_FIELDS),
        ("a part | 16 MiB", limits.PART_BYTES / MIB),
        ("a part that is not the last | 5 MiB at least", limits.LEAST_PART_BYTES / MIB),
        ("parts of a file | 1,024", limits.MOST_PARTS),
        ("time to finish a file in parts | 24 hours", uploads.LIFE.total_seconds() / 3600),
        ("files and parts that come in at once, for each process | 16", limits.UPLOADS_AT_ONCE),
        ("of these, those of one tenant | 8", limits.UPLOADS_OF_ONE),
        ("files on a page | 1,000", page_limit("/v1/files")),
        ("name | 200 characters", most(JobBody, "name")),
        ("`items` in a request | 10,000", INLINE_ITEMS),
        ("prompt | 32,000 characters", PROMPT_CHARACTERS),
        ("`custom_id` | 256 characters", bound(ITEM["custom_id"])),
        ("references to images of an item | 16", MOST_IMAGES),
        ("a template | 20,000 characters", TEMPLATE_CHARACTERS),
        ("templates of images | 64", most(ManifestBody, "images")),
        ("variants | 100", most(ManifestBody, "variants")),
        ("renditions | 10", most(JobBody, "renditions")),
        ("life of a shared link | 604,800 seconds", A_WEEK),
        ("pools | 10", most(JobBody, "pools")),
        ("prices of the job's own | 20", most(JobBody, "prices")),
        ("a sum of money | 40 characters", SUM_CHARACTERS),
        ("items on a page | 1,000", page_limit("/v1/jobs/{job}/items")),
        ("name of a schedule | 200 characters", most(ScheduleBody, "name")),
        ("its note | 500 characters", most(ScheduleBody, "note")),
        ("cron expressions | 20", most(SpecBody, "cron")),
        ("calendars | 20", most(SpecBody, "calendars")),
        ("between two of its times | 60 s at least", LEAST_APART),
        ("jitter | 86,400 s", LONGEST_JITTER),
        ("catch-up | 31,622,400 s", schedule_models.MOST_CATCHUP),
        ("runs of its own | 1,000,000", schedule_models.MOST_RUNS),
        ("times of a backfill | 1,000", MOST_BACKFILLED),
        ("times of a preview | 100", schedule_models.MOST_PREVIEWED),
        ("schedules on a page | 100", page_limit("/v1/schedules")),
        ("runs on a page | 100", page_limit("/v1/schedules/{schedule}/runs")),
    ],
)
def test_a_limit_of_the_page_is_that_of_the_code(row: str, code: float) -> None:
    assert f"\n| {row}" in PAGE
    assert float(re.findall(r"[\d,]+", row.partition(" | ")[2])[0].replace(",", "")) == code


def test_every_row_of_the_page_is_looked_at() -> None:
    tables = PAGE.split("## JSON")[0]
    rows = re.findall(r"^\| (?!what|---)(.*?) \|", tables, re.MULTILINE)
    (looked_at,) = test_a_limit_of_the_page_is_that_of_the_code.pytestmark  # type: ignore[attr-defined]
    assert [row.partition(" | ")[0] for row, _ in looked_at.args[1]] == rows


def test_the_second_numbers_of_a_row_are_those_of_the_code() -> None:
    assert f"of {LONGEST_REFERENCE:,} characters each" in PAGE
    assert f"with {limits.FORM_BYTES // KIB} KiB together" in PAGE
    assert f"with names of {most(VariantBody, 'name')} characters" in PAGE
    assert f"with names of {bound(POOL)} characters" in PAGE
    assert f"and at least {schedule_models.LEAST_CATCHUP} s" in PAGE
    assert f"up to {limits.LINGER_BYTES // MIB} MiB and for {limits.LINGER_SECONDS:.0f} seconds" in PAGE


def test_the_constants_are_what_the_models_hold() -> None:
    assert bound(ITEM["prompt"]) == PROMPT_CHARACTERS
    assert most(JobBody, "items") == INLINE_ITEMS
    assert bound(TypeAdapter(Template).json_schema()) == TEMPLATE_CHARACTERS
    assert bound(TypeAdapter(Sum).json_schema()) == SUM_CHARACTERS
    assert receiving.BUFFER_BYTES >= limits.LEAST_PART_BYTES
    assert limits.MOST_PARTS * limits.LEAST_PART_BYTES >= limits.FILE_BYTES


def test_the_named_problems_are_there() -> None:
    named = re.findall(r"(\d{3}) `([\w-]+)`", PAGE)
    assert len(named) > 12
    assert {(int(status), slug) for status, slug in named} <= {(k.status, k.slug) for k in problems.KINDS}


def test_the_headers_are_those_that_are_added() -> None:
    shown = dict(re.findall(r"^\| `([\w-]+)` \| `(.*?)`", PAGE, re.MULTILINE))
    assert {name.lower(): value for name, value in shown.items() if name != "Idempotency-Key"} == (
        ALWAYS | BY_DEFAULT
    )
