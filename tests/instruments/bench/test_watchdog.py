"""The board's watchdog: armed and fed by the bench, and left to do its work when the bench's process is gone."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from repository import ROOT

from mho.errors import BenchError, InstrumentError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.bench.protection import Watchdog, every
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.serving import Server
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault

TEXT = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
CELL = Cell("multiply", 3, 7)
BOARD = "ASRL3::INSTR"


def guarded(folder: Path, seconds: float = 2.0) -> str:
    path = folder / "guarded.toml"
    path.write_text(
        TEXT.replace("watchdog = 2.0", f"watchdog = {seconds}"),
        encoding="utf-8",
    )
    return str(path)


@pytest.fixture
def bench(tmp_path) -> Bench:
    with open_bench(guarded(tmp_path), preset="ideal", seed=1) as opened:
        yield opened


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


# --- armed and fed ---


@pytest.mark.parametrize("mode", ["read", "multiply", "invert"])
def test_it_is_armed_before_the_board_leaves_safe_and_disarmed_after_it_is_safe(bench, mode):
    board = bench.laboratory.board
    assert board.watchdog == 0.0  # connecting changes nothing
    if mode == "read":
        bench.read(CELL)
    elif mode == "multiply":
        bench.connect_multiply("multiply", [0], [0])
    else:
        bench.connect_invert("invert_positive", [0], [0], diagonal=1e-5, diagonal_count=1)
    assert board.watchdog == 2.0
    bench.safe()
    assert board.watchdog == 0.0


def test_the_benches_that_one_begins_with_arm_it():
    for name in ("simulated", "zuo2025", "switched", "integrated64"):
        assert load_bench_file(name).bench.instruments.board.watchdog == 2.0


def test_without_a_time_in_the_bench_file_nobody_touches_it(tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text(TEXT.replace("watchdog = 2.0", ""), encoding="utf-8")
    with open_bench(str(path), seed=1) as bench:
        bench.laboratory.board.write(b":SYST:WDOG 7\n")
        bench.read(CELL)
        bench.laboratory.clock.advance(5.0)
        assert bench.laboratory.board.mode == "PROG"
        bench.laboratory.board.write(b":SYST:WDOG?;:SYST:WDOG 0\n")
        assert float(bench.laboratory.board.read()) == 7.0


def test_it_is_fed_while_other_instruments_or_the_computer_work(bench):
    bench.read(CELL)
    bench.laboratory.clock.advance(10 * 365 * 86400.0)  # costs no more than a minute: the beats are all alike
    assert bench.laboratory.board.mode == "PROG"
    assert abs(bench.read(CELL)) < 1e-6
    assert bench.laboratory.incidents == []


def test_a_board_that_fell_silent_to_us_is_noticed_at_the_next_message(bench, caplog):
    bench.read(CELL)
    cable = Fault(BOARD, "disconnect", times=10**6)
    bench.laboratory.faults.append(cable)
    with caplog.at_level(logging.WARNING):
        bench.laboratory.clock.advance(1000.0)
    assert caplog.text.count("the board does not take signs of life") == 1
    bench.laboratory.faults.remove(cable)
    bench.laboratory.board.watch()
    assert bench.laboratory.board.mode == "SAFE"
    with pytest.raises(InstrumentError, match=r"-300.*watchdog expired; board is SAFE"):
        bench.read(Cell("multiply", 1, 1))
    bench.safe()
    bench.read(CELL)


def opc(kind: str, **options: int) -> Fault:
    """Something that befalls signs of life."""
    return Fault(BOARD, kind, match=b"*OPC?", code=-113, **options)


@pytest.mark.parametrize("kind", ["refusal", "timeout"])
def test_one_sign_of_life_may_go_astray(bench, kind):
    """Whoever waits for its answer as long as for any other (5 s) lets the watchdog (2 s) expire meanwhile."""
    bench.read(CELL)
    lost = opc(kind)
    bench.laboratory.faults.append(lost)
    for _ in range(100):
        bench.laboratory.clock.advance(0.05)
        bench.laboratory.board.watch()
        assert bench.laboratory.board.mode == "PROG"
    assert lost.seen > 5
    bench.read(CELL)
    assert bench.laboratory.incidents == []


def asked_for_its_mode(bench: Bench) -> Fault:
    """Count how often."""
    asked = Fault(BOARD, "accident", match=b":MODE?\n", times=0)
    bench.laboratory.faults.append(asked)
    return asked


def test_the_board_is_asked_for_its_mode_only_after_a_sign_of_life_has_failed(bench):
    bench.read(CELL)
    asked = asked_for_its_mode(bench)
    bench.read(CELL)
    bench.laboratory.faults.append(opc("refusal"))
    bench.laboratory.clock.advance(1.0)
    assert asked.seen == 0
    bench.read(CELL)
    assert asked.seen == 1
    bench.read(CELL)
    assert asked.seen == 1


MEASURING: dict[str, Callable[[Bench], object]] = {
    "read": lambda bench: bench.read(CELL),
    "reads in a row": lambda bench: bench.read_list(CELL, 3),
    "sweep": lambda bench: bench.sweep(CELL, [0.1, 0.2]),
    "pulse": lambda bench: bench.pulse(CELL, Pulse("set", 2.0, 1e-7, 1.5)),
    "waveform": lambda bench: bench.waveform(CELL, "set", [0.0, 1.0, 1.0, 0.0], interval=1e-6, gate=1.5),
    "multiply": lambda bench: bench.multiply(np.full((2, 2), 0.1)),
    "invert": lambda bench: bench.invert(np.full((2, 2), 0.01)),
}


def set_up(bench: Bench, measuring: str) -> None:
    """Connect what is measured, so that nothing more is said to the board when it is measured again."""
    if measuring == "multiply":
        bench.connect_multiply("multiply", [0, 1], [0, 1])
    elif measuring == "invert":
        bench.connect_invert("invert_positive", [0, 1], [0, 1], diagonal=1e-5, diagonal_count=2)
    MEASURING[measuring](bench)


@pytest.mark.parametrize("measuring", daily(MEASURING, 3))
def test_nothing_is_measured_on_a_board_that_has_gone_safe_by_itself(bench, measuring):
    """Its error tells, too, but whoever asks why a sign of life failed takes that from its queue."""
    set_up(bench, measuring)
    board = bench.laboratory.board
    cable = Fault(BOARD, "disconnect", times=10**6)
    bench.laboratory.faults.append(cable)
    bench.laboratory.clock.advance(3.0)
    bench.laboratory.faults.remove(cable)
    board.watch()
    assert board.mode == "SAFE"
    board.write(b"*CLS\n")
    with pytest.raises(
        InstrumentError, match=r"in mode SAFE instead of [A-Z]+: its watchdog of 2.0 s .*failed"
    ):
        MEASURING[measuring](bench)
    with pytest.raises(InstrumentError, match="is in mode SAFE"):  # as long as nobody has set it up anew
        MEASURING[measuring](bench)
    bench.safe()
    set_up(bench, measuring)


def test_signs_of_life_that_come_too_late_are_no_signs_of_life(bench):
    """As when a computation keeps Python's interpreter lock: none has failed, and the next one is answered."""
    bench.read(CELL)
    board = bench.laboratory.board
    bench.laboratory.clock.now += 2.5  # and nobody has sent any
    bench._watchdog._beat()
    assert board.mode == "SAFE"
    board.write(b"*CLS\n")
    with pytest.raises(InstrumentError, match=r"in mode SAFE instead of PROGRAM.*heard nothing for 2\.5 s"):
        bench.read(CELL)


