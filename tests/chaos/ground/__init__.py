"""The ground that a run stands on: its network, its disks and its clocks, each of which can be taken away.

    with Ground.lay(folder, workers=2, timeline=faults) as ground:
        options = StackOptions(
            data_dir=folder, workers=2, ports=ground.ports, prefixes=ground.prefixes, part_env=ground.part_env
        )
        async with ground.running(), LocalStack(options) as stack:
            await ground.cut("worker-1", "store", "lose-replies")
            ...
            await ground.mend("worker-1", "store", "lose-replies")

It is laid before the stack starts, for what the timeline needs: a link that is slowed goes through a proxy,
and so does one that is cut where the kernel's rules can't be used; everything else is as it would be without
it. `impossible` says which faults this machine does not allow. They are left out of a run, which says so.
"""

import random
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.chaos.ground.clock import Clock, build
from tests.chaos.ground.disk import ENGINE_BYTES, RESTARTED, STORE_BYTES, Disk
from tests.chaos.ground.links import DRIVER, HOST, Link, UnknownLink, clients, links, settings_for
from tests.chaos.ground.network import WAYS, Network
from tests.chaos.ground.powers import Powers
from tests.chaos.ground.proxy import Proxy, Slowness

__all__ = [
    "DRIVER",
    "HOST",
    "WAYS",
    "Ground",
    "Link",
    "Powers",
    "Slowness",
    "UnknownLink",
]

CHOICE = range(5_000, 10_000)
"""Of ports: none that the stack chooses by itself, nor one that the kernel takes for outgoing connections."""
SERVER_PORTS = ("temporal", "store", "image-api", "api", "sink")
DISKS = ("store", "engine")


