"""Whatever goes wrong, and whenever: outputs at 0 V and off, board SAFE, the reason in the run file, an end to the run.

One run of each procedure is listened to first; then the run is repeated with one fault at one of its messages.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instruments import Bench, open_bench
from instruments.bench_file import load_bench_file
from instruments.simulated.faults import BadCell, Fault, OpenInterlock, OutputKey, StuckSwitch, UnpluggedDaq
from instruments.simulated.laboratory import Laboratory
from mho_errors import BenchError, MhoError
from procedures import Procedure, Solve, run
from procedures.stream import Message, Started
from runs import RunFile, Status

ROOT = Path(__file__).resolve().parents[2]
SMALL_CHIP = """
name = "small"
[levels]
conductances = [0.37e-6, 5e-6, 10e-6, 15e-6, 20e-6, 25e-6, 30e-6, 35e-6]
tolerance = 1.2e-6
spread = 0.65e-6
zero_range = [0.22e-6, 0.52e-6]
zero_limit = 0.6e-6
""" + "".join(
    f'[[arrays]]\nname = "{name}"\npurpose = "{name.partition("_")[0]}"\nrows = {size}\ncolumns = {size}\n'
    "wire_resistance = 1.73\n"
    for name, size in (("invert_positive", 4), ("invert_negative", 4), ("multiply", 16))
)
FEW, ALL = 6, None
SHORT, OPEN = 10e-3, 0.0  # S

# A procedure is tested as soon as it stands here: how it is made for the shortest run there is.
PROCEDURES: dict[str, Callable[[], Procedure]] = {
    "solve": lambda: Solve(matrix=np.array([[0.8, 0.2], [0.1, 0.7]]), bits=3, max_cycles=2),
}
BUS = ("timeout", "error", "refusal", "disconnect", "cut")


def signalling(*numbers: signal.Signals) -> Callable[[Laboratory], None]:
    def accident(lab: Laboratory) -> None:
        for number in numbers:
            signal.raise_signal(number)

    return accident


ROLES = ("smu", "gate", "pulser", "board")
ADDRESSES = {role: getattr(load_bench_file("simulated").bench.instruments, role).address for role in ROLES}
ACCIDENTS: dict[str, Callable[[Laboratory], object]] = {
    "SIGINT": signalling(signal.SIGINT),
    "SIGINT twice": signalling(signal.SIGINT, signal.SIGINT),
    "SIGTERM": signalling(signal.SIGTERM),
    "SIGHUP": signalling(signal.SIGHUP),
    "shorted cell": BadCell(SHORT),
    "open cell": BadCell(OPEN),
    "stuck path": StuckSwitch("path"),
    "stuck mode": StuckSwitch("mode"),
    "interlock": OpenInterlock(ADDRESSES["smu"]),
    "output key of the smu": OutputKey(ADDRESSES["smu"]),
    "output key of the gate": OutputKey(ADDRESSES["gate"]),
    "DAQ outputs unplugged": UnpluggedDaq("PXI1Slot2"),
    "DAQ inputs unplugged": UnpluggedDaq("Dev1"),
}  # fmt: skip
METHODS = [
    ("smu", "configure"), ("smu", "enable"), ("smu", "read"), ("smu", "hold"), ("gate", "enable"), ("gate", "hold"),
    ("pulser", "configure"), ("pulser", "shape"), ("pulser", "fire"), ("daq", "exchange"), ("board", "set_mode"),
    ("board", "select"), ("board", "route"), ("board", "connect_multiply"), ("board", "connect_invert"),
]  # fmt: skip


class Listener(Fault):
    """A fault that never strikes, but notes who was sent what."""

    def __init__(self) -> None:
        super().__init__("", "accident")
        self.heard: list[tuple[str, bytes]] = []

    def strikes(self, resource: str, message: bytes) -> bool:
        self.heard.append((resource, message))
        return False


@dataclass
class Aftermath:
    """How a run ended."""

    lab: Laboratory
    error: BaseException | None
    said: list[Any]
    path: Path | None
    unsafe: list[set[str]]
    threads: set[threading.Thread]

    @property
    def loud(self) -> list[str]:
        return [event.text for event in self.said if isinstance(event, Message) and event.level == "CRITICAL"]


@cache
def bench_file(folder: Path) -> str:
    (folder / "small.toml").write_text(SMALL_CHIP, encoding="utf-8")
    text = load_bench_file("simulated").text
    path = folder / "bench.toml"
    path.write_text(
        text.replace('chip = "reference"', f'chip = "{folder / "small.toml"}"').replace('"pku"', '"ideal"'),
        "utf-8",
    )
    return str(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bench_file(tmp_path_factory.mktemp("bench"))


def unsafe_roles(lab: Laboratory) -> set[str]:
    """Which twins are not at 0 V and off, or not SAFE."""
    entries = load_bench_file("simulated").bench.instruments
    smu, gate, pulser = (lab.devices[e.address] for e in (entries.smu, entries.gate, entries.pulser))
    safe = {
        "smu": not smu.output_on and smu.level == 0.0,
        "gate": not gate.output_on and gate.level == 0.0,
        "pulser": not any(pulser.output_on.values()),
        "daq": np.abs(lab.daq.levels(entries.daq.outputs)).max() < 5e-3,
        "board": (lab.board.mode, lab.board.path) == ("SAFE", "OPEN"),
    }
    return {role for role, yes in safe.items() if not yes}


def perform(
    procedure: Procedure, bench_name: str, inject: Callable[[Bench], None], folder: Path
) -> Aftermath:
    """Run it with something injected, and leave the bench; look at the twins after the run and after leaving."""
    said: list[Any] = []
    error: BaseException | None = None
    before = set(threading.enumerate())
    unsafe: list[set[str]] = []
    with suppress(BenchError), open_bench(bench_name, seed=1) as bench:  # on leaving it says it once more
        lab = bench.laboratory
        inject(bench)
        try:
            run(procedure, bench, seed=1, output=folder, observers=[said.append])
        except (Exception, KeyboardInterrupt) as caught:
            error = caught
        unsafe.append(unsafe_roles(lab))
    unsafe.append(unsafe_roles(lab))
    started = [event.path for event in said if isinstance(event, Started)]
    return Aftermath(
        lab, error, said, started[0] if started else None, unsafe, set(threading.enumerate()) - before
    )


@cache
def heard(name: str, bench_name: str) -> list[tuple[str, bytes]]:
    """What a run without faults sends, in order; it is the same every time."""
    listener = Listener()
    with open_bench(bench_name, seed=1) as bench:
        bench.laboratory.faults.append(listener)
        run(PROCEDURES[name](), bench, seed=1, output=Path(bench_name).parent / name)
        bench.laboratory.faults.clear()
    return listener.heard


def assert_end(after: Aftermath, lost: str = "", stuck: bool = False) -> None:
    """Check everything that is promised of the end of a run; what is `lost` or `stuck` must at least be said."""
    lab = after.lab
    told = " ".join([str(after.error), *after.loud])
    excused = {role for role in ROLES if ADDRESSES[role] == lost} | ({"board"} if stuck else set())
    if lost:
        assert isinstance(after.error, MhoError)
        assert lost in told
    if after.path is not None and "NOT CONFIRMED SAFE" not in told:
        excused = set()  # so it is claimed that everything is safe
    assert all(unsafe <= excused for unsafe in after.unsafe), after.unsafe
    assert [i for i in lab.incidents if i.kind in ("hot switch", "over limit")] == []
    for thread in after.threads:
        thread.join(timeout=5.0)
        assert not thread.is_alive(), thread
    if after.path is None:
        assert after.error is not None
        return
    with RunFile(after.path) as file:
        status, reason = file.status, file.reason
        kept = [entry.message for entry in file.log() if entry.level == "CRITICAL"]
    if after.error is None:
        assert (status, reason) == (Status.FINISHED, "")
        assert after.loud == []
    else:
        stopped = isinstance(after.error, KeyboardInterrupt) or type(after.error).__name__ == "Aborted"
        assert status is (Status.ABORTED if stopped else Status.FAILED)
        assert reason
        assert (str(after.error)[:60] or "interrupted from the keyboard") in reason
    assert [text[:60] for text in kept] == [text[:60] for text in after.loud]


def chosen(count: int, few: int | None, seed: int) -> list[int]:
    """All indices, or `few` of them: one at random out of each of as many equal parts."""
    if few is None or few >= count:
        return list(range(count))
    edges = np.linspace(0, count, few + 1).astype(int)
    rng = np.random.default_rng(seed)
    return [int(rng.integers(low, high)) for low, high in pairwise(edges)]


def strike_bus(name: str, bench_name: str, kind: str, few: int | None, folder: Path) -> None:
    messages = heard(name, bench_name)
    for index in chosen(len(messages), few, BUS.index(kind)):
        address, message = messages[index]

        def inject(bench: Bench, index: int = index) -> None:
            bench.laboratory.faults.append(Fault("", kind, after=index, code=-113))

        after = perform(PROCEDURES[name](), bench_name, inject, folder / f"{kind}-{index}")
        lost = address if kind in ("disconnect", "cut") else ""
        try:
            assert_end(after, lost)
        except AssertionError as failure:
            failure.add_note(
                f"{kind} at message {index} of {len(messages)}: {message!r} to {address}; {after.error!r}"
            )
            raise


def strike_by_accident(name: str, bench_name: str, accident: str, few: int | None, folder: Path) -> None:
    messages = heard(name, bench_name)
    for index in chosen(len(messages), few, [*ACCIDENTS].index(accident)):

        def inject(bench: Bench, index: int = index) -> None:
            happening = Fault("", "accident", after=index, accident=ACCIDENTS[accident])
            bench.laboratory.faults.append(happening)

        after = perform(PROCEDURES[name](), bench_name, inject, folder / f"{index}")
        try:
            assert_end(after, stuck=accident.startswith("stuck"))
            assert after.error is None or isinstance(after.error, MhoError | KeyboardInterrupt)
        except AssertionError as failure:
            failure.add_note(f"{accident} at message {index}: {messages[index]!r}; {after.error!r}")
            raise


@pytest.mark.parametrize("kind", BUS)
@pytest.mark.parametrize("name", PROCEDURES)
def test_a_fault_on_the_bus_at_any_message(name, kind, small, tmp_path):
    strike_bus(name, small, kind, FEW, tmp_path)


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("name", PROCEDURES)
def test_an_accident_at_any_message(name, accident, small, tmp_path):
    strike_by_accident(name, small, accident, FEW, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", BUS)
@pytest.mark.parametrize("name", PROCEDURES)
def test_a_fault_on_the_bus_at_every_message(name, kind, small, tmp_path):
    strike_bus(name, small, kind, ALL, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("name", PROCEDURES)
def test_an_accident_at_every_message(name, accident, small, tmp_path):
    strike_by_accident(name, small, accident, ALL, tmp_path)


@pytest.mark.parametrize(
    ("role", "message"),
    [("smu", b":OUTP OFF"), ("gate", b":OUTP OFF"), ("pulser", b"*CLS;:OUTP1 OFF"), ("pulser", b":OUTP2 OFF;:SYST"),
     ("board", b":OUTP:SAFE")],
)  # fmt: skip
@pytest.mark.parametrize("name", PROCEDURES)
def test_an_output_whose_switching_off_was_garbled_is_switched_off_again(
    name, role, message, small, tmp_path
):
    """While the run ends: not only when the bench is left."""
    fault = Fault(ADDRESSES[role], "refusal", match=message, code=-113)
    after = perform(PROCEDURES[name](), small, lambda bench: bench.laboratory.faults.append(fault), tmp_path)
    assert fault.seen >= 2
    assert after.error is None
    assert_end(after)


@pytest.mark.parametrize(("role", "method"), METHODS)
@pytest.mark.parametrize("name", PROCEDURES)
def test_an_exception_in_a_driver_after_it_has_acted(name, role, method, small, tmp_path):
    for call in (1, 3):
        counted = 0

        def inject(bench: Bench, call: int = call) -> None:
            instrument = getattr(bench.instruments, role)
            act = getattr(instrument, method)

            def failing(*arguments: Any, **options: Any) -> Any:
                nonlocal counted
                result = act(*arguments, **options)
                counted += 1
                if counted == call:
                    raise RuntimeError(f"a bug in {method}")
                return result

            setattr(instrument, method, failing)

        after = perform(PROCEDURES[name](), small, inject, tmp_path / str(call))
        assert_end(after)
        if call == 1:
            assert isinstance(after.error, RuntimeError)


@pytest.mark.parametrize("device", ["PXI1Slot2", "Dev1"])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_daq_that_is_unplugged_while_it_plays(device, batch, small, tmp_path):
    counted = 0

    def inject(bench: Bench) -> None:
        vectors = bench.laboratory.vectors

        def unplugging(*arguments: Any) -> Any:
            nonlocal counted
            counted += 1
            if counted == batch:
                bench.laboratory.daq.unplug(device)
            return vectors(*arguments)

        bench.laboratory.vectors = unplugging

    after = perform(PROCEDURES["solve"](), small, inject, tmp_path)
    assert_end(after)
    assert counted == batch
    assert "cable" in str(after.error)


def test_the_faults_do_strike(small, tmp_path):
    """What the sampled tests allow to end well (an interlock at 0.2 V, an open cell) does end badly where it must."""
    messages = heard("solve", small)
    read = next(i for i, (_, message) in enumerate(messages) if b":READ?" in message)

    def injecting(accident: Callable[[Laboratory], object]) -> Callable[[Bench], None]:
        return lambda bench: bench.laboratory.faults.append(
            Fault("", "accident", after=read, accident=accident)
        )

    for accident, reason in (
        (ACCIDENTS["shorted cell"], "ran into the current limit"),
        (ACCIDENTS["output key of the smu"], "switched off by hand"),
        (ACCIDENTS["stuck path"], "open the path before another is closed"),
    ):
        after = perform(PROCEDURES["solve"](), small, injecting(accident), tmp_path / reason[:4])
        assert reason in str(after.error)
    assert "NOT CONFIRMED SAFE: board" in after.loud[0]  # a path that stays closed is no safe board


# --- losing the parent ---


TAKE_THE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); import mho; mho.main()"


def start_in_terminal(path: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a solve in a terminal of its own; return it and the terminal's other end."""
    mine, theirs = pty.openpty()
    command = ["solve", "data/matrices/mimo-16x16.mtx", "--seed", "1", "--output", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_THE_TERMINAL, *command],
        cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    assert process.poll() is None, os.read(mine, 10_000)
    return process, mine


@pytest.fixture
def ending() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_a_run_whose_terminal_is_closed_ends_aborted(tmp_path, ending):
    path = tmp_path / "run.h5"
    process, terminal = start_in_terminal(path)
    ending.append(process)
    os.close(terminal)
    process.wait(timeout=30)
    with RunFile(path) as file:
        assert (file.status, file.reason) == (Status.ABORTED, "SIGHUP received")
        assert file.settings_after["board"]["mode"] == "SAFE"


def test_a_hang_up_that_is_ignored_does_not_stop_a_run(small, tmp_path):
    """`nohup` starts programs so."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        after = perform(
            PROCEDURES["solve"](),
            small,
            lambda bench: bench.laboratory.faults.append(
                Fault("", "accident", after=50, accident=signalling(signal.SIGHUP))
            ),
            tmp_path,
        )
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)
    assert after.error is None
    assert_end(after)
