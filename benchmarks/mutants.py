"""Mutants of the modules that every measurement hangs on, and which of them the tests kill.

``python -m benchmarks.mutants --count 20 --seed 1`` changes one operator, number or statement at a time, in a copy of
the repository, and runs those tests of its subject that run the changed statement, the quickest first: those of every day,
then the thorough ones. A mutant that survives both is printed as a diff: a test is missing, the code is not needed, or
the mutant does the same (equivalent_mutants.toml says why). DeMillo, Lipton and Sayward 1978.

``--results FOLDER`` keeps what is known, so that a run that was interrupted goes on; with ``--survivors``, those that
survived are tried again, on the modules and tests of today. Which lines a test runs is recorded there once, and again after
a module of the subject was changed.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _mutant_tests
from mho.errors import InputError
from mho.toml import load_toml

ROOT = Path(__file__).parents[1]
MARKS = {"every day": "not thorough and not slow and not hardware", "thorough": "thorough and not slow"}
RETRY = 4.0  # times as long, for a test that may only have been delayed
SLACK_S = 30.0  # beside three times what tests took: pytest starts, and other work delays it
EQUIVALENT = Path("benchmarks/equivalent_mutants.toml")
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

    def digest(self) -> str:
        """Return what tells its modules from others, or from themselves after a change."""
        digest = hashlib.sha256()
        for path in self.files():
            digest.update(f"{path}\n".encode() + (ROOT / path).read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Mutant:
    """One module with one change; `statement` is the first line of what it is in, None: what runs at import."""

    path: Path
    line: int
    original: str
    text: str
    statement: int | None = None

    def diff(self) -> str:
        """Return the change as lines of a unified diff without context."""
        before, after = self.original.splitlines(), self.text.splitlines()
        lines = difflib.unified_diff(before, after, str(self.path), lineterm="", n=0)
        return "\n".join(line for line in lines if not line.startswith(("---", "+++")))

    def change(self) -> str:
        """Return the change without its place, as equivalent_mutants.toml and the results have it."""
        return "\n".join(
            f"{line[0]} {line[1:].strip()}"
            for line in self.diff().splitlines()
            if line[0] in "+-" and line[1:].strip()
        )


def mutants_of(path: Path, text: str) -> list[Mutant]:
    """Return every mutant of a module, in the order of its lines."""
    data = text.encode()
    starts = np.concatenate(([0], np.cumsum([len(line) for line in data.splitlines(keepends=True)])))
    found = []
    tree = ast.parse(text)
    for node, replacement in changes(tree):
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        replacement += "\n" * (node.end_lineno - node.lineno)  # all else stays in its line, see `exchange`
        if isinstance(node, ast.expr):
            replacement = f"({replacement})"
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        mutated = (data[:begin] + replacement.encode() + data[end:]).decode()
        found.append(Mutant(path, node.lineno, text, mutated, statement_of(tree, node)))
    return sorted(found, key=lambda one: one.line)


def statement_of(tree: ast.Module, node: ast.expr | ast.stmt) -> int | None:
    """Return the first line of the statement that a node is in; None for what runs outside a function's body."""
    around = [one for one in ast.walk(tree) if isinstance(one, ast.stmt) and spans(one, node)]
    bodies = [one.body[0].lineno for one in around if isinstance(one, ast.FunctionDef)]
    if not any(first <= node.lineno for first in bodies):
        return None
    return max(one.lineno for one in around)


def spans(statement: ast.stmt, node: ast.expr | ast.stmt) -> bool:
    return statement.lineno <= node.lineno <= (statement.end_lineno or 0)


