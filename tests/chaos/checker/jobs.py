"""The jobs of a run: what was asked for, and what was read of each after the drain."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos.checker.asked import Key, asked_for
from tests.chaos.checker.clients import ENDED, MAKERS, Call, Clients, row_key, rows
from tests.chaos.checker.evidence import Json
from tests.chaos.checker.provider import Arrival, Provider, hashed

PAID = ("settled", "recovered")
RETRIES = re.compile(r"/v1/jobs/(\w+)/retry")


@dataclass(slots=True)
class Job:
    """One job.

    Attributes:
        makers: calls that were answered with it, the first one first.
        asked: the submission.
        prompts: what was asked for, by item; None: it can't be told from what clients sent.
        bad: the items that stand for rows which can't be read.
    """

    id: str
    tenant: str
    makers: list[Call]
    asked: Json
    prompts: dict[Key, str] | None
    bad: set[Key] = field(default_factory=set)
    parent: str | None = None
    status: Json = field(default_factory=dict)
    report: Json = field(default_factory=dict)
    results: list[Json] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    @property
    def where(self) -> str:
        """How a verdict names it."""
        return f"job {self.id}"

    @property
    def state(self) -> str:
        """Its state after the drain, as far as it was read."""
        return str(self.status.get("state", "unread"))

    @property
    def has_ended(self) -> bool:
        """Was it over after the drain?"""
        return self.state in ENDED

    @property
    def rows(self) -> list[Json]:
        """Its items with their attempts, from the receipt."""
        return rows(self.report)

    @property
    def acknowledged(self) -> float | None:
        """When a client first held its id, before the drain."""
        calls = [call for call in self.makers if call.name != "final-resubmit"]
        return min((call.done for call in calls), default=None)

    @property
    def item_of(self) -> dict[str, Json]:
        """Each attempt's item, by reservation."""
        return {attempt["reservation"]: row for row in self.rows for attempt in row["attempts"]}


class Jobs:
    """All jobs that any client knows of."""

    def __init__(self, clients: Clients, provider: Provider) -> None:
        self.all: dict[str, Job] = {}
        for call in clients.of(*MAKERS):
            if call.is_answered and call.job:
                self._take(call, call.job, clients)
        for job in self.all.values():
            _read_finals(job, clients)
        for job in self.all.values():
            if job.parent:
                job.prompts = _retried(job, self.all.get(job.parent))
        self.by_prompt = self._prompts()
        self._owners = {
            attempt["request_id"]: job.id
            for job in self.all.values()
            for row in job.rows
            for attempt in row["attempts"]
            if attempt.get("request_id")
        }
        self._bills: dict[str, list[Arrival]] = defaultdict(list)
        self.shared: list[Arrival] = []
        self.strange: list[Arrival] = []
        for bill in provider.bills:
            self._assign(bill)

    def bills(self, job: Job) -> list[Arrival]:
        """What was billed for a job and surely for no other."""
        return self._bills[job.id]

    def owner(self, arrival: Arrival) -> str | None:
        """The only job that a call can have been for; None: there are several, or none."""
        owners = {job for job, _ in self.by_prompt.get(str(arrival.prompt), ())}
        if len(owners) == 1:
            return owners.pop()
        return self._owners.get(arrival.request)

    def _take(self, call: Call, name: str, clients: Clients) -> None:
        if name in self.all:
            self.all[name].makers.append(call)
            return
        retried = RETRIES.fullmatch(str(call.begin.said.get("path")))
        asked = None if retried else asked_for(call, clients)
        job = self.all[name] = Job(name, call.tenant, [call], call.asked, asked.prompts if asked else None)
        job.bad = asked.bad if asked else set()
        job.parent = retried[1] if retried else None

    def _prompts(self) -> Mapping[str, list[tuple[str, Key]]]:
        found: dict[str, list[tuple[str, Key]]] = defaultdict(list)
        for job in self.all.values():
            for key, prompt in (job.prompts or {}).items():
                found[hashed(prompt)].append((job.id, key))
        return found

    def _assign(self, bill: Arrival) -> None:
        if str(bill.prompt) not in self.by_prompt:
            self.strange.append(bill)
        elif owner := self.owner(bill):
            self._bills[owner].append(bill)
        else:
            self.shared.append(bill)


def outcomes(row: Json) -> Counter[str]:
    """How often the attempts of an item came to each end."""
    return Counter(attempt["outcome"] for attempt in row["attempts"])


def _read_finals(job: Job, clients: Clients) -> None:
    for name in ("final-status", "final-report", "final-results"):
        call = clients.last(name, job.id)
        if call is None or not call.is_answered:
            continue
        job.places += call.places[-1:]
        if name == "final-results":
            job.results = rows(call.body)
        elif isinstance(call.body, dict):
            setattr(job, name.removeprefix("final-"), call.body)


def _retried(job: Job, parent: Job | None) -> dict[Key, str] | None:
    """What a retry asks for: items of the job before, that are named or ended in some states."""
    if parent is None or parent.prompts is None:
        return None
    if named := job.asked.get("items"):
        return {key: prompt for key, prompt in parent.prompts.items() if key[0] in named}
    states = job.asked.get("states") or ("failed", "skipped")
    wanted = {row_key(row) for row in parent.rows if row["state"] in states}
    return {key: prompt for key, prompt in parent.prompts.items() if key in wanted}
