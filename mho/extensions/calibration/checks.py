"""Posterior predictive checks: measured numbers beside those of the same runs on chips drawn from a preset's posterior.

Of each number, the probability that the measured one is drawn as the others are: twice the smaller share of them all on
either side (Gelman, Meng and Stern, Statistica Sinica 6, 733 (1996)). A number in the middle says no more than that these
data do not contradict the preset.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.figures import INK, SERIES, AxisText, Drawing, Mark, plot_panels
from mho.analysis.figures import OUTSIDE as OUTSIDE_COLOUR
from mho.array_types import Floats
from mho.chip_maps import ChipMap, parse_chip_map
from mho.errors import MhoError
from mho.extensions.calibration import compared_numbers
from mho.extensions.calibration.pulse_records import PulseTable, pulse_table
from mho.extensions.calibration.pulses_by_cell import READ, RESET, SET, Columns, by_cell, formed_above
from mho.instruments import ArrayBench
from mho.instruments.arrays import CellPositions, as_arrays
from mho.instruments.bench_file import BenchFile, BenchSource
from mho.instruments.simulated import CellArray, PosteriorDraws, VirtualClock, cell_preset
from mho.procedures import Form, NullStream, Procedure, Program, Response, Switching
from mho.runs import RunFile, Status
from mho.toml import parse_toml

# Procedures that are carried out again, as the pulses that they choose follow their reads
REPEATED: dict[str, type[Procedure]] = {kind.__name__: kind for kind in (Form, Program, Response, Switching)}
MOSTLY = 0.5  # of the cells of a program run; of a fresh one only those of digit 0 get no pulse


@dataclass(frozen=True)
class MeasuredRun:
    """A run with pulses."""

    name: str  # of its file
    how: PulseTable
    columns: Columns  # its pulses, as `read_records` has them
    kind: type[Procedure] | None = None  # the procedure; None where pulses are repeated one by one
    values: dict[str, Any] = field(default_factory=dict)  # parameters of the procedure
    source: BenchSource | None = None  # bench and chip map
    chip: ChipMap | None = None
    digits: NDArray[np.int64] | None = None  # of a program run: wanted of each cell
    why_not: str = ""  # why it cannot be repeated; "" where it can


def measured_run(path: str | os.PathLike[str]) -> MeasuredRun | None:
    """Return what a run did, or None for one without pulses."""
    with RunFile(path) as run:
        how = pulse_table(run)
        if how is None:
            return None
        bare = MeasuredRun(Path(path).name, how, how.columns(run.table(how.table)))
        try:
            return _of_procedure(run, bare)
        except MhoError as error:
            return replace(bare, why_not=str(error))


def _of_procedure(run: RunFile, bare: MeasuredRun) -> MeasuredRun:
    """Return a run with its procedure and parameters, or why it cannot be repeated."""
    if run.procedure == "Import":
        return replace(bare, why_not=_followed(bare.columns))
    kind = REPEATED.get(run.procedure)
    if kind is None:
        return replace(bare, why_not=f"runs of {run.procedure} are not repeated")
    if run.status is not Status.FINISHED:
        return replace(bare, why_not=f"it is {run.status}, and only whole runs are repeated")
    bench = parse_toml(run.bench, BenchFile, f"bench file in {run.path}", MhoError)
    source = BenchSource(bench=bench, text=run.bench, chip_text=run.chip, defects_text=run.defects)
    values: dict[str, Any] = {one: value for one, value in run.given.items() if one in run.parameters}
    digits = None
    if kind is Program:
        values["digits"] = digits = np.asarray(run.array("digits"), dtype=np.int64)
    chip = parse_chip_map(run.chip, f"chip map in {run.path}")
    counts = _pulse_counts(bare.columns)
    if digits is not None and (counts == 0).sum() > MOSTLY * len(counts):
        why = (
            "most of its cells were in their windows when it came: an earlier run's pulses brought them there"
        )
        return replace(bare, why_not=why)
    values = kind.from_version(run.version, values)
    return replace(bare, kind=kind, values=values, source=source, chip=chip, digits=digits)


def _pulse_counts(columns: Columns) -> NDArray[np.int64]:
    """Return how many pulses each cell (cells,) got."""
    order, first, cell = by_cell(columns)
    return np.bincount(cell[columns["kind"][order] > READ], minlength=int(first.sum()))


def _followed(columns: Columns) -> str:
    """Return why the pulses of a foreign table cannot be repeated: whether a read chose them, only its program knows."""
    counts = _pulse_counts(columns)
    counts = counts[counts > 0]
    if not len(counts):
        return "it has no pulses"
    if counts.max() > counts.min():
        return (
            f"its cells have {counts.min()} to {counts.max()} pulses: where the reads decided over them, they cannot be "
            "repeated without the program that did"
        )
    return ""


FORMING, SHORTEST = 4.3, 1e-5  # V, on line and gate, below what destroys a cell; s
HIGH = 0.3  # of the top: a cell that was found above it is left as forming leaves it, one below is RESET


class TableRecorder(NullStream):
    """Keeps the rows of one table, and nothing else."""

    def __init__(self, table: str) -> None:
        super().__init__()
        self._table = table
        self._blocks: list[dict[str, NDArray[Any]]] = []
        self.record, self.record_block = self._row, self._block

    def _row(self, table: str, /, **values: Any) -> None:
        self._block(table, {name: np.array([value]) for name, value in values.items()})

    def _block(self, table: str, columns: Any) -> None:
        if table == self._table:
            lengths = [np.shape(value)[0] for value in columns.values() if np.ndim(value)]
            count = lengths[0] if lengths else 1
            self._blocks.append(
                {name: np.broadcast_to(np.asarray(value), (count,)) for name, value in columns.items()}
            )

    def rows(self) -> dict[str, NDArray[Any]]:
        """Return the rows, by column."""
        if not self._blocks:
            return {}
        return {name: np.concatenate([block[name] for block in self._blocks]) for name in self._blocks[0]}


def repeat(run: MeasuredRun, preset: str, seed: int) -> Columns:
    """Repeat a run on cells of a preset, and return its pulses.

    `preset`: a name, a file, or the text of one.
    """
    if run.kind is None:
        return _replayed(run.columns, preset, seed)
    assert run.source is not None  # a procedure has a bench
    assert run.chip is not None
    stream = TableRecorder(run.how.table)
    with ArrayBench(as_arrays(run.source, preset), preset, seed) as bench:
        _initial_state(bench, run, run.chip, preset)
        procedure = run.kind(**run.values)
        plan = procedure.prepare(procedure.check(), bench, np.random.default_rng([seed, 1]))
        procedure.execute(plan, bench, stream)
    rows = stream.rows()
    return run.how.columns(rows) if rows else {name: np.empty(0) for name in run.columns}


def first_reads(columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return places (3, cells) and first finite reads (cells,), S, of the cells of a table of pulses."""
    known = np.isfinite(columns["conductance"])
    place = np.stack([columns[name][known] for name in ("array", "row", "column")]).astype(np.int64)
    order = np.argsort(columns["time"][known], kind="stable")
    cells, first = np.unique(place[:, order], axis=1, return_index=True)
    return cells, columns["conductance"][known][order][first]


