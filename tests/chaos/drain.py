"""After the faults: everything is led to its end, and read once more by a judge."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from functools import partial

from tests.chaos.calls import Answer, Call
from tests.chaos.clients import ENDED, Clients, Known
from tests.chaos.evidence import Json

JUDGE = "judge"
PAUSE = 0.2


class Drain:
    """Leads all jobs that any client knows of to their ends."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._more_may_come = True

    def no_more(self) -> None:
        """No client makes jobs any more."""
        self._more_may_come = False

    async def lead(self) -> None:
        """Until every job is terminal and no tenant's money is leased."""
        done: set[str] = set()
        while self._more_may_come or self._clients.jobs.keys() - done:
            open_jobs = [job for job in self._clients.jobs.values() if job.id not in done]
            ended = await asyncio.gather(*map(self._lead, open_jobs))
            done |= {job.id for job, is_over in zip(open_jobs, ended, strict=True) if is_over}
            await asyncio.sleep(PAUSE)
        for tenant in self._clients.scenario.tenants:
            await self._until(partial(self._nothing_leased, tenant.id))

    async def all_told(self) -> None:
        """Until no delivery of a webhook is pending any more."""
        for job in list(self._clients.jobs.values()):
            await self._until(partial(self._told, job))

    async def _lead(self, job: Known) -> bool:
        status = await self._clients.status("drainer", job)
        if status is None or status["state"] in ENDED:
            return status is not None or job.state == "lost"
        if status["state"] == "paused":
            await self._clients.act("drainer", job, "resume")
        elif status["state"] == "held":
            await self._end_hold(job, status["hold"])
        return False

    async def _end_hold(self, job: Known, hold: Json) -> None:
        """What its owner would do now: raise the cap, resume, or cancel."""
        waits = hold["code"] in ("budget", "unknown_outcomes")
        if hold["code"] == "tenant_budget" or (waits and job.at_drain == "cancel"):
            await self._clients.act("drainer", job, "cancel")
        elif hold["code"] == "budget":
            await self._clients.act("drainer", job, "set-budget", {"budget": {"limit_usd": job.most_usd}})
        elif hold["code"] == "unknown_outcomes":
            await self._clients.act("drainer", job, "resume")

    async def _nothing_leased(self, tenant: str) -> bool:
        answer = await self._clients.caller.ask("drainer", Call("usage", "GET", "/v1/usage", tenant))
        return answer.ok and not Decimal(answer.body["leased_usd"])

    async def _told(self, job: Known) -> bool:
        path = f"/v1/webhooks/deliveries?job={job.id}"
        answer = await self._clients.caller.ask(
            "drainer", Call("deliveries", "GET", path, job.tenant, job.id)
        )
        return answer.ok and all(each["state"] != "pending" for each in answer.body["data"])

    async def _until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        while True:
            if await holds():
                return
            await asyncio.sleep(PAUSE)


class Judge:
    """Reads all there is to read of every job, with the key of its tenant and with another one's."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def read(self) -> None:
        """All jobs, then all tenants."""
        gate = asyncio.Semaphore(8)

        async def ask(call: Call) -> None:
            async with gate:
                await self._ask(call)

        await asyncio.gather(*map(ask, self._calls()))
        for job in list(self._clients.jobs.values()):
            await self._clients.submit(JUDGE, job, "final-resubmit")

    def _calls(self) -> Iterable[Call]:
        for job in self._clients.jobs.values():
            yield from self._of(job)
        for tenant in self._clients.scenario.tenants:
            yield Call("final-usage", "GET", "/v1/usage", tenant.id)

    def _of(self, job: Known) -> Iterable[Call]:
        path = f"/v1/jobs/{job.id}"
        yield Call("final-status", "GET", path, job.tenant, job.id)
        yield Call("final-report", "GET", f"{path}/report?items=true", job.tenant, job.id)
        yield Call("final-results", "GET", f"{path}/results", job.tenant, job.id)
        yield Call("final-deliveries", "GET", f"/v1/webhooks/deliveries?job={job.id}", job.tenant, job.id)
        others = [tenant.id for tenant in self._clients.scenario.tenants if tenant.id != job.tenant]
        for other in others[:1]:
            yield Call("foreign-status", "GET", path, other, job.id)
            yield Call("foreign-results", "GET", f"{path}/results", other, job.id)
            yield Call("foreign-report", "GET", f"{path}/report", other, job.id)

    async def _ask(self, call: Call) -> Answer:
        return await self._clients.ask_until_known(JUDGE, call)
