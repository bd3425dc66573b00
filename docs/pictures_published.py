"""Draws the pictures of docs/published.md: both published curves among those of chips, and every number beside its own."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.published_settings import MID_RISE, VIRGIN, Changed, bits, outcomes  # noqa: E402
from mho.analysis import plot  # noqa: E402
from mho.extensions.published import ExperimentOutcome, repeat_published  # noqa: E402

CHIPS = 60
QUICK = ("levels", "4x4-12bit", "4x4-24bit", "complex-4x4", "settling", "mimo-128x8", "throughput")
CURVES = (("12 bits", "4x4-12bit"), ("24 bits", "4x4-24bit"))
OURS, THEIRS = "#9ab8d6", "#b03a2e"
OTHERS = {
    "median with 4 bits": (Changed(bits(4)), "#8a8a8a", "--"),
    "median with the zero read once, between codes, and level 0 virgin": (
        Changed(MID_RISE, VIRGIN),
        "#5a7d4f",
        ":",
    ),
}


def draw_published(folder: Path, pictures: Path) -> None:
    """Repeat the experiments, and draw the curves of every chip and all numbers."""
    packaged = outcomes(Changed(), CHIPS)
    others = {label: outcomes(changed, CHIPS) for label, (changed, _, _) in OTHERS.items()}
    with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "savefig.dpi": 120}):
        figure = Figure((9, 4.0), layout="constrained")
        for axes, (name, experiment) in zip(figure.subplots(1, 2), CURVES, strict=True):
            _curves(axes, packaged[name], {label: found[name] for label, found in others.items()})
            axes.set_title(f"{experiment}: {CHIPS} chips")
        lines, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside lower center", ncols=3, fontsize=7)
        figure.savefig(pictures / "published-curves.png")
    run = folder / "published.h5"
    repeat_published(QUICK, chips=20, output=run)
    plot(run, pictures / "published-parity.png", figure="parity")


def _curves(axes: Axes, found: ExperimentOutcome, others: dict[str, ExperimentOutcome]) -> None:
    """Draw every chip's curve, the published one, and the medians of chips with other settings."""
    errors, published = (
        _errors(found),
        [row.published for row in found.rows if row.quantity == "relative error"],
    )
    cycles = np.arange(1, errors.shape[1] + 1)
    lines = axes.semilogy(cycles, errors.T, color=OURS, linewidth=0.7)
    lines[0].set_label("chips of bench zuo2025, INV outputs of 5 bits")
    axes.semilogy(cycles, np.median(errors, axis=0), "-", color="#2c5d8f", label="their median")
    for label, other in others.items():
        _, colour, line = OTHERS[label]
        axes.semilogy(cycles, np.median(_errors(other), axis=0), line, color=colour, label=label)
    axes.semilogy(
        cycles, np.array(published, float), "o-", color=THEIRS, label="published, read off the figure"
    )
    axes.set_xlabel("cycle")
    axes.set_ylabel("relative error")
    axes.set_xticks(cycles)


def _errors(found: ExperimentOutcome) -> np.ndarray:
    (table,) = (columns for name, columns in found.tables.items() if name.startswith("curves"))
    return np.asarray(table["error"]).reshape(int(np.asarray(table["chip"])[-1]), -1)
