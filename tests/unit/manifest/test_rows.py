import gzip
import tracemalloc
from pathlib import Path

import pytest

from imagemill.domain.errors import InvalidInput
from imagemill.domain.job import Encoding, Format
from imagemill.manifest import Row, check_head, read_rows, source


def rows(folder: Path, data: bytes, form: Format = "csv", encoding: Encoding = "auto") -> list[Row]:
    path = folder / "manifest"
    path.write_bytes(data)
    return list(read_rows(path, form, encoding))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|"])
def test_columns_are_told_by_the_header(tmp_path: Path, mark: bytes, delimiter: bytes) -> None:
    data = mark + delimiter.join([b"id", b"name"]) + b"\r\n" + delimiter.join([b"1", "Öl".encode()]) + b"\r\n"

    assert check_head(data, "csv") == ["id", "name"]
    assert rows(tmp_path, data) == [Row(2, {"id": "1", "name": "Öl"})]


def test_a_row_has_the_line_that_it_begins_on(tmp_path: Path) -> None:
    found = rows(tmp_path, b'id,text\n1,"two\nlines"\n\n2,one\n3\n4,x,y\n')

    assert [(row.line, row.values) for row in found if row.values] == [
        (2, {"id": "1", "text": "two\nlines"}),
        (5, {"id": "2", "text": "one"}),
    ]
    bad = [(row.line, row.problem) for row in found if not row.values]
    assert bad == [(6, "has 1 cells where the header has 2"), (7, "has 3 cells where the header has 2")]


@pytest.mark.parametrize(
    ("data", "form", "where", "says"),
    [
        (b"", "csv", "manifest", "empty"),
        (b" \n ", "jsonl", "manifest", "empty"),
        (b"PK\x03\x04", "csv", "manifest", "zip"),
        (b"\x1f\x8b\x09\0\0\0\0\0\0\0", "csv", "manifest", "gzip is cut off or damaged"),
        (b"\x89PNG\r\n", "jsonl", "manifest", "PNG"),
        (b"a\0b", "csv", "manifest", "zero bytes"),
        (b"a,b\n1,2\n3,\xe9xxxxx\n", "csv", "line 3", "UTF-8"),
        (b"a,b,a\n", "csv", "line 1", "'a'"),
        (b'{"a": 1}\n', "csv", "manifest", "JSON"),
        (b"a,b\n", "jsonl", "line 1", "not JSON"),
    ],
)
def test_a_file_that_is_none_says_what_it_looks_like(
    data: bytes, form: Format, where: str, says: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_head(data, form)
    [(place, what)] = caught.value.problems
    assert place == where
    assert says in what


def test_bad_lines_of_jsonl_are_rows_with_a_problem(tmp_path: Path) -> None:
    found = rows(tmp_path, b'{"a": 1}\n\n[1]\n{"a"\n' + b"[" * 100_000 + b'\n{"a": 2}\n', "jsonl")

    assert [(row.line, row.values) for row in found] == [
        (1, {"a": 1}),
        (3, None),
        (4, None),
        (5, None),
        (6, {"a": 2}),
    ]
    assert [row.problem for row in found if row.problem] == [
        "is JSON, but no object",
        "is not JSON",
        "has objects and lists in each other deeper than 64",
    ]


def test_a_file_that_is_no_text_further_on_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="UTF-8") as caught:
        rows(tmp_path, b"a\n" + b"1\n" * 100_000 + b"\xe9\n")
    [(place, what)] = caught.value.problems
    assert place == "line 100002"
    assert '"encoding": "windows-1252"' in what


# --- encodings -----------------------------------------------------------------------------------

TEXT = "id;name\n1;Öl § “5 €”\n2;椅子\n"
WESTERN = "id;name\n1;Öl § “5 €”\n"
FOUND = [Row(2, {"id": "1", "name": "Öl § “5 €”"}), Row(3, {"id": "2", "name": "椅子"})]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (b"", "utf-8"),
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
        (b"\xff\xfe\0\0", "utf-32-le"),
    ],
)
def test_every_encoding_with_a_mark_and_every_line_end(
    tmp_path: Path, mark: bytes, codec: str, end: str
) -> None:
    data = mark + TEXT.replace("\n", end).encode(codec)

    assert check_head(data, "csv") == ["id", "name"]
    assert rows(tmp_path, data) == FOUND
    if mark:  # which is never anything else, whatever was said
        assert rows(tmp_path, data, encoding="windows-1252") == FOUND


