"""What all pages have: who may send forms, what a browser may load, and how failures look."""

import re

import httpx2
import pytest
from fastapi import FastAPI, Request

from api.app import make_app
from api.context import Context
from api.headers import ALWAYS
from dashboard.assets import FILES, VERSION
from dashboard.pages import CSP
from tests.fakes.store import MemoryStore
from tests.unit.dashboard.browser import HOST, Browser
from tests.unit.dashboard.conftest import KEYS

PAGES = ("/login", "/jobs", "/nowhere", "/static/0/x.css")


# --- forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("csrf", ["", "wrong", "ü"])
async def test_a_form_without_the_session_s_word_is_refused(browser: Browser, csrf: str) -> None:
    answer = await browser.send("/logout", csrf=csrf)

    assert answer.status_code == 403
    assert "not of your session" in answer.text
    assert (await browser.get("/jobs")).status_code == 200


async def test_the_word_of_another_session_is_refused(browser: Browser, reader: Browser) -> None:
    assert (await browser.send("/logout", csrf=await reader.word())).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://mill.example.evil.example"},
        {"origin": "http://mill.example:81"},
        {"sec-fetch-site": "cross-site"},
        {},
    ],
)
@pytest.mark.parametrize("path", ["/logout", "/login", "/theme"])
async def test_a_form_of_another_site_is_refused(
    browser: Browser, path: str, headers: dict[str, str]
) -> None:
    form = {"csrf": await browser.word(), "key": KEYS["both"], "theme": "dark"}
    answer = await browser.http.post(path, data=form, headers=headers)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_script_says_the_word_in_a_header(browser: Browser) -> None:
    headers = {"origin": HOST, "x-csrf-token": await browser.word()}
    wrong = await browser.http.post("/logout", headers=headers | {"x-csrf-token": "wrong"})
    right = await browser.http.post("/logout", headers=headers)

    assert (wrong.status_code, right.status_code) == (403, 303)


# --- what a browser may do with a page -----------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_says_what_it_may_load(browser: Browser, stranger: Browser, path: str) -> None:
    answer = await browser.get(path)
    if path == "/login":
        await browser.send("/logout")
        answer = await browser.get(path)

    assert answer.headers.get_list("content-security-policy") == [CSP]
    assert answer.headers["referrer-policy"] == "same-origin"
    rest = {
        name: value
        for name, value in ALWAYS.items()
        if name not in ("content-security-policy", "referrer-policy")
    }
    assert {name: answer.headers[name] for name in rest} == rest
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_inline_and_nothing_comes_from_elsewhere(browser: Browser, path: str) -> None:
    text = (await browser.get(path)).text

    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert all(
        address.startswith(("/", "#")) for address in re.findall(r'(?:src|href|action)="([^"]*)"', text)
    )


def test_styles_and_scripts_load_nothing_from_elsewhere() -> None:
    for name, data in FILES.items():
        if name.endswith((".css", ".js")):
            assert not re.search(rb"https?://|url\(|@import|eval\(", data), name


async def test_static_files_are_kept_for_good(stranger: Browser) -> None:
    for name in FILES:
        answer = await stranger.get(f"/static/{VERSION}/{name}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await stranger.get("/static/000000000000/dashboard.css")).status_code == 404
    assert (await stranger.get(f"/static/{VERSION}/..%2f..%2fpages.py")).status_code == 404


async def test_the_theme_is_kept(stranger: Browser) -> None:
    await stranger.http.post("/theme", data={"theme": "dark", "next": "/login"}, headers={"origin": HOST})
    assert '<html lang="en" data-theme="dark">' in (await stranger.get("/login")).text
    await stranger.http.post("/theme", data={"theme": "<script>"}, headers={"origin": HOST})
    assert '<html lang="en">' in (await stranger.get("/login")).text


# --- failures ------------------------------------------------------------------------------------


async def test_what_is_not_there_is_a_page_for_a_person_and_a_document_for_a_program(
    browser: Browser, app: FastAPI
) -> None:
    page = await browser.get("/nowhere")
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=HOST) as program:
        told = await program.get("/nowhere")
        root = await program.get("/")
    api = await browser.get("/v1/nowhere")

    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>There is no such thing</h1>" in page.text
    assert 'aria-label="Pages"' in page.text
    for answer in (told, root, api):
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert answer.headers["content-security-policy"] == ALWAYS["content-security-policy"]


async def test_a_mistake_of_ours_is_a_page_too(parts: Context) -> None:
    app = make_app(parts)

    @app.get("/broken")
    async def broken(request: Request) -> None:
        raise ZeroDivisionError

    broken.__module__ = "dashboard.broken"
    answer = await Browser(app).get("/broken")

    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_even_while_the_store_is_away_a_failure_is_a_page(
    stranger: Browser, control: MemoryStore
) -> None:
    control.away = 100
    answer = await stranger.get("/nowhere")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


async def test_a_person_s_way_in(browser: Browser) -> None:
    assert (await browser.get("/")).headers["location"] == "/jobs"


async def test_what_a_script_asks_for_without_a_session_is_a_plain_refusal(stranger: Browser) -> None:
    answer = await stranger.get("/jobs", headers={"accept": "*/*"})

    assert answer.status_code == 401