def test_a_board_that_is_not_confirmed_safe_is_fed_no_more(bench, monkeypatch):
    bench.read(CELL)

    def fail() -> None:
        raise InstrumentError("no answer")

    monkeypatch.setattr(bench.instruments.board, "make_safe", fail)
    with pytest.raises(BenchError, match="NOT CONFIRMED SAFE"):
        bench.safe()
    monkeypatch.undo()
    bench.laboratory.clock.advance(2.1)
    bench.laboratory.board.watch()
    assert bench.laboratory.board.mode == "SAFE"


def test_a_board_that_is_safe_and_refuses_to_be_disarmed_is_reported(bench, monkeypatch, caplog):
    bench.read(CELL)

    def refuse(seconds: float) -> None:
        raise InstrumentError("busy")

    monkeypatch.setattr(bench.instruments.board, "arm_watchdog", refuse)
    with caplog.at_level(logging.WARNING):
        bench.safe()
    assert "the board's watchdog stays armed: busy" in caplog.text
    monkeypatch.undo()
    bench.safe()
    assert bench.laboratory.board.watchdog == 0.0


def test_a_bench_that_is_closed_without_being_made_safe_leaves_the_board_to_its_watchdog(tmp_path):
    bench = open_bench(guarded(tmp_path), seed=1)
    bench.read(CELL)
    lab = bench.laboratory
    bench.close()
    assert lab.board.mode == "PROG"  # closing changes no output
    lab.clock.advance(2.1)
    lab.board.watch()
    assert lab.board.mode == "SAFE"


