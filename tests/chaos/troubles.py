"""What goes wrong in a run: stories, each of some faults that belong together."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.evidence import Json
from tests.chaos.ground import WAYS
from tests.chaos.programs.points import API_POINTS, WORKER_POINTS
from tests.chaos.scenario import FaultPlan, JobPlan

LENGTH = 16.0
"""Seconds of a run in which faults may begin and end."""
FIRST = 2.0
"""By then, some jobs are under way."""
WORKERS = ("worker-1", "worker-2")
LINKS = (
    ("worker-1", "temporal"), ("worker-1", "store"), ("worker-1", "image-api"), ("worker-1", "sink"),
    ("worker-2", "temporal"), ("worker-2", "store"), ("worker-2", "image-api"),
    ("api", "temporal"), ("api", "store"), ("client", "api"),
)  # fmt: skip
CLOCKS = (-3600.0, -30.0, -3.0, 3.0, 30.0, 3600.0)
PARTS = (*WORKERS, "api", "temporal", "store")
ACCOUNT = ("insufficient_quota", "billing_hard_limit", "invalid_api_key", "unverified_org")
COMMON = (
    "error_500_unbilled", "non_json_500", "reset_before_billing", "rate_limit", "rate_limit_tokens",
    "error_500_billed", "reset_after_billing", "truncate", "empty_data", "broken_base64",
    "no_usage", "zero_usage", "fewer_images", "wrong_mime", "url_instead", "extra_fields",
)  # fmt: skip
SLOW = ("hang", "drip", "delay")
STORM = 16
LATER = "2"
"""The build that is deployed in a run; it begins with another."""


@dataclass(frozen=True, slots=True)
class Troubles:
    """Makes up the faults of a run, in which these jobs are submitted."""

    chance: random.Random
    jobs: list[JobPlan]

    def fault(self, kind: str, shortest: float, longest: float, **details: object) -> FaultPlan:
        """A fault of a kind at any time, for a while."""
        at = self.chance.uniform(FIRST, LENGTH - longest)
        return self._at(at, self.chance.uniform(shortest, longest), kind, **details)

    def kills(self) -> list[FaultPlan]:
        """Parts are killed, and come back."""
        parts = (*WORKERS, *PARTS)
        return [self.fault("kill", 0.0, 3.0, target=part) for part in self._some(parts, 1, 4)]

    def freezes(self) -> list[FaultPlan]:
        """Parts stand still, shorter or longer than anybody waits for them."""
        return [self.fault("freeze", 0.3, 5.0, target=part) for part in self._some(PARTS, 1, 3)]

    def crash_of_all_workers(self) -> list[FaultPlan]:
        """All at once, as when their host goes."""
        at = self.chance.uniform(1, LENGTH - 5)
        return [self._at(at, self.chance.uniform(0, 4), "kill", target=worker) for worker in WORKERS]

    def backend_away(self) -> list[FaultPlan]:
        """The engine or the store is gone for longer than a call lasts."""
        return [self.fault("kill", 4.0, 8.0, target=self.chance.choice(("temporal", "store")))]

    def points(self) -> list[FaultPlan]:
        """Processes die or stop between one step and the next."""
        chance, found = self.chance, []
        for _ in range(chance.randint(1, 3)):
            part = chance.choice((*WORKERS, *WORKERS, "api"))
            point = chance.choice(API_POINTS if part == "api" else WORKER_POINTS)
            visit = 1 if part == "api" else chance.choice((1, 1, 2, 5))
            action = chance.choice(("kill", "kill", "stop"))
            at, lasts = chance.uniform(0, 4), chance.uniform(4, 9)
            found.append(self._at(at, lasts, "point", target=part, point=point, visit=visit, action=action))
        return found

    def storm(self) -> list[FaultPlan]:
        """Many clients submit the same thing at once, while the API is killed under them."""
        job = self.chance.choice(self.jobs)
        job.submitters = STORM
        kills = [
            self._at(
                job.at + self.chance.uniform(0.05, 0.6), self.chance.uniform(0.0, 1.5), "kill", target="api"
            )
        ]
        if self.chance.random() < 0.5:
            point = self.chance.choice(API_POINTS)
            at = max(0.0, job.at - 0.3)
            kills = [self._at(at, 5.0, "point", target="api", point=point, visit=1, action="kill")]
        return kills

    def provider(self) -> list[FaultPlan]:
        """The provider fails in several ways at once."""
        chance = self.chance
        plan: list[Json] = [
            {"kind": kind, "probability": round(chance.uniform(0.02, 0.12), 3)}
            for kind in chance.sample(COMMON, k=chance.randint(2, 6))
        ]
        plan.append({"kind": chance.choice(SLOW), "probability": 0.04})
        return [self.fault("provider", 4.0, 10.0, plan=plan)]

    def account(self) -> list[FaultPlan]:
        """The quota ends, or the key is revoked, in mid-job; then it is mended."""
        return [self.fault("provider", 1.0, 4.0, plan=[{"kind": self.chance.choice(ACCOUNT)}])]

    def cuts(self) -> list[FaultPlan]:
        """Links are cut: nothing passes, everything is refused, or what was done is not answered."""
        chance = self.chance
        return [
            self.fault("cut", 0.5, 5.0, client=client, server=server, how=chance.choice(WAYS))
            for client, server in chance.sample(LINKS, k=chance.randint(1, 3))
        ]

    def slowness(self) -> list[FaultPlan]:
        """Links are slow, narrow, or break off in the middle of an answer."""
        chance, found = self.chance, []
        for client, server in chance.sample(
            [link for link in LINKS if link[1] != "sink"], k=chance.randint(1, 2)
        ):
            slowness = chance.choice(
                (
                    {"delay_s": round(chance.uniform(0.05, 1.0), 2)},
                    {"bytes_per_s": chance.choice((4_000, 20_000, 100_000))},
                    {
                        "truncate_after": chance.choice((100, 2_000, 20_000)),
                        "then": chance.choice(("close", "reset")),
                    },
                )
            )
            found.append(self.fault("slow", 1.0, 7.0, client=client, server=server, **slowness))
        return found

    def full_disk(self) -> list[FaultPlan]:
        """There is no room under the store or the engine for a while."""
        return [self.fault("fill", 0.5, 5.0, target=self.chance.choice(("store", "engine")))]

    def clocks(self) -> list[FaultPlan]:
        """The clocks of parts are wrong, by seconds or by an hour."""
        parts = self.chance.sample((*WORKERS, "api"), k=self.chance.choice((1, 2)))
        return [
            self.fault("clock", 2.0, 9.0, target=part, seconds=self.chance.choice(CLOCKS)) for part in parts
        ]

    def deploys(self) -> list[FaultPlan]:
        """A new version of the workers comes; what the old one has not ended in time is moved to it."""
        chance = self.chance
        old, new = chance.sample(WORKERS, k=2)
        how, drain = chance.choice(("drain", "drain", "kill")), round(chance.uniform(0, 6), 1)
        return [self.fault("deploy", 0.5, 5.0, target=new, old=old, build=LATER, how=how, drain=drain)]

    def sink(self) -> list[FaultPlan]:
        """The receiver of webhooks hangs, refuses, or breaks off."""
        return [self.fault("sink", 1.0, 8.0, how=self.chance.choice(("hang", "refuse", "break")))]

    def _at(self, at: float, lasts: float, kind: str, **details: object) -> FaultPlan:
        said = {"at": round(at, 2), "for": round(lasts, 2), "kind": kind}
        return FaultPlan.model_validate(said | details)

    def _some(self, parts: tuple[str, ...], least: int, most: int) -> list[str]:
        return [self.chance.choice(parts) for _ in range(self.chance.randint(least, most))]


STORIES: dict[str, tuple[int, Callable[[Troubles], list[FaultPlan]]]] = {
    "kills": (4, Troubles.kills),
    "freezes": (3, Troubles.freezes),
    "crash of all workers": (2, Troubles.crash_of_all_workers),
    "a backend is away": (2, Troubles.backend_away),
    "points": (4, Troubles.points),
    "storm": (2, Troubles.storm),
    "provider": (3, Troubles.provider),
    "account": (2, Troubles.account),
    "sink": (2, Troubles.sink),
    "cuts": (4, Troubles.cuts),
    "slowness": (2, Troubles.slowness),
    "full disk": (2, Troubles.full_disk),
    "clocks": (1, Troubles.clocks),
    "deploys": (2, Troubles.deploys),
}
"""Each with its weight: how often it is told, compared with the others."""


def choose(chance: random.Random, count: int) -> list[str]:
    """So many different stories, by their weights."""
    left = {name: weight for name, (weight, _) in STORIES.items()}
    chosen = []
    for _ in range(count):
        (name,) = chance.choices(list(left), weights=list(left.values()))
        chosen.append(name)
        del left[name]
    return chosen
