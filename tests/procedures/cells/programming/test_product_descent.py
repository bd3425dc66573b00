"""The strategy `gdp`: the error of products goes down where cells move after their verify, and a run keeps all of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import pytest

from mho import Program, run
from mho.chip_maps.chip import load_chip_map, parse_chip_map
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments.arrays import ArrayBench
from mho.instruments.bench_file import load_bench_file
from mho.instruments.simulated.physics.cells.cells import STUCK_ON
from mho.procedures.cells.programming import group_programming
from mho.procedures.cells.programming.group_programming import STUCK, ProductDescent, batch_of, tiles_of
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import Block
from mho.procedures.cells.programming.strategies.literature import Gdp
from mho.procedures.cells.programming.strategy import Pulses
from mho.procedures.stream import NullStream
from mho.runs import RunFile

SIDE = 32
LINES = np.arange(SIDE)


def product_error(
    preset: str, seed: int, bench_name: str = "arrays", **settings: object
) -> tuple[float, float]:
    """Pulses a cell, and the relative error of products with random signs."""
    with ArrayBench(load_bench_file(bench_name), preset, seed) as bench:
        chip = parse_chip_map(bench.chip_text)
        levels = chip.level_scale()
        digits = np.random.default_rng(seed).integers(0, 8, (SIDE, SIDE))
        block = Block(Placement("multiply", LINES, LINES), digits)
        names = [array.name for array in chip.arrays]
        chosen = chip.write_verify.model_copy(update=settings)
        programmer = Programmer(bench, NullStream(), levels, names, chosen, passes=0)
        programmer.program([block])
        assert programmer.pulses == block.pulses.sum()
        vectors = 0.2 * np.random.default_rng(0).choice([-1.0, 1.0], (100, SIDE))
        bench.connect_multiply("multiply", LINES, LINES)
        exact = vectors @ levels.nominal[digits]
        error = ((bench.multiply(vectors) - exact) ** 2).mean() / (exact**2).mean()
        return programmer.pulses / digits.size, float(np.sqrt(error))


@pytest.mark.thorough
def test_the_error_of_products_is_about_halved_at_equal_pulses_where_cells_relax():
    ratios = []
    for seed in (1, 2):
        pulses, error = product_error("relaxing", seed)
        spent, better = product_error("relaxing", seed, strategy="gdp", gdp_pulses=pulses)
        assert spent <= pulses
        ratios.append(better / error)
    assert np.mean(ratios) < 0.5


@pytest.mark.thorough
def test_the_error_of_products_is_less_at_equal_pulses_on_cells_as_measured():
    ratios = []
    for seed in (1, 2, 3):
        pulses, error = product_error("stanford35", seed, "stanford35-arrays")
        spent, better = product_error(
            "stanford35", seed, "stanford35-arrays", strategy="gdp", gdp_pulses=pulses
        )
        assert spent <= pulses
        ratios.append(better / error)
    assert np.mean(ratios) < 0.8


@pytest.mark.thorough
def test_a_cell_that_pulses_do_not_move_gets_no_more_and_none_is_left_halfway():
    with ArrayBench(load_bench_file("arrays"), "quiet", 3) as bench:
        chip = parse_chip_map(bench.chip_text)
        levels, digits = chip.level_scale(), np.full((8, 8), 5)
        lines = np.arange(8)
        place = Placement("multiply", lines, lines)
        names = [array.name for array in chip.arrays]
        Programmer(bench, NullStream(), levels, names, WriteVerifySettings()).program([Block(place, digits)])
        cells, index = bench.arrays.chip.at("multiply", lines[:1], lines[:1])
        cells._lose(index, np.True_, STUCK_ON, 40e-6)
        descent = ProductDescent(
            bench,
            levels,
            WriteVerifySettings(gdp_tolerance=0.5),
            Gdp,
            None,
            np.random.default_rng(1),
            lambda *taken: None,
            lambda *announced: None,
            lambda: None,
        )
        done = descent.run(place, digits, 2000)
        assert done.pulses[0, 0] == STUCK
        others = np.ones((8, 8), bool)
        others[0, 0] = False
        assert done.pulses.sum() < 1000
        assert levels.inside(done.achieved, digits)[others].all()


def test_a_descent_ends_within_its_pulses_and_leaves_cells_that_are_right_alone():
    with ArrayBench(load_bench_file("arrays"), "ideal", 1) as bench:
        chip = parse_chip_map(bench.chip_text)
        levels, digits = chip.level_scale(), np.full((4, 4), 3)
        place = Placement("multiply", np.arange(4), np.arange(4))
        names = [array.name for array in chip.arrays]
        Programmer(bench, NullStream(), levels, names, WriteVerifySettings(inner=0.1)).program(
            [Block(place, digits)]
        )
        taken: list[int] = []
        descent = ProductDescent(
            bench,
            levels,
            WriteVerifySettings(gdp_tolerance=0.5),
            Gdp,
            None,
            np.random.default_rng(1),
            lambda rows, columns, pulses, read, readings: taken.append(readings),
            lambda *announced: None,
            lambda: None,
        )
        done = descent.run(place, digits, 100)
        assert done.pulses.sum() == 0
        assert taken == [64 * 4]
        assert done.achieved == pytest.approx(15e-6, rel=0.03)
        digits[2, 1] = 5
        done = descent.run(place, digits, 100)
        assert done.pulses[2, 1] > 0 == done.pulses.sum() - done.pulses[2, 1]
        assert done.after < done.before
        digits[2, 1] = 7
        assert descent.run(place, digits, 1).pulses.sum() == 1


def test_pulses_are_announced_before_they_are_sent_and_kept_where_the_products_after_them_fail():
    with ArrayBench(load_bench_file("arrays"), "ideal", 1) as bench:
        chip = parse_chip_map(bench.chip_text)
        place = Placement("multiply", np.arange(4), np.arange(4))
        done: list[tuple[str, list[int], bool]] = []
        descent = ProductDescent(
            bench,
            chip.level_scale(),
            WriteVerifySettings(gdp_tolerance=0.5),
            Gdp,
            None,
            np.random.default_rng(1),
            lambda rows, columns, pulses, read, readings: done.append(
                ("taken", rows.tolist(), bool(np.isnan(read).any()))
            ),
            lambda rows, columns, pulses: done.append(("announced", rows.tolist(), False)),
            lambda: None,
        )
        products = descent._products

        def cut_short(*given):
            if done and done[-1][0] == "announced":
                raise KeyboardInterrupt
            return products(*given)

        descent._products = cut_short
        digits = np.zeros((4, 4), np.int64)
        digits[2, 1] = 7
        with pytest.raises(KeyboardInterrupt):
            descent.run(place, digits, 100)
    assert done == [("taken", [], False), ("announced", [2], False), ("taken", [2], True)]


def test_a_block_is_split_into_tiles_that_the_converters_hold():
    tiles = [(rows.indices(5), columns.indices(3)) for rows, columns in tiles_of((5, 3), (4, 2))]
    assert tiles == [
        ((0, 4, 1), (0, 2, 1)),
        ((0, 4, 1), (2, 3, 1)),
        ((4, 5, 1), (0, 2, 1)),
        ((4, 5, 1), (2, 3, 1)),
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("bench", ["simulated", "arrays"])
def test_a_run_keeps_the_errors_and_every_pulse(bench, tmp_path):
    digits = np.random.default_rng(1).integers(0, 8, (8, 8))
    result = run(
        Program(digits=digits, strategy="gdp"), bench, preset="relaxing", seed=1, output=tmp_path / "a.h5"
    )
    before, after = result.summary["product_error_before"], result.summary["product_error"]
    with RunFile(result.path) as file:
        pulses = file.table("pulses")
        warned = any("the error of products has grown" in entry.message for entry in file.log())
    assert warned == (after > before)
    assert (pulses["kind"] > 0).sum() == result.pulses.sum() == result.summary["pulses"]
    assert result.summary["pulses"] <= 6 * digits.size


class NoDecisions:
    """A strategy in name only: what its pulses do, the products tell."""

    def of(self, cells: np.ndarray) -> NoDecisions:
        return self

    def put(self, cells: np.ndarray, some: NoDecisions) -> None:
        pass

    def next_pulses(self, read: np.ndarray) -> Pulses:
        return Pulses(*(np.ones(len(read)) for _ in range(4)))

    @classmethod
    def descending(cls, *_: object) -> NoDecisions:
        return cls()


def descend(
    monkeypatch: pytest.MonkeyPatch, off: Callable[[int], list[float]], error: Callable[[int], float],
    most: int = 10**6, digit: int = 3,
) -> list[int]:  # fmt: skip
    """Pulses of each cell of a row, in a descent whose n-th products tell these deviations, in uS, and this error.

    Windows are 1.2 uS to either side, of which half is left alone; one cell at a time gets a pulse.
    """
    levels, made = load_chip_map("reference").level_scale(), [0]
    digits = np.full((1, len(off(0))), digit)
    monkeypatch.setattr(group_programming, "pulses_given", lambda *_: nullcontext())
    settings, none = WriteVerifySettings(gdp_tolerance=0.5), lambda *_: None
    descent = ProductDescent(None, levels, settings, NoDecisions, None, None, none, none, none)

    def products(placement: Placement, wanted: np.ndarray) -> tuple[np.ndarray, float]:
        made[0] += 1
        return wanted + 1e-6 * np.array([off(made[0] - 1)]), error(made[0] - 1)

    monkeypatch.setattr(descent, "_products", products)
    done = descent.run(Placement("multiply", np.arange(1), np.arange(digits.size)), digits, most)
    assert (done.before, done.after) == (error(0), error(made[0] - 1))
    return done.pulses.ravel().tolist()


def falls(number: int) -> float:
    return 1.0 / (1 + number)


@pytest.mark.parametrize(
    ("off", "error", "most", "pulses"),
    [
        (lambda n: [0.6, 0.5, -0.59], falls, 100, [0, 0, 0]),  # none is off by more than is left alone
        (lambda n: [1.0, 0.0, 0.0], falls, 100, [10, 0, 0]),  # it does not move
        (lambda n: [1.0 - 0.09 * (n % 2), 0.0, 0.0], falls, 100, [10, 0, 0]),  # nor by a tenth of what it is off
        (lambda n: [1.0 - 0.11 * (n % 2), 0.0, 0.0], lambda n: 1.0, 10**6, [100, 0, 0]),  # without gain
        (lambda n: [2.0 - n % 2, 0.0, 0.0], lambda n: 1.0, 10**6, [101, 0, 0]),  # but it is not left outside
        (lambda n: [2.0 * (-1) ** n, 0.0, 0.0], lambda n: 1.0, 10**6, [200, 0, 0]),
        (lambda n: [(-1) ** n, 0.0, 0.0], falls, 12, [10, 0, 0]),  # two are kept for what a batch leaves behind
        (lambda n: [2.0 * (-1) ** n, 0.0, 0.0], falls, 12, [12, 0, 0]),
        (lambda n: [(-1) ** n, 2.0 * (-1) ** n, 0.0], falls, 12, [0, 12, 0]),  # the farthest first
        (lambda n: [(-1) ** n, 2.0 * (n == 0), 0.0], falls, 12, [9, 1, 0]),
    ],
)  # fmt: skip
def test_a_descent_gives_up_what_does_not_help(
    off: Callable[[int], list[float]], error: Callable[[int], float], most: int, pulses: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert descend(monkeypatch, off, error, most) == pulses


def test_a_zero_is_only_lowered_where_it_reads_as_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    low = [-5.0, 0.2, 0.0]
    assert descend(monkeypatch, lambda n: low, falls, 100, digit=0) == [0, 0, 0]
    assert descend(monkeypatch, lambda n: [-5.0, 1.0, 0.0], falls, 100, digit=0) == [0, 10, 0]


def test_one_cell_in_a_hundred_gets_a_pulse_at_a_time() -> None:
    assert [batch_of(cells) for cells in (1, 149, 251, 4096)] == [1, 1, 3, 41]
