from pathlib import Path

import pytest

from imagemill.domain.errors import InvalidInput
from imagemill.manifest import Format, Row, check_head, read_rows


def rows(folder: Path, data: bytes, form: Format = "csv") -> list[Row]:
    path = folder / "manifest"
    path.write_bytes(data)
    return list(read_rows(path, form))


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
        (b"\x1f\x8b\x08", "csv", "manifest", "gzip"),
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
        "is not JSON",
    ]


def test_a_file_that_is_no_text_further_on_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="UTF-8"):
        rows(tmp_path, b"a\n" + b"1\n" * 100_000 + b"\xe9\n")
