"""The main job: a catalog goes in, its images lie in the bucket, and the books agree with the provider's."""

import csv
from pathlib import Path

import pytest

from tests.acceptance.service import SMALL, Prompts, Service, check_pictures, nano

CATALOGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "catalogs"
SIZES = {"square": (816, 816), "banner": (1152, 576)}

needs_catalogs = pytest.mark.skipif(
    not CATALOGS.is_dir(), reason=f"the real catalogs are not beside the project ({CATALOGS.name}/)"
)


def rows(name: str) -> list[dict[str, str]]:
    with (CATALOGS / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@needs_catalogs
async def test_a_shop_export_becomes_a_square_and_a_banner_for_each_product(service: Service) -> None:
    file_id = await service.upload("apparel.csv", (CATALOGS / "shopify-apparel.csv").read_bytes())
    job = await service.submit(
        name="apparel",
        defaults=SMALL | {"output_format": "webp"},
        manifest={
            "file_id": file_id,
            "format": "csv",
            "id": "{{ row.Handle }}",
            "prompt": "Studio photo of {{ row.Title }}, {{ row.Type }}",
            "where": "{{ row.Title }}",
            "variants": [{"name": name, "size": f"{w}x{h}"} for name, (w, h) in SIZES.items()],
        },
    )
    products = [row for row in rows("shopify-apparel.csv") if row["Title"]]
    prompts: Prompts = {
        (row["Handle"], variant): f"Studio photo of {row['Title']}, {row['Type']}".strip()
        for row in products
        for variant in SIZES
    }

    status = await service.finished(job)
    results = await service.results(job)

    assert status["state"] == "completed"
    assert {(result["custom_id"], result["variant"]) for result in results} == set(prompts)
    for result in results:
        (image,) = result["images"]
        assert (image["width"], image["height"]) == SIZES[result["variant"]]
        assert image["format"] == "webp"
        assert image["key"].endswith(f"/{job}/{result['custom_id']}/{result['variant']}-1.webp")
    await check_pictures(service, results, prompts)
    assert nano(status["cost"]["settled_usd"]) == (await service.ledger(*prompts.values()))["nano"]


@needs_catalogs
async def test_a_thousand_rows_of_a_marketplace_are_bought_once_each(service: Service) -> None:
    file_id = await service.upload("marketplace.csv", (CATALOGS / "marketplace-1000.csv").read_bytes())
    job = await service.submit(
        name="marketplace",
        manifest={
            "file_id": file_id,
            "format": "csv",
            "id": "{{ row.id }}",
            "prompt": "{{ row.title }} #{{ row.id }}",
        },
    )
    prompts: Prompts = {
        (row["id"], None): f"{row['title']} #{row['id']}".strip() for row in rows("marketplace-1000.csv")
    }

    status = await service.finished(job, seconds=240)
    results = await service.results(job)
    ledger = await service.ledger(*prompts.values())

    assert status["state"] == "completed"
    assert status["items"]["succeeded"] == len(prompts) == 1000
    assert {(result["custom_id"], result["variant"]) for result in results} == set(prompts)
    assert [result["attempts"] for result in results if len(result["attempts"]) > 1] == []
    assert set(ledger["calls"].values()) == {1}
    assert nano(status["cost"]["settled_usd"]) == ledger["nano"]
    assert nano(status["cost"]["written_off_usd"]) == 0
    await check_pictures(service, results, prompts)


async def test_several_images_of_one_item_are_a_set_under_its_reservation(service: Service) -> None:
    prompt = "Three views of a brass kettle"
    job = await service.submit(items=[{"custom_id": "kettle", "prompt": prompt, "n": 3}])

    status = await service.finished(job)
    (result,) = await service.results(job)

    assert status["images"] == 3
    reservation = result["attempts"][0]["reservation"]
    names = [image["key"].rsplit("/", 1)[1] for image in result["images"]]
    assert names == [f"{number}.{reservation}.jpg" for number in (1, 2, 3)]
    await check_pictures(service, [result], {("kettle", None): prompt})
    assert nano(status["cost"]["settled_usd"]) == (await service.ledger(prompt))["nano"]
