"""Scenarios that bring a planted defect to light: small, without chance, and the same without the defect.

Each has a job or two of its own and what goes wrong with them, so that several can be played in one run.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal

from tests.chaos.evidence import Json
from tests.chaos.programs.defects import DEFECTS, Part
from tests.chaos.quick import SEEDED
from tests.chaos.scenario import SINK, Action, FaultPlan, JobPlan, Scenario, TenantPlan
from tests.chaos.workload import EVENTS, MODEL, SIZE

BEGIN = 1.0
"""When jobs are submitted; what goes wrong with them is ordered before."""
OWNER, OTHER = "acme", "beta"
CAP_OF_FIVE = "0.03"
"""Enough for five small pictures."""


class Stage:
    """What one run is to play."""

    def __init__(self) -> None:
        self.jobs: list[JobPlan] = []
        self.timeline: list[FaultPlan] = []
        self.roles: dict[str, Literal["workflows", "images"]] = {}
        self.chunk_items: int | None = None

    def job(self, name: str, count: int = 6, *, body: Json | None = None, **plan: Any) -> None:
        """One job of so many items, whose prompts have its name before the number."""
        items = [
            {"custom_id": f"{name}-{n}", "prompt": f"A jug, planted {OWNER}word {name} number {n}"}
            for n in range(count)
        ]
        whole: Json = {
            "defaults": {"model": MODEL, "size": SIZE, "output_format": "jpeg", "quality": "low"},
            "budget": {"limit_usd": "9.00", "on_exhausted": "skip"},
            "items": items,
        }
        said = {"tenant": OWNER, "key": key_of(name), "at": BEGIN, "most_usd": "9.00"}
        self.jobs.append(JobPlan.model_validate(said | {"body": whole | (body or {})} | plan))

    def provider(self, name: str, lasts: float = 20.0, **fault: Any) -> None:
        """The provider fails calls of a job: for long enough that a slow machine has made them by then."""
        plan = [fault | {"match": f" {name} number "}]
        self.fault("provider", 0.0, lasts, plan=plan)

    def fault(self, kind: str, at: float, lasts: float, **details: Any) -> None:
        """Something goes wrong at a time, for a while."""
        said = {"at": at, "for": lasts, "kind": kind, **details}
        self.timeline.append(FaultPlan.model_validate(said))

    def scenario(self, story: str, defects: dict[Part, str] | None = None) -> Scenario:
        """All of it."""
        owner, other = (
            TenantPlan(id=name, word=f"{name}word", day_usd="50", month_usd="400") for name in (OWNER, OTHER)
        )
        return Scenario(
            seed=0,
            story=story,
            word="planted",
            speed=0.0,
            settings=dict(SEEDED),
            limits={"images_per_minute": None},
            chunk_items=self.chunk_items,
            roles=self.roles,
            defects=defects or {},
            tenants=[owner, other],
            jobs=self.jobs,
            timeline=sorted(self.timeline, key=lambda fault: fault.at),
        )


def key_of(name: str) -> str:
    """The idempotency key of the job that brings a defect to light."""
    return f"planted-{name}"


def provoked(names: Collection[str], *, planted: bool) -> Scenario:
    """The scenario that brings these defects to light, with them or without."""
    stage = Stage()
    for name in names:
        PROVOKE[name](stage)
    defects: dict[Part, str] = {}
    for name in names if planted else ():
        part = DEFECTS[name].part
        defects[part] = ",".join(filter(None, (defects.get(part), name)))
    return stage.scenario(f"{'planted' if planted else 'honest'}: {', '.join(names)}", defects)


def objections(folder: Path, name: str) -> list[Json]:
    """What a verdict says against a defect: of a promise that it breaks, and of its own job or of no job."""
    violations: list[Json] = json.loads((folder / "verdict.json").read_text())["violations"]
    jobs = _jobs(folder)
    others = set().union(*(found for key, found in jobs.items() if key != key_of(name)))
    return [
        violation
        for violation in violations
        if violation["invariant"] in DEFECTS[name].breaks
        and not any(job in json.dumps(violation) for job in others)
    ]


def _jobs(folder: Path) -> dict[str, set[str]]:
    """The jobs that were given for each key."""
    keys: dict[int, str] = {}
    found: dict[str, set[str]] = defaultdict(set)
    for text in (folder / "clients.jsonl").read_text().splitlines():
        line = json.loads(text)
        if line["event"] == "begun" and line["name"] == "submit":
            keys[line["op"]] = line["headers"]["Idempotency-Key"]
        elif line["event"] == "ended" and line["op"] in keys:
            found[keys[line["op"]]].add(line["body"]["id"])
    return found


# --- what provokes each --------------------------------------------------------------------------


def plainly(name: str) -> Callable[[Stage], None]:
    """It shows in any job."""
    return lambda stage: stage.job(name)


def sdk_retries(stage: Stage) -> None:
    """The provider bills what it then fails to answer."""
    stage.job("sdk-retries")
    stage.provider("sdk-retries", 12.0, kind="error_500_billed", times=3)


def cap_after_call(stage: Stage) -> None:
    """A cap that leaves most items out."""
    body = {"budget": {"limit_usd": CAP_OF_FIVE, "on_exhausted": "skip"}}
    stage.job("cap-after-call", 20, body=body)


def no_conditional_put(stage: Stage) -> None:
    """A worker stands still with images in its hands, until others have bought and stored them."""
    stage.job("no-conditional-put", 12)
    stage.roles["worker-1"] = "images"  # it stands still, and the workflows go on elsewhere
    stage.fault("point", 0.0, 40.0, target="worker-1", point="after-call", action="stop")


def unknown_is_free(stage: Stage) -> None:
    """The provider bills, and breaks off."""
    stage.job("unknown-is-free")
    stage.provider("unknown-is-free", kind="reset_after_billing", times=2)


def buys_after_pause(stage: Stage) -> None:
    """A pause while most of a job waits."""
    actions = [
        Action(do="pause", at=1.5, once="running"),
        Action(do="resume", at=5.0, once="paused"),
    ]
    stage.job("buys-after-pause", 60, actions=actions)
    stage.provider("buys-after-pause", kind="delay", seconds=1.0)


def ignores_retry_after(stage: Stage) -> None:
    """The provider says when to come back, while much is left to do."""
    stage.job("ignores-retry-after", 60)
    stage.provider("ignores-retry-after", kind="rate_limit", times=3, seconds=6.0)
    stage.provider("ignores-retry-after", kind="delay", seconds=1.0)


def changing_end(stage: Stage) -> None:
    """Items that fail."""
    stage.job("changing-end")
    stage.provider("changing-end", kind="request_too_large", times=2)


def completed_whatever(stage: Stage) -> None:
    """Likewise."""
    stage.job("completed-whatever")
    stage.provider("completed-whatever", kind="moderation_input", times=2)


def early_webhook(stage: Stage) -> None:
    """Somebody is told of the end, and looks."""
    stage.job("early-webhook", body={"webhook": webhook()})


def changing_event_id(stage: Stage) -> None:
    """An event takes more than one attempt."""
    stage.job("changing-event-id", body={"webhook": webhook()})
    stage.fault("sink", 0.0, 4.0, how="refuse")


def forgotten_idempotency(stage: Stage) -> None:
    """Many clients come with the same key at once."""
    stage.job("forgotten-idempotency", 2, submitters=12)


def early_answer(stage: Stage) -> None:
    """The API dies just after it has answered; then nobody comes again."""
    stage.job("early-answer", 2)
    stage.fault("kill", BEGIN + 5.0, 0.5, target="api")


def webhook() -> Json:
    """The machine's receiver, for all that there is to tell."""
    return {"url": f"{SINK}/{OWNER}", "events": EVENTS}


PLAIN = ("dropped-result", "swapped-images", "double-count", "prompt-in-log", "foreign-job-readable")
PROVOKE: dict[str, Callable[[Stage], None]] = {
    "sdk-retries": sdk_retries,
    "cap-after-call": cap_after_call,
    "no-conditional-put": no_conditional_put,
    "unknown-is-free": unknown_is_free,
    "buys-after-pause": buys_after_pause,
    "ignores-retry-after": ignores_retry_after,
    "changing-end": changing_end,
    "completed-whatever": completed_whatever,
    "early-webhook": early_webhook,
    "changing-event-id": changing_event_id,
    "forgotten-idempotency": forgotten_idempotency,
    "early-answer": early_answer,
    **{name: plainly(name) for name in PLAIN},
}
