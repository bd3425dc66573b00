"""Words of the lines that procedures conclude with: counts, quantities of a handy size, what became of cells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mho.runs import Conclusion

_PREFIXES = {-3: "m", -6: "µ", -9: "n", -12: "p"}
_PREFIXED = {"V", "A", "S", "s", "J", "rad"}


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number of things: ``1 cell``, ``1,024 cells``, with `several` for ``2 matrices``."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def quantity(value: float, unit: str = "") -> str:
    """Return a number with its unit, to three digits: ``26.9 µS``, ``3.14 V``, ``10,000 s``."""
    if unit in _PREFIXED and 1e-15 <= abs(value) < 1e-1:
        exponent = max(-12, 3 * math.floor(math.log10(abs(value)) / 3.0))
        return f"{value / 10.0**exponent:.3g} {_PREFIXES[exponent]}{unit}"
    return f"{value:,.0f} {unit}".rstrip() if 1e3 <= abs(value) < 1e9 else f"{value:.3g} {unit}".rstrip()


def without_formed(summary: Mapping[str, Any], name: str = "unformed") -> Conclusion | None:
    """Return the conclusion of an experiment none of whose cells was formed; None where one was, or nothing tells.

    Parameters
    ----------
    name : str
        Of the result's number of cells that were left out as unformed, beside ``cells``.
    """
    cells, unformed = summary.get("cells"), summary.get(name)
    if not cells or unformed != cells:
        return None
    return Conclusion(f"{cells:,} of {counted(cells, 'cell')} unformed", measured=False)


def joined(*parts: str) -> str:
    """Return the parts that are not empty, separated by commas."""
    return ", ".join(filter(None, parts))


def if_any(number: int, what: str) -> str:
    """Return ``7 WHAT``, or nothing where there are none."""
    return f"{number:,} {what}" if number else ""


def lost_cells(summary: Mapping[str, Any]) -> str:
    """Return how many cells the run's own pulses broke, as a part of a line; nothing where there are none."""
    return if_any(int(summary.get("lost_by_pulses") or 0), "lost by our pulses")


def in_windows(cells: int, failed: int) -> str:
    """Return how many of the programmed cells are in their windows, as a part of a line."""
    if not failed:
        return f"{counted(cells, 'cell')} in {'its window' if cells == 1 else 'their windows'}"
    return f"{cells - failed:,} of {counted(cells, 'cell')} in their windows"


def percent(share: float) -> str:
    """Return a share in percent, to two digits: ``3.2 %``."""
    return f"{100.0 * share:.2g} %"
