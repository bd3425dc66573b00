"""Rooms and their public names: those that are loaded late are those that a type checker sees."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from public_names import ROOMS, exported, name_of
from repository import ROOT

LATE = [room for room in ROOMS if "lazy_names(__spec__" in "".join(room.read_text("utf-8").split())]


def typed(room: Path) -> dict[str, str]:
    """Return the module that each name comes from, as a type checker sees it."""
    (block,) = (
        node
        for node in ast.parse(room.read_text("utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return {
        one.name: str(node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for one in node.names
    }


def test_there_are_rooms_whose_names_are_loaded_late() -> None:
    assert {"mho", "mho.instruments", "mho.running.runner"} <= set(map(name_of, LATE))


@pytest.mark.parametrize("room", LATE, ids=name_of)
def test_a_name_is_what_a_type_checker_takes_it_for(room: Path) -> None:
    package, homes = import_module(name_of(room)), typed(room)
    homes = {
        name: home for name, home in homes.items() if home != "mho.extensions" or find_spec(f"{home}.{name}")
    }
    assert homes
    assert set(homes) <= set(package.__all__) <= set(dir(package))
    for name, home in homes.items():
        assert getattr(package, name) is getattr(import_module(home), name)
        assert name in vars(package)  # and is not looked for again


@pytest.mark.thorough
@pytest.mark.parametrize("room", LATE, ids=name_of)
def test_every_name_can_be_asked_for_first(room: Path) -> None:
    code = f"import {name_of(room)} as room\nfor name in room.__all__: getattr(room, name)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("room", LATE, ids=name_of)
def test_a_name_that_is_not_there_is_an_error(room: Path) -> None:
    with pytest.raises(AttributeError, match=f"module '{name_of(room)}' has no attribute 'nonsense'"):
        import_module(name_of(room)).nonsense  # noqa: B018


@pytest.mark.parametrize("room", LATE, ids=name_of)
def test_no_module_has_a_public_name_of_its_room(room: Path) -> None:
    """Once imported, it would be found in the place of the name."""
    modules = {path.stem for path in room.parent.glob("*.py")}
    modules |= {path.parent.name for path in room.parent.glob("*/__init__.py")}
    for name in modules & set(exported(room)):  # a module that is exported is the same either way
        assert import_module(f"{name_of(room)}.{name}") is getattr(import_module(name_of(room)), name)


def test_a_former_name_works_and_says_what_it_is_today() -> None:
    import mho.procedures

    with pytest.warns(DeprecationWarning, match=r"mho\.procedures\.Map is now mho\.procedures\.MapArray"):
        former = mho.procedures.Map  # type: ignore[attr-defined]
    assert former is mho.procedures.MapArray


def test_a_module_that_is_imported_late_is_executed_when_it_is_used() -> None:
    code = """
import sys
from mho.lazy_names import late_imports

with late_imports():
    import json
    from mho import cell_sets
assert "numpy" not in sys.modules and json.loads("1") == 1
assert cell_sets.cells_lines and "numpy" in sys.modules
from mho.cell_sets import cells_lines
assert cells_lines is cell_sets.cells_lines
try:
    with late_imports():
        from mho import nonsense
except ImportError:
    sys.stdout.write("not there")
assert not any(type(one).__name__ == "_LateFinder" for one in sys.meta_path)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("not there", "")


FIRST_USE_BY_THREADS = """
import sys, threading
sys.setswitchinterval(1e-6)  # as many ways in which two imports can meet as there are
import mho
start, errors = threading.Barrier(8), []

def ask(names):
    start.wait()
    for name in names:
        try:
            getattr(mho, name)
        except BaseException as error:
            errors.append(f"{name}: {error!r}")

names = mho.__all__
threads = [threading.Thread(target=ask, args=(names[k * 5:] + names[:k * 5],)) for k in range(8)]
for one in threads:
    one.start()
for one in threads:
    one.join()
sys.exit("; ".join(errors) or None)
"""


@pytest.mark.parametrize(
    "attempt", [1, *(pytest.param(one, marks=pytest.mark.thorough) for one in range(2, 16))]
)
def test_threads_that_ask_for_names_first_do_not_meet_in_an_import(attempt: int) -> None:
    subprocess.run([sys.executable, "-c", FIRST_USE_BY_THREADS], check=True, timeout=120)


def test_a_module_that_loads_a_name_while_it_is_imported_waits_for_no_thread(tmp_path: Path) -> None:
    """Of two threads one holds the turn to load and waits for the module that the other imports: neither may wait."""
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(0.5)\nfrom mho import Cell\n")
    (tmp_path / "room").mkdir()
    (tmp_path / "room/late.py").write_text("import slow\nvalue = 1\n")
    (tmp_path / "room/__init__.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from room.late import value\nelse:\n"
        "    from mho.lazy_names import lazy_names\n    __getattr__, __dir__ = lazy_names(__spec__)\n"
    )
    code = (
        "import threading, time, room\n"
        "first = threading.Thread(target=__import__, args=('slow',))\nfirst.start()\ntime.sleep(0.2)\n"
        "print(room.value)\nfirst.join()"
    )
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "1\n"
