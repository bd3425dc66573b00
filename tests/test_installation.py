"""How mho and its extras are installed: commands that work whatever it came from, versions that fit, one archive."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from repository import ROOT
from scripts import load_script
from tested_versions import LIST, NOT_PINNED, asked

from mho import errors
from mho.errors import InputError, install_command, needing

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


# --- what a message says ---


def test_a_package_that_is_missing_is_named_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/mho/bin/python")
    with (
        pytest.raises(
            InputError, match=r"^a page needs a and b: /opt/mho/bin/python -m pip install a b, or wait$"
        ),
        needing("a page", "a", "b", otherwise=", or wait"),
    ):
        raise ImportError
    with pytest.raises(ZeroDivisionError), needing("a page", "a"):
        _ = 1 / 0


def test_the_command_can_be_typed_into_every_shell(monkeypatch):
    """A path with blanks, brackets and signs of comparison stand in marks that cmd knows, too."""
    monkeypatch.setattr(sys, "executable", r"C:\Lab PC\mho\Scripts\python.exe")
    assert install_command("pyvisa-py[usb]", "numpy>=2", "dask") == (
        r'"C:\Lab PC\mho\Scripts\python.exe" -m pip install "pyvisa-py[usb]" "numpy>=2" dask'
    )


def test_a_python_without_pip_is_served_by_uv(monkeypatch):
    """`uv tool install` makes such environments."""
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "executable", "/tools/mho/bin/python")
    assert install_command("dask") == "uv pip install --python /tools/mho/bin/python dask"


def test_the_command_works():
    """In a shell, of packages that are there: nothing is fetched."""
    command = install_command("numpy>=2.0", "pyvisa-py")
    done = subprocess.run(
        f"{command} --no-index --disable-pip-version-check",
        shell=True,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Requirement already satisfied") >= 2


def named_packages() -> Iterator[tuple[str, str]]:
    """Yield module and package of everything that a message of mho says to install."""
    for path in sorted((ROOT / "mho").rglob("*.py")):
        text = path.read_text("utf-8")
        where = path.relative_to(ROOT).as_posix()
        if path.name != "errors.py" and re.search(r"\b(needing|install_command)\(", text):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("needing", "install_command"):
                    words = node.args[1:] if ast.unparse(node.func) == "needing" else node.args
                    yield from ((where, one.value) for one in words if isinstance(one, ast.Constant))
        yield from ((where, one) for one in re.findall(r"\(pip install ([\w-]+)", text))


def test_every_package_that_a_message_names_is_of_an_extra():
    """And no message names an extra of mho, which pip finds only beside what mho was installed from."""
    known = {canonicalize_name(Requirement(one).name) for packages in EXTRAS.values() for one in packages}
    named = [(where, one) for where, one in named_packages() if one != "-e"]
    assert {"xarray", "apprise", "optuna", "openpyxl", "distributed", "python-flint", "torch"} <= {
        one for _, one in named
    }
    assert [
        (where, one) for where, one in named if canonicalize_name(Requirement(one).name) not in known
    ] == []
    assert not [path for path in (ROOT / "mho").rglob("*.py") if "mho[" in path.read_text("utf-8")]


# --- what a page says ---


def test_no_page_installs_mho_by_a_name_that_no_index_has():
    """`mho[NAME]` stands only where the folder of an archive is named with it."""
    lines = [(page.name, line) for page in PAGES for line in page.read_text("utf-8").splitlines()]
    named = [(page, line) for page, line in lines if re.search(r"(?<![\w.-])mho\[\w", line)]
    assert {page for page, _ in named} >= {"extras.md", "install.md"}
    assert [
        (page, line) for page, line in named if "--no-index" not in line and "| `dev` |" not in line
    ] == []


def test_every_extra_that_a_page_names_exists():
    in_links = re.compile(r"\[extra\]\((?:\.\./)?extras\.md\) `(\w+)`")
    in_brackets = re.compile(r"install\b[^`\n]*\.\[([\w,]+)\]")
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = {
        one for found in (in_links, in_brackets) for names in found.findall(text) for one in names.split(",")
    }
    assert {"campaigns", "exchange", "hardware"} <= named <= set(EXTRAS)


# --- the tested versions ---


def test_the_tested_versions_are_within_what_mho_asks_for():
    pinned = {canonicalize_name(one.name): one for one in pins()}
    for one in asked():
        if one.marker is not None and not one.marker.evaluate({"sys_platform": "linux"}):
            continue  # of another system than that where the list is written
        version = str(pinned[canonicalize_name(one.name)].specifier).removeprefix("==")
        assert one.specifier.contains(version, prereleases=True), f"{one} is not {version}"


def test_the_tested_versions_can_be_had_from_an_index():
    """A local build, 2.13+cpu, cannot."""
    assert set(NOT_PINNED) < set(EXTRAS)
    assert all(re.fullmatch(r"==[\w.!]+", str(one.specifier)) for one in pins()), (
        "a local build, or no version"
    )


def pins() -> list[Requirement]:
    lines = LIST.read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


# --- one archive ---


def write_wheel(folder: Path, name: str, *needs: str) -> None:
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as packed:
        lines = "".join(f"Requires-Dist: {one}\n" for one in needs)
        packed.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\n{lines}\n")


def test_what_the_lab_s_system_asks_for_beyond_this_one_s_is_not_forgotten(tmp_path):
    """pip evaluates markers for the system that it runs on, whatever `--platform` says."""
    missing = load_script("make_archive").missing
    write_wheel(
        tmp_path,
        "mho",
        "click>=8",
        'dask[array]; extra == "campaigns"',
        'pandas; extra == "exchange"',
        'old; python_version < "3.12"',
    )
    write_wheel(tmp_path, "click", 'colorama>=0.4; platform_system == "Windows"', "mho")
    assert missing(tmp_path, "windows", "3.13", []) == ["colorama>=0.4"]
    assert missing(tmp_path, "linux", "3.13", []) == []
    assert missing(tmp_path, "macos", "3.11", []) == ["old"]
    write_wheel(tmp_path, "dask", 'numpy; extra == "array"', 'other; extra == "frame"')
    assert missing(tmp_path, "linux", "3.13", ["campaigns"]) == ["numpy"]


@pytest.mark.thorough
def test_an_archive_installs_mho_without_an_index(tmp_path):
    """For this system, into an environment that has nothing; then the window's packages and the main verb are there."""
    archive = load_script("make_archive")
    python = "{}.{}".format(*sys.version_info)
    path = archive.make_archive(archive.HERE, python, ["notify"], tmp_path)
    with zipfile.ZipFile(path) as packed:
        packed.extractall(tmp_path / "lab")
    lines = [
        line.strip() for line in (tmp_path / "lab/README.txt").read_text("utf-8").splitlines()[2:] if line
    ]
    create, install, _ = lines
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for line in (
        create.replace(f"python{python}", sys.executable),
        install,
        ".venv/bin/mho --version",
        ".venv/bin/python -c 'import apprise'",
    ):
        done = subprocess.run(
            line,
            shell=True,
            cwd=tmp_path / "lab",
            env=alone,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)


