"""Every method of the bench checks what it is given before anything is sent, and says what is wrong with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mho.errors import BenchError, InputError, LimitError
from mho.instruments import Bench, Cell, Limits, Pulse, TerminalLimits, open_bench
from mho.instruments.roles import Reading

CELL = Cell("multiply", 3, 7)
SET = Pulse("set", 3.0, 100e-9, 1.6)
NAN = float("nan")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with open_bench(preset="ideal", seed=1) as opened:
        opened.read(CELL)
        yield opened


def changed(**values: Any) -> Pulse:
    return dataclasses.replace(SET, **values)


def messages(bench: Bench) -> int:
    assert bench.laboratory is not None
    return sum(one.messages for one in bench.laboratory.traffic.values())


WRONG: list[tuple[str, Callable[[Bench], Any]]] = [
    ("no array 'nowhere'", lambda b: b.read(Cell("nowhere", 0, 0))),
    ("there is no row of multiply 1024", lambda b: b.read(Cell("multiply", 1024, 0))),
    ("there is no column of multiply -1", lambda b: b.read(Cell("multiply", 0, -1))),
    ("there is no row of multiply 1.0", lambda b: b.read(Cell("multiply", 1.0, 0))),
    ("is no cell", lambda b: b.read((1, 2))),
    ("is no array's name", lambda b: b.read(Cell(1, 2, 3))),
    ("read voltage is 0 V", lambda b: b.read(CELL, 0.0)),
    (r"read voltage is \(0.2\+0j\)", lambda b: b.read(CELL, 0.2 + 0j)),
    ("read voltage is '0.2'", lambda b: b.read(CELL, "0.2")),
    ("read voltage is True", lambda b: b.read(CELL, True)),
    (r"read voltage is array\(\[0.1, 0.2\]\)", lambda b: b.read(CELL, np.array([0.1, 0.2]))),
    ("voltage of nan V", lambda b: b.read(CELL, NAN)),
    ("count of reads is 1000000000; give a whole number from 1 to 2500", lambda b: b.read_list(CELL, 10**9)),
    ("count of reads is 0", lambda b: b.read_list(CELL, 0)),
    ("count of reads is 2.5", lambda b: b.read_list(CELL, 2.5)),
    ("count of reads is True", lambda b: b.read_list(CELL, True)),
    ("read voltage is 0 V", lambda b: b.read_list(CELL, 5, 0.0)),
    (r"levels of a sweep have the shape \(0,\)", lambda b: b.sweep(CELL, [])),
    (r"levels of a sweep have the shape \(2501,\)", lambda b: b.sweep(CELL, [0.1] * 2501)),
    (r"levels of a sweep have the shape \(1, 2\)", lambda b: b.sweep(CELL, [[0.1, 0.2]])),
    ("levels of a sweep are complex128", lambda b: b.sweep(CELL, [0.1, 0.2j])),
    ("voltage of nan V", lambda b: b.sweep(CELL, [0.1, NAN])),
    ("wait at each level is -1.0", lambda b: b.sweep(CELL, [0.1], delay=-1.0)),
    ("wait at each level is nan", lambda b: b.sweep(CELL, [0.1], delay=NAN)),
    ("word-line voltage is 1j", lambda b: b.sweep(CELL, [0.1], gate=1j)),
    ("voltage of inf V", lambda b: b.sweep(CELL, [0.1], gate=float("inf"))),
    ("is no pulse", lambda b: b.pulse(CELL, 3.0)),
    ("kind 'form' does not exist", lambda b: b.pulse(CELL, changed(kind="form"))),
    ("pulse width is 0 s", lambda b: b.pulse(CELL, changed(width=0.0))),
    ("pulse width is -1e-07 s", lambda b: b.pulse(CELL, changed(width=-1e-7))),
    ("pulse width of nan s", lambda b: b.pulse(CELL, changed(width=NAN))),
    (r"pulse voltage is \(3\+1j\)", lambda b: b.pulse(CELL, changed(voltage=3 + 1j))),
    ("pulse voltage is None", lambda b: b.pulse(CELL, changed(voltage=None))),
    ("voltage of nan V", lambda b: b.pulse(CELL, changed(gate=NAN))),
    ("count of pulses is 0", lambda b: b.pulse(CELL, SET, 0)),
    ("count of pulses is 1.5", lambda b: b.pulse(CELL, SET, 1.5)),
    ("burst cycles", lambda b: b.pulse(CELL, SET, 10**12)),
    ("there is no row of multiply 1.5", lambda b: b.connect_multiply("multiply", [0, 1.5], [0])),
    ("no line, or one twice", lambda b: b.connect_multiply("multiply", [0, 0], [0])),
    ("no line, or one twice", lambda b: b.connect_multiply("multiply", [], [0])),
    ("3 is no list of line numbers", lambda b: b.connect_multiply("multiply", 3, [0])),
    ("there is no column of multiply 4000", lambda b: b.connect_multiply("multiply", [0], [4000])),
    ("as many rows as columns, not 2 and 1", lambda b: b.connect_invert("invert_positive", [0, 1], [0])),
    (
        "arrays are invert_positive, invert_negative, invert_positive; each serves once",
        lambda b: b.connect_invert(
            "invert_positive", [0], [0], second_slice=("invert_negative", "invert_positive")
        ),
    ),
    ("there is no row of invert_positive 32", lambda b: b.connect_invert("invert_positive", [32], [0])),
    ("no array 'minus'", lambda b: b.connect_invert("invert_positive", [0], [0], negative="minus")),
    ("diagonal is -1e-06", lambda b: b.connect_invert("invert_positive", [0], [0], diagonal=-1e-6)),
    ("diagonal is nan", lambda b: b.connect_invert("invert_positive", [0], [0], diagonal=NAN)),
    ("rows with a diagonal is 2", lambda b: b.connect_invert("invert_positive", [0], [0], diagonal_count=2)),
    (
        "are complex128; give real numbers, in V, the parts apart",
        lambda b: b.multiply(np.array([[0.1 + 0.2j]])),
    ),
    ("are complex128", lambda b: b.invert(np.array([[0.1 + 0.2j]]))),
    (r"have the shape \(1,\)", lambda b: b.multiply(np.array([0.1]))),
    (r"have the shape \(1, 0\)", lambda b: b.invert(np.zeros((1, 0)))),
    ("are <U3", lambda b: b.multiply([["0.1"]])),
    ("are object|inhomogeneous", lambda b: b.multiply([[0.1], [0.1, 0.2]])),
    ("voltage of nan V", lambda b: b.multiply(np.array([[NAN]]))),
    ("moment to wait for is nan", lambda b: b.wait_until(NAN)),
    ("moment to wait for is inf", lambda b: b.wait_until(float("inf"))),
]


@pytest.mark.parametrize(
    ("said", "use"), WRONG, ids=[f"{number} {said}" for number, (said, _) in enumerate(WRONG)]
)
def test_what_cannot_be_is_refused_before_anything_is_sent(bench, said, use):
    before = messages(bench)
    with pytest.raises((InputError, LimitError), match=said):
        use(bench)
    assert messages(bench) == before


@pytest.mark.parametrize("mode", ["multiply", "invert"])
def test_vectors_have_a_voltage_for_each_row_that_is_connected(mode):
    with open_bench(preset="ideal", seed=1) as bench:
        use = getattr(bench, mode)
        connect = getattr(bench, f"connect_{mode}")
        connect("multiply" if mode == "multiply" else "invert_positive", [0, 1], [0, 1])
        before = messages(bench)
        for wide in (1, 3):
            with pytest.raises(InputError, match=f"vectors have {wide} lines and 2 rows are connected"):
                use(np.zeros((1, wide)))
        assert messages(bench) == before


def answering(bench: Bench, reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.instruments.smu, "read", lambda volts: reading)


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Reading(0.1, 1e-4, True), "ran into the current limit of 0.0001 A"),
        (Reading(0.2, NAN, False), "overflowed the measurement range of 0.0001 A; give .read. a larger"),
        (Reading(0.2, NAN, True), "ran into the current limit"),
    ],
)
def test_a_read_that_fails_says_why(bench, reading, said, monkeypatch):
    answering(bench, reading, monkeypatch)
    with pytest.raises(BenchError, match=said):
        bench.read(CELL)


def test_a_cell_is_read_at_a_negative_voltage(bench, monkeypatch):
    answering(bench, Reading(-0.2, -2e-6, False), monkeypatch)
    assert bench.read(CELL, -0.2) == pytest.approx(10e-6)


def test_limits_are_nobody_s_to_change(bench):
    limits = bench.limits
    with pytest.raises(TypeError):
        limits.terminals["bit line"] = TerminalLimits(100.0)
    with pytest.raises(AttributeError):
        limits.terminals.clear()
    with pytest.raises(AttributeError):
        bench.limits = Limits()
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.terminals = {}
    lifted = limits.lifted()
    lifted.check_voltage("bit line", 1e6)
    with pytest.raises(LimitError):
        limits.check_voltage("bit line", 5.0)
    with pytest.raises(LimitError):
        bench.pulse(CELL, changed(voltage=5.0))


def test_limits_do_not_follow_what_they_were_made_of():
    terminals = {"bit line": TerminalLimits(1.0)}
    limits = Limits(terminals)
    terminals.clear()
    with pytest.raises(LimitError, match="exceeds the limit of 1 V"):
        limits.check_voltage("bit line", 2.0)
