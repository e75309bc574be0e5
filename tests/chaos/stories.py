"""Scenarios by chance, the same for the same seed."""

import random
from collections.abc import Sequence

from tests.chaos.deploys import BUILD
from tests.chaos.scenario import Scenario
from tests.chaos.troubles import STORIES, Troubles, choose
from tests.chaos.workload import Workload

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
    "IMAGEMILL_CONTROL_SILENCE_SECONDS": "5",
    "IMAGEMILL_DELIVERY_SILENCE_SECONDS": "5",
    "IMAGEMILL_WEBHOOKS_ALLOW_HTTP": "true",
    "IMAGEMILL_WEBHOOKS_ALLOW_PRIVATE": "true",
    "IMAGEMILL_WEBHOOKS_SECONDS": "4",
    "IMAGEMILL_WEBHOOKS_WAITS": "[0, 0.3, 0.5, 1, 1, 2, 2, 4, 4]",
}
"""Times at which a lost call is given up within seconds."""


def tell(seed: int, stories: Sequence[str] = ()) -> Scenario:
    """The scenario of a seed: who orders what, and some stories of trouble at once, unless they are named."""
    chance = random.Random(seed)
    word = f"run{seed}q"
    workload = Workload(chance, seed, word)
    tenants = workload.tenants()
    jobs = workload.jobs(tenants)
    stories = stories or choose(chance, chance.choice((1, 2, 2, 3)))
    troubles = Troubles(chance, jobs)
    timeline = [fault for story in stories for fault in STORIES[story][1](troubles)]
    return Scenario(
        seed=seed,
        story=" + ".join(stories),
        word=word,
        settings=QUICK | ({BUILD: "1"} if any(fault.kind == "deploy" for fault in timeline) else {}),
        limits={"images_per_minute": chance.choice((None, None, 900, 1800))},
        chunk_items=chance.choice((None, 5, 12)),
        tenants=tenants,
        jobs=jobs,
        timeline=sorted(timeline, key=lambda fault: fault.at),
    )
