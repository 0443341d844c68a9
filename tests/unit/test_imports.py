"""Who imports the extension: the import linter sees Python files alone."""

from __future__ import annotations

import ast
from pathlib import Path

import fastingress

PACKAGE = Path(fastingress.__file__).parent


def imports_the_core(path: Path) -> bool:
    """True when the file imports `fastingress._core`, for more than types."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body.clear()
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        home = node.module if isinstance(node, ast.ImportFrom) else None
        if home == "fastingress._core" or "fastingress._core" in names or (home == "fastingress" and "_core" in names):
            return True
    return False


def test_the_data_plane_is_reached_from_the_composition_root_alone() -> None:
    importers = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if imports_the_core(path)}
    root = {name for name in importers if name.startswith("app/")}
    assert importers - root <= {"publish/publisher.py", "library/gateway.py", "library/table.py"}
    assert root
