"""The local stack: the whole service on this machine, for `imagemill dev`, the demo and the tests.

    async with LocalStack(StackOptions(data_dir=Path(".imagemill"))) as stack:
        print(stack.addresses.url)

It runs the real engine, a real object store, the image API that draws for nothing, the worker and the API,
each as a process of its own that listens on the loopback address alone. Everything it keeps is in one
directory, and comes back with it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from sandbox.stack.addresses import Addresses
from sandbox.stack.errors import (
    DataDirectoryBroken,
    DataDirectoryBusy,
    PartDied,
    PartExposed,
    PartNotOurs,
    PartNotReady,
    PartNotRunning,
    PortBusy,
    ProgramMissing,
    StackError,
    UnknownPart,
)
from sandbox.stack.options import PARTS, PORTS, StackOptions
from sandbox.stack.report import PartReport, Reporter

if TYPE_CHECKING:
    from sandbox.stack.stack import LocalStack

__all__ = [
    "PARTS",
    "PORTS",
    "Addresses",
    "DataDirectoryBroken",
    "DataDirectoryBusy",
    "LocalStack",
    "PartDied",
    "PartExposed",
    "PartNotOurs",
    "PartNotReady",
    "PartNotRunning",
    "PartReport",
    "PortBusy",
    "ProgramMissing",
    "Reporter",
    "StackError",
    "StackOptions",
    "UnknownPart",
]


def __getattr__(name: str) -> object:
    """The stack itself only when it is asked for: the clients of its parts take a second to import.

    The command line needs the other names for every command, and the stack for few.
    """
    if name == "LocalStack":
        return import_module("sandbox.stack.stack").LocalStack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
