"""No tenant sees what is another's: for every route of the OpenAPI document, whatever else is sent.

A route with a parameter that is not named here fails: say what our tenant has made, or that it is nobody's.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import schemathesis
from hypothesis import Phase, given, settings
from schemathesis import Case, GenerationMode

from api.app import make_app
from api.described import KEYED
from tests.contract.api.world import (
    ENDED,
    EVENT,
    FILE,
    OURS,
    RUNNING,
    SCHEDULE,
    THEIRS,
    UPLOAD,
    VALIDATION,
    served,
    world,
)

MADE = {
    "job": (RUNNING, ENDED),
    "file_id": (FILE, FILE),
    "upload_id": (UPLOAD, UPLOAD),
    "number": ("1", "1"),
    "custom_id": ("sku-0", "sku-0"),
    "n": ("1", "1"),
    "event": (EVENT, EVENT),
    "validation": (VALIDATION, VALIDATION),
    "schedule": (SCHEDULE, SCHEDULE),
}
"""By the name of the parameter in a path, what our tenant has made."""

MISSING = {
    "job": "job_" + "9" * 26,
    "file_id": "file_" + "9" * 26,
    "upload_id": "upload_" + "9" * 26,
    "number": "1",
    "custom_id": "sku-9",
    "n": "1",
    "event": "evt_" + "9" * 32,
    "validation": "validation_" + "9" * 26,
    "schedule": "sched_" + "9" * 26,
}

NOT_YET = {"/v1/jobs/{job}/events": RUNNING, "/v1/jobs/{job}/items/{custom_id}/images/{n}": RUNNING}
"""For which job our own tenant would be answered without end, or has nothing yet."""
"""The same, of what nobody has made."""

NOBODYS = {"model", "name"}
"""Parameters that name nothing of a tenant's: the catalogue is for all, and caps are for operators."""

OPERATORS = {"/v1/tenants"}
"""Lists that take the operator's key."""

OUR_WORDS = (RUNNING, ENDED, FILE, SCHEDULE, "sku-", "spring", "ours")
"""What must not be in an answer to the other tenant."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, and the names in its path."""

    method: str
    path: str
    names: tuple[str, ...]


def operations() -> Iterator[Operation]:
    """All that take a key."""
    for path, methods in make_app().openapi()["paths"].items():
        if path.startswith(KEYED):
            for method, operation in methods.items():
                parameters = operation.get("parameters", ())
                yield Operation(
                    method, path, tuple(each["name"] for each in parameters if each["in"] == "path")
                )


def of_tenants() -> list[Operation]:
    return [each for each in operations() if each.names and not NOBODYS.issuperset(each.names)]


def lists() -> list[Operation]:
    return [each for each in operations() if not each.names and each.method == "get"]


@pytest.fixture
def addresses() -> Iterator[tuple[str, str]]:
    """Our tenant's application and the other's, over one store and one engine."""
    both = asyncio.run(world())
    theirs = replace(both.theirs, admin_sha256=None)
    with served(both.ours) as our_address, served(theirs) as their_address:
        yield our_address, their_address


@pytest.fixture(scope="module")
def document() -> Any:
    """What all of them answer to; it is made once, since that takes seconds."""
    return schemathesis.openapi.from_dict(make_app().openapi())


def answered(
    case: Case[Any], address: str, key: str, names: Mapping[str, str]
) -> tuple[int, str, dict[str, str]]:
    """Status, text and headers of an answer, with the names in the path taken out of it."""
    case.path_parameters = dict(names)
    answer = case.call(base_url=address, headers={"Authorization": f"Bearer {key}"})
    text = answer.text
    for name, value in names.items():
        text = text.replace(value, f"<{name}>")
    headers = {name: str(value) for name, value in answer.headers.items() if name not in ("date", "etag")}
    return answer.status_code, text, headers


@pytest.mark.parametrize("operation", of_tenants(), ids=lambda each: f"{each.method} {each.path}")
@pytest.mark.parametrize("which", [0, 1], ids=["running", "ended"])
def test_anothers_id_is_answered_like_one_that_does_not_exist(
    addresses: tuple[str, str], document: Any, operation: Operation, which: int
) -> None:
    our_address, their_address = addresses
    made = {name: MADE[name][which] for name in operation.names}
    missing = {name: MISSING[name] for name in operation.names}
    strategy = document[operation.path][operation.method].as_strategy(generation_mode=GenerationMode.POSITIVE)
    not_yet = NOT_YET.get(operation.path) == made.get("job", "none")
    statuses: set[int] = set()
    own: set[int] = set()

    @settings(max_examples=8, derandomize=True, deadline=None, database=None, phases=[Phase.generate])
    @given(case=strategy)
    def ask(case: Case[Any]) -> None:
        hidden = answered(case, their_address, THEIRS, made)
        assert hidden == answered(case, their_address, THEIRS, missing)
        statuses.add(hidden[0])
        if not not_yet:
            own.add(answered(case, our_address, OURS, made)[0])

    ask()
    assert 404 in statuses
    assert statuses <= {404, 422}
    assert not_yet or own - {404, 422}, "our own tenant must find what it has made"


@pytest.mark.parametrize("operation", lists(), ids=lambda each: each.path)
def test_no_list_shows_what_is_anothers(
    addresses: tuple[str, str], document: Any, operation: Operation
) -> None:
    case = document[operation.path][operation.method].Case()
    status, text, _ = answered(case, addresses[1], THEIRS, {})

    assert status == (403 if operation.path in OPERATORS else 200)
    assert not [word for word in OUR_WORDS if word in text]
