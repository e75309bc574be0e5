"""The diagram of a job's states shows the steps that the code knows, all of them and no other."""

import re
from pathlib import Path
from typing import get_args

from imagemill.domain.job_states import ENDED, FOLLOWING, JobState, may_follow

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "job-states.md"


def drawn() -> list[tuple[str, str]]:
    diagram = PAGE.read_text().split("```mermaid\n")[1].split("```")[0]
    return re.findall(r"^ +(\S+) --> (\w+|\[\*\])$", diagram, re.MULTILINE)


def test_the_diagram_is_the_table() -> None:
    known = [(before, after) for before, following in FOLLOWING.items() for after in following]
    steps = drawn()
    assert sorted(steps) == sorted([*known, ("[*]", "queued"), *((end, "[*]") for end in ENDED)])


def test_each_state_is_explained() -> None:
    table = PAGE.read_text().split("| state | meaning |")[1].split("\n\n")[0]
    explained = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert explained == set(get_args(JobState)) - {"duplicate"}  # told below the table: no caller sees it


def test_ends_are_ends_and_every_state_leads_to_one() -> None:
    assert all(not FOLLOWING[end] for end in ENDED)
    for state in get_args(JobState):
        reached = {state}
        while more := {after for known in reached for after in FOLLOWING[known]} - reached:
            reached |= more
        assert reached & set(ENDED)


def test_a_state_follows_itself() -> None:
    assert may_follow("running", "running")
    assert not may_follow("completed", "running")
    assert not may_follow("cancelling", "paused")
