"""The demo on a stack of its own, from its first process to its last."""

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory

from cli import demo_folder
from cli.client import Client
from cli.demo_screen import DemoScreen
from cli.demo_story import tell
from cli.exits import INTERRUPTED
from cli.service import Service
from sandbox.stack import LocalStack, StackError, StackOptions
from sandbox.stack.interrupts import SIGNALS

# Slow enough to watch, and still done in seconds.
SPEED = 0.1


async def run_demo(folder: Path) -> int:
    """Runs the demo into a folder; returns the exit code."""
    demo_folder.prepare(folder)
    screen = DemoScreen()
    screen.opening()
    with TemporaryDirectory(prefix="imagemill-demo-", ignore_cleanup_errors=True) as data:
        stack = LocalStack(StackOptions(data_dir=Path(data), speed=SPEED), screen.part)
        code = await _until_signal(stack, _run(stack, screen, folder))
    screen.closing(code == INTERRUPTED)
    return code


async def _run(stack: LocalStack, screen: DemoScreen, folder: Path) -> int:
    async with stack:
        screen.all_up()
        began = time.monotonic()
        return await _unless_a_part_dies(stack, _tell(stack, screen, folder, began))


async def _tell(stack: LocalStack, screen: DemoScreen, folder: Path, began: float) -> int:
    addresses = stack.addresses
    if addresses.url is None or addresses.api_key is None:
        raise StackError("The stack came up without its API.")
    async with Client(Service(addresses.url, addresses.api_key)) as client:
        return await tell(client, screen, folder, began)


async def _unless_a_part_dies(stack: LocalStack, story: Coroutine[None, None, int]) -> int:
    """The outcome of a story that needs the whole stack; raises `PartDied` if it loses a part."""
    telling = asyncio.create_task(story)
    death = asyncio.create_task(stack.wait())
    try:
        await asyncio.wait({telling, death}, return_when=asyncio.FIRST_COMPLETED)
        if death.done():
            await death
        return await telling
    finally:
        telling.cancel()
        death.cancel()
        await asyncio.gather(telling, death, return_exceptions=True)


async def _until_signal(stack: LocalStack, story: Coroutine[None, None, int]) -> int:
    """Ends the story on a signal, politely; a second signal kills what lingers."""
    running = asyncio.create_task(story)
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if running.cancelling():
            stack.kill_now()
        else:
            running.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        return await running
    except asyncio.CancelledError:
        return INTERRUPTED
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
