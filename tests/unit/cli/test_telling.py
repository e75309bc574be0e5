"""What strangers wrote, on a terminal: it is shown, and does nothing."""

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cli.answers import InvalidRow, InvalidRows
from cli.errors import MARK, CliError, harmless, one_line
from cli.jobs.listing import HEAD, _row
from cli.show import row_words
from cli.tables import table
from cli.telling import facts, pour, tell, tell_list

FORGED = "mug\nsku-2  succeeded  $0.00\x1b[31m\x9b2J\u202e\u2028"


def test_names_begin_no_line_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    said = [*table(["Item"], [[FORGED]]), *facts([("Name", FORGED)])]
    tell({}, [FORGED.partition("\n")[2]], json=False)

    assert [len(line.splitlines()) for line in said] == [1, 1, 1]
    for text in (*said, capsys.readouterr().out.strip()):
        assert not set(text) & set("\x1b\x9b\u202e\u2028"), repr(text)


def test_a_bad_row_is_one_line() -> None:
    row = InvalidRow(line=None, custom_id=FORGED, detail="is bad")
    [line] = row_words(InvalidRows(count=1, first=[row]))
    assert len(line.splitlines()) == 1


def test_sentences_keep_their_lines() -> None:
    assert harmless("one\n  two\u202e") == f"one\n  two{MARK}"
    assert one_line("one\n\ttwo") == "one  two"


@pytest.mark.parametrize("entry", [{}, {"id": None}, {"id": "job_1", "items": 3}])
async def test_what_is_listed_is_what_it_should_be(entry: dict[str, Any]) -> None:
    async def entries() -> AsyncIterator[dict[str, Any]]:
        yield entry

    with pytest.raises(CliError, match="not what Imagemill lists"):
        await tell_list(entries(), HEAD, _row, json=False, text=2, none="There are none.")


@pytest.mark.parametrize("terminal", [True, False])
async def test_a_long_answer_steers_no_terminal_and_comes_whole_elsewhere(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    class Out(io.TextIOWrapper):
        def isatty(self) -> bool:
            return terminal

    async def pieces() -> AsyncIterator[bytes]:
        yield "ü\x1b[31m\r\n\x9b2J".encode()[:1]
        yield "ü\x1b[31m\r\n\x9b2J".encode()[1:]

    monkeypatch.setattr("sys.stdout", Out(raw := io.BytesIO(), encoding="utf-8"))
    await pour(pieces())

    assert raw.getvalue().decode() == (f"ü{MARK}[31m\n{MARK}2J" if terminal else "ü\x1b[31m\r\n\x9b2J")
