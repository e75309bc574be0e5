"""Files, uploaded in one go."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from api import receiving
from api.app import make_app
from api.context import Context
from api.problems import Problem
from api.receiving import FileFacts, Slots
from imagemill.domain.ids import new_id
from imagemill.domain.places import facts_key, file_key
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY, KEY
from tests.unit.api.wire import Conversation

CSV = b"Handle,Title\nchair,Chair\n"
BOUNDARY = {"content-type": "multipart/form-data; boundary=xyz"}
PART = 64 * 1024


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files go in parts from 64 KiB on."""
    monkeypatch.setattr(receiving, "BUFFER_BYTES", PART)
    monkeypatch.setattr("tests.fakes.store.LEAST_PART", PART)


def form(*fields: tuple[str, bytes], end: bytes = b"--xyz--\r\n") -> bytes:
    """A form of these fields, of which those with a ``;`` in the name say more of themselves."""
    shown = (
        b'--xyz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), data)
        for name, data in fields
    )
    return b"".join(shown) + end


def in_pieces(data: bytes, size: int = 7000) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return pieces()


FILE = 'file"; filename="shop.csv'


@pytest.mark.parametrize(
    "sent",
    [
        {"files": {"file": ("shop.csv", CSV, "text/plain")}},
        {"files": {"file": ("shop.csv", CSV)}, "data": {"purpose": "batch"}},
        {"content": CSV, "params": {"filename": "shop.csv"}, "headers": {"content-type": "text/csv"}},
        {"content": CSV, "params": {"filename": "shop.csv"}},
        {"content": in_pieces(CSV, 3), "params": {"filename": "shop.csv"}},
        {"content": form((FILE, CSV)), "headers": BOUNDARY},
        {"content": in_pieces(form(("purpose", b"x"), (FILE, CSV), ("more", b"y")), 1), "headers": BOUNDARY},
    ],
    ids=["form", "form with fields", "raw", "raw of no type", "chunks", "form by hand", "bytes"],
)
async def test_a_file_is_stored_as_it_is(
    http: httpx2.AsyncClient, control: MemoryStore, sent: dict[str, Any]
) -> None:
    answer = await http.post("/v1/files", **sent)

    assert answer.status_code == 201, answer.text
    said = answer.json()
    assert (said["bytes"], said["filename"]) == (len(CSV), "shop.csv")
    assert said["sha256"] == hashlib.sha256(CSV).hexdigest()
    assert control.objects[file_key("t", said["id"])][0] == CSV
    assert control.objects[file_key("t", said["id"])][1].content_type == "text/csv"
    assert (await http.get(f"/v1/files/{said['id']}")).json() == said


@pytest.mark.parametrize("size", [1, PART, PART + 1, 5 * PART, 5 * PART + 17])
@pytest.mark.parametrize("raw", [True, False], ids=["raw", "form"])
async def test_a_file_of_any_size_goes_through_part_by_part(
    http: httpx2.AsyncClient, control: MemoryStore, small_parts: None, size: int, raw: bool
) -> None:
    data = hashlib.shake_256(b"x").digest(size)
    if raw:
        answer = await http.post("/v1/files?filename=a.bin", content=in_pieces(data))
    else:
        answer = await http.post("/v1/files", content=in_pieces(form((FILE, data))), headers=BOUNDARY)

    said = answer.json()
    assert control.data(file_key("t", said["id"])) == data
    assert (said["bytes"], said["sha256"]) == (size, hashlib.sha256(data).hexdigest())
    assert control.parts == {}
    assert ("begin_parts" in {method for method, _ in control.calls}) == (size > PART)


@pytest.mark.parametrize(
    ("name", "said", "kind"),
    [
        ("a.csv", "image/png", "text/csv"),
        ("a.csv.gz", "", "application/gzip"),
        ("rows", "application/jsonl", "application/jsonl"),
        ("rows", "", "application/octet-stream"),
        ("rows", "text/html\x80; x=y", "application/octet-stream"),
    ],
)
async def test_the_type_is_by_the_name_or_else_as_it_was_sent(
    http: httpx2.AsyncClient, control: MemoryStore, name: str, said: str, kind: str
) -> None:
    headers = {b"content-type": said.encode("latin-1")}
    answer = await http.post("/v1/files", params={"filename": name}, content=b"x", headers=headers)

    assert control.objects[file_key("t", answer.json()["id"])][1].content_type == kind


