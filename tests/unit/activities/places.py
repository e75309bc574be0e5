"""Items and stores for the tests of activities."""

from activities.delivery import Delivery, Place
from imagemill.domain.item import CallRecord, PlannedItem
from imagemill.domain.places import plan_key
from imagemill.domain.request import ImageRequest
from imagemill.sniff import facts_of
from imagemill.storage_probe import PROBE_KEY
from tests.fakes.provider import picture
from tests.fakes.store import MemoryStore

REQUEST = ImageRequest(prompt="a very private prompt", model="gpt-image-2.5-flare", size="1024x1024")


class Shop:
    """Both stores, and one item of n images."""

    def __init__(self, n: int = 1) -> None:
        self.control, self.delivered = MemoryStore(), MemoryStore()
        self.delivery = Delivery(self.control, self.delivered, "shop")
        names = [f"a/{number}.png" for number in range(1, n + 1)]
        self.item = PlannedItem(
            index=0,
            custom_id="a",
            request=REQUEST.model_copy(update={"n": n}),
            names=names,
            maximum_nano=700_000_000,
        )
        self.place = Place(tenant="t", job="job_1", chunk=0, item=self.item)

    @property
    def kept(self) -> list[str]:
        """What was delivered, but for what the bucket was tried with."""
        return [key for key in self.delivered.written if key != PROBE_KEY]

    async def plan(self) -> None:
        await self.control.put(plan_key("t", "job_1", 0), self.item.model_dump_json().encode() + b"\n")
        self.control.calls.clear()


def call(reservation: str, *images: bytes, cost: int = 5) -> CallRecord:
    facts = [facts_of(image) for image in images or (picture(),)]
    return CallRecord(
        reservation=reservation,
        call=f"call-{reservation}",
        model="gpt-image-2.5-flare",
        images=facts,
        cost_nano=cost,
        request_id="req_1",
    )
