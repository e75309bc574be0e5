import json
from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.problems import KINDS
from docs import build
from docs.build import Group, Undescribed, check, generate, main, settings_page, stale_pages
from imagemill.domain.errors import EXPLANATIONS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    assert main([], tmp_path) == 0
    return tmp_path


def test_what_was_just_written_is_up_to_date(root: Path) -> None:
    assert main(["--check"], root) == 0


def test_a_stale_page_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "docs" / "reference" / "errors.md").write_text("# Errors\n")
    assert main(["--check"], root) == 1
    assert capsys.readouterr().err == "docs/reference/errors.md: is out of date; run python -m docs.build\n"


def test_a_missing_page_is_stale(root: Path) -> None:
    (root / "docs" / "reference" / "openapi.json").unlink()
    assert stale_pages(root, generate()) == [
        "docs/reference/openapi.json: is out of date; run python -m docs.build"
    ]


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    assert main(["--check"], tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_broken_links_are_found_with_the_stale_pages(root: Path) -> None:
    (root / "README.md").write_text("[none](docs/none.md)\n")
    assert check(root, generate()) == ["README.md:1: docs/none.md: there is no such file"]


def test_the_same_is_generated_twice() -> None:
    assert generate() == generate()


def test_the_description_of_the_api_names_its_paths() -> None:
    described = json.loads(build.openapi())
    assert described["openapi"].startswith("3.1")
    assert "/v1/jobs/{job}/cancel" in described["paths"]


def test_every_kind_and_code_is_on_the_page_of_errors() -> None:
    page = build.errors_page()
    assert all(f"`/problems/{kind.slug}` | {kind.status}" in page for kind in KINDS)
    assert all(f"| `{code}` | {text} |" in page for code, text in EXPLANATIONS.items())


class Example(BaseSettings):
    """An example."""

    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    key: SecretStr = Field(default=SecretStr("hush"), description="A key: <id>|<secret>.")
    many: int = Field(default=3, ge=1, le=9, description="How many.")
    some: int = Field(ge=2, description="Some.")


def test_settings_tell_default_and_limits_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "GROUPS", (Group("Example", Example, "nobody", {}),))
    page = settings_page()
    assert "hush" not in page
    assert "| `EXAMPLE_KEY` | a secret | A key: &lt;id>\\|&lt;secret>. |" in page
    assert "| `EXAMPLE_MANY` | `3` | How many. 1 to 9. |" in page
    assert "| `EXAMPLE_SOME` | required | Some. 2 or more. |" in page


def test_a_setting_that_nobody_describes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(BaseSettings):
        """Says nothing."""

        word: str = "x"

    monkeypatch.setattr(build, "GROUPS", (Group("Silent", Silent, "nobody", {}),))
    with pytest.raises(Undescribed, match=r"Silent\.word has no description"):
        settings_page()
