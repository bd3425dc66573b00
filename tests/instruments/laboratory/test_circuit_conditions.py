"""The circuit as built, at the wire and without instruments: I-V law, amplifiers' limits, cells that go on moving."""

from __future__ import annotations

import gc
import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from changed_bench import opened
from daily import daily
from formed_cells import changed_preset
from numpy.testing import assert_allclose

from mho.errors import BenchError
from mho.instruments import ArrayBench, Cell, open_bench
from mho.instruments.bench.bench import Bench
from mho.instruments.laboratory import block_circuits
from mho.instruments.simulated.physics.cells.conduction import cell_current
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS

GIN, DIAGONAL = 35e-6, 20e-6  # S
LINES = [0, 1, 2, 3]
BENCHES = pytest.mark.parametrize("name", ["simulated", "arrays"])


def form(bench: Bench, own: float = 1.6, other: float = 1.2) -> np.ndarray:
    """Form the cells of a loop, SET those on its diagonal at one gate voltage and the others at another; return them, S."""
    chip = bench.simulated.chip
    cells, index = chip.at("invert_positive", np.array(LINES), np.array(LINES))
    for volts in (4.0, 2.0):
        gates = np.where(np.eye(4) > 0, own, other)
        cells.set_cells(index, np.full((4, 4), volts), np.full((4, 4), 1e-6), gates)
    return held(bench)


def held(bench: Bench) -> np.ndarray:
    return np.asarray(bench.simulated.chip.conductance("invert_positive", np.array(LINES), np.array(LINES)))


def connect(bench: Bench, diagonal: float = DIAGONAL) -> None:
    bench.connect_invert("invert_positive", LINES, LINES, diagonal=diagonal, diagonal_count=4)


def measured(bench: Bench, volts: float = 0.1, times: int = 40) -> np.ndarray:
    """Return the matrix that the loop inverts, S, from its answers to `volts` on each input alone."""
    answers = bench.invert(np.repeat(volts * np.eye(4), times, axis=0)).reshape(4, times, 4).mean(axis=1)
    return np.asarray(-GIN * np.linalg.inv(answers.T / volts) - DIAGONAL * np.eye(4))


def loops() -> int:
    """Return how many loops are kept by any bench of this process."""
    gc.collect()
    return sum(isinstance(one, block_circuits._Loop) for one in gc.get_objects())


@pytest.mark.parametrize("name", daily(["simulated", "arrays"], ["arrays"]))
def test_only_loops_of_the_cells_that_are_there_are_kept(name: str) -> None:
    """A bench that stays open for a week would keep the matrices of a week, each with resistors of its own."""
    others, kept = loops(), []
    with open_bench(name, preset="ideal", seed=1) as bench:
        for step in range(6 * block_circuits.VARIANTS):
            if step % 6 == 0 and step < 3 * block_circuits.VARIANTS:
                form(bench, 1.6 - 0.01 * step)
            if step == 3 * block_circuits.VARIANTS:
                bench.wait_until(bench.now() + 1e6)  # long after the last pulse cells hardly change
            connect(bench, DIAGONAL * (1.0 + 0.01 * step))
            bench.invert(np.full((1, 4), 0.1))
            if step % 6 in (0, 5):  # after forming, and before the next
                kept.append(loops() - others)
    assert min(kept) == 1
    assert max(kept[: block_circuits.VARIANTS]) <= 6
    assert max(kept) <= block_circuits.VARIANTS + 1


# --- cells that are no lines ---


@BENCHES
def test_sweep_and_loop_have_one_law(tmp_path: Path, name: str) -> None:
    with opened(tmp_path, name, "nonlinearity = 1.0") as bench:
        cells = form(bench, own=1.2, other=0.9)  # 14 and 3.5 uS
        law = replace(CELL_PRESETS["ideal"], nonlinearity=1.0)
        cell = Cell("invert_positive", 0, 0)
        for volts in (0.2, 0.4):
            expected = float(cell_current(law, cells[0, 0], volts, 2.5)) / volts
            assert bench.read(cell, volts) == pytest.approx(expected, rel=0.02)
        assert expected > 1.06 * cells[0, 0]
        connect(bench, 4e-6)
        volts = np.array([[0.13, -0.13, 0.07, 0.03]])
        outputs = bench.invert(np.repeat(volts, 100, axis=0)).mean(axis=0)
        into = cell_current(law, cells, outputs, 2.5, "source line").sum(axis=1) + 4e-6 * outputs
        linear = cells @ outputs + 4e-6 * outputs
        assert_allclose(into, -GIN * volts[0], atol=0.04e-6)
        assert np.abs(linear + GIN * volts[0]).max() > 0.1e-6, "a linear loop answers otherwise"


@BENCHES
def test_a_product_has_it_too(tmp_path: Path, name: str) -> None:
    with opened(tmp_path, name, "nonlinearity = 1.0") as bench:
        cells = form(bench, own=1.2, other=0.9)
        law = replace(CELL_PRESETS["ideal"], nonlinearity=1.0)
        bench.connect_multiply("invert_positive", LINES, LINES)
        found = bench.multiply(np.full((200, 4), 0.4)).mean(axis=0)
        assert_allclose(found, cell_current(law, cells, 0.4, 2.5).sum(axis=0), rtol=0.01)
        assert np.all(found > 1.06 * 0.4 * cells.sum(axis=0))


