import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer
from typer.testing import CliRunner

from cli import patience
from cli.answers import Validation
from cli.client import Client
from cli.errors import ServiceAway
from cli.job_source import uploaded
from cli.main import app
from cli.patience import patiently
from cli.service import Service
from cli.submission import manifest_body, manifest_format, rendition, variant, with_file
from cli.submit import send
from cli.submit_options import Encoding, Feed, Format, OnExhausted, OnUnknown, Options
from tests.unit.cli.answers import JOB, Script, answer, job, validation

SERVICE = Service("http://mill.test", "im_id_secret")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []

    async def pause(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(patience, "sleep", pause)
    return taken


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("square:1024x1024", {"name": "square", "size": "1024x1024"}),
        ("hero_2:auto:high", {"name": "hero_2", "size": "auto", "quality": "high"}),
    ],
)
def test_variants(text: str, parsed: dict[str, str]) -> None:
    assert variant(text) == parsed


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("web:800", {"name": "web", "width": 800}),
        (
            "web:800x600:webp:80",
            {"name": "web", "width": 800, "height": 600, "format": "webp", "quality": 80},
        ),
        ("card:600x400:cover", {"name": "card", "width": 600, "height": 400, "fit": "cover"}),
    ],
)
def test_renditions(text: str, parsed: dict[str, object]) -> None:
    assert rendition(text) == parsed
    options = Options(renditions=[text])
    assert manifest_body(options, "csv")["renditions"] == [parsed]
    assert options.given == ["--rendition"]


@pytest.mark.parametrize("text", ["web", "web:wide", "Web:800", "web:800:gif", "web:800x600x1"])
def test_what_is_no_rendition_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no rendition; one looks like web:800x800:webp:80"):
        rendition(text)


def test_what_is_not_said_is_left_to_the_service() -> None:
    options = Options(id="{{ row.Sku }}", prompt="p", model="m", limit_usd="1.00")
    assert with_file(manifest_body(options, "csv"), "file_1") == {
        "defaults": {"model": "m"},
        "manifest": {"format": "csv", "id": "{{ row.Sku }}", "prompt": "p", "file_id": "file_1"},
        "budget": {"limit_usd": "1.00"},
    }


@pytest.mark.parametrize(
    ("name", "feed", "form"),
    [
        ("a.csv", None, "csv"),
        ("a.CSV.gz", None, "csv"),
        ("a.tsv", None, "csv"),
        ("a.ndjson.gz", None, "jsonl"),
        ("a.csv", "shopify-products", "shopify-products"),
        ("feed", "merchant-xml", "merchant-xml"),
    ],
)
def test_the_format_is_that_of_the_feed_or_of_the_name(name: str, feed: str | None, form: str) -> None:
    assert manifest_format(Path(name), feed) == form


def test_a_feed_brings_its_templates() -> None:
    options = Options(feed=Feed.MERCHANT_XML, encoding=Encoding.WINDOWS_1252, model="m", limit_usd="1.00")
    assert manifest_body(options, "merchant-xml")["manifest"] == {
        "format": "merchant-xml",
        "encoding": "windows-1252",
    }
    assert set(options.given) == {"--feed", "--encoding", "--model", "--limit-usd"}


def test_everything_said() -> None:
    options = Options(
        id="i", prompt="p", where="w", images=["a", "b"], mask="m", markup="u",
        variants=["a:16x16:low"], model="m", size="s", quality="q", format=Format.WEBP, n=2, key="k",
        limit_usd="1", on_exhausted=OnExhausted.SKIP, on_unknown=OnUnknown.HOLD, name="n", priority=1,
        pools=["a", "b"],
    )  # fmt: skip
    assert manifest_body(options, "jsonl") == {
        "name": "n",
        "defaults": {"model": "m", "size": "s", "quality": "q", "output_format": "webp", "n": 2},
        "manifest": {
            "format": "jsonl",
            "id": "i",
            "prompt": "p",
            "where": "w",
            "images": ["a", "b"],
            "mask": "m",
            "markup": "u",
            "variants": [{"name": "a", "size": "16x16", "quality": "low"}],
        },
        "output": {"key": "k"},
        "budget": {"limit_usd": "1", "on_exhausted": "skip"},
        "on_unknown": "hold",
        "priority": 1,
        "pools": ["a", "b"],
    }
    assert set(options.given) == {
        "--id", "--prompt", "--where", "--variant", "--model", "--size", "--quality", "--format", "--n",
        "--key", "--limit-usd", "--on-exhausted", "--on-unknown", "--name", "--priority", "--pool",
        "--image", "--mask", "--markup",
    }  # fmt: skip


