"""What every object store must do, tried on the one in memory and on a real server."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import SecretStr

from activities.delivery import Delivery, Place
from imagemill.domain.errors import ObjectExists, ObjectMissing, StoreRefused, StoreUnavailable
from imagemill.domain.ids import new_id
from imagemill.domain.item import CallRecord, PlannedItem
from imagemill.ports import ObjectStore
from imagemill.settings import BucketSettings
from imagemill.sniff import facts_of
from imagemill.storage.s3 import S3Store
from imagemill.storage_probe import require_conditional_puts
from sandbox.stack import LocalStack, StackOptions
from tests.fakes.provider import picture
from tests.fakes.store import MemoryStore

LARGE = 20 * 1024 * 1024 + 17
"""Above the 8 MB where an upload goes in parts."""


@pytest.fixture(scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BucketSettings]:
    options = StackOptions(data_dir=tmp_path_factory.mktemp("store"), parts={"store"})
    async with LocalStack(options) as stack:
        said = stack.environment
        yield BucketSettings(
            bucket=said["IMAGEMILL_CONTROL_BUCKET"],
            endpoint=said["IMAGEMILL_CONTROL_ENDPOINT"],
            region=said["IMAGEMILL_CONTROL_REGION"],
            access_key=SecretStr(said["IMAGEMILL_CONTROL_ACCESS_KEY"]),
            secret_key=SecretStr(said["IMAGEMILL_CONTROL_SECRET_KEY"]),
        )


@pytest.fixture(scope="session")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture(scope="session")
def real(server: BucketSettings, threads: ThreadPoolExecutor) -> S3Store:
    return S3Store.connect(server, threads)


@pytest.fixture(params=["memory", "real"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    made: S3Store = request.getfixturevalue("real")
    return made


@pytest.fixture
def key() -> str:
    """A key that no other test uses, with what keys may have in them."""
    return f"{new_id('test')}/Œuvre d'été +&=?#/1.png"


async def test_what_was_put_is_got_with_its_type(store: ObjectStore, key: str) -> None:
    await store.put(key, b"\x00bytes\xff", content_type="image/png")

    assert await store.get(key) == b"\x00bytes\xff"
    facts = await store.head(key)
    assert (facts.size, facts.content_type, facts.metadata) == (7, "image/png", {})


async def test_a_put_replaces_what_was_there(store: ObjectStore, key: str) -> None:
    await store.put(key, b"older and longer")
    await store.put(key, b"newer")

    assert await store.get(key) == b"newer"
    assert (await store.head(key)).content_type == "application/json"


async def test_what_is_not_there_is_missing(store: ObjectStore, key: str, tmp_path: Path) -> None:
    for ask in (
        lambda: store.get(key),
        lambda: store.head(key),
        lambda: store.start_of(key, 10),
        lambda: store.download(key, tmp_path / "none"),
    ):
        with pytest.raises(ObjectMissing):
            await ask()


@pytest.mark.parametrize(
    ("data", "start"),
    [(b"0123456789", b"0123"), (b"01", b"01"), (b"0123", b"0123"), (b"", b"")],
    ids=["longer", "shorter", "as long", "empty"],
)
async def test_the_start_of_an_object(store: ObjectStore, key: str, data: bytes, start: bytes) -> None:
    await store.put(key, data)

    assert await store.start_of(key, 4) == start


async def test_a_listing_tells_size_time_and_tag(store: ObjectStore, key: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)  # some servers tell whole seconds
    await store.put(key, b"first")
    await store.put(f"{key}-2", b"second one")
    await store.put(f"other/{key}", b"not under it")
    listed = [found async for found in store.listed(key)]

    assert [(found.key, found.size) for found in listed] == [(key, 5), (f"{key}-2", 10)]
    assert listed[0].tag != listed[1].tag
    assert all(before <= found.modified_at for found in listed)


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(store: ObjectStore, key: str) -> None:
    await store.put(key, b"x")
    await store.delete(key)
    await store.delete(key)

    with pytest.raises(ObjectMissing):
        await store.get(key)


async def test_a_conditional_put_is_refused_where_there_is_an_object(store: ObjectStore, key: str) -> None:
    await store.put_new(key, b"first", metadata={"by": "me"})

    with pytest.raises(ObjectExists):
        await store.put_new(key, b"second", metadata={"by": "you"})
    assert await store.get(key) == b"first"
    assert (await store.head(key)).metadata == {"by": "me"}


async def test_a_conditional_put_is_taken_again_after_a_delete(store: ObjectStore, key: str) -> None:
    await store.put_new(key, b"first")
    await store.delete(key)
    await store.put_new(key, b"second")

    assert await store.get(key) == b"second"


async def test_of_many_conditional_puts_at_once_one_wins(store: ObjectStore, key: str) -> None:
    async def try_it(number: int) -> int | None:
        try:
            await store.put_new(key, str(number).encode())
        except ObjectExists:
            return None
        return number

    answers = await asyncio.gather(*(try_it(number) for number in range(24)))

    winners = [answer for answer in answers if answer is not None]
    assert len(winners) == 1
    assert await store.get(key) == str(winners[0]).encode()


async def test_metadata_is_any_text(store: ObjectStore, key: str) -> None:
    said = {"name": "Œuvre - 100 % “été”\n日本 +a=b&c?", "plain": "abc-1_2.3"}
    await store.put_new(key, b"x", metadata=said)

    assert (await store.head(key)).metadata == said


async def test_an_image_whose_request_had_no_id_is_found_again(store: ObjectStore, key: str) -> None:
    item = PlannedItem(index=0, custom_id="a", names=["1.png"])
    place = Place(tenant="t", job=key, chunk=0, item=item)
    image = picture()
    call = CallRecord(reservation="r1", call="c1", model="m", images=[facts_of(image)], cost_nano=5)
    delivery = Delivery(MemoryStore(), store, "")

    assert await delivery.store(place, call, [image]) == call
    assert await delivery.find(place) == call


async def test_metadata_may_fill_2_kb_and_not_more(store: ObjectStore, key: str) -> None:
    await store.put_new(key, b"x", metadata={"fits": "a" * 2044})
    assert len((await store.head(key)).metadata["fits"]) == 2044

    for value in ("a" * 2045, "é" * 400):  # the second has 800 bytes, and 2,400 once encoded
        with pytest.raises(ValueError, match="2048"):
            await store.put_new(f"{key}-more", b"x", metadata={"fits": value})
        with pytest.raises(ValueError, match="2048"):
            await store.upload(
                f"{key}-more", io.BytesIO(b"x"), content_type="text/plain", metadata={"fits": value}
            )
    with pytest.raises(ObjectMissing):
        await store.head(f"{key}-more")


@pytest.mark.parametrize("size", [0, 5, LARGE], ids=["empty", "small", "in parts"])
async def test_a_file_goes_up_and_comes_down_as_it_was(
    store: ObjectStore, key: str, tmp_path: Path, size: int
) -> None:
    data = (b"0123456789abcdefghi" * (size // 19 + 1))[:size]
    await store.upload(key, io.BytesIO(data), content_type="text/csv", metadata={"filename": "Kataløg.csv"})

    facts = await store.head(key)
    assert (facts.size, facts.content_type, facts.metadata) == (size, "text/csv", {"filename": "Kataløg.csv"})
    assert await store.start_of(key, 7) == data[:7]
    await store.download(key, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == data


async def test_keys_under_a_prefix_come_in_order_and_no_others(store: ObjectStore) -> None:
    home = new_id("list")
    for name in ("b/2", "a/10", "a/1", "a/2/x", "ab"):
        await store.put(f"{home}/{name}", b"x")

    assert [key async for key in store.keys(f"{home}/a/")] == [f"{home}/a/{n}" for n in ("1", "10", "2/x")]
    assert [key async for key in store.keys(f"{home}/none/")] == []
    assert [key async for key in store.keys(f"{home}/a/", f"{home}/a/10")] == [f"{home}/a/2/x"]
    assert [key async for key in store.keys(f"{home}/a/", f"{home}/a/11")] == [f"{home}/a/2/x"]


async def test_keys_after_one_that_is_there_or_not(store: ObjectStore) -> None:
    home = new_id("test")
    for name in ("a", "b", "c"):
        await store.put(f"{home}/{name}", b"")
    assert [key async for key in store.keys(f"{home}/", f"{home}/a")] == [f"{home}/b", f"{home}/c"]
    assert [key async for key in store.keys(f"{home}/", f"{home}/bb")] == [f"{home}/c"]
    assert [key async for key in store.keys(f"{home}/", f"{home}/c")] == []


async def test_keys_go_on_beyond_a_page_of_a_thousand(store: ObjectStore) -> None:
    home = new_id("list")
    wanted = [f"{home}/{number:05}" for number in range(1005)]
    for start in range(0, len(wanted), 100):
        await asyncio.gather(*(store.put(key, b"") for key in wanted[start : start + 100]))

    assert [key async for key in store.keys(f"{home}/")] == wanted
    assert [key async for key in store.keys(f"{home}/", wanted[1])] == wanted[2:]


async def test_keys_go_on_after_one_of_them(store: ObjectStore) -> None:
    home = new_id("list")
    for name in ("a/1", "a/2", "a/3", "b/1"):
        await store.put(f"{home}/{name}", b"x")

    found = [key async for key in store.keys(f"{home}/a/", after=f"{home}/a/1")]
    assert found == [f"{home}/a/2", f"{home}/a/3"]
    assert [key async for key in store.keys(f"{home}/a/", after=f"{home}/a/3")] == []


@pytest.mark.parametrize("size", [0, 5, 3 * 1024 * 1024 + 1], ids=["empty", "small", "large"])
async def test_an_object_is_read_in_pieces(store: ObjectStore, key: str, size: int) -> None:
    data = (b"0123456789abcdefghi" * (size // 19 + 1))[:size]
    await store.put(key, data)

    pieces = [piece async for piece in store.pieces(key)]
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= 1024 * 1024 for piece in pieces)
    with pytest.raises(ObjectMissing):
        await anext(store.pieces(f"{key}-none"))


PART = b"p" * (5 * 1024 * 1024)
"""The smallest part that is not the last."""


async def test_parts_become_the_object_once_they_are_joined(store: ObjectStore, key: str) -> None:
    upload = await store.begin_parts(key, content_type="text/csv")
    end = await store.put_part(key, upload, 2, b"the end")
    start = await store.put_part(key, upload, 1, PART)

    assert await store.list_parts(key, upload) == [start, end]
    with pytest.raises(ObjectMissing):
        await store.head(key)
    assert key not in [found async for found in store.keys(key)]

    await store.join_parts(key, upload, [start, end])
    assert await store.get(key) == PART + b"the end"
    assert (await store.head(key)).content_type == "text/csv"


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_of_parts_with_one_number_that_is_taken_which_is_named(
    store: ObjectStore, key: str, which: int
) -> None:
    upload = await store.begin_parts(key, content_type="text/csv")
    sent = [await store.put_part(key, upload, 1, PART + word) for word in (b"one", b"another", b"third")]
    listed = await store.list_parts(key, upload)

    assert sent[-1] in listed
    assert set(listed) <= set(sent)
    if sent[which] in listed:  # a store that forgets those before may refuse to join them
        await store.join_parts(key, upload, [sent[which]])
        assert await store.get(key) == PART + (b"one", b"another", b"third")[which]


async def test_parts_go_on_beyond_a_page_of_a_thousand(store: ObjectStore, key: str) -> None:
    upload = await store.begin_parts(key, content_type="text/plain")
    for first in range(1, 1003, 100):
        numbers = range(first, min(first + 100, 1003))
        await asyncio.gather(*(store.put_part(key, upload, number, b"x") for number in numbers))

    assert [part.number for part in await store.list_parts(key, upload)] == list(range(1, 1003))
    await store.drop_parts(key, upload)


async def test_parts_that_are_dropped_leave_nothing(store: ObjectStore, key: str) -> None:
    upload = await store.begin_parts(key, content_type="text/plain")
    part = await store.put_part(key, upload, 1, b"x")
    await store.drop_parts(key, upload)
    await store.drop_parts(key, upload)

    for ask in (
        lambda: store.list_parts(key, upload),
        lambda: store.put_part(key, upload, 1, b"x"),
        lambda: store.join_parts(key, upload, [part]),
        lambda: store.get(key),
    ):
        with pytest.raises(ObjectMissing):
            await ask()


async def test_parts_that_were_joined_can_be_neither_joined_again_nor_dropped(
    store: ObjectStore, key: str
) -> None:
    upload = await store.begin_parts(key, content_type="text/plain")
    part = await store.put_part(key, upload, 1, b"x")
    await store.join_parts(key, upload, [part])

    await store.drop_parts(key, upload)
    with pytest.raises(ObjectMissing):
        await store.list_parts(key, upload)
    assert await store.get(key) == b"x"


async def test_a_presigned_address_says_how_long_it_lasts(store: ObjectStore, key: str) -> None:
    asked = parse_qs(urlsplit(store.presign_get(key, 777)).query)

    assert asked.get("expires") == ["777"] or asked.get("X-Amz-Expires") == ["777"]


async def test_the_probe_of_the_start_accepts_it_twice(store: ObjectStore) -> None:
    await require_conditional_puts(store, "control")
    await require_conditional_puts(store, "control")


async def test_a_presigned_address_gives_the_bytes_to_whoever_has_it(real: S3Store, key: str) -> None:
    await real.put(key, b"picture", content_type="image/png")
    address = real.presign_get(key, 60)

    async with httpx2.AsyncClient() as http:
        answer = await http.get(address)
        bare = await http.get(address.partition("?")[0])

    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200,
        b"picture",
        "image/png",
    )
    assert bare.status_code == 403


async def test_a_presigned_address_with_a_name_has_the_object_saved(real: S3Store, key: str) -> None:
    await real.put(key, b"<script>", content_type="text/html")

    async with httpx2.AsyncClient() as http:
        answer = await http.get(real.presign_get(key, 60, 'Œuvre "1".html'))

    assert answer.content == b"<script>"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C5%92uvre%20%221%22.html"


async def test_a_bucket_that_is_not_there_has_to_be_mended(
    server: BucketSettings, threads: ThreadPoolExecutor, key: str
) -> None:
    lost = S3Store.connect(server.model_copy(update={"bucket": "no-such-bucket"}), threads)

    for ask in (
        lambda: lost.get(key),
        lambda: lost.put(key, b"x"),
        lambda: lost.put_new(key, b"x"),
        lambda: lost.start_of(key, 4),
        lambda: anext(lost.keys(key)),
    ):
        with pytest.raises(StoreRefused):
            await ask()


async def test_a_wrong_key_has_to_be_mended(
    server: BucketSettings, threads: ThreadPoolExecutor, key: str
) -> None:
    stranger = S3Store.connect(server.model_copy(update={"secret_key": SecretStr("wrong")}), threads)

    with pytest.raises(StoreRefused) as caught:
        await stranger.put(key, b"x")
    assert "wrong" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_keys_of_the_chain_are_looked_for_again_once_they_are_refused(
    server: BucketSettings,
    threads: ThreadPoolExecutor,
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert server.access_key
    assert server.secret_key
    file, words = tmp_path / "credentials", "[default]\naws_access_key_id={}\naws_secret_access_key={}\n"
    file.write_text(words.format(server.access_key.get_secret_value(), "expired"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setattr("imagemill.storage.s3.KEYS_SECONDS", 0.0)
    chain = S3Store.connect(server.model_copy(update={"access_key": None, "secret_key": None}), threads)

    with pytest.raises(StoreRefused):
        await chain.put(key, b"x")
    signs = S3Store.connect(server.model_copy(update={"access_key": None, "secret_key": None}), threads)
    file.write_text(words.format(server.access_key.get_secret_value(), server.secret_key.get_secret_value()))
    await chain.put(key, b"x")
    assert await chain.get(key) == b"x"
    async with httpx2.AsyncClient() as http:
        assert (await http.get(signs.presign_get(key, 60))).content == b"x"  # it was not refused itself


async def test_a_server_that_is_not_there_is_away(
    server: BucketSettings, threads: ThreadPoolExecutor, key: str, tmp_path: Path
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: a connection to it is refused
        port = closed.getsockname()[1]
        gone = S3Store.connect(server.model_copy(update={"endpoint": f"http://127.0.0.1:{port}"}), threads)
        errors = await asyncio.gather(
            gone.get(key),
            gone.put_new(key, b"x"),
            gone.head(key),
            gone.upload(key, io.BytesIO(b"x"), content_type="text/plain", metadata={}),
            gone.download(key, tmp_path / "none"),
            return_exceptions=True,
        )

    assert [type(error) for error in errors] == [StoreUnavailable] * 5
    assert all("127.0.0.1" not in str(error) for error in errors)


async def test_the_store_in_memory_is_away_as_often_as_it_is_told(key: str) -> None:
    memory = MemoryStore()
    memory.away = 2
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await memory.put_new(key, b"x")
    await memory.put_new(key, b"x")
    assert memory.calls == [("put_new", key)] * 3


async def test_the_store_in_memory_does_its_work_and_loses_the_answer(key: str) -> None:
    memory = MemoryStore()
    memory.lost_answers = 1
    with pytest.raises(StoreUnavailable):
        await memory.put_new(key, b"x")
    with pytest.raises(ObjectExists):
        await memory.put_new(key, b"x")
    assert memory.data(key) == b"x"