def _initial_state(bench: ArrayBench, run: MeasuredRun, chip: ChipMap, preset: str) -> None:
    """Bring the chip to where the run found it: which cells were formed, and which of them were low."""
    cells = cell_preset(preset)
    places, reads = first_reads(run.columns)
    s = chip.write_verify
    for number in np.unique(places[0]).tolist():
        here = (places[0] == number) & (reads > formed_above(asdict(cells)))
        if not here.any():
            continue
        rows, columns = places[1, here], places[2, here]
        low = np.flatnonzero(reads[here] < HIGH * cells.maximum)
        with bench.visit([CellPositions(chip.arrays[number].name, rows, columns)]) as visit:
            which, ones = np.arange(len(rows)), np.ones(len(rows))
            for volts in s.forming_voltages:
                virgin = np.flatnonzero(visit.read(which)[0] < s.formed_above)
                some = ones[virgin]
                visit.pulse(virgin, some > 0, volts * some, s.forming_width * some, s.forming_gate * some)
            some = ones[low]
            visit.pulse(low, some < 0, s.reset_full * some, s.width * some, s.reset_gate * some)


def _replayed(columns: Columns, preset: str, seed: int) -> Columns:
    """Apply the pulses of a table to simulated cells, in the order and at the distances that they had."""
    order, first, cell = by_cell(columns)
    ordered = {name: values[order] for name, values in columns.items()}
    begins = np.flatnonzero(first)
    rank = np.arange(len(order)) - begins[cell]
    cells_preset = cell_preset(preset)
    clock = VirtualClock()
    cells = CellArray(int(cell[-1]) + 1, 1, cells_preset, clock, np.random.default_rng(seed))
    finite = np.where(np.isfinite(ordered["conductance"]), np.arange(len(order)), len(order) - 1)
    first_reads = ordered["conductance"][np.minimum.reduceat(finite, begins)]
    formed = np.flatnonzero(first_reads > formed_above(asdict(cells_preset)))
    if formed.size:
        cells.set_cells((formed, 0), FORMING, 1e-5, FORMING)
    apart = np.concatenate([[0.0], np.diff(ordered["time"])])
    read = np.empty(len(order))
    for step in range(int(rank.max()) + 1):
        rows = np.flatnonzero(rank == step)
        clock.advance(max(float(np.median(apart[rows])) if step else 0.0, SHORTEST))
        kind = ordered["kind"][rows]
        for code, act in ((SET, cells.set_cells), (RESET, cells.reset_cells)):
            some = rows[kind == code]
            if some.size:
                act((cell[some], 0), ordered["voltage"][some], ordered["width"][some], ordered["gate"][some])
        read[rows] = cells.read((cell[rows], 0))
    read[~np.isfinite(ordered["conductance"])] = np.nan  # what was not read there is not read here
    return {**ordered, "conductance": read}