class Ground:
    """The network, the disks and the clocks of one stack.

    Attributes:
        ports: for `StackOptions.ports`; the sink has to listen on `sink_port`.
        prefixes: for `StackOptions.prefixes`.
        part_env: for `StackOptions.part_env`, beside what else parts are given.
        powers: what the machine allows.
        engine_folder: where the engine's database files are.
    """

    def __init__(self, folder: Path, workers: int, powers: Powers) -> None:
        self.powers = powers
        self.prefixes: dict[str, tuple[str, ...]] = {}
        self.part_env: dict[str, dict[str, str]] = {client: {} for client in clients(workers)}
        self.engine_folder = folder
        self._folder = folder
        self._links = links(workers)
        self._all_ports = _free_ports(SERVER_PORTS)
        self._proxies: dict[Link, Proxy] = {}
        self._network: Network | None = None
        self._disks: dict[str, Disk] = {}
        self._clocks: dict[str, Clock] = {}
        if powers.network is None:
            self._network = Network(clients(workers), self._all_ports)
            self.prefixes = {client: self._network.prefix(client) for client in clients(workers)}

    @classmethod
    def lay(
        cls,
        folder: Path,
        workers: int,
        timeline: Iterable[Mapping[str, Any]] = (),
        *,
        powers: Powers | None = None,
    ) -> Self:
        """Makes ready what the faults of a timeline need; nothing runs yet.

        Args:
            folder: the stack's data directory.
            workers: how many the stack has.
            timeline: faults with a `kind`, and the fields of their kinds: `cut` and `slow` with `client` and
                `server`, `fill` with a `target` of `DISKS`, `clock` with a `target` part.
            powers: what may be used, if not all that the machine allows.
        """
        ground = cls(folder.resolve(), workers, powers or Powers.here())
        for fault in timeline:
            if ground.impossible(fault) is None:
                ground._prepare(fault)
        return ground

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for disk in self._disks.values():
            disk.unmount()

    @property
    def ports(self) -> dict[str, int]:
        """Where the stack's parts have to listen."""
        return {name: port for name, port in self._all_ports.items() if name != "sink"}

    @property
    def sink_port(self) -> int:
        """Where the webhook receiver has to listen."""
        return self._all_ports["sink"]

    @property
    def api_url(self) -> str:
        """Where the clients of a run find the API: by way of a proxy, if that link is to be disturbed."""
        proxy = self._proxies.get(Link(DRIVER, "api"))
        return f"http://{HOST}:{proxy.port if proxy else self._all_ports['api']}"

    def impossible(self, fault: Mapping[str, Any]) -> str | None:
        """Why a fault can't be done here; None if it can, or is none of the ground's.

        Raises:
            UnknownLink: nobody calls that server from there.
        """
        kind = fault["kind"]
        if kind == "fill":
            return self.powers.disks
        if kind == "clock":
            return self.powers.clocks
        if kind in ("cut", "slow"):
            return self._impossible_link(self._link(fault["client"], fault["server"]), kind)
        return None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """The proxies and the rules; they have to be there before the stack, and longer."""
        async with AsyncExitStack() as things:
            if self._network is not None:
                things.push_async_callback(self._network.close)
                await self._network.start()
            for proxy in self._proxies.values():
                things.push_async_callback(proxy.close)
                await proxy.start()
            yield self

    async def cut(self, client: str, server: str, how: str) -> None:
        """Cuts a link in one of `WAYS`: by the kernel where that is possible, else by its proxy."""
        link = self._link(client, server)
        if proxy := self._proxies.get(link):
            proxy.cut(how)
        elif self._network is not None:
            await self._network.cut(link, how)

    async def mend(self, client: str, server: str, how: str) -> None:
        """Mends one such cut. Does nothing if there is none."""
        link = self._link(client, server)
        if proxy := self._proxies.get(link):
            proxy.mend(how)
        elif self._network is not None:
            await self._network.mend(link, how)

    def slow(self, client: str, server: str, slowness: Slowness) -> None:
        """Slows a link that the timeline names for that."""
        self._proxies[self._link(client, server)].slow(slowness)

    def ease(self, client: str, server: str, slowness: Slowness) -> None:
        """Takes that back. Does nothing if it isn't so."""
        self._proxies[self._link(client, server)].ease(slowness)

    def fill(self, target: str) -> None:
        """Fills the disk under the store or the engine."""
        self._disks[target].fill()

    def free(self, target: str) -> tuple[str, ...]:
        """Makes room again; answers the parts that have to be restarted then."""
        self._disks[target].free()
        return RESTARTED[target]

    def step_clock(self, part: str, seconds: float) -> None:
        """Steps a part's wall clock, on top of earlier steps."""
        clock = self._clocks[part]
        clock.set(clock.step + seconds)

    def clock_step(self, part: str) -> float:
        """How far a part's clock is ahead now."""
        return self._clocks[part].step

    def _link(self, client: str, server: str) -> Link:
        link = Link(client, server)
        if link not in self._links:
            raise UnknownLink(f"{link} is none of {', '.join(map(str, self._links))}")
        return link

    def _impossible_link(self, link: Link, kind: str) -> str | None:
        if link.server != "sink":
            return None
        # Its address is in the jobs, and the same for all workers.
        return "webhooks go through no proxy" if kind == "slow" else self.powers.network

    def _prepare(self, fault: Mapping[str, Any]) -> None:
        kind = fault["kind"]
        if kind in ("cut", "slow"):
            link = self._link(fault["client"], fault["server"])
            if kind == "slow" or self._network is None or link.client == DRIVER:
                self._prepare_proxy(link)
        elif kind == "fill":
            self._prepare_disk(fault["target"])
        elif kind == "clock":
            self._prepare_clock(fault["target"])

    def _prepare_proxy(self, link: Link) -> None:
        if link not in self._proxies:
            (port,) = _free_ports(["proxy"]).values()
            self._proxies[link] = Proxy(port, self._all_ports[link.server])
            if link.client != DRIVER:
                self.part_env[link.client] |= settings_for(link.server, port)

    def _prepare_disk(self, target: str) -> None:
        if target not in self._disks:
            size = {"store": STORE_BYTES, "engine": ENGINE_BYTES}[target]
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._disks[target] = disk = Disk(self._folder / target, size)
            disk.mount()
        if target == "engine":
            self.engine_folder = self._disks["engine"].folder
            database = self._folder / "temporal.db"
            if not database.is_symlink():
                database.symlink_to(self.engine_folder / database.name)

    def _prepare_clock(self, part: str) -> None:
        if part not in self._clocks:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            clock = Clock(build(self._folder), self._folder / f"clock-{part}")
            self._clocks[part] = clock
            self.part_env[part] |= clock.environment()


def _free_ports(names: Iterable[str]) -> dict[str, int]:
    """Ports that nobody listens on, each asked for while those before it are held."""
    held, found = [], {}
    try:
        for name in names:
            holder = socket.socket()
            held.append(holder)
            port = _take(holder)
            found[name] = port
    finally:
        for holder in held:
            holder.close()
    return found


def _take(holder: socket.socket) -> int:
    for port in random.sample(CHOICE, 100):
        try:
            holder.bind((HOST, port))
        except OSError:
            continue
        return port
    raise OSError("no free port among a hundred")
