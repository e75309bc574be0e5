"""The operator's file of tenants: what it means, and that each of its faults is named and no key ever."""

import hashlib
from datetime import UTC, datetime

import pytest

from imagemill.domain.access import Caller, Roll
from imagemill.domain.errors import Misconfigured
from imagemill.domain.tenant import Caps
from imagemill.tenants_file import read_tenants

SECRET = "im_a1_0123456789abcdef"
HASH = hashlib.sha256(SECRET.encode()).hexdigest()
KEY = f'[[tenants.a.keys]]\nid = "a1"\nsha256 = "{HASH}"\nscopes = ["read"]\n'


def read(text: str) -> Roll:
    return read_tenants(text.encode(), "tenants.toml")


def faults(text: str) -> str:
    with pytest.raises(Misconfigured) as raised:
        read(text)
    said = str(raised.value)
    assert said.startswith("IMAGEMILL_TENANTS_FILE: tenants.toml: ")
    assert SECRET not in f"{said} {raised.value!r} {raised.value.__cause__!r}"
    assert HASH not in said
    return said.removeprefix("IMAGEMILL_TENANTS_FILE: tenants.toml: ")


def test_everything_that_a_file_can_say() -> None:
    roll = read(
        f"""
        [tenants.a]
        weight = 2.5
        requests_per_minute = 600
        pools = ["original", "reseller"]
        buckets = ["photos", "shared/a/"]
        webhook_hosts = ["Hooks.a.example", "*.b.example"]
        caps = {{ day_usd = "1.50", month_usd = "20", time_zone = "Europe/Berlin" }}

        {KEY}
        expires = 2027-01-31
        name = "nightly"

        [tenants.b.caps]
        month_usd = "3"

        [[tenants.b.keys]]
        id = "b1"
        sha256 = "{HASH.upper()}"
        scopes = ["submit", "admin"]
        expires = 2027-01-31T12:00:00+02:00
        """
    )
    a, b = roll.terms("a"), roll.terms("b")
    first, second = roll.key("a1"), roll.key("b1")

    assert first
    assert second
    assert (a.weight, a.requests_per_minute, a.pools) == (2.5, 600, ("original", "reseller"))
    assert (a.buckets, a.webhook_hosts) == (("photos", "shared/a"), ("hooks.a.example", "*.b.example"))
    assert a.caps
    assert a.caps.caps == Caps(day_nano=1_500_000_000, month_nano=20 * 10**9, time_zone="Europe/Berlin")
    assert a.keys[0].name == "nightly"
    assert first.digest == second.digest == bytes.fromhex(HASH)
    assert first.caller == Caller("a", "a1", frozenset({"read"}), 600)
    assert first.expires == datetime(2027, 1, 31, tzinfo=UTC)
    assert b.caps
    assert b.caps.caps == Caps(month_nano=3 * 10**9)
    assert second.caller == Caller("b", "b1", frozenset({"submit", "admin"}))
    assert second.expires == datetime(2027, 1, 31, 10, tzinfo=UTC)
    assert (b.pools, b.buckets, b.webhook_hosts, b.weight) == (None, None, None, None)
    assert roll.key("c1") is None
    assert HASH not in f"{a!r}{first!r}"


def test_a_tenant_that_is_not_named_may_do_what_it_may_without_a_file() -> None:
    terms = read("").terms("anybody")

    assert terms.may_call("hooks.example")
    assert (terms.caps, terms.pools, terms.buckets, terms.requests_per_minute) == (None, None, None, None)


