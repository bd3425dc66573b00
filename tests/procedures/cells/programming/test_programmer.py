"""Programming blocks through the bench: windows met, relaxed cells touched up, every pulse and image recorded."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import Aborted
from mho.instruments import Bench, Cell, open_bench
from mho.procedures.cells.programming.array_programming import pulse_energy
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import CLOCK_ZERO, KINDS, PULSES, Block, BlockMaps

CHIP = load_chip_map("reference")
LEVELS = CHIP.level_scale()
ARRAYS = [array.name for array in CHIP.arrays]


class Notes:
    """A stream that keeps everything in lists."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self.images: list[tuple[str, np.ndarray, float]] = []
        self.stages: list[tuple[str, int, int]] = []
        self._stop_after = stop_after

    def check(self) -> None:
        if self._stop_after is not None and len(self.rows) >= self._stop_after:
            raise Aborted("enough")

    def record(self, table: str, **values: Any) -> None:
        assert table == "pulses"
        self.rows.append(values)

    def snapshot(self, name: str, image: np.ndarray, time: float) -> None:
        self.images.append((name, image.copy(), time))

    def record_block(self, table: str, columns: dict[str, Any]) -> None:
        names = list(columns)
        for values in zip(*(np.asarray(columns[name]).tolist() for name in names), strict=True):
            self.record(table, **dict(zip(names, values, strict=True)))

    def say(self, text: str, level: str = "INFO") -> None:
        pass

    def progress(self, stage: str, done: int, total: int, **detail: float) -> None:
        self.stages.append((stage, done, total))

    def pace(self, stage: str, done: int, total: int, *, now: bool = False, **detail: float) -> None:
        self.check()
        self.progress(stage, done, total)  # of every cell


def block(array: str, rows: list[int], columns: list[int], seed: int = 0) -> Block:
    digits = np.random.default_rng(seed).integers(0, 8, (len(rows), len(columns)))
    return Block(Placement(array, np.array(rows), np.array(columns)), digits)


def program(bench: Bench, notes: Notes, *blocks: Block, **options: Any) -> Programmer:
    programmer = Programmer(bench, notes, LEVELS, ARRAYS, WriteVerifySettings(), **options)
    programmer.program(blocks)
    return programmer


@pytest.mark.parametrize("preset", ["ideal", "quiet", "pku"])
def test_blocks_come_into_their_windows_and_are_read_as_they_are(preset):
    blocks = [block("multiply", [3, 4, 9], [0, 7], 1), block("invert_positive", [0, 1], [2, 5], 2)]
    with open_bench(preset=preset, seed=2) as bench:
        programmer = program(bench, Notes(), *blocks)
        assert programmer.failed(blocks) == 0
        for b in blocks:
            assert LEVELS.inside(b.achieved, b.digits).all()
            rows, columns = b.placement.cells()
            true = bench.laboratory.chip.cells[b.placement.array].conductance((rows, columns))
            np.testing.assert_allclose(b.achieved, true, rtol=0.05, atol=0.1e-6)
        assert programmer.pulses == sum(int(b.pulses.sum()) for b in blocks)
        # Cells beside the blocks are as they came.
        beside = bench.laboratory.chip.cells["multiply"].conductance((slice(0, 3), slice(0, 8)))
        assert beside.max() < 0.1e-6


def test_every_read_and_pulse_is_a_row_of_the_table():
    notes, b = Notes(), block("multiply", [0, 1], [0, 1])
    with open_bench(preset="pku", seed=3) as bench:
        programmer = program(bench, notes, b)
    names = {column.name for column in PULSES.columns}
    assert all(set(row) == names for row in notes.rows)
    assert len(notes.rows) == programmer.reads
    assert sum(row["kind"] != KINDS["read"] for row in notes.rows) == programmer.pulses
    assert {row["array"] for row in notes.rows} == {ARRAYS.index("multiply")}
    times = [row["time"] for row in notes.rows]
    assert times == sorted(times)
    energies = ([row[name] for row in notes.rows] for name in ("kind", "voltage", "width", "conductance"))
    assert programmer.joules == pytest.approx(pulse_energy(bench.file, *energies), rel=1e-12)
    last = {(row["row"], row["column"]): row["conductance"] for row in notes.rows}
    assert_array_equal([[last[r, c] for c in (0, 1)] for r in (0, 1)], b.achieved)


