"""How a stored submission becomes a job: what the API does at once, and a schedule's run later on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from imagemill.domain.catalogue import Catalogue
from imagemill.domain.job import JobSummary, Submission
from imagemill.domain.market import Market
from imagemill.domain.messages import JobStart, Times, Workplace, account_workflow_id
from imagemill.domain.pools import DEFAULT, Pools, queue_name
from imagemill.domain.request import OLD_QUALITIES, ImageRequest, ImageSettings
from imagemill.pool_problems import pool_problems
from imagemill.tenants import Tenants


@dataclass(frozen=True, slots=True)
class Starter:
    """What a job is started with depends on these.

    Attributes:
        weights: shares of tenants, where the file of tenants says none.
    """

    catalogue: Catalogue
    pools: Pools
    tenants: Tenants
    times: Times
    window: int
    chunks_at_once: int
    weights: Mapping[str, float] = field(default_factory=dict)

    def job_start(self, submission: Submission, warnings: Sequence[str] = ()) -> JobStart:
        """What the workflow of a submission starts with; ``warnings`` are added to those of its own."""
        tenant, refused = submission.tenant, submission.refused is not None
        place = Workplace(
            job=submission.job,
            tenant=tenant,
            image_queue=queue_name(DEFAULT, DEFAULT),
            pools=submission.pools,
            weight=self.tenants.weight(tenant, self.weights.get(tenant, 1.0)),
            priority=submission.priority,
            on_unknown=submission.on_unknown,
            account=None if refused else account_workflow_id(tenant),
            schedule=None if refused else submission.schedule,
            times=self.times,
            window=self.window,
            chunks_at_once=self.chunks_at_once,
            submitted_at=submission.submitted_at,
        )
        summary = JobSummary(
            tenant=tenant,
            name=submission.name,
            priority=submission.priority,
            parent=submission.retry and submission.retry.job,
            submitted_at=submission.submitted_at,
            items=len(submission.items) if submission.items is not None else None,
            cap_nano=submission.cap_nano,
            on_exhausted=submission.on_exhausted,
            warnings=[*self.warnings(submission), *warnings],
            metadata=submission.metadata,
        )
        return JobStart(
            place=place,
            summary=summary,
            first_ask_nano=0 if refused else self.first_ask(submission),
            webhook_events=submission.webhook_events,
        )

    def market(self, submission: Submission) -> Market:
        """What the pools and the prices of a submission make of the catalogue."""
        return Market(self.catalogue, self.pools, submission.pools, submission.prices_nano)

    def pool_problems(self, submission: Submission) -> list[tuple[str, str]]:
        """What is wrong with the pools that a stored submission names, as things are now."""
        allowed = [name for name in self.pools.names if self.tenants.may_use_pool(submission.tenant, name)]
        models = {request.model for request in self._requests(submission)}
        return pool_problems(self.pools, submission.pools, models, allowed)

    def warnings(self, submission: Submission) -> list[str]:
        """What is not wrong yet."""
        today = submission.submitted_at.date()
        named = {request.model for request in self._requests(submission)}
        names = sorted(name for name in named - set(submission.prices_nano) if name in self.catalogue)
        warnings = [warning for name in names for warning in self.catalogue.warnings(name, today)]
        warnings += [
            f"{asked} is bought as {alias.model}, as the operator has set it"
            for asked in sorted({settings.model or "" for settings in _settings(submission)})
            if (alias := self.pools.alias(asked)) and alias.model != asked
        ]
        said = {settings.quality or "" for settings in _settings(submission)}
        return warnings + [
            f"quality {old!r} is an old spelling and was taken as {new!r}"
            for old, new in OLD_QUALITIES.items()
            if old in said
        ]

    def first_ask(self, submission: Submission) -> int:
        """What the first items can cost that run at once; 0 where that is not known before the plan is."""
        if submission.items is None or submission.reuse != "none":
            return 0
        market = self.market(submission)
        first = islice(self._requests(submission), self.window * self.chunks_at_once)
        known = (each for each in first if each.model in market.catalogue)
        return sum(market.estimate(each).high_nano for each in known)

    def _requests(self, submission: Submission) -> Iterator[ImageRequest]:
        market = self.market(submission)
        for settings, prompt in kinds_of(submission):
            yield market.resolve(ImageRequest.of(prompt, settings.over(submission.defaults), tenant=""))[0]


def kinds_of(submission: Submission) -> Iterator[tuple[ImageSettings, str]]:
    """Settings and prompt: of each item, or with the words alone of each kind of row."""
    if submission.manifest:
        variants = submission.manifest.variants
        yield from ((_own(variant), variant.words or "") for variant in variants)
        if not variants:
            yield ImageSettings(), ""
    else:
        yield from ((_own(item), item.prompt) for item in submission.items or ())


def _settings(submission: Submission) -> Iterator[ImageSettings]:
    """All settings that a submission has."""
    yield submission.defaults
    yield from submission.items or ()
    yield from submission.manifest.variants if submission.manifest else ()


def _own(settings: ImageSettings) -> ImageSettings:
    return ImageSettings(**settings.model_dump(include=set(ImageSettings.model_fields)))
