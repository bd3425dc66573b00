"""The preset `stanford` beside the chips that it was fitted to: a picture, and the table of the benchmark."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import measured_cells
from benchmarks._measured_cells import MEASURED, reset_staircase, single_sets
from docs.cell_figures.bench import save
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS

OURS, THEIRS = "#0072B2", "#D55E00"
PRESET = CELL_PRESETS["stanford"]


def as_measured() -> Iterator[tuple[str, ...]]:
    """Rows of the table: quantity, measured, ours, ratio, probability; and the picture."""
    figures = measured_cells.run(1)
    figure = Figure((9, 6.6), layout="constrained")
    axes = figure.subplots(2, 2)
    _set(axes[0, 0])
    _reset(axes[0, 1])
    values = {one.name: one for one in figures}
    _steps(axes[1, 0], values)
    _levels(axes[1, 1], values)
    save(figure, "as-measured")
    for one in figures:
        measured = one.peer_value or 0.0
        probability = one.detail.get("probability")
        shown = "" if probability is None else (f"{probability:.2f}" if probability >= 0.01 else "below 0.01")
        unit = f" {one.unit}" if one.unit else ""
        yield (
            one.name,
            f"{measured:.4g}{unit}",
            f"{one.value:.4g}{unit}",
            f"{one.value / measured:.2f}",
            shown,
        )


def _set(ax: Axes) -> None:
    gates = [row[0] for row in MEASURED["set"]["rows"]]
    reads = [single_sets(PRESET, 1000, 5, gate, seed=1) for gate in gates]
    low, middle, high = np.array([np.quantile(read, [0.05, 0.5, 0.95]) for read in reads]).T
    ax.fill_between(gates, low, high, color=OURS, alpha=0.2, lw=0, label="ours, 5 to 95 %")
    ax.plot(gates, middle, color=OURS, label="ours, median")
    ax.plot(gates, [row[1] for row in MEASURED["set"]["rows"]], "o", color=THEIRS, label="measured, median")
    ax.set(xlabel="V_WL (V)", ylabel="G (uS)", title="one SET of 100 ns after a RESET")
    ax.legend()


def _reset(ax: Axes) -> None:
    after = reset_staircase(PRESET, 2000, seed=5)
    volts = list(after)
    for share, style in ((0.25, ":"), (0.5, "-"), (0.75, "--")):
        quantile = [np.quantile(after[volt], share) for volt in volts]
        ax.semilogy(volts, quantile, style, color=OURS, label=f"ours, {100 * share:g} %")
    for place, marker in ((1, "v"), (2, "o"), (3, "^")):
        rows = MEASURED["reset"]["rows"]
        ax.semilogy([row[0] for row in rows], [row[place] for row in rows], marker, color=THEIRS, ms=4)
    ax.set(xlabel="V_SL (V)", ylabel="G (uS)", title="staircase of RESETs, 200 ns", xlim=(1.2, 2.8))
    ax.legend()


def _steps(ax: Axes, values: dict[str, measured_cells.Figure]) -> None:
    rows = MEASURED["steps"]["rows"]
    name = "ISPP in steps of {:g} V, without HRS: mean pulses"
    ax.plot(
        [row[0] for row in rows],
        [values[name.format(row[0])].value for row in rows],
        color=OURS,
        label="ours",
    )
    ax.plot([row[0] for row in rows], [row[1] for row in rows], "o", color=THEIRS, label="measured")
    ax.set(
        xlabel="step of V_WL (V)",
        ylabel="mean pulses a cell",
        title="ISPP at 2 bits by its step",
        ylim=(0, None),
    )
    ax.legend()


def _levels(ax: Axes, values: dict[str, measured_cells.Figure]) -> None:
    shown = [
        one for one in values.values() if "uS: mean pulses" in one.name or "and more: mean pulses" in one.name
    ]
    windows = [one.name.split(", ")[2].removesuffix(": mean pulses") for one in shown]
    runs = [one.name.split(", ")[1] for one in shown]
    labels = [f"{window}\n{run}" for window, run in zip(windows, runs, strict=True)]
    place = np.arange(len(shown))
    ax.barh(place - 0.2, [one.value for one in shown], 0.4, color=OURS, label="ours")
    ax.barh(place + 0.2, [one.peer_value or 0.0 for one in shown], 0.4, color=THEIRS, label="measured")
    ax.set_yticks(place, labels, fontsize=6)
    ax.set(xlabel="mean pulses a cell", title="ISPP by level and run", xlim=(0, 45))
    ax.legend()
