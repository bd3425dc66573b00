"""Number formats of a simulated TSP instrument: text of a set precision, or indefinite blocks of reals.

2600BS-901-01, ``format.data``, ``format.byteorder`` and ``format.asciiprecision``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.tsp.tables import Attribute, ScriptTable, choice, whole

ASCII, REAL32, REAL64 = 1.0, 2.0, 3.0
BIG_ENDIAN, LITTLE_ENDIAN = 0.0, 1.0
CONSTANTS = {
    "ASCII": ASCII, "REAL32": REAL32, "SREAL": REAL32, "REAL64": REAL64, "REAL": REAL64, "DREAL": REAL64,
    "NORMAL": BIG_ENDIAN, "BIGENDIAN": BIG_ENDIAN, "NETWORK": BIG_ENDIAN,
    "SWAPPED": LITTLE_ENDIAN, "LITTLEENDIAN": LITTLE_ENDIAN,
}  # fmt: skip
MISSING = 9.91e37  # printed for a missing reading


class Format(ScriptTable):
    """The ``format`` table, and the formatting by its settings.

    Parameters
    ----------
    precision_changed : callable
        Called with the number of significant digits for ``print``.
    """

    def __init__(self, precision_changed: Callable[[int], None]) -> None:
        self._precision_changed = precision_changed
        super().__init__(
            {
                "data": Attribute(ASCII, choice(ASCII, REAL32, REAL64)),
                "byteorder": Attribute(LITTLE_ENDIAN, choice(BIG_ENDIAN, LITTLE_ENDIAN)),
                "asciiprecision": Attribute(6.0, whole(1, 16), self._changed),
            },
            contents=CONSTANTS,
        )

    def _changed(self, digits: float) -> None:
        self._precision_changed(int(digits))

    def restore(self) -> None:
        """Return to the defaults."""
        super().restore()
        self._changed(self["asciiprecision"])

    @property
    def precision(self) -> int:
        """Significant digits of a printed number."""
        return int(self["asciiprecision"])

    def reply(self, values: NDArray[np.float64] | Sequence[float]) -> bytes:
        """Write numbers as ``printnumber`` and ``printbuffer`` reply them, with the terminator.

        Text is separated by a comma and a space; binary is ``#0``, the numbers and a line feed.
        """
        if self["data"] == ASCII:
            return format_reals(values, self.precision).encode("ascii") + b"\n"
        order = "<" if self["byteorder"] == LITTLE_ENDIAN else ">"
        width = "f4" if self["data"] == REAL32 else "f8"
        with np.errstate(over="ignore"):
            block = np.asarray(values, dtype=np.float64).astype(order + width).tobytes()
        return b"#0" + block + b"\n"


def format_reals(values: NDArray[np.float64] | Sequence[float], precision: int) -> str:
    """Write numbers in scientific notation with `precision` significant digits."""
    pattern = f"%.{precision - 1}e"
    return ", ".join([pattern % value for value in np.asarray(values, dtype=np.float64).tolist()])
