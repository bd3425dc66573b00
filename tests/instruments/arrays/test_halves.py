"""Large batches in halves: the same on one core as on two, distributed as whole ones, shared cells in one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import ks_2samp

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import Aborted
from mho.instruments import ArrayBench, open_bench
from mho.instruments.arrays import CellPositions, laboratory
from mho.instruments.arrays.laboratory import Halves
from mho.instruments.arrays.roles import LARGE
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import Block
from mho.procedures.stream import NullStream

CHIP = load_chip_map("reference")
LEVELS = CHIP.level_scale()
SIDE = 184  # of a block whose cells are visited in halves


def draws(part: slice, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(part.stop - part.start)


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("cores", [{0}, {0, 1}])
def test_what_halves_draw_does_not_depend_on_cores(monkeypatch, apart, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: cores, raising=False)
    halves = Halves(np.random.default_rng(3))
    found = [np.concatenate(halves.run(draws, 7, apart=apart)) for _ in range(2)]
    first, second = np.random.default_rng(3).spawn(2)
    for each in found:
        assert_array_equal(each, [*first.standard_normal(3), *second.standard_normal(4)])


@pytest.mark.parametrize("cores", [{0}, {0, 1}])
def test_an_error_in_either_half_is_raised(monkeypatch, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: cores, raising=False)

    def fails(part: slice, rng: np.random.Generator) -> None:
        if part.start:
            raise ValueError("the second half")

    with pytest.raises(ValueError, match="the second half"):
        Halves(np.random.default_rng(0)).run(fails, 2, apart=True)


def played(order: np.ndarray) -> np.ndarray:
    """Return what 8 blocks answer, each as often and when `order` has it."""
    shots = 2 * LARGE // (32 * len(order))
    rows = np.tile(np.arange(32), (8, 1))
    columns = np.arange(256).reshape(8, 32)
    volts = np.random.default_rng(1).uniform(0.0, 0.2, (len(order), shots, 32))
    with open_bench("arrays", preset="pku", seed=5) as bench:
        found = [bench.multiply_blocks("multiply", rows[order], columns[order], volts) for _ in range(3)]
        assert bench.arrays.chip.apart("multiply", rows[order], columns[order]) == (len(set(order)) == 8)
    return np.stack(found)


@pytest.mark.parametrize("order", [np.arange(8), np.array([0, 1, 2, 3, 0, 1, 2, 3])], ids=["apart", "shared"])
def test_many_blocks_answer_the_same_on_one_core_as_on_two(monkeypatch, order):
    answers = []
    for cores in ({0}, {0, 1}):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process, cores=cores: cores, raising=False)
        answers.append(played(order))
    assert_array_equal(*answers)
    assert np.ptp(answers[0], axis=0).max() > 0.0  # noise moves on


# --- cells ---


def program(preset: str = "pku", seed: int = 1, checkpoint: Callable[[], None] | None = None) -> dict:
    """Program a large block; return what came of it, and the cells as they are."""
    digits = np.random.default_rng(0).integers(0, 8, (SIDE, SIDE))
    block = Block(Placement("multiply", np.arange(SIDE), np.arange(SIDE)), digits)
    with open_bench("arrays", preset=preset, seed=seed) as bench:
        assert isinstance(bench, ArrayBench)
        programmer = Programmer(
            bench,
            NullStream(),
            LEVELS,
            [array.name for array in CHIP.arrays],
            WriteVerifySettings(),
            recorded=False,
        )
        bench.checkpoint = checkpoint or bench.checkpoint
        cells = bench.arrays.chip.population
        ended = ""
        try:
            programmer.program([block])
        except Aborted as error:
            ended = str(error)
        return {
            "error": (block.achieved - LEVELS.nominal[digits]).ravel(),
            "pulses": block.pulses.ravel(),
            "reads": programmer.reads,
            "joules": programmer.joules,
            "failed": programmer.failed([block]),
            "now": bench.now(),
            "conductance": cells.conductance().ravel(),
            "wear": cells.wear().ravel(),
            "noise": cells.relative_noise(slice(None), 1e-3, 1e-6)[0].ravel(),
            "ended": ended,
        }


@pytest.mark.thorough
def test_many_cells_are_programmed_the_same_on_one_core_as_on_two(monkeypatch):
    found = []
    for cores in ({0}, {0, 1}):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process, cores=cores: cores, raising=False)
        found.append(program("relaxing"))
    for name, value in found[0].items():
        assert_array_equal(value, found[1][name], err_msg=name)


@pytest.mark.thorough
@pytest.mark.parametrize("preset", ["pku", "relaxing"])
def test_cells_in_halves_are_distributed_as_those_in_one(monkeypatch, preset):
    halves = program(preset)
    monkeypatch.setattr(laboratory, "LARGE", SIDE * SIDE + 1)
    whole = program(preset, seed=2)
    for name in ("error", "pulses", "conductance", "wear", "noise"):
        assert not np.array_equal(halves[name], whole[name])
        assert ks_2samp(halves[name], whole[name]).pvalue > 1e-3, name
    for name in ("reads", "joules", "now"):
        assert halves[name] == pytest.approx(whole[name], rel=0.02)


@pytest.mark.parametrize(("cores", "second"), [({0}, 0.0), ({0, 1}, 7 / 8)], ids=["one core", "two"])
def test_who_ends_a_run_is_asked_in_its_own_thread_and_what_was_done_remains(monkeypatch, cores, second):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: cores, raising=False)
    threads = []

    def ends() -> None:
        threads.append(threading.get_ident())
        if len(threads) > 6:
            raise Aborted("enough")

    found = program(checkpoint=ends)
    assert found["ended"] == "enough"
    assert set(threads) == {threading.get_ident()}
    pulsed = (found["wear"] > 0.0).reshape(2, -1).mean(axis=1)
    assert pulsed == pytest.approx(
        [7 / 8, second], abs=0.01
    )  # cells of digit 0 are virgin, and need no pulse


@pytest.mark.parametrize("twice", [False, True], ids=["different cells", "a cell twice"])
def test_only_different_cells_are_visited_in_halves(twice):
    count = laboratory.LARGE
    cells = np.arange(count)
    cells[-1] = 0 if twice else count - 1
    places = [CellPositions("multiply", cells // 256, cells % 256)]
    with open_bench("arrays", preset="pku", seed=1) as bench, bench.visit(places) as visit:
        parts = visit.run(lambda some, part: (part.start, part.stop))
    assert parts == ([(0, count)] if twice else [(0, count // 2), (count // 2, count)])
