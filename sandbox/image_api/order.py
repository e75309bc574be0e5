"""One validated request for images."""

from dataclasses import dataclass, replace
from hashlib import sha256

from sandbox.image_api import errors, inputs, sizes, tokens
from sandbox.image_api.attachments import Attachments
from sandbox.image_api.catalog import Catalog, Family, Model
from sandbox.image_api.fields import Fields, unsupported
from sandbox.image_api.inputs import Inputs
from sandbox.image_api.profiles import OPENAI, Profile

FORMATS = ("png", "jpeg", "webp")
BACKGROUNDS = ("auto", "transparent", "opaque")
PROMPT_CHARACTERS = 32_000
IDENTIFIER_CHARACTERS = 64
MOST_PARTIALS = 3

GENERATION = frozenset(
    {
        *("prompt", "model", "n", "size", "quality", "output_format", "output_compression", "background"),
        *("moderation", "complexity", "user", "safety_identifier", "stream", "partial_images"),
    }
)
EDIT = GENERATION | {"input_fidelity"}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be drawn, with every `auto` decided.

    Attributes:
        width: in pixels, as `height`.
        streamed: whether the answer is a stream of events.
        partials: how many partial images come before each image of a stream.
        identifier: the effective safety identifier, or nothing.
        inputs: what an edit starts from; None for a generation.
    """

    prompt: str
    model: Model
    n: int
    width: int
    height: int
    quality: str
    output_format: str
    compression: int
    transparent: bool
    streamed: bool = False
    partials: int = 0
    identifier: str = ""
    inputs: Inputs | None = None

    @property
    def endpoint(self) -> str:
        """`generations` or `edits`."""
        return "edits" if self.inputs else "generations"

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
            partials=self.partials,
            image_in=self.inputs.tokens(self.model.family) if self.inputs else 0,
        )

    @property
    def cost_nano(self) -> int:
        """What this order costs, in nano-dollars."""
        return self.usage.cost_nano(self.model.family.prices)

    def fewer(self, n: int) -> "Order":
        """The same order for `n` images."""
        return replace(self, n=n)


def read(body: object, catalog: Catalog, profile: Profile = OPENAI) -> Order:
    """Validate the body of a generation as the provider does.

    Raises:
        ApiError: 400 naming the parameter, or 404 for the model.
    """
    return _order(Fields(body, _known(GENERATION, profile)), catalog, profile)


def read_edit(body: object, attached: Attachments, catalog: Catalog, profile: Profile = OPENAI) -> Order:
    """Validate an edit as the provider does. Looks at its images: not for the event loop.

    Raises:
        ApiError: 400 naming the parameter, or 404 for the model.
    """
    fields = Fields(body, _known(EDIT, profile))
    order = _order(fields, catalog, profile)
    family = order.model.family
    given = inputs.check(attached, family, high_fidelity=_fidelity(fields, family) == "high")
    edit = replace(order, inputs=given)
    if fields.text("size", "auto") == "auto" and not fields.is_set("aspect_ratio"):
        width, height = sizes.like(given.images[0].width, given.images[0].height)
        edit = replace(edit, width=width, height=height)
    return edit


def _known(names: frozenset[str], profile: Profile) -> frozenset[str]:
    return (names - {"size"}) | {"aspect_ratio"} if profile.aspect_ratio else names


def _order(fields: Fields, catalog: Catalog, profile: Profile) -> Order:
    _check_unread(fields)
    model = _model(fields, catalog)
    width, height = _size(fields, model.family, profile)
    output_format = fields.choice("output_format", FORMATS, "png")
    streamed = fields.flag("stream")
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
        streamed=streamed,
        partials=_partials(fields, streamed=streamed),
        identifier=fields.short("safety_identifier", IDENTIFIER_CHARACTERS) or fields.text("user"),
    )


def _check_unread(fields: Fields) -> None:
    """Check what changes nothing in a picture of the sandbox."""
    fields.choice("moderation", ("auto", "low"), "auto")
    fields.choice("complexity", ("low", "medium", "high"), "medium")


def _prompt(fields: Fields) -> str:
    prompt = fields.required("prompt")
    if not 0 < len(prompt) <= PROMPT_CHARACTERS:
        message = f"Invalid 'prompt': expected 1 to {PROMPT_CHARACTERS} characters, but got {len(prompt)}."
        raise errors.invalid_value("prompt", message)
    return prompt


def _model(fields: Fields, catalog: Catalog) -> Model:
    name = fields.required("model")
    model = catalog.models.get(name)
    if model is None:
        raise errors.model_not_found(name, catalog.retired.get(name))
    return model


def _quality(fields: Fields, family: Family) -> str:
    quality = fields.text("quality", "auto")
    if quality == "auto":
        return "medium"
    if quality not in family.qualities:
        message = unsupported(quality, (*family.qualities, "auto"))
        raise errors.invalid_value("quality", message, type=errors.GENERATION)
    return quality


def _size(fields: Fields, family: Family, profile: Profile) -> sizes.Size:
    name = "aspect_ratio" if profile.aspect_ratio else "size"
    size = fields.text(name, "auto")
    if size == "auto":
        return 1024, 1024
    return sizes.of_ratio(size, family) if profile.aspect_ratio else sizes.read(size, family)


def _compression(fields: Fields, output_format: str) -> int:
    compression = fields.integer("output_compression", 0, 100, 100)
    if output_format == "png" and compression != 100:
        message = "Compression less than 100 is not supported for PNG output format."
        raise errors.invalid_value("output_compression", message, type=errors.GENERATION)
    return compression


def _transparent(fields: Fields, output_format: str) -> bool:
    transparent = fields.choice("background", BACKGROUNDS, "auto") == "transparent"
    if transparent and output_format == "jpeg":
        message = "Transparent background is not supported for JPEG output format."
        raise errors.invalid_value("background", message, type=errors.GENERATION)
    return transparent


def _partials(fields: Fields, *, streamed: bool) -> int:
    partials = fields.integer("partial_images", 0, MOST_PARTIALS, 0)
    if partials and not streamed:
        raise errors.invalid_value("partial_images", "'partial_images' is only supported with 'stream'.")
    return partials


def _fidelity(fields: Fields, family: Family) -> str:
    if not fields.is_set("input_fidelity"):
        return "low"
    if not family.fidelities:
        raise errors.invalid_value("input_fidelity", "'input_fidelity' is not supported by this model.")
    return fields.choice("input_fidelity", family.fidelities, "low")
