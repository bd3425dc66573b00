"""What a wheel holds, and that it works where nothing else is: no checkout, and a folder with a user's own modules.

It is built from a copy of the sources and installed in an environment of its own, which borrows the packages that mho
depends on from the one the tests run in: nothing is downloaded.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import site
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest
from repository import ROOT
from system_packages import needs_qt

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]

SOURCES = ("mho", "docs", "pyvisa_mho.py", "pyproject.toml", "README.md", "LICENSE")
LINKS = (
    "instruments",
    "procedures",
    "chip_maps",
    "analysis",
    "gui",
)  # short cuts of the checkout, which do not ship
RELEASED = "1767225600"  # Unix time of any day
BUILDS_FROM = (77,)  # setuptools that understands pyproject.toml


@dataclass(frozen=True)
class Installed:
    """An environment with mho's wheel in it, and an empty folder to work in."""

    folder: Path
    bin: Path
    runs: Path

    def run(self, *command: str | Path) -> str:
        """Run a command of the environment in the folder; return what it printed."""
        done = subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=self.folder,
            env=bare() | {"MHO_RUNS": str(self.runs), "QT_QPA_PLATFORM": "offscreen", "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, code: str) -> str:
        """Run a script that stands in the folder."""
        script = self.folder / "script.py"
        script.write_text(textwrap.dedent(code), "utf-8")
        return self.run("python", script)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel"))


def built(copy: Path, out: Path) -> Path:
    """Build the wheel from a copy of the sources, with the time of a release."""
    copy.mkdir(exist_ok=True)
    for name in (*SOURCES, *LINKS):
        source = ROOT / name
        if source.is_symlink():
            (copy / name).symlink_to(os.readlink(source), target_is_directory=True)
        elif source.is_dir():
            shutil.copytree(
                source, copy / name, ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copy
            )
        elif source.exists():
            shutil.copy(source, copy / name)
    have = tuple(map(int, importlib.metadata.version("setuptools").split(".")[:1]))
    alone = ["--no-build-isolation"] if have >= BUILDS_FROM else []  # else pip fetches one to build with
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", RELEASED)
        pip("wheel", "--no-deps", *alone, "--wheel-dir", str(out), str(copy))
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel alone; the packages of this one stand behind it on the path."""
    made = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True, timeout=120)
    binaries = made / ("Scripts" if os.name == "nt" else "bin")
    pip(
        "--python",
        str(binaries / Path(sys.executable).name),
        "install",
        "--no-deps",
        "--no-index",
        "--no-compile",
        str(wheel),
    )
    (packages,) = (path.parent for path in made.rglob("site-packages/mho"))
    borrowed = [path for path in map(Path, site.getsitepackages()) if path.is_dir()]
    # Named in a .pth file they are not looked through for .pth files themselves: an editable mho there is not found.
    lines = [str(path) for path in borrowed]
    for path in borrowed:
        if (listed := path / "pywin32.pth").exists():  # what Windows' own modules are found by
            names = [line for line in listed.read_text("utf-8").splitlines() if line and line[0] != "#"]
            lines += [line if line.startswith("import ") else str(path / line) for line in names]
    (packages / "borrowed.pth").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return binaries


def bare() -> dict[str, str]:
    """Return the variables of the environment less those that lead to a checkout."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments], env=bare(),
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def installed(environment: Path, tmp_path: Path) -> Installed:
    folder = tmp_path / "empty"
    folder.mkdir()
    return Installed(folder, environment, tmp_path / "runs")


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as held:
        return held.namelist()


def test_it_holds_mho_the_name_for_pyvisa_and_metadata(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"mho", "pyvisa_mho.py"}
    assert len(tops) == 4


def test_it_holds_the_pages_that_help_shows_and_nothing_else_beside_the_package(wheel: Path) -> None:
    beside = {name.partition(".data/data/share/mho/")[2] for name in names(wheel) if ".data/" in name}
    assert beside == {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}


def test_it_holds_every_file_of_the_package(wheel: Path) -> None:
    """Modules, the mark that they are typed, benches, chip maps, sample matrices."""
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "mho").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in names(wheel) if name.startswith("mho/")}
    assert held == files
    for wanted in (
        "mho/py.typed",
        "mho/instruments/benches/simulated.toml",
        "mho/chip_maps/maps/reference.toml",
        "mho/chip_maps/matrices/mimo-16x16.mtx",
    ):
        assert wanted in held


