"""Shows a calibration: parameters with intervals, what goes together, what would tell the rest, and its checks."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from mho.analysis.calibration import COMMANDS, Calibration, GatheredEvidence
from mho.analysis.reports import handy_unit

if TYPE_CHECKING:
    from mho.running.calibrating import Check, Checks

TOGETHER = 0.8  # correlations that are told
PAIRS = 6


def print_calibration(found: Calibration, told: GatheredEvidence, console: Console) -> None:
    """Print a table of the parameters that were told, then sentences."""
    data = found.transitions
    table = Table(box=None)
    for heading in ("parameter", "value", "95 % interval"):
        table.add_column(heading, no_wrap=True)
    table.add_column("from")
    sources = {name: f"{part.kind}s" for part in found.parts for name in part.coordinates.names}
    for name, value, low, high, known in zip(
        found.names, found.mean, found.low, found.high, found.told, strict=True
    ):
        if known:
            table.add_row(name, f"{value:.4g}", f"{low:.4g} to {high:.4g}", sources[name])
    for one in told.estimates:
        table.add_row(one.label, f"{one.value:.4g}", f"{one.low:.4g} to {one.high:.4g}", one.source)
    console.print(table)
    console.print(
        f"from {data.sets.count} SETs and {data.resets.count} RESETs on {data.cells} cells, about the preset {found.base}"
    )
    for remark in (*found.remarks, *told.remarks):
        console.print(remark)
    for name, why in told.nothing.items():
        console.print(f"{name} tells nothing: {why}")
    pairs = _together(found)
    if pairs:
        console.print("known only together: " + "; ".join(pairs))
    _print_helping(found, told, console)


def _print_helping(found: Calibration, told: GatheredEvidence, console: Console) -> None:
    """Say what these data do not tell, the experiment that would tell most of it first."""
    experiments: dict[str, list[str]] = defaultdict(list)
    known = {one.name for one in told.estimates}
    for name, experiment in found.not_told.items():
        if name not in known:
            experiments[experiment].append(name)
    if not experiments:
        return
    console.print("not told by these data; what would tell, the most helpful first:")
    for experiment, names in sorted(experiments.items(), key=lambda one: -len(one[1])):
        command = f" (`{COMMANDS[experiment]}`)" if experiment in COMMANDS else ""
        console.print(f"  {', '.join(names)}: {experiment}{command}", markup=False)


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


def print_checks(checks: Checks, console: Console) -> None:
    """Print each number beside the drawn ones, run by run, and a sentence on those outside."""
    table = Table(box=None)
    for heading in ("number", "at", "measured", "drawn, 95 %", "p"):
        table.add_column(heading, no_wrap=True, min_width=8 if heading == "p" else None)
    run = ""
    for one in checks.checks:
        if one.run != run:
            run = one.run
            table.add_row(f"{run}, held out" if one.held_out else run)
        middle, low, high = (_text(value, one.quantity.unit) for value in one.interval)
        table.add_row(
            f"  {_name(one)}",
            _place(one),
            f"{_text(one.measured, one.quantity.unit)} {handy_unit(one.quantity.unit)[1]}".rstrip(),
            f"{middle} ({low} to {high})",
            f"{one.probability:.2f}" + (" out" if one.outside else ""),
        )
    if checks.checks:
        console.print(table)
        console.print(verdict(checks))
    for name, why in checks.not_repeated.items():
        console.print(f"{name} is not held to: {why}")


def verdict(checks: Checks) -> str:
    """Return what the checks say, in one sentence or two."""
    begin = f"{checks.says}; of a perfect twin {0.05 * len(checks.checks):.1f} would in the mean"
    if not checks.outside:
        return f"{begin}: these data do not contradict it"
    names = dict.fromkeys(f"{_name(one)} ({one.run})" for one in checks.outside)
    more = " More than chance has: the preset failed." if checks.state == "failed" else ""
    return f"{begin}.{more} Outside: {'; '.join(names)}"


def _name(one: Check) -> str:
    q = one.quantity
    return q.panel if q.panel.endswith(q.what) else f"{q.panel}, {q.what}"


def _place(one: Check) -> str:
    q = one.quantity
    if np.isnan(q.x):
        return ""
    if q.x_unit == "s":
        return f"{1e9 * q.x:.3g} ns"
    return f"{q.x:.3f} {q.x_unit}" if q.x_unit else f"{q.x_name} {q.x:.0f}"


def _text(value: float, unit: str) -> str:
    shown = handy_unit(unit)[0] * value
    return f"{shown:.3g}" if abs(shown) >= 0.1 else f"{shown:.2g}"
