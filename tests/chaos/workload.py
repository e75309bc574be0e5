"""What tenants there are in a run, what they order, and what they do to their jobs."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.evidence import Json
from tests.chaos.scenario import SINK, Action, JobPlan, Manifest, TenantPlan
from tests.chaos.usd import usd

MODEL = "gpt-image-2.5-flare"
SIZE = "816x816"
IMAGE_NANO = {"low": 5_130_000, "medium": 11_550_000}
"""What one image of that size costs, about."""
PROMPT_NANO = 600_000
LEAST_CAP_NANO = 40_000_000
"""More than any single item costs at most: a submission below that is refused."""
EVENTS = ["job.running", "job.progress", "job.held", "job.completed", "job.failed", "job.cancelled"]
TENANTS = ("acme", "beta", "coyote")
TRIGGERS = ("forbidden-input", "forbidden-output", "forbidden-unsaid")


@dataclass(frozen=True, slots=True)
class Workload:
    """Makes up tenants and jobs; all prompts have the run's word and their tenant's."""

    chance: random.Random
    seed: int
    word: str

    def tenants(self) -> list[TenantPlan]:
        """Two or three, some with a cap by day that bites."""
        chance, plans = self.chance, []
        for name in TENANTS[: chance.choice((2, 2, 3))]:
            cap = chance.choice((50 * 10**9, 50 * 10**9, int(chance.uniform(0.1, 0.6) * 10**9)))
            plan = TenantPlan(id=name, word=f"{name}{self.seed}z", day_usd=usd(cap), month_usd="400")
            plan.weight = chance.choice((1.0, 1.0, 2.0))
            plans.append(plan)
        return plans

    def jobs(self, tenants: list[TenantPlan]) -> list[JobPlan]:
        """A few, of one item up to some dozens; no key twice for a tenant."""
        found: list[JobPlan] = []
        taken: set[tuple[str, str]] = set()
        for number in range(self.chance.randint(2, 4)):
            tenant = self.chance.choice(tenants)
            # Two tenants may come upon the same word.
            key = self.chance.choice((f"order-{self.seed}-{number}", "daily"))
            if (tenant.id, key) in taken:
                key = f"order-{self.seed}-{number}"
            taken.add((tenant.id, key))
            found.append(self.job(number, tenant, key))
        return found

    def job(self, number: int, tenant: TenantPlan, key: str) -> JobPlan:
        """A job of one item up to some dozens, and what its clients do."""
        chance = self.chance
        items = [self._item(number, n, tenant) for n in range(chance.choice((1, 6, 12, 18, 24)))]
        manifest, body = self._ordered(items)
        expected = sum(IMAGE_NANO[item["quality"]] * item["n"] + PROMPT_NANO for item in items)
        share = chance.choice((chance.uniform(0.3, 0.9), 3.0, 3.0))
        body["budget"] = {
            "limit_usd": usd(max(int(expected * share), LEAST_CAP_NANO)),
            "on_exhausted": chance.choice(("hold", "hold", "skip")),
        }
        body["on_unknown"] = chance.choice(("retry", "retry", "skip", "hold"))
        body["priority"] = chance.choice((1, 3, 3, 5))
        if chance.random() < 0.6:
            events = chance.choice((EVENTS, EVENTS[2:]))
            body["webhook"] = {"url": f"{SINK}/{tenant.id}", "events": events}
        return JobPlan(
            tenant=tenant.id,
            key=key,
            at=round(chance.uniform(0.0, 3.0), 2),
            body=body,
            manifest=manifest,
            submitters=chance.choice((1, 1, 2, 3, 8)),
            impostor=chance.random() < 0.25,
            pollers=chance.choice((1, 1, 2)),
            actions=Owner(chance, expected).actions(),
            at_drain=chance.choice(("raise", "cancel")),
            most_usd=usd(expected * 8 + 10**9),
        )

    def _item(self, job: int, number: int, tenant: TenantPlan) -> Json:
        """A small picture, or a set of them; some are refused by moderation."""
        chance = self.chance
        trigger = f" {chance.choice(TRIGGERS)}" if chance.random() < 0.06 else ""
        return {
            "custom_id": f"item-{number}",
            "prompt": f"A jug, {self.word} {tenant.word} job {job} number {number}{trigger}",
            "quality": chance.choice(("low", "low", "low", "medium")),
            "n": chance.choice((1, 1, 1, 1, 2, 3)),
        }

    def _ordered(self, items: list[Json]) -> tuple[Manifest | None, Json]:
        """A submission of these items: as they are, or as a file of rows, some of which are bad."""
        defaults = {"model": MODEL, "size": SIZE, "output_format": "jpeg"}
        if self.chance.random() > 0.35:
            return None, {"defaults": defaults, "items": items}
        lines = ["id,prompt"]
        for item in items:
            item["n"], item["quality"] = 1, "low"
            lines.append(f'{item["custom_id"]},"{item["prompt"]}"')
            if self.chance.random() < 0.05:
                lines.append(f'bad-{item["custom_id"]},"{item["prompt"]} bad",one cell too many')
        manifest = Manifest(filename="rows.csv", text="\n".join(lines) + "\n")
        named = {"format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.prompt }}"}
        return manifest, {"defaults": defaults | {"quality": "low", "n": 1}, "manifest": named}


@dataclass(frozen=True, slots=True)
class Owner:
    """What the owner of a job does to it, which is expected to cost so much."""

    chance: random.Random
    expected: int

    def actions(self) -> list[Action]:
        """Nothing, or some of what can be done."""
        ways: tuple[Callable[[], list[Action]], ...] = (
            list,
            list,
            self._pause_and_resume,
            lambda: [Action(do="pause", at=self._within(4))],
            lambda: [Action(do="cancel", at=self._within(6))],
            lambda: [Action(do="cancel", at=self._within(1), once="held")],
            self._lower_and_raise,
            lambda: [self._budget(self.chance.uniform(1, 3), 0.2, "held")],
            lambda: [Action(do="resume", at=self._within(1), once="held")],
            self._retry,
        )
        return self.chance.choice(ways)()

    def _pause_and_resume(self) -> list[Action]:
        return [
            Action(do="pause", at=self._within(3)),
            Action(do="resume", at=self._within(3), once="paused"),
        ]

    def _lower_and_raise(self) -> list[Action]:
        return [
            self._budget(self.chance.uniform(0.05, 0.4), self._within(3)),
            self._budget(self.chance.uniform(1, 2), 3 + self._within(4)),
        ]

    def _retry(self) -> list[Action]:
        budget = {"limit_usd": usd(self.expected + 10**8)}
        return [Action(do="retry", once="ended", body={"states": ["failed", "skipped"], "budget": budget})]

    def _budget(self, share: float, at: float, once: str = "accepted") -> Action:
        body = {"budget": {"limit_usd": usd(int(self.expected * share))}}
        return Action.model_validate({"do": "set-budget", "at": at, "once": once, "body": body})

    def _within(self, seconds: float) -> float:
        return round(self.chance.uniform(0, seconds), 2)
