"""Who may ask for what: keys, scopes, expiry; and that what is another's is not there."""

import hashlib
import hmac
import itertools
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import httpx2
import pytest
from fastapi import Depends
from pydantic import SecretStr
from starlette.requests import Request

from api.app import keyring, make_app
from api.context import Context, admin_tenant, admit
from api.keys import NOBODY, Keyring, hash_key, id_of
from api.problems import Problem
from imagemill.domain.access import Caller
from imagemill.domain.errors import Misconfigured
from imagemill.domain.job import JobSummary
from imagemill.domain.places import file_key, report_key
from imagemill.settings import ServiceSettings
from imagemill.tenants import Tenants
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import ADMIN, BODY, ITEM, KEY, filled

SECRET = "0123456789abcdef"
KEYS = {
    name: f"im_{name}_{SECRET}" for name in ("reads", "submits", "both", "admins", "other", "over", "lasts")
}
NOW = datetime.now(UTC)
OTHERS = "job_01J9ZC3V5N8Q4T6W7XKABCDEFG"
NOBODYS = "job_01J9ZC3V5N8Q4T6W7XKABCDEFH"
OTHERS_FILE, NOBODYS_FILE = "file_" + "1" * 26, "file_" + "2" * 26


def entry(tenant: str, name: str, scopes: str, expires: datetime | None = None) -> str:
    digest = hashlib.sha256(KEYS[name].encode()).hexdigest()
    until = f"expires = {expires.isoformat()}\n" if expires else ""
    return (
        f'[[tenants.{tenant}.keys]]\nid = "{name}"\nsha256 = "{digest}"\nscopes = {scopes.split()}\n{until}'
    )


@pytest.fixture
def tenants(tmp_path: Path) -> Tenants:
    path = tmp_path / "tenants.toml"
    path.write_text(
        entry("t", "reads", "read")
        + entry("t", "submits", "submit")
        + entry("t", "both", "read submit")
        + entry("t", "admins", "admin")
        + entry("t", "over", "read", NOW - timedelta(seconds=1))
        + entry("t", "lasts", "read", NOW + timedelta(days=1))
        + entry("other", "other", "read submit admin")
    )
    return Tenants(path)


@pytest.fixture
def parts(parts: Context, tenants: Tenants) -> Context:
    return replace(parts, tenants=tenants, keys=Keyring(tenants, KEY, "t"))


def bearing(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("im_a1_secret", "a1"),
        ("im_a1_sec_ret", "a1"),
        ("im_a1_", ""),
        ("im_a1", ""),
        ("im__secret", ""),
        ("sk-proj", ""),
        ("xm_a1_secret", ""),
        ("", ""),
    ],
)
def test_the_id_of_a_key(key: str, found: str) -> None:
    assert id_of(key) == found


def test_a_key_of_the_file_is_its_tenant_s(parts: Context) -> None:
    assert parts.keys.authenticate(bearing(KEYS["reads"])) == Caller("t", "reads", frozenset({"read"}))
    assert parts.keys.authenticate(bearing(KEYS["other"])).tenant == "other"
    assert parts.keys.authenticate({"authorization": f"bearer  {KEYS['both']} "}).key_id == "both"


def test_the_key_of_the_settings_still_opens_its_tenant(parts: Context) -> None:
    assert parts.keys.authenticate(bearing(KEY)) == Caller(
        "t", "test", frozenset({"read", "submit", "admin"})
    )


def test_where_the_file_has_the_id_of_the_settings_key_the_file_counts(tenants: Tenants) -> None:
    own = "im_reads_fedcba9876543210"
    keys = Keyring(tenants, own, "t")

    assert keys.authenticate(bearing(KEYS["reads"])).scopes == {"read"}
    with pytest.raises(Problem):
        keys.authenticate(bearing(own))


UNKNOWN = {
    "an unknown id": f"im_nobody_{SECRET}",
    "a wrong secret": "im_both_0123456789abcdee",
    "a secret too short": "im_both_0",
    "a wrong secret of one that is over": "im_over_0123456789abcdee",
    "no key's form": "both",
    "another's secret": f"im_reads_{SECRET}x",
    "letters of other tongues": "im_both_\u00fc\u00df",
}


async def test_unknown_ids_and_wrong_secrets_get_the_same_answer(http: httpx2.AsyncClient) -> None:
    answers = {
        why: await http.get("/v1/jobs/job_1", headers={b"authorization": f"Bearer {key}".encode("latin-1")})
        for why, key in UNKNOWN.items()
    }

    assert {answer.status_code for answer in answers.values()} == {401}
    assert {answer.json()["detail"] for answer in answers.values()} == {"this API key is not known"}
    assert len({(answer.content, str(answer.headers)) for answer in answers.values()}) == 1


