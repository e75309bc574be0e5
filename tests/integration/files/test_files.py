"""Files on a real API process and a real store: memory, lost connections, kills, the page that tells how."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.integration.stack.helpers import s3
from tests.pages import DOCS, marked, typed

MIB = 1024 * 1024
PAGE = DOCS / "howto" / "upload-large-files.md"
SHOWN = re.compile(r"^```json\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("files"), parts={"temporal", "store", "api"}, workers=0
    )
    async with LocalStack(options) as running:
        yield running


@pytest.fixture
async def api(stack: LocalStack) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {stack.addresses.api_key}"}
    async with httpx2.AsyncClient(base_url=str(stack.addresses.url), headers=headers, timeout=60) as client:
        yield client


def unfinished(stack: LocalStack) -> list[str]:
    """The multipart uploads that the store holds parts of."""
    found = s3(stack).list_multipart_uploads(Bucket=stack.environment["IMAGEMILL_CONTROL_BUCKET"])
    return [upload["Key"] for upload in found.get("Uploads", []) if upload["Key"].startswith("files/")]


def peak(stack: LocalStack) -> int:
    """The most memory that the API process ever had, in bytes."""
    status = Path(f"/proc/{stack.pid('api')}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def pieces(count: int, digest: Any = None) -> AsyncIterator[bytes]:
    for number in range(count):
        piece = number.to_bytes(4) * (MIB // 4)
        if digest:
            digest.update(piece)
        yield piece


async def test_a_large_file_takes_no_more_memory_than_its_parts(
    stack: LocalStack, api: httpx2.AsyncClient
) -> None:
    await api.post("/v1/files?filename=warm.bin", content=pieces(20))
    before, digest = peak(stack), hashlib.sha256()
    answer = await api.post("/v1/files?filename=large.bin", content=pieces(300, digest))

    assert answer.status_code == 201, answer.text
    assert (answer.json()["bytes"], answer.json()["sha256"]) == (300 * MIB, digest.hexdigest())
    assert peak(stack) - before < 150 * MIB


async def test_what_was_sent_is_what_is_fetched(api: httpx2.AsyncClient) -> None:
    digest = hashlib.sha256()
    file = (await api.post("/v1/files?filename=a b.bin", content=pieces(21, digest))).json()
    content = await api.get(f"/v1/files/{file['id']}/content")
    async with httpx2.AsyncClient() as anybody:
        fetched = await anybody.get(content.headers["location"])

    assert hashlib.sha256(fetched.content).hexdigest() == digest.hexdigest() == file["sha256"]
    assert fetched.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20b.bin"


async def test_a_connection_that_is_lost_leaves_nothing(stack: LocalStack, api: httpx2.AsyncClient) -> None:
    began = asyncio.Event()

    async def forever() -> AsyncIterator[bytes]:
        async for piece in pieces(20):
            yield piece
        began.set()
        await asyncio.Event().wait()

    sending = asyncio.create_task(api.post("/v1/files?filename=lost.bin", content=forever()))
    await began.wait()
    await until(lambda: bool(unfinished(stack)))
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    await until(lambda: not unfinished(stack))


async def test_parts_outlive_the_process_that_took_them(stack: LocalStack, api: httpx2.AsyncClient) -> None:
    digest = hashlib.sha256()
    data = b"".join([piece async for piece in pieces(18, digest)])
    begun = (await api.post("/v1/uploads", json={"filename": "parts.bin", "bytes": len(data)})).json()
    where = f"/v1/uploads/{begun['id']}"
    first = begun["part_bytes"]
    assert (await api.put(f"{where}/parts/1", content=b"not this" + data[8:first])).status_code == 200

    await stack.kill("api")
    await stack.start_part("api")

    assert (await api.get(where)).json()["parts"] == [{"number": 1, "bytes": first}]
    assert (await api.put(f"{where}/parts/1", content=data[:first])).status_code == 200
    assert (await api.put(f"{where}/parts/2", content=data[first:])).status_code == 200
    wanted = {"sha256": digest.hexdigest()}
    answers = [await api.post(f"{where}/complete", json=wanted) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["sha256"] == digest.hexdigest()


def test_the_lines_of_the_page_do_what_it_says(stack: LocalStack, tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_bytes(b"Handle,Title\n" + b"chair,Chair\n" * (20 * MIB // 12))
    printed = typed("echo\n".join(marked(PAGE)), stack, tmp_path)

    answers = [
        json.loads(text) for text in re.split(r"(?<=})\s*(?={)", printed.strip()) if text.startswith("{")
    ]
    files = [answer for answer in answers if answer.get("object") == "file"]
    (upload,) = [answer for answer in answers if answer.get("object") == "upload"]
    shown_file, shown_upload, _ = (json.loads(text) for text in SHOWN.findall(PAGE.read_text()))
    digest = hashlib.sha256((tmp_path / "catalog.csv").read_bytes()).hexdigest()
    assert [file["sha256"] for file in files[:3]] == [digest] * 3
    assert files[0].keys() == shown_file.keys()
    assert upload.keys() == shown_upload.keys()
    assert [part["number"] for part in upload["parts"]] == [1, 2]
    assert (tmp_path / "fetched.csv").stat().st_size > 0
