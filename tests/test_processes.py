"""Processes ended whole: nothing that one has open outlives what is said of its end."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import mho
from mho.processes import CHECKOUT, end_whole, environment

EXIT = {"x86_64": 60, "aarch64": 93}  # exit(2), which ends the calling thread alone
HEADLESS = """
import ctypes, fcntl, sys, threading, time
held = open(sys.argv[1], "w")
fcntl.flock(held, fcntl.LOCK_EX)
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print(flush=True)
ctypes.CDLL(None).syscall(int(sys.argv[2]), 0)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in EXIT,
    reason="ends one thread alone, by Linux's numbers",
)
def test_a_process_whose_first_thread_is_gone_is_ended_and_its_locks_with_it(tmp_path: Path):
    """For a moment every killed process is so: a zombie by name, with threads that still hold its files."""
    import fcntl

    lock = tmp_path / "lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HEADLESS, str(lock), str(EXIT[platform.machine()])],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            assert process.poll() is None
        assert not end_whole(process.pid)  # it had nobody
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody has it
    finally:
        process.kill()
        process.communicate()


def test_a_python_of_ours_finds_mho_and_none_of_its_rooms_in_place_of_another_module(monkeypatch):
    """`mho/gui/queue` on the path would stand for Python's own `queue`."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["elsewhere", "further"]))
    inside = Path(mho.__file__).parent
    assert Path(CHECKOUT) / "mho" == inside
    for installed in (True, False):
        monkeypatch.setattr("mho.processes.is_installed", lambda installed=installed: installed)
        house = [] if installed else [str(CHECKOUT)]
        assert environment()["PYTHONPATH"].split(os.pathsep) == [*house, "elsewhere", "further"]


@pytest.mark.thorough
def test_a_users_own_modules_are_not_hidden_by_the_links_of_the_checkout(tmp_path: Path) -> None:
    for name in ("analysis", "gui", "instruments"):
        (tmp_path / f"{name}.py").write_text("")
    code = f"from mho.own_code import search_also; search_also({str(tmp_path)!r})\n"
    code += "import analysis, gui, instruments, mho; print(analysis, mho)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{code}; print(analysis, mho)"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert repr(str(tmp_path))[1:-1] in done.stdout
    assert repr(str(CHECKOUT / "mho"))[1:-1] in done.stdout
