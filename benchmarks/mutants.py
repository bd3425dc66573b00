"""Mutants of the modules that every measurement hangs on, and which of them the tests kill.

``python -m benchmarks.mutants --count 20 --seed 1`` changes one operator, number or statement at a time, in a copy of
the repository, and runs the tests of its subject: first those of every day, then the thorough ones. A mutant that
survives both is printed as a diff: a test is missing, or the code is not needed. DeMillo, Lipton and Sayward 1978.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
MARKS = {"every day": "not thorough and not slow and not hardware", "thorough": "thorough and not slow"}
COPIED = ("mho", "tests", "benchmarks", "docs", "*.toml", "*.md", "*.py", "LICENSE")

OPPOSITES: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """What is mutated together: modules or folders of them, and the folders or files of tests that concern them."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]

    def files(self) -> list[Path]:
        """Return the paths of the modules, relative to the repository."""
        found: list[Path] = []
        for name in self.modules:
            path = ROOT / name
            modules = sorted(path.rglob("*.py")) if path.is_dir() else [path]
            found += [module.relative_to(ROOT) for module in modules if module.name != "__init__.py"]
        return found


@dataclass(frozen=True)
class Mutant:
    """One module with one change."""

    path: Path
    line: int
    original: str
    text: str

    def diff(self) -> str:
        """Return the change as lines of a unified diff without context."""
        before, after = self.original.splitlines(), self.text.splitlines()
        lines = difflib.unified_diff(before, after, str(self.path), lineterm="", n=0)
        return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def mutants_of(path: Path, text: str) -> list[Mutant]:
    """Return every mutant of a module, in the order of its lines."""
    data = text.encode()
    starts = np.concatenate(([0], np.cumsum([len(line) for line in data.splitlines(keepends=True)])))
    found = []
    for node, replacement in changes(ast.parse(text)):
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        found.append(
            Mutant(path, node.lineno, text, (data[:begin] + replacement.encode() + data[end:]).decode())
        )
    return sorted(found, key=lambda one: one.line)


