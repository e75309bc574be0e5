"""The results of a chunk are written once it knows what became of every item."""

import pytest
from temporalio.testing import ActivityEnvironment

from activities.books import Books
from activities.delivery import Delivery
from activities.plans import Plans
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.item import ItemRecord, ItemResult, ItemState, PlannedItem
from imagemill.domain.lines import from_lines, to_lines
from imagemill.domain.messages import ResultsTask
from imagemill.domain.places import plan_key, results_key
from imagemill.domain.pools import Pools
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore

TASK = ResultsTask(job="job_1", tenant="t", chunk=3)
PLAN, RESULTS = plan_key("t", "job_1", 3), results_key("t", "job_1", 3)


class Desk:
    """A chunk of two items, and what it tells of them."""

    def __init__(self, *told: ItemRecord) -> None:
        self.control, self.engine = MemoryStore(), MemoryEngine()
        self.engine.known_records["job_1/3"] = list(told)

    async def write(self, task: ResultsTask = TASK) -> None:
        items = [PlannedItem(index=n, custom_id=f"i{n}") for n in range(2)]
        await self.control.put(PLAN, to_lines(items))
        delivery = Delivery(self.control, MemoryStore(), "shop")
        plans, prices = Plans(self.control), Catalogue.load()
        books = Books(self.control, plans, delivery, self.engine, prices, pools=Pools.single())
        await ActivityEnvironment().run(books.write_results, task)

    @property
    def results(self) -> list[tuple[str, ItemState]]:
        lines = self.control.data(RESULTS).splitlines()
        return [(result.custom_id, result.state) for result in from_lines(ItemResult, lines)]


def record(index: int, state: ItemState) -> ItemRecord:
    return ItemRecord(index=index, state=state)


BOTH = [("i0", "succeeded"), ("i1", "failed")]


async def test_the_chunk_is_asked_and_its_items_are_written_in_order() -> None:
    desk = Desk(record(1, "failed"), record(0, "succeeded"))
    await desk.write()

    assert desk.results == BOTH


@pytest.mark.parametrize("told", [[], ["succeeded"], ["succeeded", "running"]])
async def test_a_chunk_that_does_not_know_all_of_it_is_asked_again_later(told: list[ItemState]) -> None:
    desk = Desk(*(record(index, state) for index, state in enumerate(told)))
    with pytest.raises(EngineUnavailable):
        await desk.write()

    assert RESULTS not in desk.control.written


async def test_a_chunk_of_an_earlier_version_has_told_with_the_task() -> None:
    desk = Desk()
    await desk.write(TASK.model_copy(update={"records": [record(0, "succeeded"), record(1, "failed")]}))

    assert desk.results == BOTH
