"""The numbers in which a run and its repetitions are compared, from the pulses of each.

Bins are those of the measured run. Nothing is fitted: a number of the table is what anybody reads off it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps import Levels
from mho.extensions.calibration.pulses_by_cell import READ, RESET, SET, Columns, by_cell

SAME, TINY = 1e-3, 1e-12  # relative and absolute differences of voltages and widths that count as none
DISTINCT, BINS = 12, 8  # voltages that are told apart each; bins where there are more
FEWEST = 20  # pulses of a bin
# What may be varied of SETs, with its name and unit
AXES = {"gate": ("V_WL", "V"), "width": ("width", "s"), "voltage": ("V_BL", "V")}
QUARTILES = (0.25, 0.5, 0.75)
FORMING = (0.1, 0.5, 0.9)
LONGEST = 0.95


@dataclass(frozen=True)
class ComparedQuantity:
    """One number of a run."""

    panel: str  # what it is of; those of one panel are drawn together
    what: str  # which number: mean, 25 % quantile
    x: float  # where: a voltage, a digit; NaN for a number of the whole run
    x_name: str
    x_unit: str
    unit: str


@dataclass(frozen=True)
class PulseNumbers:
    """Pulses on formed cells, each with the read before, sorted by cell and time; arrays (pulses,)."""

    cell: NDArray[np.int64]
    kind: Floats
    voltage: Floats
    width: Floats
    gate: Floats
    before: Floats
    after: Floats


Part = tuple[list[ComparedQuantity], Callable[[Columns], list[float]]]


def paired(columns: Columns, formed_above: float) -> PulseNumbers:
    """Return the pulses on cells that conducted more than `formed_above` (S) before."""
    order, first, cell = by_cell(columns)
    rows = {name: columns[name][order] for name in ("kind", "voltage", "width", "gate", "conductance")}
    before = np.concatenate([[np.nan], rows["conductance"][:-1]])[: len(order)]
    with np.errstate(invalid="ignore"):
        some = (rows["kind"] > READ) & ~first & (before > formed_above) & np.isfinite(rows["conductance"])
    return PulseNumbers(
        cell[some], rows["kind"][some], rows["voltage"][some], rows["width"][some], rows["gate"][some], before[some],
        rows["conductance"][some],
    )  # fmt: skip


def of_pulses(columns: Columns, formed_above: float) -> Part:
    """Return mean and deviation of G after SETs by V_WL (or what was varied), and quartiles of G after RESETs by V_SL."""
    measured = paired(columns, formed_above)
    sets, resets = measured.kind == SET, measured.kind == RESET
    axis = max(AXES, key=lambda one: (len(np.unique(getattr(measured, one)[sets])), one == "gate"))
    keys = getattr(measured, axis)[sets]
    gates, volts = _edges(keys), _edges(measured.voltage[resets])
    quantities = []
    for what in ("mean", "sd"):
        quantities += [
            ComparedQuantity(f"G after SET, {what}", what, x, *AXES[axis], "S") for x in _middles(gates, keys)
        ]
    for share in QUARTILES:
        quantities += [
            ComparedQuantity("G after RESET", _share(share), x, "V_SL", "V", "S")
            for x in _middles(volts, measured.voltage[resets])
        ]

    def values(columns: Columns) -> list[float]:
        pulses = paired(columns, formed_above)
        some = pulses.kind == SET
        up = _grouped(gates, getattr(pulses, axis)[some], pulses.after[some])
        some = pulses.kind == RESET
        down = _grouped(volts, pulses.voltage[some], pulses.after[some])
        return [
            *(float(one.mean()) if len(one) else np.nan for one in up),
            *(float(one.std(ddof=1)) if len(one) > 1 else np.nan for one in up),
            *(float(np.quantile(one, share)) if len(one) else np.nan for share in QUARTILES for one in down),
        ]

    return quantities, values


def of_programming(
    digits: NDArray[np.int64], rows: Sequence[int], lines: Sequence[int], levels: Levels
) -> Part:
    """Return pulses a cell and the share in its window by digit, and the 95 % quantile of pulses.

    `digits` (rows, columns): wanted of the cells where `rows` and `lines` cross.
    """
    known = np.unique(digits)
    quantities = [
        *(ComparedQuantity("pulses a cell, mean", "mean", float(k), "digit", "", "") for k in known),
        *(ComparedQuantity("share in the window", "window", float(k), "digit", "", "") for k in known),
        ComparedQuantity("pulses, all cells", "mean", np.nan, "", "", ""),
        ComparedQuantity("pulses, all cells", _share(LONGEST), np.nan, "", "", ""),
    ]
    targets = digits.ravel()

    def values(columns: Columns) -> list[float]:
        number = np.searchsorted(rows, columns["row"]) * len(lines) + np.searchsorted(
            lines, columns["column"]
        )
        pulses = np.bincount(number[columns["kind"] > READ], minlength=targets.size)
        last = np.full(targets.size, np.nan)
        order = np.argsort(columns["time"], kind="stable")
        read = order[np.isfinite(columns["conductance"][order])]
        last[number[read]] = columns["conductance"][read]
        inside = levels.inside(last, targets)
        return [
            *(float(pulses[targets == k].mean()) for k in known),
            *(float(inside[targets == k].mean()) for k in known),
            float(pulses.mean()),
            float(np.quantile(pulses, LONGEST)),
        ]

    return quantities, values


def of_forming(word_line: bool, formed_above: float) -> Part:
    """Return quantiles of the voltage at which cells formed, and the share that did."""
    name = "V_WL" if word_line else "V_BL"
    quantities = [
        *(ComparedQuantity(f"{name} that forms", _share(share), np.nan, "", "", "V") for share in FORMING),
        ComparedQuantity("share that forms", "forms", np.nan, "", "", ""),
    ]

    def values(columns: Columns) -> list[float]:
        tried = np.flatnonzero(columns["kind"] == SET)
        place = np.stack([columns[one][tried] for one in ("array", "row", "column")])
        cells, cell = np.unique(place, axis=1, return_inverse=True)
        done = columns["conductance"][tried] > formed_above
        first = np.full(cells.shape[1], np.inf)  # later pulses lead a cell on that has formed
        np.minimum.at(first, cell.ravel()[done], columns["gate" if word_line else "voltage"][tried][done])
        volts = first[np.isfinite(first)]
        some = [float(np.quantile(volts, share)) if len(volts) else np.nan for share in FORMING]
        return [*some, len(volts) / len(first) if len(first) else np.nan]

    return quantities, values


def of_cycles() -> Part:
    """Return medians of LRS and HRS, their spread from cycle to cycle and from cell to cell, and the memory of a cycle."""
    states = (("LRS", SET), ("HRS", RESET))
    units = {"median": "S", "sd of log10, cycles": "", "sd of log10, cells": "", "lag-1 correlation": ""}
    quantities = [
        ComparedQuantity(state, what, np.nan, "", "", unit)
        for state, _ in states
        for what, unit in units.items()
    ]

    def values(columns: Columns) -> list[float]:
        result: list[float] = []
        for _, kind in states:
            logs = _by_cell(columns, kind)
            cycle = float(np.sqrt(np.mean([one.var(ddof=1) for one in logs]))) if logs else np.nan
            cell = float(np.std([one.mean() for one in logs], ddof=1)) if len(logs) > 1 else np.nan
            median = float(10.0 ** np.median(np.concatenate(logs))) if logs else np.nan
            apart = [one - one.mean() for one in logs]
            squares = sum(float(one @ one) for one in apart)
            memory = sum(float(one[1:] @ one[:-1]) for one in apart) / squares if squares else np.nan
            result += [median, cycle, cell, memory]
        return result

    return quantities, values


def _by_cell(columns: Columns, kind: int) -> list[Floats]:
    """Return log10 G after the pulses of a kind, in the order of time, of each cell with three and more."""
    known = (columns["kind"] == kind) & (columns["conductance"] > 0.0)
    place = np.stack([columns[one][known] for one in ("array", "row", "column")])
    order = np.lexsort((columns["time"][known], *place))
    logs = np.log10(columns["conductance"][known][order])
    moved = (np.diff(place[:, order], axis=1) != 0).any(axis=0)
    return [one for one in np.split(logs, np.flatnonzero(moved) + 1) if len(one) > 2]


def _edges(values: Floats) -> Floats:
    """Return the edges of bins, each with enough of the values; fewer than two where there are too few.

    Edges lie between values: many are steps of one ladder, and a file keeps them in single precision, so that an edge at a
    step would have the steps of a file on one side and those of a drawn chip on the other.
    """
    known = np.unique(np.float32(values)).astype(float)
    if not len(known):
        return np.empty(0)
    if np.all(known > 0.0):
        known = known[np.append(True, np.diff(known) > SAME * known[1:])]
    inner = 0.5 * (known[1:] + known[:-1])
    if len(known) > DISTINCT:
        quantiles = np.quantile(values, np.linspace(0.0, 1.0, BINS + 1)[1:-1])
        inner = inner[np.unique(np.clip(np.searchsorted(inner, quantiles), 0, len(inner) - 1))]
    ends = known[[0, -1]] + np.array([-1.0, 1.0]) * (SAME * np.abs(known[[0, -1]]) + TINY)
    edges = np.concatenate([ends[:1], inner, ends[1:]])
    bounds = [edges[0]]  # a bin with too few joins the next one
    for edge in edges[1:]:
        if np.count_nonzero((values > bounds[-1]) & (values <= edge)) >= FEWEST:
            bounds.append(edge)
    return np.array(bounds)


def _middles(edges: Floats, values: Floats) -> list[float]:
    return [float(np.median(one)) for one in _grouped(edges, values, values)]


def _grouped(edges: Floats, keys: Floats, values: Floats) -> list[Floats]:
    return [values[(keys > low) & (keys <= high)] for low, high in itertools.pairwise(edges)]


def _share(share: float) -> str:
    return "median" if share == 0.5 else f"{100.0 * share:.0f} %"
