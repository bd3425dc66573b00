"""Strategies: the pulses they decide, alike for one cell and for many, how they are found, and what a run keeps of them."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from numpy.testing import assert_array_equal

from mho import Program, Strategy, open_bench, run
from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.procedures.cells.programming.programmer import Programmer, visiting_order
from mho.procedures.cells.programming.record import Block
from mho.procedures.cells.programming.strategies.known_strategies import STRATEGIES, find_strategy
from mho.procedures.cells.programming.strategies.literature import Ispp
from mho.procedures.cells.programming.strategies.model import GateCurve
from mho.procedures.cells.programming.strategy import Outcome, where
from mho.procedures.stream import NullStream
from mho.running.continuing import rerun
from mho.runs import RunFile

LEVELS = load_chip_map("reference").level_scale()
SETTINGS = WriteVerifySettings(attempts=3, ramp_steps=4)
WINDOW = 20e-6, 18.8e-6, 21.2e-6
DIGITS = np.array([[5, 7, 0], [6, 1, 3]])
DECIDING = [name for name in STRATEGIES if not find_strategy(name).descends]

OWN = '''
from mho import Strategy

class Own(Strategy):
    """A ramp without an end."""

    gate = 0.9

    def decide(self, read):
        over = read > self.high
        self.gate = self.where(over, 0.9, self.gate + 0.05)
        return self.either(over, self.lowered(3.0), self.raised(self.clip(self.gate, 0.0, 2.5)))
'''


def decided(state: Strategy, *reads: float) -> list[tuple[str, float]]:
    """The kinds of the pulses that follow reads (S), with the voltage that varies."""
    pulses = [state.next_pulse(read) for read in reads]
    return [(one.kind, round(one.gate if one.kind == "set" else one.voltage, 6)) for one in pulses]


@pytest.mark.parametrize("at", [SETTINGS.formed_above, np.full(2, SETTINGS.formed_above)])
def test_a_cell_that_reads_as_formed_once_is_not_formed_later(at):
    state = find_strategy("ispp").towards(*WINDOW, SETTINGS, None)
    below = 0.5 * at
    assert np.all(state.next_pulses(below).gate == SETTINGS.forming_gate)
    for read in (at, below):
        assert np.all(state.next_pulses(read).gate != SETTINGS.forming_gate)


@pytest.mark.parametrize("name", daily(STRATEGIES, 3))
def test_many_cells_are_decided_as_each_by_itself(name):
    kind, rng = find_strategy(name), np.random.default_rng(2)
    digits = rng.integers(0, 8, 200)
    windows = LEVELS.nominal[digits], LEVELS.low[digits], LEVELS.high[digits]
    reads = np.abs(LEVELS.nominal[digits] + 4e-6 * rng.standard_normal((30, 200)))
    reads[:9][rng.random((9, 200)) < 0.3] = 1e-9  # as of cells that have to be formed
    each = [kind.towards(*map(float, window), SETTINGS) for window in zip(*windows, strict=True)]
    together, which = kind.towards(*windows, SETTINGS), np.arange(200)
    for read in reads:
        outside = ~together.done(read[which])
        lost = np.where(outside, together.outcome(read[which]), 0)
        for number, out, code in zip(which, outside, lost, strict=True):
            assert (not each[number].done(read[number])) == out
            assert (each[number].outcome(float(read[number])) if out else 0) == code
        left = np.flatnonzero(outside & (lost == 0))
        which, together = which[left], together.of(left)
        pulses = together.next_pulses(read[which])
        expected = [each[number].next_pulses(float(read[number])) for number in which]
        np.testing.assert_allclose(np.transpose(pulses), np.reshape(expected, (-1, 4)), rtol=1e-12)
    assert max(state.pulses for state in each) > 5


def test_ispp_ramps_the_word_line_after_each_reset_and_ends_after_its_attempts():
    state = Ispp.towards(*WINDOW, SETTINGS)
    ramp = [("set", 0.9), ("set", 0.95), ("set", 1.0), ("set", 1.05)]
    assert decided(state, 30e-6) == [("reset", 3.0)]  # every attempt begins with a RESET
    assert decided(state, 1e-6, 5e-6, 9e-6, 12e-6) == ramp
    assert decided(state, 15e-6) == [("reset", 3.0)]  # the ramp is at its end
    assert decided(state, 1e-6, 5e-6, 30e-6) == [*ramp[:2], ("reset", 3.0)]  # and here it passed the window
    assert decided(state, 1e-6, 5e-6, 9e-6, 12e-6) == ramp
    assert state.pulses == 13
    assert (
        state.outcome(0.9 * WINDOW[1]) == Outcome.OUT_OF_PULSES
    )  # a higher ramp may raise it: it is not stuck
    assert state.outcome(30e-6) == Outcome.OUT_OF_PULSES
    assert state.done(20e-6)


def test_ispp_gives_no_set_to_a_cell_that_its_reset_does_not_lower():
    state = Ispp.towards(*WINDOW, SETTINGS)
    assert decided(state, *[40e-6] * SETTINGS.attempts) == [("reset", 3.0)] * SETTINGS.attempts
    assert state.outcome(40e-6) == Outcome.STUCK_HIGH


def test_fppv_sets_once_with_the_voltage_at_which_the_curve_passes_the_level():
    curve = SETTINGS.model_copy(
        update={"response_gates": (1.0, 1.2, 1.4), "response_levels": (0.0, 10e-6, 30e-6)}
    )
    state = find_strategy("fppv").towards(*WINDOW, curve)
    assert decided(state, 1e-6, 1e-6, 15e-6, 1e-6, 40e-6, 1e-6) == [("reset", 3.0), ("set", 1.3)] * 3
    assert state.outcome(15e-6) == Outcome.OUT_OF_PULSES  # its one voltage does not reach: it is not stuck


@pytest.mark.parametrize("sets", [1, 5])
def test_a_cell_that_passed_its_window_in_its_last_attempt_is_not_stuck_high(sets):
    state = Ispp.towards(*WINDOW, WriteVerifySettings(attempts=1, ramp_steps=6))
    assert [kind for kind, _ in decided(state, 30e-6, *[1e-6] * sets)] == ["reset"] + ["set"] * sets
    assert state.outcome(40e-6) == Outcome.OUT_OF_PULSES


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_cell_that_was_formed_before_is_never_formed_again(name):
    state = find_strategy(name).towards(*WINDOW, SETTINGS)
    state.formed = True
    pulses = [state.next_pulse(1e-9) for _ in range(20)]
    assert {pulse.width for pulse in pulses} == {SETTINGS.width}
    assert state.outcome(1e-9) != Outcome.UNFORMED
    many = find_strategy(name).towards(*(np.full(2, one) for one in WINDOW), SETTINGS)
    many.formed = np.array([True, False])
    assert many.next_pulses(np.full(2, 1e-9)).width.tolist() == [SETTINGS.width, SETTINGS.forming_width]


def test_a_response_curve_is_the_table_or_the_coarse_line():
    line = GateCurve.of(SETTINGS)
    assert line.gate(17.5e-6) == pytest.approx(1.3)
    assert line.level(np.array([1.3, 0.0])) == pytest.approx([17.5e-6, 0.05 * 35e-6])
    flat = SETTINGS.model_copy(
        update={"response_gates": (1.0, 2.0, 3.0), "response_levels": (0.0, 9e-6, 9e-6)}
    )
    assert GateCurve.of(flat).gate(4.5e-6) == pytest.approx(1.5, abs=1e-4)
    assert GateCurve.of(flat).gate(1.0) == 3.0
    beyond = SETTINGS.model_copy(update={"set_offset": 3.0})  # no gate of the range sets a cell
    assert GateCurve.of(beyond).levels.tolist() == [1e-12, 2e-12]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"response_gates": (1.0, 2.0)}, "give one level for each voltage"),
        ({"response_gates": (2.0, 1.0), "response_levels": (0.0, 1e-6)}, "`response_gates` must ascend"),
        ({"response_gates": (1.0, 2.0), "response_levels": (1e-6, 0.0)}, "`response_levels` must ascend"),
        ({"response_gates": (1.0, 2.0), "response_levels": (1e-6, 1e-6)}, "`response_levels` does not rise"),
        ({"order": "at random"}, "'rows', 'columns', 'interleaved', 'low first' or 'high first'"),
        ({"strategy": "own.py:Own"}, "a strategy is called by its name here"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        WriteVerifySettings(**wrong)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("isp", "one of your own is written module:Class or path/file.py:Class; did you mean 'ispp'?"),
        ("nowhere.py:Own", "there is no strategy in nowhere.py"),
        ("mho:Program", "mho:Program is no strategy; it must be a subclass of mho.Strategy"),
    ],
)
def test_a_strategy_that_is_not_there_is_answered_before_a_bench_is_opened(name, said, tmp_path):
    with pytest.raises(InputError, match=re.escape(said)):
        run(Program(digits=DIGITS, strategy=name), output=tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "bench"),
    daily(
        product(DECIDING, ["simulated", "arrays"]),
        [(DECIDING[0], "simulated"), *product(DECIDING, ["arrays"])],
    ),
)
def test_every_strategy_brings_cells_into_their_windows(name, bench, tmp_path):
    result = run(Program(digits=DIGITS, strategy=name, passes=9), bench, seed=3, output=tmp_path / "a.h5")
    assert result.failed == 0
    with RunFile(result.path) as file:
        assert file.parameters["strategy"].value == name
        assert f"strategy={name}" in file.parameters["write_verify"].value
        assert_array_equal(file.map("multiply_outcome"), np.zeros(DIGITS.shape))
        assert file.summary["outcomes"] == {"in_window": DIGITS.size}


@pytest.mark.parametrize("bench", ["simulated", "arrays"])
def test_the_reason_why_a_cell_is_given_up_is_kept(bench):
    block = Block(Placement("multiply", np.arange(2), np.arange(2)), np.array([[0, 3], [5, 7]]))
    settings = WriteVerifySettings(forming_voltages=(1.0, 1.1))  # too little to form any
    with open_bench(bench, preset="pku", seed=1) as opened:
        names = [array.name for array in load_chip_map(opened.file.chip).arrays]
        Programmer(opened, NullStream(), LEVELS, names, settings).program([block])
    assert_array_equal(block.outcome, [[Outcome.IN_WINDOW, Outcome.UNFORMED], [Outcome.UNFORMED] * 2])
    assert_array_equal(block.pulses, [[0, 2 * 3], [2 * 3, 2 * 3]])  # in both passes again


def test_a_strategy_of_one_s_own_is_kept_with_its_source_and_repeated_where_it_is_trusted(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN, "utf-8")
    result = run(Program(digits=DIGITS, strategy="own.py:Own"), "arrays", seed=3, output="a.h5")
    assert result.failed == 0
    with RunFile(result.path) as file:
        assert file.provenance["strategy_source"] == OWN
        assert len(file.provenance["strategy_sha256"]) == 64
        assert file.provenance["strategy"] == f"{tmp_path / 'own.py'}:Own"
    assert rerun(result.path, output="b.h5", trust=lambda code: True).equal


@pytest.mark.parametrize("repeats", daily(["rerun", "clone"], ["rerun"]))
def test_a_run_file_makes_no_strategy_run_that_nobody_agreed_to(repeats, tmp_path, shell, monkeypatch):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "here"
    elsewhere.mkdir(), folder.mkdir()
    monkeypatch.chdir(elsewhere)
    np.save("digits.npy", DIGITS)
    Path("own_in_file.py").write_text(OWN, "utf-8")
    path = run(
        Program(digits="digits.npy", strategy="own_in_file.py:Own"), "arrays", seed=3, output="a.h5"
    ).path.resolve()
    mark = tmp_path / "imported"
    harmful = f"from pathlib import Path\nPath({str(mark)!r}).touch()\n{OWN}"
    Path("own_in_file.py").write_text(harmful, "utf-8")
    monkeypatch.chdir(folder)
    verb = ("rerun", path) if repeats == "rerun" else ("queue", "clone", path)
    code, _, said = shell(*verb)
    assert code == 2
    assert "own_in_file.py:Own, which is none of mho's own" in said
    assert "no file own_in_file.py in this folder" in said  # that of the run is not searched
    Path("own_in_file.py").write_text(harmful, "utf-8")
    assert "say --trust" in shell(*verb)[2]
    assert not mark.exists()


@pytest.mark.parametrize(
    ("bench", "verify"),
    daily(product(["simulated", "arrays"], ["cell", "row"]), [("simulated", "cell"), ("simulated", "row")]),
)
def test_each_verify_read_waits_as_long_as_the_settings_say(bench, verify, tmp_path):
    def between(delay: str) -> float:
        program = Program(digits=[[5]], passes=0, write_verify=f"verify={verify},verify_delay={delay}")
        path = run(program, bench, preset="ideal", seed=1, output=tmp_path / f"{delay}.h5").path
        with RunFile(path) as file:
            return float(np.diff(file.table("pulses")["time"]).mean())

    assert between("50ms") - between("0") == pytest.approx(50e-3, rel=1e-3)


def test_orders_visit_every_cell_once():
    digits = np.array([[1, 7, 1, 0], [7, 1, 0, 1]])
    seen = {
        order: visiting_order(order, digits)
        for order in ("rows", "columns", "interleaved", "low first", "high first")
    }
    assert all(sorted(order) == list(range(8)) for order in seen.values())
    assert_array_equal(seen["columns"], [0, 4, 1, 5, 2, 6, 3, 7])
    assert_array_equal(digits.ravel()[seen["high first"]], [7, 7, 1, 1, 1, 1, 0, 0])
    assert_array_equal(seen["low first"], [3, 6, 0, 2, 5, 7, 1, 4])
    rows, columns = np.divmod(visiting_order("interleaved", np.zeros((3, 4), int)), 4)
    assert (np.diff(rows) != 0).all()
    assert (np.diff(columns) != 0).all()


@pytest.mark.parametrize("bench", daily(["simulated", "arrays"], ["simulated"]))
def test_cells_are_programmed_in_the_order_asked_for(bench, tmp_path):
    program = Program(digits=DIGITS, write_verify="order=high first", passes=0)
    path = run(program, bench, preset="ideal", seed=1, output=tmp_path / "a.h5").path
    with RunFile(path) as file:
        pulses = file.table("pulses")
    first = {}
    for row, column, time in zip(pulses["row"], pulses["column"], pulses["time"], strict=True):
        first.setdefault((int(row), int(column)), time)
    visited = sorted(first, key=lambda cell: first[cell])
    assert [int(DIGITS[cell]) for cell in visited] == [7, 6, 5, 3, 1, 0]


def test_one_choice_is_made_for_numbers_and_arrays():
    assert where(True, 1, 2) == 1
    assert_array_equal(where(np.array([True, False]), 1, 2), [1, 2])


@pytest.mark.parametrize("name", sorted({*STRATEGIES} - {*DECIDING}))
def test_a_descent_forms_no_cell(name):
    """Its cells were formed before, or cannot be: a forming pulse would destroy them."""
    kind, levels = find_strategy(name), np.array([5e-6, 20e-6])
    state = kind.descending(levels, levels - 1e-6, levels + 1e-6, kind.settings_type())
    assert np.all(state.formed)