@pytest.mark.parametrize("bench", ["simulated", "arrays"])
@pytest.mark.parametrize(
    ("settings", "readings"),
    [
        (
            {"verify": "row", "verify_reads": 2},
            2,
        ),  # of each cell; those of several columns take the time of one
        ({"verify": "hadamard", "verify_reads": 8}, 8),  # for a group of 5 cells, 8 patterns
        ({"verify": "cell", "verify_reads": 2}, 2),
    ],
)
def test_reads_and_energy_are_those_of_the_rows(bench, settings, readings):
    notes, b = Notes(), block("multiply", [0, 1, 2, 3, 4], [0, 1])
    asked: list[Cell] = []
    with open_bench(bench, preset="ideal", seed=3) as opened:
        read = opened.read
        opened.read = lambda cell: asked.append(cell) or read(cell)
        programmer = Programmer(opened, notes, LEVELS, ARRAYS, WriteVerifySettings(**settings), passes=1)
        programmer.program([b])
        file, period = opened.file, opened.instruments.daq.sample_period
    rows = {name: np.array([row[name] for row in notes.rows]) for name in notes.rows[0]}
    looks = rows["kind"] == KINDS["read"]
    for name, value in (("voltage", file.read.voltage), ("width", 0.0), ("gate", file.read.gate)):
        assert set(rows[name][looks]) == {value}
    assert programmer.pulses == (~looks).sum() == b.pulses.sum()
    if (bench, settings["verify"]) == ("simulated", "cell"):
        assert programmer.reads == len(asked)
    seconds = readings * (period if settings["verify"] != "cell" else file.read.nplc / 60.0)
    joules = np.square(rows["voltage"]) * rows["width"] + file.read.voltage**2 * seconds
    if settings["verify"] == "hadamard":  # of a group of fewer cells fewer patterns: a little less
        assert 0.5 < programmer.joules / (np.abs(rows["conductance"]) * joules).sum() <= 1.0 + 1e-9
    else:
        expected = float((np.abs(rows["conductance"]) * joules).sum())
        assert programmer.joules == pytest.approx(expected, rel=1e-9)
        assert programmer.reads == readings * len(looks)
    assert looks.sum() == 2 * b.digits.size  # the first look, and one after the last pulse


class RealNotes(Notes):
    """A stream of a bench of real instruments, on which an interrupted attempt is taken up."""

    earlier = "earlier.h5"

    def __init__(self) -> None:
        super().__init__()
        self.arrays: dict[str, np.ndarray] = {}

    def set_array(self, name: str, values: np.ndarray) -> None:
        self.arrays[name] = np.array(values)

    def flush(self) -> None:
        pass

    def record(self, table: str, **values: Any) -> None:
        if table == "pulses":
            super().record(table, **values)


@pytest.mark.parametrize("elapsed", [None, 5000.0])
@pytest.mark.parametrize(
    ("bench", "verify"), [("simulated", "cell"), ("simulated", "row"), ("arrays", "cell")]
)
def test_on_real_instruments_the_clock_s_zero_and_the_rows_times_tell_when_each_pulse_was(
    bench, verify, elapsed
):
    """Also where an attempt that began 5000 s ago is taken up, whose clock goes on."""
    notes, b = RealNotes(), block("multiply", [0], [0, 1])
    row = {
        name: np.zeros(1) for name in ("time", "array", "row", "column", "kind", "voltage", "width", "gate")
    }
    cells = SimpleNamespace(
        last=np.zeros((1, 2)), pulses=np.zeros((1, 2), int), outcome=np.zeros((1, 2), int)
    )
    earlier = SimpleNamespace(
        rows=row | {"conductance": np.ones(1)}, cells=cells, reads=1, joined="all", elapsed=elapsed
    )
    with open_bench(bench, preset="ideal", seed=3) as opened:
        opened.simulated = None  # as a bench of real instruments has it
        programmer = Programmer(opened, notes, LEVELS, ARRAYS, WriteVerifySettings(verify=verify))
        began = opened.now()
        programmer.begin(b, None if elapsed is None else earlier)
        programmer.program([b])
        ended = opened.now()
    times = np.array([row["time"] for row in notes.rows])[0 if elapsed is None else 1 :]
    shift = 0.0 if elapsed is None else elapsed - began
    assert programmer.shift == shift
    assert ((times >= began + shift) & (times <= ended + shift)).all()
    assert times[-1] > times[0]
    assert notes.arrays[CLOCK_ZERO].item() == pytest.approx(time.time() - began - shift, abs=60.0)


