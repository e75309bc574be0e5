"""One run: a stack of its own, clients, faults, a drain, and the evidence of it all in a folder.

    python -m tests.chaos.run --seed N --out DIR [--scenario FILE]

Ends with 0 if the checker found nothing, with 1 if a promise was broken, and with 2 if the run itself failed.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from sandbox.stack import LocalStack, StackOptions
from tests.chaos import collect, isolation
from tests.chaos.calls import Caller
from tests.chaos.clients import Clients
from tests.chaos.deploys import BUILD, first
from tests.chaos.drain import Drain, Judge
from tests.chaos.evidence import Evidence
from tests.chaos.faults import Provider, Scene, play
from tests.chaos.ground import Ground
from tests.chaos.parts import Keeper
from tests.chaos.programs import programs
from tests.chaos.scenario import DRAIN_LIMIT, Scenario
from tests.chaos.sink import Sink
from tests.chaos.stories import tell
from tests.chaos.tenants import write_tenants

MODULE = "tests.chaos.run"
CHECKER = "tests.chaos.checker"
WORKERS = 2
START_TIMEOUT = 120.0
USUAL_START = 8.0
"""Seconds in which everything has started where two cores are shared by no more than two runs."""


class Run:
    """One scenario, played once."""

    def __init__(self, scenario: Scenario, evidence: Evidence, data: Path) -> None:
        self._scenario = scenario
        self._evidence = evidence
        self._data = data
        self._slowness = 1.0
        self._points = data / "points"
        self._points.mkdir()
        self._keys = write_tenants(data / "tenants.toml", scenario.tenants)

    async def play(self) -> None:
        """All of it, up to the evidence of what is left."""
        timeline = [fault.as_said for fault in self._scenario.timeline]
        began = time.monotonic()
        with Ground.lay(self._data / "stack", WORKERS, timeline) as ground:
            self._scenario.ground = ground.powers.in_words()
            stack = LocalStack(self._options(ground))
            async with ground.running(), stack:
                self._allow_for(time.monotonic() - began)
                await self._play_on(ground, stack)
            collect.collect_files(stack, ground.engine_folder, self._evidence.folder)

    def _allow_for(self, start: float) -> None:
        """The times allowed at the end are stated for a machine that is not slow, which the start tells."""
        scenario, self._slowness = self._scenario, max(1.0, start / USUAL_START)
        scenario.drain_limit_s = max(scenario.drain_limit_s, DRAIN_LIMIT * self._slowness)

    async def _play_on(self, ground: Ground, stack: LocalStack) -> None:
        scenario, evidence = self._scenario, self._evidence
        if BUILD in scenario.settings:
            await first(stack, scenario.settings[BUILD])
        scenario.began = time.time()
        # What must be in no log is told to whoever reads the logs.
        keys = stack.credentials
        secrets = [keys.store_secret_key, keys.image_api_key, keys.api_key, keys.admin_key]
        told = {"workers": WORKERS, "secrets": [*secrets, *self._keys.values()]}
        evidence.write("scenario.json", scenario.as_json() | told)
        async with self._around(stack), self._caller(ground) as caller:
            sink = Sink(ground.sink_port, caller, await self._webhook_secrets(stack), evidence.sink)
            await sink.start()
            try:
                await self._story(ground, stack, caller, sink)
            finally:
                await sink.close()
        await collect.collect_histories(stack, evidence.folder)
        await collect.collect_buckets(stack, evidence.folder)

    async def _story(self, ground: Ground, stack: LocalStack, caller: Caller, sink: Sink) -> None:
        """Faults and clients; then the drain, and what a judge reads."""
        keeper = Keeper(stack, self._evidence.faults)
        provider = Provider(str(stack.addresses.image_api))
        scene = Scene(stack, keeper, provider, sink, self._points, self._evidence.faults, ground)
        clients = Clients(caller, self._scenario, sink.url)
        keeping = asyncio.create_task(keeper.keep())
        working = asyncio.create_task(clients.work())
        try:
            await play(self._scenario.timeline, scene, self._evidence.faults)
            await keeper.all_up()
            self._evidence.faults.add(event="healed")
            await self._drain(clients, working)
            async with asyncio.timeout(self._scenario.judged_within_s * self._slowness):
                await Judge(clients).read()
        finally:
            for task in (keeping, working):
                task.cancel()
            await asyncio.gather(keeping, working, return_exceptions=True)

    async def _drain(self, clients: Clients, working: asyncio.Task[None]) -> None:
        """Lead all to its end, for as long as the scenario allows."""
        drain = Drain(clients)
        try:
            async with asyncio.timeout(self._scenario.drain_limit_s):
                leading = asyncio.create_task(drain.lead())
                try:
                    await working
                    drain.no_more()
                    await leading
                finally:
                    leading.cancel()
        except TimeoutError:
            self._evidence.faults.add(
                event="undrained", jobs={job.id: job.state for job in clients.jobs.values()}
            )
            return
        self._evidence.faults.add(event="drained")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._scenario.told_within_s * self._slowness):
                await drain.all_told()

    @asynccontextmanager
    async def _around(self, stack: LocalStack) -> AsyncIterator[None]:
        """Samples of all processes meanwhile."""
        sampling = asyncio.create_task(collect.sampler(stack, self._evidence.folder).run())
        try:
            yield
        finally:
            sampling.cancel()

    @asynccontextmanager
    async def _caller(self, ground: Ground) -> AsyncIterator[Caller]:
        caller = Caller(ground.api_url, self._keys, self._evidence.clients)
        try:
            yield caller
        finally:
            await caller.close()

    async def _webhook_secrets(self, stack: LocalStack) -> dict[str, str]:
        """What each tenant's events are signed with; fetched before anything goes wrong."""
        found = {}
        url = str(stack.addresses.url)
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=START_TIMEOUT) as http:
            for tenant, key in self._keys.items():
                answer = await http.get("/v1/webhooks/secret", headers={"Authorization": f"Bearer {key}"})
                answer.raise_for_status()
                found[tenant] = str(answer.json()["secret"])
        return found

    def _options(self, ground: Ground) -> StackOptions:
        scenario = self._scenario
        return StackOptions(
            data_dir=self._data / "stack",
            workers=WORKERS,
            ports=ground.ports,
            prefixes=ground.prefixes,
            part_env=ground.part_env,
            speed=scenario.speed,
            images_per_minute=scenario.limits.get("images_per_minute"),
            extra_env=scenario.settings | {"IMAGEMILL_TENANTS_FILE": str(self._data / "tenants.toml")},
            programs=programs(
                self._points,
                workers=WORKERS,
                worker_defect=scenario.defects.get("worker"),
                api_defect=scenario.defects.get("api"),
                chunk_items=scenario.chunk_items,
                roles=scenario.roles,
            ),
            stop_on_death=False,
            start_timeout=START_TIMEOUT,
        )


