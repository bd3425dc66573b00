"""Solves by blocks and loops of two slices: answers of many loops, and cells that hold what others left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from budget_runs import replayed
from daily import daily

from mho.instruments.arrays import ALL, Exchange
from mho.procedures import Invert, Procedure, Solve
from mho.running import run
from mho.running.budget import budget
from mho.running.budget.questions import LoopQuestion, LoopTargets
from mho.running.budget.replaying import BlockQuestion, Replayed
from mho.runs import RunFile

BLOCKS: dict[str, tuple[str, dict[str, Any]]] = {
    "one-step": ("arrays", {"effort": "one-step"}),
    "integers": ("arrays", {"effort": "integers", "count": 2}),
    "refined": ("arrays", {"effort": "refined leaves"}),
    "jacobi": ("arrays", {"blocks": "jacobi", "coarse": True}),
    "schwarz": ("arrays", {"blocks": "schwarz", "matrix": "grid"}),
    "line search": ("arrays", {"effort": "one-step", "method": "line search"}),
    "two slices": ("arrays", {"effort": "one-step", "loop_slices": 2}),
    "wire": ("simulated", {"effort": "one-step"}),
}


def grid(folder: Path) -> str:
    """Return a file with the matrix of a line of eight nodes, as Schwarz subdomains are made for."""
    path = folder / "grid.csv"
    np.savetxt(path, 2.5 * np.eye(8) - np.eye(8, k=1) - np.eye(8, k=-1), delimiter=",")
    return str(path)


@pytest.fixture(scope="module", params=daily(sorted(BLOCKS), 1))
def by_blocks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A solve of 8 unknowns by loops of 4."""
    folder = tmp_path_factory.mktemp("blocks")
    bench, options = BLOCKS[request.param]
    options = {"matrix": "dominant-8x8", **options}
    if options["matrix"] == "grid":
        options["matrix"] = grid(folder)
    path = folder / "blocks.h5"
    run(Solve(bits=10, leaf=4, **options), bench, seed=2, output=path)
    return path


def test_the_twin_of_a_solve_by_blocks_repeats_its_first_cycle(by_blocks: Path) -> None:
    again = replayed(by_blocks)
    with RunFile(by_blocks) as file:
        first = file.column("cycles", "cycle") == 1
        errors = file.column("cycles", "relative_error")[first]
    assert len(again.questions) == len(errors)
    for one, error in zip(again.questions, errors.tolist(), strict=True):
        assert isinstance(one, BlockQuestion)
        assert one.measured == error**2
        assert one.error(again.circuits, ALL) == pytest.approx(error**2, rel=1e-9)
        assert one.error(again.circuits, frozenset()) != pytest.approx(error**2, rel=0.01)


@pytest.mark.thorough
@pytest.mark.parametrize("blocks", ["jacobi", "recursive"])
def test_the_shares_of_a_solve_by_blocks_add_up_to_what_was_measured(blocks: str, tmp_path: Path) -> None:
    path = tmp_path / "blocks.h5"
    run(Solve(matrix="zuo2025-4x4", bits=8, leaf=2, blocks=blocks), "arrays", seed=2, output=path)
    found = budget(path, draws=2)
    total = sum(one.share for one in found.shares) + found.rest
    assert total == pytest.approx(1.0, abs=1e-9)
    assert abs(found.unexplained) < 1e-9
    assert found.error == "error after the first cycle, of one INV by blocks"
    assert found.again[0] < found.again[1]
    assert any(share.low < share.high for share in found.shares)


@pytest.mark.thorough
def test_what_subdomains_leave_out_is_the_encoding_s(tmp_path: Path) -> None:
    """Block Jacobi of a matrix whose blocks are coupled is a poor inverse however well it is computed."""
    matrix = 2.0 * np.eye(8) + 0.6 * np.ones((8, 8))
    np.savetxt(tmp_path / "coupled.csv", matrix, delimiter=",")
    procedure = Solve(matrix=str(tmp_path / "coupled.csv"), bits=10, leaf=4, blocks="jacobi")
    run(procedure, "arrays", seed=1, preset="ideal", output=tmp_path / "jacobi.h5")
    assert budget(tmp_path / "jacobi.h5", draws=0).rest > 0.5


