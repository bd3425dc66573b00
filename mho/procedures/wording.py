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


LEFT_OUT = {
    "unformed": "unformed", "virgin": "unformed", "below_noise": "below the noise of their readings",
    "do_not_conduct": "without conduction", "do_not_switch": "not switching",
    "never_switched": "that never switched", "stuck": "without a response",
}  # fmt: skip
"""Numbers of a result that count cells which were left out, and why these were."""


def measured_cells(summary: Mapping[str, Any]) -> int:
    """Return of how many of its ``cells`` an experiment tells: ``measured``, else all that were not unformed."""
    for name in ("measured", "conducting"):
        if name in summary:
            return int(summary[name])
    return int(summary["cells"]) - int(summary.get("unformed", summary.get("virgin", 0)))


def left_out(summary: Mapping[str, Any]) -> str:
    """Return which cells were left out, as a part of a line: ``4 unformed, 1 below the noise of their readings``."""
    return joined(*(if_any(int(summary.get(name) or 0), why) for name, why in LEFT_OUT.items()))


def without_measured(summary: Mapping[str, Any]) -> Conclusion | None:
    """Return the conclusion of an experiment that tells of none of its cells; None where it tells of one."""
    cells = int(summary["cells"])
    if not cells or measured_cells(summary):
        return None
    if cells in (summary.get("unformed"), summary.get("virgin")):
        return Conclusion(f"{cells:,} of {counted(cells, 'cell')} unformed", measured=False)
    why = left_out(summary)
    return Conclusion(f"{counted(cells, 'cell')}, {why}" if why else counted(cells, "cell"), measured=False)


def concluded(summary: Mapping[str, Any], *parts: str) -> Conclusion:
    """Return what an experiment tells of its cells, in parts; that it tells of none of them where this is so."""
    return without_measured(summary) or Conclusion(joined(*parts))


def joined(*parts: str) -> str:
    """Return the parts that are not empty, separated by commas."""
    return ", ".join(filter(None, parts))


def if_any(number: int, what: str) -> str:
    """Return ``7 WHAT``, or nothing where there are none."""
    return f"{number:,} {what}" if number else ""


def lost_cells(summary: Mapping[str, Any]) -> str:
    """Return how many cells the run's own pulses broke, as a part of a line; nothing where there are none."""
    return if_any(int(summary.get("lost_by_pulses") or 0), "lost by our pulses")


def verified_cells(cells: int, failed: int) -> str:
    """Return how many of the programmed cells are in their windows, as a part of a line."""
    if not failed:
        return f"{counted(cells, 'cell')} in {'its window' if cells == 1 else 'their windows'}"
    return f"{cells - failed:,} of {counted(cells, 'cell')} in their windows"


def percent(share: float) -> str:
    """Return a share in percent, to two digits: ``3.2 %``."""
    return f"{100.0 * share:.2g} %"