def test_products_of_many_blocks_have_it_as_well(tmp_path: Path) -> None:
    with opened(tmp_path, "arrays", "nonlinearity = 1.0") as bench:
        cells = form(bench, own=1.2, other=0.9)
        law = replace(CELL_PRESETS["ideal"], nonlinearity=1.0)
        halves = np.array([[0, 1], [2, 3]])
        assert isinstance(bench, ArrayBench)
        found = bench.multiply_blocks("invert_positive", halves, halves, np.full((2, 200, 2), 0.4)).mean(
            axis=1
        )
        for block, lines in zip(found, halves, strict=True):
            g = cells[np.ix_(lines, lines)]
            assert_allclose(block, cell_current(law, g, 0.4, 2.5).sum(axis=0), rtol=0.02)
            assert np.all(block > 1.05 * 0.4 * g.sum(axis=0))


# --- amplifiers ---


@BENCHES
def test_what_an_amplifier_does_not_give_is_said_once_with_what_to_do(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path, name, "amplifier_current = 2e-6") as bench:
        connect(bench)  # of cells that are not formed: the resistors are the loop
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                outputs = bench.invert(np.array([[0.2, 0.02, 0.0, 0.0]]))
        assert outputs[0, 0] == pytest.approx(-2e-6 / DIAGONAL, rel=0.02), "7 uA were asked for"
        assert outputs[0, 1] == pytest.approx(-GIN / DIAGONAL * 0.02, abs=2e-3), "0.7 uA are there"
        said = [record.message for record in caplog.records if record.message.startswith("INV on")]
        assert len(said) == 1
        assert re.search(
            r"the amplifier of row 0 was asked for 0\.00(699|70?[01]?) mA, but an AD823 gives 0\.002 mA",
            said[0],
        )
        assert "take fewer rows" in said[0]
        assert [one.kind for one in bench.simulated.incidents] == ["amplifier limit"]


def test_a_product_beyond_the_supply_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tmp_path, "arrays", "amplifier_supply = 1.5") as bench:
        form(bench, own=2.2, other=2.2)  # 4 x 49 uS x 0.4 V x 20 kohm is 1.57 V
        bench.connect_multiply("invert_positive", LINES, LINES)
        with caplog.at_level(logging.WARNING):
            found = bench.multiply(np.full((2, 4), 0.4))
        assert_allclose(found, 1.45 / 20e3, rtol=5e-3)
        assert (
            "MULTIPLY on invert_positive: an amplifier was asked for 1.57 V, but an AD823 reaches 1.45 V"
            in caplog.text
        )


def test_a_supply_that_an_amplifier_does_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"amplifier_supply is 1 V, but an AD823 takes 1\.5 to 18 V"):
        opened(tmp_path, "arrays", "amplifier_supply = 1.0")


@BENCHES
def test_a_hot_and_slow_board_settles_later_and_its_other_parts_are_the_same(
    tmp_path: Path, name: str
) -> None:
    settling, resistors = [], []
    for lines in ((), ('amplifier_corner = "slow"', "amplifier_temperature = 348.15")):
        with opened(tmp_path, name, *lines) as bench:
            connect(bench)
            settling.append(bench.simulated.step_response(np.array([0.1, 0.0, 0.0, 0.0])).settling_time())
            resistors.append(bench.simulated.circuits.diagonal_errors)
    assert settling[1] > 1.1 * settling[0]
    assert_allclose(*resistors)


# --- cells go on moving ---


@BENCHES
def test_the_loop_relaxes_with_the_clock_between_its_answers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed_preset(monkeypatch, "quiet", read_noise=0.0, rtn_share=0.0, white_noise=0.0)
    with open_bench(name, preset="quiet", seed=3) as bench:
        form(bench)
        connect(bench)
        loops, cells = [], []
        for seconds in (2.0, 60.0, 1e4, 1e6):
            bench.wait_until(bench.now() + seconds)
            # Inputs of several sizes, so that the steps of the converters average out.
            loops.append(np.mean([measured(bench, volts) for volts in np.linspace(0.1, 0.3, 30)], axis=0))
            cells.append(held(bench))
        loops, cells = np.diff(loops, axis=0), np.diff(cells, axis=0)
        means = cells.mean(axis=(1, 2))
        assert np.all(means < -0.15e-6), "-0.089 uS ln t, and more than is missed below"
        assert_allclose(loops.mean(axis=(1, 2)), means, atol=0.08e-6)
        assert_allclose(loops.sum(axis=0), cells.sum(axis=0), atol=0.5e-6)


@BENCHES
def test_every_answer_has_the_noise_of_its_own_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spread = []
    for noise in (0.0, 0.05):
        changed_preset(monkeypatch, "ideal", read_noise=noise)
        with open_bench(name, preset="ideal", seed=3) as bench:
            cells = form(bench)
            connect(bench)
            loops = []
            for _ in range(25):
                bench.wait_until(bench.now() + 1e4)
                loops.append(measured(bench))
        spread.append(np.std(loops, axis=0).mean() / cells.mean())
    assert spread[0] < 0.03
    assert 0.03 < np.sqrt(spread[1] ** 2 - spread[0] ** 2) < 0.06
