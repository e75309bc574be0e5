"""What the page on catalog feeds shows is what the service takes."""

import json
import re

from api.manifests import manifest_of
from api.models import InvalidRow, JobBody
from docs.build import ROOT
from imagemill.domain.job import Format
from imagemill.manifest import check_head, merchant, shopify
from imagemill.manifest.feeds import FEEDS
from imagemill.templating.check import template_problems
from tests.unit.docs.test_examples import HOWTO, blocks

PAGE = HOWTO / "catalog-feeds.md"
REFERENCE = (ROOT / "docs" / "reference" / "manifest.md").read_text()
HEADS: dict[Format, bytes] = {
    "shopify-products": b"Handle,Published\n",
    "shopify-variants": b"Handle,Published\n",
    "merchant-tsv": b"id\ttitle\n",
}


def test_the_shown_submissions_are_taken() -> None:
    bodies = [JobBody.model_validate_json(text) for text in blocks(PAGE, "json")[:2]]
    assert len(bodies) == 2
    for body in bodies:
        assert body.manifest
        manifest = manifest_of(body.manifest)
        columns = check_head(HEADS[manifest.format], manifest.format)
        for text in (manifest.id, manifest.prompt, manifest.where or "", *manifest.images):
            assert template_problems(text, columns=columns) == []


def test_the_shown_submission_of_a_source_is_taken() -> None:
    body = JobBody.model_validate_json(blocks(PAGE, "json")[3])
    assert body.manifest
    assert body.manifest.source
    assert (body.manifest.source.newest, body.reuse) == ("s3://shop-exports/feeds/", "tenant")


def test_the_variants_that_are_named_are_those_of_the_matrix() -> None:
    manifest = JobBody.model_validate_json(blocks(PAGE, "json")[1]).manifest
    assert manifest
    for variant in manifest_of(manifest).variants:
        assert f"`{variant.name}`" in PAGE.read_text()


def test_the_shown_choices_of_rows_are_templates() -> None:
    shown = re.findall(r'--where "(.*?)"', PAGE.read_text())
    assert len(shown) == 2
    columns = [*(check_head(HEADS["shopify-products"], "shopify-products") or []), *merchant.COLUMNS]
    for text in shown:
        assert template_problems(text, columns=columns) == []


def test_the_shown_bad_row_is_as_rows_are_told() -> None:
    assert InvalidRow.model_validate(json.loads(blocks(PAGE, "json")[2])).detail == "the prompt is empty"


def test_every_feed_and_every_column_is_on_the_page() -> None:
    for form in FEEDS:
        assert f"`{form}`" in PAGE.read_text()
        assert f"`{form}`" in REFERENCE
    for column in (*shopify.PRODUCT, *shopify.VARIANT, *merchant.COLUMNS):
        assert f"`{column}`" in REFERENCE
