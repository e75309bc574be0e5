"""Running jobs survive a new version: recorded runs replay on today's workflows."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError, _Definition

from imagemill.domain.messages import ACCOUNT
from imagemill.domain.pool_messages import POOL
from imagemill.domain.webhook_messages import WEBHOOK
from imagemill.payloads import PAYLOADS
from tests.workflows.mill import runner
from worker import workflows

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"), key=lambda path: path.stem)
FIELDS = {"prompt", "prompts", "custom_id", "url", "b64_json", "api_key"}


def history(path: Path, text: str | None = None) -> WorkflowHistory:
    workflow = path.stem.replace(".", "/")
    return WorkflowHistory.from_json(workflow, text or path.read_text())


def replayer(*, versioned: bool = False) -> Replayer:
    return Replayer(
        workflows=workflows(versioned=versioned),
        workflow_runner=runner(),
        data_converter=PAYLOADS,
    )


def payloads(node: Any) -> list[Any]:
    """Every payload of a history, decoded."""
    if isinstance(node, list):
        return [found for child in node for found in payloads(child)]
    if not isinstance(node, dict):
        return []
    if isinstance(node.get("data"), str):
        return [json.loads(base64.b64decode(node["data"]))]
    return [found for child in node.values() for found in payloads(child)]


def names(node: Any) -> set[str]:
    """Every name of a field in a payload."""
    if isinstance(node, list):
        return set().union(*map(names, node))
    if not isinstance(node, dict):
        return set()
    return set(node).union(*map(names, node.values()))


def test_each_kind_of_run_is_recorded() -> None:
    assert [path.stem for path in HISTORIES] == [
        "account.acme.sched_recorded",
        "account.recorder",
        "estimate.job_asked",
        "gallery.job_asked",
        "job_cancelled",
        "job_cancelled.0",
        "job_capped",
        "job_capped.0",
        "job_capped.1",
        "job_continued",
        "job_continued.0",
        "job_duplicate",
        "job_failed",
        "job_given_up",
        "job_given_up.0",
        "job_held",
        "job_held.0",
        "job_held.1",
        "job_paused",
        "job_paused.0",
        "job_paused.1",
        "job_recovered",
        "job_recovered.0",
        "job_recovered.1",
        "job_revived",
        "job_revived.0",
        "job_scheduled",
        "job_scheduled.0",
        "job_scheduled.1",
        "job_single",
        "job_stopped",
        "job_stopped.0",
        "job_stopped.1",
        "job_told",
        "job_told.0",
        "job_troubled",
        "job_troubled.0",
        "job_troubled.1",
        "pool.recorded.main",
        "run.sched_triggered-2027-01-01T120000Z",
        "webhook.recorded",
    ]


def kind(path: Path) -> str:
    """The name of the workflow that a history is of."""
    first = json.loads(path.read_text())["events"][0]
    return str(first["workflowExecutionStartedEventAttributes"]["workflowType"]["name"])


def name(workflow: type) -> str | None:
    return _Definition.must_from_class(workflow).name


@pytest.mark.parametrize("versioned", [False, True])
def test_every_workflow_that_a_worker_runs_has_a_recorded_run(versioned: bool) -> None:
    assert {name(each) for each in workflows(versioned=versioned)} == set(map(kind, HISTORIES))


@pytest.mark.parametrize(
    "path",
    [path for path in HISTORIES if kind(path) in (ACCOUNT, POOL, WEBHOOK)],
    ids=lambda path: path.stem,
)
async def test_what_goes_to_the_current_version_replays_where_workers_have_builds(path: Path) -> None:
    await replayer(versioned=True).replay_workflow(history(path))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_run_replays(path: Path) -> None:
    await replayer().replay_workflow(history(path))


async def test_a_run_that_took_another_path_does_not_replay() -> None:
    path = next(path for path in HISTORIES if path.stem == "job_single")
    doctored = path.read_text().replace('"image.generate"', '"image.paint"')
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(history(path, doctored))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_history_holds_ids_counts_and_costs_only(path: Path) -> None:
    found = payloads(json.loads(path.read_text()))
    assert found
    assert not names(found) & FIELDS


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_recorded_history_names_no_machine(path: Path) -> None:
    text = path.read_text()
    assert set(re.findall(r'"identity": "([^"]*)"', text)) == {"recorder"}
    assert not re.search(r"\d+@|/(?:home|root|tmp|work|usr|opt|var|srv|mnt)/", text)