def changes(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Yield each expression or statement that runs, and a text that does something else in its place."""
    for node in executed(tree):
        match node:
            case ast.Compare(ops=[op]) if type(op) in OPPOSITES:
                yield node, changed(node, ops=[OPPOSITES[type(op)]()])
            case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in OPPOSITES:
                yield node, changed(node, op=OPPOSITES[type(op)]())
            case ast.UnaryOp(op=ast.Not()):
                yield node, f"({ast.unparse(node.operand)})"
            case ast.Constant(value=bool() as value):
                yield node, repr(not value)
            case ast.Constant(value=int() | float() as number):
                yield node, repr(number + 1)
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
                yield node, "return None"
            case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise():
                yield node, "pass"


def changed(node: ast.expr, **fields: object) -> str:
    """Return an expression's text with other fields, in brackets."""
    present = {name: getattr(node, name) for name in node._fields}
    return f"({ast.unparse(type(node)(**present | fields))})"


def executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree without annotations, decorators, what f-strings show, and what is for type checkers alone."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "type_params", "decorator_list"):
            continue
        for node in value if isinstance(value, list) else [value]:
            checkers = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            if isinstance(node, ast.AST) and not isinstance(node, ast.JoinedStr) and not checkers:
                yield node
                yield from executed(node)


def draw(subjects: dict[str, Subject], count: int, seed: int) -> list[tuple[str, Mutant]]:
    """Return mutants of the subjects in turn, each drawn among all of its subject; the same seed, the same mutants."""
    rng = np.random.default_rng(seed)
    shuffled = {}
    for name, subject in subjects.items():
        mutants = [
            one for path in subject.files() for one in mutants_of(path, (ROOT / path).read_text("utf-8"))
        ]
        shuffled[name] = [mutants[index] for index in rng.permutation(len(mutants))]
    turns = [(name, one[turn]) for turn in range(count) for name, one in shuffled.items() if turn < len(one)]
    return turns[:count]


class Copy:
    """A copy of the repository in which the mutants live, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        for pattern in COPIED:
            for path in ROOT.glob(pattern):
                if path.is_dir():
                    shutil.copytree(path, folder / path.name, symlinks=True, ignore=ignored)
                else:
                    shutil.copy(path, folder)

    def fails(self, tests: tuple[str, ...], marks: str, seconds: float | None = None) -> bool:
        """Run tests until the first that fails, or until the time is up, which is a failure, too."""
        command = [sys.executable, "-m", "pytest", "-x", "-n", "0", "-m", marks, *tests]
        environment = os.environ | {"PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return True
        return done.returncode not in (0, 5)  # 5: no test has these marks

    def killer(self, mutant: Mutant, subject: Subject, limits: dict[str, float]) -> str | None:
        """Return the first of `MARKS` whose tests fail for a mutant; None if it survives."""
        path = self.folder / mutant.path
        path.write_text(mutant.text, "utf-8")
        try:
            killers = (
                name for name, marks in MARKS.items() if self.fails(subject.tests, marks, limits[name])
            )
            return next(killers, None)
        finally:
            path.write_text(mutant.original, "utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Draw mutants, run their tests, and print who survived and how many were killed by what."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(SUBJECTS)}; all of them"
    )
    parser.add_argument("--count", type=int, default=20, metavar="N", help="mutants (20)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="another seed, other mutants (1)")
    options = parser.parse_args(arguments)
    unknown = set(options.subjects) - set(SUBJECTS)
    if unknown:
        parser.error(f"no subject is called {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    subjects = {name: SUBJECTS[name] for name in options.subjects or SUBJECTS}
    killers: list[str | None] = []
    limits: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        for name, mutant in draw(subjects, options.count, options.seed):
            if name not in limits:
                limits[name] = time_limits(copy, name)
            killers.append(copy.killer(mutant, subjects[name], limits[name]))
            print(f"{name}: {mutant.path}:{mutant.line} killed by {killers[-1] or 'nothing'}", flush=True)
            if killers[-1] is None:
                print(mutant.diff(), flush=True)
    by_day, thorough = (killers.count(name) for name in MARKS)
    print(
        f"{len(killers)} mutants, seed {options.seed}: {by_day} killed by the tests of every day, {thorough} more by"
        f" the thorough ones, {killers.count(None)} survived"
    )
    return 0


def time_limits(copy: Copy, name: str) -> dict[str, float]:
    """Return how long a subject's tests may take, s: three times what they take when nothing is changed."""
    limits = {}
    for kind, marks in MARKS.items():
        began = time.perf_counter()
        if copy.fails(SUBJECTS[name].tests, marks):
            raise SystemExit(f"the tests of {name} ({kind}) fail without a mutant; mend them first")
        limits[kind] = 30.0 + 3.0 * (time.perf_counter() - began)
    return limits


INSTRUMENTS, CELLS, EQUATIONS = "mho/instruments", "mho/procedures/cells", "mho/procedures/equations"
SUBJECTS = {
    "limits": Subject(
        (f"{INSTRUMENTS}/limits.py",), ("tests/instruments/test_limits.py", "tests/instruments/bench")
    ),
    "safing": Subject(
        (
            f"{INSTRUMENTS}/opening/safing.py",
            f"{INSTRUMENTS}/bench/protection.py",
            f"{INSTRUMENTS}/bench/output_states.py",
        ),
        ("tests/instruments/opening", "tests/instruments/bench", "tests/procedures/test_safety.py"),
    ),
    "verdicts": Subject(
        (f"{EQUATIONS}/certificates",),
        ("tests/procedures/equations/certificates", "tests/procedures/equations/solve"),
    ),
    "slicing": Subject(
        tuple(f"mho/chip_maps/{name}.py" for name in ("inverse_encoding", "multiply_encoding", "levels")),
        ("tests/chip_maps",),
    ),
    "write-verify": Subject(
        (
            f"{CELLS}/programming/strategies",
            f"{CELLS}/programming/strategy.py",
            f"{CELLS}/programming/group_programming.py",
            f"{CELLS}/programming/programmer.py",
        ),
        ("tests/procedures/cells/programming",),
    ),
    "queue": Subject(
        ("mho/running/queue",), ("tests/running/queue", "tests/running/runner", "tests/cli/many_runs")
    ),
    "index": Subject(("mho/runs/index",), ("tests/runs/index", "tests/cli/run_files")),
    "seals": Subject(("mho/runs/integrity/seal.py",), ("tests/runs/integrity", "tests/runs/writing")),
    "trust": Subject(
        ("mho/running/trust.py",), ("tests/running/test_trust.py", "tests/running/test_crafted_files.py")
    ),
    "intervals": Subject(
        ("mho/runs/intervals.py", "mho/confidence.py"),
        ("tests/runs/test_intervals.py", "tests/test_confidence.py", "tests/test_coverage.py"),
    ),
    "calibration": Subject(
        ("mho/analysis/calibration", "mho/running/calibrating"),
        ("tests/analysis/calibration", "tests/running/calibrating"),
    ),
    "budget": Subject(("mho/running/budget",), ("tests/running/budget",)),
    "detection": Subject(
        ("mho/extensions/applications/wireless/detection.py",), ("tests/extensions/applications/wireless",)
    ),
    "forecast": Subject(
        ("mho/chip_maps/inverse_encoding.py", f"{EQUATIONS}/forecast.py", "mho/running/forecasting.py"),
        (
            "tests/chip_maps/test_forecast.py",
            "tests/procedures/equations/forecast",
            "tests/running/test_forecasting.py",
        ),
    ),
}

if __name__ == "__main__":
    sys.exit(main())
