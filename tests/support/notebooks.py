"""Executes the code cells of a notebook in this process, as a kernel does: the last expression of each is shown."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any


def execute(path: Path) -> list[Any]:
    """Run a notebook's cells in their order; return what each shows, None where it shows nothing."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    return [
        _run("".join(cell["source"]), f"{path.name}, cell {place}", names) for place, cell in enumerate(cells)
    ]


def _run(source: str, where: str, names: dict[str, Any]) -> Any:
    tree = ast.parse(source, where)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, where, "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), where, "eval"), names)
