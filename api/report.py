"""The receipt of a job that has ended."""

from collections.abc import AsyncIterator
from decimal import Decimal

from api.context import Context
from api.items import Items
from api.models import DriftAnswer, ItemCounts, ReportAnswer, ReportLineAnswer
from api.problems import JOB_RUNS, NO_REPORT, Problem
from api.status import estimate_answer
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.job import JobSummary, Report
from imagemill.domain.job_states import ENDED
from imagemill.domain.money import format_usd
from imagemill.domain.places import report_key


async def report_of(parts: Context, tenant: str, job: str, summary: JobSummary) -> ReportAnswer:
    """What was bought, what it cost, and what can't be known.

    Raises:
        Problem: the job has not ended, or was ended by hand and has left no report.
    """
    try:
        data = await parts.control.get(report_key(tenant, job))
    except ObjectMissing:
        if summary.state in ENDED:
            raise Problem(NO_REPORT, f"job {job} was ended by hand, and has left no report") from None
        raise Problem(JOB_RUNS, f"job {job} is {summary.state}: it has no report yet") from None
    return _answer(Report.model_validate_json(data))


async def with_items(items: Items, report: ReportAnswer) -> AsyncIterator[str]:
    """The receipt as JSON, and in it each item with its attempts: streamed, since there may be a million."""
    yield report.model_dump_json()[:-1] + ', "data": ['
    separator = ""
    async for item in items.ended():
        yield separator + item.model_dump_json(exclude={"images"})
        separator = ","
    yield "]}"


def _answer(report: Report) -> ReportAnswer:
    summary = report.summary
    ended, counts = summary.ended, summary.ended.counts
    return ReportAnswer(
        job=report.job,
        name=summary.name,
        state=summary.state,
        created_at=summary.submitted_at,
        ended_at=summary.ended_at,
        items=ItemCounts(total=summary.items, pending=0, running=0, **counts.model_dump(exclude={"images"})),
        images=counts.images,
        uncertain=ended.uncertain,
        limit_usd=format_usd(summary.cap_nano),
        settled_usd=format_usd(ended.settled_nano),
        written_off_usd=format_usd(ended.written_off_nano),
        vanished_usd=format_usd(summary.vanished_nano),
        estimate=summary.estimate and estimate_answer(summary.estimate),
        lines=[
            ReportLineAnswer(
                **line.model_dump(exclude={"settled_nano", "written_off_nano"}),
                settled_usd=format_usd(line.settled_nano),
                written_off_usd=format_usd(line.written_off_nano),
            )
            for line in report.lines
        ],
        drift=[
            DriftAnswer(
                model=model,
                calls=drift.calls,
                above_usd=format_usd(drift.amount_nano),
                factor=str(Decimal(drift.permille) / 1000),
            )
            for model, drift in report.drift.items()
        ],
        price_table=report.catalogue,
    )
