"""The extensions stand on public names, are found as a stranger's are, and each can be taken out."""

from __future__ import annotations

import ast
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from command_line import Shell
from daily import daily
from public_names import exported
from repository import ROOT
from without_extensions import EXTENSIONS, copy_without, core_tests, python_in

from mho.errors import InputError
from mho.extension_points import offers, usable_offers
from mho.procedures.catalogue import find_procedure
from mho.procedures.manifest import entry_of, known_entries

FLOORS = {path.stem for path in (ROOT / "mho").glob("*.py")}
"""Modules of mho that are no rooms; all their names are public."""


def own_imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield room and name of what a module imports of mho."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "mho":
            yield from ((str(node.module), one.name) for one in node.names)


@pytest.mark.parametrize("name", EXTENSIONS)
def test_an_extension_imports_public_names_only(name: str) -> None:
    inner = f"mho.extensions.{name}"
    imported = {one for path in (ROOT / "mho/extensions" / name).rglob("*.py") for one in own_imports(path)}
    assert imported
    for home, what in sorted(imported):
        if f"{home}.".startswith(f"{inner}.") or home.removeprefix("mho.") in FLOORS:
            continue
        if name in ("characterise", "published") and not find_spec(home):
            continue  # what it stands on has been taken out
        room = ROOT.joinpath(*home.split("."), "__init__.py")
        assert room.is_file(), f"{name} reaches into {home} for {what}"
        assert what in exported(room), f"{what} is no public name of {home}"


def test_every_extension_is_offered_by_an_entry_point_or_imported_by_its_user() -> None:
    groups = ("mho.procedures", "mho.verbs", "mho.panels")
    targets = {one.target for group in groups for those in offers(group).values() for one in those}
    offered = {target.split(".")[2].partition(":")[0] for target in targets if target.startswith("mho.ext")}
    assert set(EXTENSIONS) - offered == {"linalg"} & set(EXTENSIONS)  # a library


def test_the_metadata_of_a_package_is_read_once_for_all_that_it_offers(monkeypatch) -> None:
    """It is a page of text: parsed for each of twenty procedures, it took most of the time of ``mho --help``."""
    packages = []
    # A package that was imported may bring classes of its own, which find all packages.
    kinds = {type(point.dist) for point in entry_points(group="mho.procedures")}
    for owner in {next(one for one in kind.__mro__ if "metadata" in vars(one)) for kind in kinds}:
        read = owner.metadata.fget

        def counted(package: Any, read: Callable[[Any], Any] = read) -> Any:
            packages.append(package)
            return read(package)

        monkeypatch.setattr(owner, "metadata", property(counted))
    assert len(offers("mho.procedures")) > len(packages)
    assert len(packages) == len(set(packages)) > 0


# --- what packages of others may get wrong ---

