"""What the pages show is what the code takes."""

import re
import shlex
from importlib import metadata
from pathlib import Path

import pytest
import typer

from api.models import JobBody
from api.rate import RateLimits
from cli.main import app
from docs.build import ROOT
from imagemill.domain.catalogue import Catalogue
from imagemill.pools_file import read_pools
from imagemill.templating.check import template_problems
from imagemill.tenants_file import read_tenants

HOWTO = ROOT / "docs" / "howto"
LOCK = (ROOT / "requirements-dev.lock").read_text()


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def test_the_submission_with_templates_is_taken() -> None:
    (text,) = blocks(HOWTO / "write-templates.md", "json")
    body = JobBody.model_validate_json(text)
    assert body.manifest
    columns = ["Handle", "Title", "Body (HTML)"]
    for template in (body.manifest.id or "", body.manifest.prompt or "", body.manifest.where or ""):
        assert template_problems(template, columns=columns) == []
    names = ("custom_id", "variant", "n", "ext")
    assert template_problems(body.output.key or "", names=names) == []


def test_every_shown_choice_of_rows_is_a_template() -> None:
    (text,) = blocks(HOWTO / "write-templates.md", "liquid")
    for line in text.splitlines():
        assert template_problems(line, columns=["Status", "Images", "Stock"]) == []


def test_the_shown_catalogue_can_be_read(tmp_path: Path) -> None:
    (text,) = [text for text in blocks(HOWTO / "use-the-real-provider.md", "toml") if "version =" in text]
    (tmp_path / "catalogue.toml").write_text(text)
    laid_over = set(Catalogue.load(tmp_path / "catalogue.toml").names) - set(Catalogue.load().names)
    assert laid_over == {"their-image-model", "their-flat-model"}


class AnyKey(dict[str, str]):
    """An environment that has every variable."""

    def get(self, key: str, default: object = None) -> str:
        return f"a key for {key}"


@pytest.mark.parametrize("page", ["use-the-real-provider", "use-azure", "use-a-compatible-provider"])
def test_the_shown_pools_can_be_read(page: str, tmp_path: Path) -> None:
    shown = [text for text in blocks(HOWTO / f"{page}.md", "toml") if "[pools." in text]
    assert shown
    for text in shown:
        (tmp_path / "pools.toml").write_text(text)
        assert read_pools(tmp_path / "pools.toml", AnyKey()).names


def test_the_shown_tenants_can_be_read() -> None:
    shown = blocks(HOWTO / "tenants-and-keys.md", "toml")
    assert shown
    for text in shown:
        roll = read_tenants(text.encode(), "tenants.toml")
        assert all(terms.keys or terms.removed for terms in roll.tenants.values())


def test_the_shown_rate_is_what_is_answered() -> None:
    (shown,) = [text for text in blocks(HOWTO / "tenants-and-keys.md", "text") if "RateLimit" in text]
    fields = RateLimits().take("key", 600).fields
    assert shown == "".join(f"{name}: {value}\n" for name, value in fields.items())


def test_the_models_that_are_named_are_those_of_the_catalogue() -> None:
    page = (HOWTO / "use-the-real-provider.md").read_text()
    named = {name for name in Catalogue.load().names if not re.search(r"-\d{4}-\d\d-\d\d$", name)}
    assert all(f"`{name}`" in page for name in named)


def direct() -> set[str]:
    requirements = metadata.requires("imagemill") or []
    names = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}
    return names - {"imagemill"}


@pytest.mark.parametrize("name", sorted(direct()))
def test_every_direct_dependency_is_listed_with_the_version_in_the_lock(name: str) -> None:
    pinned = re.search(rf"^{re.escape(name)}==(\S+)", LOCK, re.MULTILINE)
    assert pinned, f"{name} is not in the lock"
    page = (ROOT / "docs" / "reference" / "dependencies.md").read_text()
    assert f"| `{name}` | {pinned[1]} |" in page


def typed() -> list[list[str]]:
    """Every `imagemill` command that a page shows."""
    pages = sorted((ROOT / "docs").glob("**/*.md"))
    lines = (
        "\n".join(block for page in pages for block in blocks(page, "sh")).replace("\\\n", " ").splitlines()
    )
    return [shlex.split(line, comments=True) for line in lines if line.startswith("imagemill ")]


def test_every_shown_command_has_the_options_that_are_shown() -> None:
    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]
    own = {option for parameter in group.params for option in parameter.opts}
    for _, name, *arguments in typed():
        if name.startswith("--"):
            assert name in own
            continue
        command = commands[name]
        if hasattr(command, "commands"):
            command = command.commands[arguments[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= known


def test_commands_are_shown() -> None:
    assert {command[1] for command in typed()} >= {"submit", "status", "results", "worker", "api"}
