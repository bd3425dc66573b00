"""The bench without instruments: the same distributions as at the wire, the same rules, only what is used is drawn."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from command_line import Shell
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks._chip_samples import alike, pooled, sample_chip, sample_solve
from mho import run
from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import BenchError, InputError, LimitError
from mho.instruments import ArrayBench, Cell, Pulse, open_bench
from mho.instruments.arrays.laboratory import CellPositions
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.checks import check_bench
from mho.instruments.opening.safing import make_bench_safe
from mho.instruments.simulated.physics.cells.cells import STUCK_OFF, STUCK_ON
from mho.instruments.simulated.physics.chip import ArrayGeometry
from mho.instruments.simulated.physics.wires import WiredBlock
from mho.procedures import Program, Read, Solve
from mho.procedures.cells.programming import array_programming
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import Block
from mho.procedures.stream import NullStream
from mho.running.continuing import rerun
from mho.running.execution import evaluate
from mho.running.rehearsal import rehearse
from mho.runs import RunFile

CHIP = load_chip_map("reference")
LEVELS = CHIP.level_scale()
ARRAYS = [array.name for array in CHIP.arrays]
MATRIX = np.eye(4) + 0.25 * np.random.default_rng(3).standard_normal((4, 4))
UNLIKELY = 1e-3  # p of a Kolmogorov-Smirnov test from which two benches count as alike


def array_bench(preset: str = "quiet", seed: int = 1, **options: float) -> ArrayBench:
    bench = open_bench("arrays", preset=preset, seed=seed, **options)
    assert isinstance(bench, ArrayBench)
    return bench


def programmed(bench: ArrayBench, side: int, **options: int) -> tuple[Block, Programmer]:
    digits = np.random.default_rng(0).integers(0, 8, (side, side))
    block = Block(Placement("multiply", np.arange(side), np.arange(side)), digits)
    programmer = Programmer(bench, NullStream(), LEVELS, ARRAYS, WriteVerifySettings(), **options)
    programmer.program([block])
    return block, programmer


# --- the same as at the wire ---


def assert_alike(preset: str, chips: int, solves: int) -> None:
    wire = pooled(sample_chip("simulated", preset, seed) for seed in range(chips))
    arrays = pooled(sample_chip("arrays", preset, seed) for seed in range(100, 100 + 6 * chips))
    apart = {name: (d, p) for name, (d, p) in alike(arrays, wire).items() if not p > UNLIKELY}
    assert not apart, preset
    wire = pooled(sample_solve("simulated", preset, seed) for seed in range(solves))
    arrays = pooled(sample_solve("arrays", preset, seed) for seed in range(100, 100 + 4 * solves))
    apart = {name: (d, p) for name, (d, p) in alike(arrays, wire).items() if not p > UNLIKELY}
    assert not apart, preset


@pytest.mark.thorough
def test_cells_products_inverses_and_solves_are_distributed_as_at_the_wire():
    assert_alike("quiet", chips=1, solves=3)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["pku", "quiet", "relaxing"])
def test_many_chips_are_distributed_as_at_the_wire(preset: str):
    assert_alike(preset, chips=10, solves=40)


def test_cells_of_another_preset_are_told_apart():
    quiet = pooled(sample_chip("arrays", "quiet", seed) for seed in range(2))
    pku = pooled(sample_chip("arrays", "pku", seed) for seed in range(2))
    told = {name for name, (_, p) in alike(quiet, pku).items() if p < UNLIKELY}
    assert {"product noise", "day"} <= told


def test_time_passes_as_at_the_wire():
    digits = np.random.default_rng(0).integers(0, 8, (4, 4))
    each = []
    for name in ("simulated", "arrays"):
        with open_bench(name, preset="ideal", seed=1) as bench:
            result = evaluate(Program(digits=digits), bench, seed=1)
            bench.connect_multiply("multiply", range(4), range(4))
            before = bench.now()
            bench.multiply(np.full((10, 4), 0.2))
            each.append((result.summary["pulses"], result.summary["virtual_seconds"], bench.now() - before))
    (pulses, seconds, exchange), (other_pulses, other_seconds, other_exchange) = each
    assert pulses == other_pulses  # without any spread, the decisions are the same
    assert_allclose(other_seconds, seconds, rtol=0.02)
    assert_allclose(other_exchange, exchange, rtol=1e-9)


def test_an_ideal_chip_is_programmed_to_the_same_conductances_as_at_the_wire():
    digits = np.random.default_rng(0).integers(0, 8, (4, 4))
    achieved = []
    for name in ("simulated", "arrays"):
        with open_bench(name, preset="ideal", seed=1) as bench:
            achieved.append(evaluate(Program(digits=digits), bench, seed=1).achieved)
    assert_allclose(achieved[1], achieved[0], atol=100e-9)  # the meters' own offsets and noise


@pytest.mark.parametrize(
    "names", [("arrays", "simulated"), ("integrated64-arrays", "integrated64")], ids=lambda names: names[1]
)
def test_the_packaged_benches_differ_in_their_instruments_and_in_how_many_cells_there_are_only(names):
    arrays, simulated = (
        tomllib.loads((resources.files("mho.instruments") / f"benches/{name}.toml").read_text("utf-8"))
        for name in names
    )
    assert arrays["simulation"].pop("instruments") is False
    for key in ("name", "description"):
        assert arrays.pop(key) != simulated.pop(key)
    many, few = (load_chip_map(one.pop("chip")) for one in (arrays, simulated))
    assert arrays == simulated
    assert (many.levels, many.cells, many.write_verify) == (few.levels, few.cells, few.write_verify)
    for one, other in zip(many.arrays, few.arrays, strict=False):
        assert (one.name, one.purpose, one.wire_resistance) == (
            other.name,
            other.purpose,
            other.wire_resistance,
        )
        assert one.rows >= other.rows


def test_a_cell_of_a_far_segment_has_no_more_wire_before_it_than_one_of_the_first():
    segments = ArrayGeometry("a", 4096, 4096, 2.0, 128)
    whole = ArrayGeometry("a", 4096, 4096, 2.0)
    assert segments.series_resistance(128 * 7 + 3, 128 * 30 + 5) == whole.series_resistance(3, 5) == 20.0
    with array_bench() as bench:
        chip, lines = bench.simulated.chip, np.arange(8)
        for first in (0, 128 * 20):
            rows, columns = lines + first, lines + 128 + first
            transfer = chip.transfer("multiply_blocks", rows, columns)
            cells, index = chip.at("multiply_blocks", rows, columns)
            lost = 1.0 - transfer / cells.conductance(index)
            assert lost.max() < 0.02


@pytest.mark.parametrize("preset", ["ideal", "pku"])
def test_many_blocks_multiply_as_each_does_after_the_other(preset):
    rng = np.random.default_rng(0)
    rows = np.stack([np.arange(4) + 4 * k for k in range(6)])
    columns = np.stack([np.arange(5) + 128 * k for k in range(6)])
    volts = rng.uniform(-0.2, 0.2, (6, 3, 4))
    with array_bench(preset=preset) as bench, array_bench(preset=preset) as other:
        before = bench.now()
        together = bench.multiply_blocks("multiply_blocks", rows, columns, volts)
        took = bench.now() - before
        before = other.now()
        for k in range(6):
            other.connect_multiply("multiply_blocks", rows[k], columns[k])
            apart = other.multiply(volts[k])
            # The transimpedance amplifiers' noise and the converters' steps, in A.
            assert_allclose(together[k], apart, rtol=0.05 if preset == "pku" else 1e-3, atol=1e-7)
        assert_allclose(took, other.now() - before, rtol=0.05)


def test_blocks_that_do_not_fit_or_voltages_that_are_not_allowed_are_refused():
    with array_bench() as bench:
        lines = np.arange(33)[None]
        with pytest.raises(BenchError, match="33 rows and 2 columns do not fit the DAQ's 32 outputs"):
            bench.multiply_blocks("multiply", lines, lines[:, :2], np.zeros((1, 1, 33)))
        with pytest.raises(LimitError, match="vector"):
            bench.multiply_blocks("multiply", lines[:, :2], lines[:, :2], np.full((1, 1, 2), 1.5))


@pytest.mark.parametrize(
    ("wire", "arrays"), [("simulated", "arrays"), ("integrated64", "integrated64-arrays")]
)
def test_the_board_is_the_same(wire, arrays):
    with open_bench(wire) as wire, open_bench(arrays) as arrays:
        assert arrays.vector_size == wire.vector_size
        assert arrays.input_conductance == wire.input_conductance
        assert arrays.instruments.board.transimpedance == wire.instruments.board.transimpedance
        assert_allclose(arrays.instruments.daq.sample_period, wire.instruments.daq.sample_period)


# --- its own rules ---


def test_the_same_seed_is_the_same_chip():
    blocks = []
    for seed in (1, 1, 2):
        with array_bench("relaxing", seed) as bench:
            blocks.append(programmed(bench, 6)[0])
    assert_array_equal(blocks[0].achieved, blocks[1].achieved)
    assert_array_equal(blocks[0].pulses, blocks[1].pulses)
    assert not np.array_equal(blocks[0].achieved, blocks[2].achieved)


def test_only_cells_in_use_are_drawn():
    with array_bench() as bench:
        population = bench.arrays.chip.population
        assert len(population.status()) == 0
        programmed(bench, 5)
        assert len(population.status()) == 25
        bench.read(Cell("multiply", 4, 4))
        assert len(population.status()) == 25
        bench.connect_multiply("multiply", range(6), range(5))
        assert len(population.status()) == 30


def test_many_cells_are_programmed_in_pieces(monkeypatch):
    monkeypatch.setattr(array_programming, "BATCH", 2_000)
    with array_bench("pku") as bench:
        block, programmer = programmed(bench, 80)
        assert programmer.failed([block]) < 5
        assert 3.5 < programmer.pulses / block.digits.size < 6.0


def test_each_cell_has_its_turn_on_the_clock():
    lines = np.arange(20)
    with array_bench("ideal") as bench:
        bench.read(Cell("multiply", 0, 0))
        begun = bench.now()
        with bench.visit([CellPositions("multiply", lines, lines)]) as visit:
            visit.read(lines)
            visit.read(lines[::2])
        turns = np.diff(np.append(visit.begun, bench.now()))
        assert_allclose(visit.begun[0], begun)
        assert_allclose(turns[::2], 2 * turns[1])
        assert_allclose(turns[1::2], turns[1])


def test_cells_relax_from_their_own_turn_on():
    with array_bench("quiet") as bench:
        programmed(bench, 12, passes=0)
        chip = bench.arrays.chip
        cells, index = chip.at("multiply", np.arange(12), np.arange(12))
        since = cells._since[index].ravel()
        pulsed = since < bench.now()
        assert pulsed.sum() > 100
        assert np.all(np.diff(since[pulsed]) > 0.0)
        assert since[pulsed][0] < 0.1 * bench.now()
        assert since[pulsed][-1] > 0.9 * bench.now()


def test_a_day_relaxes_the_cells():
    with array_bench("quiet") as bench:
        block, _ = programmed(bench, 12)
        bench.wait_until(bench.now() + 86_400.0)
        later = Block(block.placement, block.digits)
        Programmer(bench, NullStream(), LEVELS, ARRAYS, WriteVerifySettings(max_pulses=0)).program([later])
        drift = (later.achieved - block.achieved)[block.digits > 1].mean()
        assert -1.3e-6 < drift < -0.7e-6  # -0.089 uS ln t


def test_a_block_is_read_as_its_cells_are_one_by_one(monkeypatch):
    monkeypatch.setattr(array_programming, "BATCH", 50)
    with array_bench("pku") as bench:
        block, _ = programmed(bench, 12)
        begun = bench.now()
        found = evaluate(Read(rows="11,0:11", columns="0:12", repeats=2, interval=10.0), bench, seed=1)
        one_by_one = np.array([[bench.read(Cell("multiply", r, c)) for c in range(12)] for r in range(12)])
    read = np.roll(found.conductance, -1, axis=1)
    assert_allclose(read[0], one_by_one, atol=1.5e-6)
    assert_allclose(read.mean(axis=0), block.achieved, atol=1.5e-6)
    assert_allclose(np.diff(found.times), 10.0)
    assert found.times[0] >= begun


def test_reading_a_block_writes_the_rows_of_the_table_in_their_order(tmp_path):
    reading = Read(rows="3,1", columns="0:3", repeats=2)
    result = run(reading, "arrays", preset="pku", seed=1, output=tmp_path / "read.h5")
    with RunFile(result.path) as saved:
        rows = saved.table("reads")
        assert rows["row"].tolist() == 2 * [3, 3, 3, 1, 1, 1]
        assert rows["column"].tolist() == 4 * [0, 1, 2]
        assert rows["repeat"].tolist() == 6 * [0] + 6 * [1]
        assert np.all(np.diff(rows["time"]) > 0.0)
        assert_array_equal(rows["conductance"], result.conductance.ravel())


@pytest.mark.parametrize("many", [2, 9], ids=["few", "many"])
def test_a_read_of_many_is_what_a_read_of_one_is(many):
    """A shut transistor conducts nothing, a voltage that SETs does so, and one that is not allowed is refused."""
    lines = np.arange(many)
    with array_bench("pku") as bench:
        programmed(bench, many)
        cells = bench.arrays.chip.population
        before = cells.version
        with bench.visit([CellPositions("multiply", lines, lines)]) as visit:
            with pytest.raises(LimitError):
                visit.read(lines, 5.0)
            with pytest.raises(InputError, match="0 V"):
                visit.read(lines, 0.0)
            assert np.abs(visit._visit.read(lines, 0.2, gate=0.0)[0]).max() < 1e-7
            assert cells.version == before
            visit.read(lines, 1.2)
        assert cells.version > before


def test_cells_are_read_and_pulsed_one_by_one_as_well():
    cell = Cell("multiply", 3, 7)
    with array_bench("pku") as bench:
        assert bench.read(cell) < 1e-7
        bench.pulse(cell, Pulse("set", 4.2, 1e-6, 1.6))
        formed = bench.read(cell)
        assert formed > 10e-6
        assert_allclose(bench.read_list(cell, 5), formed, rtol=0.05)
        bench.pulse(cell, Pulse("reset", 3.0, 1e-7, 2.8))
        assert bench.read(cell) < 1e-6
        currents = [reading.current for reading in bench.sweep(cell, [0.1, 0.2])]
        assert 0.0 < currents[0] < currents[1]


def test_a_pulse_beyond_a_limit_reaches_no_cell():
    lines = np.arange(3)
    some = np.ones(3)
    with array_bench() as bench:
        with bench.visit([CellPositions("multiply", lines, lines)]) as visit:
            for sets, volts, width, gate in (
                (True, 4.7, 1e-7, 1.6), (False, 3.4, 1e-7, 2.8), (True, 3.0, 2e-5, 1.6), (True, 3.0, 1e-7, 4.1),
            ):  # fmt: skip
                kinds = np.full(3, sets)
                with pytest.raises(LimitError):
                    visit.pulse(lines, kinds, volts * some, width * some, gate * some)
        assert not bench.arrays.chip.population.wear().any()
        bench.connect_multiply("multiply", range(2), range(2))
        with pytest.raises(LimitError):
            bench.multiply(np.full((1, 2), 1.1))


def test_lines_that_the_chip_lacks_are_refused():
    with array_bench() as bench:
        with pytest.raises(InputError, match="no array 'mutiply'"):
            bench.connect_multiply("mutiply", range(2), range(2))
        with pytest.raises(InputError, match="no column of multiply 1024"):
            bench.connect_multiply("multiply", range(2), [1023, 1024])
        with pytest.raises(InputError, match="as many rows as columns"):
            bench.connect_invert("invert_positive", range(2), range(3))
        with pytest.raises(BenchError, match="does not fit the DAQ's 32 outputs"):
            bench.connect_multiply("multiply", range(33), range(2))


@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_a_share_of_the_cells_is_stuck_for_no_map_to_know(name: str):
    with open_bench(name, preset="pku", seed=1, stuck=0.05) as bench:
        assert bench.simulated is not None
        chip, lines = bench.simulated.chip, np.arange(100)
        cells, index = chip.at("multiply", lines, lines)
        status = cells.status(index)
        for fate in (STUCK_ON, STUCK_OFF):
            assert 0.02 < (status == fate).mean() < 0.03
        assert tomllib.loads(bench.text)["simulation"]["stuck"] == 0.05


def test_a_share_that_cannot_be_is_refused(tmp_path: Path):
    with pytest.raises(BenchError, match=r"stuck is 1\.5"):
        open_bench("arrays", stuck=1.5)
    real = tmp_path / "real.toml"
    text = load_bench_file("simulated").text
    real.write_text(text[: text.index("\n[simulation]")] + "\n" + text[text.index("[instruments.smu]") :])
    with pytest.raises(BenchError, match="has real instruments"):
        open_bench(str(real), stuck=0.01)


# --- runs on it ---


@pytest.mark.thorough
def test_a_run_says_which_bench_it_was_and_is_repeated(tmp_path: Path):
    solved = run(Solve(matrix=MATRIX, bits=9), "arrays", preset="quiet", seed=4, output=tmp_path / "solve.h5")
    with RunFile(solved.path) as file:
        assert tomllib.loads(file.bench)["name"] == "arrays"
        assert tomllib.loads(file.bench)["simulation"]["instruments"] is False
        assert "no instrument" in file.instruments["smu"]["identity"]
        assert (file.provenance["preset"], file.provenance["chip_seed"]) == ("quiet", "4")
        rows = file.table("pulses")
        assert len(rows["time"]) == solved.summary["reads"]
        assert np.count_nonzero(rows["kind"]) == solved.summary["pulses"]
        assert np.all(np.diff(rows["time"]) > 0.0)
    again = rerun(solved.path, output=tmp_path / "again.h5")
    assert again.equal, [one for one in again.compared if not one.equal]


def test_what_is_evaluated_without_a_file_is_what_a_run_finds(tmp_path: Path):
    solved = run(Solve(matrix=MATRIX, bits=9), "arrays", preset="pku", seed=4, output=tmp_path / "solve.h5")
    with array_bench("pku", seed=4) as bench:
        evaluated = evaluate(Solve(matrix=MATRIX, bits=9), bench, seed=4)
    assert_array_equal(evaluated.solution, solved.solution)
    assert [path.name for path in tmp_path.iterdir()] == ["solve.h5"]


def test_cells_are_read_on_it(tmp_path: Path):
    read = run(
        Read(rows="0:3", columns="0:2", repeats=2, interval=5.0),
        "arrays",
        seed=1,
        output=tmp_path / "read.h5",
    )
    assert read.conductance.shape == (2, 3, 2)
    assert read.conductance.max() < 1e-7
    assert_allclose(np.diff(read.times), 5.0)


def test_it_is_named_as_any_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    np.save(tmp_path / "matrix.npy", MATRIX)
    shell = Shell(tmp_path / "runs", monkeypatch, capsys)
    code, out, _ = shell(
        "solve", tmp_path / "matrix.npy", "--bench", "arrays", "--bits", 9, "--seed", 1, "--json"
    )
    assert code == 0
    assert json.loads(out)["converged"]


def test_there_is_nothing_that_could_be_unsafe():
    assert set(make_bench_safe("arrays")) == {"smu", "gate", "pulser", "daq", "board"}


def test_there_are_no_instruments_to_check():
    with pytest.raises(BenchError, match="has no instruments"):
        check_bench("arrays")


@pytest.mark.thorough
def test_it_is_rehearsed_with_instruments():
    rehearsal = rehearse(Program(digits=np.array([[1, 2]])), "arrays", seed=1)
    assert rehearsal.finished
    assert rehearsal.pulses > 0


def test_the_wires_share_of_cells_that_relax_stays_within_two_thousandths_of_the_exact_one():
    rows, columns = np.arange(32), np.arange(40, 72)
    with array_bench(preset="relaxing") as bench:
        chip = bench.simulated.chip
        cells, index = chip.at("multiply_blocks", rows, columns)
        cells._programmed[index] = np.linspace(1e-6, 35e-6, index[0].size).reshape(index[0].shape)
        cells._since[index] = bench.now()
        chip.transfer("multiply_blocks", rows, columns)
        for _ in range(6):
            bench.wait_until(10.0 * (bench.now() + 1.0))
            now = cells.conductance(index)
            exact = WiredBlock.from_lines(now, rows, columns, 1.73).transfer
            assert_allclose(chip.transfer("multiply_blocks", rows, columns), exact, rtol=2e-3)


def test_cells_drawn_together_are_those_drawn_one_lot_after_the_other():
    lots = [("multiply", np.arange(3)[:, None], np.arange(4) + 5 * k) for k in range(3)]
    with array_bench(preset="pku") as bench, array_bench(preset="pku") as other:
        together = np.concatenate(bench.simulated.chip.slots_of(lots))
        apart = np.concatenate([other.simulated.chip.slots(*lot) for lot in lots])
        np.testing.assert_array_equal(together, apart)
        for name in ("_set_factor", "_forming_voltage", "_status"):
            drawn = (getattr(one.simulated.chip.population, name) for one in (bench, other))
            np.testing.assert_array_equal(*drawn)
