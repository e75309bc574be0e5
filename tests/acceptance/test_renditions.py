"""Thumbnails, renditions, and what a finished job is shared by, on the whole service."""

import io
from html.parser import HTMLParser

import httpx2
from PIL import Image

from tests.acceptance.service import Json, Service, check_pictures

RENDITIONS = [
    {"name": "web", "width": 400, "height": 400, "quality": 70},
    {"name": "card", "width": 300, "height": 200, "fit": "cover", "format": "avif"},
    {
        "name": "flat",
        "width": 100,
        "height": 200,
        "fit": "contain",
        "format": "jpeg",
        "background": "#336699",
    },
]
EXPECTED = {
    "thumbnail": ("WEBP", (320, 320)),
    "web": ("WEBP", (400, 400)),
    "card": ("AVIF", (300, 200)),
    "flat": ("JPEG", (100, 200)),
}
NAME = "<Spring> & 'summer'"


class Tags(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


async def finished_job(service: Service) -> tuple[str, list[Json], dict[tuple[str, str | None], str]]:
    items: list[Json] = [{"custom_id": f"sku/{n}", "prompt": f"a rendition {n}"} for n in range(3)]
    items.append({"custom_id": "pair", "prompt": "a rendition of two", "n": 2, "output_format": "png"})
    job = await service.submit(items=items, renditions=RENDITIONS, name=NAME)
    status = await service.finished(job)
    assert status["state"] == "completed", status
    prompts: dict[tuple[str, str | None], str] = {
        (str(item["custom_id"]), None): str(item["prompt"]) for item in items
    }
    return job, await service.results(job), prompts


async def copy_of(service: Service, http: httpx2.AsyncClient, path: str) -> Image.Image:
    answer = await service.ask("GET", path)
    assert answer.status_code == 302, answer.text
    found = await http.get(answer.headers["location"])
    found.raise_for_status()
    image = Image.open(io.BytesIO(found.content))
    image.load()
    assert found.headers["content-type"] == f"image/{str(image.format).lower()}"
    return image


async def test_every_image_has_its_thumbnail_and_renditions_beside_it(
    service: Service, http: httpx2.AsyncClient
) -> None:
    job, results, prompts = await finished_job(service)

    assert not [warning for result in results for warning in result["warnings"]]
    await check_pictures(service, results, prompts)  # the originals are as the provider sent them
    for result in results:
        where = f"/v1/jobs/{job}/items/{result['custom_id'].replace('/', '%2F')}/images"
        for number, image in enumerate(result["images"], 1):
            assert set(image["renditions"]) == set(EXPECTED)
            for name, (form, size) in EXPECTED.items():
                copy = await copy_of(service, http, f"{where}/{number}?rendition={name}")
                said = image["renditions"][name]
                assert (copy.format, copy.size) == (form, size)
                assert (said["format"].upper(), said["width"], said["height"]) == (form, *size)
                assert job in said["key"]
            original = await copy_of(service, http, f"{where}/{number}")
            assert original.size == (816, 816)
    unknown = await service.ask("GET", f"/v1/jobs/{job}/items/pair/images/1?rendition=huge")
    assert unknown.status_code == 404
    assert "thumbnail, web, card, flat" in unknown.json()["detail"]


async def test_a_finished_job_is_shared_by_links_that_need_no_key(
    service: Service, http: httpx2.AsyncClient
) -> None:
    job, _, prompts = await finished_job(service)

    shared = (await service.ask("POST", f"/v1/jobs/{job}/share", json={"expires_seconds": 600})).json()
    gallery = await http.get(shared["gallery_url"])
    sheet = await http.get(shared["contact_sheet_url"])

    assert gallery.headers["content-type"] == "text/html; charset=utf-8"
    tags = Tags(gallery.text)
    pictures = tags.of("img")
    assert [picture["alt"] for picture in pictures] == ["sku/0", "sku/1", "sku/2", "pair (1)", "pair (2)"]
    assert all(str(picture["src"]).startswith("data:image/webp;base64,") for picture in pictures)
    assert not tags.of("script") + tags.of("link") + tags.of("spring")
    assert "http" not in gallery.text.replace("http-equiv", "")
    assert "&lt;Spring&gt; &amp; &#39;summer&#39;" in gallery.text
    assert not [prompt for prompt in prompts.values() if prompt in gallery.text]
    assert "5 pictures" in gallery.text
    with Image.open(io.BytesIO(sheet.content)) as image:
        assert (image.format, image.width > image.height) == ("WEBP", True)
