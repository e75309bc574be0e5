"""Clients of the service, as real ones are: what they know nothing of they try again."""

import asyncio
import random
from dataclasses import dataclass, field, replace

from tests.chaos.calls import Answer, Call, Caller
from tests.chaos.evidence import Json
from tests.chaos.scenario import SINK, Action, JobPlan, Scenario

LOST = 410
"""The answer to those who ask for a job that was accepted, and that nobody knows any more."""
ENDED = ("completed", "completed_with_errors", "cancelled", "failed")
AGAIN = (408, 429)
"""Refusals after which a client tries again."""


@dataclass(slots=True)
class Known:
    """A job that some client was told of."""

    id: str
    tenant: str
    key: str
    path: str
    """Where it was submitted: to the jobs, or to another job's retries."""
    body: Json
    most_usd: str
    at_drain: str
    state: str = "queued"


@dataclass(slots=True)
class Clients:
    """All clients of a run, and the jobs that they know of."""

    caller: Caller
    scenario: Scenario
    sink_url: str
    jobs: dict[str, Known] = field(default_factory=dict)

    async def work(self) -> None:
        """Submit all jobs, look at them, and do to them what is planned; returns when all that is done."""
        async with asyncio.TaskGroup() as group:
            for number, plan in enumerate(self.scenario.jobs):
                group.create_task(Owner(self, number, plan).work())

    async def ask_until_known(self, client: str, call: Call) -> Answer:
        """Ask until it is known what became of it."""
        chance = random.Random(f"{self.scenario.seed} {client} {call.path}")
        wait = 0.1
        while True:
            answer = await self.caller.ask(client, call)
            if not answer.maybe and answer.status not in AGAIN:
                return answer
            await asyncio.sleep(wait * chance.uniform(0.5, 1.5))
            wait = min(1.0, wait * 2)

    async def status(self, client: str, job: Known) -> Json | None:
        """The status of a job, if somebody tells."""
        call = Call("status", "GET", f"/v1/jobs/{job.id}", job.tenant, job.id)
        answer = await self.caller.ask(client, call)
        if answer.status == LOST:
            job.state = "lost"
        if not answer.ok:
            return None
        job.state = answer.body["state"]
        found: Json = answer.body
        return found

    async def act(self, client: str, job: Known, action: str, body: Json | None = None) -> Answer:
        """Pause, resume, cancel a job, or set its budget."""
        name, path = action, f"/v1/jobs/{job.id}/{action}"
        method = "POST"
        if action == "set-budget":
            method, path = "PATCH", f"/v1/jobs/{job.id}"
        return await self.ask_until_known(client, Call(name, method, path, job.tenant, job.id, body))

    async def submit(self, client: str, job: Known, name: str = "submit") -> str | None:
        """Submit a job under its key until somebody answers; answers its id, or None if it was refused."""
        headers = {"Idempotency-Key": job.key}
        call = Call(name, "POST", job.path, job.tenant, body=job.body, headers=headers)
        answer = await self.ask_until_known(client, call)
        return str(answer.body["id"]) if answer.ok else None


