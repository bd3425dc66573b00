"""A block of 128 x 128 cells, whose programming is killed ten times at random: each cell is verified, no pulse is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from cell_records import cell_record

from mho.instruments.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.serving import Server, served_text, write_served
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.runs import RunFile

KILLS = 10
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

ATTEMPT = """
import os, sys, threading
from mho import run
from mho.procedures import Program
from mho.procedures.stream import Progress
from mho.running.continuing import resume

bench, earlier, output, share, delay, number = sys.argv[1:]
begun = []

def kill(event):
    if isinstance(event, Progress) and not event.stage.startswith("repeating") and not begun:
        if event.done >= float(share) * event.total:
            begun.append(threading.Timer(float(delay), os.kill, (os.getpid(), int(number))))
            begun[0].daemon = True
            begun[0].start()

program = Program(digits="digits.npy")
if not earlier:
    run(program, bench, seed=5, output=output, observers=[kill])
elif bench.endswith(".toml"):
    run(program, bench, seed=5, output=output, observers=[kill], resume_of=earlier)
else:
    resume(earlier, output=output, observers=[kill])
"""


@contextmanager
def bench_named(name: str, folder: Path) -> Iterator[tuple[str, Laboratory | None]]:
    """A simulated bench by its name, or one on sockets whose chip outlives each attempt, as a real one does."""
    if name != "served":
        yield name, None
        return
    source = load_bench_file("switched")
    laboratory = Laboratory(stand_in(source), preset="pku", seed=1)
    with Server(laboratory, 0) as server:
        write_served(folder / "served.toml", served_text(source, server.endpoints))
        yield str(folder / "served.toml"), laboratory


def killed_again_and_again(
    name: str, side: int, kills: int, folder: Path, seed: int
) -> tuple[Path, int | None]:
    """Program a block, kill each attempt at a random share of its cells; return the last file and the pulses sent."""
    rng = np.random.default_rng(seed)
    np.save(folder / "digits.npy", rng.integers(0, 8, (side, side)))
    earlier = ""
    with bench_named(name, folder) as (bench, laboratory):
        for number in range(kills + 1):
            share = rng.uniform(0.0, 2.0 / (kills + 1 - number)) if number < kills else 2.0
            how = SIGNALS[rng.integers(len(SIGNALS))]
            words = [bench, earlier, f"{number}.h5", share, rng.uniform(0.0, 0.1), int(how)]
            command = [sys.executable, "-c", ATTEMPT, *map(str, words)]
            done = subprocess.run(command, cwd=folder, check=False, stderr=subprocess.PIPE, text=True)
            if number == kills:
                assert done.returncode == 0, done.stderr
            if (folder / f"{number}.h5").exists():
                earlier = f"{number}.h5"
        return folder / earlier, None if laboratory is None else int(laboratory.monitor.pulses)


def check(path: Path, side: int, kills: int, sent: int | None) -> None:
    record = cell_record(path)
    with RunFile(path) as run:
        summary = run.summary
    assert record.cells == side * side
    assert record.verified == record.cells - summary["cells_failed"]
    assert summary["cells_failed"] <= 1e-3 * record.cells
    assert record.needless == record.unread == 0
    assert (summary["pulses"], summary["reads"]) == (record.pulses, record.reads)
    if sent is not None:  # a pulse that was announced may have been sent or not: it is in the record
        assert 0 <= record.pulses - sent <= kills


@pytest.mark.thorough
def test_a_small_block_killed_twice(tmp_path):
    path, sent = killed_again_and_again("simulated", 6, 2, tmp_path, seed=3)
    check(path, 6, 2, sent)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["arrays", "simulated", "served"])
def test_a_large_block_killed_ten_times(name, tmp_path):
    path, sent = killed_again_and_again(name, 128, KILLS, tmp_path, seed=4)
    check(path, 128, KILLS, sent)
