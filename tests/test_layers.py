"""A module imports only from lower layers or, without cycles, from its own package."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: From the lowest up. Packages in one layer do not import each other.
FLOORS = ["errors", "signals api config", "stdio", "cli", "http", "ask", "chat batch", "commands", "main", "__main__"]
FLOOR = {name: number for number, names in enumerate(FLOORS, 1) for name in names.split()}
FILES = {str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path for path in ROOT.glob("llamacli/**/*.py")}


def imported(path: Path) -> Iterator[str]:
    """Yields the modules of llamacli that a file imports, at any depth and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("llamacli"):
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                yield name if name in FILES else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)


def test_imports_lead_down_and_never_in_a_cycle() -> None:
    arrows = {name: {target for target in imported(path) if target in FILES} for name, path in FILES.items()}
    for name, targets in arrows.items():
        for target in targets:
            here, there = name.split(".")[1], target.split(".")[1]
            is_lower = FLOOR.get(there, 0) < FLOOR.get(here, 0)
            assert here == there or is_lower, f"{name} imports {target}, which is not on a lower floor"
    TopologicalSorter(arrows).prepare()  # Raises CycleError, which names the cycle.


def test_a_package_has_a_docstring_and_imports_nothing() -> None:
    for path in ROOT.glob("llamacli/*/**/__init__.py"):
        statements = ast.parse(path.read_text()).body
        assert len(statements) == 1, f"{path} should hold one docstring"
        assert isinstance(statements[0], ast.Expr), f"{path} should hold one docstring"


def test_folders_and_modules_are_small() -> None:
    for folder in {path.parent for path in FILES.values()} - {ROOT / "llamacli"}:
        entries = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
        assert len(entries) <= 13, f"{folder} has {len(entries)} entries; twelve and __init__.py can be taken in"
    packages = list(ROOT.glob("llamacli/*/__init__.py"))
    assert len(packages) <= 9, f"llamacli has {len(packages)} packages; put the new one into another one"
    for path in FILES.values():
        lines = path.read_text().count("\n")
        assert lines <= 400, f"{path} has {lines} lines; give a part of it a module"