@pytest.mark.parametrize(
    ("body", "where", "what"),
    [
        (form(), "/file", "is missing"),
        (form(("other", CSV)), "/file", "is missing"),
        (form(("file", CSV)), "/file", "has no file name"),
        (form((FILE, CSV), (FILE, CSV)), "/file", "comes twice"),
        (form((FILE, b"")), "/file", "is empty"),
        (form((FILE, CSV), end=b""), "/", "ends before its last boundary"),
        (form((FILE, CSV))[:40], "/", "ends before its last boundary"),
        (b"", "/", "ends before its last boundary"),
        (CSV, "/", "does not follow its boundary, b'xyz'"),
        (form(*[("a", b"b")] * 51, (FILE, CSV)), "/", "more than 50 fields besides"),
        (form(("a", b"b" * 65537), (FILE, CSV)), "/", "65,536 bytes"),
        (form((f'file"; filename="{"n" * 256}', CSV)), "/file", "256 characters; 255"),
        (form(('file"; filename="a\x07b', CSV)), "/file", "control character"),
        (form((FILE, CSV)).replace(b"shop", b"\xff"), "/", "is not UTF-8"),
    ],
)
async def test_a_form_that_is_none_says_why_and_leaves_nothing(
    http: httpx2.AsyncClient, control: MemoryStore, body: bytes, where: str, what: str
) -> None:
    answer = await http.post("/v1/files", content=body, headers=BOUNDARY)

    assert answer.status_code == 422, answer.text
    (problem,) = answer.json()["errors"]
    assert problem["pointer"] == where
    assert what in problem["detail"]
    assert control.objects == {}
    assert control.parts == {}


@pytest.mark.parametrize(
    ("headers", "query", "status", "what"),
    [
        ({"content-type": "multipart/form-data"}, "", 422, "names no boundary"),
        ({"content-type": f"multipart/form-data; boundary={'b' * 400}"}, "", 422, "oundary length"),
        (
            {"content-type": "application/x-www-form-urlencoded"},
            "?filename=a.csv",
            415,
            "is no type of a file",
        ),
        ({"content-type": "multipart/mixed; boundary=x"}, "?filename=a.csv", 415, "is no type of a file"),
        ({"content-type": "text/csv"}, "", 422, "is empty: the name of the file is needed"),
        ({"content-type": "text/csv"}, "?filename=%00.csv", 422, "control character"),
        ({"content-type": "text/csv"}, f"?filename={'n' * 256}", 422, "255 are the most"),
        ({"authorization": "Bearer im_wrong_0123456789abcdef"}, "?filename=a.csv", 401, "not known"),
    ],
)
async def test_a_request_that_is_no_upload_is_refused_without_reading_it(  # noqa: PLR0917
    parts: Context, control: MemoryStore, headers: dict[str, str], query: str, status: int, what: str
) -> None:
    talk = Conversation("POST", f"/v1/files{query}", {"authorization": f"Bearer {KEY}"} | headers)
    talk.says(CSV, more=True)
    await talk.run(make_app(parts))

    assert talk.status == status
    assert what in talk.problem["detail"]
    assert not talk.read_before_the_answer
    assert talk.headers["connection"] == "close"
    assert control.calls == []


async def test_the_body_is_not_read_before_the_key_is_known(parts: Context) -> None:
    talk = Conversation("POST", "/v1/files?filename=a.csv", {"content-length": "1000000"})
    await talk.run(make_app(parts))

    assert talk.status == 401
    assert talk.headers["connection"] == "close"
    assert not talk.read_before_the_answer


