"""No spelling of an address leads the service into its own network: neither for images nor for events."""

import socket

import pytest

from imagemill.domain.errors import Refused
from imagemill.inputs.fetch import GuardedFetcher
from imagemill.inputs.reference import Rules
from imagemill.ports import Letter, Receipt
from imagemill.webhook_targets import TargetRules
from imagemill.webhooks.sender import GuardedSender

LETTER = Letter("evt_1", b"{}", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
ADDRESSES = [
    # loopback, private, link-local and what else is no public network
    "https://127.0.0.1/", "https://127.0.0.53/", "https://10.0.0.1/", "https://172.16.0.1/",
    "https://172.31.255.255/", "https://192.168.1.1/", "https://100.64.0.1/", "https://0.0.0.0/", "https://0/",
    "https://255.255.255.255/", "https://224.0.0.1/", "https://192.0.2.1/", "https://198.18.0.1/",
    "https://169.254.169.254/latest/meta-data/", "https://169.254.170.2/v2/credentials",
    # the same in version 6, and version 4 within it
    "https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[::ffff:169.254.169.254]/", "https://[::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/", "https://[2002:7f00:1::]/", "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/", "https://[fd00::1]/", "https://[fec0::1]/", "https://[ff02::1]/",
    "https://[fd00:ec2::254]/",
    # numbers in other clothes
    "https://2130706433/", "https://017700000001/", "https://0177.0.0.1/", "https://127.1/",
    "https://127.0.1/", "https://127.0.0.1./", "https://①②⑦.0.0.1/", "https://127。0。0。1/",
    "https://１２７.0.0.1/", "https://%31%32%37.0.0.1/",  # noqa: RUF001
    # a host that is not the one that it looks like
    "https://user:secret@example.com/", "https://example.com@127.0.0.1/", "https://127.0.0.1#@example.com/",
    "https://127.0.0.1\\@example.com/", "https://example.com\\@127.0.0.1/", "https:127.0.0.1/",
    "https:/\\127.0.0.1/", "https://", "https:///a.png", "HTTPS://127.0.0.1/",
    # other doors, other protocols
    "https://example.com:8443/", "https://example.com:22/", "https://example.com:0/",
    "https://example.com:99999/", "http://example.com/a.png", "gopher://example.com/", "file:///etc/passwd",
    "https://exa mple.com/", "https://example.com\r\nHost: x/",
]  # fmt: skip
NAMES = ["localhost", "LOCALHOST", "0x7f000001", "0x7f.0.0.1", "0x7f.1"]
"""What only the system's own resolver knows to be this machine."""


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_address_is_refused_before_anybody_looks_it_up_and_never_repeated(address: str) -> None:
    for problem in (Rules().problem(address), await TargetRules().problem("t", address)):
        assert problem
        assert len(address) < 10 or address not in problem


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_of_this_machine_is_refused_once_it_is_looked_up(name: str) -> None:
    address = f"https://{name}/"
    fetcher = GuardedFetcher(Rules(), seconds=5, most_bytes=10, resolver=socket.getaddrinfo)
    sender = GuardedSender(TargetRules().policy, seconds=5, at_once=1, resolver=socket.getaddrinfo)
    try:
        with pytest.raises(Refused, match="input_address_refused"):
            await fetcher.fetch(address)
        assert await sender.send(address, LETTER) == Receipt(problem="address_refused")
    finally:
        await fetcher.close()
        await sender.close()
