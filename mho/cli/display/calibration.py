"""Shows a calibration: parameters with intervals, what goes together, and what would tell the rest."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from rich.console import Console
from rich.table import Table

from mho.analysis.calibration import Calibration

TOGETHER = 0.8  # correlations that are told
PAIRS = 6


def print_calibration(found: Calibration, console: Console) -> None:
    """Print a table of the parameters that were told, then sentences."""
    data = found.transitions
    table = Table("parameter", "value", "95 % interval", box=None)
    for name, value, low, high, told in zip(
        found.names, found.mean, found.low, found.high, found.told, strict=True
    ):
        if told:
            table.add_row(name, f"{value:.4g}", f"{low:.4g} to {high:.4g}")
    console.print(table)
    console.print(
        f"from {data.sets.count} SETs and {data.resets.count} RESETs on {data.cells} cells, about the preset {found.base}"
    )
    for remark in found.remarks:
        console.print(remark)
    pairs = _together(found)
    if pairs:
        console.print("known only together: " + "; ".join(pairs))
    experiments: dict[str, list[str]] = defaultdict(list)
    for name, experiment in found.not_told.items():
        experiments[experiment].append(name)
    if experiments:
        console.print("not told by these data; what would tell:")
        for experiment, names in experiments.items():
            console.print(f"  {', '.join(names)}: {experiment}")


def _together(found: Calibration) -> list[str]:
    """Return the strongest correlations between parameters that were told."""
    strength = np.abs(np.tril(found.correlation, -1)) * np.outer(found.told, found.told)
    order = np.argsort(-strength, axis=None)[:PAIRS]
    rows, columns = np.unravel_index(order, strength.shape)
    return [
        f"{found.names[i]} and {found.names[j]} ({found.correlation[i, j]:+.2f})"
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        if strength[i, j] > TOGETHER
    ]