def test_it_is_small_and_the_same_bytes_at_every_build(wheel: Path, tmp_path: Path) -> None:
    assert wheel.stat().st_size < 6e6
    assert built(tmp_path / "sources", tmp_path).read_bytes() == wheel.read_bytes()


def test_its_metadata_says_who_made_it_on_what_it_runs_and_under_which_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as held:
        (name,) = (name for name in held.namelist() if name.endswith(".dist-info/METADATA"))
        told = message_from_bytes(held.read(name))
        (licence,) = (name for name in held.namelist() if name.endswith(".dist-info/licenses/LICENSE"))
        assert held.read(licence) == (ROOT / "LICENSE").read_bytes()
    assert (told["License-Expression"], told["Author"]) == ("MIT", "The mho developers")
    assert "RRAM" in told["Keywords"]
    assert "Typing :: Typed" in told.get_all("Classifier", [])
    assert told.get_payload().startswith("# mho")


def test_the_main_job_works_in_an_empty_folder(installed: Installed) -> None:
    said = installed.run("mho", "solve", "mimo-16x16", "--seed", "1")
    assert "converged" in said
    (path,) = installed.runs.glob("*.h5")
    assert installed.run("mho", "verify", path)
    assert not any(installed.folder.iterdir())
    where = installed.run("python", "-c", "import mho; print(mho.__file__)")
    assert Path(where.strip()).is_relative_to(installed.bin.parent)


@needs_qt
def test_the_window_opens(installed: Installed) -> None:
    said = installed.python("""
        from pathlib import Path

        from PySide6.QtWidgets import QApplication

        from mho.gui import open_main_window

        app = QApplication([])
        window = open_main_window(Path.cwd())
        app.processEvents()
        print(window.isVisible(), window.windowTitle())
        window.close()
    """)
    assert said.startswith("True ")


def test_pyvisa_finds_the_virtual_bench(installed: Installed) -> None:
    said = installed.python("""
        import pyvisa

        manager = pyvisa.ResourceManager("@mho")
        with manager.open_resource(manager.list_resources("USB?*")[0], read_termination="\\n") as instrument:
            print(instrument.query("*IDN?"))
    """)
    assert "MODEL 2450" in said


def test_modules_of_the_user_s_own_stand_beside_ours(installed: Installed) -> None:
    """A script's folder comes first on Python's path: modules there must not hide mho's, nor mho's hide them."""
    for name in ("analysis", "instruments", "gui", "procedures", "toml", "errors"):
        (installed.folder / f"{name}.py").write_text("mine = True\n", "utf-8")
    (installed.folder / "runs").mkdir()
    said = installed.python("""
        import analysis, gui, instruments
        import mho
        from mho.procedures import Read

        assert analysis.mine and gui.mine and instruments.mine
        with mho.open_bench("simulated", seed=1) as bench:
            assert bench.read(mho.Cell("multiply", 0, 0)) < 1e-4
        result = mho.run(Read(rows="0:2", columns="0:2"), seed=1)
        with mho.open_run(result.path) as run:
            print(run.status)
    """)
    assert said == "finished\n"
    assert "conductance" in installed.run("mho", "run", "read", "--rows", "0:2", "--columns", "0:2")
    installed.run("mho", "queue", "add", "read", "--rows", "0:2", "--columns", "0:2")
    installed.run("mho", "runner", "--drain")
    assert len(list(installed.runs.glob("*.h5"))) == 3
