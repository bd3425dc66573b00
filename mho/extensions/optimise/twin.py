"""The twin on which settings are tried: chips of a preset, drawn from its posterior, programmed by the real programmer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.chip_maps import Placement, WriteVerifySettings, parse_chip_map
from mho.errors import InputError
from mho.instruments import ArrayBench
from mho.instruments.arrays import CellPositions, as_arrays
from mho.instruments.bench_file import load_bench_file
from mho.instruments.simulated import PosteriorDraws, cell_preset
from mho.procedures import Block, NullStream, Programmer, Strategy, check_seed, nearest

SAMPLE, GATES, CHIPS = 64, 30, 4  # cells, voltages and chips of the response
HOUR, LATEST = 3600.0, 3.2e8  # s; ten years
# What chips are for: those of one purpose are none of another's
RESPONSE, SEARCHED, CHOSEN, VALIDATED = range(4)


@dataclass(frozen=True)
class Programming:
    """What programming one chip took."""

    # digits, pulses, reads, inside: (cells,): digit of each cell, its pulses and reads, and whether it ended
    # in its window
    digits: Integers
    pulses: Integers
    reads: Floats
    inside: NDArray[np.bool_]
    lasting: NDArray[np.bool_]  # (cells,): whether it is there at the time at which success is judged
    seconds: float  # time on the bench's clock, a cell
    # Share of the cells whose conductance is in its window an hour later, or when success is judged, if that
    # is later
    held: float

    @property
    def success(self) -> float:
        """Share of the cells that are in their windows when success is judged."""
        return float(self.lasting.mean())

    def cost(self, kind: str) -> float:
        """Return what a cell took: ``pulses``, ``reads``, ``both`` together, or ``time`` (s)."""
        pulses, reads = float(self.pulses.mean()), float(self.reads.mean())
        return {"pulses": pulses, "reads": reads, "both": pulses + reads, "time": self.seconds}[kind]


class Twin:
    """Chips of a bench's kind, without instruments.

    `bench`: a packaged bench or a bench file, also of real instruments; `preset`: cells in place of the bench's: a name
    or a preset file, whose posterior is drawn from where it has one; `seed`: of all chips: those of the same number and
    purpose are the same whatever is tried on them; `array`: the first one that multiplies, unless given; `passes`: of
    touching up, as of `Program`; `after`: time after programming at which success is judged, s: by what cells hold
    then, or at 0 by their last verify reads. Raises `BenchError` or `ChipMapError`: for a bench or preset that cannot
    be read. Raises `InputError`: for a seed or a time that is none, an array that the chip has not, or cells that switch by
    another law than those of the bench.
    """

    def __init__(
        self, bench: str = "arrays", preset: str | None = None, seed: int = 0, array: str | None = None,
        passes: int = 2, after: float = 0.0,
    ) -> None:  # fmt: skip
        check_seed(seed)
        if not 0.0 <= after <= LATEST:
            raise InputError(f"success is judged {after:g} s after programming; give 0 to {LATEST:g} s")
        self.source = as_arrays(load_bench_file(bench), preset)
        simulation = self.source.bench.simulation
        assert simulation is not None  # `as_arrays` gives one
        self.draws = PosteriorDraws(simulation.preset)
        self.preset, self.seed, self.passes, self.after = simulation.preset, seed, passes, after
        self._check_law(bench)
        self.chip = parse_chip_map(self.source.chip_text, f"chip map {self.source.bench.chip}")
        self.levels = self.chip.level_scale()
        names = {one.name: one for one in self.chip.arrays}
        first = next((one for one in self.chip.arrays if one.purpose == "multiply"), self.chip.arrays[0])
        if array is not None and array not in names:
            raise InputError(f"the chip {self.chip.name} has no array {array!r}; {nearest(array, names)}")
        self.array = first if array is None else names[array]
        self._bench = ArrayBench(self.source, None, 0)  # for its limits

    def _check_law(self, bench: str) -> None:
        """Refuse cells of another law than the bench's own: its chip map's voltages are not for them."""
        own = load_bench_file(bench).bench.simulation
        if own is None:
            return
        preset, given = cell_preset(own.preset), self.draws.preset
        if preset.law != given.law:
            raise InputError(
                f"preset {given.name} switches by the law {given.law!r}, the cells {preset.name} of the bench {bench} by "
                f"{preset.law!r}: the voltages of its chip map are not for them; name the bench of that chip with --bench"
            )

    def check(self, strategy: type[Strategy], settings: WriteVerifySettings) -> None:
        """Raise `LimitError` where the bench does not allow the strategy's largest pulses."""
        strategy.check_pulses(self._bench, settings)

    def program(
        self, strategy: type[Strategy], settings: WriteVerifySettings, purpose: int, number: int, cells: int,
        *, each: bool = False,
    ) -> Programming:  # fmt: skip
        """Program random digits on one chip.

        `purpose`, `number`: which chip: see `SEARCHED` and the like; `cells`: a square of about so many. `each`:
        whether the reads of each cell are counted; otherwise all are given their mean.
        """
        seed, draw = np.random.SeedSequence([self.seed, purpose, number]).generate_state(2).tolist()
        rows = min(round(cells**0.5), self.array.rows)
        columns = min(round(cells / rows), self.array.columns)
        digits = np.random.default_rng(seed).integers(0, len(self.levels.nominal), (rows, columns))
        block = Block(Placement(self.array.name, np.arange(rows), np.arange(columns)), digits)
        arrays = [one.name for one in self.chip.arrays]
        counted = each and settings.verify == "cell"
        stream = _Reads(digits.shape) if counted else NullStream()
        with ArrayBench(self.source, self.draws.text(draw), seed) as bench:
            programmer = Programmer(
                bench, stream, self.levels, arrays, settings, self.passes, recorded=counted, strategy=strategy
            )
            programmer.program([block])
            done = bench.now()
            lasting = self._in_window(bench, block, done + self.after) if self.after else None
            share_in_window = float(self._in_window(bench, block, done + max(HOUR, self.after)).mean())
        if isinstance(stream, _Reads):
            reads = settings.verify_reads * stream.counts.ravel().astype(float)
        else:
            reads = np.full(digits.size, programmer.reads / digits.size)
        inside = self.levels.inside(block.achieved, digits).ravel()
        return Programming(
            digits.ravel(), block.pulses.ravel(), reads, inside, inside if lasting is None else lasting,
            done / digits.size, share_in_window,
        )  # fmt: skip

    def _in_window(self, bench: ArrayBench, block: Block, time: float) -> NDArray[np.bool_]:
        """Return which of a block's cells have a conductance, without a read's noise, in their windows at a time, s."""
        bench.wait_until(time)
        place = block.placement
        cells, index = bench.arrays.chip.at(place.array, place.rows, place.columns)
        return np.asarray(self.levels.inside(cells.conductance(index), block.digits)).ravel()

    def response(self, settings: WriteVerifySettings) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Measure the response: median conductance (S) of formed cells after a RESET and one SET, against the gate (V)."""
        s = settings
        rows, columns = np.divmod(np.arange(SAMPLE), min(8, self.array.columns))
        which, ones = np.arange(SAMPLE), np.ones(SAMPLE)
        gates = np.round(np.linspace(*s.gate_range, GATES), 4)
        conductances = []
        for number in range(CHIPS):
            seed, draw = np.random.SeedSequence([self.seed, RESPONSE, number]).generate_state(2).tolist()
            with (
                ArrayBench(self.source, self.draws.text(draw), seed) as bench,
                bench.visit([CellPositions(self.array.name, rows, columns)]) as visit,
            ):
                for volts in s.forming_voltages:
                    virgin = np.flatnonzero(visit.read(which)[0] < s.formed_above)
                    some = ones[virgin]
                    visit.pulse(virgin, some > 0, volts * some, s.forming_width * some, s.forming_gate * some)
                for gate in gates:
                    visit.pulse(which, ones < 0, s.reset_full * ones, s.width * ones, s.reset_gate * ones)
                    visit.pulse(which, ones > 0, s.set_voltage * ones, s.width * ones, gate * ones)
                    conductances.append(visit.read(which)[0])
        medians = np.median(np.reshape(conductances, (CHIPS, GATES, SAMPLE)), axis=(0, 2))
        levels = [float(f"{one:.4g}") for one in np.maximum.accumulate(medians)]
        return tuple(gates.tolist()), tuple(levels)


class _Reads(NullStream):
    """Counts the reads of each cell of a block that begins at row 0 and column 0."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.counts = np.zeros(shape, np.int64)
        self.record_block = self._count

    def _count(self, table: str, columns: Any) -> None:
        np.add.at(self.counts, (columns["row"], columns["column"]), 1)
