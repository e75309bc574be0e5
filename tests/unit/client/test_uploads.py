"""Files: in one request or in parts, checked by their hash."""

import hashlib
import io
from pathlib import Path

import httpx2
import pytest

from imagemill_client import NotConfigured, NotFound, StoreError
from imagemill_client._core import files as core_files
from imagemill_client.testing import FakeImagemill
from imagemill_client.testing import _files as fake_files
from tests.unit.client.scripted import Scripted

CSV = b"Handle,Title\nchair,A chair\nlamp,A lamp\n"


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_files, "ONE_REQUEST", 100)
    monkeypatch.setattr(fake_files, "PART_BYTES", 70)


def test_a_path_bytes_and_what_is_open_are_uploaded(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_bytes(CSV)
    fake = FakeImagemill()
    with fake.client() as client, path.open("rb") as opened:
        for source, name in ((path, None), (str(path), None), (CSV, "catalog.csv"), (opened, None)):
            file = client.files.upload(source, filename=name)
            assert (file.filename, file.bytes) == ("catalog.csv", len(CSV))
            assert file.sha256 == hashlib.sha256(CSV).hexdigest()
            assert client.files.content(file.id) == CSV
        assert len(list(client.files.list(page_size=3))) == 4
        client.files.delete(file.id)
        with pytest.raises(NotFound):
            client.files.get(file.id)


def test_bytes_need_a_name() -> None:
    with FakeImagemill().client() as client, pytest.raises(NotConfigured, match="filename"):
        client.files.upload(CSV)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 140, 210, 211, 1000])
def test_a_file_arrives_whole_whatever_its_size(size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    fake = FakeImagemill()
    with fake.client() as client:
        file = client.files.upload(data, filename="data.bin")

    assert fake.files[file.id] == data
    assert len(fake.uploads) == (size >= 100)
    assert all(
        len(part) == 70 for upload in fake.uploads.values() for part in list(upload.parts.values())[:-1]
    )


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("trouble", ["unreachable", "unanswered", "away"])
def test_parts_that_were_lost_are_sent_again(trouble: str) -> None:
    data = bytes(n % 251 for n in range(1000))
    fake = FakeImagemill()
    with fake.client() as client:
        for _ in range(4):
            fake.troubles.extend([trouble, "fine"])  # type: ignore[list-item]
        file = client.files.upload(io.BytesIO(data), filename="data.bin")

    assert fake.files[file.id] == data


class Drips(io.RawIOBase):
    """Gives three bytes at a time, as a socket might."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self, size: int = -1) -> bytes:
        given, self._left = self._left[:3], self._left[3:]
        return given


@pytest.mark.usefixtures("small_parts")
def test_a_stream_that_drips_is_uploaded() -> None:
    data = bytes(range(250))
    fake = FakeImagemill()
    with fake.client() as client:
        file = client.files.upload(Drips(data), filename="data.bin")  # type: ignore[arg-type]

    assert fake.files[file.id] == data


def test_what_arrived_otherwise_is_an_error() -> None:
    answer = {
        "id": "file_1",
        "bytes": 3,
        "filename": "a",
        "sha256": "0" * 64,
        "created_at": "2026-01-01T00:00:00Z",
    }
    service = Scripted(httpx2.Response(201, json=answer))
    with service.client() as client, pytest.raises(StoreError, match="upload it again"):
        client.files.upload(b"abc", filename="a")


async def test_the_asynchronous_shell_uploads(tmp_path: Path, small_parts: None) -> None:
    path = tmp_path / "catalog.csv"
    path.write_bytes(CSV * 20)
    fake = FakeImagemill()
    async with fake.async_client() as client:
        file = await client.files.upload(path)

    assert fake.files[file.id] == CSV * 20