@pytest.mark.parametrize("after", [1, 3 * PART], ids=["early", "in the middle"])
async def test_a_lost_connection_leaves_nothing(
    parts: Context, control: MemoryStore, small_parts: None, after: int
) -> None:
    talk = Conversation("POST", "/v1/files?filename=a.csv", {"authorization": f"Bearer {KEY}"})
    talk.says(b"x" * after, more=True)
    talk.leaves()
    await talk.run(make_app(parts))

    assert control.objects == {}
    assert control.parts == {}
    if after > PART:
        assert "drop_parts" in {method for method, _ in control.calls}


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("how", ["is lost", "is cancelled"])
async def test_parts_are_dropped_once_none_is_on_its_way(
    parts: Context, control: MemoryStore, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    leaves, arrives, real = asyncio.Event(), asyncio.Event(), control.put_part

    async def held(*arguments: Any) -> Any:
        part = await real(*arguments)
        leaves.set()
        await arrives.wait()
        return part

    monkeypatch.setattr(control, "put_part", held)
    talk = Conversation("POST", "/v1/files?filename=a.csv", {"authorization": f"Bearer {KEY}"})
    talk.says(b"x" * 3 * PART, more=True)  # the second part waits for the first
    if how == "is lost":
        talk = Conversation("POST", "/v1/files?filename=a.csv", {"authorization": f"Bearer {KEY}"})
        talk.says(b"x" * (PART + 1), more=True)
        talk.leaves()
    running = asyncio.create_task(talk.run(make_app(parts)))
    await leaves.wait()
    if how == "is cancelled":
        running.cancel()
    for _ in range(100):  # whatever it could do now, it has done
        await asyncio.sleep(0)
    assert "drop_parts" not in {method for method, _ in control.calls}

    arrives.set()
    await asyncio.gather(running, return_exceptions=True)
    assert "drop_parts" in {method for method, _ in control.calls}
    assert control.parts == {}


async def test_a_cancelled_request_leaves_nothing(
    parts: Context, control: MemoryStore, small_parts: None
) -> None:
    talk = Conversation("POST", "/v1/files?filename=a.csv", {"authorization": f"Bearer {KEY}"})
    talk.says(b"x" * 3 * PART, more=True)
    running = asyncio.create_task(talk.run(make_app(parts)))
    await talk.waits.wait()
    assert control.parts
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert control.objects == {}
    assert control.parts == {}


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("method", ["put", "begin_parts", "put_part", "join_parts"])
async def test_a_store_that_fails_leaves_nothing_and_is_to_be_tried_again(
    http: httpx2.AsyncClient, control: MemoryStore, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    real = getattr(control, method)

    async def fails(*arguments: Any, **named: Any) -> Any:
        control.away = 1
        return await real(*arguments, **named)

    monkeypatch.setattr(control, method, fails)
    answer = await http.post("/v1/files?filename=a.csv", content=in_pieces(b"x" * 3 * PART))

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert control.objects == {}
    assert control.parts == {}


async def test_a_file_that_is_too_large_is_cut_off(
    http: httpx2.AsyncClient, control: MemoryStore, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "FILE_BYTES", 3 * PART)
    answer = await http.post("/v1/files?filename=a.csv", content=in_pieces(b"x" * (3 * PART + 1)))

    assert answer.status_code == 413
    assert control.objects == {}
    assert control.parts == {}


@pytest.mark.parametrize("most", [{"most": 1}, {"of_one": 1}], ids=["the process", "the tenant"])
async def test_beyond_its_slots_a_process_says_to_come_back(parts: Context, most: dict[str, int]) -> None:
    app = make_app(parts)
    app.state.slots = Slots(**most)
    key = {"authorization": f"Bearer {KEY}"}
    first = Conversation("POST", "/v1/files?filename=a.csv", key)
    first.says(b"x", more=True)
    running = asyncio.create_task(first.run(app))
    await first.waits.wait()

    second = Conversation("POST", "/v1/files?filename=b.csv", key)
    second.says(b"x")
    await second.run(app)
    assert (second.status, second.problem["type"]) == (503, "/problems/too-many-uploads")
    assert int(second.headers["retry-after"]) > 0

    first.says(b"y")
    await running
    assert first.status == 201
    third = Conversation("POST", "/v1/files?filename=b.csv", key)
    third.says(b"x")
    await third.run(app)
    assert third.status == 201


def test_a_tenant_leaves_room_for_another_one() -> None:
    slots = Slots(most=3, of_one=2)
    with slots.one("a"), slots.one("a"):
        with pytest.raises(Problem, match="2 of your files"):
            slots.one("a").__enter__()
        with slots.one("b"), pytest.raises(Problem, match="as many files as it can"):
            slots.one("b").__enter__()
        with slots.one("b"):
            pass
    with slots.one("a"), slots.one("a"):
        pass


async def test_files_are_listed_page_by_page(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    assert (await http.get("/v1/files")).json() == {
        "object": "list", "data": [], "has_more": False, "last": None,
    }  # fmt: skip
    made = [(await http.post(f"/v1/files?filename={n}.csv", content=b"x")).json() for n in range(5)]
    made.sort(key=lambda file: file["id"])  # those of one millisecond come in any order
    await control.put(facts_key("other", new_id("file")), b"{}")

    found: list[Any] = []
    after = ""
    for more in (True, True, False):
        page = (await http.get("/v1/files", params={"limit": 2, "after": after})).json()
        assert page["has_more"] == more
        found, after = found + page["data"], page["last"]
    assert found == made


@pytest.mark.parametrize("query", ["after=nonsense", "after=../../x", "limit=0", "limit=1001", "limit=x"])
async def test_a_page_that_is_none_is_refused(http: httpx2.AsyncClient, query: str) -> None:
    assert (await http.get(f"/v1/files?{query}")).status_code == 422


async def test_the_content_is_at_a_presigned_address(http: httpx2.AsyncClient) -> None:
    file_id = (await http.post("/v1/files?filename=a b.csv", content=b"x")).json()["id"]
    answer = await http.get(f"/v1/files/{file_id}/content")

    assert answer.status_code == 302
    assert answer.headers["location"] == f"memory://files/t/{file_id}?expires=300&filename=a%20b.csv"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_deleted_file_is_gone(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    file_id = (await http.post("/v1/files?filename=a.csv", content=b"x")).json()["id"]
    answer = await http.delete(f"/v1/files/{file_id}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert control.objects == {}
    for ask in (http.get, http.delete):
        assert (await ask(f"/v1/files/{file_id}")).status_code == 404


async def test_a_delete_that_failed_half_way_can_be_repeated(
    http: httpx2.AsyncClient, control: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = (await http.post("/v1/files?filename=a.csv", content=b"x")).json()["id"]
    real = control.delete

    async def second_fails(key: str) -> None:
        control.away = int(key.startswith("file-facts/"))
        await real(key)

    with monkeypatch.context() as broken:
        broken.setattr(control, "delete", second_fails)
        assert (await http.delete(f"/v1/files/{file_id}")).status_code == 503
    assert (await http.delete(f"/v1/files/{file_id}")).status_code == 204
    assert control.objects == {}


async def test_a_file_of_another_tenant_is_not_there(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    theirs, none = new_id("file"), new_id("file")
    facts = FileFacts(id=theirs, bytes=1, filename="a", content_type="text/csv")
    await control.put(facts_key("other", theirs), facts.model_dump_json().encode())
    await control.put(file_key("other", theirs), b"secret")
    before = control.written

    for method, tail in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        answers = [await http.request(method, f"/v1/files/{file_id}{tail}") for file_id in (theirs, none)]
        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].text.replace(theirs, "id") == answers[1].text.replace(none, "id")
    for strange in (
        "..",
        "%2e%2e",
        "file_",
        "x" * 5000,
        "%00",
        "%ff",
        "..%2f..%2fother",
        f"../other/{theirs}",
    ):
        assert (await http.get(f"/v1/files/{strange}")).status_code in (404, 405)
    assert control.written == before


async def test_an_uploaded_file_is_a_manifest(http: httpx2.AsyncClient) -> None:
    file_id = (await http.post("/v1/files?filename=a.csv", content=CSV)).json()["id"]
    manifest = {"file_id": file_id, "format": "csv", "id": "{{ row.Handle }}", "prompt": "{{ row.Title }}"}
    body = {key: value for key, value in BODY.items() if key != "items"} | {"manifest": manifest}

    assert (await http.post("/v1/jobs", json=body)).status_code == 202
