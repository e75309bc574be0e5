"""A sender that sends nothing: it remembers letters, and answers as it is told."""

import asyncio

from imagemill.ports import Letter, Receipt


class MemorySender:
    """Implements ``imagemill.ports.WebhookSender``.

    Attributes:
        sent: every letter, with the address that it went to.
        answers: what the next letters bring; 200 where there is none.
        gate: letters are answered only once it is set.
        came: an address for each letter, as it comes.
    """

    def __init__(self, *answers: Receipt) -> None:
        self.sent: list[tuple[str, Letter]] = []
        self.answers = list(answers)
        self.came: asyncio.Queue[str] = asyncio.Queue()
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, url: str, letter: Letter) -> Receipt:
        self.sent.append((url, letter))
        self.came.put_nowait(url)
        await self.gate.wait()
        return self.answers.pop(0) if self.answers else Receipt(status=200)
