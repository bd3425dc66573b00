"""No cell is harmed by us: none that conducted is formed again, pulsed beyond what it bears, or once it has arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from daily import daily
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.lost_cells import status, watched
from mho.chip_maps.chip import load_chip_map, packaged_chip_maps
from mho.errors import InputError
from mho.instruments import open_bench
from mho.instruments.bench_file import load_bench_file, packaged_benches
from mho.instruments.simulated import CELL_PRESETS
from mho.instruments.simulated.physics.cells.cells import FORMED
from mho.procedures import Form, Program, Refresh, Response, Solve, Strategy
from mho.procedures.cells.programming.strategies.known_strategies import STRATEGIES, find_strategy
from mho.procedures.chip_in_use import chip_of
from mho.procedures.stream import NullStream
from mho.running.execution import evaluate
from mho.runs import RunFile

BENCHES = {"stanford": "stanford-arrays", "stanford35": "stanford35-arrays"}
EXPERIMENTS = ("program", "again", "refresh", "form", "response", "solve")
MATRIX = np.array([[0.8, 0.2, 0.0], [0.1, 0.7, 0.1], [0.0, 0.2, 0.9]])


class Taped(NullStream):
    """Keeps the rows of the table of pulses."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Mapping[str, Any]] = []
        self.record_block = self._take

    def _take(self, table: str, columns: Mapping[str, Any]) -> None:
        if table == "pulses":
            self.rows.append(columns)

    def by_cell(self) -> list[dict[str, Any]]:
        names = ("row", "column", "kind", "voltage", "width", "conductance")
        whole = {name: np.concatenate([np.asarray(part[name]) for part in self.rows]) for name in names}
        order = np.lexsort((whole["column"], whole["row"]))
        whole = {name: values[order] for name, values in whole.items()}
        ends = np.flatnonzero(np.diff(whole["row"].astype(int) * 4096 + whole["column"])) + 1
        parts = zip(*(np.split(values, ends) for values in whole.values()), strict=True)
        return [dict(zip(whole, part, strict=True)) for part in parts]


def check_rows(tape: Taped, chip: Any, strategy: str, digits: np.ndarray) -> None:
    """Hold what the rows of pulses say against the three rules."""
    s, levels = chip.write_verify, chip.level_scale()
    for cell in tape.by_cell():
        read, pulsed = cell["conductance"], cell["kind"] > 0
        conducted = np.concatenate([[False], np.maximum.accumulate(read >= s.formed_above)[:-1]])
        forming = pulsed & (cell["width"] == s.forming_width) & (cell["voltage"] >= min(s.forming_voltages))
        assert not (forming & conducted).any(), cell
        bears = chip.cells.bears_formed.bit_line
        assert not (pulsed & conducted & (cell["voltage"] > bears)).any(), cell
        if not find_strategy(strategy).descends:
            digit = digits[cell["row"][0], cell["column"][0]]
            aimed = find_strategy(strategy).towards(
                *(float(one[digit]) for one in (levels.nominal, levels.low, levels.high)), s
            )
            assert not (pulsed[1:] & aimed.done(read[:-1])).any(), cell


def carried_out(bench: Any, experiment: str, strategy: str, digits: np.ndarray, tape: Taped) -> None:
    """Carry out one experiment on the block that `digits` name."""
    lines = f"0:{len(digits)}"
    if experiment in ("program", "again"):
        program = Program(
            digits=digits if experiment == "program" else digits[::-1].copy(), strategy=strategy
        )
        plan = program.prepare(program.check(), bench, np.random.default_rng(1))
        own = Taped()
        program.execute(plan, bench, own)
        tape.rows += own.rows
        if own.rows:
            check_rows(own, chip_of(bench), strategy, plan.digits)
    elif experiment == "refresh":
        bench.wait_until(bench.now() + 1e6)
        with suppress(InputError):  # it refuses a chip whose cells were never formed
            evaluate(Refresh(digits=digits, strategy=strategy), bench, seed=1)
    elif experiment == "form":
        evaluate(Form(rows=lines, columns=lines), bench, seed=1)
    elif experiment == "response":
        evaluate(Response(rows=lines, columns=lines, points=5, repeats=1), bench, seed=1)
    else:
        with suppress(InputError):  # cells that drift faster than an INV loop settles refuse some encodings
            evaluate(
                Solve(matrix=MATRIX, bits=8, max_cycles=6, write_verify=f"strategy = {strategy}"),
                bench,
                seed=1,
            )


@contextmanager
def harmless(preset: str) -> Iterator[Counter[str]]:
    """Hold all pulses on all chips of a preset, whoever sends them, against the rules; count what they destroy."""
    # Without the chance, which every RESET has, to lose a cell that is low already: that is the cells' own.
    spared = replace(CELL_PRESETS[preset], deep_reset_loss=0.0)
    chip = load_chip_map(load_bench_file(bench_of(preset)).bench.chip)
    plain = Strategy.next_pulses

    def next_pulses(state: Strategy, read: Any) -> Any:
        counts["decided"] += np.size(read)
        if not state.descends:
            counts["in its window"] += int(np.sum(state.done(read)))
        return plain(state, read)

    with (
        mock.patch.dict(CELL_PRESETS, {preset: spared}),
        mock.patch.object(Strategy, "next_pulses", next_pulses),
        watched(min(chip.write_verify.forming_voltages)) as counts,
    ):
        yield counts
    del counts["decided"]
    assert not +counts, counts


