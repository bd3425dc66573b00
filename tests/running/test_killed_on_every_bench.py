"""On every bench that is described: a signal, `kill -9` and the emergency stop leave nothing live at the twins' wires."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from inspect import isfunction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daily import daily
from repository import ROOT

import mho
from mho.errors import Aborted
from mho.instruments import Bench, Cell, Pulse
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.serving import Server
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.simulated.faults import Fault
from mho.platforms import here
from mho.procedures import Form, Read
from mho.running.runner.emergency import emergency_stop

FOLDER = ROOT / "docs" / "benches"
NAMED = {
    path.stem: str(path) for path in sorted(FOLDER.glob("*.toml"))
    if "instruments" in tomllib.loads(path.read_text("utf-8"))
}  # fmt: skip
BENCHES = {"simulated": "simulated"} | NAMED
ALWAYS_LIVE = {"simulated", *(NAMED[one] for one in ("probe-station", "two-channels", "microcontroller"))}
"""Benches of which it is known that something is live amid these operations."""
QUIET = ("make_safe", "close", "identify", "settings")
POINTS = 12  # at most so many messages at which each bench is broken off
KILLED = """
import sys
import mho
from mho.platforms import here
from test_killed_on_every_bench import hold_something
bench = mho.open_bench(sys.argv[1])
with bench:
    hold_something(bench)
    print("live", flush=True)
    here.kill_this()
"""


def first_cell(bench: Bench) -> Cell:
    return Cell(tomllib.loads(bench.chip_text)["arrays"][0]["name"], 0, 0)


def read_and_pulse(bench: Bench) -> None:
    """Read a cell and pulse it, as far as the bench does either; the bit line holds a level between the two."""
    cell, gate = first_cell(bench), 1.5
    if bench.file.instruments.serves("read"):
        bench.read(cell)
    if bench.instruments.smu is not None:
        bench.instruments.smu.hold(0.3)
    if bench.file.instruments.serves("pulse"):
        longest = bench.limits.terminals["bit line"].pulse_width
        bench.pulse(cell, Pulse("set", 1.0, min(longest, 0.02), gate=bench.at_word_line(gate)), 2)


def hold_something(bench: Bench) -> None:
    """Leave the bench as in the midst of an operation: prepared, a level at its word line or its bit line."""
    read_and_pulse(bench)
    if bench.instruments.smu is not None:
        bench.instruments.smu.hold(0.3)


class Acts:
    """Counts what is sent to the instruments of a bench, and strikes once, at a chosen place.

    These are messages on a bus; where an instrument is reached by calls of a library, the calls of its driver's methods.
    """

    def __init__(self, bench: Bench, at: int = -1, strike: Callable[[], object] = lambda: None) -> None:
        self.seen, self._at, self._strike = 0, at, strike
        lab = bench.laboratory
        lab.faults.append(Fault("", "accident", times=10**9, accident=lambda rack: self._take()))
        for instrument in bench.instruments.by_name().values():
            if not lab.devices:
                self._watch(instrument)

    def _watch(self, driver: Any) -> None:
        for name in dir(type(driver)):
            if not name.startswith("_") and isfunction(getattr(type(driver), name)) and name not in QUIET:
                setattr(driver, name, self._watched(getattr(driver, name)))

    def _watched(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            answer = method(*given, **named)
            self._take()
            return answer

        return call

    def _take(self) -> None:
        self.seen += 1
        if self.seen == self._at + 1:
            self._strike()


def acts_of(bench_name: str, act: Callable[[Bench], object]) -> int:
    """Return how often something is sent in an operation."""
    with open_rehearsal(load_bench_file(bench_name), seed=1) as bench:
        acts = Acts(bench)
        act(bench)
        return acts.seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("bench_name", daily(BENCHES.values(), 3))
def test_a_signal_amid_a_read_or_a_pulse_leaves_nothing_live(bench_name, number):
    count, seen = acts_of(bench_name, read_and_pulse), set()

    def broken_off(after: int) -> None:
        with open_rehearsal(load_bench_file(bench_name), seed=1) as bench:
            lab = bench.laboratory
            labs.append(lab)
            Acts(bench, after, lambda: (seen.update(lab.live()), signal.raise_signal(number)))
            read_and_pulse(bench)

    for after in sorted({*np.linspace(0, count - 1, POINTS, dtype=int).tolist()}):
        labs: list[Laboratory] = []
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            broken_off(after)
        assert labs[0].live() == (), after
    if bench_name in ALWAYS_LIVE:
        assert seen, "nothing was live when it was broken off: the test shows nothing"


@pytest.mark.parametrize("kind", [Read, Form])
@pytest.mark.parametrize("bench_name", daily(BENCHES.values(), 2))
def test_a_run_that_is_stopped_ends_with_nothing_live(bench_name, kind, tmp_path):
    settings: dict[str, Any] = {"rows": "0", "columns": "0"}
    source = load_bench_file(bench_name)
    width = min(source.bench.terminal_limits().terminals["bit line"].pulse_width, 0.01)
    steps = {"start": 1.0, "stop": 3.0, "step": 0.1, "width": width}
    settings |= {"repeats": 20} if kind is Read else steps
    if set(kind(**settings).needed()) - set(source.bench.operations()):
        pytest.skip("the bench does not do that")
    with open_rehearsal(source, seed=1) as bench:
        lab = bench.laboratory
        acts = Acts(bench, 5, lambda: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(Aborted):
            mho.run(
                kind(array=first_cell(bench).array, **settings), bench, seed=1, output=tmp_path / "run.h5"
            )
        assert lab.live() == ()
        assert acts.seen > 5
    with mho.open_run(tmp_path / "run.h5") as run:
        assert run.status == "aborted"


@pytest.mark.usefixtures("own_locks")
@pytest.mark.parametrize("bench_name", daily(NAMED.values(), 1))
def test_what_a_killed_process_leaves_live_goes_off_by_the_emergency_stop(bench_name, tmp_path):
    if Path(bench_name).stem == "parameter-analyser":
        pytest.skip("the B1500 has no socket: each of its units has a session of its own at one GPIB address")
    for path in FOLDER.iterdir():
        if path.suffix in (".py", ".toml"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    lab, text = Laboratory(stand_in(load_bench_file(bench_name)), seed=1), Path(bench_name).read_text("utf-8")
    if lab.daq.products or getattr(lab, "libraries", {}):
        pytest.skip(
            "an instrument is reached by calls of a library, for which no twin stands in another process"
        )
    with Server(lab, 0) as server:
        for endpoint in server.endpoints:
            text = text.replace(endpoint.resource, endpoint.address)
        served = tmp_path / "served.toml"
        served.write_text(f'visa = "@py"\n{text}', "utf-8")
        child = subprocess.run(
            [sys.executable, "-c", KILLED, str(served)], cwd=tmp_path, capture_output=True, text=True, timeout=120,
            env=environment(),
        )  # fmt: skip
        assert here.is_kill(child.returncode), child.stderr
        assert child.stdout == "live\n"
        assert lab.live(), "the kill left nothing live: the test shows nothing"
        said = emergency_stop(tmp_path / "queue.sqlite", str(served))
        assert "is safe" in said
        assert lab.live() == ()


def environment() -> dict[str, str]:
    """Return that of a process that finds this module and what it imports."""
    import os

    paths = [str(ROOT), str(ROOT / "tests" / "support"), str(Path(__file__).parent)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
