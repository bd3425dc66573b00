"""Lines that applications conclude with: whether all was reached, and the error beside the digital answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mho.procedures import counted, joined, lost_cells, verified_cells
from mho.runs import Conclusion

# Numbers of a result that count what does not have the bits asked for, and what these are
SHORT = {
    "steps_short_of_bits": "step", "systems_short_of_bits": "system", "solutions_short_of_bits": "solution",
    "portfolios_short_of_bits": "portfolio",
}  # fmt: skip


def concluded(summary: Mapping[str, Any], *parts: str) -> Conclusion:
    """Return the conclusion of an application: whether it converged, its own `parts`, and the cells that failed."""
    short = joined(
        *(
            f"{counted(summary[name], what)} short of bits"
            for name, what in SHORT.items()
            if summary.get(name)
        )
    )
    converged = {True: "converged", False: "not converged", None: ""}[summary.get("converged")]
    failed = summary.get("cells_failed") or 0
    return Conclusion(
        joined(f"{converged}: {short}" if short else converged, *parts,
               *((summary.get(one) or {}).get("in_words", "") for one in ("without_chip", "direct")),
               verified_cells(summary["cells"], failed) if failed else "", lost_cells(summary)),
    )  # fmt: skip


def beside_digital(summary: Mapping[str, Any], name: str) -> str:
    """Return the relative error of that name of a result, as a part of a line."""
    return f"error {summary[name]:.2g} beside the digital answer"
