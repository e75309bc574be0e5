"""What goes out for a request: addresses, keys, parameters, files."""

import email.parser
import email.policy
import json
from email.message import EmailMessage
from typing import Any

import httpx2
import pytest

from imagemill.domain.request import ImageRequest
from imagemill.ports import NO_INPUTS, SentImage, SentInputs
from imagemill.providers.sending import aspect_ratio
from tests.fakes.provider import picture
from tests.unit.providers.wire import KEY, REQUEST, SECRET, provider

PNG, JPEG, WEBP = (picture("red", form) for form in ("PNG", "JPEG", "WEBP"))
SAID = {"prompt": SECRET, "model": "gpt-image-2", "size": "1024x1024", "quality": "low", "n": 1}
ALL = {
    "n": 3,
    "output_format": "webp",
    "output_compression": 0,
    "background": "transparent",
    "moderation": "low",
    "complexity": "high",
    "safety_identifier": "0123abcd",
}
FULL = REQUEST.model_copy(update=ALL | {"input_fidelity": "high"})


async def sent(request: ImageRequest, inputs: SentInputs = NO_INPUTS, **said: Any) -> httpx2.Request:
    """The one request that goes out."""
    seen: list[httpx2.Request] = []

    def handler(came: httpx2.Request) -> httpx2.Response:
        seen.append(came)
        return httpx2.Response(200, json={"data": [{"b64_json": "YQ=="}]})

    await provider(handler, **said).generate(request, deadline=5, inputs=inputs)
    assert len(seen) == 1
    return seen[0]


def form_of(request: httpx2.Request) -> tuple[dict[str, str], list[tuple[str, str, str, bytes]]]:
    """A form's texts by name, and its files as name, file name, MIME type and bytes."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(EmailMessage, policy=email.policy.HTTP).parsebytes(
        head + request.content
    )
    texts, files = {}, []
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        body = part.get_payload(decode=True)
        assert isinstance(body, bytes)
        if filename := part.get_filename():
            files.append((name, filename, part.get_content_type(), body))
        else:
            texts[name] = body.decode()
    return texts, files


async def test_a_plain_request_says_only_what_was_said() -> None:
    request = await sent(REQUEST)

    assert (request.method, str(request.url)) == ("POST", "http://api/v1/images/generations")
    assert json.loads(request.content) == SAID | {"output_format": "png"}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "api-key" not in request.headers


async def test_everything_that_is_said_is_sent() -> None:
    request = await sent(FULL)

    assert json.loads(request.content) == SAID | ALL


async def test_an_edit_is_a_form_with_files_named_by_their_format() -> None:
    images = [SentImage(PNG, "png"), SentImage(JPEG, "jpeg"), SentImage(WEBP, "webp")]
    request = await sent(FULL, SentInputs(images, mask=SentImage(PNG, "png")))

    assert str(request.url) == "http://api/v1/images/edits"
    texts, files = form_of(request)
    assert texts == {name: str(said) for name, said in (SAID | ALL).items()} | {"input_fidelity": "high"}
    assert files == [
        ("image[]", "image-1.png", "image/png", PNG),
        ("image[]", "image-2.jpg", "image/jpeg", JPEG),
        ("image[]", "image-3.webp", "image/webp", WEBP),
        ("mask", "mask.png", "image/png", PNG),
    ]


async def test_a_single_image_and_a_markup() -> None:
    inputs = SentInputs([SentImage(JPEG, "jpeg")], markup=SentImage(PNG, "png"))
    texts, files = form_of(await sent(REQUEST, inputs))

    assert texts == {**SAID, "n": "1", "output_format": "png"}
    assert files == [
        ("image", "image-1.jpg", "image/jpeg", JPEG),
        ("markup", "markup.png", "image/png", PNG),
    ]


@pytest.mark.parametrize(
    ("size_as", "size", "expected"),
    [
        ("size", "1536x864", {"size": "1536x864"}),
        ("size", "auto", {"size": "auto"}),
        ("aspect_ratio", "1536x864", {"aspect_ratio": "16:9"}),
        ("aspect_ratio", "auto", {}),
        ("nothing", "1536x864", {}),
    ],
)
@pytest.mark.parametrize("editing", [False, True])
async def test_the_size_is_told_as_the_provider_wants_it(
    size_as: str, size: str, expected: dict[str, str], editing: bool
) -> None:
    request = FULL.model_copy(update={"size": size})
    inputs = SentInputs([SentImage(PNG, "png")]) if editing else NO_INPUTS
    came = await sent(request, inputs, size_as=size_as)
    said = form_of(came)[0] if editing else json.loads(came.content)

    assert {name: said[name] for name in ("size", "aspect_ratio") if name in said} == expected
    assert said["moderation"] == "low"


@pytest.mark.parametrize(
    ("size", "ratio"),
    [("1024x1024", "1:1"), ("1536x1024", "3:2"), ("864x1536", "9:16"), ("auto", None), ("0x0", "0:0")],
)
def test_aspect_ratios(size: str, ratio: str | None) -> None:
    assert aspect_ratio(size) == ratio


@pytest.mark.parametrize("editing", [False, True])
async def test_azure_has_deployment_and_version_in_the_address_and_the_key_in_a_header(
    editing: bool,
) -> None:
    inputs = SentInputs([SentImage(PNG, "png")]) if editing else NO_INPUTS
    request = await sent(
        REQUEST,
        inputs,
        kind="azure",
        base_url="https://name.openai.azure.com/",
        query={"api-version": "2025-04-01-preview"},
        deployments={"gpt-image-2": "our deployment/1"},
    )

    path = "edits" if editing else "generations"
    assert str(request.url) == (
        f"https://name.openai.azure.com/openai/deployments/our%20deployment%2F1/images/{path}"
        "?api-version=2025-04-01-preview"
    )
    assert request.headers["api-key"] == KEY
    assert "authorization" not in request.headers


async def test_a_model_without_a_named_deployment_is_deployed_under_its_own_name() -> None:
    request = await sent(REQUEST, kind="azure", base_url="https://name.openai.azure.com")

    assert request.url.path == "/openai/deployments/gpt-image-2/images/generations"


async def test_a_compatible_provider_may_want_the_key_in_another_header_and_a_query() -> None:
    request = await sent(REQUEST, auth="api-key", query={"tenant": "a b"})

    assert str(request.url) == "http://api/v1/images/generations?tenant=a+b"
    assert request.headers["api-key"] == KEY
    assert "authorization" not in request.headers


@pytest.mark.parametrize("auth", ["bearer", "api-key"])
async def test_nothing_of_the_environment_goes_to_a_provider(
    auth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool's key must not be mixed with what the SDK finds for the original provider."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-other")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-other")
    monkeypatch.setenv("OPENAI_API_KEY", "key-other")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://other/v1")
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "token-other")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer other\nOpenAI-Project: other")
    for kind in ("openai", "azure"):
        request = await sent(REQUEST, auth=auth, kind=kind)

        assert request.url.host == "api"
        assert "other" not in str(request.headers)
        assert "openai-organization" not in request.headers
        assert "openai-project" not in request.headers