VERB = '''
import typer

GROUP = "Benches"


def bake(celsius: float = 85.0) -> float:
    """Bake the chip.

    For an hour.
    """
    typer.echo(f"at {celsius:g} degrees")
    if celsius > 200.0:
        raise typer.Exit(3)
    return celsius


several = typer.Typer(help="Several things.")


@several.command()
def first() -> None:
    """Do the first."""
    typer.echo("first")


@several.command()
def second() -> None:
    """Do the second."""


def broken_help() -> None:
    """Be there."""


raise_at_call = 1
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a package of a lab: its name, entry points by group, and what it requires."""

    def make(package: str, points: dict[str, dict[str, str]], requires: str = "") -> None:
        info = tmp_path / f"{package}-1.5.dist-info"
        info.mkdir()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n{needs}")
        (info / "entry_points.txt").write_text(
            "".join(
                f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in those.items())
                for group, those in points.items()
            )
        )
        (tmp_path / f"{package}_verbs.py").write_text(VERB)
        (tmp_path / f"{package}_broken.py").write_text("1 / 0\n")
        monkeypatch.syspath_prepend(tmp_path)

    return make


def test_a_verb_of_a_package_is_one_of_mho_s(install, shell: Shell) -> None:
    points = {"bake": "labone_verbs:bake", "several": "labone_verbs:several"}
    install("labone", {"mho.verbs": points})
    assert shell("bake", "--celsius", "90")[:2] == (0, "at 90 degrees\n")  # what it returns is no exit code
    assert shell("bake", "--celsius", "300")[0] == 3
    assert shell("several", "first")[:2] == (0, "first\n")
    _, out, _ = shell("--help")
    benches = out[out.index("Benches") :]
    assert "Bake the chip." in benches
    assert "For an hour" not in out
    assert "Several things." in benches
    assert "did you mean 'bake'" in shell.refused("bakes")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["procedures"], ["WARNING: procedure 'look' is not offered: ", "labnine_broken"]),
        (["--help"], ["WARNING: verb 'fail' is not offered: verb 'fail' of labnine 1.5 cannot be loaded: "]),
        (["run", "read", "--help"], []),
    ],
)
def test_a_list_says_on_standard_error_what_it_leaves_out(words, said, install, tmp_path) -> None:
    broken = {"mho.procedures": {"look": "labnine_broken:Look"}, "mho.verbs": {"fail": "labnine_broken:fail"}}
    install("labnine", broken)
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    listed = subprocess.run(
        [sys.executable, "-m", "mho", *words], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert "solve" in listed.stdout or words[0] == "run"
    assert [one in listed.stderr for one in said] == [True] * len(said)
    assert bool(listed.stderr) == bool(said)


def test_a_broken_verb_is_named_and_the_others_work(install, shell: Shell, caplog) -> None:
    points = {"bake": "labtwo_verbs:bake", "fail": "labtwo_broken:fail", "solve": "labtwo_verbs:bake"}
    install("labtwo", {"mho.verbs": points})
    with caplog.at_level(logging.WARNING, "mho"):
        _, out, _ = shell("--help")
    assert "Bake the chip." in out
    said = "verb 'fail' of labtwo 1.5 cannot be loaded: ZeroDivisionError: division by zero"
    assert f"verb 'fail' is not offered: {said}" in caplog.text
    assert "mho's own verb 'solve' is offered, not labtwo_verbs:bake" in caplog.text
    assert said in shell.refused("fail")
    assert shell("bake")[0] == 0


def test_a_verb_that_two_packages_offer_is_none_s(install, shell: Shell) -> None:
    for package in ("labthree", "labfour"):
        install(package, {"mho.verbs": {"bake": f"{package}_verbs:bake"}})
    said = "several packages have a verb 'bake'; remove one of labfour 1.5 and labthree 1.5"
    assert said in shell.refused("bake")


@pytest.mark.parametrize(
    ("requires", "fits"),
    daily(
        [
            ("mho>=99", False),
            ("mho<0.1", False),
            ("MHO>=99", False),
            ("mho==0.1.*", True),
            ('mho>=99; python_version < "3"', True),
            ("numpy>=99", True),
        ],
        3,
    ),
)
def test_a_package_for_another_mho_is_named_and_not_used(install, requires, fits, shell, caplog) -> None:
    install("labfive", {"mho.verbs": {"bake": "labfive_verbs:bake"}}, requires)
    with caplog.at_level(logging.WARNING, "mho"):
        assert ("bake" in usable_offers("mho.verbs", "verb")) == fits
    if fits:
        assert shell("bake")[0] == 0
        return
    needs = requires.lower().removeprefix("mho")
    said = (
        f"labfive 1.5 is made for mho {needs}, and this is mho {version('mho')}; install a version that fits"
    )
    assert f"verb 'bake' is not offered: {said}" in caplog.text
    assert said in shell.refused("bake")


def test_a_procedure_for_another_mho_is_named_and_not_used(install, caplog) -> None:
    install("labsix", {"mho.procedures": {"look": "labsix_verbs:Look"}}, "mho>=99")
    assert "look" not in known_entries()
    assert "procedure 'look' is not offered: labsix 1.5 is made for mho >=99" in caplog.text
    with pytest.raises(InputError, match=r"labsix 1\.5 is made for mho >=99"):
        find_procedure("look")


def stated(**facts: Any) -> str:
    """Return a manifest of `look`, with other facts than those that would do."""
    whole = {"target": "x:Look", "title": "x", "group": "x", "description": "", "parameters": {}}
    return json.dumps({"procedures": {"look": whole | facts}})


@pytest.mark.parametrize(
    "text",
    daily([
        "{", "[]", "[" * 100_000, '{"procedures": {"look": {"title": "x"}}}', '{"procedures": 1}',
        '{"procedures": {"look": "text"}}', stated(group=5), stated(title=None), stated(description=None),
        stated(parameters={"a": {"kind": "banana", "name": "A"}}),
        stated(parameters={"a b": {"kind": "text", "name": "A"}}),
        stated(parameters={"a": {"kind": "text", "name": None}}),
        stated(parameters={"a": {"kind": "float", "name": "A", "minimum": "two"}}),
    ], 3),
    ids=range(13),
)  # fmt: skip
def test_a_manifest_that_is_none_counts_for_nothing(text, tmp_path, install, caplog) -> None:
    package = tmp_path / f"cells_of_{abs(hash(text))}"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from mho import Procedure\n\n\nclass Look(Procedure):\n    title = 'Look at it'\n\n"
        "    def execute(self, plan, bench, stream):\n        pass\n"
    )
    (package / "manifest.json").write_text(text)
    install("labseven", {"mho.procedures": {"look": f"{package.name}:Look"}})
    entry = entry_of("look")
    assert (entry.title, entry.imported) == ("Look at it", True)
    assert "manifest" in caplog.text


def test_what_asks_for_mho_in_a_way_that_cannot_be_read_is_not_used(install, shell: Shell) -> None:
    install("labeight", {"mho.verbs": {"bake": "labeight_verbs:bake"}}, "mho ~=2")
    assert "labeight 1.5 is made for mho 'mho ~=2', which cannot be read" in shell.refused("bake")


def test_a_fit_package_keeps_its_name_beside_one_for_another_mho(install, shell: Shell) -> None:
    install("labnine", {"mho.verbs": {"bake": "labnine_verbs:bake"}})
    install("labten", {"mho.verbs": {"bake": "labten_verbs:bake"}}, "mho>=99")
    assert shell("bake")[0] == 0


def test_no_package_takes_away_what_is_mho_s_own(install, shell: Shell, caplog) -> None:
    for name in ("applications", "reach"):
        pytest.importorskip(f"mho.extensions.{name}")
    install(
        "labeleven",
        {
            "mho.verbs": {"reach": "labeleven_verbs:bake", "Solve": "labeleven_verbs:bake"},
            "mho.procedures": {"pagerank": "labeleven_verbs:bake", "sweep": "labeleven_verbs:bake"},
        },
    )
    with caplog.at_level(logging.WARNING, "mho"):
        _, out, _ = shell("--help")
        known = known_entries()
    assert "36 families" in out
    assert "mho's own verb 'reach' is offered, not labeleven_verbs:bake" in caplog.text
    assert known["pagerank"].target.startswith("mho.extensions.applications.")
    assert "sweep" not in known  # which IV was once called
    assert "did you mean 'solve'" in shell.refused("Solve")


ENDS = {
    "exit": "import sys\nsys.exit()\n",
    "aborted": "from mho.errors import Aborted\nraise Aborted('no')\n",
    "late": "def __getattr__(name):\n    raise RuntimeError('lazily broken')\n",
    "init": "from mho import Procedure\n\n\nclass Look(Procedure):\n    def __init__(self, given):\n        pass\n",
    "words": "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\n\n\nraise Odd\n",
}


@pytest.mark.parametrize("how", daily(ENDS, 2))
def test_a_module_that_ends_or_breaks_hides_nothing_else(
    how, install, tmp_path, shell: Shell, caplog
) -> None:
    module = f"lab_that_{how}"
    (tmp_path / f"{module}.py").write_text(ENDS[how])
    install(
        "labtwelve", {"mho.procedures": {"look": f"{module}:Look"}, "mho.verbs": {"look": f"{module}:Look"}}
    )
    with caplog.at_level(logging.WARNING, "mho"):
        assert "read" in known_entries()
    assert "procedure 'look' is not offered: " in caplog.text
    assert "Solve A x = b" in shell("--help")[1]
    code, out, err = shell("run", "look")
    assert (code in (2, 130), out, len(err.splitlines())) == (True, "", 1)


def test_metadata_that_cannot_be_read_is_named(install, tmp_path, shell: Shell, caplog) -> None:
    install("labthirteen", {"mho.verbs": {"bake": "labthirteen_verbs:bake"}})
    (tmp_path / "labthirteen-1.5.dist-info/METADATA").write_bytes(
        b"Name: lab\xff\nVersion: 1\nRequires-Dist: \xff"
    )
    with caplog.at_level(logging.WARNING, "mho"):
        assert "Solve A x = b" in shell("--help")[1]
    said = "the metadata of the package of labthirteen_verbs:bake cannot be read: UnicodeDecodeError"
    assert said in caplog.text
    assert said in shell.refused("bake")


def test_markup_and_control_characters_of_a_package_are_text(install, tmp_path, shell: Shell) -> None:
    (tmp_path / "lab_markup.py").write_text(
        'GROUP = "[/oops]"\n\n\ndef f() -> None:\n    """Clear \\x1b[2J it."""\n'
    )
    install("labfourteen", {"mho.verbs": {"f": "lab_markup:f"}})
    _, out, _ = shell("--help")
    assert "[/oops]" in out
    assert "\x1b[2J" not in out


# --- taken out ---


OTHER_SYSTEMS = ("posix.py", "logind.py") if sys.platform == "win32" else ("windows.py",)


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_without_any_extension_the_core_is_whole(tmp_path: Path) -> None:
    folder = copy_without(EXTENSIONS, tmp_path)
    modules = [
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((folder / "mho").rglob("*.py"))
        if path.name not in ("__main__.py", *OTHER_SYSTEMS)
    ]
    done = python_in(
        folder, "-c", f"from importlib import import_module\nfor one in {modules}: import_module(one)"
    )
    assert done.returncode == 0, done.stdout
    code = "from mho import *\nimport mho\nprint({'linalg', 'applications'} & set(dir(mho)))\nmho.linalg"
    done = python_in(folder, "-c", code)
    assert done.stdout.startswith("set()\n")
    said = "module 'mho' has no attribute 'linalg': the extension mho.extensions.linalg has been taken out of this mho"
    assert done.stdout.splitlines()[-1] == f"AttributeError: {said}"
    done = python_in(folder, "-m", "mho", "--help")
    assert "solve" in done.stdout
    assert "reach" not in done.stdout
    assert "WARNING" not in done.stdout
    done = python_in(
        folder, "-m", "mho", "run", "read", "--rows", "0:2", "--columns", "0:2", "--output", "read.h5"
    )
    assert done.returncode == 0, done.stdout
    for words in (("reach",), ("run", "mimo")):
        done = python_in(folder, "-m", "mho", *words)
        assert done.returncode == 2
        assert done.stdout.startswith("mho: ")
        assert done.stdout.count("\n") == 1


@pytest.mark.thorough
def test_published_offers_less_without_what_some_experiments_stand_on(tmp_path: Path) -> None:
    code = "from mho.extensions.published import EXPERIMENTS; print(*EXPERIMENTS)"
    every = python_in(ROOT, "-c", code).stdout.split()
    left = python_in(copy_without(["applications", "projection"], tmp_path), "-c", code).stdout.split()
    assert set(every) - set(left) == {"mimo-16x4", "mimo-128x8", "throughput"}
    assert set(left) < set(every)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("out", [*([name] for name in EXTENSIONS), EXTENSIONS], ids=lambda out: "-".join(out))
def test_the_core_s_suite_passes_without(out: list[str], tmp_path: Path) -> None:
    folder = copy_without(out, tmp_path)
    rest = [folder / "tests/extensions" / name for name in EXTENSIONS if name not in out]
    done = python_in(folder, "-m", "pytest", "-n", "2", *core_tests(folder), *rest)
    assert done.returncode == 0, done.stdout[-5000:]


def test_the_public_names_of_an_extension_are_there() -> None:
    for name in EXTENSIONS:
        module = import_module(f"mho.extensions.{name}")
        assert module.__all__
        assert all(hasattr(module, one) for one in module.__all__)