@pytest.mark.parametrize("packed", [False, True])
def test_windows_1252_where_it_is_said(tmp_path: Path, packed: bool) -> None:
    data = WESTERN.encode("windows-1252")
    data = gzip.compress(data) if packed else data

    assert check_head(data, "csv", "windows-1252") == ["id", "name"]
    assert rows(tmp_path, data, encoding="windows-1252") == FOUND[:1]
    with pytest.raises(InvalidInput) as caught:
        check_head(data, "csv")
    assert caught.value.problems[0][0] == "line 2"
    assert '"encoding": "windows-1252"' in caught.value.problems[0][1]


@pytest.mark.parametrize(
    ("data", "encoding", "line"),
    [
        (b"a\n\n\xe9b\n", "auto", 3),
        (b"a\r\n\r\n\xe9", "auto", 3),
        (b"a\r\r\xe9b", "auto", 3),
        ("a\n1\n".encode("utf-16") + b"\0\xd8a\0", "auto", 3),
        (b"\xfe\xff" + "a\n1\n".encode("utf-16-be") + b"\xd8\0\0a", "auto", 3),
        (b"a\n\x81\n", "windows-1252", 2),
    ],
)
def test_bytes_that_are_no_text_are_told_by_their_line(
    tmp_path: Path, data: bytes, encoding: Encoding, line: int
) -> None:
    with pytest.raises(InvalidInput) as read:
        rows(tmp_path, data, encoding=encoding)
    with pytest.raises(InvalidInput) as checked:
        check_head(data + b"\n" * 10, "csv", encoding)
    assert read.value.problems == checked.value.problems
    assert read.value.problems[0][0] == f"line {line}"


def test_jsonl_in_every_encoding(tmp_path: Path) -> None:
    text = '{"a": "椅"}\r\n\r\n{"a": 2}'
    for data in (
        text.encode(),
        text.encode("utf-8-sig"),
        text.encode("utf-16"),
        gzip.compress(text.encode()),
    ):
        assert check_head(data, "jsonl") is None
        assert rows(tmp_path, data, "jsonl") == [Row(1, {"a": "椅"}), Row(3, {"a": 2})]


# --- dialects ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"sep=;\r\nid;a,b,c\r\n1;2\r\n", [Row(3, {"id": "1", "a,b,c": "2"})]),
        (b"SEP=|\nid|x\n1|2\n", [Row(3, {"id": "1", "x": "2"})]),
        (b"sep=;,x\n1,2\n", [Row(2, {"sep=;": "1", "x": "2"})]),
        (b'id,t\n1,"a ""b"" c"\n', [Row(2, {"id": "1", "t": 'a "b" c'})]),
        (
            b'id,t\r1,"two\rlines"\r2,x',
            [Row(2, {"id": "1", "t": "two\rlines"}), Row(4, {"id": "2", "t": "x"})],
        ),
        (b'"i\nd",t\n1,2\n', [Row(3, {"i\nd": "1", "t": "2"})]),
        (b"id\n\xc2\xa0 1 \n", [Row(2, {"id": "\xa0 1 "})]),
    ],
)
def test_dialects_of_csv(tmp_path: Path, data: bytes, found: list[Row]) -> None:
    assert rows(tmp_path, data) == found


# --- gzip ----------------------------------------------------------------------------------------


def test_gzip_of_several_parts_is_one_file(tmp_path: Path) -> None:
    data = gzip.compress(b"id\n1\n") + gzip.compress(b"2\n")
    feed = gzip.compress(b"<rss><item><id>1</id>") + gzip.compress(b"</item></rss>")

    assert check_head(feed, "merchant-xml") is None
    assert len(rows(tmp_path, feed, "merchant-xml")) == 1
    assert [row.values for row in rows(tmp_path, data)] == [{"id": "1"}, {"id": "2"}]


