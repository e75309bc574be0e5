from pathlib import Path

import httpx2
import pytest

from cli.client import Client
from cli.downloads import Downloads
from cli.errors import CliError, Refused, ServiceAway
from cli.service import Service
from tests.unit.cli.answers import JOB, Script, answer, job

SERVICE = Service("http://mill.test", "im_id_secret")
PROBLEM = {
    "type": "/problems/invalid-submission",
    "title": "The submission can't be run as it is",
    "status": 422,
    "detail": "/manifest/id: there is no column 'Sku', and 1 more",
    "errors": [
        {"pointer": "/manifest/id", "detail": "there is no column 'Sku'"},
        {"pointer": "/defaults/model", "detail": "is \x1b[31mred"},
    ],
}


async def status(*steps: httpx2.Response | Exception) -> object:
    async with Client(SERVICE, Script(*steps).transport) as client:
        return await client.status(JOB)


async def test_a_problem_is_told_whole() -> None:
    with pytest.raises(Refused) as caught:
        await status(answer(PROBLEM, 422))
    assert str(caught.value).splitlines() == [
        "The submission can't be run as it is",
        "  /manifest/id: there is no column 'Sku', and 1 more",
        "  /manifest/id: there is no column 'Sku'",
        "  /defaults/model: is �[31mred",
    ]


async def test_a_wrong_key() -> None:
    problem = {"title": "The API key is missing or wrong", "detail": "send it as a bearer token"}
    with pytest.raises(Refused, match="IMAGEMILL_API_KEY") as caught:
        await status(answer(problem, 401))
    assert "secret" not in str(caught.value)


DEEP = b"[" * 100_000


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"title": 1}', DEEP])
async def test_an_error_of_somebody_else(body: bytes) -> None:
    with pytest.raises(Refused, match="answered 404 Not Found"):
        await status(httpx2.Response(404, content=body))


async def test_an_error_whose_places_are_none() -> None:
    with pytest.raises(Refused, match=r"^No$"):
        await status(answer({"title": "No", "errors": 7}, 404))


@pytest.mark.parametrize("body", [b"<html>", DEEP])
async def test_an_answer_of_somebody_else(body: bytes) -> None:
    with pytest.raises(CliError, match="not what Imagemill answers"):
        await status(httpx2.Response(200, content=body))


async def test_unavailable_says_when() -> None:
    with pytest.raises(ServiceAway, match="A part") as caught:
        await status(answer({"title": "A part is away", "detail": ""}, 503, Retry_After="2"))
    assert caught.value.wait == 2.0


async def test_nothing_answers() -> None:
    with pytest.raises(ServiceAway, match=r"Nothing answers at http://mill\.test\. Start"):
        await status(httpx2.ConnectError("refused"))


async def test_retry_after_is_passed_on() -> None:
    async with Client(SERVICE, Script(answer(job(), Retry_After="7")).transport) as client:
        found, patience = await client.status(JOB)
    assert (found.id, patience) == (JOB, 7.0)


async def test_upload_and_submit(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("Handle\na\n")
    script = Script(answer({"id": "file_1"}, 201), answer(job(), 202))
    async with Client(SERVICE, script.transport) as client:
        assert await client.upload(tmp_path / "shop.csv") == "file_1"
        assert (await client.submit({"budget": {}}, "once")).id == JOB
    upload, submit = script.requests
    assert b'name="file"; filename="shop.csv"' in upload.content
    assert submit.headers["Idempotency-Key"] == "once"
    assert submit.headers["Authorization"] == "Bearer im_id_secret"


async def test_the_store_gets_no_key_of_ours() -> None:
    script = Script(httpx2.Response(200, content=b"image"))
    async with Downloads(script.transport) as downloads:
        assert b"".join([piece async for piece in downloads.read("http://store.test/a?sign=1")]) == b"image"
    assert "Authorization" not in script.requests[0].headers


@pytest.mark.parametrize(
    ("code", "kind"), [(403, Refused), (404, Refused), (500, ServiceAway), (503, ServiceAway)]
)
async def test_the_store_says_no(code: int, kind: type[CliError]) -> None:
    async with Downloads(Script(httpx2.Response(code)).transport) as downloads:
        with pytest.raises(kind) as caught:
            [piece async for piece in downloads.read("http://store.test/a?sign=1")]
    assert "sign" not in str(caught.value)
