"""On a machine with Python and nothing else: no libraries for a window, no fonts, no browser."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT
from system_packages import needs_qt

from mho.gui import system_libraries
from mho.gui.system_libraries import DISPLAYS, PACKAGES, WAYLAND, XCB, advice, missing

pytestmark = pytest.mark.thorough

HIDDEN = """
import ctypes, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "PySide6.QtGui":
            raise ImportError("libEGL.so.1: cannot open shared object file: No such file or directory")

load = ctypes.CDLL.__init__

def loading(self, name, *more, **options):
    if name == "libEGL.so.1":
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")
    load(self, name, *more, **options)

ctypes.CDLL.__init__ = loading
sys.meta_path.insert(0, Hidden())
"""  # as the site's own module, it stands before everything else that is imported


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python that finds no libEGL."""
    (tmp_path / "sitecustomize.py").write_text(HIDDEN, "utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    return os.environ | {"PYTHONPATH": path, "MHO_RUNS": str(tmp_path / "runs"), "MHO_NO_SKIPS": ""}


def python(bare: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], env=bare, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="Qt brings its libraries along elsewhere")
def test_the_window_says_in_one_sentence_what_to_install(bare):
    done = python(bare, "-m", "mho", "gui")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("mho: the window needs Qt, which cannot be loaded: libEGL.so.1")
    assert "missing; on Debian and Ubuntu: apt install " in line
    assert "libegl1" in line


@pytest.mark.skipif(sys.platform != "linux", reason="Qt brings its libraries along elsewhere")
def test_tests_of_the_window_skip_and_name_the_package_or_fail_where_all_is_installed(bare):
    tests = ["-m", "pytest", "-rs", "-n0", "tests/gui/log", "tests/test_toml.py"]
    done = python(bare, *tests)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" in done.stdout
    assert "needs what the system lacks: libEGL.so.1" in done.stdout
    assert "libegl1" in done.stdout
    done = python(bare | {"MHO_NO_SKIPS": "1"}, *tests)
    assert done.returncode != 0
    assert "libegl1" in done.stdout


def test_the_rest_needs_no_window(bare):
    done = python(bare, "-m", "mho", "solve", "zuo2025-4x4", "--bits", "8", "--seed", "1")
    assert done.returncode == 0, done.stderr


@needs_qt
def test_every_library_that_is_missing_is_named_with_its_package(monkeypatch):
    assert (
        missing({"libno.so.1": ("libno1t64", "libno1"), **PACKAGES}).keys()
        == {"libno.so.1"} | missing(PACKAGES).keys()
    )
    assert advice({"a.so": ("a1t64", "a1"), "b.so": ("b1",)}) == (
        "a.so, b.so missing; on Debian and Ubuntu: apt install a1t64 b1"
    )
    monkeypatch.setattr(system_libraries, "missing", lambda libraries: libraries)
    for name, value, lacks in (
        ("QT_QPA_PLATFORM", "offscreen", {}),
        ("QT_QPA_PLATFORM", "xcb", XCB),
        ("QT_QPA_PLATFORM", "wayland-egl;xcb:no", XCB),
        ("QT_QPA_PLATFORM", "xcb;offscreen", {}),
        ("DISPLAY", ":0", XCB),
        ("WAYLAND_DISPLAY", "wayland-0", WAYLAND),
    ):
        for other in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(other, raising=False)
        monkeypatch.setenv(name, value)
        assert system_libraries.qt_trouble() == (advice(lacks) if sys.platform == "linux" else "")


def needed(path: Path) -> set[str]:
    """The libraries that a shared library asks the loader for (ELF, 64 bit: DT_NEEDED of its dynamic section)."""
    content = path.read_bytes()
    start, size, count = (*struct.unpack_from("<Q", content, 40), *struct.unpack_from("<HH", content, 58))
    sections = [struct.unpack_from("<IIQQQQII", content, start + n * size) for n in range(count)]
    found = set()
    for _, kind, _, _, offset, length, link, _ in sections:
        for entry in range(offset, offset + length, 16) if kind == 6 else ():
            tag, value = struct.unpack_from("<QQ", content, entry)
            if tag == 1:
                name = sections[link][4] + value
                found.add(content[name : content.index(b"\0", name)].decode())
    return found


@needs_qt
@pytest.mark.skipif(sys.platform != "linux", reason="Qt brings its libraries along elsewhere")
@pytest.mark.parametrize("name", ["xcb", "wayland", "offscreen"])
def test_what_the_plugins_of_the_installed_qt_need_is_known(name):
    import PySide6

    qt = Path(PySide6.__path__[0]) / "Qt"
    waiting, asked = [qt / "plugins" / "platforms" / f"libq{name}.so"], set()
    while waiting:
        for library in needed(waiting.pop()) - asked:
            asked.add(library)
            if (qt / "lib" / library).is_file():
                waiting.append(qt / "lib" / library)
    own = {library for library in asked if (qt / "lib" / library).is_file()}
    of_every_linux = {
        "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libstdc++.so.6", "libgcc_s.so.1",
        "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libz.so.1", "libzstd.so.1",
    }  # fmt: skip
    assert asked - own - of_every_linux <= PACKAGES.keys() | DISPLAYS.get(name, {}).keys()


@needs_qt
@pytest.mark.skipif(sys.platform != "linux", reason="Qt brings its libraries along elsewhere")
@pytest.mark.parametrize(("variable", "value"), [("DISPLAY", ":987"), ("WAYLAND_DISPLAY", "wayland-987")])
def test_a_display_that_does_not_answer_is_said_and_does_not_abort(variable, value):
    environment = {
        name: one
        for name, one in os.environ.items()
        if name not in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY")
    }
    done = python(environment | {variable: value}, "-m", "mho", "gui")
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]  # libwayland may say something before
    assert line.startswith("mho: the window needs Qt, which cannot be loaded: ")
    # Either it does not answer, or this machine lacks what asks it.
    assert "answers at" in line or "missing; on Debian and Ubuntu: apt install " in line


def test_what_installs_the_packages_can_run_the_list_by_itself():
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(system_libraries.__file__))],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [" ".join(names) for names in missing(PACKAGES).values()]
