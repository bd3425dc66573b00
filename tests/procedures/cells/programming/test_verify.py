"""Verify by rows and by Hadamard patterns: what they tell of cells, with which noise, and how programming uses them."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mho import Cell, Program, Pulse, open_bench, run
from mho.chip_maps.chip import load_chip_map, parse_chip_map
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError, LimitError
from mho.instruments.arrays import ArrayBench
from mho.instruments.bench_file import BenchSource, load_bench_file
from mho.instruments.opening import open_simulated
from mho.procedures.cells.programming.group_programming import (
    GroupReads,
    conductances,
    pulses_given,
    reading_patterns,
)
from mho.procedures.cells.programming.programmer import Programmer, noise_warning, read_noise
from mho.procedures.cells.programming.record import Block
from mho.procedures.cells.programming.strategy import RESET, SET, Pulses
from mho.procedures.stream import NullStream
from mho.runs import RunFile

LEVELS = load_chip_map("reference").level_scale()
DIGITS = np.random.default_rng(3).integers(0, 8, (16, 3))
FORM = Pulse("set", 4.3, 1e-6, 1.6)


@given(cells=st.integers(1, 40), reads=st.integers(1, 100))
def test_patterns_are_orthogonal_and_as_many_as_asked_for(cells, reads):
    patterns = reading_patterns(cells, reads)
    assert max(cells, reads) <= len(patterns) < 2 * max(cells, reads) + cells
    assert_array_equal(patterns.T @ patterns, len(patterns) * np.eye(cells))


@pytest.mark.parametrize("cells", [2, 4, 8, 16, 32])
def test_what_all_readings_have_in_common_cancels_or_is_small_for_every_cell(cells):
    assert_array_equal(reading_patterns(cells, 2 * cells).sum(axis=0), 0.0)
    assert np.abs(reading_patterns(cells, cells).sum(axis=0)).max() <= np.sqrt(2.0 * cells)


@given(cells=st.integers(1, 20), seed=st.integers(0, 9))
def test_without_noise_the_cells_come_back(cells, seed):
    rng = np.random.default_rng(seed)
    wanted = rng.uniform(0.0, 35e-6, (cells, 2))
    patterns = reading_patterns(cells, 5)
    assert_allclose(conductances(0.2 * patterns @ wanted + 1e-6 * 0.0, patterns, 0.2), wanted, atol=1e-18)


def test_the_variance_of_the_readout_is_divided_by_the_number_of_readings():
    rng, cells, sigma = np.random.default_rng(1), 16, 0.7e-6
    patterns = reading_patterns(cells, 32)
    noise = sigma * rng.standard_normal((32, 4000))
    spread = conductances(noise, patterns, 0.2).std(axis=1)
    assert_allclose(spread, sigma / 0.2 / np.sqrt(32), rtol=0.06)


def test_a_group_is_of_one_row_or_by_patterns_of_one_column():
    mask = np.array([[True, False, True], [True, False, False]])
    with open_bench("arrays", seed=1) as bench:
        groups = {
            method: [
                (one.rows.tolist(), one.columns.tolist()) for one in GroupReads(bench, method, 1).groups(mask)
            ]
            for method in ("row", "hadamard")
        }
    assert groups == {"row": [([0], [0, 2]), ([1], [0])], "hadamard": [([0, 1], [0]), ([0], [2])]}


def test_each_cell_gets_its_own_pulse_where_a_bench_sends_one_at_a_time():
    pulses = Pulses(
        np.array([SET, RESET]), np.array([2.0, 1.5]), np.array([1e-6, 2e-6]), np.array([1.2, 3.0])
    )
    sent = []
    with open_bench(preset="ideal", seed=1) as bench:
        bench.pulse = lambda cell, pulse: sent.append((cell, pulse))
        rows, columns = np.array([3, 5]), np.array([0, 2])
        with pulses_given(bench, "multiply", rows, columns, pulses, lambda *_: None, lambda *_: None):
            pass
    assert sent == [
        (Cell("multiply", 3, 0), Pulse("set", 2.0, 1e-6, 1.2)),
        (Cell("multiply", 5, 2), Pulse("reset", 1.5, 2e-6, 3.0)),
    ]


def test_no_cell_and_no_reading_are_refused():
    with pytest.raises(ValueError, match="give at least 1 of each"):
        reading_patterns(0, 4)
    with pytest.raises(InputError, match="there are row and hadamard"):
        GroupReads(None, "cell", 1)


def noisy(amperes: float, bench: str = "arrays") -> BenchSource:
    """A bench with a noisy readout."""
    source = load_bench_file(bench)
    assert source.bench.simulation is not None
    changed = source.bench.simulation.model_copy(update={"readout_noise": amperes})
    return source.model_copy(update={"bench": source.bench.model_copy(update={"simulation": changed})})


@pytest.mark.parametrize("bench", ["simulated", "arrays"])
@pytest.mark.parametrize("method", ["row", "hadamard"])
def test_groups_read_what_the_source_measure_unit_reads(bench, method):
    rows, columns = (np.arange(8), np.array([3])) if method == "hadamard" else (np.array([2]), np.arange(8))
    with open_bench(bench, preset="ideal", seed=1) as opened:
        cells = [Cell("multiply", int(r), int(c)) for r in rows for c in columns]
        for cell in cells[::2]:  # the others are virgin
            opened.read(cell)  # as unformed: only then more than a formed cell bears is allowed
            opened.pulse(cell, FORM)
        alone = [opened.read(cell) for cell in cells]
        together, readings = GroupReads(opened, method, 4).read("multiply", rows, columns)
    assert_allclose(together, alone, rtol=0.01, atol=0.15e-6)
    assert readings == (8 if method == "hadamard" else 4 * 8)


@pytest.mark.parametrize("bench", ["simulated", "arrays"])
def test_the_noise_of_the_readout_is_that_of_the_bench_file(bench):
    def reads(amperes: float) -> tuple[np.ndarray, np.ndarray]:
        with open_simulated(noisy(amperes, bench), "ideal", 1) as opened:
            opened.read(Cell("multiply", 0, 0))
            opened.pulse(Cell("multiply", 0, 0), FORM)
            alone = np.array([opened.read(Cell("multiply", 0, 0)) for _ in range(60)])
            reader = GroupReads(opened, "hadamard", 16)
            together = [reader.read("multiply", np.arange(16), np.arange(1))[0] for _ in range(15)]
            return alone, np.array(together)

    alone, together = reads(0.7e-6)
    assert alone.std() == pytest.approx(3.5e-6, rel=0.3)
    # Over 16, and that of the reading at 0 V, which is subtracted, over 16 again.
    assert together.std(axis=0).mean() == pytest.approx(3.5e-6 * np.sqrt(2.0 / 16), rel=0.3)
    quiet, _ = reads(0.0)
    assert quiet.std() < 0.05e-6


@pytest.mark.parametrize("bench", daily(["simulated", "arrays"], ["arrays"]))
@pytest.mark.parametrize("verify", ["verify=row", "verify=hadamard, verify_reads=16", "verify_reads=3"])
def test_cells_are_programmed_by_every_verify(bench, verify, tmp_path):
    program = Program(digits=DIGITS, write_verify=verify, passes=4)
    result = run(program, bench, preset="pku", seed=2, output=tmp_path / "a.h5")
    assert result.failed == 0
    with RunFile(result.path) as file:
        pulses = file.table("pulses")
        assert (pulses["kind"] > 0).sum() == result.summary["pulses"] == result.pulses.sum()
        assert np.all(np.diff(pulses["time"][pulses["row"] == 0]) >= 0.0) or "row" in verify
        last = {
            (r, c): g for r, c, g in zip(pulses["row"], pulses["column"], pulses["conductance"], strict=True)
        }
    assert_array_equal([[last[r, c] for c in range(3)] for r in range(16)], result.achieved)
    if verify == "verify_reads=3":
        assert result.summary["reads"] == 3 * len(pulses["row"])


def test_a_read_voltage_beyond_the_limits_of_the_vector_is_refused_before_a_pulse(tmp_path):
    path = tmp_path / "bench.toml"
    text = load_bench_file("arrays").text
    path.write_text(text.replace("voltage = 1.0 ", "voltage = 0.1 "), "utf-8")
    with pytest.raises(LimitError, match="vector"):
        run(Program(digits=[[3]], write_verify="verify=hadamard"), str(path), output=tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()


def share_in_window(settings: WriteVerifySettings) -> tuple[float, float]:
    """The share of cells that are in their window, and reads a cell, at a noise of the readout of 10 % of the top level."""
    shares, reads = [], []
    for seed in range(2):
        with ArrayBench(noisy(0.7e-6), preset="pku", seed=seed) as bench:
            chip = parse_chip_map(bench.chip_text)
            digits = np.random.default_rng(seed).integers(1, 8, (32, 4))
            block = Block(Placement("multiply", np.arange(32), np.arange(4)), digits)
            names = [array.name for array in chip.arrays]
            programmer = Programmer(bench, NullStream(), chip.level_scale(), names, settings, passes=0)
            programmer.program([block])
            _, index = bench.simulated.chip.at("multiply", np.arange(32), np.arange(4))
            true = bench.simulated.chip.population.conductance(index)
            shares.append(chip.level_scale().inside(true, digits).mean())
            reads.append(programmer.reads / digits.size)
    return float(np.mean(shares)), float(np.mean(reads))


@pytest.mark.thorough
def test_hadamard_verify_takes_a_fifth_of_the_reads_for_the_same_share():
    averaged, many = share_in_window(WriteVerifySettings(verify_reads=64))
    patterns, few = share_in_window(WriteVerifySettings(verify="hadamard", verify_reads=64))
    assert patterns > averaged - 0.09  # two standard deviations of a difference of so few cells
    assert few < many / 5


@pytest.mark.parametrize(("formed_above", "share"), [(0.1e-6, 0.5), (5e-6, None)])
def test_a_reading_through_the_daq_is_of_a_formed_cell_from_half_of_the_lowest_window_on(formed_above, share):
    settings = WriteVerifySettings(formed_above=formed_above, verify="row")
    with open_bench(preset="ideal", seed=1) as bench:
        _, programming = Programmer(bench, NullStream(), LEVELS, ["multiply"], settings)._in_groups(
            "multiply"
        )
    expected = formed_above if share is None else share * LEVELS.low[1]
    assert programming._settings.formed_above == pytest.approx(expected)


def test_a_window_below_the_read_noise_is_warned_of_with_the_number():
    rng = np.random.default_rng(1)
    digits = rng.integers(0, 8, (20, 20))
    first = LEVELS.nominal[digits]
    assert read_noise(first, first + 2e-6 * rng.standard_normal(first.shape)) == pytest.approx(2e-6, rel=0.15)
    assert read_noise(first[:3, :3], first[:3, :3]) is None
    warning = noise_warning([first], [first + 2e-6 * rng.standard_normal(first.shape)], [digits], LEVELS, 0.8)
    assert "(robust sd), and the windows aimed for are +-0.96 uS" in warning
    assert (
        noise_warning([first], [first + 0.5e-6 * rng.standard_normal(first.shape)], [digits], LEVELS, 0.8)
        == ""
    )


@pytest.mark.parametrize(("cells", "noise"), [(15, None), (16, 1.4826e-6), (17, 1.4826e-6)])
def test_the_noise_of_a_read_is_told_from_16_cells_on(cells: int, noise: float | None):
    second = np.append(np.arange(cells) % 2 * 2e-6, [np.nan, np.inf])  # 1 uS above or below the first
    first = np.append(np.full(cells, 1e-6), [0.0, 0.0])
    assert read_noise(first, second) == (noise and pytest.approx(noise))


@pytest.mark.parametrize(("change", "warned"), [(0.80e-6, False), (0.82e-6, True)])
def test_it_is_warned_of_where_it_exceeds_the_windows_aimed_for(change: float, warned: bool):
    """Twelve hundred nanosiemens are the half width of all windows but that of digit 0, which does not count."""
    digits, none = np.repeat([0, 4], 16), np.zeros(32)
    second = np.where(digits > 0, change, 9e-6)
    assert bool(noise_warning([none], [second], [digits], LEVELS, 1.0)) is warned
    assert bool(noise_warning([none] * 2, [second] * 2, [digits] * 2, LEVELS, 1.0)) is warned
    assert not noise_warning([none], [9.0 * second], [0 * digits], LEVELS, 1.0)


def test_the_run_says_that_its_window_is_below_the_noise(tmp_path):
    path = tmp_path / "bench.toml"
    text = load_bench_file("arrays").text
    path.write_text(text.replace('preset = "pku"', 'preset = "pku"\nreadout_noise = 0.7e-6'), "utf-8")
    digits = np.random.default_rng(1).integers(1, 8, (8, 8))
    result = run(
        Program(digits=digits, write_verify="max_pulses=20"), str(path), seed=1, output=tmp_path / "a.h5"
    )
    with RunFile(result.path) as file:
        warnings = [entry.message for entry in file.log() if entry.level == "WARNING"]
    assert any("a verify read is less sure than its window" in one for one in warnings)


@pytest.mark.parametrize(("preset", "fits"), [("stanford", False), ("pku", True)])
def test_levels_that_the_cells_do_not_hold_are_said_before_the_first_pulse(preset, fits):
    class Log(NullStream):
        def __init__(self) -> None:
            super().__init__()
            self.unfit: list[float] = []

        def say(self, text: str, level: str = "INFO") -> None:
            if "do not hold the levels of this chip map" in text:
                self.unfit.append(bench.now())
                assert "56% of them cannot be RESET to 5 +- 1.2 uS" in text

    with open_bench("arrays", preset=preset, seed=1) as bench:
        log, began = Log(), bench.now()
        programmer = Programmer(bench, log, LEVELS, ["multiply"], WriteVerifySettings(max_pulses=5))
        for _ in range(2):  # once for all blocks of a programmer
            programmer.program([Block(Placement("multiply", np.arange(2), np.arange(2)), np.full((2, 2), 3))])
    assert log.unfit == ([] if fits else [began])
