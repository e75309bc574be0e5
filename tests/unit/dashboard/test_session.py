"""Who is logged in, for how long, and that nobody else can pretend to be."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import itsdangerous
import pytest
from fastapi import FastAPI

from api.app import make_app
from api.context import Context
from api.keys import hash_key
from dashboard.session import COOKIE, LASTS, Seals
from imagemill.domain.places import SIGNS_SESSIONS
from imagemill.tenants import Tenants
from tests.fakes.store import MemoryStore
from tests.unit.dashboard.browser import Browser
from tests.unit.dashboard.conftest import ADMIN, KEYS, SECRET, entry


async def test_who_is_not_logged_in_is_led_to_the_login_and_back(stranger: Browser) -> None:
    asked = await stranger.get("/jobs?state=held")
    login = await stranger.get(asked.headers["location"])
    back = await stranger.log_in(KEYS["both"], re.findall(r'name="next" value="([^"]*)"', login.text)[-1])

    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Fjobs%3Fstate%3Dheld")
    assert (back.status_code, back.headers["location"]) == (303, "/jobs?state=held")


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(stranger: Browser) -> None:
    answer = await stranger.log_in(KEYS["both"])
    secure = await stranger.http.post(
        "https://mill.example/login", data={"key": KEYS["both"]}, headers={"origin": "https://mill.example"}
    )

    said = answer.headers["set-cookie"].lower()
    assert said.startswith(f"{COOKIE}=")
    assert {"httponly", "samesite=strict", "path=/", f"max-age={LASTS}"} <= set(said.split("; "))
    assert "secure" not in said.split("; ")
    assert "secure" in secure.headers["set-cookie"].lower().split("; ")
    assert SECRET not in said


@pytest.mark.parametrize("key", ["", "nonsense", "im_both_0123456789abcdee", "x" * 100_000, "im_both_ü"])
async def test_a_wrong_key_is_told_so_on_the_page(stranger: Browser, key: str) -> None:
    answer = await stranger.log_in(key)

    assert answer.status_code in (401, 413)
    assert "set-cookie" not in answer.headers
    if answer.status_code == 401:
        assert 'aria-describedby="key-error"' in answer.text
        assert key not in answer.text or not key


async def test_a_key_that_may_not_look_does_not_open_it(stranger: Browser) -> None:
    answer = await stranger.log_in(KEYS["submits"])

    assert answer.status_code == 403
    assert "the scope &#39;read&#39;" in answer.text


async def test_after_ten_wrong_keys_an_address_has_to_wait(stranger: Browser) -> None:
    for _ in range(10):
        assert (await stranger.log_in("im_both_wrong")).status_code == 401

    answer = await stranger.log_in(KEYS["both"])
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_right_keys_are_not_counted(stranger: Browser) -> None:
    for _ in range(12):
        assert (await stranger.log_in(KEYS["both"])).status_code == 303


async def test_logging_out_forgets_the_session(browser: Browser) -> None:
    out = await browser.send("/logout")

    assert (out.status_code, out.headers["location"]) == (303, "/login")
    assert (await browser.get("/jobs")).headers["location"].startswith("/login")
    assert "You are logged out." in (await browser.get("/login")).text
    assert "You are logged out." not in (await browser.get("/login")).text


async def test_a_cookie_that_was_kept_is_worth_nothing_after_the_logout(browser: Browser) -> None:
    kept = {"cookie": f"{COOKIE}={browser.http.cookies[COOKIE]}"}
    await browser.send("/logout")
    browser.http.cookies.clear()
    assert (await browser.get("/jobs", headers=kept)).headers["location"].startswith("/login")

    await browser.log_in(KEYS["both"])
    assert (await browser.get("/jobs")).status_code == 200


# --- what a session is worth ---------------------------------------------------------------------


def forged(cookie: str) -> dict[str, str]:
    said = '{"key":"both","is":"' + "0" * 43 + '","id":"x"}'
    other = itsdangerous.URLSafeTimedSerializer(b"another secret", salt="session")
    return {
        "of another secret": other.dumps({"key": "both", "is": "", "id": "x"}),
        "unsigned": said,
        "cut off": cookie[:-1],
        "changed": ("A" if cookie[0] != "A" else "B") + cookie[1:],
        "empty": "",
        "odd": "…".encode().decode("latin-1"),
    }


async def test_a_forged_cookie_opens_nothing(browser: Browser) -> None:
    whole = browser.http.cookies[COOKIE]
    for why, cookie in forged(whole).items():
        browser.http.cookies.clear()
        answer = await browser.get("/jobs", headers={b"cookie": f"{COOKIE}={cookie}".encode("latin-1")})
        assert answer.status_code == 303, why
        assert answer.headers["location"].startswith("/login"), why


async def test_a_note_s_signature_makes_no_session(parts: Context) -> None:
    seals = Seals(b"secret")
    cookie = seals.open(parts, KEYS["both"])

    assert seals.read(parts, cookie)
    assert seals.read(parts, seals.note({"key": "both", "is": "", "id": "x"})) is None


def test_it_ends_after_twelve_hours(parts: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    seals = Seals(b"secret")
    cookie = seals.open(parts, KEYS["both"])
    signed = datetime.now(UTC).timestamp()
    at = itsdangerous.TimestampSigner.get_timestamp

    monkeypatch.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda _: int(signed) + LASTS - 5)
    assert seals.read(parts, cookie)
    monkeypatch.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda _: int(signed) + LASTS + 5)
    assert seals.read(parts, cookie) is None
    monkeypatch.setattr(itsdangerous.TimestampSigner, "get_timestamp", at)


@pytest.mark.parametrize(
    "now",
    [
        entry("t", "reads", "read"),
        entry("t", "both", "read submit", "expires = 2020-01-01\n"),
        entry("t", "both", "read submit").replace('sha256 = "', 'sha256 = "' + "0" * 64 + '"\n#'),
    ],
    ids=["revoked", "expired", "replaced"],
)
async def test_it_ends_with_its_key(
    browser: Browser, tenants: Tenants, monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    assert tenants.path
    assert (await browser.get("/nowhere")).text.count("data-csrf")
    tenants.path.write_text(now)
    later = tenants._clock() + 1
    monkeypatch.setattr(tenants, "_clock", lambda: later)

    assert (await browser.get("/jobs")).headers["location"].startswith("/login")


async def test_scopes_are_those_that_the_key_has_now(
    browser: Browser, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tenants.path
    tenants.path.write_text(entry("t", "both", "submit"))
    later = tenants._clock() + 1
    monkeypatch.setattr(tenants, "_clock", lambda: later)

    assert (await browser.get("/jobs")).status_code == 403


async def test_the_operator_s_session_is_bound_to_the_operator_s_key(parts: Context) -> None:
    seals = Seals(b"secret")
    cookie = seals.open(parts, ADMIN)
    session = seals.read(parts, cookie)

    assert session
    assert session.caller is None
    assert seals.read(replace(parts, admin_sha256=hash_key("im_boss_another")), cookie) is None
    assert seals.read(replace(parts, admin_sha256=None), cookie) is None


async def test_the_operator_sees_no_tenant_s_jobs(operator: Browser) -> None:
    answer = await operator.get("/jobs")

    assert (answer.status_code, (await operator.get("/")).headers["location"]) == (403, "/system")
    assert "operator" in answer.text


# --- the secret ----------------------------------------------------------------------------------


async def test_all_processes_sign_with_one_secret(app: FastAPI, parts: Context, control: MemoryStore) -> None:
    one, other = Browser(app), Browser(make_app(parts))
    await one.log_in(KEYS["both"])
    other.http.cookies.set(COOKIE, one.http.cookies[COOKIE], domain="mill.example")

    assert len(control.data(SIGNS_SESSIONS)) >= 32
    assert "data-csrf" in (await other.get("/nowhere")).text
    await one.http.aclose()
    await other.http.aclose()


async def test_while_the_store_is_away_that_is_said(stranger: Browser, control: MemoryStore) -> None:
    control.away = 10
    answer = await stranger.get("/jobs")

    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "retry-after" in answer.headers


async def test_requests_are_counted_as_those_of_the_api_are(
    stranger: Browser, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tenants.path
    tenants.path.write_text("[tenants.t]\nrequests_per_minute = 60\n" + entry("t", "both", "read"))
    later = tenants._clock() + 1
    monkeypatch.setattr(tenants, "_clock", lambda: later)
    await stranger.log_in(KEYS["both"])

    answers = [await stranger.get("/jobs") for _ in range(11)]
    assert answers[-1].status_code == 429
    assert answers[0].headers["ratelimit-policy"]
    assert "requests a minute" in answers[-1].text


@pytest.mark.parametrize(
    "next_", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\tx", ""]
)
async def test_a_login_leads_to_no_other_host(stranger: Browser, next_: str) -> None:
    page = await stranger.get("/login", params={"next": next_})
    answer = await stranger.log_in(KEYS["both"], next_)

    assert "evil" not in page.text
    assert answer.headers["location"] == "/"


async def test_a_link_of_another_site_finds_the_session_by_a_step_in_between(stranger: Browser) -> None:
    answer = await stranger.get("/jobs", headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
