"""Findings on Python, mho and the packages that it asks for."""

from __future__ import annotations

import platform
import shutil
import struct
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mho.doctor.findings import Ending, Finding
from mho.doctor.machine import Machine
from mho.errors import install_command
from mho.processes import CHECKOUT, is_installed

if TYPE_CHECKING:  # loaded where it is needed
    from packaging.requirements import Requirement


def check_python(machine: Machine) -> Iterator[Finding]:
    """Find which Python this is, on which system."""
    say = Ending("Python")
    bits = 8 * struct.calcsize("P")
    apart = "a virtual environment" if sys.prefix != sys.base_prefix else "no virtual environment"
    what = (
        f"{platform.python_implementation()} {platform.python_version()}, {bits} bits, {apart}, {sys.executable}; "
        f"{platform.platform()}"
    )
    asked = metadata.metadata("mho")["Requires-Python"] if mho_version() else ""
    if asked and not _within(platform.python_version(), asked):
        yield say.wrong(
            what, f"mho asks for Python {asked}: make an environment with it, and install mho there"
        )
    elif bits < 64:
        yield say.note(what, "a VISA library of 64 bits cannot be loaded: install the Python of 64 bits")
    else:
        yield say.ok(what)


def mho_version() -> str:
    """Return the version of mho; "" where it runs from a folder without being installed."""
    return _version("mho")


def check_mho(machine: Machine) -> Iterator[Finding]:
    """Find which mho runs, whether it is the one that is installed, and which one a shell would start."""
    say = Ending("mho")
    here = CHECKOUT / "mho"
    version = mho_version()
    if not version:
        yield say.note(f"not installed, runs from {here}", install_command("-e", str(CHECKOUT)))
        return
    installed = Path(str(metadata.distribution("mho").locate_file("mho"))).resolve()
    if is_installed():
        yield say.ok(f"{version}, editable, {here}")
    elif installed == here:
        yield say.ok(f"{version}, {here}")
    else:
        yield say.note(
            f"{version}, runs from {here}; what is installed is another one",
            f"run it from another folder, without PYTHONPATH, or `{install_command('-e', str(CHECKOUT))}`",
        )
    started = shutil.which("mho", path=machine.environ.get("PATH"))
    if started is not None and Path(started).parent.resolve() != Path(sys.executable).parent.resolve():
        yield say.note(
            f"`mho` in a shell is {started}, of another environment",
            "activate the environment that is meant, or type the whole path",
        )


def check_packages(machine: Machine) -> Iterator[Finding]:
    """Compare the packages that are installed with those that mho asks for; list the extras that are whole."""
    from packaging.requirements import Requirement

    say = Ending("packages")
    if not mho_version():
        yield say.note(
            "not compared: mho is not installed, and nothing says what it asks for", "install it, see above"
        )
        return
    needed: list[Requirement] = []
    extras: dict[str, list[Requirement]] = {}
    for one in map(Requirement, metadata.requires("mho") or []):
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            needed.append(one)
        elif one.name != "mho":
            for extra in metadata.metadata("mho").get_all("Provides-Extra") or []:
                if one.marker.evaluate({"extra": extra}):
                    extras.setdefault(extra, []).append(one)
    versions = {one.name: _version(one.name) for one in needed}
    for one in needed:
        version = versions[one.name]
        if not version or not _within(version, str(one.specifier)):
            yield say.wrong(
                f"{one.name} {version or 'is missing'}, mho asks for {one.specifier}",
                install_command(f"{one.name}{one.specifier}"),
            )
    yield say.ok(", ".join(f"{name} {version}" for name, version in versions.items() if version))
    whole = [extra for extra, wanted in extras.items() if all(map(_is_there, wanted))]
    from mho.instruments.bench_file import offered_drivers

    if offered := offered_drivers():
        yield Ending("drivers").ok(", ".join(f"{name} of {package}" for name, package in offered.items()))
    yield Ending("extras").ok(", ".join(sorted(whole)) or "none")


def _is_there(requirement: Requirement) -> bool:
    """Return whether a package is installed in a version that is asked for, with what its own extras need."""
    from packaging.requirements import Requirement

    if not _within(_version(requirement.name), str(requirement.specifier)):
        return False
    if not requirement.extras:
        return True
    further = map(Requirement, metadata.requires(requirement.name) or [])
    return all(
        _is_there(one)
        for one in further
        for extra in requirement.extras
        if one.marker is not None
        and one.marker.evaluate({"extra": extra})
        and not one.marker.evaluate({"extra": ""})
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _within(version: str, specifier: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return bool(version) and SpecifierSet(specifier).contains(version, prereleases=True)