class Owner:
    """Those who have to do with one job: its owner, those who submit it too, and those who poll it."""

    def __init__(self, clients: Clients, number: int, plan: JobPlan) -> None:
        self._clients = clients
        self._number = number
        self._plan = plan
        self._chance = random.Random(f"{clients.scenario.seed} owner {number}")

    @property
    def _name(self) -> str:
        return f"owner-{self._number}"

    async def work(self) -> None:
        """From the submission to the last action."""
        await asyncio.sleep(self._plan.at)
        job = Known("", self._plan.tenant, self._plan.key, "/v1/jobs", await self._body(),
                    self._plan.most_usd, self._plan.at_drain)  # fmt: skip
        names = [f"submitter-{self._number}-{n}" for n in range(self._plan.submitters)]
        for found in await asyncio.gather(*(self._clients.submit(name, job) for name in names)):
            if found:
                # All are told the same, if the service keeps its word; if not, each is led to its end.
                job = replace(job, id=found)
                self._clients.jobs[found] = job
        if job.id:
            await asyncio.gather(self._follow(job), self._impostor(job))

    async def _impostor(self, job: Known) -> None:
        """Somebody comes with the same key and asks for something else."""
        if self._plan.impostor:
            other = replace(job, body=job.body | {"name": "something else"})
            await self._clients.submit(f"impostor-{self._number}", other)

    async def _body(self) -> Json:
        """The submission, with what is known only now."""
        body: Json = dict(self._plan.body)
        if self._plan.manifest:
            body["manifest"] = body["manifest"] | {"file_id": await self._upload()}
        if webhook := body.get("webhook"):
            url = webhook["url"].replace(SINK, self._clients.sink_url)
            body["webhook"] = webhook | {"url": url}
        return body

    async def _upload(self) -> str:
        manifest = self._plan.manifest
        assert manifest is not None
        files = {"file": (manifest.filename, manifest.text.encode())}
        said = {"filename": manifest.filename, "text": manifest.text}
        call = Call("upload", "POST", "/v1/files", self._plan.tenant, body=said, files=files)
        return str((await self._clients.ask_until_known(self._name, call)).body["id"])

    async def _follow(self, job: Known) -> None:
        pollers = [
            Poller(self._clients, job, f"poller-{self._number}-{n}") for n in range(self._plan.pollers)
        ]
        looking = [asyncio.create_task(poller.look()) for poller in pollers]
        try:
            await asyncio.gather(*(self._do(job, action) for action in self._plan.actions))
        except BaseException:
            for task in looking:
                task.cancel()
            raise
        await asyncio.gather(*looking)

    async def _do(self, job: Known, action: Action) -> None:
        if not await self._reached(job, action.once):
            return
        await asyncio.sleep(action.at)
        if action.do == "retry":
            await self._retry(job, action.body or {})
        else:
            await self._clients.act(self._name, job, action.do, action.body)

    async def _reached(self, job: Known, once: str) -> bool:
        """Wait for a state; false if the job ends without it."""
        while once != "accepted":
            status = await self._clients.status(self._name, job)
            state = status["state"] if status else None
            if state == once or (once == "ended" and state in ENDED):
                return True
            if state in ENDED:
                return False
            await asyncio.sleep(self._chance.uniform(0.1, 0.4))
        return True

    async def _retry(self, job: Known, body: Json) -> None:
        child = Known("", job.tenant, f"{job.key} again", f"/v1/jobs/{job.id}/retry", body,
                      job.most_usd, job.at_drain)  # fmt: skip
        if found := await self._clients.submit(self._name, child, "retry"):
            child.id = found
            self._clients.jobs[found] = child
            await Poller(self._clients, child, f"poller-{self._number}-again").look()


class Poller:
    """Looks at a job until it has ended: mostly at its status, and now and then at everything else."""

    def __init__(self, clients: Clients, job: Known, name: str) -> None:
        self._clients = clients
        self._job = job
        self._name = name
        self._etag: str | None = None
        self._chance = random.Random(f"{clients.scenario.seed} {name}")

    async def look(self) -> None:
        """Until it has ended."""
        while not await self._saw_the_end():
            await self._look_elsewhere()
            await asyncio.sleep(self._chance.uniform(0.3, 1.2))

    async def _saw_the_end(self) -> bool:
        job = self._job
        knows = self._etag is not None and self._chance.random() < 0.5
        headers = {"If-None-Match": self._etag} if knows and self._etag else None
        call = Call("status", "GET", f"/v1/jobs/{job.id}", job.tenant, job.id, headers=headers)
        answer = await self._clients.caller.ask(self._name, call)
        if answer.status == 200:
            self._etag = answer.etag
            job.state = answer.body["state"]
        return job.state in ENDED or answer.status == LOST

    async def _look_elsewhere(self) -> None:
        job = self._job
        paths = {
            "results": f"/v1/jobs/{job.id}/results",
            "items": f"/v1/jobs/{job.id}/items",
            "usage": "/v1/usage",
            "deliveries": f"/v1/webhooks/deliveries?job={job.id}",
        }
        if self._chance.random() < 0.3:
            name = self._chance.choice(list(paths))
            call = Call(name, "GET", paths[name], job.tenant, None if name == "usage" else job.id)
            await self._clients.caller.ask(self._name, call)