# --- the process is gone ---

SCRIPT = """
import sys, time
from mho.instruments import Cell, open_bench
with open_bench(sys.argv[1]) as bench:
    bench.read(Cell("multiply", 3, 7))
    print("ready", flush=True)
    while True:
        sum(range(10**4))  # a long computation
"""


def on_sockets(folder: Path, server: Server, seconds: float) -> str:
    """A bench file of "real" instruments on the served ones; its vectors come from the board."""
    text = (resources.files("mho.instruments") / "benches/switched.toml").read_text("utf-8")
    start, end = text.index("\n[simulation]"), text.index("[instruments.smu]")
    text = 'visa = "@py"\n' + text[:start] + "\n" + text[end:]
    for endpoint in server.endpoints:
        text = text.replace(endpoint.resource, endpoint.address)
    path = folder / "sockets.toml"
    path.write_text(text.replace("watchdog = 2.0", f"watchdog = {seconds}"), encoding="utf-8")
    return str(path)


@pytest.mark.thorough
def test_a_board_whose_process_was_killed_goes_safe(tmp_path):
    lab = Laboratory(load_bench_file("switched"), preset="ideal", seed=1)
    root = str(ROOT)
    with Server(lab, 0) as server:
        command = [sys.executable, "-c", SCRIPT, on_sockets(tmp_path, server, 0.4)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root})
        try:
            assert child.stdout.readline().split() == [b"ready"]
            assert (lab.board.mode, lab.board.watchdog) == ("PROG", 0.4)
            heard = lab.traffic[BOARD].messages
            wait_for(lambda: lab.traffic[BOARD].messages >= heard + 3)  # though the computer computes
            lab.clock.advance(0.3)
            heard = lab.traffic[BOARD].messages
            wait_for(lambda: lab.traffic[BOARD].messages > heard)
            lab.clock.advance(0.3)
            lab.board.watch()
            assert lab.board.mode == "PROG"
            child.kill()
            child.wait()
            lab.clock.advance(0.5)
            lab.board.watch()
        finally:
            child.kill()
            child.communicate()
    assert (lab.board.mode, lab.board.path) == ("SAFE", "OPEN")


# --- its clocks ---


def test_signs_of_life_come_from_a_thread_until_they_are_ended():
    beats: list[float] = []
    end = every(0.01, lambda: beats.append(time.monotonic()))
    wait_for(lambda: len(beats) >= 3)
    (living,) = (thread for thread in threading.enumerate() if thread.name == "signs of life")
    end()
    living.join(20.0)
    assert not living.is_alive()


def test_a_virtual_clock_acts_at_its_times_in_their_order():
    clock = VirtualClock()
    seen: list[tuple[str, float]] = []
    end = clock.every(1.0, lambda: seen.append(("a", clock.now)))
    clock.every(1.5, lambda: seen.append(("b", clock.now)))
    clock.advance(0.75)
    clock.advance(2.5)
    assert seen == [("a", 1.0), ("b", 1.5), ("a", 2.0), ("a", 3.0), ("b", 3.0)]
    assert clock.now == 3.25
    end()
    seen.clear()
    clock.advance(1.5)
    assert seen == [("b", 4.5)]


def test_what_acts_may_take_time_itself():
    clock = VirtualClock()
    seen: list[float] = []

    def act() -> None:
        clock.advance(0.4)
        seen.append(clock.now)

    clock.every(1.0, act)
    clock.advance(2.2)
    np.testing.assert_allclose(seen, [1.4, 2.4])
    assert clock.now == pytest.approx(2.4)


# --- its own clock, and a board that notes what it is asked ---


