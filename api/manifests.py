"""What the manifest of a submission means: templates of its feed filled in, its matrix as variants."""

from itertools import product

from api.models import ManifestBody, MatrixBody, SourceBody
from imagemill.domain.job import Manifest, Variant
from imagemill.domain.request import Quality
from imagemill.inputs.reference import NoReference, Rules
from imagemill.manifest.feeds import FEEDS


def source_problems(rules: Rules, source: SourceBody) -> list[tuple[str, str]]:
    """What is wrong with the form of a source; what is there is found out at planning."""
    where = "/manifest/source"
    try:
        if source.newest is not None:
            rules.read_prefix(source.newest)
        elif source.url is not None and rules.read(source.url).kind != "address":
            return [(f"{where}/url", "is no address; give an https:// address")]
    except NoReference as error:
        return [(f"{where}/{'url' if source.url is not None else 'newest'}", error.problem)]
    return []


def manifest_of(body: ManifestBody) -> Manifest:
    """The manifest as it is written down: later versions of the service read it as this one does."""
    said = body.model_dump(exclude={"id", "prompt", "variants", "matrix"})
    feed = FEEDS.get(body.format)
    return Manifest(
        **said,
        id=body.id or (feed.id if feed else ""),
        prompt=body.prompt or (feed.prompt if feed else ""),
        variants=_variants(body),
    )


def _variants(body: ManifestBody) -> list[Variant]:
    if body.matrix:
        return matrix_variants(body.matrix)
    return [Variant(**variant.model_dump()) for variant in body.variants]


def matrix_variants(matrix: MatrixBody) -> list[Variant]:
    """Every size with every quality and every choice of words; named by what of them there is."""
    sizes: list[str | None] = [*matrix.sizes] or [None]
    qualities: list[Quality | None] = [*matrix.qualities] or [None]
    words: list[str | None] = [*matrix.words] or [None]
    return [
        Variant(
            name="-".join(part for part in (size, quality, word) if part),
            size=size,
            quality=quality,
            words=matrix.words[word] if word else None,
        )
        for size, quality, word in product(sizes, qualities, words)
    ]
