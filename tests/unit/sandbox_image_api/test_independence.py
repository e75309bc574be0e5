import ast
from pathlib import Path

import sandbox.image_api as package

OURS = {"imagemill", "workflows", "activities", "api", "cli", "worker", "client", "dashboard"}


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_sandbox_shares_no_code_with_what_it_tries() -> None:
    folder = Path(package.__file__).parent
    imported = {name for path in folder.glob("*.py") for name in _imports(path)}
    assert not {name for name in imported if name.split(".")[0] in OURS}
    assert all(name.startswith("sandbox.image_api") for name in imported if name.startswith("sandbox"))
