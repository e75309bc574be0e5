"""The days of a tenant, whose midnight is near: which caps were in force when, and what was billed then."""

import asyncio
import math
import time
from dataclasses import dataclass, field
from datetime import datetime

from temporalio.client import Client

from tests.acceptance.service import Json, Service, nano
from tests.chaos.ledger import Bill, Ledger
from tests.chaos.usd import usd

DAY = 86_400


@dataclass(slots=True)
class Span:
    """A cap by day: from when it may have been in force, and until when."""

    cap: int
    since: float
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class Lowered:
    """A lower cap was confirmed: from then on, nothing goes above it or what was committed already."""

    since: float
    window: int
    bound: int


@dataclass(slots=True)
class Days:
    """Sets the tenant's caps, and judges the bills by them afterwards."""

    service: Service
    ledger: Ledger
    midnight: int
    """When the day turns, in seconds since the epoch; a whole minute, as time zones are."""
    spans: list[Span] = field(default_factory=list)
    lowered: list[Lowered] = field(default_factory=list)

    @property
    def time_zone(self) -> str:
        """Where it is midnight then."""
        minutes = -(self.midnight // 60) % (24 * 60)
        return f"+{minutes // 60:02d}:{minutes % 60:02d}"

    def window(self, moment: float) -> int:
        """The day of a moment: -1 before that midnight, 0 after it."""
        return math.floor((moment - self.midnight) / DAY)

    async def set_cap(self, cap: int) -> None:
        """Set the cap by day, and wait until the account works by it and has the rest back."""
        before = self.spans[-1] if self.spans else None
        self.spans.append(Span(cap, time.time()))
        await self.service.set_caps(day_usd=usd(cap), time_zone=self.time_zone)
        asked, usage = await self._confirmed(cap)
        if before:
            before.until = asked
        if before and cap < before.cap:
            self.lowered.append(Lowered(asked, self._window_of(usage), max(cap, committed(usage))))

    async def _confirmed(self, cap: int, seconds: float = 60) -> tuple[float, Json]:
        """The first usage that is within the cap, or has nothing leased; and when it was asked for."""
        usage: Json = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    asked, usage = time.time(), await self.service.usage()
                    within = committed(usage) <= cap or not nano(usage["leased_usd"])
                    if nano(usage["day"]["limit_usd"] or "0") == cap and within:
                        return asked, usage
                    await asyncio.sleep(0.1)
        except TimeoutError:
            said = f"spent and leased are {committed(usage)}, the cap {cap} for {seconds} seconds"
            raise AssertionError(f"{said}: {await leases(self.service)}") from None

    def _window_of(self, usage: Json) -> int:
        return self.window(datetime.fromisoformat(usage["day"]["ends_at"]).timestamp() - DAY)

    async def turned(self) -> None:
        """Wait for the midnight."""
        await asyncio.sleep(max(0.0, self.midnight - time.time()))

    def judge(self) -> None:
        """No bill took its day above the largest cap so far, or after a lower one above that."""
        sums: dict[int, int] = {}
        for bill in self.ledger.bills:
            window = self.window(bill.time)
            sums[window] = sums.get(window, 0) + bill.nano
            bound = self._bound(bill, window)
            assert sums[window] <= bound, f"{bill} makes day {window} {sums[window]}, above {bound}: {self}"

    def _bound(self, bill: Bill, window: int) -> int:
        begin = self.midnight + window * DAY
        bounds = [max(s.cap for s in self.spans if s.since <= bill.time and s.until >= begin)]
        for low in self.lowered:
            follows = next((span.since for span in self.spans if span.since > low.since), math.inf)
            if low.window == window and low.since < bill.time < follows:
                bounds.append(low.bound)
        return min(bounds)


async def leases(service: Service) -> Json:
    """What each job has of the tenant's money, as the account's workflow knows it, with the job's state."""
    client = await Client.connect(str(service.stack.environment["IMAGEMILL_TEMPORAL_ADDRESS"]))
    account: Json = await client.get_workflow_handle("account/default").query("usage")
    for holder, lease in account["leases"].items():
        status = await service.status(holder.partition("/")[0])
        lease["job"] = {name: status[name] for name in ("state", "hold", "failure", "cost")}
    found: Json = account["leases"]
    return found


def committed(usage: Json) -> int:
    """What is spent of the day's cap, or may yet be."""
    day = usage["day"]
    return nano(day["settled_usd"]) + nano(day["written_off_usd"]) + nano(usage["leased_usd"])
