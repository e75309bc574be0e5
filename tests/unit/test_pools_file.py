"""The operator's file of pools: what it means, and that each of its faults is named and no key ever."""

from decimal import Decimal
from pathlib import Path

import pytest

from imagemill.domain.errors import Misconfigured
from imagemill.domain.pools import Alias, Pools
from imagemill.pools_file import read_pools
from imagemill.settings import PoolSettings

KEY = "sk-very-secret-0123456789"
ENVIRONMENT = {"KEY": KEY, "EMPTY": ""}
GOOD = '[pools.original]\nbase_url = "https://x/v1"\napi_key_env = "KEY"\n'


def read(folder: Path, text: str, *, keys: bool = True) -> Pools:
    path = folder / "pools.toml"
    path.write_text(text, encoding="utf-8")
    return read_pools(path, ENVIRONMENT, keys=keys)


def faults(folder: Path, text: str, *, keys: bool = True) -> str:
    with pytest.raises(Misconfigured) as raised:
        read(folder, text, keys=keys)
    said = str(raised.value)
    assert said.startswith("IMAGEMILL_POOLS_FILE: pools.toml: ")
    assert KEY not in f"{said} {raised.value!r} {raised.value.__cause__!r}"
    return said.removeprefix("IMAGEMILL_POOLS_FILE: pools.toml: ")


def test_everything_that_a_file_can_say(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    pools = read(
        tmp_path,
        f"""
        [pools.original]
        base_url = "https://x/v1"
        api_key_env = "KEY"
        weight = 2

        [pools.original.groups.flare]
        models = ["*-flare"]
        images_per_minute = 250
        tokens_per_minute = "unlimited"

        [pools.original.groups.rest]

        [pools.reseller]
        kind = "azure"
        base_url = "https://y"
        api_key_file = "{tmp_path / "key"}"
        auth = "api-key"
        query = {{ "api-version" = "preview" }}
        deployments = {{ "gpt-image-1" = "mine" }}
        models = ["gpt-image-1"]
        price_factor = "0.8"
        free_5xx = true
        size_as = "aspect_ratio"

        [aliases]
        "old" = "gpt-image-2"
        "gpt-image-1" = {{ pool = "reseller" }}
        """,
    )

    original, reseller = pools
    assert pools.names == ["original", "reseller"]
    assert [pool.api_key.get_secret_value() for pool in pools] == [KEY, KEY]
    assert list(original.groups) == ["flare", "rest"]
    assert original.groups["flare"].images_per_minute == 250
    assert original.groups["flare"].tokens_per_minute == "unlimited"
    assert original.groups["rest"].images_per_minute is None
    assert (reseller.kind, reseller.auth, reseller.size_as) == ("azure", "api-key", "aspect_ratio")
    assert (reseller.price_factor, reseller.free_5xx) == (Decimal("0.8"), True)
    assert dict(reseller.query) == {"api-version": "preview"}
    assert dict(reseller.deployments) == {"gpt-image-1": "mine"}
    assert pools.alias("old") == Alias("gpt-image-2")
    assert pools.alias("gpt-image-1") == Alias("gpt-image-1", "reseller")
    assert KEY not in f"{list(pools)!r}"


def test_without_keys_none_is_read(tmp_path: Path) -> None:
    pools = read(tmp_path, GOOD.replace("KEY", "GONE"), keys=False)

    assert pools["original"].api_key.get_secret_value() == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pools = [", "Invalid value (at end of document)"),
        ("", "pools: it needs one at least, such as [pools.original]"),
        ("[pools]", "pools: it needs one at least, such as [pools.original]"),
        ("pools = 5", "pools: it needs one at least, such as [pools.original]"),
        (f"{GOOD}[others]", "others: unknown; the file has pools and aliases"),
        (f'aliases = "x"\n{GOOD}', "aliases: must be a table, such as [aliases]"),
        ("[pools]\noriginal = 5", "pools.original: must be a table"),
        (
            GOOD.replace("base_url", "base_uri"),
            "pools.original.base_url: Field required; "
            "pools.original.base_uri: Extra inputs are not permitted",
        ),
        (GOOD.replace("original", "Original"), "pools.Original.name: String should match pattern"),
        (f"{GOOD}weight = 0", "pools.original.weight: Input should be greater than 0"),
        (f'{GOOD}kind = "aws"', "pools.original.kind: Input should be 'openai' or 'azure'"),
        (
            f"{GOOD}[pools.original.groups.a]\nimages_per_minute = 0",
            "pools.original.groups.a.images_per_minute",
        ),
        (
            f"{GOOD}groups = {{}}",
            "pools.original: groups must not be empty; leave it out for one group of all models",
        ),
        (GOOD.replace("KEY", "GONE"), "pools.original: api_key_env: GONE is empty or not set"),
        (GOOD.replace("KEY", "EMPTY"), "pools.original: api_key_env: EMPTY is empty or not set"),
        (
            GOOD.replace('_env = "KEY"', '_file = "/no/such/key"'),
            "pools.original: api_key_file: /no/such/key: FileNotFoundError",
        ),
        (
            f'{GOOD}api_key_file = "x"',
            "pools.original: it needs api_key_env or api_key_file, one of them",
        ),
        (
            GOOD.replace('api_key_env = "KEY"', ""),
            "pools.original: it needs api_key_env or api_key_file, one of them",
        ),
        (
            f'{GOOD}api_key = "{KEY}"',
            "pools.original: api_key: a key does not belong in this file; name api_key_env or api_key_file",
        ),
        (
            f'{GOOD}[aliases]\nold = {{ pool = "gone" }}',
            "aliases.old: there is no pool 'gone'; there are: original",
        ),
        *(
            (f"{GOOD}[aliases]\nold = {said}", "aliases.old: must be a model, or { pool = ")
            for said in ("5", '""', "{}", '{ name = "x" }', '{ model = "x", pool = "original" }', "[]")
        ),
    ],
)
def test_a_fault_is_named_with_its_place_and_what_would_be_right(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in faults(tmp_path, text)


def test_an_inline_key_is_refused_where_none_is_read_too(tmp_path: Path) -> None:
    assert "a key does not belong in this file" in faults(tmp_path, f'{GOOD}api_key = "{KEY}"', keys=False)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"IMAGEMILL_POOLS_FILE: pools\.toml: .*No such file"):
        read_pools(tmp_path / "pools.toml", {})


