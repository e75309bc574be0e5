"""A feed that comes every day: the provider's ledger shows the rows that changed, and no others."""

import uuid
from pathlib import Path
from typing import Any

import boto3

from cli.client import Client
from cli.download import Download
from cli.downloads import Downloads
from cli.service import Service as At
from tests.acceptance.service import Json, Prompts, Service, check_pictures, nano

ROWS = 120
CHANGED = (3, 77)
SCENE = "in a studio"


class Feed:
    """A feed of one test's own, as its owner exports it each day."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex[:8]
        self.titles = {f"sku-{n}": f"{self.mark} chair {n}" for n in range(ROWS)}

    def change(self, *rows: int) -> list[str]:
        """Change some rows; answers their prompts."""
        for n in rows:
            self.titles[f"sku-{n}"] += " with arms"
        return [self.prompt(f"sku-{n}") for n in rows]

    def prompt(self, sku: str) -> str:
        return f"{self.titles[sku]} {SCENE}"

    @property
    def prompts(self) -> list[str]:
        return [self.prompt(sku) for sku in self.titles]

    @property
    def data(self) -> bytes:
        lines = [f"{sku},{title}\n" for sku, title in self.titles.items()]
        return "".join(["sku,title\n", *lines]).encode()

    def submission(self, source: Json, **said: Any) -> Json:
        templates = {"id": "{{ row.sku }}", "prompt": f"{{{{ row.title }}}} {SCENE}"}
        return {"manifest": {"format": "csv"} | templates | source} | said


async def uploaded(service: Service, feed: Feed, **said: Any) -> Json:
    file_id = await service.upload(f"{feed.mark}.csv", feed.data)
    return feed.submission({"file_id": file_id}, **said)


async def finished(service: Service, submission: Json) -> Json:
    status = await service.finished(await service.submit(**submission))
    assert status["state"] == "completed", status
    return status


async def download(service: Service, job: str, folder: Path) -> None:
    """As `imagemill results` does."""
    at = service.stack.addresses
    async with Client(At(str(at.url), str(at.api_key))) as client, Downloads() as downloads:
        account = await Download(client, downloads, job=job, folder=folder, say=print).run()
    assert account.failed == []


def pictures(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.jpg")}


async def test_a_feed_that_comes_again_buys_what_changed(service: Service, tmp_path: Path) -> None:
    feed = Feed()
    first = await finished(service, await uploaded(service, feed))
    before = {result["custom_id"]: result for result in await service.results(first["id"])}
    changed = feed.change(*CHANGED)
    again = await uploaded(service, feed, reuse="tenant")
    estimate = await service.validate(**again)
    second = await finished(service, again)
    results = {result["custom_id"]: result for result in await service.results(second["id"])}

    assert (estimate["items"], estimate["estimate"]["reused"], estimate["reused"]) == (120, 118, 118)
    bought = await service.ledger(*changed)
    assert sorted(bought["calls"].values()) == [1, 1]
    assert nano(second["cost"]["settled_usd"]) == bought["nano"] <= nano(estimate["estimate"]["high_usd"])
    everything = (await service.ledger(*feed.prompts))["calls"]
    assert (len(everything), set(everything.values())) == (ROWS, {1})
    assert (second["items"]["succeeded"], second["items"]["reused"], second["images"]) == (120, 118, 2)
    assert second["estimate"]["reused"] == 118
    new = {f"sku-{n}" for n in CHANGED}
    assert {sku for sku, result in results.items() if result["reused_from"] is None} == new
    chair = results["sku-5"]
    assert chair["reused_from"] == {"job": first["id"], "custom_id": "sku-5", "variant": None}
    assert (chair["cost_usd"], chair["attempts"]) == ("0.00", [])
    assert [image["key"] for image in chair["images"]] == [
        image["key"] for image in before["sku-5"]["images"]
    ]
    prompts: Prompts = {(sku, None): feed.prompt(sku) for sku in feed.titles}
    await check_pictures(service, list(results.values()), prompts)
    report = await service.report(second["id"])
    assert (report["items"]["reused"], report["images"], len(report["lines"])) == (118, 2, 1)
    assert report["settled_usd"] == second["cost"]["settled_usd"]

    await download(service, second["id"], tmp_path)
    assert pictures(tmp_path) == {f"{sku}/1.jpg" for sku in feed.titles}
    third = await finished(service, again | {"budget": {"limit_usd": "0.000001"}})
    linked = {result["reused_from"]["job"] for result in await service.results(third["id"])}
    assert linked == {first["id"], second["id"]}  # those that paid
    assert (third["items"]["reused"], third["cost"]["committed_usd"]) == (120, "0.00")


async def test_an_image_that_was_deleted_is_bought_again(service: Service) -> None:
    prompt = f"{uuid.uuid4().hex} lamp"
    items = [{"custom_id": "lamp", "prompt": prompt}]
    first = await finished(service, {"items": items})
    (result,) = await service.results(first["id"])
    second = await finished(service, {"items": items, "reuse": "tenant"})
    bucket(service).delete_object(Bucket="delivery", Key=result["images"][0]["key"])
    third = await finished(service, {"items": items, "reuse": "tenant"})

    assert [status["items"]["reused"] for status in (second, third)] == [1, 0]
    assert list((await service.ledger(prompt))["calls"].values()) == [2]


async def test_an_edit_is_known_by_the_bytes_of_its_input(service: Service) -> None:
    """Uploaded twice it is two files, of one content."""
    prompt = f"{uuid.uuid4().hex} on a table"
    made = await finished(service, {"items": [{"custom_id": "a", "prompt": f"{prompt}, first"}]})
    (result,) = await service.results(made["id"])
    photo = await service.fetch(result["images"][0]["url"])

    async def edited(data: bytes, **said: Any) -> Json:
        file_id = await service.upload("photo.jpg", data)
        items = [{"custom_id": "a", "prompt": prompt, "images": [file_id]}]
        return await finished(service, {"items": items} | said)

    await edited(photo)
    same = await edited(photo, reuse="tenant")
    other = await edited(photo + b"\0", reuse="tenant")

    assert [status["items"]["reused"] for status in (same, other)] == [1, 0]
    assert list((await service.ledger(prompt))["calls"].values()) == [2]


async def test_the_newest_upload_is_found_by_its_name(service: Service) -> None:
    feed = Feed()
    await service.upload(f"{feed.mark}-monday.csv", feed.data)
    feed.change(0)
    newest = await service.upload(f"{feed.mark}-tuesday.csv", feed.data)
    await service.upload("another.csv", b"sku,title\n")
    source = feed.submission({"source": {"newest_file": f"{feed.mark}-"}})
    source["manifest"]["where"] = "{% if row.sku == 'sku-0' %}yes{% endif %}"
    estimate = await service.validate(**source)
    status = await finished(service, source)

    place = f"{newest} ({feed.mark}-tuesday.csv)"
    assert estimate["manifest"]["place"] == status["manifest"]["place"] == place
    assert status["manifest"]["bytes"] == len(feed.data)
    assert list((await service.ledger(feed.prompt("sku-0")))["calls"].values()) == [1]


async def test_the_newest_object_of_a_prefix_is_read(service: Service) -> None:
    feed = Feed()
    source = feed.submission({"source": {"newest": f"s3://delivery/feeds/{feed.mark}/"}})
    source["manifest"]["where"] = "{% if row.sku == 'sku-0' %}yes{% endif %}"
    nothing = await service.finished(await service.submit(**source))
    bucket(service).put_object(Bucket="delivery", Key=f"feeds/{feed.mark}/today.csv", Body=feed.data)
    status = await finished(service, source)

    assert (nothing["state"], nothing["failure"]["code"]) == ("failed", "manifest_unreadable")
    assert f"there is no object under s3://delivery/feeds/{feed.mark}/" in nothing["failure"]["detail"]
    assert status["manifest"]["place"] == f"s3://delivery/feeds/{feed.mark}/today.csv"
    assert list((await service.ledger(feed.prompt("sku-0")))["calls"].values()) == [1]


def bucket(service: Service) -> Any:
    """The store, as its owner reaches it."""
    said = service.stack.environment
    return boto3.client(
        "s3",
        endpoint_url=said["IMAGEMILL_DELIVERY_ENDPOINT"],
        region_name=said["IMAGEMILL_DELIVERY_REGION"],
        aws_access_key_id=said["IMAGEMILL_DELIVERY_ACCESS_KEY"],
        aws_secret_access_key=said["IMAGEMILL_DELIVERY_SECRET_KEY"],
    )