async def test_that_it_has_expired_is_said_to_who_has_the_secret(http: httpx2.AsyncClient) -> None:
    over = await http.get("/v1/jobs/job_1", headers=bearing(KEYS["over"]))
    lasts = await http.get("/v1/jobs/job_1", headers=bearing(KEYS["lasts"]))

    assert over.status_code == 401
    assert "has expired" in over.json()["detail"]
    assert lasts.status_code == 404


@pytest.mark.parametrize("key", [KEY, KEYS["both"], *UNKNOWN.values()])
def test_one_comparison_is_made_of_digests_of_one_length_in_constant_time(
    parts: Context, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    try:
        parts.keys.authenticate(bearing(key))
    except Problem as problem:
        assert problem.kind.status == 401  # noqa: PT017 - which it is depends on the key

    [(sent, kept)] = compared
    assert (sent, len(kept)) == (hash_key(key), len(NOBODY))


async def test_a_revoked_key_opens_nothing_within_a_second(
    http: httpx2.AsyncClient, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tenants.path
    assert (await http.get("/v1/jobs/job_1", headers=bearing(KEYS["both"]))).status_code == 404
    tenants.path.write_text(entry("t", "reads", "read"))
    later = tenants._clock() + 1
    monkeypatch.setattr(tenants, "_clock", lambda: later)

    assert (await http.get("/v1/jobs/job_1", headers=bearing(KEYS["both"]))).status_code == 401
    assert (await http.get("/v1/jobs/job_1", headers=bearing(KEYS["reads"]))).status_code == 404


async def test_no_key_is_logged(
    http: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        for key in (*KEYS.values(), *list(UNKNOWN.values())[:3]):
            await http.get("/v1/jobs/job_1", headers=bearing(key))

    printed = capfd.readouterr()
    assert "/v1/jobs/job_1" in caplog.text  # the client's own lines: the net is not empty
    assert SECRET not in caplog.text + printed.out + printed.err


def test_the_service_wants_a_key_or_a_file(tenants: Tenants) -> None:
    none = ServiceSettings(api_key=None, admin_key=None, tenant="t")
    with pytest.raises(Misconfigured, match=r"IMAGEMILL_API_KEY: .*IMAGEMILL_TENANTS_FILE"):
        keyring(none, Tenants())

    assert keyring(none, tenants).authenticate(bearing(KEYS["both"])).tenant == "t"
    with pytest.raises(Problem):
        keyring(none, tenants).authenticate(bearing(KEY))
    one = ServiceSettings(api_key=SecretStr(KEY), admin_key=None, tenant="mine")
    assert keyring(one, Tenants()).authenticate(bearing(KEY)).tenant == "mine"


# --- scopes --------------------------------------------------------------------------------------

ALLOWED = {
    "reads": {"GET"},
    "submits": {"POST", "PATCH"},
    "both": {"GET", "POST", "PATCH"},
    "admins": set[str](),
}


@pytest.mark.parametrize(("name", "method"), list(itertools.product(ALLOWED, ("GET", "POST", "PATCH"))))
async def test_scopes_are_by_method(http: httpx2.AsyncClient, name: str, method: str) -> None:
    path = "/v1/jobs/job_1/cancel" if method == "POST" else "/v1/jobs/job_1"
    body = {"budget": {"limit_usd": "1.00"}} if method == "PATCH" else None
    answer = await http.request(method, path, json=body, headers=bearing(KEYS[name]))

    if method in ALLOWED[name]:
        assert answer.status_code == 404
        return
    scope = "read" if method == "GET" else "submit"
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert answer.json()["detail"].startswith(f"this takes a key with the scope {scope!r}; this key has: ")


async def test_a_key_that_may_not_submit_uploads_and_estimates_nothing(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    reads = bearing(KEYS["reads"])
    upload = await http.post("/v1/files", files={"file": ("a.csv", b"a")}, headers=reads)
    submit = await http.post("/v1/jobs?validate_only=true", json=BODY, headers=reads)

    assert (upload.status_code, submit.status_code) == (403, 403)
    assert (list(control.objects), engine.starts) == ([], [])


@pytest.mark.parametrize(("name", "status"), [("admins", 200), ("other", 200), ("both", 403), (None, 401)])
async def test_a_tenant_s_own_settings_take_the_scope_admin(
    parts: Context, name: str | None, status: int
) -> None:
    app = make_app(parts)

    @app.put("/own")
    async def own(whose: Annotated[str, Depends(admin_tenant)]) -> str:
        return whose

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://api") as http:
        answer = await http.put("/own", headers=bearing(KEYS[name]) if name else {})

    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"admins": "t", "other": "other"}[str(name)]


@pytest.mark.parametrize("name", list(KEYS))
async def test_no_tenant_s_key_is_the_operator_s(http: httpx2.AsyncClient, name: str) -> None:
    assert (await http.get("/v1/tenants/t/caps", headers=bearing(KEYS[name]))).status_code == 403


async def test_the_operator_s_key_is_no_tenant_s(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/v1/jobs/job_1", headers=bearing(ADMIN))).status_code == 401


def routes() -> Iterator[tuple[str, str]]:
    for path, operations in make_app().openapi()["paths"].items():
        for method in operations:
            if path.startswith("/v1"):
                yield method.upper(), filled(path)


@pytest.mark.parametrize(("method", "path"), list(routes()))
async def test_no_route_answers_without_a_key(http: httpx2.AsyncClient, method: str, path: str) -> None:
    answer = await http.request(method, path, headers={"authorization": ""})

    assert answer.status_code == 401


def test_a_caller_is_found_without_any_dependency(parts: Context) -> None:
    app = make_app(parts)
    headers = [(b"authorization", f"Bearer {KEYS['reads']}".encode())]
    request = Request({"type": "http", "app": app, "headers": headers, "method": "GET", "path": "/"})

    assert admit(request, "read").tenant == "t"
    with pytest.raises(Problem, match="submit"):
        admit(request, "submit")


# --- what belongs to others ----------------------------------------------------------------------


def same(one: httpx2.Response, other: httpx2.Response, mine: str, yours: str) -> bool:
    """Are both one answer, byte for byte, but for the ids that were asked for?"""
    said = one.content.replace(mine.encode(), yours.encode())
    return (one.status_code, said, one.headers.raw) == (other.status_code, other.content, other.headers.raw)


ASKED = [
    ("GET", ""),
    ("GET", "/items"),
    ("GET", "/items?state=failed&limit=1"),
    ("GET", "/results"),
    ("GET", "/report"),
    ("GET", "/report?items=true"),
    ("PATCH", ""),
    ("POST", "/resume"),
    ("POST", "/cancel"),
]


@pytest.mark.parametrize("state", ["running", "completed", "reported alone"])
@pytest.mark.parametrize("asked", ASKED)
async def test_another_s_job_is_none(
    http: httpx2.AsyncClient,
    engine: MemoryEngine,
    control: MemoryStore,
    asked: tuple[str, str],
    state: str,
) -> None:
    method, path = asked
    body = {"budget": {"limit_usd": "1.00"}} if method == "PATCH" else None
    summary = JobSummary(tenant="other", submitted_at=NOW, cap_nano=1)
    if state == "reported alone":
        await control.put(report_key("other", OTHERS), b"{}")
    else:
        engine.summaries[OTHERS] = summary.model_copy(update={"state": state})
    mine = bearing(KEYS["both"])
    others = await http.request(method, f"/v1/jobs/{OTHERS}{path}", json=body, headers=mine)
    nobodys = await http.request(method, f"/v1/jobs/{NOBODYS}{path}", json=body, headers=mine)

    assert others.status_code == 404
    assert same(others, nobodys, OTHERS, NOBODYS)
    assert (engine.cancelled, engine.resumed, engine.budgets) == ([], [], [])


@pytest.mark.parametrize(
    "body",
    [
        {"items": None, "manifest": {"file_id": "FILE", "format": "csv", "id": "a", "prompt": "b"}},
        {"items": [ITEM | {"images": ["FILE"], "mask": "FILE"}]},
        {"items": [ITEM | {"images": ["FILE"]}], "defaults": BODY["defaults"] | {"markup": "FILE"}},
    ],
)
async def test_another_s_file_is_none(
    http: httpx2.AsyncClient, control: MemoryStore, body: dict[str, object]
) -> None:
    await control.put(file_key("other", OTHERS_FILE), b"a,b\n")
    answers = [
        await http.post(
            "/v1/jobs",
            content=httpx2.Request("POST", "http://x", json=BODY | body).content.replace(
                b"FILE", name.encode()
            ),
            headers=bearing(KEYS["both"]) | {"content-type": "application/json"},
        )
        for name in (OTHERS_FILE, NOBODYS_FILE)
    ]

    assert answers[0].status_code == 422
    assert OTHERS_FILE in answers[0].text
    assert same(answers[0], answers[1], OTHERS_FILE, NOBODYS_FILE)


async def test_the_same_idempotency_key_of_another_is_another(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    said = {"idempotency-key": "one"}
    mine = await http.post("/v1/jobs", json=BODY, headers=bearing(KEYS["both"]) | said)
    others = await http.post("/v1/jobs", json=BODY, headers=bearing(KEYS["other"]) | said)

    assert (mine.status_code, others.status_code) == (202, 202)
    assert mine.json()["id"] != others.json()["id"]
    assert [start.place.tenant for start in engine.starts] == ["t", "other"]
