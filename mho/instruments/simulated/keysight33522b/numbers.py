"""Numbers as a Keysight generator takes them: beyond a limit it sets the limit, and reports -222.

33500 Series Operating and Service Guide, 33500-90901, pp 69, 215 and 324.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mho.instruments.simulated.scpi.parameters import Keyword, Limit, Numeric

INFINITY = "9.9E+37"


@dataclass(frozen=True)
class Clipped(Numeric):
    """A number that is clipped to its limits, with an error passed to the device's `push_error`."""

    @property
    def depends(self) -> bool:  # type: ignore[override]
        """To clip, it needs the device."""
        return True

    def resolve(self, value: float | Keyword, device: Any, suffixes: tuple[int, ...]) -> float:
        """Return the number, or the limit that it is beyond."""
        if isinstance(value, Keyword) or value in self.names.values():
            return super().resolve(value, device, suffixes)
        minimum, maximum = _at(self.minimum, device, suffixes), _at(self.maximum, device, suffixes)
        if value < minimum:
            device.push_error(-222, "value clipped to lower limit")
            return minimum
        if value > maximum:
            device.push_error(-222, "value clipped to upper limit")
            return maximum
        return value

    def format(self, value: float, device: Any) -> str:
        """Write it as a real number, a count as well; infinity has a spelling of its own."""
        return INFINITY if value in self.names.values() else str(device.real_format % value)


def _at(limit: Limit, device: Any, suffixes: tuple[int, ...]) -> float:
    return limit(device, *suffixes) if callable(limit) else limit
