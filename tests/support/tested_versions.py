"""The versions that the tests run with, of all that mho and its extras need; as a program it writes `constraints.txt`.

It follows what mho asks for through the packages that are installed; what is not, like the packages of another system, has
no line and is free.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from repository import ROOT

LIST = ROOT / "constraints.txt"
NOT_PINNED = (
    "gpu",
    "jax",
    "benchmarks",
    "docs",
    "dev",
)  # of one graphics card or another, or of those who work on mho
HEAD = """# The versions that mho's tests ran with: pip install -c constraints.txt . (docs/install.md)
# Written by `python tests/support/tested_versions.py`; each package has wheels for Windows, Linux and macOS.
"""


def asked() -> Iterator[Requirement]:
    """Yield what mho and its extras ask for, as pyproject.toml has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    yield from map(Requirement, project["dependencies"])
    for name, packages in project["optional-dependencies"].items():
        if name not in NOT_PINNED:
            yield from map(Requirement, packages)


def tested_versions(requirements: Iterable[Requirement]) -> dict[str, str]:
    """Return name and version of the packages that are asked for and installed, with all that they ask for in turn."""
    found: dict[str, str] = {}
    followed: set[tuple[str, frozenset[str]]] = set()
    waiting = list(requirements)
    while waiting:
        one = waiting.pop()
        name, extras = canonicalize_name(one.name), frozenset(one.extras)
        if (name, extras) in followed:
            continue
        followed.add((name, extras))
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = installed.version
        waiting += [
            inner
            for inner in map(Requirement, installed.requires or [])
            if inner.marker is None or any(inner.marker.evaluate({"extra": each}) for each in {"", *extras})
        ]
    return dict(sorted(found.items()))


def text() -> str:
    """Return the text of the file."""
    lines = (f"{name}=={version}\n" for name, version in tested_versions(asked()).items())
    return HEAD + "".join(lines)


if __name__ == "__main__":
    LIST.write_text(text(), "utf-8")
