"""Programming blocks of cells to digits through the bench: form, RESET, SET, verify, and verify again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import Order, WriteVerifySettings
from mho.confidence import median
from mho.instruments import ArrayBench, Bench, Cell, Pulse
from mho.procedures.cells.cell_visits import ImageSchedule
from mho.procedures.cells.programming.array_programming import (
    FlatCells,
    Verified,
    cell_energy,
    read_cells,
    verify_cells,
)
from mho.procedures.cells.programming.group_programming import (
    Announce,
    GroupProgramming,
    GroupReads,
    ProductDescent,
    Take,
    tiles_of,
    unfit_cells,
)
from mho.procedures.cells.programming.record import (
    CLOCK_ZERO,
    KINDS,
    Block,
    BlockMaps,
    EarlierPulses,
    SentPulses,
    most_at_once,
)
from mho.procedures.cells.programming.strategies.known_strategies import find_strategy
from mho.procedures.cells.programming.strategy import (
    BY_CHIP,
    RESET,
    SET,
    Outcome,
    Pulses,
    Strategy,
    write_verify_cell,
)
from mho.procedures.stream import Stream

FEWEST = 16  # cells from which the noise is told
NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation


def read_noise(first: Floats, second: Floats) -> float | None:
    """Return the noise of a read, S, from two reads of the same cells; None for fewer than `FEWEST`.

    The first one is what write-verify accepted, and so lies in its window whatever the noise: the second alone tells the
    noise, by the median of its distance from the first (robust to cells that moved). Relaxation in between counts, too.
    """
    change = np.abs(second - first)
    change = change[np.isfinite(change)]
    return NORMAL * float(median(change)) if change.size >= FEWEST else None


def noise_warning(
    first: Sequence[Floats], second: Sequence[Floats], digits: Sequence[Integers], levels: Levels,
    inner: float,
) -> str:  # fmt: skip
    """Return a warning when cells' reads differ by more than the half width of the windows aimed for; "" otherwise.

    `first`, `second`: two reads of each block's cells, S; `digits`: only cells of digits above 0 count: of digit 0
    the window is open below; `inner`: share of the windows that is aimed for.
    """
    raised = [d > 0 for d in digits]
    reads = ([value[some] for value, some in zip(values, raised, strict=True)] for values in (first, second))
    noise = read_noise(*(np.concatenate(list(values)) for values in reads))
    half_width = inner * float((levels.high - levels.nominal)[1:].min())
    if noise is None or noise <= half_width:
        return ""
    return (
        f"a verify read is less sure than its window: reads of the same cells differ by {1e6 * noise:.3g} uS (robust sd), "
        f"and the windows aimed for are +-{1e6 * half_width:.3g} uS; average reads (verify_reads), or read columns by "
        "Hadamard patterns (verify=hadamard) where the readout is noisy, or widen the windows"
    )


def visiting_order(order: Order, digits: Integers) -> Integers:
    """Return the flat indices of a block's cells in the order in which they are visited.

    `order`: ``rows``: row by row. ``columns``: column by column. ``interleaved``: along diagonals, so that successive
    cells share no line. ``low first`` and ``high first``: by digit, row by row within one. `digits` (rows, columns).
    """
    rows, columns = np.indices(digits.shape).reshape(2, -1)
    match order:
        case "rows":
            return np.arange(digits.size)
        case "columns":
            return np.lexsort((rows, columns))
        case "interleaved":
            return np.lexsort((rows, (columns - rows) % digits.shape[1]))
        case "low first":
            return np.argsort(digits, axis=None, kind="stable")
        case "high first":
            return np.argsort(-digits, axis=None, kind="stable")


Masks = Sequence[Booleans]  # of the cells of each block

STUCK = (Outcome.STUCK_LOW, Outcome.STUCK_HIGH, Outcome.OUT_OF_PULSES)  # no pulse brings it to its level


class Programmer:
    """Programs blocks cell by cell and records the results.

    Parameters
    ----------
    bench : Bench
        Reads and pulses.
    levels : Levels
        Conductance levels of the digits.
    arrays : sequence of str
        The chip's array names; their order is the code in the `pulses` table.
    passes : int
        Number of later verifications of all cells, in which those that relaxed out of their window are
        programmed again.
    recorded : bool
        Whether pulses and images are kept in the run file; a large block's would fill the disk.
    strategy : type of Strategy, optional
        Instead of the one that the settings name.

    Attributes
    ----------
    sent : SentPulses or None
        Writes pulses to the run file before they are sent; None on a simulated bench, whose chip ends with its process.
    shift : float
        From the bench's clock to that of the rows, s: that of an earlier attempt, where this one goes on with it.
    """

    def __init__(
        self, bench: Bench, stream: Stream, levels: Levels, arrays: Sequence[str],
        settings: WriteVerifySettings, passes: int = 2, *, recorded: bool = True,
        strategy: type[Strategy] | None = None,
    ) -> None:  # fmt: skip
        self._strategy = find_strategy(settings.strategy) if strategy is None else strategy
        self._memory = self._strategy.new_memory(settings)
        self._bench, self._stream, self._levels = bench, stream, levels
        self._codes = {name: code for code, name in enumerate(arrays)}
        self.settings, self._passes, self._recorded = settings, passes, recorded
        self.sent: SentPulses | None = None
        self.shift = 0.0
        self.pulses = 0
        self.reads = 0
        self.joules = 0.0  # of pulses and verify reads
        self.product_errors: list[tuple[float, float]] = []  # relative, of tiles before and after a descent

    def begin(self, block: Block, earlier: EarlierPulses | None) -> None:
        """Take up a block where an earlier attempt left it, with its rows, on its clock; begin it without one."""
        bench, stream = self._bench, self._stream
        if earlier is not None:
            stream.say(f"{earlier.joined} are taken over from {stream.earlier}")
            stream.record_block("pulses", earlier.rows)
            block.achieved[:], block.pulses[:] = earlier.cells.last, earlier.cells.pulses
            block.outcome[:] = earlier.cells.outcome
            self.pulses, self.reads = int(earlier.cells.pulses.sum()), earlier.reads
            if bench.simulated is None:  # a simulated clock has gone on with the chip
                self.shift = earlier.elapsed - bench.now()
                rows = earlier.rows  # whose voltages count as those of this run
                for line, kind in (("bit line", SET), ("source line", RESET)):
                    at = rows["kind"] == kind
                    cells = rows["row"][at], rows["column"][at]
                    bench.damage.note_voltages(block.placement.array, *cells, line, rows["voltage"][at])
        if bench.simulated is None:
            most = most_at_once(self.settings, self._strategy, block.placement)
            self.sent = SentPulses(stream, most, self.pulses)
            stream.set_array(CLOCK_ZERO, np.array([time.time() - bench.now() - self.shift]))

    def program(
        self, blocks: Sequence[Block], maps: Sequence[BlockMaps] = (), first: Masks | None = None
    ) -> None:
        """Program all blocks; each block's `achieved`, `pulses` and `outcome` are filled in.

        Parameters
        ----------
        maps : sequence of BlockMaps
            The run file's images, where it declares more lines than these blocks use.
        first : sequence of masks, optional
            Cells to program before all are verified again; all of them unless given.
        """
        used = dict.fromkeys(block.placement.array for block in blocks)
        maps = [one for one in maps if one.array in used] or [BlockMaps.covering(a, blocks) for a in used]
        everyone: Masks = [np.ones(block.digits.shape, dtype=bool) for block in blocks]
        self._bring(blocks, maps, everyone if first is None else first, everyone, "programming")

    def repair(self, block: Block, outside: Booleans) -> None:
        """Bring the cells that are `outside` their windows back, and verify those that had pulses again.

        The others are left alone.
        """
        maps = [BlockMaps.covering(block.placement.array, [block])]
        self._bring([block], maps, [outside], [outside | (block.pulses > 0)], "repairing")

    def _bring(
        self, blocks: Sequence[Block], maps: Sequence[BlockMaps], first: Masks, verified: Masks, stage: str
    ) -> None:
        """Write cells `first`, then read those to be `verified` again, and touch up, as often as there are passes."""
        simulated = self._bench.simulated
        if simulated is not None and not self.reads:
            self._warn(unfit_cells(simulated.chip.preset, self._levels))
        if self._bench.programs and not self.reads:
            self._stream.say(
                "the chip programs its cells by itself (`program`): strategy and pulses of write-verify are not used"
            )
        self._snapshot(maps, blocks, first=True)
        self._visit(blocks, first, maps, stage)
        if self._strategy.descends:
            self._descend(blocks)
        for number in range(0 if self._strategy.descends else self._passes):
            before = [block.achieved.copy() for block in blocks]
            # Read again after the last pulse; in further passes only the reprogrammed cells.
            verified = self.reread(blocks, verified)
            if not number:
                after, digits = [block.achieved for block in blocks], [block.digits for block in blocks]
                self._warn(noise_warning(before, after, digits, self._levels, self.settings.inner))
            if not any(mask.any() for mask in verified):
                break
            self._visit(blocks, verified, maps, "touching up")
        for block in blocks:
            inside, outcome = self._levels.inside(block.achieved, block.digits), block.outcome
            left = np.where(outcome == Outcome.IN_WINDOW, Outcome.LEFT_WINDOW, outcome)
            block.outcome = np.where(inside, Outcome.IN_WINDOW, left)
            rows, columns = block.placement.cells()
            stuck = np.isin(block.outcome, STUCK)
            self._bench.damage.note_stuck(block.placement.array, rows[stuck], columns[stuck])
        self._snapshot(maps, blocks)

    def _warn(self, text: str) -> None:
        if text:
            self._stream.say(text, "WARNING")

    def failed(self, blocks: Sequence[Block]) -> int:
        """Return the number of cells that ended outside their window."""
        return sum(int((~self._levels.inside(b.achieved, b.digits)).sum()) for b in blocks)

    def record_outcome(self, block: Block) -> None:
        """Store how the programming of a block's cells ended."""
        image = BlockMaps.covering(block.placement.array, [block])
        codes = image.image([block], [block.outcome.astype(float)])
        self._stream.snapshot(image.outcome_map().name, codes, self._bench.now() + self.shift)

    def _visit(self, blocks: Sequence[Block], masks: Masks, maps: Sequence[BlockMaps], stage: str) -> None:
        """Bring the cells in `masks` into their windows, each until it is there or given up."""
        total = sum(int(mask.sum()) for mask in masks)
        if not total:
            return
        parts, at_once = self._cells, False
        if self.settings.verify != "cell":
            parts = self._groups
        elif isinstance(self._bench, ArrayBench):
            parts, at_once = partial(self._batches, self._bench), True
        done, pictures = 0, ImageSchedule(self._bench, sum(block.digits.size for block in blocks))
        for count in parts(blocks, masks):
            done += count
            self._stream.pace(stage, done, total, now=count > 1, pulses=self.pulses)
            if not (at_once and done == total) and pictures.due(done):
                self._snapshot(maps, blocks)
        self._stream.progress(stage, done, total, pulses=self.pulses)

    def _cells(self, blocks: Sequence[Block], masks: Masks) -> Iterator[int]:
        """Program cell by cell; yield 1 after each."""
        for block, mask in zip(blocks, masks, strict=True):
            rows, columns = block.placement.cells()
            order = visiting_order(self.settings.order, block.digits)
            for index in zip(*np.unravel_index(order[mask.ravel()[order]], mask.shape), strict=True):
                cell = Cell(block.placement.array, int(rows[index]), int(columns[index]))
                achieved, pulses, outcome = self._program_cell(cell, int(block.digits[index]))
                block.achieved[index], block.outcome[index] = achieved, outcome
                block.pulses[index] += pulses
                yield 1

    def _groups(self, blocks: Sequence[Block], masks: Masks) -> Iterator[int]:
        """Program groups of cells that are verified together; yield the number of cells after each."""
        for block, mask in zip(blocks, masks, strict=True):
            reader, programming = self._in_groups(block.placement.array)
            for group in reader.groups(mask):
                place = np.ix_(group.rows, group.columns)
                achieved, pulses, outcome = programming.program(block.placement, block.digits, group)
                shape = block.digits[place].shape
                block.achieved[place], block.outcome[place] = achieved.reshape(shape), outcome.reshape(shape)
                block.pulses[place] += pulses.reshape(shape)
                self.pulses += int(pulses.sum())
                yield len(pulses)

    def _batches(self, bench: ArrayBench, blocks: Sequence[Block], masks: Masks) -> Iterator[int]:
        """Program many cells of a bench without instruments at once; yield the number of cells after each batch."""
        placements = [block.placement for block in blocks]
        orders = [visiting_order(self.settings.order, block.digits) for block in blocks]
        everyone = FlatCells.of(placements, masks, orders)
        bench.draw(everyone.lines(placements))
        for cells in everyone.batches(self._strategy.pilot):
            digits = cells.of_blocks([block.digits for block in blocks])
            verified = verify_cells(
                bench, cells, placements, digits, self._levels, self.settings, self._strategy, self._memory,
                recorded=self._recorded,
            )  # fmt: skip
            self._store(blocks, cells, verified)
            cells.put([block.outcome for block in blocks], verified.outcome)
            yield len(digits)

    def _in_groups(self, array: str) -> tuple[GroupReads, GroupProgramming]:
        """Return what reads and what programs groups of cells of an array."""
        settings = self.settings
        reader = GroupReads(self._bench, settings.verify, settings.verify_reads)
        return reader, GroupProgramming(
            self._bench, reader, self._levels, settings, self._strategy, self._memory, self._taking(array),
            self._announcing(array),
        )  # fmt: skip

    def _taking(self, array: str) -> Take:
        """Return what records verify reads through the DAQ, of cells of an array."""
        file = self._bench.file
        period = self._bench.vector_period

        def take(
            rows: Integers, columns: Integers, pulses: Pulses | None, read: Floats, readings: int
        ) -> None:
            self.reads += readings
            count = len(read)
            if pulses is None:
                pulses = Pulses(*(np.full(count, one) for one in (0, file.read.voltage, 0.0, file.read.gate)))
            seconds = period * readings / max(len(set(columns.tolist())), 1)
            pulsed = np.where(pulses.kind > 0, np.square(pulses.voltage) * pulses.width, 0.0)
            energy = np.abs(read) * (pulsed + file.read.voltage**2 * seconds)
            self.joules += float(np.nansum(energy))  # a verify read that was cut short is NaN
            if self._recorded and count:
                where = {"array": np.full(count, self._codes[array]), "row": rows, "column": columns}
                times = np.full(count, self._bench.now() + self.shift)
                self._stream.record_block(
                    "pulses", {"time": times, **where, **pulses._asdict(), "conductance": read}
                )
                if self._bench.simulated is None:
                    self._stream.flush()

        return take

    def _descend(self, blocks: Sequence[Block]) -> None:
        """Lower the error of the products of the blocks' tiles, with the pulses that the settings leave."""
        lines = self._bench.vector_size
        signs = np.random.default_rng(0)  # of the vectors; their own: nothing else depends on their number
        for block in blocks:
            take, announce = self._taking(block.placement.array), self._announcing(block.placement.array)
            descent = ProductDescent(
                self._bench, self._levels, self.settings, self._strategy, self._memory, signs, take, announce,
                self._stream.check,
            )  # fmt: skip
            for part in tiles_of(block.digits.shape, lines):
                place = block.placement
                tile = Placement(place.array, place.rows[part[0]], place.columns[part[1]])
                spent = int(block.pulses[part].sum())
                most = int(self.settings.gdp_pulses * block.digits[part].size) - spent
                done = descent.run(tile, block.digits[part], most)
                block.achieved[part] = done.achieved
                block.pulses[part] += done.pulses
                self.pulses += int(done.pulses.sum())
                self.product_errors.append((done.before, done.after))
                if done.after > done.before:
                    self._stream.say(
                        f"the error of products has grown from {done.before:.2%} to {done.after:.2%} in a descent of it: "
                        "what they err by is not the cells' (wires, clipped amplifiers, noise); use another strategy",
                        "WARNING",
                    )
                self._stream.progress("descending", spent + int(done.pulses.sum()), spent + max(most, 0))

    def _store(self, blocks: Sequence[Block], cells: FlatCells, verified: Verified) -> None:
        """Store results of cells in their blocks and in the table."""
        cells.put([block.achieved for block in blocks], verified.achieved)
        before = cells.of_blocks([block.pulses for block in blocks])
        cells.put([block.pulses for block in blocks], before + verified.pulses)
        self.pulses += int(verified.pulses.sum())
        self.reads += verified.reads
        self.joules += verified.joules
        if self._recorded:
            rows = dict(verified.rows)
            rows["time"] = rows["time"] + self.shift
            codes = np.array([self._codes[block.placement.array] for block in blocks])
            self._stream.record_block("pulses", {"array": codes[rows.pop("block")], **rows})

    def _program_cell(self, cell: Cell, digit: int) -> tuple[float, int, Outcome]:
        levels = self._levels
        window = float(levels.nominal[digit]), float(levels.low[digit]), float(levels.high[digit])
        if self._bench.programs:
            return self._program_by_chip(cell, *window[1:])
        state = self._strategy.towards(*window, self.settings, self._memory)
        state.formed = self._bench.forming.is_formed(cell)

        def step(pulses: Pulses | None) -> float:
            if pulses is None:
                return self._read(cell, None)
            if self.sent is not None:
                lines = np.array([cell.row]), np.array([cell.column])
                self._announcing(cell.array)(*lines, pulses)
            pulse = Pulse("set" if pulses.kind == SET else "reset", *pulses[1:])
            self._bench.pulse(cell, pulse)
            return self._read(cell, pulse, self.settings.verify_delay)

        achieved, outcome = write_verify_cell(state, step)
        self.pulses += state.pulses
        return achieved, state.pulses, outcome

    def _program_by_chip(self, cell: Cell, low: float, high: float) -> tuple[float, int, Outcome]:
        """Let the chip bring a cell into a window (S); return what it read last, its pulses, and how it ended."""
        low, unknown = max(low, 0.0), np.nan
        if self.sent is not None:
            lines = np.array([cell.row]), np.array([cell.column])
            self._announcing(cell.array)(*lines, Pulses(BY_CHIP, unknown, unknown, unknown))
        done = self._bench.program(cell, 0.5 * (low + high), 0.5 * (high - low))
        self.pulses += done.pulses
        self.reads += 1
        self._record_row(cell, BY_CHIP, unknown, unknown, unknown, done.conductance)
        if done.reached:
            return done.conductance, done.pulses, Outcome.IN_WINDOW
        unformed = not self._bench.forming.is_formed(cell)
        return done.conductance, done.pulses, Outcome.UNFORMED if unformed else Outcome.OUT_OF_PULSES

    def _announcing(self, array: str) -> Announce:
        """Return what writes pulses at cells of an array to the run file before they are sent."""

        def announce(rows: Integers, columns: Integers, pulses: Pulses) -> None:
            if self.sent is not None:
                self.sent.announce(self._bench.now() + self.shift, self._codes[array], rows, columns, pulses)

        return announce

    def _read(self, cell: Cell, pulse: Pulse | None, delay: float = 0.0) -> float:
        count = self.settings.verify_reads
        try:
            if delay:
                self._bench.wait_until(self._bench.now() + delay)
            conductance = self._bench.read(cell)
            if count > 1:
                conductance = sum((self._bench.read(cell) for _ in range(count - 1)), conductance) / count
        except BaseException:
            if pulse is not None:  # it was applied, whatever came between it and its verify read
                self._record(cell, pulse, np.nan)
            raise
        self.reads += count
        volts, width = (pulse.voltage, pulse.width) if pulse else (0.0, 0.0)
        self.joules += cell_energy(self._bench.file, volts, width, conductance, count)
        self._record(cell, pulse, conductance)
        return conductance

    def _record(self, cell: Cell, pulse: Pulse | None, conductance: float) -> None:
        if pulse:
            applied = KINDS[pulse.kind], pulse.voltage, pulse.width, pulse.gate
        else:
            applied = 0, self._bench.file.read.voltage, 0.0, self._bench.file.read.gate
        self._record_row(cell, *applied, conductance)

    def _record_row(
        self, cell: Cell, kind: int, voltage: float, width: float, gate: float, conductance: float
    ) -> None:
        if not self._recorded:
            return
        self._stream.record(
            "pulses", time=self._bench.now() + self.shift, array=self._codes[cell.array], row=cell.row,
            column=cell.column, kind=kind, voltage=voltage, width=width, gate=gate, conductance=conductance,
        )  # fmt: skip
        if self._bench.simulated is None:
            self._stream.flush()  # what a real cell had is known before it gets more, whatever ends this process

    def reread(self, blocks: Sequence[Block], masks: Masks) -> list[Booleans]:
        """Read the cells in `masks` again; return masks of those outside their window."""
        if self.settings.verify == "cell" and isinstance(self._bench, ArrayBench):
            placements = [block.placement for block in blocks]
            for cells in FlatCells.of(placements, masks).batches():
                reads = self.settings.verify_reads
                read = read_cells(self._bench, cells, placements, recorded=self._recorded, reads=reads)
                self._store(blocks, cells, read)
                self._stream.check()
            return self._outside(blocks, masks)
        for block, mask in zip(blocks, masks, strict=True):
            if self.settings.verify == "cell":
                rows, columns = block.placement.cells()
                for index in zip(*np.nonzero(mask), strict=True):
                    cell = Cell(block.placement.array, int(rows[index]), int(columns[index]))
                    block.achieved[index] = self._read(cell, None)
                self._stream.check()
                continue
            reader, programming = self._in_groups(block.placement.array)
            for group in reader.groups(mask):
                place = np.ix_(group.rows, group.columns)
                achieved = programming.read(block.placement, group)
                block.achieved[place] = achieved.reshape(block.achieved[place].shape)
                self._stream.check()
        return self._outside(blocks, masks)

    def _outside(self, blocks: Sequence[Block], masks: Masks) -> list[Booleans]:
        """Return which of the cells in `masks` read outside their window last."""
        return [
            mask & ~self._levels.inside(block.achieved, block.digits)
            for block, mask in zip(blocks, masks, strict=True)
        ]

    def _snapshot(self, maps: Sequence[BlockMaps], blocks: Sequence[Block], first: bool = False) -> None:
        time = self._bench.now() + self.shift
        for image in maps if self._recorded else ():
            if first:
                targets = [self._levels.conductance(b.digits) for b in blocks]
                self._stream.snapshot(f"{image.array}_target", image.image(blocks, targets), time)
            achieved = [b.achieved for b in blocks]
            pulses = [b.pulses.astype(float) for b in blocks]
            self._stream.snapshot(f"{image.array}_conductance", image.image(blocks, achieved), time)
            self._stream.snapshot(f"{image.array}_pulses", image.image(blocks, pulses), time)
