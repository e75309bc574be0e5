import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagemill.domain.errors import InvalidInput
from imagemill.domain.job import Format
from imagemill.manifest import Row, check_head, read_rows, shopify

CATALOGS = Path(__file__).resolve().parents[4] / "shared" / "data" / "catalogs"
needs_catalogs = pytest.mark.skipif(
    not CATALOGS.is_dir(), reason="the real catalogs are not beside the project"
)
EXPORTS = ("shopify-apparel.csv", "shopify-home-and-garden.csv", "shopify-jewelery.csv")

HEADER = (
    "Handle,Title,Body (HTML),Option1 Name,Option1 Value,Option2 Name,Option2 Value,"
    "Variant SKU,Variant Price,Image Src,Image Position"
)
SHIRT = """\
shirt,Shirt,<p>Blue</p>,Size,S,Color,Red,SKU-1,10,https://shop.example/2.jpg,2
shirt,,,,M,,Blue,SKU-2,12,https://shop.example/1.jpg,1
shirt,,,,,,,,,https://shop.example/3.jpg,3
"""
MUG = "mug,Mug,,Title,Default Title,,,,5,,\n"


def read(folder: Path, rows: str, form: Format = "shopify-products", header: str = HEADER) -> list[Row]:
    path = folder / "export.csv"
    path.write_text(f"{header}\n{rows}")
    return list(read_rows(path, form))


def values(row: Row) -> dict[str, Any]:
    assert row.values is not None, row.problem
    return row.values


def test_rows_of_one_handle_are_a_product(tmp_path: Path) -> None:
    shirt, mug = read(tmp_path, SHIRT + MUG)

    assert (shirt.line, mug.line) == (2, 5)
    assert (values(shirt)["Title"], values(shirt)["Vendor"]) == ("Shirt", "")
    assert values(shirt)["images"] == [f"https://shop.example/{n}.jpg" for n in (1, 2, 3)]
    told = [(v["Option1 Name"], v["Option1 Value"], v["Variant SKU"]) for v in values(shirt)["variants"]]
    assert told == [("Size", "S", "SKU-1"), ("Size", "M", "SKU-2")]
    assert values(mug)["images"] == []
    assert [v["Variant Price"] for v in values(mug)["variants"]] == ["5"]


def test_a_variant_has_the_columns_of_its_product_where_it_has_none_of_its_own(tmp_path: Path) -> None:
    small, medium, mug = read(tmp_path, SHIRT + MUG, "shopify-variants")

    assert [row.line for row in (small, medium, mug)] == [2, 3, 5]
    assert (values(medium)["Title"], values(medium)["Body (HTML)"]) == ("Shirt", "<p>Blue</p>")
    assert [values(row)["options"] for row in (small, medium, mug)] == [["S", "Red"], ["M", "Blue"], []]
    assert values(medium)["images"] == values(small)["images"]
    assert len(values(small)["images"]) == 3


def test_what_a_variant_leaves_empty_is_not_the_first_ones(tmp_path: Path) -> None:
    rows = "a,A,,Size,S,,,SKU-1,1,,\na,,,,M,,,,2,,\n"
    assert [values(row)["Variant SKU"] for row in read(tmp_path, rows, "shopify-variants")] == ["SKU-1", ""]


@pytest.mark.parametrize("form", ["shopify-products", "shopify-variants"])
def test_a_handle_that_comes_back_is_an_error_of_that_row(tmp_path: Path, form: Format) -> None:
    found = read(tmp_path, f"{MUG}bowl,Bowl,,,,,,,,,\n{MUG}{MUG},x,,,,,,,,,\nshort\n{SHIRT}", form)

    bad = [(row.line, str(row.problem)) for row in found if row.problem]
    assert [line for line, _ in bad] == [4, 6, 7] or [line for line, _ in bad] == [6, 7, 4]
    problems = dict(bad)
    assert problems[4].startswith("the product 'mug' was listed before, on line 2")
    assert problems[6] == "the Handle is empty"
    assert problems[7] == "has 1 cells where the header has 11"
    assert {row.values["Handle"] for row in found if row.values} == {"mug", "bowl", "shirt"}


def test_a_product_of_too_many_characters_is_one_bad_row(tmp_path: Path) -> None:
    long = "big,Big,," + "x" * 900_000 + ",S,,,,,,\n"
    found = read(tmp_path, long * 6 + MUG)
    assert [(row.line, row.problem and "more than 4000000" in row.problem) for row in found] == [
        (2, True),
        (8, None),
    ]


def test_products_are_streamed() -> None:
    taken = 0

    def rows() -> Iterator[Row]:
        nonlocal taken
        for number in range(1_000_000):
            taken += 1
            yield Row(number, {"Handle": f"p-{number // 2}"})

    found = shopify.products(rows())
    for _ in range(10):
        next(found)
    assert taken <= 22


@pytest.mark.parametrize("form", ["shopify-products", "shopify-variants"])
def test_what_is_no_export_is_refused_at_once(form: Format) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_head(b"sku,name\n1,2\n", form)
    [(place, what)] = caught.value.problems
    assert place == "line 1"
    assert "'Handle'; this file has 'sku', 'name'" in what


def test_templates_see_the_columns_that_are_added() -> None:
    head = HEADER.encode() + b"\n"
    assert {"images", "variants", "Vendor", "Variant Price"} <= set(
        check_head(head, "shopify-products") or []
    )
    assert {"images", "options", "Tags"} <= set(check_head(head, "shopify-variants") or [])


@needs_catalogs
@pytest.mark.parametrize("name", EXPORTS)
def test_real_exports(name: str) -> None:
    path = CATALOGS / name
    text = path.read_text(encoding="utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    handles = list(dict.fromkeys(line["Handle"] for line in lines))
    products = list(read_rows(path, "shopify-products"))
    variants = list(read_rows(path, "shopify-variants"))

    assert [values(row)["Handle"] for row in products] == handles
    assert all(values(row)["Title"] for row in [*products, *variants])
    assert len(variants) == sum(bool(line["Option1 Value"]) for line in lines)
    assert len(variants) == sum(len(values(row)["variants"]) for row in products)
    images = {line["Image Src"] for line in lines} - {""}
    assert {image for row in products for image in values(row)["images"]} == images
    assert check_head(path.read_bytes(), "shopify-products")