Progress = Callable[[int, int], None]

OUTSIDE = 0.05  # probability below which a number counts as outside
KNOWN = 0.8  # share of the draws that have the number at all


@dataclass(frozen=True)
class Check:
    """One measured number beside the drawn ones."""

    run: str
    quantity: compared_numbers.ComparedQuantity
    measured: float
    draws: Floats  # (draws,) array
    held_out: bool = False  # whether the preset was made without this run

    @property
    def probability(self) -> float:
        """Two-sided, that the measured one is drawn as the others are."""
        above, below = (self.draws >= self.measured).sum(), (self.draws <= self.measured).sum()
        return float(min(2.0 * (1 + min(above, below)) / (1 + len(self.draws)), 1.0))

    @property
    def interval(self) -> tuple[float, float, float]:
        """Median of the drawn ones, and the ends of the interval that holds 95 % of them."""
        low, middle, high = np.quantile(self.draws, [0.025, 0.5, 0.975])
        return float(middle), float(low), float(high)

    @property
    def outside(self) -> bool:
        """Whether the measured one is hardly drawn."""
        return self.probability < OUTSIDE


CHANCE = 0.01  # with which a perfect twin has more numbers outside than one that passes


@dataclass(frozen=True)
class Checks:
    """All checks of a preset."""

    checks: tuple[Check, ...]
    draws: int
    not_repeated: Mapping[str, str] = field(default_factory=dict)  # runs that were not repeated, and why

    @property
    def outside(self) -> tuple[Check, ...]:
        """Those of which the measured number is hardly drawn."""
        return tuple(one for one in self.checks if one.outside)

    @property
    def state(self) -> str:
        """``passed``, ``failed``: more numbers lie outside than chance has, or ``none``: there was nothing to check."""
        if not self.checks:
            return "none"
        from scipy.stats import binom  # loads slowly

        return (
            "passed" if len(self.outside) <= binom.ppf(1.0 - CHANCE, len(self.checks), OUTSIDE) else "failed"
        )

    @property
    def says(self) -> str:
        """What came of them, in few words."""
        if not self.checks:
            return (
                "; ".join(f"{name}: {why}" for name, why in self.not_repeated.items()) or "no run has pulses"
            )
        return f"{len(self.outside)} of {len(self.checks)} numbers lie outside what {self.draws} drawn chips show"


