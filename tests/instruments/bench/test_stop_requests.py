"""Signals and the loss of the parent end a script through the bench's way out; real processes."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daily import daily
from repository import ROOT

import mho.instruments.bench.bench as bench_module
import mho.instruments.bench.guarded_bench as guarded_module
import mho.instruments.bench.stop_requests as stopping_module
from mho.instruments import Cell, open_bench
from mho.instruments.bench.stop_requests import STOPPING, EndingSignals, HandledSignals, signals_held

SCRIPT = """
import pathlib, signal, sys, time
from mho.instruments import Cell, open_bench
out = pathlib.Path(sys.argv[1])
{before}
bench = open_bench(preset="ideal", seed=1)
try:
    with bench:
        bench.read(Cell("multiply", 3, 7))
        out.with_suffix(".ready").touch()
        until = time.monotonic() + 20
        while time.monotonic() < until and not out.with_suffix(".enough").exists():
            time.sleep(0.01)
finally:
    lab = bench.laboratory
    out.write_text(f"{{lab.board.mode}} {{lab.lines.gate or 0.0}}")
"""
SAFE = "SAFE 0.0"  # V on the word line


def script(folder: Path, before: str = "") -> list[str]:
    path = folder / "script.py"
    path.write_text(SCRIPT.format(before=before), encoding="utf-8")
    return [sys.executable, str(path), str(folder / "out.txt")]


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def started(folder: Path, before: str = "", **options: object) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(script(folder, before), env=environment(), stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]
    wait_for((folder / "out.ready").exists)
    return child


def ended(child: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, complaint = child.communicate(timeout=20)
    return child.returncode, complaint.decode()


# --- signals ---


@pytest.mark.parametrize("number", daily(list(STOPPING[1:]), [signal.SIGTERM]))
def test_a_script_that_is_asked_to_end_leaves_a_safe_bench(tmp_path, number):
    child = started(tmp_path)
    child.send_signal(number)
    code, complaint = ended(child)
    assert code == 128 + number
    assert f"{number.name} received: the bench is made safe" in complaint
    assert "Traceback" not in complaint
    assert (tmp_path / "out.txt").read_text() == SAFE


@pytest.mark.thorough
def test_signals_that_come_one_after_the_other_do_not_cut_the_way_out_short(tmp_path):
    child = started(tmp_path)
    for _ in range(5):
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGHUP)
    code, _ = ended(child)
    assert code in (128 + signal.SIGTERM, 128 + signal.SIGHUP)
    assert (tmp_path / "out.txt").read_text() == SAFE


@pytest.mark.thorough
def test_a_script_under_nohup_goes_on(tmp_path):
    child = started(tmp_path, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    child.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert child.poll() is None
    (tmp_path / "out.enough").touch()
    assert ended(child)[0] == 0


@pytest.mark.thorough
def test_a_handler_that_is_there_stays(tmp_path):
    heard = "signal.signal(signal.SIGTERM, lambda *_: out.with_suffix('.heard').touch())"
    child = started(tmp_path, heard)
    child.send_signal(signal.SIGTERM)
    wait_for((tmp_path / "out.heard").exists)
    assert child.poll() is None
    (tmp_path / "out.enough").touch()
    assert ended(child)[0] == 0


def test_handlers_go_back_to_what_they_were():
    before = [signal.getsignal(number) for number in STOPPING]
    with open_bench(seed=1):
        assert callable(signal.getsignal(signal.SIGTERM))
        with open_bench(seed=1):  # a second bench leaves the first one's
            pass
        assert callable(signal.getsignal(signal.SIGTERM))
    assert [signal.getsignal(number) for number in STOPPING] == before


def test_another_thread_leaves_signals_alone():
    seen, before = [], [signal.getsignal(number) for number in STOPPING]

    def look() -> None:
        with EndingSignals(), signals_held():
            seen.extend(signal.getsignal(number) for number in STOPPING)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == before


def test_handlers_end_in_any_order():
    heard, before = [], [signal.getsignal(number) for number in STOPPING]
    lower, upper = (
        HandledSignals(dict.fromkeys(STOPPING, lambda number, frame, name=name: heard.append(name)))
        for name in ("lower", "upper")
    )
    with lower, upper:
        lower.end()
        signal.raise_signal(signal.SIGTERM)
        assert heard == ["upper"]  # stands, though what it was put over has ended
    assert [signal.getsignal(number) for number in STOPPING] == before


def test_what_is_dropped_without_an_end_puts_nothing_back_behind_somebody_s_back():
    """The collector drops things at any time, in any thread."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    bench = open_bench(preset="ideal", seed=1)
    bench.__enter__()
    standing = {number: signal.getsignal(number) for number in STOPPING}
    assert standing != before
    bench.close()
    try:
        del bench
        collecting = threading.Thread(target=gc.collect)
        collecting.start()
        collecting.join()
        assert {number: signal.getsignal(number) for number in STOPPING} == standing
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_what_is_held_back_reaches_whom_it_was_meant_for_though_that_one_has_ended():
    heard = []
    lower = HandledSignals(dict.fromkeys(STOPPING, lambda number, frame: heard.append(number)))
    with lower, signals_held():
        signal.raise_signal(signal.SIGTERM)
        lower.end()
        assert heard == []
    assert heard == [signal.SIGTERM]


