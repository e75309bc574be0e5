import sys

import pytest

from sandbox.stack.sockets import _address, is_loopback

pytestmark = pytest.mark.skipif(sys.byteorder == "big", reason="the samples are from a little-endian machine")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0100007F:1F90", ("127.0.0.1", 8080)),
        ("00000000:07E8", ("0.0.0.0", 2024)),
        ("00000000000000000000000001000000:0050", ("::1", 80)),
        ("00000000000000000000000000000000:0050", ("::", 80)),
    ],
)
def test_addresses_are_read_as_the_kernel_writes_them(text: str, address: tuple[str, int]) -> None:
    assert _address(text) == address


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("::", False)]
)
def test_only_this_machine_reaches_the_loopback_address(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