def test_voltages_of_the_attempt_before_count_as_those_of_the_line_that_they_were_on():
    rows = {
        "kind": np.array([KINDS["read"], KINDS["set"], KINDS["reset"], KINDS["set"]]), "row": np.arange(4),
        "column": np.arange(4) + 10, "voltage": np.array([0.1, 2.0, 3.0, 4.0]),
    }  # fmt: skip
    cells = SimpleNamespace(
        last=np.zeros((1, 1)), pulses=np.zeros((1, 1), int), outcome=np.zeros((1, 1), int)
    )
    noted = []
    with open_bench(preset="ideal", seed=3) as opened:
        opened.simulated = None  # as a bench of real instruments has it
        opened.damage.note_voltages = lambda *given: noted.append([np.asarray(one).tolist() for one in given])
        notes = RealNotes()
        notes.record_block = lambda *_: None
        earlier = SimpleNamespace(rows=rows, cells=cells, reads=1, joined="all", elapsed=5.0)
        Programmer(opened, notes, LEVELS, ARRAYS, WriteVerifySettings()).begin(
            block("multiply", [0], [0]), earlier
        )
    assert noted == [
        ["multiply", [1, 3], [11, 13], "bit line", [2.0, 4.0]], ["multiply", [2], [12], "source line", [3.0]],
    ]  # fmt: skip


def test_cells_that_relaxed_out_of_their_window_are_touched_up():
    notes, b = Notes(), block("multiply", list(range(8)), list(range(8)), 4)
    with open_bench(preset="relaxing", seed=5) as bench:
        before = program(bench, Notes(), block("multiply", list(range(8)), list(range(10, 18)), 4), passes=0)
        programmer = program(bench, notes, b, passes=4)
    assert "touching up" in [stage for stage, *_ in notes.stages]
    assert programmer.failed([b]) < 0.1 * b.digits.size
    assert before.pulses > 0


def test_without_a_pass_nothing_is_read_again():
    notes = Notes()
    with open_bench(preset="ideal", seed=1) as bench:
        b = block("multiply", [0], [0])
        programmer = program(bench, notes, b, passes=0)
        assert programmer.reads == programmer.pulses + 1  # the first look, and a verify read after each pulse


def test_a_stuck_cell_is_counted_and_does_not_stop_the_others():
    b = block("multiply", [0, 1], [0, 1])
    b.digits[:] = 3
    with open_bench(preset="pku", seed=6) as bench:
        act = bench.pulse
        bench.pulse = lambda cell, pulse: None if cell == Cell("multiply", 1, 1) else act(cell, pulse)
        programmer = program(bench, Notes(), b)
    assert programmer.failed([b]) == 1
    assert LEVELS.inside(b.achieved, b.digits).tolist() == [[True, True], [True, False]]
    assert b.pulses[1, 1] <= 3 * WriteVerifySettings().max_pulses