def lines_of_the_way_out() -> Iterator[int]:
    """Count upwards until leaving a bench has no more lines in which a signal could come."""
    number = 1
    while number < 1000:
        yield number
        number += 1
    raise AssertionError("the way out has no end")


@pytest.mark.thorough
def test_a_signal_at_any_line_of_the_way_out_leaves_a_safe_bench(monkeypatch):
    """From within the `try` of `__exit__` on: before it, Python has no protection to offer."""
    usual, handlers = sys.gettrace(), [signal.getsignal(number) for number in STOPPING]
    files = {bench_module.__file__, guarded_module.__file__, stopping_module.__file__}
    with open_bench(preset="ideal", seed=1) as bench:
        monkeypatch.setattr(bench, "close", lambda: None)
        for wanted in lines_of_the_way_out():
            bench.read(Cell("multiply", 3, 7))
            lines = 0

            def trace(frame, event, argument, wanted=wanted):
                nonlocal lines
                if frame.f_code.co_filename not in files:
                    return None
                if event == "line":
                    lines += 1
                    if lines == wanted + 2:  # not the first two, which stand before the protection
                        signal.raise_signal(signal.SIGINT)
                return trace

            interrupted = False
            try:
                sys.settrace(trace)
                bench.__exit__(None, None, None)
            except KeyboardInterrupt:
                interrupted = True
            finally:
                sys.settrace(usual)
            assert bench.laboratory.board.mode == "SAFE", wanted
            assert not bench.laboratory.lines.gate, wanted
            assert [signal.getsignal(number) for number in STOPPING] == handlers, wanted
            if lines < wanted + 2:
                break
            assert interrupted, wanted
        monkeypatch.undo()
    assert wanted > 10


def test_a_signal_at_any_line_of_a_bench_s_life_leaves_no_handler_behind(monkeypatch):
    """On the way in, while it is open and on the way out, but for the first lines of `__exit__`."""
    usual, handlers = sys.gettrace(), [signal.getsignal(number) for number in STOPPING]
    files = {guarded_module.__file__, stopping_module.__file__, contextlib.__file__}
    bench = open_bench(preset="ideal", seed=1)
    monkeypatch.setattr(bench, "close", lambda: None)
    for wanted in lines_of_the_way_out():
        lines, struck = 0, ""

        def trace(frame, event, argument, wanted=wanted):
            nonlocal lines, struck
            if frame.f_code.co_filename not in files:
                return None
            lines += event == "line"
            if event == "line" and lines == wanted:
                struck = frame.f_code.co_name
                signal.raise_signal(signal.SIGINT)
            return trace

        with contextlib.suppress(KeyboardInterrupt):
            try:
                sys.settrace(trace)
                with bench:
                    pass
            finally:
                sys.settrace(usual)
        if not struck:
            break
        left = [signal.getsignal(number) for number in STOPPING] != handlers
        assert not left or struck == "__exit__", wanted
        for number, handler in zip(STOPPING, handlers, strict=True):
            signal.signal(number, handler)
    monkeypatch.undo()
    bench.close()
    assert wanted > 100


# --- the parent ---

PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen(sys.argv[2:], start_new_session={apart})
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(30)
"""


def start_from_a_parent(
    folder: Path, *, apart: bool, **options: object
) -> tuple[subprocess.Popen[bytes], int]:
    noted = folder / "child.txt"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(apart=apart), str(noted), *script(folder)],
        env=environment(),
        start_new_session=True,  # a group of its own, so that nobody else's signals reach it
        **options,
    )  # type: ignore[call-overload]
    wait_for((folder / "out.ready").exists)
    return parent, int(noted.read_text())


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.thorough
def test_a_script_whose_parent_is_killed_leaves_a_safe_bench(tmp_path):
    parent, child = start_from_a_parent(tmp_path, apart=False, stderr=subprocess.DEVNULL)
    parent.kill()
    parent.wait()
    wait_for((tmp_path / "out.txt").exists)
    wait_for(lambda: (tmp_path / "out.txt").read_text() == SAFE)
    assert child != parent.pid


@pytest.mark.thorough
@pytest.mark.parametrize("way", ["session", "nohup"])
def test_a_script_that_is_meant_to_outlive_its_parent_does(tmp_path, way):
    ignore = (lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) if way == "nohup" else None
    parent, child = start_from_a_parent(tmp_path, apart=way == "session", preexec_fn=ignore)
    parent.kill()
    parent.wait()
    time.sleep(2 * stopping_module.GLANCE)
    assert is_alive(child)
    assert not (tmp_path / "out.txt").exists()
    (tmp_path / "out.enough").touch()
    wait_for((tmp_path / "out.txt").exists)
