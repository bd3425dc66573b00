"""A pulse whose current is measured while it lasts: by a source-measure unit where the file says so, or by a tester."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from repository import ROOT

from mho import Procedure
from mho.errors import BenchError, InputError, InstrumentError, LimitError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.roles import Cell, Pulse
from mho.procedures.needs import check_needs

BENCHES = ROOT / "docs/benches"
DEVICE, CELL = Cell("device", 0, 0), Cell("multiply", 2, 3)
SET, RESET = Pulse("set", 3.6, 5e-3, gate=1.6), Pulse("reset", 2.5, 5e-3, gate=2.8)


def described(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    for path in BENCHES.glob("*"):
        if path.suffix in (".py", ".toml"):
            (folder / path.name).write_bytes(path.read_bytes())
    text = (BENCHES / f"{name}.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (folder / f"{name}.toml").write_text(text, "utf-8")
    return str(folder / f"{name}.toml")


def measuring(folder: Path, name: str) -> str:
    return described(folder, name, ('"pulse", ', '"pulse", "pulse_measured", '))


def rehearsed(path: str, **options):
    return open_rehearsal(load_bench_file(path), seed=1, **options)


@pytest.mark.parametrize("name", ["two-channels", "parameter-analyser"])
def test_a_source_measure_unit_shows_a_cell_form_and_reset_while_the_pulse_lasts(tmp_path, name):
    path = measuring(tmp_path, name)
    assert (
        load_bench_file(path).bench.operations()["pulse_measured"].endswith("(by a list sweep at one level)")
    )
    with rehearsed(path) as bench:
        before = bench.now()
        width = {"two-channels": 5e-3, "parameter-analyser": 0.05}[name]
        forming = bench.pulse_measured(DEVICE, Pulse("set", 3.6, width, gate=1.6), samples=8)
        assert bench.now() - before > 0.9 * width
        assert all(one.shape == (8,) for one in forming)
        assert_allclose(np.diff(forming.times), width / 8, rtol=0.03)
        assert 0.0 < forming.times[0] < forming.times[-1] < width
        assert forming.amps[-1] > 20e-6
        assert bench.read(DEVICE) > 5e-6
        back = bench.pulse_measured(DEVICE, Pulse("reset", 2.5, width, gate=2.8), samples=5)
        assert_allclose(back.volts, -2.5, rtol=0.01)
        assert bench.read(DEVICE) < 5e-6
        assert bench.damage.acts == 2
        assert bench.laboratory.incidents == []
    assert bench.laboratory.live() == ()


def test_a_measured_pulse_is_held_to_all_that_a_pulse_is_held_to(tmp_path):
    with rehearsed(measuring(tmp_path, "two-channels")) as bench:
        for wrong, error, says in (
            (Pulse("set", 4.7, 5e-3, gate=1.6), LimitError, "bit line: voltage of 4.7 V exceeds the limit"),
            (Pulse("reset", 4.7, 5e-3, gate=1.6), LimitError, "voltage of 4.7 V exceeds the limit"),
            (Pulse("set", 1.0, 0.02, gate=1.6), LimitError, "pulse width"),
            (Pulse("set", 1.0, 5e-3, gate=4.5), LimitError, "word line"),
            (
                Pulse("set", 1.0, 1e-3, gate=1.6),
                LimitError,
                "measured at 12 times is too short for the source-measure",
            ),
            (Pulse("set", -1.0, 0.0, gate=1.6), InputError, "pulse width is 0 s"),
        ):
            with pytest.raises(error, match=says):
                bench.pulse_measured(DEVICE, wrong, samples=12)
        with pytest.raises(InputError, match="count of samples is 0"):
            bench.pulse_measured(DEVICE, SET, samples=0)
        assert bench.live() == ("smu", "gate")  # nothing was sent
        assert bench.damage.acts == 0
        # The unit's own reading takes longer than its aperture: what it says itself counts, before it pulses.
        with pytest.raises(LimitError, match=r"5 times is too short .* takes 0\.00055 s"):
            bench.pulse_measured(DEVICE, Pulse("set", 1.0, 2.5e-3, gate=1.6), samples=5)
        assert bench.laboratory.monitor.extremes()["bit line"].highest < 1e-3
        # Of a formed cell no more than it bears is asked.
        bench.pulse_measured(DEVICE, SET, samples=5)
        bench.read(DEVICE)
        with pytest.raises(LimitError, match=r"device\[0, 0\]"):
            bench.pulse_measured(DEVICE, Pulse("set", 4.4, 5e-3, gate=1.6), samples=5)


def test_a_negative_pulse_at_the_bit_line_keeps_the_limits_there_whatever_the_source_line_bears(tmp_path):
    path = described(
        tmp_path, "chip-carrier",
        ('terminal = "bit line"', 'terminal = "bit line"\nserves = ["read", "sweep", "pulse_measured"]'),
        ("voltage = 4.6 ", "voltage = 2.0 "), ("pulse_width = 10e-6       #", "pulse_width = 10e-3       #"),
        ("voltage = 3.3\npulse_width = 10e-6", "voltage = 3.3\npulse_width = 10e-3"),
    )  # fmt: skip
    with rehearsed(path) as bench:
        with pytest.raises(LimitError, match=r"bit line: voltage of 2\.5 V exceeds the limit of 2 V"):
            bench.pulse_measured(CELL, RESET, samples=5)
        back = bench.pulse_measured(CELL, Pulse("reset", 1.5, 5e-3, gate=2.8), samples=5)
        assert_allclose(back.volts, -1.5, rtol=0.01)
        assert bench.laboratory.incidents == []


def test_an_output_that_was_switched_off_by_hand_is_told(tmp_path, monkeypatch):
    with rehearsed(measuring(tmp_path, "two-channels")) as bench:
        bench.read(DEVICE)
        smu = bench.instruments.smu
        lost = [one._replace(voltage=0.0) for one in smu.sweep([1.0] * 5)]
        for readings, says in (
            (lost, "measured at 0 V; check"),
            (lost[:2], "measured at 0 V; check"),
            ([], "0 times"),
        ):
            monkeypatch.setattr(type(smu), "sweep", lambda self, volts, delay, r=readings: r)
            with pytest.raises(BenchError, match=says):
                bench.pulse_measured(DEVICE, SET, samples=5)


def test_what_nothing_serves_is_refused_before_anything_is_sent():
    class Watch(Procedure):
        needs = ("read", "pulse_measured")

    path = str(BENCHES / "two-channels.toml")
    with rehearsed(path) as bench, pytest.raises(BenchError, match="nothing that serves `pulse_measured`"):
        bench.pulse_measured(DEVICE, SET)
    for name in (path, "simulated"):
        with pytest.raises(
            BenchError, match=r"nothing there serves `pulse_measured` .*whose `serves` names it"
        ):
            check_needs(Watch(), load_bench_file(name).bench)


OWN = """
    def pulse_measured(self, voltage, width, samples):
        self.pulse(voltage, width)
        times = (np.arange(samples) + 0.5) * width / samples
        return times, np.full(samples, voltage), np.full(samples, 1e-5)

    # --- operations ---
