import pytest
from pydantic import ValidationError

from sandbox.image_api import catalog, faults, order
from sandbox.image_api.faults import Fault, FaultPlan, Kind

CATALOG = catalog.load()


def strikes(plan: FaultPlan, prompt: str, n: int = 1) -> Kind | None:
    struck = plan.strike(order.read({"prompt": prompt, "model": "gpt-image-2", "n": n}, CATALOG))
    return struck.kind if struck else None


def planned(*lines: Fault, seed: int = 0) -> FaultPlan:
    plan = FaultPlan(seed)
    plan.replace(list(lines))
    return plan


def test_match_skip_and_times() -> None:
    plan = planned(Fault(kind=Kind.HANG, match="red", skip=1, times=2))
    struck = [strikes(plan, prompt) for prompt in ("red", "blue", "red", "a red one", "red")]
    assert struck == [None, None, Kind.HANG, Kind.HANG, None]
    assert (plan.report()[0]["seen"], plan.report()[0]["hits"]) == (4, 2)


def test_the_first_fault_that_strikes_is_the_only_one() -> None:
    plan = planned(Fault(kind=Kind.HANG, times=1), Fault(kind=Kind.DRIP))
    assert [strikes(plan, "x"), strikes(plan, "x")] == [Kind.HANG, Kind.DRIP]


def test_chances_depend_on_seed_prompt_and_visit_and_not_on_arrival() -> None:
    fault = Fault(kind=Kind.HANG, probability=0.3)
    prompts = [f"item {i}" for i in range(300)]
    plan, turned, other = planned(fault), planned(fault), planned(fault, seed=1)
    there = {prompt: strikes(plan, prompt) for prompt in prompts}
    assert there == {prompt: strikes(turned, prompt) for prompt in reversed(prompts)}
    assert there != {prompt: strikes(other, prompt) for prompt in prompts}
    assert 60 < sum(kind is not None for kind in there.values()) < 120
    assert there != {prompt: strikes(plan, prompt) for prompt in prompts}


def test_one_image_cannot_become_fewer() -> None:
    plan = planned(Fault(kind=Kind.FEWER_IMAGES))
    assert [strikes(plan, "x"), strikes(plan, "x", n=2)] == [None, Kind.FEWER_IMAGES]


def test_a_slow_start_ends_by_itself() -> None:
    now = 100.0
    plan = FaultPlan(clock=lambda: now)
    plan.replace([Fault(kind=Kind.SLOW_START, seconds=10)])
    assert strikes(plan, "x") is Kind.SLOW_START
    now = 109.9
    assert strikes(plan, "x") is Kind.SLOW_START
    now = 110.0
    assert strikes(plan, "x") is None


def test_only_streams_break_off() -> None:
    assert strikes(planned(Fault(kind=Kind.STREAM_ERROR)), "x") is None


def test_a_fault_can_be_for_one_endpoint() -> None:
    assert strikes(planned(Fault(kind=Kind.HANG, endpoint="edits")), "x") is None
    assert strikes(planned(Fault(kind=Kind.HANG, endpoint="generations")), "x") is Kind.HANG


@pytest.mark.parametrize(
    "body",
    [
        b'[{"kind": "none"}]',
        b'[{"kind": "hang", "foo": 1}]',
        b'{"kind": "hang"}',
        b"x",
        b'[{"kind":"hang","times":-1}]',
        b'[{"kind":"error_billed","status":418}]',
    ],
)
def test_bad_plans_are_refused(body: bytes) -> None:
    with pytest.raises(ValidationError):
        faults.read_plan(body)
