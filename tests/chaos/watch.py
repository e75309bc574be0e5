"""A job's account, held against the provider's ledger while the job runs."""

import asyncio
from collections.abc import Callable

from tests.acceptance.service import ENDED, Json, Service, nano
from tests.chaos.ledger import Bill, Ledger, hashed, running_totals, total
from tests.chaos.usd import usd


class Watch:
    """Reads the ledger and then the status of a job, over and over, and notes what must not be."""

    def __init__(self, service: Service, ledger: Ledger, job: str, items: list[Json], cap: int) -> None:
        self.job = job
        self.items = items
        self.looks = 0
        self._problems: list[str] = []
        self._service = service
        self._ledger = ledger
        self._prompts = {hashed(item["prompt"]) for item in items}
        self._caps = [(0, cap)]

    @property
    def bills(self) -> list[Bill]:
        """The job's own, as far as they were read."""
        return self._ledger.of(self._prompts)

    async def set_cap(self, cap: int) -> None:
        """Change the job's cap; the bills after this may go as far as the new one."""
        await self._ledger.read()
        self._caps.append((len(self.bills), cap))
        body = {"budget": {"limit_usd": usd(cap)}}
        answer = await self._service.ask("PATCH", f"/v1/jobs/{self.job}", json=body)
        # It may have ended just now.
        assert answer.status_code in (202, 409), answer.text

    async def look(self) -> Json:
        """The account may be ahead of the bill, and never behind it."""
        await self._ledger.read()
        billed = total(self.bills)
        status = await self._service.status(self.job)
        committed = nano(status["cost"]["committed_usd"])
        if billed > committed:
            self._problems.append(f"{billed} were billed when the status said {committed}: {status}")
        self.looks += 1
        return status

    async def until(self, holds: Callable[[Json], bool], seconds: float = 90) -> Json:
        """Look until something holds of the status."""
        status: Json = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    status = await self.look()
                    if holds(status):
                        return status
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not within {seconds} seconds: {status}") from None

    def judge(self) -> None:
        """At every single bill the sum was within the largest cap so far, and within what was said."""
        for number, (bill, so_far) in enumerate(running_totals(self.bills)):
            cap = max(cap for since, cap in self._caps if since <= number)
            if so_far > cap:
                self._problems.append(f"bill {number} makes it {so_far}, above the cap of {cap}: {bill}")
        assert not self._problems, f"{len(self._problems)} times, first: {self._problems[:3]}"


def has_ended(status: Json) -> bool:
    """Is it over?"""
    return status["state"] in ENDED


def waits_for_its_cap(status: Json) -> bool:
    """Is it held until the job's own cap is raised?"""
    hold = status["hold"] or {}
    return status["state"] == "held" and hold.get("code") == "budget"
