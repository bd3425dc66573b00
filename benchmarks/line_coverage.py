"""A plugin of pytest for `benchmarks.mutants`: which tests run which lines, and a run of chosen tests in their order.

A test that starts a process may run any line there; so may, of a module, each test when Python imports it.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

STARTS = {"subprocess.Popen", "os.fork", "os.posix_spawn"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-lines", metavar="FILE", help="the lines of the modules that each test runs")
    parser.addoption("--lines-of", action="append", default=[], metavar="MODULE", help="a path; several")
    parser.addoption("--lines-for", type=float, metavar="S", help="begin no test later, any order")
    parser.addoption(
        "--chosen-tests", metavar="FILE", help="names of tests, a line each; the first runs first"
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave only the chosen tests, in their order; a recording with a time limit has them shuffled."""
    if config.getoption("--chosen-tests"):
        names = Path(config.getoption("--chosen-tests")).read_text("utf-8").splitlines()
        present = {one.nodeid: one for one in items}
        items[:] = [present[name] for name in names if name in present]
    if config.getoption("--lines-for"):
        random.Random(1).shuffle(items)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--write-lines"):
        config.pluginmanager.register(Recorder(config), "lines of modules")


class Recorder:
    """The lines of some modules that each test runs, its time, and whether it starts processes."""

    def __init__(self, config: pytest.Config) -> None:
        self.file = Path(config.getoption("--write-lines"))
        self.modules = {str(Path(name).absolute()): name for name in config.getoption("--lines-of")}
        self.seconds = config.getoption("--lines-for") or float("inf")
        self.began = time.perf_counter()
        self.lines: dict[str, set[int]] = {}
        self.starts = False
        self.failed: set[str] = set()
        self.tests: dict[str, dict[str, Any]] = {}
        sys.addaudithook(self.notice)
        self.trace_everywhere()

    def trace_everywhere(self) -> None:
        threading.settrace(self.trace)
        sys.settrace(self.trace)

    def notice(self, event: str, _: tuple[object, ...]) -> None:
        self.starts |= event in STARTS

    def trace(self, frame: FrameType, event: str, _: object) -> Any:
        name = self.modules.get(frame.f_code.co_filename)
        if name is None:
            return None
        self.lines.setdefault(name, set()).add(frame.f_lineno)
        return self.trace

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if time.perf_counter() - self.began > self.seconds:
            item.session.shouldstop = "the time is up"
        self.lines, self.starts = {}, False
        self.trace_everywhere()
        began = time.perf_counter()
        yield
        self.tests[item.nodeid] = {
            "seconds": round(time.perf_counter() - began, 4),
            "processes": self.starts,
            "lines": {name: sorted(lines) for name, lines in self.lines.items()},
        }

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        sys.settrace(None)
        tests = {name: one for name, one in self.tests.items() if name not in self.failed}
        self.file.write_text(json.dumps({"tests": tests, "failed": sorted(self.failed)}), "utf-8")
