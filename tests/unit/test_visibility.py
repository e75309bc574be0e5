"""How the engine's list of jobs is asked."""

import asyncio
import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.job import JobSummary
from imagemill.ports import JobSearch
from imagemill.search_attributes import METADATA, attributes
from imagemill.visibility import TURNS_A_TENANT, Turns, query, quoted

LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)


@given(st.text())
def test_whatever_is_said_stays_one_literal(text: str) -> None:
    assert LITERAL.fullmatch(quoted(text))


def test_a_search_is_all_its_conditions() -> None:
    search = JobSearch("t'", "held", "sp", (("a", "1"), ("b", "x" * 500)))
    asked = query(search)
    assert LITERAL.sub("?", asked) == (
        "WorkflowType = ? AND ImagemillTenant = ? AND ExecutionStatus = ? AND ImagemillState = ? "
        "AND ImagemillName STARTS_WITH ? AND ImagemillMetadata = ? AND ImagemillMetadata = ?"
    )
    assert "x" * 100 not in asked


@given(st.dictionaries(st.text(min_size=1, max_size=64), st.text(max_size=512), max_size=16))
def test_metadata_fits_into_what_the_engine_takes(metadata: dict[str, str]) -> None:
    summary = JobSummary(tenant="t", submitted_at=datetime.now(UTC), cap_nano=1, metadata=metadata)
    words = attributes(summary).get(METADATA, [])
    assert len(set(words)) == len(metadata) or any("=" in key for key in metadata)
    assert len(json.dumps(words)) <= 2048


async def test_questions_take_turns_and_too_many_are_sent_away() -> None:
    turns = Turns(per_second=1000, patience=0.01)
    clock = asyncio.get_running_loop().time
    began = clock()
    told = await asyncio.gather(*(turns.wait(f"t{n}") for n in range(20)), return_exceptions=True)
    passed = [each for each in told if each is None]
    assert 1 <= len(passed) < 20
    assert clock() - began >= (len(passed) - 1) / 1000 - 1e-6
    assert all(isinstance(each, EngineUnavailable) for each in told if each is not None)


async def test_a_few_have_their_turn_at_once() -> None:
    turns = Turns(per_second=0.001, patience=0, at_once=4)
    for _ in range(4):
        await turns.wait("t")
    with pytest.raises(EngineUnavailable):
        await turns.wait("t")


async def test_a_tenant_waits_for_a_few_turns_at_a_time_and_leaves_the_others_to_others() -> None:
    turns = Turns(per_second=1000, patience=1000)
    told = await asyncio.gather(
        *(turns.wait("greedy") for _ in range(50)), turns.wait("modest"), return_exceptions=True
    )
    assert sum(each is None for each in told[:50]) == TURNS_A_TENANT
    assert told[50] is None


@pytest.mark.parametrize("text", ["a' OR ImagemillTenant != 'a", "a\\", "a\\' OR 1 = 1 --", 'a"b'])
def test_nobody_reaches_another_tenant_by_its_name(text: str) -> None:
    assert LITERAL.sub("?", query(JobSearch("t", name=text))).count("?") == 4


def test_a_sign_that_the_engine_can_t_compare_is_left_to_us() -> None:
    assert "STARTS_WITH 'a'" in query(JobSearch("t", name='a"b'))
    assert "STARTS_WITH" not in query(JobSearch("t", name="\\b"))
