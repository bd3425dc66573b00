"""The chip's lines with an oscilloscope's probes on them, and a prober's needles between them and the instruments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mho.array_types import Floats
from mho.instruments.laboratory.chip_lines import HOT, ChipLines
from mho.instruments.simulated.excursions import Excursion

TRIGGER = 50e-3  # V, of either sign: the first level beyond it begins a record

# Told of levels at a terminal from a moment on: (V, s) one after the other
Hear = Callable[[str, Sequence[tuple[float, float]]], None]


class ObservedLines(ChipLines):
    """Lines at which an oscilloscope listens; `hear` is told of every level that a source applies."""

    hear: Hear | None = None

    def drive(self, terminal: str, volts: float, connected: bool) -> None:
        """Apply a new level of a DC source."""
        super().drive(terminal, volts, connected)
        if self.hear is not None:
            self.hear(terminal, [(volts if connected else 0.0, np.inf)])

    def train(self, terminal: str, cycle: Sequence[Excursion], count: int) -> None:
        """Apply cycles of levels of a generator's channel."""
        if self.hear is not None:
            times = min(count, 1000)  # longer bursts than any record shows
            levels = [(volts, width) for volts, width, several in cycle for _ in range(min(several, 1000))]
            self.hear(terminal, [*levels * times, (0.0, np.inf)])
        super().train(terminal, cycle, count)


class ScopeProbes:
    """A `ScopePort`: probes at some of the lines, and what they have seen since the scope was armed.

    `lines`: what it listens at.
    `terminals`: the line of each channel, in their order.
    """

    def __init__(self, lines: ObservedLines, terminals: Sequence[str]) -> None:
        self._lines, self._terminals = lines, tuple(terminals)
        self._steps: dict[str, list[tuple[float, float]]] | None = None
        self._trigger: float | None = None
        lines.hear = self._hear

    def arm(self) -> None:
        """Forget what was seen, and wait for the next level beyond the trigger's."""
        self._trigger = None
        self._steps = {line: [(-np.inf, self._lines.held.get(line, 0.0))] for line in self._terminals}

    def seen(self, times: Floats) -> Floats | None:
        """Return the voltages (channels, samples) at `times` (s) from the trigger on; None when none came."""
        if self._steps is None or self._trigger is None:
            return None
        rows = []
        for line in self._terminals:
            starts, volts = np.array(self._steps[line]).T
            rows.append(volts[np.searchsorted(starts, self._trigger + times, side="right") - 1])
        return np.array(rows)

    def _hear(self, terminal: str, levels: Sequence[tuple[float, float]]) -> None:
        if self._steps is None or terminal not in self._steps:
            return
        at = self._lines.clock.now
        for volts, seconds in levels:
            self._steps[terminal].append((at, volts))
            if self._trigger is None and abs(volts) > TRIGGER:
                self._trigger = at
            at += seconds


class Needles:
    """A `NeedlesPort`: the probes of a prober. Moved under a source that is live, they leave an incident."""

    def __init__(self, lines: ChipLines) -> None:
        self._lines = lines

    def moving(self, what: str) -> None:
        """Called before the probes touch, or lift."""
        for line, volts in self._lines.held.items():
            if abs(volts) > HOT:
                self._lines.monitor.record("hot contact", f"{what} with {volts:.3g} V on the {line}")
