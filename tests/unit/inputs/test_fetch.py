import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ssrfguard import Policy

from imagemill.domain.errors import NotSent, Refused
from imagemill.inputs.fetch import GuardedFetcher, Resolver
from imagemill.inputs.reference import Rules
from tests.unit.inputs.pictures import image
from tests.unit.inputs.site import Names, Site, open_site

MOST = 10_000
SECRET = "sig=very-secret"


@dataclass(frozen=True)
class Nearby(Rules):
    """Allows one address of loopback, so that others can stand for a private network."""

    @property
    def policy(self) -> Policy:
        return Policy(
            max_redirects=3,
            allowed_networks=("127.0.0.1/32",),  # type: ignore[arg-type]
            allowed_ports=frozenset(range(1, 65536)),
        )


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


async def fetch(
    url: str, rules: Rules | None = None, *, resolver: Resolver | None = None, seconds: float = 20
) -> bytes:
    fetcher = GuardedFetcher(rules or Nearby(), seconds=seconds, most_bytes=MOST, resolver=resolver)
    try:
        return await fetcher.fetch(url)
    finally:
        await fetcher.close()


# --- nothing of this opens a socket --------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]"],
)
async def test_a_private_address_is_refused_even_if_nobody_looked_before(host: str) -> None:
    with pytest.raises(Refused, match="input_address_refused"):
        await fetch(f"https://{host}/a?{SECRET}", Rules())


@pytest.mark.parametrize("host", ["0x7f.0.0.1", "0177.0.0.1", "2130706433", "127.1"])
async def test_a_host_in_disguise_is_refused(host: str) -> None:
    with pytest.raises(Refused, match="input_address_refused"):
        await fetch(f"https://{host}/", Rules(), resolver=socket.getaddrinfo)


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["::ffff:169.254.169.254"],
        ["64:ff9b::a9fe:a9fe"],
        ["fd00::1"],
        ["93.184.216.34", "10.0.0.1"],
    ],
)
async def test_a_name_that_leads_into_a_private_network_is_refused(answer: list[str]) -> None:
    names = Names(answer)
    with pytest.raises(Refused, match="input_address_refused"):
        await fetch("https://images.example/a.png", Rules(), resolver=names)
    assert names.asked == ["images.example"]


@pytest.mark.parametrize(
    "url",
    ["http://images.example/a", "https://u:p@images.example/a", "https://images.example:22/a", "ftp://a/b"],
)
async def test_an_address_is_judged_before_its_name_is_looked_up(url: str) -> None:
    names = Names(["93.184.216.34"])
    with pytest.raises(Refused, match="input_address_refused"):
        await fetch(url, Rules(), resolver=names)
    assert names.asked == []


async def test_a_name_that_does_not_resolve_may_do_so_later() -> None:
    def nowhere(*_: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    with pytest.raises(NotSent, match="input_unreachable"):
        await fetch("https://images.example/a.png", Rules(), resolver=nowhere)


# --- what a site answers -------------------------------------------------------------------------


@pytest.mark.sockets
async def test_the_bytes_are_fetched_without_telling_who_we_are(site: Site) -> None:
    site.answer("/a.png?sig=1", image(), set_cookie="who=you; Path=/")
    fetcher = GuardedFetcher(Nearby(), seconds=20, most_bytes=MOST)

    for _ in range(2):
        assert await fetcher.fetch(site.url("/a.png?sig=1")) == image()
    await fetcher.close()

    assert "accept-encoding: identity" in site.headers
    assert not [line for line in site.headers if line.startswith(("cookie", "authorization", "referer"))]


@pytest.mark.sockets
async def test_redirects_are_followed_three_times(site: Site) -> None:
    site.answer("/0", image())
    for number in range(1, 5):
        site.redirect(f"/{number}", f"/{number - 1}")

    assert await fetch(site.url("/3")) == image()
    with pytest.raises(Refused, match="input_address_refused"):
        await fetch(site.url("/4"))


@pytest.mark.sockets
@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.2/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "http://user:secret@127.0.0.1/",
        "http://inside.example/",
    ],
)
async def test_a_redirect_into_a_private_network_is_refused(site: Site, to: str) -> None:
    site.redirect("/a", to)
    with pytest.raises(Refused, match="input_address_refused"):
        await fetch(site.url("/a"), resolver=Names(["10.0.0.7"]))
    assert site.asked == ["/a"]


