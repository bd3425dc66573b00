"""Prints the defects of a chip."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.chip_maps.defects import DefectList

SHOWN = 50


def print_defects(defects: DefectList, console: Console) -> None:
    """Print one row a defect, how many there are of each class, and how many cells are formed."""
    if defects.formed:
        arrays = ", ".join(f"{one.cells} of {one.array}" for one in defects.formed)
        console.print(Text(f"cells that have been formed: {arrays}"))
    if not defects.defects:
        console.print(Text(f"no defects on chip {defects.chip}"))
        return
    table = Table("where", "defect", "found", "run", "seen", box=None)
    for one in defects.defects[:SHOWN]:
        seen = ", ".join(filter(None, (one.reason, one.lost_by)))
        table.add_row(*map(Text, (str(one.place), one.kind, one.found[:16], one.run, seen)))
    console.print(table)
    if len(defects.defects) > SHOWN:
        console.print(Text(f"and {len(defects.defects) - SHOWN} more, see --json"))
    counts = Counter(one.kind for one in defects.defects)
    console.print(Text("; ".join(f"{count} {name}" for name, count in counts.most_common())))
