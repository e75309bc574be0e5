"""The object store: SeaweedFS, all of it in one process."""

import asyncio
import json
import secrets
from pathlib import Path

from sandbox.stack.buckets import buckets_work
from sandbox.stack.credentials import Credentials
from sandbox.stack.inheritance import inherited
from sandbox.stack.part import BACKEND, Part
from sandbox.stack.ports import HOST, PortBook
from sandbox.stack.private import write_private

REGION = "us-east-1"
CONTROL, DELIVERY = "control", "delivery"
# The admin server's internal client looks for it this much above its HTTP port, whatever it was told.
GRPC_OFFSET = 10_000
# Where the store puts the socket files of its internal services; it cannot be told otherwise.
SOCKETS = Path("/tmp")  # noqa: S108
SERVICES = ("master", "volume", "filer", "s3", "admin")
HTTP_SERVICES = ("master", "volume", "filer", "admin")


class Store(Part):
    """The object store.

    Its defaults listen everywhere, without a password, on the next port if one is busy, and serve every
    object through the filer's public port. Hence the loopback address, an identity, no port left to it to
    choose (0 for what is off), and the filer's public port off: `-disableHttp` does not cover that one.
    Its internal HTTP takes only tokens signed with keys that are made anew for each stack.
    """

    name = "store"
    stage = BACKEND
    exclusive = True

    def __init__(
        self, program: str, data: Path, config: Path, credentials: Credentials, book: PortBook
    ) -> None:
        self._program = program
        self._data = data.resolve()
        self._config = config.resolve()
        self.keys = credentials.store_access_key, credentials.store_secret_key
        """The access key and the secret that it takes, from its next start on."""
        self._token_keys = {name: secrets.token_hex(32) for name in _TOKEN_KEYS}
        self.ports = _take_ports(book)

    @property
    def url(self) -> str:
        """The S3 endpoint."""
        return f"http://{HOST}:{self.ports['store']}"

    def command(self) -> tuple[str, ...]:
        """The server with its settings."""
        flags = {**_BIND, **_OFF, **self._port_flags(), **_SOCKETS}
        files = (f"-dir={self._data}", f"-s3.config={self._config}")
        return (
            *(self._program, "-logtostderr", "mini", "-disableHttp", *files),
            *(f"-{name}={value}" for name, value in flags.items()),
        )

    def environment(self) -> dict[str, str]:
        """No keys, buckets or settings of the caller: the store would take them for its own."""
        return inherited("AWS_", "S3_", "WEED_") | self._token_keys

    def directory(self) -> Path:
        """Its data: socket files are named relative to it, since their paths may have 107 bytes only."""
        return self._data

    def before_start(self) -> None:
        """Writes the one identity that may use the store, and drops options kept from an earlier run."""
        (self._data / "mini.options").unlink(missing_ok=True)
        write_private(self._config, json.dumps({"identities": [self._identity()]}, indent=2) + "\n")

    def after_stop(self) -> None:
        """Removes its socket files, which it leaves when killed."""
        for service in SERVICES:
            port = self.ports[f"store.{service}.grpc"]
            (SOCKETS / f"seaweedfs-{service}-grpc-{port}.sock").unlink(missing_ok=True)

    async def healthy(self) -> bool:
        """Whether it keeps what signed requests give it, in both buckets."""
        access_key, secret_key = self.keys
        return await asyncio.to_thread(
            buckets_work,
            (CONTROL, DELIVERY),
            endpoint=self.url,
            access_key=access_key,
            secret_key=secret_key,
            region=REGION,
        )

    def _identity(self) -> dict[str, object]:
        access_key, secret_key = self.keys
        return {
            "name": "imagemill",
            "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }

    def _port_flags(self) -> dict[str, str]:
        flags = {"s3.port": str(self.ports["store"])}
        for service in SERVICES:
            flags[f"{service}.port.grpc"] = str(self.ports[f"store.{service}.grpc"])
        for service in HTTP_SERVICES:
            flags[f"{service}.port"] = str(self.ports[f"store.{service}"])
        flags["volume.port.public"] = flags["volume.port"]
        return flags


_BIND = {"ip": HOST, "ip.bind": HOST}
_OFF = {
    "admin.ui": "false",
    "debug": "false",
    "filer.port.public": "0",
    # What the master remembers, the volumes tell it again. Resuming, it may refuse their first report, as
    # not yet the leader of itself, and the next comes five seconds later.
    "master.resumeState": "false",
    "master.telemetry": "false",
    "metricsPort": "0",
    "s3.autoCreateBucket": "false",
    "s3.iam": "false",
    "s3.port.https": "0",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
    "webdav": "false",
    "webdav.port": "0",
    # Its second of waiting before it stops is for clusters.
    "volume.preStopSeconds": "0",
}
_SOCKETS = {"filer.localSocket": "filer.sock", "s3.localSocket": "s3.sock"}
_TOKEN_KEYS = (
    "WEED_JWT_SIGNING_KEY",
    "WEED_JWT_SIGNING_READ_KEY",
    "WEED_JWT_FILER_SIGNING_KEY",
    "WEED_JWT_FILER_SIGNING_READ_KEY",
)


def _take_ports(book: PortBook) -> dict[str, int]:
    ports = {"store": book.take("store", "store")}
    for service in ("master", "volume", "filer"):
        ports[f"store.{service}"] = book.take("store", f"store.{service}")
    for service in ("master", "volume", "filer", "s3"):
        ports[f"store.{service}.grpc"] = book.take("store", f"store.{service}.grpc")
    admin = book.take("store", "store.admin", twin=GRPC_OFFSET)
    return ports | {"store.admin": admin, "store.admin.grpc": admin + GRPC_OFFSET}