class Board:
    """A board that notes what it is told, and refuses it while there is a `refusal`."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, float]] = []
        self.mode, self.refusal = "PROGRAM", ""

    def _hear(self, what: str, seconds: float = 0.0) -> None:
        self.heard.append((what, seconds))
        if self.refusal:
            raise InstrumentError(self.refusal)

    def arm_watchdog(self, seconds: float) -> None:
        self._hear("arm", seconds)

    def beat(self, patience: float) -> None:
        self._hear("beat", patience)

    def standing_mode(self) -> str:
        self._hear("mode?")
        return self.mode


class Hand:
    """A clock that is set by hand, and what it was asked to call again and again."""

    def __init__(self) -> None:
        self.now, self.calls, self.ends = 10.0, [], 0

    def every(self, period: float, act: Callable[[], None]) -> Callable[[], None]:
        self.calls.append((period, act))
        return lambda: setattr(self, "ends", self.ends + 1)


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def hand() -> Hand:
    return Hand()


def dog(board: Board, hand: Hand, seconds: float | None = 2.0) -> Watchdog:
    return Watchdog(board, seconds, hand.every, lambda: hand.now)


def test_a_watchdog_is_fed_four_times_in_its_time_however_often_it_is_armed(board, hand):
    watchdog = dog(board, hand)
    watchdog.disarm()
    watchdog.abandon()
    assert (board.heard, hand.calls) == ([], [])  # there is nothing to disarm
    watchdog.arm()
    watchdog.arm()
    assert board.heard == [("arm", 2.0)] * 2
    ((period, beat),) = hand.calls
    assert period == 0.5
    beat()
    assert board.heard[2:] == [("beat", 0.5)]  # answered before the next one is due
    watchdog.disarm()
    watchdog.disarm()
    assert board.heard[3:] == [("arm", 0.0)]
    assert hand.ends == 1
    watchdog.arm()
    assert len(hand.calls) == 2


def test_a_board_without_a_watchdog_is_neither_fed_nor_asked(board, hand):
    watchdog = dog(board, hand, None)
    watchdog.arm()
    hand.now += 1e6
    watchdog.confirm("PROGRAM")
    watchdog.disarm()
    assert (board.heard, hand.calls) == ([], [])


@pytest.mark.parametrize(("silent", "asked"), [(2.0, 0), (2.001, 1)])
def test_a_board_is_asked_for_its_mode_once_it_was_silent_for_longer_than_its_time(
    board, hand, silent, asked
):
    watchdog = dog(board, hand)
    watchdog.arm()
    hand.now += silent
    for _ in range(2):  # its answer is a sign of life
        watchdog.confirm("PROGRAM")
        assert board.heard.count(("mode?", 0.0)) == asked
    hand.now += 2.0
    hand.calls[0][1]()
    hand.now += 2.0
    watchdog.confirm(
        "PROGRAM"
    )  # so is that to a sign of life in time, but none that comes 4 s after the last
    assert board.heard.count(("mode?", 0.0)) == asked + (silent == 2.0)
    watchdog.disarm()
    hand.now += 100.0
    watchdog.confirm("PROGRAM")
    assert board.heard[-1] == ("arm", 0.0)


def test_a_doubt_stays_until_the_board_answers_and_armed_anew_there_is_none(board, hand):
    watchdog = dog(board, hand)
    watchdog.arm()
    hand.now += 2.5
    hand.calls[0][1]()
    board.refusal = "busy"
    with pytest.raises(InstrumentError, match="busy"):
        watchdog.confirm("PROGRAM")
    board.refusal, board.mode = "", "SAFE"
    for _ in range(2):
        with pytest.raises(InstrumentError, match=r"watchdog of 2\.0 s .*heard nothing for 2\.5 s"):
            watchdog.confirm("PROGRAM")
    watchdog.arm()
    watchdog.confirm("PROGRAM")


def test_signs_of_life_that_fail_are_reported_once_each_time_it_is_armed(board, hand, caplog):
    watchdog = dog(board, hand)
    for armed in (1, 2):
        board.refusal = ""
        watchdog.arm()
        board.refusal = "gone"
        for _ in range(3):
            hand.calls[0][1]()
        assert caplog.text.count("the board does not take signs of life: gone") == armed
    with pytest.raises(InstrumentError, match="gone"):
        watchdog.confirm("PROGRAM")
    board.refusal = ""
    board.mode = "SAFE"
    with pytest.raises(InstrumentError, match=r"\(a sign of life failed: gone\)"):
        watchdog.confirm("PROGRAM")
    watchdog.arm()
    watchdog.abandon()
    board.refusal = "closed"
    hand.calls[0][1]()  # one that was on its way
    assert "closed" not in caplog.text


def test_signs_of_life_do_not_keep_a_process_from_its_end():
    end = every(1000.0, lambda: None)
    alive = [thread for thread in threading.enumerate() if thread.name == "signs of life"]
    end()
    assert alive
    assert all(thread.daemon for thread in alive)
