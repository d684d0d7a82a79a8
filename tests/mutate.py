"""Changes one thing at a time in a copy of the program, and reports changes that no test notices.

python -m tests.mutate http 20 [SEED]: twenty changes in llamacli/http, each tried against
tests/http and the tests that are named below. Exits with 1 if a change survives.
"""

from __future__ import annotations

import ast
import copy
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.world import ROOT

#: Tests of a package outside of its own folder.
ALSO = {
    "api": ("tests/http", "tests/program/test_matrix.py"),
    "http": ("tests/api", "tests/program/test_matrix.py", "tests/commands/test_raw.py"),
    "batch": ("tests/program/test_matrix.py",),
    "chat": (),
}
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes that may replace a node."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        yield node.values[0]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield ast.BinOp(node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.right)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()
    elif isinstance(node, ast.If) and not node.orelse:
        yield ast.If(ast.Constant(True), node.body, [])
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.Constant(None))


class Swap(ast.NodeTransformer):
    """Replaces the node at one position of the tree, in the order of a walk."""

    def __init__(self, number: int, new: ast.AST) -> None:
        self.number, self.new, self.count = number, new, -1

    def visit(self, node: ast.AST) -> ast.AST:
        self.count += 1
        return self.new if self.count == self.number else super().generic_visit(node)


class Numbers(ast.NodeVisitor):
    """Lists nodes in the order in which Swap counts them."""

    def __init__(self) -> None:
        self.nodes: list[ast.AST] = []

    def visit(self, node: ast.AST) -> None:
        self.nodes.append(node)
        self.generic_visit(node)


def mutants(package: str, dice: random.Random) -> Iterator[tuple[Path, int, str, str]]:
    """Yields a file of the package, a line, the change in words, and the changed text, in random order."""
    places = []
    for path in sorted((ROOT / "llamacli" / package).rglob("*.py")):
        numbers = Numbers()
        numbers.visit(ast.parse(path.read_text()))
        for number, node in enumerate(numbers.nodes):
            places += [(path, number, node, new) for new in changes(node) if ast.dump(node) != ast.dump(new)]
    dice.shuffle(places)
    for path, number, node, new in places:
        tree = Swap(number, copy.deepcopy(new)).visit(ast.parse(path.read_text()))
        words = f"{ast.unparse(node).splitlines()[0]}  ->  {ast.unparse(new).splitlines()[0]}"
        yield path, getattr(node, "lineno", 0), words, ast.unparse(ast.fix_missing_locations(tree))


def main(package: str, count: int, seed: int) -> int:
    survivors = 0
    tests = [f"tests/{package}", *ALSO.get(package, ())]
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder, "project")
        skipped = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "build")
        shutil.copytree(ROOT, copied, ignore=skipped)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", *tests]
        for _, (path, line, words, text) in zip(range(count), mutants(package, random.Random(seed)), strict=False):
            target = copied / path.relative_to(ROOT)
            target.write_text(text)
            try:
                done = subprocess.run(command, cwd=copied, capture_output=True, timeout=900, check=False)
                verdict = "SURVIVED" if done.returncode == 0 else "killed"
            except subprocess.TimeoutExpired:
                verdict = "killed (hangs)"
            survivors += verdict == "SURVIVED"
            print(f"{verdict:9} {path.relative_to(ROOT)}:{line}: {words}", flush=True)
            shutil.copy(path, target)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0))
