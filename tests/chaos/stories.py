"""Scenarios by chance, the same for the same seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.evidence import Json
from tests.chaos.ground import WAYS
from tests.chaos.programs.points import API_POINTS, WORKER_POINTS
from tests.chaos.scenario import SINK, Action, FaultPlan, JobPlan, Manifest, Scenario, TenantPlan
from tests.chaos.usd import usd

QUICK = {
    "IMAGEMILL_TIMES_CALL_DEADLINE": "3",
    "IMAGEMILL_TIMES_HEARTBEAT_TIMEOUT": "2",
    "IMAGEMILL_TIMES_HEARTBEAT_INTERVAL": "0.5",
    "IMAGEMILL_TIMES_SWEEP": "4",
    "IMAGEMILL_TIMES_FIRST_PROBE": "0.3",
    "IMAGEMILL_TIMES_LAST_PROBE": "1",
    "IMAGEMILL_TIMES_RECONCILE": "3",
    "IMAGEMILL_TIMES_ACCOUNT_SAVE": "1",
    "IMAGEMILL_WORK_IMAGES_AT_ONCE": "6",
    "IMAGEMILL_WEBHOOKS_ALLOW_HTTP": "true",
    "IMAGEMILL_WEBHOOKS_ALLOW_PRIVATE": "true",
    "IMAGEMILL_WEBHOOKS_SECONDS": "4",
    "IMAGEMILL_WEBHOOKS_WAITS": "[0, 0.3, 0.5, 1, 1, 2, 2, 4, 4]",
}
"""Times at which a lost call is given up within seconds."""

MODEL = "gpt-image-2.5-flare"
SIZE = "816x816"
IMAGE_NANO = {"low": 5_130_000, "medium": 11_550_000}
"""What one image of that size costs, about."""
PROMPT_NANO = 600_000
EVENTS = ["job.running", "job.progress", "job.held", "job.completed", "job.failed", "job.cancelled"]
TENANTS = ("acme", "beta", "coyote")
WORKERS = ("worker-1", "worker-2")
TRIGGERS = ("forbidden-input", "forbidden-output", "forbidden-unsaid")
LENGTH = 14.0
"""Seconds of a run in which faults may begin and end."""

LINKS = (
    *((worker, server) for worker in WORKERS for server in ("temporal", "store", "image-api", "sink")),
    ("api", "temporal"), ("api", "temporal"), ("api", "store"), ("api", "store"), ("client", "api"),
)  # fmt: skip
SLOWABLE = tuple(dict.fromkeys(link for link in LINKS if link[1] != "sink"))
ENDS = ("close", "reset")
STEPS = (-3600, -300, -60, 60, 300, 3600)
"""Seconds by which a clock is wrong."""

ACCOUNT = ("insufficient_quota", "billing_hard_limit", "invalid_api_key", "unverified_org")
COMMON = (
    "error_500_unbilled", "non_json_500", "reset_before_billing", "rate_limit", "rate_limit_tokens",
    "error_500_billed", "reset_after_billing", "truncate", "empty_data", "broken_base64",
    "no_usage", "zero_usage", "fewer_images", "wrong_mime", "url_instead", "extra_fields",
)  # fmt: skip
SLOW = ("hang", "drip", "delay")


@dataclass(slots=True)
class Teller:
    """Makes up one scenario."""

    seed: int
    chance: random.Random = field(init=False)
    word: str = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.word = f"run{self.seed}q"

    def tell(self) -> Scenario:
        """Tenants, their jobs, and what goes wrong meanwhile."""
        chance = self.chance
        tenants = self.tenants()
        jobs = [self.job(number, chance.choice(tenants)) for number in range(chance.randint(2, 4))]
        stories = chance.sample(list(STORIES), k=chance.choice((1, 2, 2, 3)))
        timeline = [fault for story in stories for fault in STORIES[story](self)]
        return Scenario(
            seed=self.seed,
            story=" + ".join(stories),
            word=self.word,
            settings=dict(QUICK),
            limits={"images_per_minute": chance.choice((None, None, 900, 1800))},
            chunk_items=chance.choice((None, 3, 10)),
            tenants=tenants,
            jobs=jobs,
            timeline=sorted(timeline, key=lambda fault: fault.at),
        )

    # --- who ------------------------------------------------------------------------------------

    def tenants(self) -> list[TenantPlan]:
        """Two or three, one of them perhaps with a cap by day that bites."""
        chance = self.chance
        plans = []
        for name in TENANTS[: chance.choice((2, 2, 3))]:
            cap = chance.choice((50 * 10**9, 50 * 10**9, int(chance.uniform(0.1, 0.6) * 10**9)))
            weight = chance.choice((1.0, 1.0, 2.0))
            plans.append(
                TenantPlan(
                    id=name, word=f"{name}{self.seed}z", day_usd=usd(cap), month_usd="400", weight=weight
                )
            )
        return plans

    # --- what -----------------------------------------------------------------------------------

    def job(self, number: int, tenant: TenantPlan) -> JobPlan:
        """A job of some dozens of small pictures, and what its clients do to it."""
        chance = self.chance
        items = [self.item(number, n, tenant) for n in range(chance.choice((1, 8, 20, 30, 40)))]
        expected = sum(IMAGE_NANO[item["quality"]] * item["n"] + PROMPT_NANO for item in items)
        share = chance.choice((chance.uniform(0.3, 0.9), 3.0, 3.0))
        body: Json = {
            "defaults": {"model": MODEL, "size": SIZE, "output_format": "jpeg"},
            "budget": {
                "limit_usd": usd(max(int(expected * share), 40_000_000)),
                "on_exhausted": chance.choice(("hold", "hold", "skip")),
            },
            "on_unknown": chance.choice(("retry", "retry", "skip", "hold")),
            "priority": chance.choice((1, 3, 3, 5)),
        }
        manifest = None
        if chance.random() < 0.35:
            manifest, body["manifest"] = self.manifest(items)
            body["defaults"]["quality"] = "low"
        else:
            body["items"] = items
        if chance.random() < 0.6:
            events = chance.choice((EVENTS, EVENTS[2:]))
            body["webhook"] = {"url": f"{SINK}/{tenant.id}", "events": events}
        return JobPlan(
            tenant=tenant.id,
            # Two tenants may come upon the same word.
            key=chance.choice(
                (f"order-{self.seed}-{number}", f"order-{self.seed}-{number}", f"daily-{number % 2}")
            ),
            at=round(chance.uniform(0.0, 4.0), 2),
            body=body,
            manifest=manifest,
            submitters=chance.choice((1, 1, 2, 3, 12)),
            pollers=chance.choice((1, 1, 2)),
            actions=self.actions(expected),
            at_drain=chance.choice(("raise", "cancel")),
            most_usd=usd(expected * 8 + 10**9),
        )

    def item(self, job: int, number: int, tenant: TenantPlan) -> Json:
        """A small picture, or a set of them; some are refused by moderation."""
        chance = self.chance
        trigger = f" {chance.choice(TRIGGERS)}" if chance.random() < 0.06 else ""
        return {
            "custom_id": f"item-{number}",
            "prompt": f"A jug, {self.word} {tenant.word} job {job} number {number}{trigger}",
            "quality": chance.choice(("low", "low", "low", "medium")),
            "n": chance.choice((1, 1, 1, 1, 2, 3)),
        }

    def manifest(self, items: list[Json]) -> tuple[Manifest, Json]:
        """The same as a file of rows, some of which are bad."""
        lines = ["id,prompt"]
        for item in items:
            item["n"], item["quality"] = 1, "low"
            lines.append(f'{item["custom_id"]},"{item["prompt"]}"')
            if self.chance.random() < 0.05:
                lines.append(f'bad-{item["custom_id"]},"{item["prompt"]} bad",one cell too many')
        body = {"format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.prompt }}"}
        return Manifest(filename="rows.csv", text="\n".join(lines) + "\n"), body

    def actions(self, expected: int) -> list[Action]:
        """What the owner does: nothing, or some of what can be done."""
        chance = self.chance
        return chance.choice(
            (
                [],
                [],
                [
                    Action(do="pause", at=chance.uniform(0, 3)),
                    Action(do="resume", at=chance.uniform(0.2, 3), once="paused"),
                ],
                [Action(do="pause", at=chance.uniform(0, 4))],
                [Action(do="cancel", at=chance.uniform(0, 6))],
                [Action(do="cancel", at=chance.uniform(0, 1), once="held")],
                [
                    self._budget(expected * chance.uniform(0.05, 0.4), chance.uniform(0, 3)),
                    self._budget(expected * chance.uniform(1.0, 2.0), chance.uniform(3, 7)),
                ],
                [self._budget(expected * chance.uniform(1.0, 3.0), 0.2, once="held")],
                [
                    Action(
                        do="retry",
                        once="ended",
                        body={
                            "states": ["failed", "skipped"],
                            "budget": {"limit_usd": usd(expected + 10**8)},
                        },
                    )
                ],
            )
        )

    def _budget(self, nano: float, at: float, once: str = "accepted") -> Action:
        body = {"budget": {"limit_usd": usd(int(nano))}}
        return Action.model_validate({"do": "set-budget", "at": at, "once": once, "body": body})

    # --- what goes wrong ------------------------------------------------------------------------

    def fault(self, kind: str, shortest: float, longest: float, **details: object) -> FaultPlan:
        """A fault of a kind at any time, for a while."""
        at = round(self.chance.uniform(0.0, LENGTH - longest), 2)
        lasts = round(self.chance.uniform(shortest, longest), 2)
        return FaultPlan.model_validate({"at": at, "for": lasts, "kind": kind, **details})

    def kills(self) -> list[FaultPlan]:
        """Parts are killed, and come back."""
        parts = (*WORKERS, *WORKERS, "api", "temporal", "store")
        return [
            self.fault("kill", 0.0, 3.0, target=self.chance.choice(parts))
            for _ in range(self.chance.randint(2, 5))
        ]

    def freezes(self) -> list[FaultPlan]:
        """Parts stand still for a while, shorter or longer than anybody waits for them."""
        parts = (*WORKERS, "api", "temporal", "store")
        return [
            self.fault("freeze", 0.3, 5.0, target=self.chance.choice(parts))
            for _ in range(self.chance.randint(1, 4))
        ]

    def points(self) -> list[FaultPlan]:
        """Parts kill or stop themselves at chosen points of their work."""
        chance, faults = self.chance, []
        for part in chance.sample((*WORKERS, "api"), k=chance.choice((1, 2))):
            point = chance.choice(API_POINTS if part == "api" else WORKER_POINTS)
            action, visit = chance.choice(("kill", "stop")), chance.choice((1, 1, 2, 4))
            faults.append(
                self.fault("point", 6.0, 12.0, target=part, point=point, visit=visit, action=action)
            )
        return faults

    def provider(self) -> list[FaultPlan]:
        """The provider fails in several ways at once."""
        chance = self.chance
        kinds = chance.sample(COMMON, k=chance.randint(2, 6))
        plan: list[Json] = [{"kind": kind, "probability": chance.uniform(0.02, 0.12)} for kind in kinds]
        plan += [{"kind": kind, "probability": 0.04} for kind in chance.sample(SLOW, k=1)]
        return [self.fault("provider", 4.0, 10.0, plan=plan)]

    def account(self) -> list[FaultPlan]:
        """The quota ends, or the key is revoked, in mid-job; and then it is mended."""
        kind = self.chance.choice(ACCOUNT)
        return [self.fault("provider", 1.0, 4.0, plan=[{"kind": kind}])]

    def sink(self) -> list[FaultPlan]:
        """The receiver of webhooks hangs, refuses, or breaks off."""
        how = self.chance.choice(("hang", "refuse", "break"))
        return [self.fault("sink", 1.0, 8.0, how=how)]

    def cuts(self) -> list[FaultPlan]:
        """Links between two parts are cut, in one way or another."""
        chance = self.chance
        return [
            self.fault("cut", 0.5, 5.0, client=client, server=server, how=chance.choice(WAYS))
            for client, server in chance.sample(LINKS, k=chance.randint(1, 4))
        ]

    def slow_links(self) -> list[FaultPlan]:
        """Links between two parts are slow, narrow, or end in the midst of answers."""
        chance = self.chance
        return [
            self.fault("slow", 1.0, 6.0, client=client, server=server, **how)
            for client, server in chance.sample(SLOWABLE, k=chance.randint(1, 3))
            for how in [
                chance.choice(
                    (
                        {"delay_s": round(chance.uniform(0.02, 0.5), 2)},
                        {"bytes_per_s": chance.choice((5_000, 50_000, 500_000))},
                        {"truncate_after": chance.choice((10, 300, 5_000)), "then": chance.choice(ENDS)},
                    )
                )
            ]
        ]

    def disks(self) -> list[FaultPlan]:
        """The disk under the store or the engine is full for a while."""
        targets = self.chance.choice((["store"], ["engine"], ["store", "engine"]))
        return [self.fault("fill", 0.5, 5.0, target=target) for target in targets]

    def clocks(self) -> list[FaultPlan]:
        """The clock of a worker or of the API is wrong for a while."""
        chance = self.chance
        parts = chance.sample((*WORKERS, "api"), k=chance.randint(1, 2))
        return [self.fault("clock", 1.0, 8.0, target=part, seconds=chance.choice(STEPS)) for part in parts]


STORIES: dict[str, Callable[[Teller], list[FaultPlan]]] = {
    "kills": Teller.kills,
    "freezes": Teller.freezes,
    "points": Teller.points,
    "provider": Teller.provider,
    "account": Teller.account,
    "sink": Teller.sink,
    "cuts": Teller.cuts,
    "slow links": Teller.slow_links,
    "disks": Teller.disks,
    "clocks": Teller.clocks,
}


def tell(seed: int) -> Scenario:
    """The scenario of a seed."""
    return Teller(seed).tell()
