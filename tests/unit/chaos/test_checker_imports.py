"""The checker shares no belief with the service: it imports nothing of it, not even by way of others."""

import ast
import importlib.util
from pathlib import Path

import tests.chaos.checker

SERVICE = {"imagemill", "workflows", "activities", "api", "dashboard", "cli", "worker", "client"}
SERVICE |= {"imagemill_client"}
ROOT = Path(__file__).parents[3]


def imports(path: Path) -> set[str]:
    """Every module that a file names in its imports, with `from` targets, which may be modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def source(module: str) -> Path | None:
    """The file of a module of this repository."""
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)


def test_nothing_of_the_service_is_in_what_it_imports() -> None:
    waiting = sorted(Path(tests.chaos.checker.__file__).parent.glob("*.py"))
    seen, names = set(waiting), set()
    while waiting:
        for name in imports(waiting.pop()):
            names.add(name)
            if (path := source(name)) and path not in seen:
                seen.add(path)
                waiting.append(path)
    assert {name.partition(".")[0] for name in names}.isdisjoint(SERVICE)
    assert ROOT / "sandbox/image_api/pattern.py" in seen
    assert importlib.util.find_spec("imagemill") is not None, "the search would find what it looks for"
