"""Cuts between two parts, made by the kernel: nftables in a network namespace of our own.

A packet is a client's if its process has the client's group id, by `setpriv --regid` before its command; all
packets of its connections are known by a mark of the connection. Every cut is a chain of its own, which is
taken out when it is mended.

What a cut does to TCP:

- `drop`: nothing passes either way. Once it is mended, both sides send again what was not confirmed, and an
  open connection goes on, unless one of them has given it up.
- `reset`: whatever the client sends is refused with a reset, connections that are open included. An answer to
  what was sent before still arrives.
- `lose-replies`: requests arrive, and all that the server says but for bare acknowledgements is dropped. A
  connection that has lost anything stays lost when the cut is mended: whoever sends on it again is reset.
  A client that only waits for the answer hears nothing until its own time limit.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count

from tests.chaos.ground.links import Link

WAYS = ("drop", "reset", "lose-replies")
FIRST_GROUP = 60_001
LOST = 0x100
"""The mark of a connection that has lost an answer, beside its client's number."""
SILENT = 1
"""The mark of a packet that is not to be reset although its connection is lost: it still is being lost."""
BARE = 64
"""Bytes of the largest packet that carries no data: headers, times, and a selective acknowledgement."""

TABLE = "inet ground"


class NftRefused(Exception):
    """The kernel did not take a rule."""


class Network:
    """The rules of one run. Clients are numbered from 1, in their order."""

    def __init__(self, clients: Sequence[str], ports: Mapping[str, int]) -> None:
        self._numbers = {client: number for number, client in enumerate(clients, start=1)}
        self._ports = ports
        self._cuts: defaultdict[tuple[Link, str], list[str]] = defaultdict(list)
        self._names = (f"cut{number}" for number in count(1))

    def prefix(self, client: str) -> tuple[str, ...]:
        """The words before a client's command, by which its packets are told apart."""
        return ("setpriv", "--regid", str(self._group(client)), "--clear-groups")

    async def start(self) -> None:
        """Puts up the chains, and the rules that mark connections."""
        marks = [
            f"meta skgid {self._group(client)} ct mark and 0xff == 0 ct mark set {number}"
            for client, number in self._numbers.items()
        ]
        await _nft(
            f"""
            table {TABLE} {{
                chain marks {{ type filter hook output priority -10; {"; ".join(marks)}; }}
                chain lost {{
                    type filter hook output priority 10
                    meta mark {SILENT} accept
                    ct mark and {LOST} == {LOST} tcp flags & rst == 0 reject with tcp reset
                }}
            }}
            """
        )

    async def close(self) -> None:
        """Takes everything down. May be called again."""
        await _nft(f"table {TABLE}; delete table {TABLE}")
        self._cuts.clear()

    async def cut(self, link: Link, how: str) -> None:
        """Cuts a link in one of the `WAYS`; the same cut may be made twice, and is mended twice then."""
        chain = next(self._names)
        rules = "; ".join(self._rules(link, how))
        hook = "type filter hook output priority 0"
        await _nft(f"table {TABLE} {{ chain {chain} {{ {hook}; {rules}; }}; }}")
        self._cuts[link, how].append(chain)

    async def mend(self, link: Link, how: str) -> None:
        """Takes the rules of one such cut out, and no others. Does nothing if there is none."""
        if self._cuts[link, how]:
            await _nft(f"delete chain {TABLE} {self._cuts[link, how].pop()}")

    def _group(self, client: str) -> int:
        return FIRST_GROUP + self._numbers[client] - 1

    def _rules(self, link: Link, how: str) -> list[str]:
        port = self._ports[link.server]
        whose = f"ct mark and 0xff == {self._numbers[link.client]}"
        sent, said = f"{whose} tcp dport {port}", f"{whose} tcp sport {port}"
        ways = {
            "drop": [f"{sent} drop", f"{said} drop"],
            "reset": [f"{sent} reject with tcp reset"],
            "lose-replies": [
                f"{said} meta length > {BARE} ct mark set ct mark or {LOST} drop",
                *(f"{packets} meta mark set {SILENT}" for packets in (sent, said)),
            ],
        }
        return ways[how]


async def _nft(script: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *("nft", "--file", "-"),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate(script.encode())
    if process.returncode:
        raise NftRefused(complaint.decode())