def bench_of(preset: str) -> str:
    return BENCHES.get(preset, "arrays")


def unharmed(preset: str, strategy: str, experiments: tuple[str, ...], seed: int, side: int) -> None:
    """Carry out experiments on a fresh chip, and look at its own state."""
    with harmless(preset), open_bench(bench_of(preset), preset=preset, seed=seed) as bench:
        chip = chip_of(bench)
        digits = np.random.default_rng(seed).integers(0, len(chip.levels.conductances), (side, side))
        before, tape = status(bench, side), Taped()
        for experiment in experiments:
            carried_out(bench, experiment, strategy, digits, tape)
        after = status(bench, side)
    assert not ((before <= FORMED) & (after > FORMED)).any()


def characterised_unharmed(preset: str, strategy: str, seed: int, side: int, folder: Path) -> None:
    """Carry out the whole protocol on a fresh chip, its levels by a strategy, and look at the chip's own state."""
    extension = pytest.importorskip("mho.extensions.characterise")
    name, lines = bench_of(preset), f"0:{side}"
    planned = extension.plan_protocol(
        extension.CharacterisationRequest(
            name, preset=preset, seed=seed, rows=lines, columns=lines, quick=True
        )
    )
    assert planned.left_out == ()
    by_strategy = planned.text.replace("digits = ", f'strategy = "{strategy}", digits = ')
    extension.write_plan(replace(planned, text=by_strategy), folder)
    with harmless(preset) as counts, open_bench(name, preset=preset, seed=seed) as bench:
        before = status(bench, side)
        ends = extension.Characterisation(folder, bench).carry_out()
        after = status(bench, side)
        assert counts["decided"]
    assert {one.end for one in ends} <= {"finished", "skipped"}, ends
    assert not ((before <= FORMED) & (after > FORMED)).any()
    for one in ends:
        with RunFile(one.path) as run:
            assert not run.summary.get("lost_by_pulses")


def optimised_unharmed(preset: str, strategy: str, evaluations: int) -> None:
    """Search a strategy's settings, on all the chips that this takes."""
    with harmless(preset) as counts:
        extension = pytest.importorskip("mho.extensions.optimise")
        wanted = extension.PolicySearch(0.9, evaluations=evaluations, seconds=None, chips=5, cells=64)
        extension.optimise(strategy, extension.Twin(bench_of(preset), preset), wanted)
        assert counts["decided"]


@pytest.mark.parametrize(
    ("preset", "strategy"),
    daily(
        product(CELL_PRESETS, STRATEGIES), [("stanford", "model"), ("quiet", "fppv"), ("stanford35", "asap")]
    ),
)
def test_no_strategy_harms_a_cell_of_any_preset(preset, strategy):
    unharmed(preset, strategy, ("program", "again", "refresh", "solve"), 21, 6)


SLOW = pytest.mark.slow, pytest.mark.timeout(1800)
SMALL = ("stanford", "asap"), ("pku", "model")
CASES = [
    pytest.param(preset, strategy, marks=() if (preset, strategy) in SMALL else SLOW)
    for preset in CELL_PRESETS
    for strategy in STRATEGIES
]


@pytest.mark.thorough
@pytest.mark.parametrize(("preset", "strategy"), CASES)
def test_characterising_harms_no_cell(preset, strategy, tmp_path):
    characterised_unharmed(preset, strategy, 1, 4, tmp_path / "plan")


@pytest.mark.thorough
@pytest.mark.parametrize(("preset", "strategy"), CASES)
def test_optimising_harms_no_cell_of_its_chips(preset, strategy):
    optimised_unharmed(preset, strategy, 3 if (preset, strategy) in SMALL else 13)


@pytest.mark.thorough
@given(
    preset=st.sampled_from(sorted(CELL_PRESETS)),
    strategy=st.sampled_from(sorted(STRATEGIES)),
    experiments=st.lists(st.sampled_from(EXPERIMENTS), min_size=2, max_size=4).map(tuple),
    seed=st.integers(0, 1000),
)
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_no_sequence_of_experiments_harms_a_cell(preset, strategy, experiments, seed):
    unharmed(preset, strategy, experiments, seed, 6)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@given(
    preset=st.sampled_from(sorted(CELL_PRESETS)),
    strategy=st.sampled_from(sorted(STRATEGIES)),
    experiments=st.lists(st.sampled_from(EXPERIMENTS), min_size=2, max_size=8).map(tuple),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_long_sequence_of_experiments_harms_a_cell(preset, strategy, experiments, seed):
    unharmed(preset, strategy, experiments, seed, 12)


@pytest.mark.parametrize("name", packaged_chip_maps())
def test_what_a_packaged_chip_s_formed_cells_bear_destroys_none_and_is_enough_for_its_pulses(name):
    chip = load_chip_map(name)
    bears, s = chip.cells.bears_formed, chip.write_verify
    weakest = min(preset.damage_voltage for preset in CELL_PRESETS.values())
    assert s.set_voltage <= bears.bit_line < weakest
    assert max(s.reset_full, *s.reset_fine) <= bears.source_line < weakest


@pytest.mark.parametrize("name", packaged_benches())
def test_every_packaged_bench_allows_its_chip_s_forming_and_no_more_than_a_cell_bears(name):
    source = load_bench_file(name)
    chip = load_chip_map(source.bench.chip)
    limit = source.bench.limits["bit line"].voltage
    assert max(chip.write_verify.forming_voltages) <= limit <= chip.cells.bears.bit_line
    assert not source.bench.limits["bit line"].insist