def readme_commands(language: str) -> list[str]:
    """Return the commands of README's first block in a language."""
    block = (ROOT / "README.md").read_text("utf-8").partition(f"```{language}\n")[2].partition("\n```")[0]
    return re.split(r" && |; ", block)


def test_readme_says_the_first_command_in_windows_words():
    shell = [one.replace("python3 ", "py ") for one in readme_commands("sh")]
    assert readme_commands("powershell") == [one.replace(".venv/bin/", ".venv\\Scripts\\") for one in shell]


@pytest.mark.thorough
@pytest.mark.timeout(1200)
def test_readme_s_line_for_windows_installs_and_solves(tmp_path):
    """On Windows as it stands, but for `py`; elsewhere in this system's words. What mho needs is taken from here."""
    names = {"PIP_NO_DEPS": "1", "MHO_RUNS": str(tmp_path / "runs")}
    shutil.copytree(ROOT / "mho", tmp_path / "lab/mho", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "pyvisa_mho.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "lab")
    for line in readme_commands("powershell"):
        words = line.replace("py -m", f'"{sys.executable}" -m', 1)
        if os.sep == "/":
            words = words.replace(".venv\\Scripts\\", ".venv/bin/")
        done = subprocess.run(
            words,
            shell=True,
            cwd=tmp_path / "lab",
            env=os.environ | names,
            capture_output=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
        for found in (tmp_path / "lab/.venv").rglob("site-packages") if "install" in line else ():
            (found / "here.pth").write_text(
                f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})"
            )
    assert len(list((tmp_path / "runs").glob("*.h5"))) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_tested_versions_have_wheels_for_windows(python, tmp_path):
    """No compiler is needed there, for none of the extras that a lab takes."""
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--target",
            str(tmp_path / "nowhere"), "--platform", "win_amd64", "--python-version", python, "--implementation", "cp",
            "--only-binary=:all:", "--constraint", str(LIST), *map(str, asked()),
        ],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