def test_a_key_file_that_is_no_text_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY.encode() + b"\xff")
    said = faults(tmp_path, GOOD.replace('_env = "KEY"', f'_file = "{tmp_path / "key"}"'))

    assert said.endswith("UnicodeDecodeError")


def test_several_faults_are_all_named(tmp_path: Path) -> None:
    said = faults(
        tmp_path,
        f"{GOOD}weight = 0\nsurprise = 1\n"
        f'[pools.second]\nbase_url = "https://x/v1"\napi_key_env = "GONE"\n'
        f'[pools.third]\nbase_url = "https://x/v1"\napi_key = "{KEY}"\n',
    )

    for place in (
        "pools.original.weight",
        "pools.original.surprise",
        "pools.second: api_key_env",
        "third: api_key",
    ):
        assert place in said
    two = faults(tmp_path, f'{GOOD}[aliases]\nold = 5\nolder = {{ pool = "gone" }}\n')
    assert "aliases.old:" in two
    assert "aliases.older:" in two


@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param(
            GOOD.replace("KEY", "GONE") + "weight = 0",
            ("api_key_env", "weight"),
            id="of a pool without a key",
        ),
        pytest.param(f"{GOOD}weight = 0\n[aliases]\nold = 5", ("weight", "aliases.old"), id="of an alias"),
        pytest.param(f"{GOOD}weight = 0\n[others]", ("weight", "others"), id="beside an unknown table"),
    ],
)
def test_no_fault_hides_another(tmp_path: Path, text: str, places: tuple[str, ...]) -> None:
    said = faults(tmp_path, text)

    assert all(place in said for place in places)


def test_a_key_in_the_place_of_a_variables_name_is_not_shown(tmp_path: Path) -> None:
    faults(tmp_path, GOOD.replace("KEY", KEY))


def test_an_alias_whose_pool_is_no_text_is_a_fault(tmp_path: Path) -> None:
    assert "aliases.old" in faults(tmp_path, f'{GOOD}[aliases]\nold = {{ pool = ["original"] }}')


# --- the settings --------------------------------------------------------------------------------


def test_without_a_file_the_settings_of_a_single_api_are_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGEMILL_POOLS_FILE", raising=False)
    monkeypatch.setenv("IMAGEMILL_PROVIDER_API_KEY", KEY)
    monkeypatch.setenv("IMAGEMILL_PROVIDER_BASE_URL", "https://x/v1")
    monkeypatch.setenv("IMAGEMILL_PROVIDER_FREE_5XX", "true")
    monkeypatch.setenv("IMAGEMILL_PROVIDER_IMAGES_PER_MINUTE", "50")
    monkeypatch.setenv("IMAGEMILL_PROVIDER_TOKENS_PER_MINUTE", "unlimited")
    monkeypatch.setenv("IMAGEMILL_PRICES_FACTOR", "0.8")
    (pool,) = PoolSettings().load()

    assert (pool.name, pool.base_url, pool.free_5xx) == ("default", "https://x/v1", True)
    assert pool.price_factor == Decimal("0.8")
    assert pool.api_key.get_secret_value() == KEY
    assert pool.groups["default"].images_per_minute == 50
    assert pool.groups["default"].tokens_per_minute == "unlimited"
    assert pool.queue_of("anything") == "images.default.default"


def test_who_needs_no_key_is_not_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGEMILL_POOLS_FILE", raising=False)
    monkeypatch.delenv("IMAGEMILL_PROVIDER_API_KEY", raising=False)
    monkeypatch.setenv("IMAGEMILL_PRICES_FACTOR", "0.8")

    assert PoolSettings().load(keys=False).factor([], "anything") == Decimal("0.8")
    with pytest.raises(Misconfigured, match="IMAGEMILL_PROVIDER_API_KEY"):
        PoolSettings().load()


def test_the_file_comes_before_the_settings_of_a_single_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pools.toml"
    path.write_text(GOOD)
    monkeypatch.setenv("IMAGEMILL_POOLS_FILE", str(path))
    monkeypatch.setenv("KEY", KEY)

    assert PoolSettings().load().names == ["original"]
