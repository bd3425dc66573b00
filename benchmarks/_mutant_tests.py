"""A plugin of pytest for `benchmarks.mutants`: which tests run which lines, and tests of a mutant in a forked process.

Python starts and imports what the tests need once; each mutant then costs its tests alone. A function's code is
exchanged in the fork; what runs at import cannot be, and is answered so. ``--orders`` and ``--answers`` are pipes with a
line of JSON for each order and answer.
"""

from __future__ import annotations

import ast
import builtins
import gc
import importlib
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import _lru_cache_wrapper, partial
from inspect import CO_OPTIMIZED
from itertools import pairwise
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

STARTS = {"subprocess.Popen", "os.fork", "os.posix_spawn"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--orders", type=int, metavar="FD", help="answer orders, instead of running the tests")
    parser.addoption("--answers", type=int, metavar="FD")
    parser.addoption(
        "--chosen-tests", metavar="FILE", help="names of tests, a line each; the first runs first"
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave only the chosen tests, in their order.

    Where one has another name now, as its parameters have other values, all of its function that were not chosen follow.
    """
    if config.getoption("--chosen-tests"):
        names = Path(config.getoption("--chosen-tests")).read_text("utf-8").splitlines()
        present = {one.nodeid: one for one in items}
        renamed = {function_of(name) for name in names if name not in present}
        chosen = [present.pop(name) for name in names if name in present]
        items[:] = chosen + [one for name, one in present.items() if function_of(name) in renamed]


def function_of(name: str) -> str:
    """Return the name of a test without its parameters."""
    return name.partition("[")[0]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Answer each order in a process of its own, which is ended, with all that it started, when its time is up."""
    if session.config.getoption("--orders") is None or session.testsfailed:
        return None
    session.config.pluginmanager.register(reports := Reports())
    with (
        open(session.config.getoption("--orders"), encoding="utf-8") as orders,
        open(session.config.getoption("--answers"), "w", encoding="utf-8") as answers,
    ):
        for line in orders:
            order = json.loads(line)
            act = partial(record if "modules" in order else run_mutant, session, reports, order)
            answers.write(forked(act, order["limit"]) + "\n")
            answers.flush()
    return True


def forked(act: Callable[[Callable[[str], None]], dict[str, Any]], limit: float) -> str:
    """Return what a function answers in a fork of this process, as JSON.

    The function says with its argument what it starts with. When nothing has come for `limit` seconds, the answer has
    "time" and what was started last.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(reader)
        with open(writer, "w", encoding="utf-8", buffering=1) as file:
            try:
                answer = json.dumps(act(lambda name: print(name, file=file)))
            except BaseException as error:
                answer = json.dumps({"failed": repr(error)})
            print(answer, file=file)
        os._exit(0)
    os.close(writer)
    with suppress(PermissionError, ProcessLookupError):
        os.setpgid(child, child)
    output = b""
    while (ready := select.select([reader], [], [], limit)[0]) and (part := os.read(reader, 65536)):
        output += part
        if output.endswith(b"}\n"):  # not the end of the pipe: what a test started may have it open
            break
    os.close(reader)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    last = output.decode().splitlines()[-1:] or [""]
    if last[0].startswith("{"):
        return last[0]
    return json.dumps({"failed": "crash" if ready else "time", "running": last[0]})


class Reports:
    """The tests that failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def run_mutant(
    session: pytest.Session, reports: Reports, order: dict[str, Any], say: Callable[[str], None]
) -> dict[str, Any]:
    """Exchange the functions that differ and run tests until one fails; none if something differs at import.

    A module that is not imported yet will be as it lies there.
    """
    loaded = dotted(order["name"]) in sys.modules
    if loaded and not exchange(order["path"], order["original"], order["text"]):
        return {"failed": ""}
    present = {one.nodeid: one for one in session.items}
    items = [present[name] for name in order["tests"] if name in present]
    for item, following in pairwise([*items, None]):
        say(item.nodeid)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if reports.failed:
            break
    return {"failed": reports.failed[0] if reports.failed else ""}


def clear_caches() -> None:
    """Forget what functions of a cache have answered before."""
    for one in gc.get_objects():
        if type(one) is _lru_cache_wrapper:  # not isinstance: it asks what a weak reference stands for
            one.cache_clear()


def dotted(name: str) -> str:
    return name.removesuffix(".py").replace("/", ".")


def exchange(path: str, original: str, text: str | ast.Module) -> bool:
    """Give the functions of a module the code of another text or tree; False if more than functions differ."""
    codes: dict[tuple[str, int], CodeType] = {}
    if not differences(compile(original, path, "exec"), compile(text, path, "exec"), codes):
        return False
    gc.unfreeze()
    clear_caches()
    exchanged = False
    for function in [one for one in gc.get_objects() if type(one) is FunctionType]:
        code = codes.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if code and function.__code__.co_filename == path:
            with suppress(
                ValueError
            ):  # a closure that lost a variable; the function around it has the new code
                function.__code__ = code
                exchanged = True
    return exchanged


def differences(old: CodeType, new: CodeType, codes: dict[tuple[str, int], CodeType]) -> bool:
    """Collect the functions in which two codes differ, by name and line; False if what runs at import differs."""
    before, after = nested(old), nested(new)
    same = own(old) == own(new)
    if old.co_flags & CO_OPTIMIZED:
        if old != new:
            codes[new.co_qualname, new.co_firstlineno] = new
    elif not same or len(before) != len(after):
        return False
    return all(differences(one, other, codes) for one, other in zip(before, after, strict=False))


def nested(code: CodeType) -> list[CodeType]:
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def own(code: CodeType) -> CodeType:
    """Return a code without those nested in it, and without their columns."""
    constants = tuple(None if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_consts=constants, co_linetable=b"")


def record(
    session: pytest.Session, reports: Reports, order: dict[str, Any], say: Callable[[str], None]
) -> dict[str, Any]:
    """Run tests that are not known, those of a sample until the time for it is up, and answer which statements each runs.

    And which statements each file runs when Python imports it. A statement in a function is known by its first line;
    what the processes run that a test starts is not known.
    """
    items = [one for one in session.items if one.nodeid not in order["known"]]
    if order["sample"]:
        random.Random(1).shuffle(items)
    began = time.perf_counter()
    recorder = Recorder()
    for path, name in order["modules"].items():
        recorder.watch(path, name)
    tests: dict[str, dict[str, Any]] = {}
    for item, following in pairwise([*items, None]):
        if order["sample"] and time.perf_counter() - began > order["sample"]:
            break
        recorder.lines, recorder.starts = {}, False
        start = time.perf_counter()
        say(item.nodeid)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        tests[item.nodeid] = {
            "seconds": round(time.perf_counter() - start, 4),
            "processes": recorder.starts,
            "lines": recorder.as_lists(),
        }
    files = {}
    functions = [item for item in items if isinstance(item, pytest.Function)]
    for item in {item.nodeid.partition("::")[0]: item for item in functions}.values():
        clear_caches()
        recorder.lines = {}
        with suppress(Exception):
            importlib.reload(item.module)
        files[item.nodeid.partition("::")[0]] = recorder.as_lists()
    passed = {name: test for name, test in tests.items() if name not in reports.failed}
    return {"tests": passed, "files": files, "failed": ", ".join(dict.fromkeys(reports.failed))}


class Recorder(ast.NodeTransformer):
    """The statements that run in functions of some modules, by name and line, and whether a process is started."""

    def __init__(self) -> None:
        self.lines: dict[str, set[int]] = {}
        self.starts = False
        self.name = ""
        builtins.__dict__["ran_line"] = self.ran
        sys.addaudithook(self.notice)

    def notice(self, event: str, _: tuple[object, ...]) -> None:
        self.starts |= event in STARTS

    def as_lists(self) -> dict[str, list[int]]:
        return {name: sorted(lines) for name, lines in self.lines.items()}

    def ran(self, name: str, line: int) -> None:
        self.lines.setdefault(name, set()).add(line)

    def watch(self, path: str, name: str) -> None:
        """Have each statement in a module's functions recorded before it runs."""
        importlib.import_module(dotted(name))
        text = Path(path).read_text("utf-8")
        self.name = name
        exchange(path, text, ast.fix_missing_locations(self.visit(ast.parse(text))))

    def visit_FunctionDef(self, function: ast.FunctionDef) -> ast.FunctionDef:
        for node in list(ast.walk(function)):
            for field in ("body", "orelse", "finalbody"):
                statements = getattr(node, field, None)
                if isinstance(statements, list) and not isinstance(node, ast.ClassDef):
                    setattr(node, field, [one for each in statements for one in (self.call(each), each)])
        return function

    def call(self, statement: ast.stmt) -> ast.stmt:
        arguments: list[ast.expr] = [ast.Constant(self.name), ast.Constant(statement.lineno)]
        call = ast.Call(ast.Name("ran_line", ast.Load()), arguments, [])
        return ast.copy_location(ast.Expr(call), statement)