@pytest.mark.thorough
def test_noise_drawn_anew_is_the_same_for_all_answers_by_blocks(tmp_path: Path) -> None:
    path = tmp_path / "two.h5"
    run(Solve(matrix="zuo2025-4x4", bits=8, leaf=2, count=2), "arrays", seed=2, output=path)
    one, other = replayed(path).questions
    assert isinstance(one, BlockQuestion)
    assert isinstance(other, BlockQuestion)
    assert one.redrawn(7, 0).blocks is other.redrawn(7, 1).blocks
    assert one.redrawn(7, 0).blocks is not one.redrawn(8, 0).blocks


SLICES: dict[str, tuple[str, Procedure]] = {
    "invert": ("pku", Invert(conditions="3", size=3, vectors=2, scales=6, steps=1, loop_slices=2)),
    "relaxing": ("relaxing", Invert(conditions="3", size=3, vectors=2, scales=6, steps=0, loop_slices=2)),
    "solve": ("pku", Solve(matrix="zuo2025-4x4", bits=12, loop_slices=2)),
}


@pytest.fixture(scope="module", params=daily(sorted(SLICES), 1))
def two_slices(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a loop of two slices."""
    preset, procedure = SLICES[request.param]
    path = tmp_path_factory.mktemp("slices") / "slices.h5"
    run(procedure, "arrays", preset=preset, seed=2, output=path)
    return path


@pytest.fixture(scope="module")
def again(two_slices: Path) -> Replayed:
    """The run as its twin repeats it."""
    return replayed(two_slices)


@pytest.mark.thorough
def test_the_twin_repeats_a_loop_of_two_slices_bit_for_bit(again: Replayed, two_slices: Path) -> None:
    for one in again.questions:
        assert isinstance(one, LoopQuestion)
        np.testing.assert_array_equal(
            again.circuits.repeat(one.exchange, one.targets, ALL), one.exchange.answers
        )
        assert len(one.exchange.cells) == 4
    found = budget(two_slices, draws=0)
    assert sum(one.share for one in found.shares) + found.rest == pytest.approx(1.0, abs=1e-9)
    assert abs(found.unexplained) < 1e-9


def test_with_all_causes_off_two_slices_hold_the_matrix(again: Replayed) -> None:
    assert max(one.error(again.circuits, frozenset()) for one in again.questions) < 1e-20


def test_a_second_slice_makes_up_for_the_first_one_s_programming_alone(again: Replayed) -> None:
    """Aimed anew in every twin: with programming alone, the error is the second slice's, a ratio-th of the first one's."""
    one = again.questions[0]
    assert isinstance(one, LoopQuestion)
    both = one.error(again.circuits, frozenset({"programming"}))
    exchange, targets = one.exchange, one.targets
    assert isinstance(targets, LoopTargets)
    alone = one.error_of(again.circuits.repeat(exchange, _WithoutAim(targets), frozenset({"programming"})))
    assert both < 0.1 * alone


class _WithoutAim:
    """A loop whose second slice holds nothing."""

    def __init__(self, targets: LoopTargets) -> None:
        self._targets = targets

    def held(self, cells: Any, causes: Any) -> dict[str, Any]:
        """Return what the first slice holds, and zeros."""
        found = self._targets.held(cells, causes)
        return found | {name: np.zeros_like(found[name]) for name in self._targets.second}


def test_an_exchange_played_once_more_has_noise_of_its_own(inverted: Path) -> None:
    again = replayed(inverted)
    question = again.questions[0]
    assert isinstance(question, LoopQuestion)
    exchange: Exchange = question.exchange
    repeat = again.circuits.repeat
    first, second = (repeat(exchange.later(number), question.targets, ALL) for number in (1, 2))
    np.testing.assert_array_equal(repeat(exchange.later(1), question.targets, ALL), first)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, exchange.answers)
