"""A provenance manifest comes through untouched: from the provider's answer into the delivery bucket."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from activities.delivery import Delivery, Place
from imagemill.domain.ids import new_id
from imagemill.domain.item import CallRecord, PlannedItem
from imagemill.domain.places import image_key
from imagemill.domain.pools import Pool
from imagemill.domain.request import ImageRequest
from imagemill.providers.openai_images import OpenAIImages
from imagemill.settings import BucketSettings
from imagemill.sniff import facts_of
from imagemill.storage.s3 import S3Store
from sandbox.stack import LocalStack, StackOptions
from tests.fakes.provider import picture
from tests.fakes.signing import MIME_TYPES, claim_of, signed
from tests.unit.sandbox_image_api.sandbox import KEY, Sandbox


@pytest.fixture(scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[S3Store]:
    options = StackOptions(data_dir=tmp_path_factory.mktemp("store"), parts={"store"})
    with ThreadPoolExecutor(4) as threads:
        async with LocalStack(options) as stack:
            said = stack.environment
            bucket = BucketSettings(
                bucket=said["IMAGEMILL_CONTROL_BUCKET"],
                endpoint=said["IMAGEMILL_CONTROL_ENDPOINT"],
                region=said["IMAGEMILL_CONTROL_REGION"],
                access_key=SecretStr(said["IMAGEMILL_CONTROL_ACCESS_KEY"]),
                secret_key=SecretStr(said["IMAGEMILL_CONTROL_SECRET_KEY"]),
            )
            yield S3Store.connect(bucket, threads)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    server = Sandbox(tmp_path_factory.mktemp("sandbox") / "ledger.jsonl")
    yield server
    server.stop()


@pytest.fixture(scope="module")
async def provider(sandbox: Sandbox) -> AsyncIterator[OpenAIImages]:
    pool = Pool(name="sandbox", base_url=f"{sandbox.url}/v1", api_key=SecretStr(KEY))
    made = OpenAIImages.connect(pool, connections=1)
    yield made
    await made.close()


@pytest.mark.parametrize("form", sorted(MIME_TYPES))
async def test_a_manifest_comes_through_whole(
    form: str, store: S3Store, sandbox: Sandbox, provider: OpenAIImages
) -> None:
    prompt = f"signed as {form}"
    bytes_of_the_provider = signed(picture("red", form, (64, 64)), form)
    sandbox.http.post(
        "/_sandbox/pictures", params={"prompt": prompt}, content=bytes_of_the_provider
    ).raise_for_status()
    request = ImageRequest(
        prompt=prompt,
        model="gpt-image-2",
        quality="low",
        output_format=form.lower(),
    )

    generated = await provider.generate(request, deadline=20)
    job, name = new_id("job"), f"1.{request.extension}"
    item = PlannedItem(index=0, custom_id="a", request=request, names=[name])
    place = Place(tenant="t", job=job, chunk=0, item=item)
    call = CallRecord(
        reservation="r1",
        call="c1",
        model=request.model,
        images=[facts_of(image) for image in generated.images],
        cost_nano=1,
    )
    delivery = Delivery(store, store, "shop")
    await delivery.store(place, call, generated.images)

    stored = await store.get(image_key("shop", job, name))
    assert stored == bytes_of_the_provider
    assert claim_of(stored, form)["title"] == "signed for a test"
    found = await delivery.find(place)
    assert found
    assert found.images[0].c2pa
    assert (await store.head(image_key("shop", job, name))).metadata["imagemill-c2pa"] == "true"
