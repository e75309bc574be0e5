"""Pictures made from pictures: uploaded, fetched, masked; and what was signed stays signed."""

import hashlib
import io
import json
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2
import pytest
from PIL import Image, ImageChops

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Json, Service, nano
from tests.fakes.signing import claim_of, signed

SIZE = (1024, 1024)
EDIT = {"model": "gpt-image-2", "size": "1024x1024", "quality": "low", "output_format": "png"}


def png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def photo() -> Image.Image:
    """No two of its places are alike."""
    return Image.merge("RGB", [Image.linear_gradient("L").rotate(turn).resize(SIZE) for turn in (0, 90, 180)])


def with_hole(box: tuple[int, int, int, int]) -> Image.Image:
    """A mask that lets the image change in a box."""
    mask = Image.new("RGBA", SIZE, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), box)
    return mask


class Shop(ThreadingHTTPServer):
    """A web server with one picture and whatever else is put there, which counts who asks."""

    asked = 0

    def __init__(self, picture: bytes) -> None:
        shop = self
        self.pages = {"/vase.png": picture}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.asked += 1
                found = shop.pages.get(self.path)
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Length", str(len(found or b"")))
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def shop() -> Iterator[Shop]:
    server = Shop(png(photo()))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
async def editing(
    tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[Service]:
    """A stack that may fetch from this machine."""
    settings = {"IMAGEMILL_INPUTS_ALLOW_HTTP": "true", "IMAGEMILL_INPUTS_ALLOW_PRIVATE": "true"}
    options = StackOptions(data_dir=tmp_path_factory.mktemp("edits"), speed=0.0, extra_env=QUICK | settings)
    async with LocalStack(options) as stack:
        yield Service(stack, http)


async def pictures(service: Service, result: Json) -> list[bytes]:
    return [await service.fetch(image["url"]) for image in result["images"]]


async def test_only_what_the_mask_lets_through_is_changed(editing: Service) -> None:
    image, mask = png(photo()), png(with_hole((300, 300, 700, 700)))
    files = {name: await editing.upload(f"{name}.png", data) for name, data in (("i", image), ("m", mask))}
    item = {"custom_id": "one", "prompt": "A vase in it", "images": [files["i"]], "mask": files["m"]}
    job = await editing.submit(items=[item], defaults=EDIT)
    status = await editing.finished(job)
    (result,) = await editing.results(job)
    assert status["state"] == "completed", result
    (made,) = await pictures(editing, result)

    changed = ImageChops.difference(Image.open(io.BytesIO(made)).convert("RGB"), photo()).getbbox()
    assert changed
    assert changed[:2] >= (300, 300)
    assert changed[2:] <= (700, 700)
    ledger = await editing.entries(0)
    (billed,) = [entry for entry in ledger[1] if entry["event"] == "billed"]
    assert billed["endpoint"] == "edits"
    assert billed["inputs"] == [hashlib.sha256(image).hexdigest()]
    assert nano(status["cost"]["settled_usd"]) == billed["billed_nano"]


async def test_a_catalog_names_its_pictures_by_address_and_each_is_fetched_once(
    editing: Service, shop: Shop
) -> None:
    rows = "sku,photo\n" + "".join(f"v{n},{shop.url}/vase.png\n" for n in range(6))
    rows += f"gone,{shop.url}/gone.png\nbare,\nbad,ftp://example.com/x.png\n"
    manifest = {
        "file_id": await editing.upload("catalog.csv", rows.encode()),
        "format": "csv",
        "id": "{{ row.sku }}",
        "prompt": "A studio photo of {{ row.sku }}",
        "images": ["{{ row.photo }}"],
    }
    job = await editing.submit(manifest=manifest, defaults=EDIT)
    await editing.finished(job)
    results = {result["custom_id"]: result for result in await editing.results(job)}

    assert {results[f"v{n}"]["state"] for n in range(6)} == {"succeeded"}
    assert results["bare"]["state"] == "succeeded"  # a row without a picture is a plain generation
    assert (results["gone"]["state"], results["gone"]["error"]["code"]) == ("failed", "input_missing")
    assert results["gone"]["error"]["detail"].startswith("images/0: ")
    assert (results["bad"]["state"], results["bad"]["error"]["code"]) == ("failed", "invalid_row")
    assert shop.asked == 2  # the vase once, and what is gone once
    assert "vase.png" not in json.dumps(results)


async def test_what_a_mask_must_be_is_found_out_before_anything_is_paid(editing: Service) -> None:
    image = await editing.upload("i.png", png(photo()))
    mask = await editing.upload("m.png", png(with_hole((0, 0, 9, 9)).resize((512, 512))))
    item = {"custom_id": "one", "prompt": "A mask too small", "images": [image], "mask": mask}
    job = await editing.submit(items=[item], defaults=EDIT)
    status = await editing.finished(job)
    (result,) = await editing.results(job)
    assert (result["state"], result["error"]["code"]) == ("failed", "mask_of_other_size")
    assert result["error"]["detail"].startswith("mask: ")
    assert nano(status["cost"]["committed_usd"]) == 0
    assert not (await editing.ledger("A mask too small"))["calls"]


async def test_provenance_survives_and_the_item_says_that_it_is_there(
    editing: Service, http: httpx2.AsyncClient
) -> None:
    prompt = "A vase, signed"
    picture = signed(png(photo().resize((816, 816))), "PNG")
    sandbox = str(editing.stack.addresses.image_api).removesuffix("/v1")
    given = await http.post(f"{sandbox}/_sandbox/pictures", params={"prompt": prompt}, content=picture)
    given.raise_for_status()
    items = [{"custom_id": "signed", "prompt": prompt}, {"custom_id": "plain", "prompt": "A vase, plain"}]
    job = await editing.submit(items=items, defaults=EDIT | {"size": "816x816"})
    await editing.finished(job)
    results = {result["custom_id"]: result for result in await editing.results(job)}

    (stored,) = await pictures(editing, results["signed"])
    assert stored == picture
    assert claim_of(stored, "PNG")["title"] == "signed for a test"
    assert results["signed"]["images"][0]["c2pa"] is True
    assert results["plain"]["images"][0]["c2pa"] is False


async def test_each_job_reads_the_manifest_that_lies_at_its_address_then(
    editing: Service, shop: Shop
) -> None:
    feed: Json = {"format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.text }}"}
    feed["source"] = {"url": f"{shop.url}/feed.csv?key=very-secret"}
    ended = []
    for text in ("A jug on Monday", "A jug on Tuesday"):
        shop.pages["/feed.csv?key=very-secret"] = f"id,text\njug,{text}\n".encode()
        ended.append(await editing.finished(await editing.submit(manifest=feed)))
    del shop.pages["/feed.csv?key=very-secret"]
    gone = await editing.finished(await editing.submit(manifest=feed))

    assert [status["state"] for status in (*ended, gone)] == ["completed", "completed", "failed"]
    assert {status["manifest"]["place"] for status in ended} == {f"{shop.url}/feed.csv"}
    billed = await editing.ledger("A jug on Monday", "A jug on Tuesday")
    assert list(billed["calls"].values()) == [1, 1]
    assert "there is nothing to be had there" in gone["failure"]["detail"]
    assert "secret" not in json.dumps([*ended, gone])