@pytest.mark.sockets
async def test_a_name_that_changes_its_answer_is_asked_once_a_connection(site: Site) -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    site.answer("/a", image())

    assert await fetch(site.url("/a", "moving.example"), resolver=names) == image()
    assert names.asked == ["moving.example"]


@pytest.mark.sockets
async def test_a_name_that_changes_its_answer_before_a_redirect_is_refused(site: Site) -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    site.redirect("/a", site.url("/b", "moving.example"))
    site.answer("/b", image())

    with pytest.raises(Refused, match="input_address_refused"):
        await fetch(site.url("/a", "moving.example"), resolver=names)
    assert site.asked == ["/a"]
    assert names.asked == ["moving.example"] * 2


@pytest.mark.sockets
@pytest.mark.parametrize("status", [429, 408, 500, 502, 503, 524])
async def test_what_may_come_later_is_tried_again(site: Site, status: int) -> None:
    site.answer("/a", b"wait", status=status)
    with pytest.raises(NotSent, match="input_unreachable"):
        await fetch(site.url("/a"))


@pytest.mark.sockets
@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410])
async def test_what_is_not_there_is_refused(site: Site, status: int) -> None:
    site.answer("/a", status=status)
    with pytest.raises(Refused, match="input_missing"):
        await fetch(site.url("/a"))


@pytest.mark.sockets
@pytest.mark.parametrize("length", ["", str(MOST), "9" * 15])
async def test_reading_ends_at_the_limit_whatever_was_said(site: Site, length: str) -> None:
    site.answer("/a", bytes(MOST), content_length=length)
    with pytest.raises(Refused, match="input_too_large"):
        await fetch(site.url("/a"))

    site.answer("/a", bytes(MOST - 1), content_length="")
    assert len(await fetch(site.url("/a"))) == MOST - 1


@pytest.mark.sockets
async def test_a_file_is_written_as_it_comes_up_to_the_same_limit(site: Site, tmp_path: Path) -> None:
    site.answer("/feed.csv", b"id,text\n", etag='"1"')
    site.answer("/large.csv", bytes(MOST), content_length="")
    site.redirect("/inside", "http://10.0.0.1/")
    fetcher = GuardedFetcher(Nearby(), seconds=20, most_bytes=MOST, accept="*/*")
    target = tmp_path / "feed"
    try:
        head = await fetcher.download(site.url("/feed.csv"), target)
        assert (target.read_bytes(), head["etag"]) == (b"id,text\n", '"1"')
        assert "accept: */*" in site.headers
        for path, code in (("/large.csv", "input_too_large"), ("/inside", "input_address_refused")):
            with pytest.raises(Refused, match=code):
                await fetcher.download(site.url(path), target)
    finally:
        await fetcher.close()


@pytest.mark.sockets
async def test_what_may_take_long_must_begin_soon(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagemill.inputs.fetch.BEGIN_SECONDS", 0.2)
    fetcher = GuardedFetcher(Nearby(), seconds=900, most_bytes=MOST)
    with pytest.raises(NotSent, match="input_unreachable"):
        await fetcher.download(site.url("/silent"), tmp_path / "feed")
    await fetcher.close()


@pytest.mark.sockets
async def test_compressed_answers_are_not_unpacked(site: Site) -> None:
    site.answer("/a", b"\x1f\x8b", content_encoding="gzip")
    with pytest.raises(Refused, match="input_not_an_image"):
        await fetch(site.url("/a"))


@pytest.mark.sockets
async def test_who_is_silent_or_breaks_off_may_answer_later(site: Site) -> None:
    with pytest.raises(NotSent, match="input_unreachable"):
        await fetch(site.url("/silent"), seconds=0.2)

    site.answer("/short", b"abc", content_length="100")
    site.answers["/nonsense"] = b"no HTTP at all\r\n\r\n"
    for path in ("/short", "/nonsense"):
        with pytest.raises(NotSent, match="input_unreachable"):
            await fetch(site.url(path))

    with pytest.raises(NotSent, match="input_unreachable"):
        await fetch("http://127.0.0.1:1/nobody")


@pytest.mark.sockets
async def test_no_address_gets_into_the_log_or_a_message(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.answer(f"/a?{SECRET}", image())
    site.redirect(f"/b?{SECRET}", f"http://10.0.0.1/?{SECRET}")

    await fetch(site.url(f"/a?{SECRET}"))
    with pytest.raises(Refused) as refused:
        await fetch(site.url(f"/b?{SECRET}"))

    assert SECRET not in caplog.text + str(refused.value)
    assert refused.value.__suppress_context__
