"""Draws the picture of docs/compensation.md: ``python docs/make_pictures.py slices``."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks._large_systems import spd  # noqa: E402
from benchmarks.compensation import BITS, LOOPS  # noqa: E402
from mho.instruments import open_bench  # noqa: E402
from mho.procedures import Solve  # noqa: E402
from mho.running.execution import evaluate  # noqa: E402

SIZE, CONDITION, SEED = 32, 100.0, 1


def draw_slices(pictures: Path) -> None:
    """Draw how the error falls around loops of digits, of entries that are not rounded, and with two slices."""
    rng = np.random.default_rng(SEED)
    matrix, rhs = spd(rng, SIZE, CONDITION), rng.standard_normal(SIZE)
    with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "savefig.dpi": 130}):
        figure = Figure((5.5, 3.4), layout="constrained")
        axes = figure.subplots()
        for (name, how), marker in zip(LOOPS.items(), "ovs", strict=True):
            with open_bench("arrays", preset="pku", seed=SEED) as bench:
                solve = Solve(matrix=matrix, rhs=rhs, bits=BITS, residual="float64", **how)
                cycles = evaluate(solve, bench, seed=SEED).cycles
            errors = [cycle["relative_error"] for cycle in cycles]
            axes.semilogy(range(1, len(errors) + 1), errors, marker=marker, ms=4, label=name)
        axes.axhline(2.0**-BITS, color="0.5", lw=0.8, ls="--")
        axes.set(
            xlabel="cycle",
            ylabel="relative error",
            title=f"{SIZE} unknowns, condition number {CONDITION:g}, cells pku",
        )
        axes.legend()
        figure.savefig(pictures / "inv-two-slices.png")