def test_gzip_in_gzip_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not text but gzip"):
        check_head(gzip.compress(gzip.compress(b"id\n1\n")), "csv")


@pytest.mark.parametrize("end", [-8, -1])
def test_a_gzip_that_is_cut_off_ends_the_reading(tmp_path: Path, end: int) -> None:
    with pytest.raises(InvalidInput, match="cut off or damaged"):
        rows(tmp_path, gzip.compress(b"id\n1\n")[:end])


def test_a_gzip_bomb_is_stopped_by_its_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "FREE_BYTES", 100_000)
    honest = b"".join(b"%d,chair %d\n" % (n, n * 7919) for n in range(20_000))
    assert len(rows(tmp_path, gzip.compress(b"id,t\n" + honest))) == 20_000

    with pytest.raises(InvalidInput, match="200 times its size"):
        rows(tmp_path, gzip.compress(b"id\n" + b"1\n" * 1_000_000))


def test_a_gzip_bomb_is_stopped_by_what_it_unpacks_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MOST_UNPACKED", 200_000)
    with pytest.raises(InvalidInput, match="more than 200,000 bytes"):
        rows(tmp_path, gzip.compress(b"id\n" + b"1\n" * 200_000))


# --- rows that are too much ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (b"1," * 40, "has 41 cells where the header has 2"),
        (b"1," + b"x" * 600_000 + b"\n" + b'2,"' + b"x" * 1_000_001 + b'"', "field larger than field limit"),
        (b'1,"' + (b"x" * 80 + b"\n") * 30_000, "field larger than field limit"),
    ],
)
def test_csv_bombs(tmp_path: Path, row: bytes, says: str) -> None:
    try:
        said = [found.problem for found in rows(tmp_path, b"id,t\n" + row + b"\n3,ok\n") if found.problem]
    except InvalidInput as error:
        said = [error.problems[0][1]]
    assert says in str(said[0])


def test_a_row_that_never_ends_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    with path.open("wb") as file:
        file.write(b"id,t\n1,2\n")
        for _ in range(60):
            file.write(b"x," * 500_000)  # a line of 60 million characters
    found = read_rows(path, "csv")
    assert next(found).line == 2
    tracemalloc.start()
    with pytest.raises(InvalidInput) as caught:
        next(found)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.problems[0] == (
        "line 3",
        "the CSV can't be read on from here: the row has more than 16000000 characters",
    )
    assert peak < 60_000_000


def test_a_row_of_many_quoted_lines_is_not_held(tmp_path: Path) -> None:
    cell = b'"' + (b"x" * 98 + b"\n") * 9_000 + b'",'
    with pytest.raises(InvalidInput, match="more than 16000000 characters"):
        rows(tmp_path, b"id,t\n" + cell * 20)


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(InvalidInput, match="2001 columns; at most 2000"):
        check_head(b",".join(b"%d" % n for n in range(2001)) + b"\n", "csv")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"a": ' * 64 + "1" + "}" * 64, None),
        ('{"a": ' * 65 + "1" + "}" * 65, "deeper than 64"),
        ('{"a": ' + "[" * 400 + "]" * 400 + "}", "deeper than 64"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "deeper than 64"),
        ('{"a": [' + "[]," * 5_000 + "[]]}", None),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"\\udc00": 1}', "half a character"),
        ('{"a": "\\ud83d\\ude00"}', None),
        ('{"a": ' + "9" * 10_000 + "}", "is not JSON"),
        ('{"a": "' + "x" * 4_000_000 + '"}', "more than 4000000 characters"),
    ],
)
def test_jsonl_bombs_are_bad_rows(tmp_path: Path, line: str, problem: str | None) -> None:
    found = rows(tmp_path, f'{line}\n{{"b": 1}}\n'.encode(), "jsonl")

    assert (found[0].problem is None) is (problem is None)
    assert (problem or "") in (found[0].problem or "")
    assert found[1] == Row(2, {"b": 1})
