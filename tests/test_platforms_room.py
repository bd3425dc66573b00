"""What differs between operating systems is asked in one room, and the rest of mho does not know where it runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from repository import ROOT

ROOM = ROOT / "mho/platforms"
# Their subject is a system: what `mho doctor` finds of one, and the libraries that Qt needs of Linux.
OF_SYSTEMS = ("mho/doctor/", "mho/gui/system_libraries.py")
NAMES = {
    "sys.platform", "sys.getwindowsversion", "os.name", "os.fork", "os.forkpty", "os.killpg", "os.setsid", "os.getsid",
    "os.getpgid", "os.getpgrp", "os.getuid", "os.geteuid", "os.waitid", "os.waitpid", "os.register_at_fork", "os.startfile",
    "platform.system", "socket.AF_UNIX", "signal.SIGKILL", "signal.SIGUSR1", "signal.SIGQUIT", "signal.SIGBREAK",
    "signal.SIGCHLD", "signal.pthread_kill", "ctypes.windll", "ctypes.WinDLL", "subprocess.STARTUPINFO",
}  # fmt: skip
MODULES = {"fcntl", "grp", "msvcrt", "pwd", "resource", "winreg", "_winapi", "nt", "posix"}
PLACES = re.compile(r"^/proc/")


def questions(path: Path) -> list[str]:
    """What a module asks of the system it runs on."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if f"{module}.{name}" in NAMES:
                found.append(f"{module}.{name}")
            case ast.Import(names=names):
                found += [one.name for one in names if one.name in MODULES or one.name.startswith("win32")]
            case ast.ImportFrom(module=str(module)) if module in MODULES or module.startswith("win32"):
                found.append(module)
            case ast.Constant(value=str(text)) if PLACES.match(text):
                found.append(text)
            case ast.keyword(arg="start_new_session" | "creationflags" | "preexec_fn" as name):
                found.append(str(name))
    return found


@pytest.mark.parametrize(
    "path", sorted((ROOT / "mho").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_only_the_room_of_systems_asks_which_one_it_runs_on(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    if path.is_relative_to(ROOM) or name.startswith(OF_SYSTEMS):
        return
    assert questions(path) == []


def test_the_room_does_ask() -> None:
    assert {"os.fork", "socket.AF_UNIX", "/proc/net/unix"} <= set(questions(ROOM / "posix.py"))
    assert {"msvcrt", "signal.SIGBREAK", "win32api"} <= set(questions(ROOM / "windows.py"))
