"""What a caller may send that no client of good will sends: always an answer, never a 500."""

import csv
import io
import json
from typing import Any

import httpx2
import pytest
from fastapi.responses import JSONResponse

from api.app import make_app
from api.cells import inert, line
from api.context import Context
from api.headers import ALWAYS
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY, ITEM, KEY
from tests.unit.api.wire import Conversation

JSON = {"content-type": "application/json"}


def submission(**more: Any) -> bytes:
    return json.dumps(BODY | more).encode()


def inside(text: str) -> bytes:
    """A submission with this JSON as its item's prompt."""
    return submission().replace(b'"a red chair"', text.encode())


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"[" * 100_000, "is nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "is nested too deeply"),
        (b'{"a":' * 100_000, "is nested too deeply"),
        (inside("[" * 900 + "]" * 900), ""),
        (inside('{"a":' * 900 + "1" + "}" * 900), ""),
        (inside("9" * 5000), "too many digits"),
        (inside("9" * 4000), ""),
        (inside("1e999999999"), ""),
        (inside("NaN"), ""),
        (inside("-Infinity"), ""),
        (submission(priority=0.5), "/priority"),
        (submission().replace(b'"a"', b"1e400"), ""),
        (inside('"\\ud800"'), "/items/0/prompt"),
        (inside('"x\\udfffy"'), "/items/0/prompt"),
        (submission(items=[ITEM | {"custom_id": "\ud800"}]), "/items/0/custom_id"),
        (submission(name="\udcff"), "/name"),
        (submission(**{"\ud800": 1}), "half of a surrogate pair"),
        (submission(prices={"\ud800": {"image_usd": "1"}}), "/prices"),
        (submission(**{"x" * 10**6: 1}), "is not a field"),
        (submission(budget={"limit_usd": "9" * 10**6}), "/budget/limit_usd"),
        (submission(budget={"limit_usd": "1e-999999999"}), "/budget/limit_usd"),
        (submission(budget={"limit_usd": "sNaN"}), "/budget/limit_usd"),
        (submission(name="x" * 201), "/name"),
        (submission(items=[ITEM | {"prompt": "x" * 32_001}]), "/items/0/prompt"),
        (submission(items=[ITEM | {"custom_id": "x" * 257}]), "/items/0/custom_id"),
        (submission(items=[ITEM] * 10_001), "/items"),
        (submission(items=[]), "items is empty"),
        (submission(**{f"x{n}": n for n in range(1001)}), "1,004 fields"),
        (submission(items=[ITEM | {f"x{n}": n for n in range(100)}]), "102 fields"),
        (submission(items=[ITEM | {"a": 1, "b": 1}] * 5001), "10,002 things are wrong"),
        (submission(pools=["x"] * 11), "/pools"),
        (submission(output={"key": "x" * 20_001}), "/output/key"),
        (submission(items=[ITEM | {"images": ["x"] * 17}]), "/items/0/images"),
        (b'["\xff"]', "is not UTF-8"),
        (inside('"\xff"').decode().encode("latin-1"), "is not UTF-8"),
        (b"", "missing"),
        (b"null", ""),
        (b"1", ""),
        (b'"text"', ""),
        (b"{", "is not JSON"),
        (b"\x00", "is not JSON"),
        (submission().replace(b'"a"', b'"\x00"'), "is not JSON"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_body_that_is_none_is_refused(
    http: httpx2.AsyncClient, control: MemoryStore, body: bytes, what: str
) -> None:
    answer = await http.post("/v1/jobs", content=body, headers=JSON)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert what in answer.text
    assert len(answer.content) < 10_000
    assert [key for method, key in control.calls if method.startswith("put")] == []


@pytest.mark.parametrize(
    "text",
    ["\\u0000", "\\u202e=1+1", "\\ud83d\\ude00", "\\uffff", "\\u007f\\u0085"],
    ids=["NUL", "turned around", "a whole pair", "no character", "controls"],
)
async def test_strange_text_is_text(http: httpx2.AsyncClient, text: str) -> None:
    body = submission(name="a").replace(b'"a red chair"', f'"x{text}"'.encode())
    body = body.replace(b'"custom_id": "a"', f'"custom_id": "a{text}"'.encode())
    assert (await http.post("/v1/jobs", content=body, headers=JSON)).status_code == 202


async def test_of_a_key_that_comes_twice_the_last_one_counts(http: httpx2.AsyncClient) -> None:
    body = submission().replace(b'"budget"', b'"budget": {"limit_usd": "0"}, "budget"')
    answer = await http.post("/v1/jobs", content=body, headers=JSON)

    assert answer.status_code == 202
    assert answer.json()["cost"]["limit_usd"] == "5.00"


async def test_of_very_many_problems_the_first_are_named(http: httpx2.AsyncClient) -> None:
    items = [{"custom_id": str(n), "prompt": "", "a": 1, "b": 1} for n in range(2000)]
    answer = await http.post("/v1/jobs", content=submission(items=items), headers=JSON)

    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 1000
    assert answer.json()["detail"].startswith("6000 thing(s)")


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_an_idempotency_key_has_its_length(http: httpx2.AsyncClient, key: str) -> None:
    headers = JSON | {"idempotency-key": key}
    assert (await http.post("/v1/jobs", content=submission(), headers=headers)).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("HEAD", "/v1/jobs/job_1", {"GET", "PATCH"}),
        ("OPTIONS", "/v1/jobs/job_1", {"GET", "PATCH"}),
        ("TRACE", "/v1/jobs/job_1", {"GET", "PATCH"}),
        ("DELETE", "/v1/jobs/job_1", {"GET", "PATCH"}),
        ("PUT", "/v1/files", {"GET", "POST"}),
        ("PATCH", "/v1/files/file_1", {"GET", "DELETE"}),
        ("GET", "/v1/uploads/upload_1/parts/1", {"PUT"}),
        ("NONSENSE", "/healthz", {"GET"}),
        ("POST", "/healthz", {"GET"}),
    ],
)
async def test_another_method_is_told_which_ones_there_are(
    http: httpx2.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = await http.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.headers["allow"].split(", ")) >= allowed
    assert method not in answer.headers["allow"].split(", ")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/", "/v1/files/", "/healthz/", "//v1/jobs", "/v1/jobs//", "/v1/./jobs/x/..", "/%2e%2e/v1",
        "/v1/jobs/%ff", "/v1/jobs/%00", "/v1/jobs/a%2Fb/c", "/v1/files/%ed%a0%80", "/v1/jobs/job_1/", "/docs",
        "/redoc", "/problems/%f0", "/v1/jobs/" + "x" * 20_000, "/\\evil.example", "//evil.example/%2f..",
    ],
)  # fmt: skip
async def test_an_address_that_is_none_is_not_found_and_leads_nowhere(parts: Context, path: str) -> None:
    talk = Conversation("GET", path, {"authorization": f"Bearer {KEY}", "content-length": "0"})
    await talk.run(make_app(parts))

    assert talk.status == 404
    assert talk.problem["status"] == 404
    assert "location" not in talk.headers


