"""Which pool serves a model, and under what name its calls wait."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from imagemill.domain.pools import Alias, Group, Pool, Pools, quarantine_of, queue_name

KEY = "sk-very-secret"
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,5}", fullmatch=True)


def pool(name: str = "original", **said: Any) -> Pool:
    return Pool.model_validate({"name": name, "base_url": "https://x/v1", "api_key": KEY} | said)


def named(pools: list[Pool]) -> list[str]:
    return [pool.name for pool in pools]


@pytest.mark.parametrize(
    ("patterns", "model", "serves"),
    [
        (["*"], "gpt-image-2", True),
        (["gpt-image-2"], "gpt-image-2", True),
        (["gpt-image-2"], "gpt-image-2.5-flare", False),
        (["gpt-image-2*"], "gpt-image-2.5-flare", True),
        (["gpt-image-2*"], "my-gpt-image-2", False),
        (["flux-*", "gpt-*"], "gpt-image-2", True),
        (["GPT-*"], "gpt-image-2", False),
        ([], "gpt-image-2", False),
    ],
)
def test_a_pool_serves_what_a_pattern_matches(patterns: list[str], model: str, serves: bool) -> None:
    assert pool(models=patterns).serves(model) is serves


def test_a_model_that_no_group_holds_is_not_served() -> None:
    served = pool(models=["*"], groups={"two": {"models": ["gpt-image-2"]}})

    assert served.serves("gpt-image-2")
    assert not served.serves("gpt-image-1")
    with pytest.raises(KeyError):
        served.queue_of("gpt-image-1")


def test_the_first_group_that_holds_a_model_limits_it() -> None:
    served = pool(groups={"flare": {"models": ["*-flare"]}, "rest": {"models": ["gpt-*"]}})

    assert served.group_of("gpt-image-2.5-flare") == "flare"
    assert served.group_of("gpt-image-2.5-sunburst") == "rest"
    assert served.queue_of("gpt-image-2.5-flare") == "images.original.flare"


def test_a_pool_without_groups_has_one_of_all_models() -> None:
    assert dict(pool().groups) == {"default": Group()}
    assert pool().queue_of("whatever") == "images.original.default"
    with pytest.raises(ValidationError, match="leave it out for one group"):
        pool(groups={})


@given(NAMES, NAMES, NAMES, NAMES)
def test_no_two_groups_share_a_queue(pool: str, group: str, other: str, others: str) -> None:
    queues = [queue_name(pool, group), queue_name(other, others)]
    queues += [quarantine_of(queue) for queue in queues]

    assert len(set(queues)) == (4 if (pool, group) != (other, others) else 2)


@pytest.mark.parametrize("name", ["", "A", "a.b", "a/b", "-a", "a b", "a\n", "a" * 41])
def test_names_that_would_not_do_in_a_queue_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        pool(name)
    with pytest.raises(ValidationError):
        pool(groups={name: {}})


@pytest.mark.parametrize(
    "wrong",
    [
        {"price_factor": "0"},
        {"price_factor": "101"},
        {"weight": 0},
        {"kind": "other"},
        {"auth": "basic"},
        {"size_as": "pixels"},
        {"surprise": 1},
        {"groups": {"a": {"images_per_minute": 0}}},
        {"groups": {"a": {"images_per_minute": "many"}}},
        {"groups": {"a": {"surprise": 1}}},
    ],
)
def test_what_makes_no_pool_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        pool(**wrong)


def test_a_key_is_not_shown() -> None:
    shown = pool()

    assert shown.api_key == SecretStr(KEY)
    assert KEY not in f"{shown!r} {shown} {shown.model_dump_json()}"


# --- all of them ---------------------------------------------------------------------------------

POOLS = Pools(
    [
        pool("cheap", models=["gpt-image-2*"], price_factor="0.8"),
        pool("original", weight=5),
        pool("flux", models=["flux-1"], weight=9, price_factor="1.5"),
    ]
)


def test_the_heaviest_comes_first_and_the_file_decides_between_equals() -> None:
    assert POOLS.names == ["flux", "original", "cheap"]
    assert Pools([pool("b"), pool("a")]).names == ["b", "a"]
    assert [pool.name for pool in POOLS] == POOLS.names
    assert "cheap" in POOLS
    assert "gone" not in POOLS
    assert POOLS["cheap"].price_factor == Decimal("0.8")


@pytest.mark.parametrize(
    ("model", "wanted", "serving"),
    [
        ("gpt-image-2", [], ["original"]),
        ("flux-1", [], ["flux"]),
        ("gpt-image-2", ["cheap"], ["cheap"]),
        ("gpt-image-2", ["cheap", "original"], ["cheap", "original"]),
        ("gpt-image-2", ["original", "cheap"], ["original", "cheap"]),
        ("gpt-image-1", ["cheap", "original"], ["original"]),
        ("gpt-image-1", ["cheap"], []),
        ("gpt-image-2", ["gone", "cheap"], ["cheap"]),
    ],
)
def test_a_call_goes_where_the_job_says_or_to_the_first(
    model: str, wanted: list[str], serving: list[str]
) -> None:
    assert named(POOLS.serving(model, wanted)) == serving
    assert POOLS.queues(model, wanted) == [f"images.{name}.default" for name in serving]


def test_a_job_whose_pools_are_gone_goes_nowhere_else() -> None:
    # It named where its prompts may go, and at what factor.
    assert named(POOLS.serving("gpt-image-2", ["gone"])) == []


def test_no_pool_serves_where_no_pattern_matches() -> None:
    pools = Pools([pool("flux", models=["flux-*"])])

    assert pools.serving("gpt-image-2") == []
    assert pools.queues("gpt-image-2") == []
    assert pools.factor([], "gpt-image-2") == 1
    assert not pools.still_served("gpt-image-2")


@pytest.mark.parametrize(
    ("wanted", "factor"),
    [([], "1"), (["cheap"], "0.8"), (["cheap", "original"], "1"), (["cheap", "flux"], "0.8")],
)
def test_the_dearest_factor_of_those_that_may_be_paid_counts(wanted: list[str], factor: str) -> None:
    assert POOLS.factor(wanted, "gpt-image-2") == Decimal(factor)


def test_a_model_is_still_served_where_a_pool_names_it_itself() -> None:
    pools = Pools(
        [pool("original", weight=5), pool("reseller", models=["gpt-image-1"]), pool("some", models=["gpt-*"])]
    )

    assert pools.still_served("gpt-image-1", ["reseller"])
    assert pools.still_served("gpt-image-1", ["original", "reseller"])
    assert not pools.still_served("gpt-image-1")
    assert not pools.still_served("gpt-image-1", ["some"])


def test_an_alias_leads_to_a_model_and_to_the_pool_that_serves_it() -> None:
    pools = Pools(
        [pool("original", weight=5), pool("reseller")],
        {"old": Alias("gpt-image-2"), "gpt-image-1": Alias("gpt-image-1", "reseller")},
    )

    assert pools.alias("old") == Alias("gpt-image-2")
    assert pools.alias("gpt-image-2") is None
    assert named(pools.serving("gpt-image-2")) == ["original"]
    assert named(pools.serving("gpt-image-1")) == ["reseller"]
    assert named(pools.serving("gpt-image-1", ["original"])) == ["original"]
