"""What a finding may ask of the system, in one place, so that a test can give another machine."""

from __future__ import annotations

import json
import locale
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mho.processes import environment

PROGRAM_WITHIN = 8.0  # s
PROBE_WITHIN = 15.0  # s: a VISA library that looks at GPIB boards takes several
_OF_ROOT = ("/sbin", "/usr/sbin")  # where ldconfig is, which a user's PATH may lack


def run_program(*words: str) -> str | None:
    """Return what a program prints, in English where it can; None where it is not installed.

    `TimeoutError` when it does not end.
    """
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *(_OF_ROOT if os.name == "posix" else ())])
    place = shutil.which(words[0], path=places)
    if place is None:
        return None
    try:
        done = subprocess.run(
            [place, *words[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=PROGRAM_WITHIN, check=False,
            env=os.environ | {"LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{words[0]} does not answer within {PROGRAM_WITHIN:g} s") from None
    return done.stdout.decode("utf-8", "replace")


def run_probe(name: str, *words: str) -> Any:
    """Return what a function of `mho.doctor.probes` finds, in a process of its own: a vendor's library may hang, or crash.

    `TimeoutError` when it does not end, `RuntimeError` when it ends without an answer.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "mho.doctor.probes", name, *words], stdin=subprocess.DEVNULL,
            capture_output=True, timeout=PROBE_WITHIN, check=False, env=environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"it does not answer within {PROBE_WITHIN:g} s") from None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    try:
        return json.loads(lines[-1])
    except (ValueError, LookupError):
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise RuntimeError(f"it ended with {done.returncode} {' '.join(last)}".rstrip()) from None


def disk_partitions() -> list[tuple[str, str, str]]:
    """Return what is mounted: the place, the kind of file system, the options."""
    import psutil  # would delay every start

    return [(one.mountpoint, one.fstype, one.opts) for one in psutil.disk_partitions(all=True)]


def on_battery() -> bool | None:
    """Return whether the machine runs on its battery; None where it has none."""
    import psutil

    there = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return None if there is None else there.power_plugged is False


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a number without a name, as in a container
        return ""


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # nor has such a number a home
        return Path("~")


@dataclass(frozen=True)
class Machine:
    """A machine, and what is asked about it.

    `system`: as `sys.platform`; `root`: the folder in which ``/sys``, ``/proc``, ``/dev`` and ``/etc`` are looked for;
    `python`: what its Python is for, as `sysconfig.get_platform`; `encoding`: of what it writes into a pipe or a file;
    `program`, `probe`, `partitions`, `battery`: as `run_program`, `run_probe`, `disk_partitions` and `on_battery`;
    `runs`: the folder of runs; `bench`: the bench file in question, "" for none;
    `ask`: whether every instrument that is found on a bus is asked for its identity.
    """

    system: str = sys.platform
    python: str = field(default_factory=sysconfig.get_platform)
    encoding: str = field(default_factory=lambda: locale.getpreferredencoding(False))
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    home: Path = field(default_factory=_home)
    user: str = field(default_factory=_user)
    host: str = field(default_factory=platform.node)
    root: Path = Path("/")
    program: Callable[..., str | None] = run_program
    probe: Callable[..., Any] = run_probe
    partitions: Callable[[], list[tuple[str, str, str]]] = disk_partitions
    battery: Callable[[], bool | None] = on_battery
    runs: Path = Path("data", "runs")
    bench: str = ""
    ask: bool = False

    def path(self, name: str) -> Path:
        """Return an absolute path, as ``/dev/gpib0``, below `root`."""
        return self.root / name.lstrip("/")

    def paths(self, pattern: str) -> list[Path]:
        """Return the paths below `root` that match a pattern, as ``/dev/gpib*``, in order."""
        return sorted(self.root.glob(pattern.lstrip("/")))

    def text(self, name: str) -> str:
        """Return the text of a file, without white space around it; "" where it cannot be read."""
        try:
            return self.path(name).read_text("utf-8", "replace").strip()
        except OSError:
            return ""

    def registry(self, key: str) -> dict[str, str | int]:
        """Return the values of a key of Windows' registry by name; of a key that lies below, its name and "".

        The names of types are the same in every language. A key that is not there has no values.
        """
        found: dict[str, str | int] = {}
        # Also of a Python of 32 bits, the registry of the programs of 64 bits
        for line in (self.program("reg", "query", key, "/reg:64") or "").splitlines():
            if value := re.fullmatch(r" {4}(.*?) {4}(REG_\w+) {4}(.*)", line.rstrip("\r")):
                name, kind, text = value.groups()
                found[name] = int(text, 16) if kind in ("REG_DWORD", "REG_QWORD") else text.strip()
            elif line.strip().startswith("HKEY_"):
                found.setdefault(line.strip().rpartition("\\")[2], "")
        return found