"""


def test_a_tester_measures_by_a_method_of_its_own(tmp_path, monkeypatch):
    path = described(
        tmp_path, "microcontroller", ('"pulse", "multiply"', '"pulse", "pulse_measured", "multiply"')
    )  # fmt: skip
    with pytest.raises(BenchError, match=r"cannot: give it pulse_measured\(voltage, width, samples\)"):
        load_bench_file(path)
    driver = tmp_path / "microcontroller.py"
    text = driver.read_text("utf-8").replace("\n    # --- operations ---\n", OWN)
    driver.write_text(text, "utf-8")
    assert load_bench_file(path).bench.operations()["pulse_measured"] == "controller"
    with rehearsed(path) as bench:
        trace = bench.pulse_measured(CELL, Pulse("set", 4.0, 1e-4, gate=1.6), samples=4)
        assert_allclose(trace.times, [1.25e-5, 3.75e-5, 6.25e-5, 8.75e-5])
        assert bench.read(CELL) > 5e-6
        three = np.ones(3)
        for answer, says in (
            ("text", "answered 'text', not times, volts and amps of 3 samples"),
            ((three, three), "not times, volts and amps"),
            ((three, three, three), "one time after the other"),
            ((np.arange(3), three, three[:2]), "in s, V and A"),
            ((np.arange(3), three, np.nan * three), "in s, V and A"),
        ):
            monkeypatch.setattr(
                type(bench.instruments.tester), "pulse_measured", lambda self, *a, r=answer: r
            )
            with pytest.raises(InstrumentError, match=says):
                bench.pulse_measured(CELL, Pulse("set", 1.0, 1e-4, gate=1.6), samples=3)
    assert bench.laboratory.live() == ()
