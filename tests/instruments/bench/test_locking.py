"""One process at a time has a bench: by any spelling, any user, any TMPDIR; and the next is told who has it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from daily import daily
from queue_runners import eventually
from repository import ROOT

from mho import platforms
from mho.errors import BenchError, BenchInUseError
from mho.instruments.bench import locking
from mho.instruments.bench.locking import lock_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.platforms import system
from mho.platforms.system import LockHolder, LockTaken, System

PREFIX = system.PREFIX
pytestmark = pytest.mark.usefixtures(
    "own_locks"
)  # another suite on this machine has benches of the same addresses
linux = pytest.mark.skipif(sys.platform != "linux", reason="names of sockets are Linux's")
TAKE = """
import os, sys, time
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.bench import locking
from mho.platforms import system
system.PREFIX += os.environ["OWN_LOCKS"]
source = load_bench_file(sys.argv[1])
if len(sys.argv) > 3:
    os.setuid(int(sys.argv[3]))
held = locking.lock_bench(source)
child = os.fork() if sys.argv[2] == "fork" else 1
if child:
    print("held", child, flush=True)
time.sleep(60)
"""


MINE, OTHER = "P1", "P2"  # serial numbers, and parts of other addresses
PORT = 50001


def bench_text(name: str, *different: tuple[str, str]) -> str:
    """A bench file of real instruments, all of which belong to `name` but for those that are `different`."""
    text = load_bench_file("simulated").text
    start, end = text.index("\n[simulation]"), text.index("[instruments.smu]")
    port = PORT if name == MINE else PORT + 1
    used = {
        "USB0::0x05E6::0x2450::SIM00001::INSTR": f"TCPIP0::localhost::{port}::SOCKET",
        "USB0::0x05E6::0x2450::SIM00002::INSTR": f"USB0::0x05E6::0x2450::{name}2::INSTR",
        "USB0::0x0957::0x2C07::SIM00003::INSTR": f"USB0::0x0957::0x2C07::{name}3::INSTR",
        "ASRL3::INSTR": f"ASRL/dev/{name}::INSTR",
        "PXI1Slot2/ao0:31": f"{name}a/ao0:31",
        "Dev1/ai0:31": f"{name}b/ai0:31",
    }
    text = text[:start] + "\n" + text[end:]
    for old, new in (used | dict(different)).items():
        text = text.replace(f'"{old}"', f'"{new}"')
    return text


@pytest.fixture
def text() -> str:
    return bench_text(MINE)


def written(folder: Path, text: str, name: str = "real.toml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@contextmanager
def held_elsewhere(
    path: str, *words: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    environment["OWN_LOCKS"] = system.PREFIX.removeprefix(PREFIX)
    python, further = platforms.here.interpreter()
    command = [python, "-c", TAKE, path, *(words or ("alone",))]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, **further, **environment}
    ) as holder:
        try:
            assert holder.stdout is not None
            told, number = holder.stdout.readline().split()
            assert told == b"held"
            yield holder, int(number)
        finally:
            holder.kill()


SPELLINGS = {  # of an instrument of `MINE`, by what it replaces in the other bench file
    "localhost": ("USB0::0x05E6::0x2450::SIM00001::INSTR", f"TCPIP0::127.0.0.1::{PORT}::SOCKET"),
    "letters": ("USB0::0x05E6::0x2450::SIM00001::INSTR", f"tcpip::LOCALHOST::{PORT}::socket"),
    "numbers": ("USB0::0x0957::0x2C07::SIM00003::INSTR", f"usb::2391::11271::{MINE.lower()}3"),
    "serial port": ("ASRL3::INSTR", f"asrl/dev/{MINE}"),
    "channels": ("PXI1Slot2/ao0:31", f"{MINE.lower()}A/ao0:15"),
}


@pytest.mark.parametrize("spelling", daily(SPELLINGS, 2))
def test_a_bench_is_locked_however_its_addresses_are_spelled(text, spelling, tmp_path):
    source = load_bench_file(written(tmp_path, text))
    other = load_bench_file(written(tmp_path, bench_text(OTHER, SPELLINGS[spelling]), "other.toml"))
    with lock_bench(source), pytest.raises(BenchError, match="is in use"):
        lock_bench(other)
    with lock_bench(other):
        pass  # free again


def test_this_process_is_told_that_it_has_the_bench_itself(text, tmp_path):
    source = load_bench_file(written(tmp_path, text))
    with (
        lock_bench(source),
        pytest.raises(BenchError, match=r"'simulated' is in use: this process, since .* has "),
    ):
        lock_bench(source)
    with lock_bench(source):
        pass


def test_another_process_is_kept_out_whatever_its_environment_says_and_told_who_has_it(
    text, tmp_path, monkeypatch
):
    path = written(tmp_path, text)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with held_elsewhere(path, "alone", TMPDIR="/nowhere") as (holder, _):
        with pytest.raises(BenchError, match="is in use") as told:
            lock_bench(load_bench_file(path))
        said = str(told.value)
        assert f"process {holder.pid} of " in said
        assert time.strftime(" since %Y-%m-%d ") in said
        assert "import os, sys, time" in said  # the beginning of its command
        assert said.endswith("end it, or wait")
        has = locking.holder(load_bench_file(path))
        assert has is not None
        assert has.process == holder.pid
        holder.kill()
        holder.wait()
        with lock_bench(load_bench_file(path)):
            pass  # however it goes
        assert locking.holder(load_bench_file(path)) is None


def is_free(path: str) -> bool:
    try:
        with lock_bench(load_bench_file(path)):
            return True
    except BenchInUseError:
        return False


@pytest.mark.thorough
@linux
def test_a_child_that_outlives_the_holder_does_not_keep_the_bench(text, tmp_path):
    path = written(tmp_path, text)
    with held_elsewhere(path, "fork") as (holder, child):
        holder.kill()
        holder.wait()
        try:
            eventually(lambda: is_free(path))  # a child lets go when it first gets a turn
            os.kill(child, 0)  # it lives
        finally:
            os.kill(child, 9)


@linux
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be another user")
def test_another_user_s_process_is_named(text, tmp_path):
    path = written(tmp_path, text)
    with held_elsewhere(path, "alone", "65534") as (holder, _), pytest.raises(BenchError) as told:
        lock_bench(load_bench_file(path))
    assert re.search(rf"process {holder.pid} of (nobody|user 65534), since", str(told.value))


def test_benches_that_share_no_instrument_are_used_side_by_side(text, tmp_path):
    source = load_bench_file(written(tmp_path, text))
    other = load_bench_file(written(tmp_path, bench_text(OTHER), "other.toml"))
    with lock_bench(source), lock_bench(other):
        pass


def test_two_channels_of_one_instrument_are_locked_once(tmp_path):
    text = bench_text(MINE, ("USB0::0x05E6::0x2450::SIM00002::INSTR", f"TCPIP0::localhost::{PORT}::SOCKET"))
    text = text.replace("keithley2450", "keithley2636b")
    path = written(tmp_path, text.replace('terminal = "word line"', 'terminal = "word line"\nchannel = 2'))
    with lock_bench(load_bench_file(path)), pytest.raises(BenchError, match="in use"):
        lock_bench(load_bench_file(path))


@linux
def test_a_lock_that_cannot_be_had_is_one_sentence(text, tmp_path, monkeypatch):
    def refuse(*arguments: object) -> None:
        raise PermissionError("no sockets here")

    monkeypatch.setattr("socket.socket", refuse)
    with pytest.raises(BenchError, match=r"cannot be locked for this process \(no sockets here\)"):
        lock_bench(load_bench_file(written(tmp_path, text)))


def test_where_files_are_locked_the_holder_is_named_too(tmp_path, monkeypatch):
    monkeypatch.setattr(type(platforms.here), "shared_folder", lambda self: tmp_path / "locks")
    there = platforms.here
    take, find = System.take_lock, System.lock_holder  # of systems without names of sockets
    holder = LockHolder(1, "anna", 1764000000.0)
    release = take(there, "a", holder)
    with pytest.raises(LockTaken) as taken:
        take(there, "a", locking.this_process())
    assert taken.value.holder == holder
    take(there, "b", holder)()
    assert find(there, "b") is None
    release()
    take(there, "a", holder)()


def test_when_a_bench_was_last_taken_is_known_afterwards(text, tmp_path):
    source = load_bench_file(written(tmp_path, text))
    before = time.time()
    with lock_bench(source):
        pass
    taken = locking.last_taken(source)
    assert taken is not None
    assert before - 1.0 <= taken <= time.time() + 1.0
    nobody = load_bench_file(written(tmp_path, bench_text(f"{MINE}x").replace("localhost", "192.0.2.77")))
    assert locking.last_taken(nobody) is None


def test_the_folder_of_lock_files_is_nobody_s_own(monkeypatch, tmp_path):
    before = platforms.here.shared_folder()
    for name in ("TMPDIR", "TEMP", "TMP", "XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    assert platforms.here.shared_folder() == before
    assert before.is_absolute()
