import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.money import LARGEST_NANO, format_usd, parse_usd


@given(st.integers(0, LARGEST_NANO))
def test_a_sum_is_read_back_as_it_was_written(nano: int) -> None:
    text = format_usd(nano)

    assert parse_usd(text) == nano
    assert len(text.partition(".")[2]) >= 2
    assert "e" not in text.lower()


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0.00"),
        (1, "0.000000001"),
        (25_000_000_000, "25.00"),
        (1_230_000_000, "1.23"),
        (-5_500_000_000, "-5.50"),
    ],
)
def test_a_sum_is_written_exactly(nano: int, text: str) -> None:
    assert format_usd(nano) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a decimal number"),
        ("ten", "not a decimal number"),
        ("1,50", "not a decimal number"),
        ("$5", "not a decimal number"),
        ("NaN", "finite"),
        ("Infinity", "finite"),
        ("-1", "negative"),
        ("0.0000000001", "finer"),
        ("1000000000.01", "billion"),
        ("1e30", "billion"),
        ("1e999999", "billion"),
        (f"1.{'0' * 28}1", "finer"),
    ],
)
def test_what_is_no_sum_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_usd(text)


def test_the_largest_sum_is_taken() -> None:
    assert parse_usd("1000000000") == LARGEST_NANO
