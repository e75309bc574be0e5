"""Files that come in parts."""

import asyncio
import base64
import hashlib
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from api import uploads
from api.app import make_app
from api.context import Context
from imagemill.domain.ids import new_id
from imagemill.domain.places import file_key, upload_key
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import KEY
from tests.unit.api.wire import Conversation

PART = 1000


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts have 1,000 bytes at least."""
    monkeypatch.setattr(uploads, "LEAST_PART_BYTES", PART)
    monkeypatch.setattr("tests.fakes.store.LEAST_PART", PART)


@pytest.fixture
async def upload(http: httpx2.AsyncClient) -> str:
    answer = await http.post("/v1/uploads", json={"filename": "shop.csv"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/uploads/{answer.json()['id']}"
    return answer.headers["location"]


async def send(http: httpx2.AsyncClient, upload: str, number: int, data: bytes, **headers: str) -> None:
    answer = await http.put(f"{upload}/parts/{number}", content=data, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"number": number, "bytes": len(data)}


async def complete(http: httpx2.AsyncClient, upload: str, **wanted: Any) -> httpx2.Response:
    return await http.post(f"{upload}/complete", json=wanted)


async def test_parts_in_any_order_become_a_file(
    http: httpx2.AsyncClient, upload: str, control: MemoryStore
) -> None:
    await send(http, upload, 2, b"b" * PART)
    await send(http, upload, 3, b"end")
    await send(http, upload, 1, b"a" * PART)
    there = (await http.get(upload)).json()
    file = (await complete(http, upload)).json()

    assert there["parts"] == [
        {"number": 1, "bytes": PART}, {"number": 2, "bytes": PART}, {"number": 3, "bytes": 3},
    ]  # fmt: skip
    assert (there["received_bytes"], there["file"]) == (2 * PART + 3, None)
    assert (file["bytes"], file["filename"], file["sha256"]) == (2 * PART + 3, "shop.csv", None)
    assert control.data(file_key("t", file["id"])) == b"a" * PART + b"b" * PART + b"end"
    assert control.objects[file_key("t", file["id"])][1].content_type == "text/csv"
    assert (await http.get(f"/v1/files/{file['id']}")).json() == file
    assert [one["id"] for one in (await http.get("/v1/files")).json()["data"]] == [file["id"]]
    assert (await http.get(upload)).json()["file"] == file


async def test_a_file_is_not_there_before_it_is_complete(http: httpx2.AsyncClient, upload: str) -> None:
    await send(http, upload, 1, b"a")

    assert (await http.get("/v1/files")).json()["data"] == []


async def test_an_upload_goes_on_in_another_process(parts: Context, http: httpx2.AsyncClient) -> None:
    said = (await http.post("/v1/uploads", json={"filename": "a.csv"})).json()
    await send(http, f"/v1/uploads/{said['id']}", 1, b"a" * PART)

    transport = httpx2.ASGITransport(app=make_app(parts))  # has nothing but the store in common
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://b", headers=headers) as other:
        await send(other, f"/v1/uploads/{said['id']}", 2, b"b")
        assert (await complete(other, f"/v1/uploads/{said['id']}")).json()["bytes"] == PART + 1


async def test_the_same_number_again_replaces_the_part(
    http: httpx2.AsyncClient, upload: str, control: MemoryStore
) -> None:
    for word in (b"first", b"second!", b"third one"):
        await send(http, upload, 1, word)

    assert (await http.get(upload)).json()["parts"] == [{"number": 1, "bytes": 9}]
    file = (await complete(http, upload)).json()
    assert control.data(file_key("t", file["id"])) == b"third one"


async def test_a_part_that_was_sent_twice_alike_is_one_part(http: httpx2.AsyncClient, upload: str) -> None:
    await send(http, upload, 1, b"same")
    await send(http, upload, 1, b"same")

    assert (await complete(http, upload)).json()["bytes"] == 4


async def test_a_replaced_part_of_which_no_copy_was_answered_last_is_sent_again(
    http: httpx2.AsyncClient, upload: str, control: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(http, upload, 1, b"answered")
    real = control.put

    async def fails(key: str, data: bytes, **more: Any) -> None:
        control.away = 1
        await real(key, data, **more)

    with monkeypatch.context() as broken:
        broken.setattr(control, "put", fails)
        assert (await http.put(f"{upload}/parts/1", content=b"not answered")).status_code == 503
    assert (await http.get(upload)).json()["parts"] == []
    refused = await complete(http, upload)
    assert (refused.status_code, refused.json()["detail"]) == (422, "no part has come yet")

    await send(http, upload, 1, b"answered")
    file = (await complete(http, upload)).json()
    assert control.data(file_key("t", file["id"])) == b"answered"


@pytest.mark.parametrize(
    ("headers", "status", "what"),
    [
        ({"content-md5": base64.b64encode(hashlib.md5(b"data").digest()).decode()}, 200, ""),
        ({"x-content-sha256": hashlib.sha256(b"data").hexdigest().upper()}, 200, ""),
        (
            {"content-md5": base64.b64encode(hashlib.md5(b"date").digest()).decode()},
            422,
            "not what Content-MD5",
        ),
        ({"x-content-sha256": hashlib.sha256(b"date").hexdigest()}, 422, "not what x-content-sha256"),
        ({"content-md5": "AAAA"}, 422, "not what Content-MD5"),
        ({"content-md5": "%%%"}, 422, "is not base64"),
        ({"content-md5": "\xe9"}, 422, "is not base64"),
        ({"content-md5": "A" * 25}, 422, "at most 24"),
        ({"x-content-sha256": "abc"}, 422, "x-content-sha256"),
    ],
)
async def test_a_part_is_checked_by_the_hash_that_is_sent(  # noqa: PLR0917
    http: httpx2.AsyncClient,
    upload: str,
    control: MemoryStore,
    headers: dict[str, str],
    status: int,
    what: str,
) -> None:
    sent = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = await http.put(f"{upload}/parts/1", content=b"data", headers=sent)

    assert answer.status_code == status, answer.text
    assert status == 200 or what in answer.json()["detail"]
    assert bool(next(iter(control.parts.values()))) == (status == 200)


@pytest.mark.parametrize(
    ("number", "length", "data", "status"),
    [
        (1, None, b"x", 411),
        (1, "0", b"", 422),
        (1, str(16 * 1024 * 1024 + 1), b"x", 413),
        (1, "5", b"x", 422),
        (0, "1", b"x", 422),
        (1025, "1", b"x", 422),
        (-1, "1", b"x", 422),
        ("x", "1", b"x", 422),
        ("9" * 5000, "1", b"x", 422),
    ],
)
async def test_a_part_that_is_none_is_refused(  # noqa: PLR0917
    parts: Context,
    upload: str,
    control: MemoryStore,
    number: object,
    length: str | None,
    data: bytes,
    status: int,
) -> None:
    headers = {"authorization": f"Bearer {KEY}"} | ({"content-length": length} if length else {})
    talk = Conversation("PUT", f"{upload}/parts/{number}", headers)
    talk.says(data)
    await talk.run(make_app(parts))

    assert talk.status == status, talk.body
    assert next(iter(control.parts.values())) == []


async def test_a_part_whose_connection_is_lost_is_not_there(
    parts: Context, upload: str, control: MemoryStore
) -> None:
    headers = {"authorization": f"Bearer {KEY}", "content-length": "2000"}
    talk = Conversation("PUT", f"{upload}/parts/1", headers)
    talk.says(b"x" * PART, more=True)
    talk.leaves()
    await talk.run(make_app(parts))

    assert next(iter(control.parts.values())) == []


@pytest.mark.parametrize(
    ("sent", "where", "what"),
    [
        ({}, "/parts", "is empty"),
        ({2: b"x"}, "/parts/1", "part 1 is missing"),
        ({1: b"x" * PART, 3: b"x"}, "/parts/2", "part 2 is missing"),
        ({1: b"x" * 999, 2: b"x"}, "/parts/1", "has 999 bytes"),
    ],
)
async def test_what_is_not_whole_is_not_completed_and_can_be_mended(
    http: httpx2.AsyncClient, upload: str, sent: dict[int, bytes], where: str, what: str
) -> None:
    for number, data in sent.items():
        await send(http, upload, number, data)
    answer = await complete(http, upload)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == where
    assert what in answer.json()["errors"][0]["detail"]
    for number in (1, 2, 3):
        await send(http, upload, number, b"y" * PART)
    assert (await complete(http, upload)).json()["bytes"] == 3 * PART


async def test_more_than_a_file_may_have_is_not_completed(
    http: httpx2.AsyncClient, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "FILE_BYTES", PART)
    await send(http, upload, 1, b"x" * (PART + 1))

    assert (await complete(http, upload)).status_code == 422


async def test_completing_again_answers_with_the_same_file(
    http: httpx2.AsyncClient, upload: str, control: MemoryStore
) -> None:
    await send(http, upload, 1, b"data")
    first = (await complete(http, upload)).json()
    again = await asyncio.gather(*(complete(http, upload) for _ in range(3)))

    assert [answer.json() for answer in again] == [first] * 3
    assert len([key for key in control.written if key.startswith("files/")]) == 1


async def test_the_body_of_completing_may_be_left_out(http: httpx2.AsyncClient, upload: str) -> None:
    await send(http, upload, 1, b"data")

    assert (await http.post(f"{upload}/complete")).json()["bytes"] == 4


async def test_many_at_once_complete_one_file(http: httpx2.AsyncClient, upload: str) -> None:
    await send(http, upload, 1, b"data")
    answers = await asyncio.gather(*(complete(http, upload) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1


@pytest.mark.parametrize("lost", ["head", "put"])
async def test_a_call_to_complete_that_broke_off_is_taken_up_by_the_next(
    http: httpx2.AsyncClient,
    upload: str,
    control: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    await send(http, upload, 1, b"data")
    real = getattr(control, lost)

    async def fails(*arguments: Any, **more: Any) -> Any:
        control.away = 1
        return await real(*arguments, **more)

    with monkeypatch.context() as broken:
        broken.setattr(control, lost, fails)
        assert (await complete(http, upload)).status_code == 503
    assert (await http.get(upload)).status_code == 200

    assert (await complete(http, upload)).json()["bytes"] == 4


DATA = b"a" * PART + b"b"
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize(
    "wanted", [{"sha256": SHA}, {"sha256": SHA.upper(), "bytes": len(DATA)}, {"bytes": len(DATA)}, {}]
)
async def test_the_whole_is_what_it_was_to_be(
    http: httpx2.AsyncClient, upload: str, wanted: dict[str, Any]
) -> None:
    await send(http, upload, 1, DATA[:PART])
    await send(http, upload, 2, DATA[PART:])
    file = (await complete(http, upload, **wanted)).json()

    assert file["sha256"] == (SHA if "sha256" in wanted else None)
    assert (await complete(http, upload, sha256=SHA)).json() == file | {"sha256": SHA}
    assert (await http.get(f"/v1/files/{file['id']}")).json()["sha256"] == SHA


async def test_another_size_than_announced_is_not_completed(http: httpx2.AsyncClient) -> None:
    begun = (await http.post("/v1/uploads", json={"filename": "a.csv", "bytes": 5})).json()
    where = f"/v1/uploads/{begun['id']}"
    await send(http, where, 1, b"data")
    answer = await complete(http, where)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/content-differs")

    await send(http, where, 1, b"data!")
    assert (await complete(http, where)).status_code == 200


async def test_another_hash_than_announced_leaves_nothing(
    http: httpx2.AsyncClient, upload: str, control: MemoryStore
) -> None:
    await send(http, upload, 1, b"data")
    answer = await complete(http, upload, sha256="0" * 64)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/content-differs")
    assert control.objects == {}
    assert control.parts == {}
    assert (await http.get(upload)).status_code == 404


@pytest.mark.parametrize("wanted", [{"sha256": "0" * 64}, {"bytes": 5}])
async def test_a_later_check_that_fails_harms_no_file(
    http: httpx2.AsyncClient, upload: str, wanted: dict[str, Any]
) -> None:
    await send(http, upload, 1, b"data")
    file = (await complete(http, upload)).json()

    assert (await complete(http, upload, **wanted)).status_code == 422
    assert (await http.get(f"/v1/files/{file['id']}")).json() == file


async def test_an_upload_that_is_given_up_leaves_nothing(
    http: httpx2.AsyncClient, upload: str, control: MemoryStore
) -> None:
    await send(http, upload, 1, b"data")
    await send(http, upload, 1, b"other")
    assert (await http.delete(upload)).status_code == 204

    assert control.objects == {}
    assert control.parts == {}
    assert (await http.delete(upload)).status_code == 404
    assert (await http.put(f"{upload}/parts/1", content=b"x")).status_code == 404
    assert (await complete(http, upload)).status_code == 404


async def test_a_completed_upload_takes_nothing_more_and_its_file_stays(
    http: httpx2.AsyncClient, upload: str, control: MemoryStore
) -> None:
    await send(http, upload, 1, b"data")
    file = (await complete(http, upload)).json()

    for answer in (await http.delete(upload), await http.put(f"{upload}/parts/2", content=b"x")):
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/upload-completed")
    assert control.data(file_key("t", file["id"])) == b"data"


async def test_a_file_that_was_deleted_is_not_made_again(http: httpx2.AsyncClient, upload: str) -> None:
    await send(http, upload, 1, b"data")
    file = (await complete(http, upload)).json()
    await http.delete(f"/v1/files/{file['id']}")

    assert (await complete(http, upload)).status_code == 404
    assert (await http.get(upload)).status_code == 404


async def test_an_upload_of_another_tenant_is_not_there(
    http: httpx2.AsyncClient, upload: str, control: MemoryStore
) -> None:
    mine = upload.rpartition("/")[2]
    theirs, none = new_id("upload"), new_id("upload")
    record = control.data(upload_key("t", mine)).replace(mine.encode(), theirs.encode())
    await control.put(upload_key("other", theirs), record)

    for method, tail in (("GET", ""), ("PUT", "/parts/1"), ("POST", "/complete"), ("DELETE", "")):
        answers = [
            await http.request(method, f"/v1/uploads/{one}{tail}", content=b"x" if method == "PUT" else None)
            for one in (theirs, none, "upload_x")
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].text.replace(theirs, "id") == answers[1].text.replace(none, "id")
    assert upload_key("other", theirs) in control.written


def expired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LIFE", timedelta(0))


async def test_after_a_day_an_upload_is_gone(
    http: httpx2.AsyncClient, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(http, upload, 1, b"data")
    expired(monkeypatch)

    assert (await http.get(upload)).status_code == 404
    assert (await complete(http, upload)).status_code == 404


async def test_beginning_another_one_removes_the_oldest_that_are_over_and_no_file(
    http: httpx2.AsyncClient, upload: str, control: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(http, upload, 1, b"data")
    file = (await complete(http, upload)).json()
    for number in range(24):
        said = (await http.post("/v1/uploads", json={"filename": f"{number}.csv"})).json()
        await send(http, f"/v1/uploads/{said['id']}", 1, b"data")
        await send(http, f"/v1/uploads/{said['id']}", 1, b"other")
    expired(monkeypatch)
    before = len(control.calls)
    assert (await http.post("/v1/uploads", json={"filename": "a.csv"})).status_code == 201

    left = [key for key in control.written if key.startswith("uploads/")]
    assert len(left) == 25 - 20 + 1
    assert len(control.parts) == len(left)
    assert len([key for key in control.written if key.startswith("replaced-parts/")]) == 5
    assert len(control.calls) - before < 20 * 8
    assert (await http.get(f"/v1/files/{file['id']}")).json() == file


async def test_uploads_whose_time_is_not_over_are_left_alone(
    http: httpx2.AsyncClient, upload: str, control: MemoryStore
) -> None:
    await send(http, upload, 1, b"data")
    await http.post("/v1/uploads", json={"filename": "a.csv"})

    assert (await http.get(upload)).json()["received_bytes"] == 4


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filename": ""},
        {"filename": "x" * 256},
        {"filename": "a\u0000"},
        {"filename": " "},
        {"filename": "a", "bytes": 0},
        {"filename": "a", "bytes": 5 * 1024**3 + 1},
        {"filename": "a", "more": 1},
    ],
)
async def test_an_upload_that_can_not_be_is_not_begun(
    http: httpx2.AsyncClient, control: MemoryStore, body: dict[str, Any]
) -> None:
    assert (await http.post("/v1/uploads", json=body)).status_code == 422
    assert control.parts == {}
