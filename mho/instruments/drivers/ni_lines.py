"""An NI DAQ wired straight to a chip: outputs at its rows, inputs behind transimpedance amplifiers at its columns.

An amplifier holds its column at 0 V and puts out -R I; the current of a cell is (z - a) / R, where `z` is the amplifier's
answer to 0 V, its offset. Several samples are averaged. An answer within a hundredth of the amplifier's end is beyond its
range, and no number: there the column is not held at 0 V any more.

Between operations every output is at 0 V: a gate's level is remembered, and played along with what is read or pulsed,
one sample before and after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from mho.array_types import Floats
from mho.errors import BenchError, InputError, LimitError
from mho.instruments.drivers.languages.scpi import Span, whole, within
from mho.instruments.drivers.ni_daq import NIDaq
from mho.instruments.roles import Cell, Reading

MAINS = 50.0  # Hz, to which NPLC refers here
MOST = 1 << 20  # samples of one waveform: 8 MB an output
END = 0.99  # share of an amplifier's full scale from which an answer is beyond its range
SLIP = 1e-6  # of a sample, by which a width may miss whole samples
NPLC = Span(1e-6, 1e4, "nplc")
CURRENT = Span(1e-15, 10.0, "current", "A")
DELAY = Span(0.0, 1e6, "delay", "s")
COUNT = Span(1, 1e6, "count of pulses")
WIDTH = Span(0.0, 1e6, "pulse width", "s")


class NILines:
    """A DAQ as a tester: serves `select`, `read`, `sweep`, `gate`, `pulse`, `multiply`.

    `outputs`, `inputs`: physical channels, of row 0, 1, … and of column 0, 1, …; any device, any order.
    `gate`: the channel at the word lines; "" for none.
    `product_gate`: level of the word lines in `multiply`, V.
    `transimpedance`: R, ohm.
    `full_scale`: largest output of the amplifiers, V.
    `rate`, `output_range`, `session`: as of `NIDaq`.
    """

    edge = 0.2e-6  # s, of a step of 5 V at the 20 V/us of a 6363's outputs (from memory (?))

    def __init__(
        self, outputs: str, inputs: str, *, transimpedance: float, full_scale: float = 10.0, gate: str = "",
        product_gate: float = 0.0, rate: float = 20e3, output_range: tuple[float, float] = (-10.0, 10.0),
        session: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:  # fmt: skip
        self._daq = NIDaq(
            f"{outputs}, {gate}" if gate else outputs, inputs, rate=rate, output_range=output_range,
            input_range=full_scale, session=session,
        )  # fmt: skip
        self._resistance, self._end, self._gated = transimpedance, END * full_scale, bool(gate)
        self._gate, self._product_gate = 0.0, product_gate
        self._samples, self._limit = 1, math.inf
        self._row = self._column = 0
        self._level = Span(*output_range, "level", "V")

    # --- what every instrument does ---

    def identify(self) -> str:
        """Return product types, device names and serial numbers."""
        return self._daq.identify()

    def settings(self) -> dict[str, str]:
        """Return channels, rates, ranges and the amplifiers' resistance as text."""
        return self._daq.settings() | {"transimpedance": f"{self._resistance:g} ohm"}

    def make_safe(self) -> None:
        """Stop, and take all outputs to 0 V, read back; raises `InstrumentError` where that is not confirmed."""
        self._gate = 0.0
        self._daq.make_safe()

    def close(self) -> None:
        """Release the devices."""
        self._daq.close()

    # --- what the bench asks ---

    @property
    def output_count(self) -> int:
        """Number of rows."""
        return self._daq.output_count - self._gated

    @property
    def input_count(self) -> int:
        """Number of columns."""
        return self._daq.input_count

    @property
    def sample_period(self) -> float:
        """Time from one sample to the next, s; also the shortest pulse."""
        return self._daq.sample_period

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Average over `nplc` cycles of 50 Hz, at least one sample; a current above `current_limit` is beyond the range.

        Nothing but the amplifier limits a current, and its range is its resistance's.
        """
        within(current_range, CURRENT)
        limit, samples = within(current_limit, CURRENT), within(nplc, NPLC) / MAINS / self.sample_period
        self._limit, self._samples = limit, max(1, round(samples))

    # --- operations ---

    def select(self, cell: Cell) -> None:
        """Take the row and the column of what comes next; nothing moves."""
        row = int(whole(cell.row, Span(0, self.output_count - 1, "row")))
        column = int(whole(cell.column, Span(0, self.input_count - 1, "column")))
        self._row, self._column = row, column

    def gate(self, voltage: float) -> None:
        """Take the level (V) of the word lines during what comes next; it is 0 V in between."""
        self._gate = within(voltage, self._level)

    def read(self, voltage: float) -> Reading:
        """Measure once at `voltage` (V) on the row, all others at 0 V."""
        return self.sweep([voltage])[0]

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Measure at each of `voltages` (V), `delay` (s) after its step, in one waveform; the row ends at 0 V."""
        for volts in voltages:
            within(volts, self._level)
        waits, samples = math.ceil(within(delay, DELAY) / self.sample_period), self._samples
        each = waits + samples
        if (len(voltages) + 1) * each > MOST:
            raise InputError(
                f"a sweep of {len(voltages)} points of {delay:g} s and {samples} samples each is longer than the {MOST} "
                "samples of one waveform: take fewer points, a shorter delay, a smaller nplc, or a lower `rate`"
            )
        answers = self._play_row(np.repeat([0.0, *voltages], each))
        settled = answers.reshape(-1, each, self.input_count)[:, waits:, self._column]
        means, worst = settled.mean(axis=1), np.abs(settled).max(axis=1)
        amperes = (means[0] - means) / self._resistance
        beyond = (worst >= self._end) | (np.abs(amperes) > self._limit)
        return [
            Reading(float(volts), math.copysign(math.inf, volts) if over else float(current), False)
            for volts, current, over in zip(voltages, amperes[1:], beyond[1:], strict=True)
        ]

    def check_shape(self, *, voltage: float, width: float, count: int) -> None:
        """Raise `LimitError` for pulses that are not whole samples wide, or beyond the outputs; nothing is sent."""
        within(voltage, self._level)
        whole(count, COUNT)
        self._width(width)

    def _width(self, width: float) -> int:
        samples = within(width, WIDTH) / self.sample_period
        whole = round(samples)
        if whole < 1 or abs(samples - whole) > SLIP * whole:
            nearest = max(1, whole) * self.sample_period
            raise LimitError(
                f"pulse width of {width:.6g} s is not a whole number of this DAQ's samples of {self.sample_period:.6g} s: "
                f"take {nearest:.6g} s, or another `rate`"
            )
        if whole + 1 > MOST:
            raise LimitError(
                f"pulse width of {width:g} s takes {whole} samples, and a waveform has {MOST}: take a shorter one"
            )
        return whole

    def pulse(self, voltage: float, width: float, count: int = 1) -> None:
        """Apply `count` pulses of `voltage` (V, negative ones RESET) and `width` (s), a sample of 0 V between them.

        `LimitError` for a width that is not a whole number of samples.
        """
        self.check_shape(voltage=voltage, width=width, count=count)
        one = np.zeros(self._width(width) + 1)
        one[:-1] = voltage
        most, count = max(1, MOST // len(one)), int(count)
        for start in range(0, count, most):
            self._play_row(np.tile(one, min(most, count - start)))

    def multiply(self, array: str, rows: Sequence[int], columns: Sequence[int], volts: Floats) -> Floats:
        """Return currents (samples, columns), A, for `volts` (samples, rows), a sample each; other rows are at 0 V.

        `BenchError` when an amplifier was at its end.
        """
        given = np.asarray(volts, np.float64)
        for lines, most, name in ((rows, self.output_count, "row"), (columns, self.input_count, "column")):
            for line in lines:
                whole(line, Span(0, most - 1, name))
        if given.ndim != 2 or given.shape[1] != len(rows):
            raise InputError(f"vectors of shape {given.shape} for {len(rows)} rows; give (samples, rows)")
        levels = np.zeros((len(given), self.output_count))
        levels[:, list(rows)] = given
        answers = self._play(levels, self._product_gate)[:, list(columns)]
        if np.abs(answers).max(initial=0.0) >= self._end:
            worst = columns[int(np.abs(answers).max(axis=0).argmax())]
            raise BenchError(
                f"the amplifier of column {worst} is at its end: more than {self._end / self._resistance:.3g} A flows; "
                "drive smaller vectors, or fewer rows, or take a smaller transimpedance"
            )
        return np.asarray(answers / -self._resistance)

    def _play_row(self, volts: Floats) -> Floats:
        """Play samples (V) on the selected row, and return the answers (samples, columns), V."""
        levels = np.zeros((len(volts), self.output_count))
        levels[:, self._row] = volts
        return self._play(levels, self._gate)

    def _play(self, levels: Floats, gate: float) -> Floats:
        """Play samples (samples, rows), V, with the word lines at `gate` (V); return the answers (samples, columns), V."""
        if not self._gated:
            return self._daq.exchange(levels)
        framed = np.zeros((len(levels) + 2, self.output_count + 1))
        framed[1:-1, :-1] = levels
        framed[:, -1] = gate
        return self._daq.exchange(framed)[1:-1]
