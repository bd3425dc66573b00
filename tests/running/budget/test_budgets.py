"""What made a run's answers wrong: repeated on the run's own twin, with causes off one by one and together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from budget_runs import replayed, stopped
from daily import daily

import mho
from benchmarks._dominant_causes import BOARD_NOISE, DOMINATED, OFFSET, dominated_run
from mho.confidence import repetition_interval
from mho.errors import ConvergenceError, InputError
from mho.instruments.arrays import ALL, CAUSES, Cause
from mho.instruments.bench_file import read_bench_texts
from mho.procedures import Invert, Multiply, Program, Solve
from mho.running import run
from mho.running.budget import Budget, budget, replaying
from mho.running.budget.budgets import acting
from mho.running.budget.conductances import FEWEST_REDRAWN, CellErrors
from mho.running.budget.drawings import errors_drawing, shares_drawing
from mho.running.budget.questions import LoopQuestion, ProductQuestion
from mho.running.budget.replaying import Replayed, RunRecipe
from mho.runs import RunFile, Status

PRESETS = ("ideal", "pku", "relaxing")


@pytest.fixture(scope="module")
def found(inverted: Path) -> Budget:
    """Its budget."""
    return budget(inverted, draws=4)


@pytest.fixture(scope="module")
def again(inverted: Path) -> Replayed:
    """The run as its twin repeats it."""
    return replayed(inverted)


@pytest.mark.thorough
def test_the_twin_repeats_every_answer_bit_for_bit(again: Replayed) -> None:
    assert len(again.questions) == 3
    for one in again.questions:
        assert isinstance(one, LoopQuestion)
        answers = again.circuits.repeat(one.exchange, one.targets, ALL)
        np.testing.assert_array_equal(answers, one.exchange.answers)
        assert one.error(again.circuits, ALL) == pytest.approx(one.measured, rel=1e-12)


def test_with_all_causes_off_round_off_remains(again: Replayed) -> None:
    assert max(one.error(again.circuits, frozenset()) for one in again.questions) < 1e-24


@pytest.mark.thorough
def test_the_shares_add_up_to_what_was_measured(found: Budget, inverted: Path) -> None:
    total = sum(one.share for one in found.shares) + found.rest + found.unexplained
    assert total == pytest.approx(1.0, abs=1e-12)
    assert abs(found.unexplained) < 1e-12
    with RunFile(inverted) as file:
        errors = file.column("solutions", "error")
    assert found.measured == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-12)
    assert {one.cause for one in found.shares} == set(CAUSES)
    assert all(one.low <= one.share <= one.high for one in found.shares)


def test_it_says_what_to_mend_first(found: Budget) -> None:
    first = found.first
    assert first is not None
    assert first.mended == min(one.mended for one in found.shares)
    assert first.mended_low <= first.mended <= first.mended_high
    gain = 1.0 - first.mended / found.twin
    assert found.advice.startswith(
        f"mend {first.cause} first: that alone would take {100 * gain:.0f} % off the error, from {found.twin:.3g} to "
        f"{first.mended:.3g} (95 %: {first.mended_low:.3g} to {first.mended_high:.3g})"
    )
    assert first.gain == pytest.approx(1.0 - (first.mended / found.measured) ** 2, rel=1e-9)


def test_its_drawings_have_a_row_for_each_cause_and_for_what_none_explains(found: Budget) -> None:
    some = replace(found, rest=0.0, unexplained=0.1)
    shares, errors = shares_drawing(some), errors_drawing(some)
    assert shares.names[0] == "not explained"
    assert [name.partition(" (")[0] for name in shares.names[:0:-1]] == [one.cause for one in found.shares]
    assert errors.names == ("", *(one.cause for one in reversed(found.shares)))
    bars = np.concatenate([mark.x for mark in shares.marks])
    np.testing.assert_allclose(bars, [*(100.0 * one.share for one in found.shares), 10.0])


def test_a_cause_without_an_error_has_no_point_on_a_scale_of_decades(found: Budget) -> None:
    without = replace(found, measured=0.0, shares=tuple(replace(one, alone=0.0) for one in found.shares))
    assert not errors_drawing(without).marks[0].x.size


@pytest.mark.thorough
def test_where_programming_without_noise_comes_to_no_answer_shares_are_those_of_the_noisy_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, replay = tmp_path / "invert.h5", replaying.replay
    run(Invert(conditions="2", size=2, vectors=1, scales=2, steps=0), "arrays", seed=3, output=path)

    def replay_noise(recipe: RunRecipe, *rest: Any) -> Any:
        if "without noise" in getattr(recipe.preset, "name", recipe.preset or ""):
            raise ConvergenceError("the loop would be unstable")
        return replay(recipe, *rest)

    monkeypatch.setattr(replaying, "replay", replay_noise)
    found = budget(path, draws=0)
    assert found.twin == pytest.approx(found.measured, rel=1e-9)
    assert sum(one.share for one in found.shares) + found.rest == pytest.approx(1.0, abs=1e-9)


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_budget(found: Budget, inverted: Path) -> None:
    assert budget(inverted, draws=4) == found
    other = budget(inverted, draws=4, seed=1)
    assert [one.share for one in other.shares] == [one.share for one in found.shares]
    assert [one.high for one in other.shares] != [one.high for one in found.shares]


@pytest.mark.thorough
def test_without_draws_there_are_no_intervals(inverted: Path) -> None:
    assert all(one.low == one.share == one.high for one in budget(inverted, draws=0).shares)


@pytest.mark.parametrize("preset", daily(PRESETS, ["relaxing"]))
def test_a_solve_is_explained_by_its_first_inversion(tmp_path: Path, preset: str) -> None:
    path = tmp_path / "solve.h5"
    run(Solve(matrix="zuo2025-4x4", bits=12), "arrays", seed=2, preset=preset, output=path)
    found = mho.budget(path, draws=1)
    assert found.answers == 1
    assert found.twin == pytest.approx(found.measured, rel=1e-9)
    assert sum(one.share for one in found.shares) + found.rest == pytest.approx(1.0, abs=1e-9)
    with RunFile(path) as file:  # the first step of the refinement has about the error of the bare inversion
        first = float(file.column("cycles", "relative_error")[0])
    assert 0.2 < first / found.measured < 5.0


@pytest.mark.thorough
def test_a_run_at_the_wire_is_explained_as_exactly(tmp_path: Path) -> None:
    path = tmp_path / "wire.h5"
    run(Invert(conditions="3", size=3, vectors=2, scales=6, steps=1), "simulated", seed=4, output=path)
    again = replayed(path)
    for one in again.questions:
        assert isinstance(one, LoopQuestion)
        np.testing.assert_array_equal(
            again.circuits.repeat(one.exchange, one.targets, ALL), one.exchange.answers
        )


@pytest.mark.parametrize("name", daily(["arrays", "simulated"], ["arrays"]))
def test_a_run_with_an_averaged_zero_and_converters_that_err_is_explained_as_exactly(
    name: str, tmp_path: Path
) -> None:
    bench, _ = read_bench_texts(name)
    converters = "inverse_bits = 6\ninverse_dnl = 0.2\ninverse_inl = 0.5\ninverse_noise = 2e-3\n"
    bench = bench.replace("[simulation]\n", f"[simulation]\n{converters}")
    (tmp_path / "bench.toml").write_text(f"{bench}\n[inverse]\nzero_readings = 16\nzero_dither = 0.02\n")
    path = tmp_path / "averaged.h5"
    job = Invert(conditions="3", size=3, vectors=2, scales=6, steps=1)
    run(job, str(tmp_path / "bench.toml"), seed=4, output=path)
    again = replayed(path)
    for one in again.questions:
        assert isinstance(one, LoopQuestion)
        np.testing.assert_array_equal(
            again.circuits.repeat(one.exchange, one.targets, ALL), one.exchange.answers
        )
        assert one.error(again.circuits, frozenset()) < 1e-18


@pytest.mark.parametrize("cause", daily(DOMINATED, ["programming"]))
def test_a_cause_that_dominates_is_named(cause: Cause, tmp_path: Path) -> None:
    with dominated_run(cause, DOMINATED[cause], tmp_path) as path:
        found = budget(path, draws=0)
    assert found.first is not None
    assert found.first.cause == cause
    assert found.first == found.shares[0]
    assert found.first.share >= 0.8
    assert found.first.mended < 0.6 * found.measured


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_noise_of_the_board_that_misleads_write_verify_is_the_one_to_mend(seed: int, tmp_path: Path) -> None:
    with dominated_run("board", BOARD_NOISE, tmp_path, seed) as path:
        found = budget(path, draws=2)
    of = {one.cause: one for one in found.shares}
    noise = of["read noise"]
    assert found.first == noise
    assert noise.acts == "acts through programming"
    assert noise.mended < 0.3 * found.twin
    assert of["programming"].mended > noise.mended  # the reads of the cells are still wrong
    assert found.advice.startswith("mend read noise first: that alone would take ")
    for one in found.shares:
        assert one.acts or -0.0005 <= one.share <= 1.0005


def test_each_product_of_a_block_is_repeated_in_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "products.h5"
    matrix = np.array([[1.0, -2.0], [3.0, 1.0]])
    run(Multiply(matrix=matrix, vectors=1, bits=3, shots=2), "arrays", seed=3, output=path)
    again = replayed(path)
    (products,) = again.questions
    assert isinstance(products, ProductQuestion)
    assert len(products.exchanges) > len({one.place for one in products.exchanges})
    assert products.error(again.circuits, ALL) == pytest.approx(products.measured, rel=1e-12)


@pytest.mark.thorough
def test_noise_of_the_board_is_read_noise_of_products_too(tmp_path: Path) -> None:
    text, _ = read_bench_texts("arrays")
    (tmp_path / "noisy.toml").write_text(text.replace("[simulation]", "[simulation]\nreadout_noise = 5e-7"))
    path = tmp_path / "products.h5"
    procedure = Multiply(matrix="zuo2025-4x4", bits=8, shots=64)
    run(procedure, str(tmp_path / "noisy.toml"), preset="ideal", seed=2, output=path)
    found = budget(path, draws=0)
    assert found.first is not None
    assert found.first.cause == "read noise"
    assert next(one for one in found.shares if one.cause == "converters").share < 0.1


@pytest.mark.thorough
def test_cells_that_are_no_lines_are_a_cause_and_lines_are_none(tmp_path: Path) -> None:
    text, _ = read_bench_texts("arrays")
    alone = []
    for share in (0.0, 1.0):
        name = tmp_path / f"bent-{share:g}.toml"
        name.write_text(text.replace("[simulation]", f"[simulation]\nnonlinearity = {share}"))
        path = tmp_path / f"inverted-{share:g}.h5"
        procedure = Invert(conditions="3", size=4, vectors=2, scales=6, steps=0)
        run(procedure, str(name), preset="ideal", seed=2, output=path)
        found = budget(path, draws=0)
        alone.append(next(one for one in found.shares if one.cause == "nonlinearity").alone)
        assert found.twin == pytest.approx(found.measured, rel=1e-9), "the twin has the law, too"
    assert alone[0] < 1e-9
    assert 1e-3 < alone[1] < 0.1


def test_conductances_that_noise_misled_are_explained_by_it(tmp_path: Path) -> None:
    text, _ = read_bench_texts("arrays")
    (tmp_path / "noisy.toml").write_text(text.replace("[simulation]", "[simulation]\nreadout_noise = 5e-7"))
    path = tmp_path / "program.h5"
    procedure = Program(digits=np.arange(64).reshape(8, 8) % 8)
    run(procedure, str(tmp_path / "noisy.toml"), preset="ideal", seed=2, output=path)
    found = budget(path, draws=4)
    assert found.first is not None
    assert found.first.cause == "read noise"
    assert found.first.mended < 0.3 * found.twin
    assert sum(one.share for one in found.shares) == pytest.approx(1.0)


@pytest.mark.thorough
def test_a_run_on_the_chip_of_another_has_no_twin_without_noise_and_says_so(
    inverted: Path, tmp_path: Path
) -> None:
    path = tmp_path / "next.h5"
    run(Invert(conditions="3", size=4, vectors=1, scales=4, steps=0), "arrays", after=inverted, output=path)
    found = budget(path, draws=0)
    assert any("cannot be programmed again without it" in one for one in found.remarks)
    assert sum(one.share for one in found.shares) + found.rest == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("cause", "share", "gain", "acts"),
    [
        ("programming", 0.4, 0.4, ""),
        ("programming", -0.12, 0.1, "makes up for others"),
        ("programming", 1.14, 0.1, "others make up for it"),
        ("programming", 1.0004, 1.0, ""),
        ("wires", 0.4, 0.6, "acts with others"),
        ("read noise", 0.4, 0.6, "acts through programming"),
        ("wires", 0.6, 0.4, "gains less alone"),
    ],
)
def test_how_a_cause_acts_is_said_in_words(cause: Cause, share: float, gain: float, acts: str) -> None:
    assert acting(cause, share, gain) == acts


@pytest.mark.thorough
def test_an_offset_is_subtracted_by_the_bench_itself(tmp_path: Path) -> None:
    with dominated_run("offset", OFFSET, tmp_path) as path:
        found = budget(path, draws=0)
    assert next(one for one in found.shares if one.cause == "offset").share < 0.2


@pytest.mark.parametrize("cause", sorted(set(CAUSES) - {"read noise"}))
def test_a_cause_that_is_off_leaves_all_draws_as_they_were(again: Replayed, cause: Cause) -> None:
    """With read noise and one other cause, the noise of the read is the same as without the other."""
    one = again.questions[0]
    assert isinstance(one, LoopQuestion)
    repeat = again.circuits.repeat
    base: frozenset[Cause] = frozenset({cause})
    twice = [repeat(one.exchange, one.targets, base | {"read noise"}) for _ in range(2)]
    np.testing.assert_array_equal(*twice)
    alone = repeat(one.exchange, one.targets, frozenset({"read noise"})) - repeat(
        one.exchange, one.targets, frozenset()
    )
    beside = twice[0] - repeat(one.exchange, one.targets, base)
    linear = np.isfinite(alone).all(axis=1) & np.isfinite(beside).all(axis=1)
    part = float(np.sum(alone[linear] * beside[linear]) / np.sum(alone[linear] ** 2))
    assert part == pytest.approx(1.0, abs=0.25)  # to first order; other draws would have about 0


@pytest.mark.thorough
def test_a_run_that_was_stopped_is_used_as_far_as_it_came(tmp_path: Path) -> None:
    procedure = Invert(conditions="3", size=4, vectors=3, scales=8, steps=0)
    found = budget(stopped(procedure, "inverting", 2, tmp_path / "stopped.h5"), draws=0)
    assert found.status is Status.ABORTED
    assert found.answers == 2
    assert found.twin == pytest.approx(found.measured, rel=1e-12)


def test_a_run_that_was_stopped_before_its_first_answer_is_refused(tmp_path: Path) -> None:
    procedure = Invert(conditions="3", size=4, vectors=3, scales=8, steps=0)
    with pytest.raises(InputError, match=r"stopped\.h5 holds no answer .*aborted"):
        budget(stopped(procedure, "programming", 1, tmp_path / "stopped.h5"), draws=0)


@pytest.fixture(scope="module")
def multiplied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Products on arrays."""
    path = tmp_path_factory.mktemp("multiplied") / "multiply.h5"
    procedure = Multiply(matrix="zuo2025-4x4", vectors=2, bits=6, shots=16, outputs_kept=200)
    run(procedure, "arrays", seed=2, output=path)
    return path