def judge(folder: Path) -> int:
    """Let the checker judge the evidence, in a process of its own; 0 or 1, or 2 if it could not."""
    done = subprocess.run(
        (sys.executable, "-m", CHECKER, str(folder)), stdout=subprocess.DEVNULL, check=False
    )
    verdict = folder / "verdict.json"
    if not verdict.exists():
        sys.stderr.write(f"the checker ended with {done.returncode}, and without a verdict\n")
        return 2
    return 1 if json.loads(verdict.read_text())["violations"] else 0


def main(arguments: Sequence[str]) -> int:
    """Play one scenario, and have it judged."""
    given = _arguments(arguments)
    isolation.enter(MODULE, arguments)
    scenario = Scenario.read(given.scenario) if given.scenario else tell(given.seed)
    scenario.network_isolated = isolation.is_inside()
    if scenario.network_isolated:
        isolation.lift_loopback()
    evidence = Evidence(given.out)
    with tempfile.TemporaryDirectory(prefix="imagemill-chaos-") as data:
        try:
            asyncio.run(Run(scenario, evidence, Path(data)).play())
        except Exception:  # noqa: BLE001 - whatever it is, it is the run's failure and not a verdict
            traceback.print_exc()
            return 2
        finally:
            evidence.close()
    return judge(given.out)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenario", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
