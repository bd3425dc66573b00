"""Provenance of a run: program, machine, user, and the exact state of the code."""

from __future__ import annotations

import ctypes
import getpass
import hashlib
import importlib.metadata
import os
import platform
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from mho import platforms
from mho.runs.reading.text import cut
from mho.runs.schema import RecordedParameter

DIFF_BYTES = 256 * 1024
GIT_TIMEOUT = 2.0
_CHECKOUT = Path(__file__).resolve().parents[2]


def collect(seed: int | None, argv: Sequence[str]) -> dict[str, str]:
    """Return what one needs to repeat a run, as text by name.

    Parameters
    ----------
    seed : int or None
        Seed of the run's random generator.
    argv : sequence of str
        The command line, program first.

    Returns
    -------
    dict
        ``mho_version``, ``python``, ``platform``, ``processor``, ``blas`` (and which of its kernels), ``host``,
        ``user``, ``time_zone``, ``seed``, ``command_line``, ``packages`` (``name==version`` a line); from a git
        checkout also ``git_commit``, ``git_status`` and ``git_diff`` (against the commit, cut at 256 KiB).
    """
    result = {
        "mho_version": mho_version(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(), "processor": processor(), "blas": blas_kernel(),
        "host": socket.gethostname(), "user": _user(), "time_zone": f"{datetime.now().astimezone():%Z %z}",
        "seed": "" if seed is None else str(seed), "command_line": shlex.join(argv),
        "packages": "\n".join(installed_packages(sys.path)),
    }  # fmt: skip
    return result | git_state(_CHECKOUT)


@cache
def processor() -> str:
    """Return the model of the processor."""
    return platforms.here.processor() or platform.processor() or platform.machine() or "unknown"


@cache
def blas_kernel() -> str:
    """Return numpy's BLAS and the kernel that it has chosen for this processor: last digits depend on it."""
    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    name = f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
    house = Path(np.__file__).parent
    for library in (*house.parent.glob("numpy.libs/*openblas*"), *house.glob(".dylibs/*openblas*")):
        with suppress(OSError):
            loaded = ctypes.CDLL(str(library))  # numpy has loaded it already
            for symbol in (
                "scipy_openblas_get_corename64_",
                "openblas_get_corename64_",
                "openblas_get_corename",
            ):
                with suppress(AttributeError):
                    ask = getattr(loaded, symbol)
                    ask.restype = ctypes.c_char_p
                    return f"{name} {ask().decode()}"
    return name


def installed_packages(folders: Sequence[str]) -> list[str]:
    """Return ``name==version`` of every package installed in `folders`, sorted.

    Read off the names of the ``.dist-info`` folders (PEP 376), as opening each one's metadata takes a
    hundred times as long.
    """
    result: dict[str, str] = {}
    for folder in folders:
        for info in Path(folder or ".").glob("*.dist-info"):
            name, _, version = info.name.removesuffix(".dist-info").partition("-")
            result.setdefault(name, version)  # the first on the path is the one imported
    return [
        f"{name}=={version}" for name, version in sorted(result.items(), key=lambda item: item[0].lower())
    ]


def input_files(parameters: Mapping[str, RecordedParameter]) -> dict[str, str]:
    """Return under ``inputs`` a line, parameter and SHA-256, for every file that a parameter names; nothing without any."""
    lines = [
        f"{name} {file_hash(Path(parameter.value))}"
        for name, parameter in parameters.items()
        if is_file(parameter.value)
    ]
    return {"inputs": "\n".join(lines)} if lines else {}


def is_file(value: object) -> TypeGuard[str | os.PathLike[str]]:
    """Return whether a parameter's value is the path of a file that is there."""
    try:
        return isinstance(value, str | os.PathLike) and Path(value).is_file()
    except (OSError, ValueError):  # a text that no path can be
        return False


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_state(house: Path) -> dict[str, str]:
    """Return commit, status and diff of the checkout at `house`; nothing without git or checkout."""
    # Only this folder: an environment inside another checkout does not make mho part of that.
    if not (house / ".git").exists():
        return {}
    commands = {
        "git_commit": ("rev-parse", "HEAD"),
        "git_status": ("status", "--short"),
        "git_diff": ("diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv"),
    }
    state: dict[str, str] = {}
    for name, command in commands.items():
        clean = name == "git_diff" and state.get("git_status") == ""  # git would look at every file again
        text = "" if clean else _git(house, command)
        if text is not None:
            state[name] = cut(text, DIFF_BYTES).decode()
    return state


def _git(house: Path, command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(house), *command],
            capture_output=True,
            timeout=GIT_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").rstrip("\n")


@cache
def mho_version() -> str:
    """Return mho's version: the checkout's when run from one, for an older mho may be installed beside it."""
    description = _CHECKOUT / "pyproject.toml"
    if description.is_file():
        return str(tomllib.loads(description.read_text("utf-8"))["project"]["version"])
    try:
        return importlib.metadata.version("mho")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
