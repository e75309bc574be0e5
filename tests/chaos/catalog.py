"""Random work and random trouble, the same for the same seed."""

import random
from collections.abc import Sequence

from tests.acceptance.service import Json

MODELS = ("gpt-image-2.5-flare", "gpt-image-2.5-flare", "gpt-image-2.5-sunburst", "gpt-image-2")
SMALL = ("816x816",)
SIZES = (*SMALL, *SMALL, "1024x1024", "1024x1536", "1536x864")
QUALITIES = ("low", "low", "low", "medium")
TRIGGERS = ("forbidden-input", "forbidden-output")
COMMON = (
    "error_500_unbilled", "non_json_500", "reset_before_billing", "rate_limit",
    "error_500_billed", "reset_after_billing", "truncate", "empty_data",
    "no_usage", "zero_usage", "fewer_images", "wrong_mime", "url_instead", "extra_fields",
)  # fmt: skip
SLOW = ("hang", "drip", "delay")
ACCOUNT = ("insufficient_quota", "billing_hard_limit", "invalid_api_key", "unverified_org")


def items(chance: random.Random, word: str, count: int, sizes: Sequence[str] = SIZES) -> list[Json]:
    """Items of mixed costs; the word is in every prompt, and some are refused by moderation."""
    return [_item(chance, word, number) | {"size": chance.choice(sizes)} for number in range(count)]


def _item(chance: random.Random, word: str, number: int) -> Json:
    trigger = f" {chance.choice(TRIGGERS)}" if chance.random() < 0.06 else ""
    return {
        "custom_id": f"item-{number}",
        "prompt": f"A {'very ' * chance.randrange(4)}old jug, {word} number {number}{trigger}",
        "model": chance.choice(MODELS),
        "quality": chance.choice(QUALITIES),
        "n": chance.choice((1, 1, 1, 2, 3)),
        "output_format": "jpeg",
    }


def trouble(chance: random.Random, word: str, most: float) -> list[Json]:
    """Faults of every kind for the prompts with this word, each with a chance of its own."""
    plan: list[Json] = [
        {"kind": chance.choice(ACCOUNT), "times": chance.randint(1, 3), "skip": chance.randint(5, 25)},
        *({"kind": kind, "probability": chance.uniform(0, most)} for kind in COMMON),
        *({"kind": kind, "probability": chance.uniform(0, most / 3)} for kind in SLOW),
    ]
    return [fault | {"match": word} for fault in plan]
