"""Two source-measure units at the two lines of a cell: one at its row, and one at its column, which measures.

With the lines that are not selected on ground, no current of theirs enters a column at 0 V: what is measured there is the
cell's. A pulse V is V/2 on the row and -V/2 on the column, so that every other cell of these lines bears half of it. The
row is there first and leaves last; the column's unit times the pulse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from mho.errors import MhoError
from mho.instruments.bench.stand_ins import MeterPulses
from mho.instruments.bench_file.bench_file import BenchFile
from mho.instruments.roles import Reading, SourceMeter, SweepingMeter


@contextmanager
def _let_go_on_failure(*units: SourceMeter) -> Iterator[None]:
    """Take row and column to 0 V when what follows fails; why it failed is what is told."""
    try:
        yield
    except BaseException:
        for unit in units:
            with suppress(MhoError):
                unit.hold(0.0)
        raise


class MeterAcross:
    """A source-measure unit of two (a `SourceMeter`): the one at the row sources, the one at the column measures.

    `wait`: lets seconds pass on the bench's clock.
    `halves`: whether more than the bench's read voltage is put half on the row, half on the column. All of a read is on the
        row: the column is at 0 V, and the row's other cells bear a read.
    """

    def __init__(
        self,
        row: SourceMeter,
        column: SourceMeter,
        wait: Callable[[float], None],
        file: BenchFile,
        halves: bool,
    ) -> None:
        self._row, self._column, self._wait = row, column, wait
        self._row_limit, self._least_range = file.row_current, file.read.current_range
        self._whole = file.read.voltage if halves else float("inf")

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Prepare both; the column's unit has the limit and the range, the row's carries the current of all its cells."""
        self._column.configure(current_limit=current_limit, current_range=current_range, nplc=nplc)
        limit = max(self._row_limit, current_limit)
        self._row.configure(current_limit=limit, current_range=max(limit, current_range), nplc=nplc)

    def enable(self) -> None:
        """Switch both outputs on at 0 V."""
        self._row.enable()
        self._column.enable()

    def hold(self, voltage: float) -> None:
        """Take the row to `voltage` (V), and the column to 0 V."""
        self._row.hold(voltage)
        self._column.hold(0.0)

    def read(self, voltage: float) -> Reading:
        """Step to `voltage`, measure at the column, then at the row, return to 0 V."""
        row, column = self._shares(voltage, abs(voltage) > self._whole)
        with _let_go_on_failure(self._row, self._column):
            self._row.hold(row)
            far, near = self._column.read(column), self._row.read(row)
        return Reading(near.voltage - far.voltage, -far.current, near.tripped or far.tripped)

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Step through `voltages`, wait `delay` (s) at each and measure at the column; end at 0 V."""
        halved, points = max(map(abs, voltages)) > self._whole, []
        with _let_go_on_failure(self._row, self._column):
            for voltage in voltages:
                row, column = self._shares(voltage, halved)
                self._row.hold(row)
                if delay:
                    self._column.hold(column)
                    self._wait(delay)
                far = self._column.read(column)
                points.append(Reading(row - far.voltage, -far.current, far.tripped))
        self._row.hold(0.0)
        return points

    @staticmethod
    def _shares(voltage: float, halved: bool) -> tuple[float, float]:
        return (0.5 * voltage, -0.5 * voltage) if halved else (voltage, 0.0)


class HalvedPulses(MeterPulses):
    """Pulses of V as V/2 at the row, held meanwhile, and -V/2 by the column's unit, which times them.

    `row`, `column`: the source-measure units.
    `aperture`: as for `MeterPulses`.
    """

    def __init__(self, row: SourceMeter, column: SweepingMeter, aperture: float) -> None:
        super().__init__(column, aperture)
        self._row, self._column = row, column

    def shape(self, channel: int, *, voltage: float, width: float) -> None:
        """Take amplitude (V, of either sign) and width (s) of the next pulses; nothing is sent."""
        super().shape(channel, voltage=-0.5 * voltage, width=width)

    def fire(self, channel: int, count: int = 1) -> None:
        """Apply `count` pulses; return when they are over, and the row is at 0 V again."""
        with _let_go_on_failure(self._row, self._column):
            self._row.hold(-self._volts)
            super().fire(channel, count)
        self._row.hold(0.0)
