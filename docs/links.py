"""Do the relative links and anchors of Markdown pages lead somewhere, and is every picture shown?"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

_FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})")
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_INLINE = re.compile(r"\]\(\s*(?:<(?P<bracketed>[^>\n]*)>|(?P<plain>[^\s()]*(?:\([^\s()]*\)[^\s()]*)*))")
_NAMELESS = re.compile(r"!\[\s*\]")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(?P<target>[^\s>]+)>?")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(?P<text>.*?)\s*#*\s*$")
_NAMED = re.compile(r"<a\s+(?:id|name)=\"(?P<name>[^\"]+)\"")
PICTURES = (".avif", ".jpeg", ".jpg", ".png", ".svg", ".webp")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)


def broken_links(root: Path) -> list[str]:
    """Each link that leads nowhere, as ``page:line: what is wrong``."""
    root = root.resolve()
    return [
        f"{page.relative_to(root)}:{line}: {problem}"
        for page in pages(root)
        for line, target in links(page.read_text(encoding="utf-8"))
        if (problem := _problem(root, page, target))
    ]


def picture_problems(root: Path) -> list[str]:
    """Each picture under ``docs/`` that no page shows, and each place where one has no words in its stead."""
    root = root.resolve()
    texts = {page: page.read_text(encoding="utf-8") for page in pages(root)}
    shown = {
        (page.parent / unquote(target)).resolve() for page, text in texts.items() for _, target in links(text)
    }
    there = sorted(path for path in root.glob("docs/**/*") if path.suffix in PICTURES)
    return [
        f"{page.relative_to(root)}:{line}: say what the picture shows, between its brackets"
        for page, text in texts.items()
        for line, prose in _prose(text)
        if _NAMELESS.search(_CODE.sub("", prose))
    ] + [f"{path.relative_to(root)}: no page shows it" for path in there if path not in shown]


def pages(root: Path) -> list[Path]:
    """Every page that readers see: those at the root, and all under ``docs/``."""
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")])


def links(text: str) -> Iterator[tuple[int, str]]:
    """The targets of a page's links, with their lines; what stands in code is no link."""
    for number, line in _prose(text):
        plain = _CODE.sub("", line)
        for inline in _INLINE.finditer(plain):
            yield number, inline["plain"] if inline["bracketed"] is None else inline["bracketed"]
        if reference := _REFERENCE.match(plain):
            yield number, reference["target"]


def anchors(text: str) -> set[str]:
    """The anchors of a page, as GitHub makes them of headings."""
    seen: Counter[str] = Counter()
    found = set()
    for _, line in _prose(text):
        found |= {named["name"] for named in _NAMED.finditer(line)}
        if heading := _HEADING.match(line):
            slug = _slug(heading["text"])
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found


def _problem(root: Path, page: Path, target: str) -> str | None:
    if _SCHEME.match(target):
        return None
    path, _, anchor = unquote(target).partition("#")
    goal = (page.parent / path).resolve() if path else page
    problem = None
    if not path and not anchor:
        problem = "the link is empty"
    elif path.startswith("/") or not goal.is_relative_to(root):
        problem = f"{target} leads out of the repository"
    elif not goal.exists():
        problem = f"{target}: there is no such file"
    elif anchor and goal.suffix != ".md":
        problem = f"{target}: only Markdown pages have anchors"
    elif anchor and anchor not in anchors(goal.read_text(encoding="utf-8")):
        problem = f"{target}: that page has no anchor #{anchor}"
    return problem


def _slug(heading: str) -> str:
    shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines outside of code blocks."""
    fence = None
    for number, line in enumerate(text.splitlines(), start=1):
        match = _FENCE.match(line)
        if fence is None and match:
            fence = match["fence"]
        elif fence is None:
            yield number, line
        elif match and match["fence"].startswith(fence) and line.strip() == match["fence"]:
            fence = None
