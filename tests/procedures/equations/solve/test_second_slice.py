"""A loop with a second slice: it inverts a matrix that is nearer to A, by as much as its cells' errors are divided."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from daily import daily

from mho.chip_maps.chip import ChipMap, load_chip_map
from mho.chip_maps.inverse_encoding import KINDS
from mho.chip_maps.placement import Placement
from mho.errors import ChipMapError, InputError
from mho.instruments import open_bench
from mho.instruments.bench_file import load_bench_file
from mho.procedures import Solution, Solve
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.loop_on_cells import SecondSlice
from mho.procedures.stream import NullStream
from mho.running.execution import evaluate

RATIO = 16.0


def spd(n: int, condition: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    return (q * np.geomspace(1.0, 1.0 / condition, n)) @ q.T


def solve(matrix: np.ndarray, bench: str = "arrays", preset: str = "pku", **parameters: object) -> Solution:
    with open_bench(bench, preset=preset, seed=1) as opened:
        procedure = Solve(matrix=matrix, bits=24, seed=1, residual="float64", **parameters)
        return evaluate(procedure, opened, seed=1)


@pytest.mark.parametrize("encoding", daily(KINDS, 1))
def test_only_a_share_of_the_error_remains_and_fewer_cycles_are_taken(encoding: str) -> None:
    matrix = spd(16, 100.0, 2)
    one = solve(matrix, loop_targets="analogue", encoding=encoding, method="gcr")
    two = solve(matrix, loop_slices=2, encoding=encoding, method="gcr")
    for result in (one, two):
        assert result.converged
    assert two.summary["forecast_rho"] < 0.2 * one.summary["forecast_rho"]
    assert len(two.cycles) < 0.8 * len(one.cycles)
    assert two.summary["slice_ratio"] == RATIO
    assert "slice_ratio" not in one.summary


def test_what_the_loop_inverts_is_what_the_file_says() -> None:
    """The forecast's A0, from cells read one by one, is the one whose inverse the circuit takes."""
    matrix, arrays = spd(8, 10.0, 3), {}
    with open_bench("arrays", preset="ideal", seed=1) as bench:
        procedure = Solve(matrix=matrix, rhs="identity", bits=24, residual="float64", loop_slices=2)
        plan = procedure.prepare(procedure.check(), bench, np.random.default_rng(1))
        procedure.execute(plan, bench, Kept(arrays))
        wanted = np.linalg.inv(arrays["matrix_achieved"])
        order = plan.on_chip.encoding.order
        volts = 0.15 * np.eye(order)[: len(matrix)]
        answers = [bench.invert(volts)[:, : len(matrix)].T for _ in range(20)]
    answer = np.mean(answers, axis=0)  # one reading of the converters errs by 0.4 mV
    scale = np.vdot(answer, wanted) / np.vdot(answer, answer)
    error = np.linalg.norm(scale * answer - wanted) / np.linalg.norm(wanted)
    assert error < 8e-3


