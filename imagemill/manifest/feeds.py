"""The templates of known feeds, where a submission leaves them out."""

from dataclasses import dataclass

from imagemill.domain.job import Format


@dataclass(frozen=True, slots=True)
class Templates:
    """Liquid over a feed's rows. A product without a title gets no prompt, and so is a bad row."""

    id: str
    prompt: str


_SCENE = "on a plain white background, in soft studio light."
_SHOP_PROMPT = (
    "{% if row.Title != '' %}Product photo of {{ row.Title | strip }}@ "
    + _SCENE
    + " {{ row['Body (HTML)'] | strip_html | truncate: 300 }}{% endif %}"
)
_OPTIONS = "{% if row.options.size > 0 %} ({{ row.options | join: ', ' }}){% endif %}"
_MERCHANT = Templates(
    id="{{ row.id }}",
    prompt="{% if row.title != '' %}Product photo of {{ row.title }} "
    + _SCENE
    + " {{ row.description | strip_html | truncate: 300 }}{% endif %}",
)

FEEDS: dict[Format, Templates] = {
    "shopify-products": Templates(id="{{ row.Handle }}", prompt=_SHOP_PROMPT.replace("@", "")),
    "shopify-variants": Templates(
        id="{{ row.Handle }}" + _OPTIONS, prompt=_SHOP_PROMPT.replace("@", _OPTIONS)
    ),
    "merchant-tsv": _MERCHANT,
    "merchant-xml": _MERCHANT,
}
