"""What the page on input images shows is what the service takes."""

import json

from api.models import JobBody
from docs.build import ROOT
from imagemill.domain.errors import EXPLANATIONS
from imagemill.templating.check import template_problems
from tests.unit.docs.test_examples import HOWTO, blocks

PAGE = HOWTO / "reference-images-and-masks.md"


def test_the_shown_submissions_are_taken() -> None:
    catalog, product, _ = (json.loads(text) for text in blocks(PAGE, "json"))
    manifest = JobBody.model_validate(catalog).manifest
    assert manifest
    (table,) = blocks(PAGE, "csv")
    columns = table.splitlines()[0].split(",")
    for template in (manifest.id or "", manifest.prompt or "", *manifest.images):
        assert template_problems(template, columns=columns) == []
    items = JobBody.model_validate(product).items
    assert items
    assert items[0].mask


def test_the_shown_error_is_as_items_have_it() -> None:
    *_, error = (json.loads(text) for text in blocks(PAGE, "json"))
    assert error["detail"] == f"mask: {EXPLANATIONS[error['code']]}"


def test_every_code_of_an_input_image_is_explained() -> None:
    sources = [*(ROOT / "imagemill" / "inputs").glob("*.py"), ROOT / "activities" / "inputs.py"]
    text = "".join(path.read_text() for path in sources)
    for code in EXPLANATIONS:
        if code.startswith("input_"):
            assert f'"{code}"' in text
    for role in ("mask", "markup"):
        for fault in ("not_png", "without_alpha", "of_other_size"):
            assert f"{role}_{fault}" in EXPLANATIONS