def check_runs(
    paths: Sequence[str | os.PathLike[str]],
    preset: str,
    draws: int,
    *,
    held_out: Sequence[str | os.PathLike[str]] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Checks:
    """Repeat runs on chips drawn from a preset's posterior, and compare.

    `paths`, `held_out`: runs that the preset was made from, and others; those without pulses are left out.
    `preset`: a preset's name, file, or text.
    `draws`: chips, at least 40.
    `BenchError` for a preset or a posterior that cannot be used.
    """
    posterior = PosteriorDraws(preset)
    least = formed_above(asdict(cell_preset(preset)))
    known: list[tuple[MeasuredRun, bool, compared_numbers.Part, list[Floats]]] = []
    not_repeated: dict[str, str] = {}
    for path, is_held_out in [*((path, False) for path in paths), *((path, True) for path in held_out)]:
        run = measured_run(path)
        if run is None:
            continue
        if run.why_not:
            not_repeated[run.name] = run.why_not
        else:
            known.append((run, is_held_out, _part(run, least), []))
    for number in range(draws if known else 0):
        if progress:
            progress(number, draws)
        text = posterior.text(_seed(seed, number, 0))
        for place, (run, _, (_, values), samples) in enumerate(known):
            if run.name in not_repeated:
                continue
            try:
                samples.append(np.array(values(repeat(run, text, _seed(seed, number, place + 1)))))
            except MhoError as error:
                not_repeated[run.name] = str(error)
    if progress and known:
        progress(draws, draws)
    checks: list[Check] = []
    for run, is_held_out, (quantities, values), samples in known:
        if run.name in not_repeated:
            continue
        measured, drawn = values(run.columns), np.array(samples)
        for column, quantity in enumerate(quantities):
            some = drawn[np.isfinite(drawn[:, column]), column]
            if np.isfinite(measured[column]) and len(some) >= KNOWN * draws:
                checks.append(Check(run.name, quantity, measured[column], some, is_held_out))
    return Checks(tuple(checks), draws, not_repeated)


def _seed(seed: int, *place: int) -> int:
    return int(np.random.SeedSequence([seed, *place]).generate_state(1)[0])


def _part(run: MeasuredRun, least: float) -> compared_numbers.Part:
    """Return the numbers of a run, and what computes them from its pulses; formed cells conduct `least` (S) and more."""
    if run.kind is Form:
        return compared_numbers.of_forming(str(run.values.get("ramp", "")) == "word line", least)
    parts = [
        compared_numbers.of_cycles()
        if run.how.form == "cycles"
        else compared_numbers.of_pulses(run.columns, least)
    ]
    if run.digits is not None and run.chip is not None:
        rows, lines = (np.unique(run.columns[name]).astype(int).tolist() for name in ("row", "column"))
        if (len(rows), len(lines)) == run.digits.shape:
            parts.append(compared_numbers.of_programming(run.digits, rows, lines, run.chip.level_scale()))

    def values(columns: dict[str, Floats]) -> list[float]:
        return [value for _, one in parts for value in one(columns)]

    return [quantity for quantities, _ in parts for quantity in quantities], values


def save_checks(checks: Checks, title: str, path: str | os.PathLike[str]) -> Path:
    """Draw the checks that lie along an axis into a picture file; return it.

    `InputError` where the picture cannot be written, or has another suffix.
    """
    panels: dict[tuple[str, str], list[Check]] = {}
    for check in checks.checks:
        if np.isfinite(check.quantity.x):
            panels.setdefault((check.run, check.quantity.panel), []).append(check)
    return plot_panels(title, [_panel(some) for some in panels.values()], path)


def _panel(checks: Sequence[Check]) -> Drawing:
    """Return one panel: intervals of the drawn numbers, and the measured ones on them."""
    first = checks[0]
    series = list(dict.fromkeys(one.quantity.what for one in checks))
    marks: list[Mark] = []
    for number, what in enumerate(series):
        some = [one for one in checks if one.quantity.what == what]
        x = np.array([one.quantity.x for one in some])
        middle, low, high = np.array([one.interval for one in some]).T
        colour = SERIES[0] if len(series) == 1 else (SERIES * 2)[(0, 2, 5)[number % 3]]
        name = "drawn, 95 %" if len(series) == 1 else f"drawn, {what}"
        marks.append(Mark("whiskers", name, x, middle, colour, opacity=0.75, low=low, high=high))
        measured = np.array([one.measured for one in some])
        marks.append(Mark("points", "measured" if not number else "", x, measured, INK, marker="diamond"))
        out = np.array([one.outside for one in some])
        if out.any():
            marks.append(Mark("points", "", x[out], measured[out], OUTSIDE_COLOUR, marker="diamond"))
    outside = [one for one in checks if one.outside]
    if outside:
        marks.append(
            Mark("points", "measured, outside", np.empty(0), np.empty(0), OUTSIDE_COLOUR, marker="diamond")
        )
    q = first.quantity
    suffix = ", held out" if first.held_out else ""
    return Drawing(
        f"{first.run}{suffix}: {q.panel}", marks=tuple(marks), x=AxisText(q.x_name, q.x_unit),
        y=AxisText("G" if q.unit == "S" else q.panel, q.unit), x_scale="log" if q.x_unit == "s" else "linear",
        counts=not q.x_unit,
    )  # fmt: skip
