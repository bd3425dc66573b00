"""Tests that are skipped on Windows, or under Wine, which stands for it: a pytest plugin and its table."""

from __future__ import annotations

import ctypes
import sys
import tomllib
from collections.abc import Generator
from functools import cache

import pytest
from repository import SUPPORT

TABLE = SUPPORT / "elsewhere.toml"


def entries() -> dict[str, dict[str, str]]:
    """Return by kind the reason of each entry."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@cache
def reasons() -> dict[str, str]:
    """Return the reasons that hold on this system, by test, or file of tests, as seen from the folder of the tests."""
    if sys.platform != "win32":
        return {}
    table = entries()
    under_wine = hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")
    return table["posix"] | (table["wine"] if under_wine else {})


def reason(node: str) -> str | None:
    """Return why a test, or file, is skipped: for an entry of its own, of all its parameters, or of its file."""
    name = node.replace("\\", "/").removeprefix("tests/")
    parts = (name, name.partition("[")[0], name.partition("::")[0])
    return next((reasons()[part] for part in parts if part in reasons()), None)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip a file that has an entry, before it is imported: it may not be."""
    if isinstance(collector, pytest.Module) and (why := reason(collector.nodeid)):
        collector.collect = lambda: pytest.skip(why)
    return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if why := reason(item.nodeid):
            item.add_marker(pytest.mark.skip(reason=why))