class Kept(NullStream):
    """A stream that keeps the arrays, and nothing else."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        super().__init__()

        def keep(name: str, values: np.ndarray) -> None:
            arrays[name] = np.array(values)

        self.set_array = keep


def test_targets_are_what_the_first_cells_leave_times_the_ratio() -> None:
    rng, levels = np.random.default_rng(5), load_chip_map("segmented").level_scale().refined(160)
    lines = Placement("invert_positive", np.arange(6), np.arange(6))
    positive, negative = (Block(lines, rng.integers(0, levels.top + 1, (6, 6))) for _ in range(2))
    for block in (positive, negative):
        error = rng.uniform(-1e-6, 1e-6, (6, 6))
        block.achieved = np.maximum(levels.conductance(block.digits) + error, 0.0)
    second = SecondSlice.on(load_chip_map("segmented"), lines, RATIO)
    second.aim(positive, negative, levels, lambda block: block.achieved)
    for block in second.blocks():
        block.achieved = levels.conductance(block.digits)
    held = positive.achieved - negative.achieved + second.network(lambda block: block.achieved)
    wanted = levels.conductance(positive.digits) - levels.conductance(negative.digits)
    np.testing.assert_allclose(held, wanted, atol=0.5001 * levels.step / RATIO)
    assert second.arrays == ("invert_positive_second", "invert_negative_second")


def test_lost_cells_and_loops_that_do_not_settle_are_answered_as_with_one_slice() -> None:
    with open_bench("arrays", preset="pku", seed=3, stuck=0.03) as bench:
        procedure = Solve(matrix=spd(10, 300.0, 4), bits=24, seed=1, residual="float64", loop_slices=2)
        result = evaluate(procedure, bench, seed=3)
    assert result.converged
    assert result.summary["cells_failed"] > 0


def test_the_same_at_the_wire(tmp_path: Path) -> None:
    bench = bench_with_four_arrays(tmp_path)
    matrix = spd(4, 20.0, 6)
    one, two = (solve(matrix, bench, loop_slices=slices) for slices in (1, 2))
    assert two.converged
    assert two.summary["forecast_rho"] < 0.3 * one.summary["forecast_rho"]
    assert abs(len(two.cycles) - len(solve(matrix, loop_slices=2).cycles)) <= 1


def bench_with_four_arrays(folder: Path, **simulation: object) -> str:
    """Write the bench `simulated` with a small chip that has a second slice."""
    head = (Path(__file__).parents[4] / "mho/chip_maps/maps/reference.toml").read_text("utf-8")
    arrays = [("invert", f"i{number}", 8) for number in range(4)] + [("multiply", "m", 64)]
    chip = head[: head.index("[[arrays]]")] + "".join(
        f'[[arrays]]\nname = "{name}"\npurpose = "{purpose}"\nrows = {size}\ncolumns = {size}\nwire_resistance = 1.73\n'
        for purpose, name, size in arrays
    )
    (folder / "chip.toml").write_text(chip, "utf-8")
    bench = load_bench_file("simulated").text.replace('chip = "reference"', 'chip = "chip.toml"')
    given = "".join(f"{name} = {value}\n" for name, value in simulation.items())
    (folder / "bench.toml").write_text(bench.replace("[simulation]\n", f"[simulation]\n{given}"), "utf-8")
    return str(folder / "bench.toml")


def test_where_it_cannot_be_is_said_before_anything_is_programmed(tmp_path: Path) -> None:
    with pytest.raises(
        ChipMapError, match=r"takes four inverting arrays .* 'reference' has 2: give loop_slices = 1"
    ):
        solve(np.eye(2), "simulated", loop_slices=2)
    with pytest.raises(ChipMapError, match=r"takes dividers .* the board has none"):
        solve(np.eye(2), bench_with_four_arrays(tmp_path, slice_ratio=0), loop_slices=2)
    with pytest.raises(ChipMapError, match=r"divides by 64 .* up to a ratio of 29\.2"):
        solve(np.eye(2), bench_with_four_arrays(tmp_path, slice_ratio=64), loop_slices=2)
    with pytest.raises(InputError, match=r"which is no digit: give loop_targets = auto"):
        solve(np.eye(2), loop_slices=2, loop_targets="digits")


@pytest.mark.thorough
@pytest.mark.parametrize("blocks", ["recursive", "schwarz"])
def test_leaves_by_blocks_have_a_second_slice_too(blocks: str) -> None:
    line = 2.05 * np.eye(24) - np.eye(24, k=1) - np.eye(24, k=-1)
    matrix = spd(24, 100.0, 7) if blocks == "recursive" else line
    how = {"leaf": 8, "blocks": blocks} | ({"effort": "refined leaves"} if blocks == "recursive" else {})
    one, two = (solve(matrix, loop_slices=slices, **how) for slices in (1, 2))
    assert one.converged
    assert two.converged
    assert two.summary["slice_ratio"] == RATIO
    assert two.summary["cells"] > one.summary["cells"]
    if blocks == "recursive":
        assert two.summary["inversions"] < 0.8 * one.summary["inversions"]


def test_the_third_and_fourth_array_hold_it_where_they_are_as_large() -> None:
    chip = load_chip_map("segmented")
    assert [array.name for array in chip.second_slice] == ["invert_positive_second", "invert_negative_second"]
    *others, last = chip.arrays
    smaller = last.model_copy(update={"rows": 64})
    assert ChipMap.model_copy(chip, update={"arrays": (*others, smaller)}).second_slice == ()
    assert load_chip_map("reference").second_slice == ()
