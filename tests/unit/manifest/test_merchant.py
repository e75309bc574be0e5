import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from imagemill.domain.errors import InvalidInput
from imagemill.domain.job import Encoding
from imagemill.manifest import Row, check_head, read_rows

RSS = """<?xml version="1.0" encoding="{encoding}"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>
<title>Shop</title><link>https://shop.example</link>
{items}
</channel></rss>
"""
CHAIR = """<item>
<g:id>chair</g:id><title>plain</title><g:title>Chair &amp; <![CDATA[<table>]]></g:title>
<link>https://shop.example/chair</link>
<g:additional_image_link>https://shop.example/a.jpg</g:additional_image_link>
<g:additional_image_link>https://shop.example/b.jpg</g:additional_image_link>
<g:shipping><g:country>DE</g:country><g:price>5 EUR</g:price></g:shipping>
<g:shipping><g:country>FR</g:country></g:shipping>
<g:colour_note>ölig</g:colour_note>
</item>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:x="http://base.google.com/ns/1.0">
<title>Shop</title><link rel="self" href="https://shop.example/feed"/>
<entry><x:id>lamp</x:id><title>Lamp</title>
<link rel="edit" href="https://shop.example/edit"/><link href="https://shop.example/lamp"/></entry>
</feed>"""


def read(folder: Path, text: str | bytes, encoding: Encoding = "auto") -> list[Row]:
    path = folder / "feed.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_rows(path, "merchant-xml", encoding))


def values(row: Row) -> dict[str, Any]:
    assert row.values is not None, row.problem
    return row.values


def rss(items: str = CHAIR, encoding: str = "UTF-8") -> str:
    return RSS.format(items=items, encoding=encoding)


def test_an_item_of_rss(tmp_path: Path) -> None:
    [row] = read(tmp_path, rss())
    found = values(row)

    assert row.line == 4
    assert (found["id"], found["title"]) == ("chair", "Chair & <table>")
    assert found["additional_image_link"] == ["https://shop.example/a.jpg", "https://shop.example/b.jpg"]
    assert found["shipping"] == [{"country": "DE", "price": "5 EUR"}, {"country": "FR"}]
    assert (found["brand"], found["link"]) == ("", "https://shop.example/chair")


def test_an_entry_of_atom(tmp_path: Path) -> None:
    [row] = read(tmp_path, ATOM)
    found = values(row)
    assert (found["id"], found["title"], found["link"]) == ("lamp", "Lamp", "https://shop.example/lamp")
    assert found["additional_image_link"] == []


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "windows-1252"])
def test_the_encoding_that_xml_says(tmp_path: Path, encoding: str) -> None:
    data = rss(encoding=encoding).encode(encoding)
    assert values(read(tmp_path, data)[0])["colour_note"] == "ölig"
    assert check_head(data, "merchant-xml") is None


def test_the_encoding_that_is_said_wins_but_not_over_a_mark(tmp_path: Path) -> None:
    western = rss("<item><id>5 €</id></item>").encode("windows-1252")
    assert values(read(tmp_path, western, "windows-1252")[0])["id"] == "5 €"
    marked = rss("<item><id>5 €</id></item>").encode("utf-8-sig")
    assert values(read(tmp_path, marked, "windows-1252")[0])["id"] == "5 €"


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f'<!DOCTYPE rss [<!ENTITY l0 "lol">{LAUGHS}]><rss>&l9;</rss>', "document type"),
        ('<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss>&x;</rss>', "document type"),
        ('<!DOCTYPE rss SYSTEM "https://evil.example/rss.dtd"><rss/>', "document type"),
        ("<rss><item><id>&unknown;</id></item></rss>", "undefined entity"),
        ("<rss><item></rss>", "mismatched tag"),
        ("<rss><item>", "no element found"),
        ("<html><body/></html>", "is rss or feed, not 'html'"),
        ("<rss>" + "<a>" * 17, "deeper than 16"),
        ("<rss>" + "<a>" * 100_000, "deeper than 16"),
        ("<rss><!--" + "x" * 5_000_000 + "--></rss>", "more than 4000000 bytes"),
        ('<rss><a b="' + "x" * 5_000_000 + '"/></rss>', "more than 4000000 bytes"),
        ('<?xml version="1.0" encoding="utf-7"?><rss/>', "use UTF-8"),
        ('<?xml version="1.0" encoding="nonsense"?><rss/>', "use UTF-8"),
        ("<rss>\n\n\x01</rss>", "not well-formed"),
    ],
)
def test_xml_bombs_and_what_is_no_feed(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, text)
    [(place, what)] = caught.value.problems
    assert says in what
    assert place == ("line 3" if "\n\n" in text else "line 1")


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ("<item><id>" + "x" * 4_000_001 + "</id></item>", "more than 4000000 characters"),
        ("<item>" + "<a/>" * 2001 + "</item>", "more than 2000 tags"),
    ],
)
def test_an_item_that_is_too_much_is_a_bad_row(tmp_path: Path, item: str, says: str) -> None:
    bad, good = read(tmp_path, rss(item + CHAIR))
    assert says in str(bad.problem)
    assert values(good)["id"] == "chair"


def test_a_feed_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    with path.open("w") as file:
        before, after = rss("@").split("@")
        file.write(before)
        for number in range(40_000):
            file.write(f"<item><g:id>{number}</g:id><description>{'x' * 500}</description></item>\n")
        file.write(after)
    tracemalloc.start()
    count = sum(1 for _ in read_rows(path, "merchant-xml"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 40_000
    assert peak < 3_000_000


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"id,title\n", "syntax error"),
        (b" \n", "empty"),
        (b"<rss><chan", None),
        (b'<!DOCTYPE html><html lang="en">', "document type"),
    ],
)
def test_the_first_bytes_of_a_feed(head: bytes, says: str | None) -> None:
    if says is None:
        assert check_head(head + b" " * (256 * 1024 - len(head)), "merchant-xml") is None
        return
    with pytest.raises(InvalidInput, match=says):
        check_head(head, "merchant-xml")


# --- tables --------------------------------------------------------------------------------------


def test_a_table_s_names_are_normalised_and_twins_are_lists(tmp_path: Path) -> None:
    path = tmp_path / "feed.txt"
    path.write_text(
        "ID\tTitle\tg:image link\tAdditional-Image-Link\tshipping\tshipping\n"
        "a\tChair\thttps://x/1.jpg\thttps://x/2.jpg, https://x/3.jpg\tDE\tFR\n"
        "b\tLamp\t\t\t\tUS\nc\n"
    )
    chair, lamp, short = read_rows(path, "merchant-tsv")

    assert values(chair)["image_link"] == "https://x/1.jpg"
    assert values(chair)["additional_image_link"] == ["https://x/2.jpg", "https://x/3.jpg"]
    assert values(chair)["shipping"] == ["DE", "FR"]
    assert (values(lamp)["additional_image_link"], values(lamp)["shipping"]) == ([], "US")
    assert (values(lamp)["brand"], short.problem) == ("", "has 1 cells where the header has 6")
    columns = check_head(path.read_bytes(), "merchant-tsv") or []
    assert {"id", "image_link", "shipping", "additional_image_link", "gtin"} <= set(columns)


def test_a_table_without_ids_is_no_feed() -> None:
    with pytest.raises(InvalidInput, match="has a column 'id'; this file has 'sku'"):
        check_head(b"sku\ttitle\n", "merchant-tsv")
    with pytest.raises(InvalidInput, match="said to be merchant-tsv, but looks like XML"):
        check_head(rss().encode(), "merchant-tsv")
