"""A shop's product export, as Shopify's CSV format has it, and what is asked for each product."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).with_name("products.csv")
SKU = "{{ row['Variant SKU'] }}"
WHERE = "{{ row.Title }}"
"""Only the first row of a product has its title; the rows below are its other colors and sizes."""

PROMPT = (
    "{{ row.Title }} by {{ row.Vendor }}, {{ row['Option1 Value'] }}. Product photo in soft daylight. "
    "{{ row['Body (HTML)'] | strip_html | truncate: 120 }}"
)
VARIANTS = (("square", "1024x1024"), ("banner", "1536x1024"))
MODEL = "gpt-image-2.5-flare"
LIMIT_USD = "3.00"


@dataclass(frozen=True, slots=True)
class Product:
    """One product of the export.

    Attributes:
        sku: that of its first variant.
        title: as shown in the shop.
        vendor: who makes it.
        rows: how many rows it takes, one a variant.
    """

    sku: str
    title: str
    vendor: str
    rows: int


def products() -> list[Product]:
    """The products of the export, in its order."""
    with MANIFEST.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    handles = [row["Handle"] for row in rows]
    return [
        Product(row["Variant SKU"], row["Title"], row["Vendor"], handles.count(row["Handle"]))
        for row in rows
        if row["Title"]
    ]


def submission(file_id: str) -> dict[str, Any]:
    """The job: two pictures of each product, under a cap."""
    return {
        "name": "Shop catalog",
        "defaults": {"model": MODEL, "quality": "medium", "output_format": "png"},
        "manifest": {
            "file_id": file_id,
            "format": "csv",
            "id": SKU,
            "prompt": PROMPT,
            "where": WHERE,
            "variants": [{"name": name, "size": size} for name, size in VARIANTS],
        },
        "budget": {"limit_usd": LIMIT_USD},
    }
