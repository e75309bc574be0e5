"""What a submission would cost, and what is wrong with its rows: planned as it would be, and thrown away."""

from typing import Literal

from api.checks import problems_of
from api.context import Context
from api.models import JobBody
from api.problems import ESTIMATE_SLOW, Problem
from api.status import estimate_answer
from api.submission import record_of
from api.validations import ValidationAnswer, all_invalid_rows
from api.webhook_target import webhook_warnings
from imagemill.domain.errors import InvalidInput
from imagemill.domain.ids import new_id
from imagemill.domain.item import Problem as ItemProblem
from imagemill.domain.job import ScheduledRun, Submission
from imagemill.domain.messages import Estimated, EstimateTask
from imagemill.domain.money import format_usd
from imagemill.domain.places import estimate_key
from imagemill.domain.pricing import Estimate

Enough = Literal["surely", "likely", "not_for_all", "not_for_any"]


async def validate(
    parts: Context, tenant: str, body: JobBody, run: ScheduledRun | None = None
) -> ValidationAnswer:
    """Estimate a submission, or that of a schedule's run. Nothing is started.

    Raises:
        InvalidInput: it would be refused.
        Problem: it has more rows than can be read while the caller waits.
    """
    problems = await problems_of(parts, tenant, body, scheduled=run is not None)
    if problems:
        raise InvalidInput(problems)
    question = record_of(new_id("validation"), tenant, body).model_copy(update={"run": run})
    where = estimate_key(tenant, question.job)
    await parts.control.put(where, question.model_dump_json(exclude_none=True).encode())
    task = EstimateTask(tenant=tenant, job=question.job, times=parts.times)
    try:
        found = await parts.engine.estimate(task, parts.work.estimate_seconds)
    finally:
        await parts.control.delete(where)
    if found is None:
        raise Problem(
            ESTIMATE_SLOW,
            f"the rows could not be read within {parts.work.estimate_seconds:g} seconds; "
            "ask with a part of them",
        )
    answer = await _answer(parts, question, found)
    answer.warnings += await webhook_warnings(parts, tenant, body.webhook)
    return answer


async def _answer(parts: Context, question: Submission, found: Estimated) -> ValidationAnswer:
    plan, cap = found.plan, question.cap_nano
    estimate = plan.estimate or Estimate()
    failure = plan.failure and ItemProblem(code=plan.failure, detail=plan.failure_detail or "")
    bad = None
    if plan.invalid_rows:
        bad = await all_invalid_rows(parts, question.tenant, question.job, plan.invalid_rows)
    return ValidationAnswer(
        id=question.job,
        items=plan.items,
        reused=estimate.reused,
        invalid_rows=bad,
        estimate=estimate_answer(estimate),
        limit_usd=format_usd(cap),
        enough=_enough(estimate, cap, found.cheapest_nano),
        failure=failure or None,
        warnings=parts.starter.warnings(question),
        manifest=plan.manifest,
    )


def _enough(estimate: Estimate, cap: int, cheapest: int) -> Enough:
    if cap >= estimate.high_nano:
        return "surely"
    if cap < cheapest:
        return "not_for_any"
    return "likely" if cap >= estimate.expected_nano else "not_for_all"
