"""Scenarios by chance, the same for the same seed."""

import random
from collections.abc import Sequence

from tests.chaos.deploys import BUILD
from tests.chaos.quick import SEEDED
from tests.chaos.scenario import Scenario
from tests.chaos.troubles import STORIES, Troubles, choose
from tests.chaos.workload import Workload


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
        settings=SEEDED | ({BUILD: "1"} if any(fault.kind == "deploy" for fault in timeline) else {}),
        limits={"images_per_minute": chance.choice((None, None, 900, 1800))},
        chunk_items=chance.choice((None, 5, 12)),
        tenants=tenants,
        jobs=jobs,
        timeline=sorted(timeline, key=lambda fault: fault.at),
    )