@pytest.mark.parametrize(
    ("hosts", "host", "may"),
    [
        (["hooks.example"], "hooks.example", True),
        (["hooks.example"], "HOOKS.Example.", True),
        (["hooks.example"], "a.hooks.example", False),
        (["hooks.example"], "nothooks.example", False),
        (["*.hooks.example"], "a.hooks.example", True),
        (["*.hooks.example"], "a.b.hooks.example", True),
        (["*.hooks.example"], "hooks.example", False),
        (["*.hooks.example"], ".hooks.example", False),
        (["*.hooks.example"], "nothooks.example", False),
        (["other", "*.hooks.example"], "a.hooks.example", True),
        ([], "hooks.example", False),
    ],
)
def test_webhooks_go_to_the_hosts_that_are_named(hosts: list[str], host: str, may: bool) -> None:
    assert read(f"[tenants.a]\nwebhook_hosts = {hosts!r}").terms("a").may_call(host) is may


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tenants", "Expected ']' at the end of a table declaration (at end of document)"),
        ("tenants = 5", "tenants: must be tables, such as [tenants.shop-1]"),
        ("[tenant.a]", "tenant: unknown; the file has tenants alone"),
        ("[tenants]\na = 5", "tenants.a: must be a table"),
        ("[tenants.Acme]", "tenants.Acme: is no tenant; a name has small letters, digits and -"),
        ("[tenants.a]\nwieght = 2", "tenants.a.wieght: is no setting of this table"),
        ("[tenants.a]\nweight = 0", "tenants.a.weight: Input should be greater than or equal to 0.001"),
        ("[tenants.a]\nrequests_per_minute = 0", "tenants.a.requests_per_minute: Input should be greater"),
        ('[tenants.a]\npools = "one"', "tenants.a.pools: must be a list"),
        ("[tenants.a]\npools = []", "tenants.a.pools: must not be empty"),
        (
            '[tenants.a]\nbuckets = ["s3://x"]',
            "tenants.a.buckets.0: must be a bucket's name, or bucket/prefix",
        ),
        ('[tenants.a]\nbuckets = ["ok", "x//y"]', "tenants.a.buckets.1: must be a bucket's name"),
        ('[tenants.a]\nwebhook_hosts = ["https://x.y"]', "tenants.a.webhook_hosts.0: must be a host such as"),
        ('[tenants.a]\nwebhook_hosts = ["a.*.y"]', "tenants.a.webhook_hosts.0: must be a host such as"),
        ('[tenants.a]\nwebhook_hosts = ["*"]', "tenants.a.webhook_hosts.0: must be a host such as"),
        ("[tenants.a]\ncaps = 5", "tenants.a.caps: must be a table"),
        ("[tenants.a.caps]\nday_usd = 5.0", "tenants.a.caps.day_usd: must be US dollars in quotation marks"),
        ('[tenants.a.caps]\nday_usd = "0"', "tenants.a.caps.day_usd: must be above 0"),
        ('[tenants.a.caps]\nday_usd = "-1"', "tenants.a.caps.day_usd: "),
        ('[tenants.a.caps]\ntime_zone = "UTC"', "tenants.a.caps: needs day_usd or month_usd"),
        (
            '[tenants.a.caps]\nday_usd = "1"\ntime_zone = "Mars/Olympus"',
            "tenants.a.caps.time_zone: 'Mars/Olympus' is no time zone",
        ),
        (KEY.replace("[[", "[").replace("]]", "]"), "tenants.a.keys: must be a list"),
        (KEY.replace('id = "a1"\n', ""), "tenants.a.keys.0.id: is missing"),
        (KEY.replace('"a1"', '"a_1"'), "tenants.a.keys.0.id: String should match pattern"),
        (KEY.replace(HASH, SECRET), "tenants.a.keys.0.sha256: String should match pattern"),
        (KEY.replace("sha256", "key"), "tenants.a.keys.0.key: is no setting of this table"),
        (KEY.replace('["read"]', "[]"), "tenants.a.keys.0.scopes: must not be empty"),
        (
            KEY.replace("read", "write"),
            "tenants.a.keys.0.scopes.0: Input should be 'read', 'submit' or 'admin'",
        ),
        (KEY.replace('["read"]', '"read"'), "tenants.a.keys.0.scopes: must be a list"),
        (f"{KEY}expires = 2027", "tenants.a.keys.0.expires: must be a date such as 2027-01-31"),
        (f'{KEY}expires = "soon"', "tenants.a.keys.0.expires: Input should be a valid datetime"),
        (
            f"{KEY}{KEY.replace('tenants.a', 'tenants.b')}",
            "tenants.b.keys.0.id: tenants.a.keys.0 has this id already",
        ),
    ],
)
def test_each_fault_is_named_with_its_place(text: str, said: str) -> None:
    assert said in faults(text)


def test_all_faults_are_named_at_once() -> None:
    said = faults(f"[tenants.a]\nweight = 0\n{KEY.replace('read', 'x')}[tenants.b]\npools = 3\n[others]")

    places = ("others: ", "tenants.a.weight: ", "tenants.a.keys.0.scopes.0: ", "tenants.b.pools: ")
    assert [place for place in places if place not in said] == []


def test_what_is_no_text_is_said() -> None:
    with pytest.raises(Misconfigured, match=r"tenants\.toml: is no text in UTF-8"):
        read_tenants(b"\xff\xfe", "tenants.toml")