def changes(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Yield each expression or statement that runs, and a text that does something else in its place."""
    for node in executed(tree):
        match node:
            case ast.Compare(ops=[op]) if type(op) in OPPOSITES:
                yield node, changed(node, ops=[OPPOSITES[type(op)]()])
            case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in OPPOSITES:
                yield node, changed(node, op=OPPOSITES[type(op)]())
            case ast.UnaryOp(op=ast.Not()):
                yield node, ast.unparse(node.operand)
            case ast.Constant(value=bool() as value):
                yield node, repr(not value)
            case ast.Constant(value=int() | float() as number):
                yield node, repr(number + 1 if abs(number) < 10 else 2 * number)
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
                yield node, "return None"
            case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise():
                yield node, "pass"


def changed(node: ast.expr, **fields: object) -> str:
    """Return an expression's text with other fields."""
    present = {name: getattr(node, name) for name in node._fields}
    return ast.unparse(type(node)(**present | fields))


def executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree without annotations, decorators, what f-strings show, and what is for type checkers alone.

    And without zip's ``strict``: lengths that differ are a mistake of the code around it.
    """
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "type_params", "decorator_list"):
            continue
        for node in value if isinstance(value, list) else [value]:
            checkers = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            strict = isinstance(node, ast.keyword) and node.arg == "strict"
            if isinstance(node, ast.AST) and not isinstance(node, ast.JoinedStr) and not checkers | strict:
                yield node
                yield from executed(node)


def draw(subjects: dict[str, Subject], count: int, seed: int) -> list[tuple[str, Mutant]]:
    """Return as many mutants of each subject, drawn among all of its subject; the same seed, the same mutants."""
    shuffled = {}
    for name, subject in subjects.items():
        mutants = all_mutants(subject)
        rng = np.random.default_rng([seed, list(SUBJECTS).index(name)])
        shuffled[name] = [mutants[index] for index in rng.permutation(len(mutants))]
    turns = [(name, one[turn]) for turn in range(count) for name, one in shuffled.items() if turn < len(one)]
    return sorted(turns[:count], key=lambda one: list(subjects).index(one[0]))


def all_mutants(subject: Subject) -> list[Mutant]:
    return [one for path in subject.files() for one in mutants_of(path, (ROOT / path).read_text("utf-8"))]


class Copy:
    """A copy of the repository in which the mutants live, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writes = 0
        ignored = shutil.ignore_patterns("__pycache__")
        for pattern in COPIED:
            for path in ROOT.glob(pattern):
                if path.is_dir():
                    shutil.copytree(path, folder / path.name, symlinks=True, ignore=ignored)
                else:
                    shutil.copy(path, folder)
        shutil.copy(_mutant_tests.__file__, folder)

    def start(self, marks: str, *options: str, pipes: tuple[int, ...] = ()) -> subprocess.Popen[str]:
        """Start pytest on tests with some marks; what it prints goes to a file in the copy."""
        plugin = ("-p", "no:cacheprovider", "-p", "_mutant_tests", "--basetemp", f"{self.folder.parent}/tmp")
        command = [sys.executable, "-m", "pytest", *plugin, "-n", "0", "-m", marks, *options]
        environment = os.environ | {"PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        with (self.folder / "output.txt").open("w") as output:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=output, stderr=output, pass_fds=pipes,
                start_new_session=True, text=True,
            )  # fmt: skip

    def write(self, path: Path, text: str) -> None:
        """Write a module with a time of its own: else Python may take the code of the one before."""
        self.writes += 1
        path.write_text(text, "utf-8")
        os.utime(path, (1e9 + self.writes, 1e9 + self.writes))

    def output(self) -> str:
        return (self.folder / "output.txt").read_text("utf-8", "replace")


class Tests:
    """The tests of a subject with some marks, in a process that has imported what they need, see _mutant_tests.py."""

    def __init__(self, copy: Copy, subject: Subject, marks: str) -> None:
        self.copy, self.marks = copy, marks
        orders, self.orders = os.pipe()
        self.answers, answers = os.pipe()
        options = ("--orders", str(orders), "--answers", str(answers), *subject.tests)
        self.process = copy.start(marks, *options, pipes=(orders, answers))
        os.close(orders)
        os.close(answers)
        self.replies = open(self.answers, encoding="utf-8")  # closed with the tests  # noqa: SIM115

    def ask(self, limit: float, **order: object) -> dict[str, Any]:
        """Return the answer to an order, which may take some seconds."""
        os.write(self.orders, (json.dumps(order | {"limit": limit}) + "\n").encode())
        answer = self.replies.readline()
        if not answer:
            raise SystemExit(f"the tests did not start\n{self.copy.output()}")
        return dict(json.loads(answer))

    def lines(self, subject: Subject, sample: float, known: dict[str, Any]) -> dict[str, Any]:
        """Return which lines of a subject's modules each test runs that is not `known`, see `_mutant_tests.record`."""
        modules = {str(self.copy.folder / path): str(path) for path in subject.files()}
        answer = self.ask(3600.0, modules=modules, sample=sample, known=list(known.get("tests", ())))
        if answer["failed"]:
            print(
                f"fail without a mutant, and are not asked: {answer['failed']}", file=sys.stderr, flush=True
            )
            if not answer.get("tests") and not known:
                raise SystemExit("no test passes without a mutant; mend them first")
        return {kind: known.get(kind, {}) | answer.get(kind, {}) for kind in ("tests", "files")}

    def failure(self, mutant: Mutant, tests: dict[str, float], recorded: dict[str, Any]) -> str:
        """Return the first test that fails, or "time: " and the test that hangs.

        A test hangs when it takes three times as long as without a mutant, and again, alone, with four times as long:
        other work may have delayed it. If it ends then, the tests after it are run.
        """
        path = self.copy.folder / mutant.path
        self.copy.write(path, mutant.text)
        try:
            if tests and mutant.statement is not None:
                request = {
                    "path": str(path),
                    "name": str(mutant.path),
                    "original": mutant.original,
                    "text": mutant.text,
                }
                if failed := self.forked_failure(tests, request):
                    return failed
                # What a test's module computes at its import is known in the fork, as it was without the mutant.
                tests = {
                    name: seconds
                    for name, seconds in tests.items()
                    if not recorded["tests"][name]["processes"]
                }
            if not tests:
                return ""
            limit = time_limit(sum(tests.values()))
            failed = self.cold_failure(tests, limit)
            return self.cold_failure(tests, RETRY * limit) if failed == "time" else failed
        finally:
            self.copy.write(path, mutant.original)

    def forked_failure(self, tests: dict[str, float], request: dict[str, str]) -> str:
        """Run tests in a fork of the process."""
        names = list(tests)
        while names:
            limit = time_limit(max(tests[name] for name in names))
            answer = self.ask(limit, tests=names, **request)
            if answer["failed"] != "time":
                return str(answer["failed"])
            alone = answer["running"] or names[0]  # the module's exchange hangs before any test
            again = self.ask(RETRY * time_limit(tests[alone]), tests=[alone], **request)["failed"]
            if again:
                return f"time: {alone}" if again == "time" else str(again)
            names = names[names.index(alone) + 1 :]
        return ""

    def cold_failure(self, tests: dict[str, float], limit: float) -> str:
        """Run tests in a fresh process: the mutant makes a difference when its module is imported."""
        file = self.copy.folder / "chosen.txt"
        file.write_text("\n".join(tests), "utf-8")
        files = dict.fromkeys(file_of(name) for name in tests)
        with self.copy.start(self.marks, "-x", "--chosen-tests", str(file), *files) as process:
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                return "time"
            finally:
                kill(process)
        failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", self.copy.output(), re.MULTILINE)
        return "" if code in (0, 5) else failed[1] if failed else f"pytest ends with {code}"

    def close(self) -> None:
        os.close(self.orders)
        self.replies.close()
        kill(self.process)


def time_limit(seconds: float) -> float:
    return SLACK_S + 3.0 * seconds


def kill(process: subprocess.Popen[str]) -> None:
    """End a process with all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Judge:
    """All tests of a subject, and the lines that each of them runs."""

    def __init__(self, copy: Copy, name: str, lines: Path, options: argparse.Namespace) -> None:
        self.copy, self.subject, self.file, self.options = copy, SUBJECTS[name], lines, options
        self.kinds = [*MARKS][:1] if options.daily else [*MARKS]
        self.tests: dict[str, Tests] = {}
        self.recorded = {"modules": self.subject.digest()}
        known = json.loads(lines.read_text("utf-8")) if lines.exists() else {}
        if known.get("modules") == self.recorded["modules"]:  # else its lines have other numbers by now
            self.recorded = known

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        for tests in self.tests.values():
            tests.close()

    def killer(self, mutant: Mutant) -> tuple[str | None, str]:
        """Return the first of `MARKS` whose tests fail for a mutant, None if it survives, and the test."""
        for kind in self.kinds:
            tests = self.started(kind)
            chosen = within(order(mutant, self.recorded[kind]), self.options.effort)
            if test := tests.failure(mutant, chosen, self.recorded[kind]):
                return kind, test
        return None, ""

    def started(self, kind: str) -> Tests:
        """Return the tests of a kind, once their lines are recorded."""
        if kind not in self.tests:
            self.tests[kind] = tests = Tests(self.copy, self.subject, MARKS[kind])
            sample = self.options.sample if kind == "thorough" else 0.0
            known = self.recorded.get(kind, {})
            if not (sample and known):
                self.recorded[kind] = tests.lines(self.subject, sample, known)
            self.file.write_text(json.dumps(self.recorded), "utf-8")
        return self.tests[kind]


def order(mutant: Mutant, recorded: dict[str, Any]) -> dict[str, float]:
    """Return the tests that may notice a mutant, and their seconds: those that run its statement first.

    Then come those of the same files, which share fixtures and what is computed once.
    """
    path = str(mutant.path)

    def runs(lines: dict[str, list[int]]) -> bool:
        return mutant.statement in lines.get(path, []) or (mutant.statement is None and path in lines)

    files = {file for file, lines in recorded["files"].items() if runs(lines)}
    files |= {file_of(name) for name, test in recorded["tests"].items() if runs(test["lines"])}
    ranks: dict[str, int] = {}
    for name, test in recorded["tests"].items():
        if runs(test["lines"]):
            ranks[name] = 0
        elif file_of(name) in files:
            ranks[name] = 1
        elif test["processes"]:  # they may run any statement
            ranks[name] = 2
        elif mutant.statement is None:  # what is imported may be used anywhere
            ranks[name] = 3
    seconds = {name: recorded["tests"][name]["seconds"] for name in ranks}
    quickest: dict[tuple[int, str], float] = {}
    for name, rank in ranks.items():
        file = rank, file_of(name)
        quickest[file] = min(quickest.get(file, seconds[name]), seconds[name])

    def place(name: str) -> tuple[int, float, str, float]:
        file = file_of(name)
        return ranks[name], quickest[ranks[name], file], file, seconds[name]

    return {name: seconds[name] for name in sorted(ranks, key=place)}


def within(tests: dict[str, float], effort: float) -> dict[str, float]:
    """Return the first tests, as many as take `effort` seconds together; all for 0."""
    sums = np.cumsum([*tests.values()])
    return dict(list(tests.items())[: int(np.searchsorted(sums, effort)) + 1]) if effort else tests


def file_of(test: str) -> str:
    return test.partition("::")[0]


class Results:
    """What is known of mutants, in a folder: a line of JSON for each that was tried; the last one counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "mutants.jsonl"

    def read(self) -> dict[tuple[str, str, int, str], dict[str, Any]]:
        lines = self.file.read_text("utf-8").splitlines() if self.file.exists() else []
        rows = [json.loads(line) for line in lines]
        return {(row["subject"], row["path"], row["line"], row["change"]): row for row in rows}

    def add(self, row: dict[str, Any]) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Draw mutants, run their tests, and print who survived and how many were killed by what."""
    options = parse(arguments)
    subjects = {name: SUBJECTS[name] for name in options.subjects or SUBJECTS}
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(options.results or f"{folder}/results"))
        known = results.read()
        if options.survivors:
            mutants = survivors(known, subjects)
        else:
            drawn = draw(subjects, options.count, options.seed)
            mutants = [(name, one.line, one) for name, one in drawn if key(name, one) not in known]
        copy = Copy(Path(folder) / "copy")
        for name, group in groupby(mutants, key=lambda one: one[0]):
            with Judge(copy, name, results.folder / f"lines-{name}.json", options) as judge:
                for _, line, mutant in group:
                    kind, test = judge.killer(mutant)
                    report(name, mutant, kind, test)
                    results.add({
                        "subject": name, "path": str(mutant.path), "line": line, "change": mutant.change(),
                        "seed": options.seed, "killed": kind, "test": test,
                    })  # fmt: skip
        print("\n" + table([row for row in results.read().values() if row["subject"] in subjects]))
    return 0


def report(name: str, mutant: Mutant, kind: str | None, test: str) -> None:
    """Print what became of a mutant."""
    print(f"{name}: {mutant.path}:{mutant.line} killed by {kind or 'nothing'} {test}".rstrip(), flush=True)
    if kind is None:
        print(mutant.diff(), flush=True)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(SUBJECTS)}; all of them"
    )
    parser.add_argument("--count", type=int, default=20, metavar="N", help="mutants (20)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="another seed, other mutants (1)")
    parser.add_argument(
        "--results", metavar="FOLDER", help="keep results; those that are there are not repeated"
    )
    parser.add_argument("--daily", action="store_true", help="only the tests of every day, to be quick")
    parser.add_argument(
        "--survivors", action="store_true", help="try those of the results again that survived"
    )
    parser.add_argument(
        "--sample", type=float, default=120.0, metavar="S",
        help="thorough tests of a subject that are run: as many, of any, as pass in that time, s (120); 0: all",
    )  # fmt: skip
    parser.add_argument(
        "--effort", type=float, default=0.0, metavar="S",
        help="tests of a mutant that are run: the first ones that take so long together, s; 0: all (0)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    unknown = set(options.subjects) - set(SUBJECTS)
    if unknown:
        parser.error(f"no subject is called {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    if options.survivors and not options.results:
        parser.error("--survivors needs --results, where they are")
    return options


def key(name: str, mutant: Mutant) -> tuple[str, str, int, str]:
    return name, str(mutant.path), mutant.line, mutant.change()


def survivors(
    known: dict[tuple[str, str, int, str], dict[str, Any]], subjects: dict[str, Subject]
) -> list[tuple[str, int, Mutant]]:
    """Return the mutants that survived and make a difference, with their former lines, where they are today."""
    today = {name: all_mutants(subject) for name, subject in subjects.items()}
    same = equivalent()
    chosen: list[tuple[str, int, Mutant]] = []
    for (name, path, line, change), row in known.items():
        if name not in today or row["killed"] or (path, change) in same:
            continue
        mutants = [one for one in today[name] if (str(one.path), one.change()) == (path, change)]
        if mutants:
            chosen.append((name, line, min(mutants, key=lambda one: abs(one.line - line))))
    return sorted(chosen, key=lambda one: list(subjects).index(one[0]))


def equivalent() -> set[tuple[str, str]]:
    """Return the module and change of each mutant that was judged to do the same."""
    file = ROOT / EQUIVALENT
    mutants = (
        load_toml(file.read_text("utf-8"), str(EQUIVALENT), InputError)["mutants"] if file.exists() else []
    )
    return {(one["path"], one["change"]) for one in mutants}


def is_there(row: dict[str, Any]) -> bool:
    """Return whether the code that a mutant changed is still in its module."""
    path = ROOT / row["path"]
    lines = {line.strip() for line in path.read_text("utf-8").splitlines()} if path.exists() else set()
    return all(line[2:] in lines for line in row["change"].splitlines() if line.startswith("- "))


def table(rows: list[dict[str, Any]]) -> str:
    """Return a line for each subject, and their sum: how many mutants, and what became of them."""
    same = equivalent()
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        unseen = "equivalent" if (row["path"], row["change"]) in same else "survived"
        if not is_there(row):
            unseen = "removed"
        for name in (row["subject"], "all"):
            counts.setdefault(name, Counter())[row["killed"] or unseen] += 1
    columns = (*MARKS, "survived", "equivalent", "removed")
    lines = [f"| subject | mutants | {' | '.join(columns)} |", f"|---|{'---|' * (len(columns) + 1)}"]
    for name in [*(one for one in SUBJECTS if one in counts), "all"]:
        numbers = " | ".join(str(counts[name][column]) for column in columns)
        lines.append(f"| {name} | {counts[name].total()} | {numbers} |")
    kinds = counts["all"]
    judged = kinds.total() - kinds["equivalent"] - kinds["removed"]
    day, both = kinds["every day"], kinds["every day"] + kinds["thorough"]
    shares = (
        f"{100 * day / judged:.1f} % killed by the tests of every day, {100 * both / judged:.1f} % by all"
    )
    hanging = sum(row["test"].startswith("time") for row in rows)
    times = f" Of {hanging} the tests hang, alone too." if hanging else ""
    return "\n".join([*lines, "", f"Of {judged} that make a difference: {shares}.{times}"])


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
        (
            "tests/instruments/opening",
            "tests/instruments/bench",
            "tests/procedures/test_safety.py",
            "tests/running/test_own_code_and_safety.py",
        ),
    ),
    "verdicts": Subject(
        (f"{EQUATIONS}/certificates",),
        (
            "tests/procedures/equations/certificates",
            "tests/procedures/equations/solve/test_solve_certified.py",
            "tests/procedures/equations/solve/test_verdicts.py",
        ),
    ),
    "slicing": Subject(
        tuple(f"mho/chip_maps/{name}.py" for name in ("inverse_encoding", "multiply_encoding", "levels")),
        ("tests/chip_maps", "tests/procedures/equations/forecast"),
    ),
    "write-verify": Subject(
        (
            f"{CELLS}/programming/strategies",
            f"{CELLS}/programming/strategy.py",
            f"{CELLS}/programming/group_programming.py",
            f"{CELLS}/programming/programmer.py",
        ),
        ("tests/procedures/cells",),
    ),
    "queue": Subject(
        ("mho/running/queue",),
        (
            "tests/running/queue",
            "tests/running/test_trust.py",
            "tests/running/runner",
            "tests/cli/many_runs/test_queue_commands.py",
        ),
    ),
    "index": Subject(
        ("mho/runs/index",),
        (
            "tests/runs/index",
            "tests/runs/reading/test_run_chunks.py",
            "tests/analysis/reports/test_table_files.py",
            "tests/cli/run_files",
        ),
    ),
    "seals": Subject(
        ("mho/runs/integrity/seal.py",),
        ("tests/runs/integrity", "tests/runs/writing", "tests/runs/reading/test_run_chunks.py"),
    ),
    "trust": Subject(
        ("mho/running/trust.py",),
        (
            "tests/running/test_trust.py",
            "tests/running/test_crafted_files.py",
            "tests/running/test_own_code_and_safety.py",
        ),
    ),
    "intervals": Subject(
        ("mho/runs/intervals.py", "mho/confidence.py"),
        ("tests/runs/test_intervals.py", "tests/test_confidence.py", "tests/test_coverage.py"),
    ),
    "calibration": Subject(
        ("mho/extensions/calibration", "mho/instruments/simulated/physics/cells/posterior_draws.py"),
        ("tests/extensions/calibration", "tests/instruments/simulated/physics/test_posterior_draws.py"),
    ),
    "budget": Subject(
        ("mho/running/budget",), ("tests/running/budget", "tests/cli/analysis/test_budget_command.py")
    ),
    "detection": Subject(
        ("mho/extensions/applications/wireless/detection.py",),
        ("tests/extensions/applications/wireless", "tests/extensions/applications/test_baselines.py"),
    ),
    "forecast": Subject(
        ("mho/chip_maps/inverse_encoding.py", f"{EQUATIONS}/forecast.py", "mho/running/forecasting.py"),
        (
            "tests/chip_maps/test_forecast.py",
            "tests/chip_maps/test_inverse_encoding.py",
            "tests/procedures/equations/forecast",
            "tests/running/test_forecasting.py",
        ),
    ),
    "detection limit": Subject(
        (f"{CELLS}/detection_limit.py",),
        (
            "tests/procedures/cells/switching",
            "tests/procedures/cells/reading",
            "tests/procedures/cells/test_detection_limit.py",
            "tests/procedures/test_not_given.py",
        ),
    ),
}

if __name__ == "__main__":
    sys.exit(main())