FULL = ["--id", "i", "--prompt", "p", "--model", "m", "--limit-usd", "1"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give a manifest FILE"),
        (["none.csv", *FULL], "does not exist"),
        (["shop.xml", *FULL], "ends with .csv, .tsv"),
        (["shop.csv", "--id", "i"], "needs --prompt, --model"),
        (["shop.xml", "--feed", "merchant-xml"], "needs --model, --limit-usd"),
        (["shop.csv", *FULL, "--feed", "shop"], "for '--feed'"),
        (["shop.csv", *FULL, "--encoding", "latin-9"], "for '--encoding'"),
        (["shop.csv", *FULL, "--variant", "square"], "is no variant"),
        (["shop.csv", *FULL, "--variant", "a/b:1x1"], "is no variant"),
        (["shop.csv", *FULL, "--n", "11"], "for '--n'"),
        (["shop.csv", *FULL, "--format", "gif"], "gif"),
        (["shop.csv", *FULL, "--on-exhausted", "retry"], "for '--on-exhausted'"),
        (["shop.csv", *FULL, "--ask-above", "much"], "'much' is no amount"),
        (["shop.csv", *FULL, "--ask-above", "nan"], "'nan' is no amount"),
        (["shop.csv", *FULL, "--estimate", "--watch"], "leave out --watch"),
        (["shop.csv", *FULL, "--estimate", "-y"], "and --yes"),
        (["--job", "job.json", "--model", "m"], "leave out --model"),
        (["--job", "job.json", "--on-unknown", "hold"], "leave out --on-unknown"),
        (["--job", "none.json"], "can't be read"),
        (["--job", "shop.csv"], "is no JSON"),
        (["--job", "list.json"], "no object"),
        (["shop.csv", "--job", "job.json"], "has no manifest"),
    ],
)
def test_usage_errors(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {"shop.csv": "a\n", "shop.xml": "a\n", "job.json": "{}", "list.json": "[]"}.items():
        Path(name).write_text(text)
    result = CliRunner().invoke(app, ["submit", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert words in result.output


@pytest.mark.parametrize(
    "failure", [httpx2.ReadError("reset"), httpx2.ConnectError("refused"), answer({"title": "Away"}, 503)]
)
async def test_a_retry_has_the_same_key(failure: Any, capsys: pytest.CaptureFixture[str]) -> None:
    script = Script(failure, failure, answer(job(), 202))
    async with Client(SERVICE, script.transport) as client:
        assert (await send(client, {"budget": {}}, "once")).model.id == JOB
    assert [request.headers["Idempotency-Key"] for request in script.requests] == ["once"] * 3
    assert len({request.content for request in script.requests}) == 1
    assert capsys.readouterr().err.count("Trying again.") == 1


async def test_a_manifest_is_uploaded_once(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("Handle\na\n")
    script = Script(httpx2.ReadError("reset"), answer({"id": "file_1"}, 201))
    async with Client(SERVICE, script.transport) as client:
        body = await uploaded(client, {"manifest": {"id": "i"}}, tmp_path / "shop.csv")
    assert body == {"manifest": {"id": "i", "file_id": "file_1"}}
    assert [request.url.path for request in script.requests] == ["/v1/files"] * 2


async def test_patience_ends(pauses: list[float]) -> None:
    said: list[str] = []

    async def away() -> None:
        raise ServiceAway("away.", wait=60.0 if len(pauses) > 1 else None)

    with pytest.raises(ServiceAway):
        await patiently(away, say=said.append)
    assert (pauses, said) == ([0.2, 0.5, 5.0, 5.0], ["away. Trying again."])


def test_the_json_of_a_whole_job_is_sent_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    async def validate(_: Client, body: object) -> object:
        sent.append(body)
        return Validation.model_validate(validation())

    async def submit(_: Client, body: object, key: str) -> object:
        sent.append((body, len(key)))
        raise ServiceAway("enough")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Client, "validate", validate)
    monkeypatch.setattr(Client, "submitted", submit)
    monkeypatch.setattr(patience, "WAITS", ())
    environment = {"IMAGEMILL_URL": "http://mill.test", "IMAGEMILL_API_KEY": "im_id_secret"}
    body = {"items": [{"custom_id": "é"}], "extra": 1}
    result = CliRunner().invoke(app, ["submit", "--job", "-"], input=json.dumps(body), env=environment)
    assert (result.exit_code, sent) == (5, [body, (body, 32)])
    assert "Error: enough" in result.output
    assert "secret" not in result.output
