"""One SET pulse of a fixed, predicted voltage for each level, RESET before each try (FPPV of Levy et al.).

The word-line voltage of a level is where the curve of medians, measured with single SET pulses after a RESET, passes it:
so the authors choose theirs (akashlevy/RRAM-RADAR-Tuning, exptdata/sweeps/fppv-wl-sweep.py: V_BL 2 V, 200 ns, one V_WL for
each range of resistance), as a comparison for RADAR (IEEE Trans. Electron Devices 68, 4397 (2021)). The repository does not
say how often their scheme pulses before it RESETs; here each try is one RESET and one SET.
"""

from __future__ import annotations

from dataclasses import dataclass

from mho.procedures.cells.programming.strategies.ispp import Attempts
from mho.procedures.cells.programming.strategies.response import ResponseCurve
from mho.procedures.cells.programming.strategy import Values


@dataclass
class Fppv(Attempts):
    """RESET, one SET at the voltage that the curve gives for the level, again up to `attempts` times."""

    def over(self, read: Values) -> Values:
        """Return whether the one SET was given, or the RESET left the cell above its window."""
        return (read > self.high) | (self._sets >= 1)

    def gate(self) -> Values:
        """Return the voltage of the level, V."""
        return ResponseCurve.of(self.settings).gate(self.target)
