"""One validated request for images."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from sandbox.image_api import errors, tokens
from sandbox.image_api.catalog import Catalog, Family, Model

FORMATS = ("png", "jpeg", "webp")
BACKGROUNDS = ("auto", "transparent", "opaque")
PROMPT_CHARACTERS = 32_000
PIXELS = range(655_360, 8_294_400 + 1)
LONGEST_EDGE = 3840


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be drawn, with every `auto` decided. `width` and `height` are in pixels."""

    prompt: str
    model: Model
    n: int
    width: int
    height: int
    quality: str
    output_format: str
    compression: int
    transparent: bool

    @property
    def size(self) -> str:
        """The size as the API writes it."""
        return f"{self.width}x{self.height}"

    @property
    def prompt_sha256(self) -> str:
        """The SHA-256 of the prompt's UTF-8, in hex."""
        return sha256(self.prompt.encode()).hexdigest()

    @property
    def usage(self) -> tokens.Usage:
        """The tokens that this order takes."""
        return tokens.usage(
            self.model.family,
            self.prompt,
            self.quality,
            width=self.width,
            height=self.height,
            images=self.n,
        )

    @property
    def cost_nano(self) -> int:
        """What this order costs, in nano-dollars."""
        return self.usage.cost_nano(self.model.family.prices)

    def fewer(self, n: int) -> "Order":
        """The same order for `n` images."""
        return replace(self, n=n)


def read(body: object, catalog: Catalog) -> Order:
    """Validate a request body as the provider does.

    Raises:
        ApiError: 400 naming the parameter, or 404 for the model.
    """
    fields = _Fields(body)
    model = _model(fields, catalog)
    width, height = _size(fields, model.family)
    output_format = fields.choice("output_format", FORMATS, "png")
    return Order(
        prompt=_prompt(fields),
        model=model,
        n=fields.integer("n", 1, 10, 1),
        width=width,
        height=height,
        quality=_quality(fields, model.family),
        output_format=output_format,
        compression=_compression(fields, output_format),
        transparent=_transparent(fields, output_format),
    )


class _Fields:
    """The body's parameters by name; null stands for absent."""

    def __init__(self, body: object) -> None:
        if not isinstance(body, dict):
            raise errors.malformed_json()
        for name in body:
            if name not in _KNOWN:
                raise errors.unknown_parameter(name)
        self._values = {name: value for name, value in body.items() if value is not None}
        for name, check in _KNOWN.items():
            if check is not None and name in self._values:
                check(self, name)

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name, default)
        if not isinstance(value, str):
            raise errors.invalid_type(name, "a string")
        # JSON can spell halves of characters, which no UTF-8 can hold.
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise errors.invalid_value(name, f"Invalid '{name}': not valid Unicode.")
        return value

    def required(self, name: str) -> str:
        if name not in self._values:
            raise errors.missing(name)
        return self.text(name)

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise errors.invalid_value(name, _unsupported(value, choices))
        return value

    def integer(self, name: str, low: int, high: int, default: int) -> int:
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise errors.invalid_type(name, "an integer")
        if not low <= value <= high:
            message = f"Invalid '{name}': expected a value from {low} to {high}, but got {value} instead."
            raise errors.invalid_value(name, message)
        return value

    def is_set(self, name: str) -> bool:
        return name in self._values

    def refuse_streaming(self, name: str) -> None:
        if self._values[name] is not False:
            raise errors.invalid_value(name, "Streaming is not available.")


Check = Callable[[_Fields, str], Any]

# Every parameter that is known, with its check where nothing else reads it.
_KNOWN: dict[str, Check | None] = {
    "prompt": None,
    "model": None,
    "n": None,
    "size": None,
    "quality": None,
    "output_format": None,
    "output_compression": None,
    "background": None,
    "moderation": lambda fields, name: fields.choice(name, ("auto", "low"), "auto"),
    "complexity": lambda fields, name: fields.choice(name, ("low", "medium", "high"), "medium"),
    "user": _Fields.text,
    "safety_identifier": _Fields.text,
    "stream": _Fields.refuse_streaming,
}


def _unsupported(value: str, choices: tuple[str, ...]) -> str:
    names = ", ".join(f"'{choice}'" for choice in choices)
    return f"Invalid value: '{value}'. Supported values are: {names}."


def _prompt(fields: _Fields) -> str:
    prompt = fields.required("prompt")
    if not 0 < len(prompt) <= PROMPT_CHARACTERS:
        message = f"Invalid 'prompt': expected 1 to {PROMPT_CHARACTERS} characters, but got {len(prompt)}."
        raise errors.invalid_value("prompt", message)
    return prompt


def _model(fields: _Fields, catalog: Catalog) -> Model:
    name = fields.required("model")
    model = catalog.models.get(name)
    if model is None:
        raise errors.model_not_found(name, catalog.retired.get(name))
    return model


def _quality(fields: _Fields, family: Family) -> str:
    quality = fields.text("quality", "auto")
    if quality == "auto":
        return "medium"
    if quality not in family.qualities:
        message = _unsupported(quality, (*family.qualities, "auto"))
        raise errors.invalid_value("quality", message, type=errors.GENERATION)
    return quality


def _size(fields: _Fields, family: Family) -> tuple[int, int]:
    size = fields.text("size", "auto")
    if size == "auto":
        return 1024, 1024
    if family.sizes and size not in family.sizes:
        message = _unsupported(size, (*family.sizes, "auto"))
        raise errors.invalid_value("size", message, type=errors.GENERATION)
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", size, re.ASCII)
    fault = "expected WIDTHxHEIGHT or auto" if match is None else _size_fault(int(match[1]), int(match[2]))
    if match is None or fault:
        raise errors.invalid_value("size", f"Invalid size '{size}': {fault}.", type=errors.GENERATION)
    return int(match[1]), int(match[2])


def _size_fault(width: int, height: int) -> str | None:
    if width % 16 or height % 16:
        return "width and height must both be divisible by 16"
    if max(width, height) > LONGEST_EDGE:
        return f"the longest edge must be at most {LONGEST_EDGE} pixels"
    if max(width, height) > 3 * min(width, height):
        return "the aspect ratio must be between 1:3 and 3:1"
    if width * height not in PIXELS:
        return f"the total must be {PIXELS.start} to {PIXELS.stop - 1} pixels"
    return None


def _compression(fields: _Fields, output_format: str) -> int:
    compression = fields.integer("output_compression", 0, 100, 100)
    if output_format == "png" and compression != 100:
        message = "Compression less than 100 is not supported for PNG output format."
        raise errors.invalid_value("output_compression", message, type=errors.GENERATION)
    return compression


def _transparent(fields: _Fields, output_format: str) -> bool:
    transparent = fields.choice("background", BACKGROUNDS, "auto") == "transparent"
    if transparent and output_format == "jpeg":
        message = "Transparent background is not supported for JPEG output format."
        raise errors.invalid_value("background", message, type=errors.GENERATION)
    return transparent