def test_progress_and_images_follow_the_work(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "mho.procedures.cells.cell_visits.PICTURE_PERIOD", 0.0
    )  # six cells take no half a second
    notes, b = Notes(), block("multiply", [2, 5], [1, 3, 8])
    with open_bench(preset="ideal", seed=1) as bench:
        program(bench, notes, b)
    done = [done for stage, done, _ in notes.stages if stage == "programming"]
    assert done == sorted(done)
    assert (done[-1], notes.stages[0][2]) == (6, 6)
    names = [name for name, *_ in notes.images]
    assert names.count("multiply_target") == 1
    target = next(image for name, image, _ in notes.images if name == "multiply_target")
    assert_array_equal(target, LEVELS.conductance(b.digits))
    conductances = [image for name, image, _ in notes.images if name == "multiply_conductance"]
    assert np.isnan(conductances[0]).all()
    assert_array_equal(conductances[-1], b.achieved)
    assert len(conductances) == 1 + 6 + 1  # before, after each cell, and at the end


@pytest.mark.thorough
def test_the_images_of_two_runs_with_one_seed_are_the_same():
    def images() -> list[tuple[str, np.ndarray, float]]:
        notes = Notes()
        with open_bench(preset="pku", seed=3) as bench:
            program(bench, notes, block("multiply", list(range(12)), list(range(12))))
        return notes.images

    first, second = images(), images()
    assert len(first) > 5  # target, and conductance and pulses more often than before and after
    assert [(name, time) for name, _, time in first] == [(name, time) for name, _, time in second]
    for (_, one, _), (_, other, _) in zip(first, second, strict=True):
        assert_array_equal(one, other)


def test_a_stop_is_obeyed_between_cells():
    notes = Notes(stop_after=30)
    with open_bench(preset="pku", seed=1) as bench, pytest.raises(Aborted):
        program(bench, notes, block("multiply", list(range(16)), list(range(16))))
    assert 30 <= len(notes.rows) < 300


@pytest.mark.parametrize("bench", ["simulated", "arrays"])
@pytest.mark.parametrize("verify", ["cell", "row"])
def test_a_stop_is_obeyed_while_cells_are_read_again(bench, verify):
    notes, b = Notes(stop_after=4), block("multiply", [0, 1, 2, 3], [0])
    with open_bench(bench, preset="ideal", seed=1) as opened:
        programmer = Programmer(opened, notes, LEVELS, ARRAYS, WriteVerifySettings(verify=verify))
        with pytest.raises(Aborted):
            programmer.reread([b], [np.full(b.digits.shape, True)])
    assert len(notes.rows) == 4


def test_the_images_cover_all_blocks_of_an_array_and_nothing_else():
    one, two = block("multiply", [0, 1], [0, 1]), block("multiply", [5], [9, 1])
    other = block("invert_positive", [0], [0])
    maps = BlockMaps.covering("multiply", [one, two, other])
    assert maps.rows.tolist() == [0, 1, 5]
    assert maps.columns.tolist() == [0, 1, 9]
    image = maps.image([one, two, other], [b.digits.astype(float) for b in (one, two, other)])
    assert_array_equal(image[:2, :2], one.digits)
    assert_array_equal(image[2, [2, 1]], two.digits[0])
    assert np.isnan(image[0, 2])
    assert np.isnan(image[2, 0])
    assert [declared.name for declared in maps.declared()] == [
        "multiply_conductance", "multiply_target", "multiply_pulses",
    ]  # fmt: skip


def test_a_block_is_drawn_into_images_that_hold_more_lines():
    first, second = block("multiply", [0], [0, 1]), block("multiply", [2, 3], [1, 2], seed=1)
    elsewhere = block("invert_positive", [0], [0])
    images = [
        BlockMaps.covering(name, [first, second, elsewhere]) for name in ("multiply", "invert_positive")
    ]
    notes = Notes()
    with open_bench(preset="ideal", seed=1) as bench:
        Programmer(bench, notes, LEVELS, ARRAYS, WriteVerifySettings()).program([first], images)
    name, image, _ = notes.images[-2]
    assert name == "multiply_conductance"
    assert image.shape == (3, 3)
    assert_array_equal(np.isfinite(image), [[True, True, False], [False] * 3, [False] * 3])
    assert {name.partition("_")[0] for name, *_ in notes.images} == {"multiply"}