@pytest.mark.parametrize(
    "query", ["after=%ff", "after=%00", "after=%ed%a0%80", "limit=%ff", "&&&=", "%", "a=b" * 99]
)
async def test_a_query_of_any_bytes_has_an_answer(http: httpx2.AsyncClient, query: str) -> None:
    assert (await http.get(f"/v1/files?{query}")).status_code in (200, 404, 422)


@pytest.mark.parametrize("host", ["evil.example", "api:1@evil.example", "", "\x00", "[::1", "é"])
async def test_the_host_header_shapes_no_answer(parts: Context, host: str) -> None:
    answers = []
    for said in ("api", host):
        talk = Conversation("GET", "/v1/jobs/job_1/", {"host": said, "content-length": "0"})
        await talk.run(make_app(parts))
        answers.append((talk.status, talk.headers, talk.body))

    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer \xe9", "Bearer  ", "Basic eDp5", "\x00", "Bearer " + "x" * 10_000]
)
async def test_a_key_of_any_bytes_is_a_wrong_key(parts: Context, authorization: str) -> None:
    talk = Conversation("GET", "/v1/files", {"authorization": authorization, "content-length": "0"})
    await talk.run(make_app(parts))

    assert talk.status == 401
    assert talk.headers["www-authenticate"] == "Bearer"


# --- headers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/healthz", {}, 200),
        ("GET", "/v1/files", {}, 200),
        ("GET", "/openapi.json", {}, 200),
        ("POST", "/v1/files?filename=a", {"content": b"x"}, 201),
        ("POST", "/v1/jobs", {"content": submission(), "headers": JSON}, 202),
        ("GET", "/v1/files", {"headers": {"authorization": "x"}}, 401),
        ("GET", "/nowhere", {}, 404),
        ("DELETE", "/healthz", {}, 405),
        ("POST", "/v1/jobs", {"content": b"{", "headers": JSON}, 422),
        ("POST", "/v1/jobs", {"headers": {"content-length": str(10**9)}}, 413),
        ("GET", f"/v1/files?{'x' * 9000}", {}, 414),
    ],
)
async def test_every_answer_says_that_it_is_for_no_browser(
    http: httpx2.AsyncClient, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    answer = await http.request(method, path, **more)

    assert answer.status_code == status, answer.text
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    assert answer.headers.get_list("cache-control") == ["no-store"]


async def test_the_answer_to_a_mistake_of_ours_says_so_too(
    http: httpx2.AsyncClient, control: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "get", None)
    answer = await http.get("/v1/files/file_" + "0" * 26)

    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    assert answer.headers.get_list("cache-control") == ["no-store"]


async def test_a_route_may_say_itself_what_is_cached(parts: Context) -> None:
    app = make_app(parts)

    @app.get("/tagged")
    async def tagged() -> Any:
        return JSONResponse({}, headers={"Cache-Control": "private, no-cache"})

    talk = Conversation("GET", "/tagged", {"content-length": "0"})
    await talk.run(app)
    assert talk.headers["cache-control"] == "private, no-cache"
    assert talk.headers["x-content-type-options"] == "nosniff"


# --- exports -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r", "\n", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1",
        "\u202e=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "\ufe62", "\x00=1", "\u3000\uff1d1",
    ],
)  # fmt: skip
def test_a_cell_that_a_spreadsheet_could_run_is_marked_as_text(cell: str) -> None:
    assert inert(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell", ["a\n=1", "\r=1", "\n=1", "\x0b=1", "a\r\n=1", "a\r@x", "a\n\n =1", "a\u2028=1", "a\n\uff1d1"]
)
def test_a_formula_after_a_line_break_is_marked_where_it_begins(cell: str) -> None:
    marked = inert(cell)
    assert marked.replace("'", "") == cell
    assert not any(part.lstrip().startswith(("=", "@", "\uff1d")) for part in marked.splitlines())


@pytest.mark.parametrize(
    "cell", ["", "sku-1001", "0.05", "1=1", "a@b", "'quoted", "Œuvre\nd'été", "a\n\nb", '["x"]']
)
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert inert(cell) == cell


def test_a_line_can_be_read_back() -> None:
    cells = ["a,b", 'say "x"', "two\nlines", "=1", ""]
    assert next(csv.reader(io.StringIO(line(cells)))) == ["a,b", 'say "x"', "two\nlines", "'=1", ""]
