"""/v1/models: what can be bought, as a client of the provider's own SDK reads it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import httpx2
import openai
import pytest
from pydantic import SecretStr

from api import offers
from api.app import make_app
from api.context import Context
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.pools import Alias, Pool, Pools
from tests.unit.api.bodies import KEY

ENDING = "gpt-image-1.5"  # shut down on 2026-12-01
BEFORE, AFTER = date(2026, 11, 30), date(2026, 12, 1)


def pool(name: str, factor: str = "1", weight: int = 1, models: tuple[str, ...] = ("*",)) -> Pool:
    return Pool(
        name=name,
        base_url="http://secret-place/v1",
        api_key=SecretStr("sk-secret"),
        price_factor=Decimal(factor),
        weight=weight,
        models=models,
    )


POOLS = Pools(
    [pool("original", weight=5), pool("cheap", "0.8"), pool("old", "1.5", models=(ENDING,))],
    {"house": Alias("gpt-image-2"), "gpt-image-2.5-flare": Alias("gpt-image-2.5-flare", "cheap")},
)


@pytest.fixture
def parts(parts: Context) -> Context:
    return replace(parts, pools=POOLS)


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    on(BEFORE, monkeypatch)


def on(day: date, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "_today", lambda: day)


async def test_every_name_that_can_be_asked_for_is_listed(http: httpx2.AsyncClient) -> None:
    answer = (await http.get("/v1/models")).json()
    names = [model["id"] for model in answer["data"]]

    assert answer["object"] == "list"
    assert names == sorted({*Catalogue.load().names, "house"})
    assert all(model["object"] == "model" for model in answer["data"])


async def test_a_model_says_where_it_is_sold_and_at_which_price(http: httpx2.AsyncClient) -> None:
    model = (await http.get("/v1/models/gpt-image-2")).json()
    original, cheap = model["pools"]

    assert (original["name"], original["default"]) == ("original", True)
    assert (cheap["name"], cheap["default"]) == ("cheap", False)
    assert original["prices"] == {
        "image_usd": None,
        "text_in_usd": "5.00",
        "image_in_usd": "8.00",
        "image_out_usd": "30.00",
        "text_out_usd": "10.00",
    }
    assert cheap["prices"]["image_out_usd"] == "24.00"
    assert model["limits"] == {"prompt_characters": 32_000, "n": 10, "images": 16}
    assert model["sizes"] is None
    assert model["qualities"] == ["low", "medium", "high"]
    assert "end_user" in model["parameters"]
    assert "stream" not in model["parameters"]


async def test_nothing_of_the_account_is_shown(http: httpx2.AsyncClient) -> None:
    text = (await http.get("/v1/models")).text

    assert "secret" not in text
    assert "weight" not in text


async def test_other_names_say_what_is_bought(http: httpx2.AsyncClient) -> None:
    dated = (await http.get("/v1/models/gpt-image-2-2026-04-21")).json()
    ours = (await http.get("/v1/models/house")).json()

    assert (dated["id"], dated["bought_as"]) == ("gpt-image-2-2026-04-21", "gpt-image-2")
    assert (ours["id"], ours["bought_as"]) == ("house", "gpt-image-2")
    assert ours["pools"] == dated["pools"]


async def test_an_alias_may_fix_the_pool(http: httpx2.AsyncClient) -> None:
    model = (await http.get("/v1/models/gpt-image-2.5-flare")).json()

    assert [(each["name"], each["default"]) for each in model["pools"]] == [
        ("cheap", True),
        ("original", False),
    ]


async def test_after_its_shutdown_only_who_names_a_model_serves_it(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await http.get(f"/v1/models/{ENDING}")).json()
    on(AFTER, monkeypatch)
    after = (await http.get(f"/v1/models/{ENDING}")).json()
    gone = (await http.get("/v1/models/chatgpt-image-latest")).json()

    assert [each["name"] for each in before["pools"]] == ["original", "cheap", "old"]
    assert [(each["name"], each["default"]) for each in after["pools"]] == [("old", False)]
    assert (after["available"], gone["available"], gone["pools"]) == (True, False, [])
    assert (gone["shutdown"], gone["successor"]) == ("2026-12-01", "gpt-image-2.5-flare")
    assert gone["sizes"] == ["1024x1024", "1024x1536", "1536x1024"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("dall-e-3", "dall-e-3 was shut down on"), ("flux/schnell", "'flux/schnell' has no price")],
)
async def test_what_has_no_price_is_not_found(http: httpx2.AsyncClient, name: str, said: str) -> None:
    answer = await http.get(f"/v1/models/{name}")

    assert answer.status_code == 404
    assert answer.json()["detail"].startswith(said)


async def test_an_alias_of_what_has_no_price_is_not_found(parts: Context) -> None:
    pools = Pools([pool("original")], {"gpt-image-2": Alias("unpriced")})
    app = make_app(replace(parts, pools=pools))
    transport = httpx2.ASGITransport(app=app)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        answer = await client.get("/v1/models/gpt-image-2")

        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("'unpriced' has no price")
        listed = (await client.get("/v1/models")).json()["data"]
        assert "gpt-image-2" not in [model["id"] for model in listed]


async def test_the_providers_own_client_reads_the_list(parts: Context) -> None:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=make_app(parts)))
    async with openai.AsyncOpenAI(api_key=KEY, base_url="http://api/v1", http_client=http) as client:
        listed = [model.id async for model in await client.models.list()]
        model = await client.models.retrieve("gpt-image-2")

    assert "gpt-image-2" in listed
    assert (model.id, model.object, model.owned_by) == ("gpt-image-2", "model", "imagemill")


def test_a_model_that_is_priced_by_the_image(parts: Context) -> None:
    priced = parts.catalogue.with_prices({"flux-1": 50_000_001})
    found = offers._answer(replace(parts, catalogue=priced), "flux-1")
    assert found

    assert [each.prices.image_usd for each in found.pools] == ["0.050000001", "0.040000001"]
    assert (found.qualities, found.sizes) == ([], None)