@pytest.mark.thorough
def test_sums_of_digits_are_explained_with_their_calibration(multiplied: Path) -> None:
    found = budget(multiplied, draws=2)
    with RunFile(multiplied) as file:
        table = file.table("patterns")
    measured = np.sum(table["error"] ** 2) / np.sum(table["expected"].astype(float) ** 2)
    assert found.measured**2 == pytest.approx(measured, rel=1e-12)
    assert found.twin == pytest.approx(found.measured, rel=1e-6)
    assert sum(one.share for one in found.shares) + found.rest == pytest.approx(1.0, abs=1e-5)
    assert abs(found.rest) < 1e-12


@pytest.fixture(scope="module", params=daily(["arrays", "simulated"], ["arrays"]))
def programmed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits programmed, with instruments and without."""
    folder = tmp_path_factory.mktemp("programmed")
    np.savetxt(folder / "digits.csv", np.arange(24).reshape(4, 6) % 8, delimiter=",", fmt="%d")
    path = folder / "program.h5"
    run(Program(digits=str(folder / "digits.csv")), request.param, preset="relaxing", seed=2, output=path)
    return path


@pytest.fixture(scope="module")
def explained(programmed: Path) -> Budget:
    """Their budget."""
    return budget(programmed)


def test_conductances_are_explained_by_what_each_cell_did(explained: Budget, programmed: Path) -> None:
    found = explained
    assert [found.answers, found.counted] == [24, "cells"]
    assert {one.cause for one in found.shares} == {"programming", "stuck cells", "relaxation", "read noise"}
    assert found.twin == pytest.approx(found.measured, rel=1e-6)
    assert sum(one.share for one in found.shares) == pytest.approx(1.0, abs=1e-6)
    with RunFile(programmed) as file:
        off = file.map("multiply_conductance") - file.map("multiply_target")
        size = np.sqrt(np.mean(file.map("multiply_target") ** 2))
    assert found.measured == pytest.approx(np.sqrt(np.mean(off**2)) / size, rel=1e-6)


def test_few_cells_do_not_tell_of_the_shares_of_others(explained: Budget) -> None:
    found = explained
    assert found.draws == 0
    assert found.remarks[-1].startswith("no intervals: these are 24 cells, and from 256 on")
    assert all(one.low == one.share == one.high for one in found.shares)


@pytest.mark.parametrize("stuck", daily([0.0, 0.05], [0.05]))
def test_the_shares_of_many_cells_lie_in_the_intervals_of_as_many_as_are_asked_for(stuck: float) -> None:
    def errors(rng: np.random.Generator, cells: int) -> CellErrors:
        on, parts = rng.random(cells) < stuck, rng.standard_normal((4, cells))
        parts *= np.array([[0.04], [1.0], [0.03], [0.02]])
        parts[0, on] = parts[1, ~on] = 0.0
        return CellErrors(parts, 1.0)

    many = errors(np.random.default_rng(0), 200_000).decomposed()
    truth, held = many.values / many.whole, []
    for seed in range(200):
        few = errors(np.random.default_rng(seed), FEWEST_REDRAWN)
        own, moved = few.decomposed(), few.redrawn(16, np.random.default_rng(seed))
        low, high = repetition_interval(np.vstack([own.values, moved.values]).T)
        held.append((low <= own.whole * truth) & (own.whole * truth <= high))
    assert np.mean(held, axis=0).min() > 0.9


@pytest.mark.parametrize(("given", "said"), [({"draws": -1}, "draws is -1"), ({"seed": -1}, "seed is -1")])
def test_numbers_that_cannot_be_are_refused(inverted: Path, given: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        budget(inverted, **given)


def test_all_of_it_can_be_told_a_machine(found: Budget) -> None:
    told = json.loads(json.dumps(found.plain()))
    assert told["first"] == found.first.cause  # type: ignore[union-attr]
    assert len(told["shares"]) == len(CAUSES)


@pytest.mark.thorough
def test_a_matrix_from_a_script_is_explained_from_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "script.h5"
    matrix, rhs = np.array([[3.0, 1.0], [0.5, 2.0]]), np.array([[1.0, 2.0]])
    run(Invert(matrix=matrix, rhs=rhs, scales=6, steps=0), "arrays", seed=1, output=path)
    found = budget(path, draws=0)
    assert found.twin == pytest.approx(found.measured, rel=1e-12)
    assert found.remarks[0] == "matrix was an array in a script: its values are taken from the run file"
