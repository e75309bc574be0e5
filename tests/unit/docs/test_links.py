from pathlib import Path

import pytest

from docs.links import anchors, broken_links, links, picture_problems


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "concepts").mkdir(parents=True)
    (tmp_path / "Makefile").write_text("")
    (tmp_path / "docs" / "concepts" / "money.md").write_text("# Money\n\n## The cap, in `nano`\n")
    return tmp_path


def broken(root: Path, text: str) -> list[str]:
    (root / "docs" / "page.md").write_text(text)
    return broken_links(root)


@pytest.mark.parametrize(
    "target",
    [
        "concepts/money.md",
        "concepts/money.md#the-cap-in-nano",
        "concepts",
        "../Makefile",
        "<concepts/money.md>",
        'concepts/money.md "a title"',
        "https://example.com/none",
        "mailto:somebody@example.com",
    ],
)
def test_a_link_that_leads_somewhere_is_fine(root: Path, target: str) -> None:
    assert broken(root, f"See [this]({target}).\n") == []


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("concepts/none.md", "concepts/none.md: there is no such file"),
        ("concepts/money.md#none", "concepts/money.md#none: that page has no anchor #none"),
        ("#none", "#none: that page has no anchor #none"),
        ("../Makefile#L3", "../Makefile#L3: only Markdown pages have anchors"),
        ("../../Makefile", "../../Makefile leads out of the repository"),
        ("/docs/concepts/money.md", "/docs/concepts/money.md leads out of the repository"),
        ("", "the link is empty"),
    ],
)
def test_a_broken_link_is_named_with_page_and_line(root: Path, target: str, problem: str) -> None:
    assert broken(root, f"# Page\n\nSee [this]({target}).\n") == [f"docs/page.md:3: {problem}"]


def test_reference_links_and_images_are_links_too(root: Path) -> None:
    assert broken(root, "![a](none.png) [b][1]\n\n[1]: none.md\n") == [
        "docs/page.md:1: none.png: there is no such file",
        "docs/page.md:3: none.md: there is no such file",
    ]


def test_pages_at_the_root_are_checked_and_others_are_not(root: Path) -> None:
    (root / "README.md").write_text("[docs](docs/none.md)\n")
    (root / ".venv").mkdir()
    (root / ".venv" / "theirs.md").write_text("[x](none.md)\n")
    assert broken_links(root) == ["README.md:1: docs/none.md: there is no such file"]


def test_what_stands_in_code_is_no_link() -> None:
    text = "`[a](b.md)` ``x ` [c](d.md)``\n\n```md\n[e](f.md)\n~~~\n```\n[g](h.md)\n"
    assert list(links(text)) == [(7, "h.md")]


def test_a_target_may_have_parentheses() -> None:
    assert list(links("[a](b_(c).md) and ([d](e.md))")) == [(1, "b_(c).md"), (1, "e.md")]


def test_anchors_are_those_of_github() -> None:
    text = "# The *paid* call\n## Cap ≥ spent\n## What's new?\n## [Link](x.md) `a_b-c`\n## Twice\n## Twice\n"
    assert anchors(text) == {"the-paid-call", "cap--spent", "whats-new", "link-a_b-c", "twice", "twice-1"}


def test_comments_in_code_are_no_headings() -> None:
    assert anchors('```sh\n# not one\n```\n<a id="named"></a>\n') == {"named"}


def test_every_picture_is_shown_and_named(root: Path) -> None:
    for name in ("shown.webp", "left.webp"):
        (root / "docs" / name).touch()
    (root / "docs" / "page.md").write_text("![A job](shown.webp)\n\n![](shown.webp) `![](code.png)`\n")

    assert picture_problems(root) == [
        "docs/page.md:3: say what the picture shows, between its brackets",
        "docs/left.webp: no page shows it",
    ]
