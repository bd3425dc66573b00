"""Applications on fields and control on whole arrays: error to the digital answer, to the closed form, and seconds.

Each has its defaults, or what its name says. The peer of an error to the closed form is the digital answer's: where both
are equal, the grid is what limits it and not the chip. The peers of cycles and of digital multiplications are GCR
without the chip and the factorisation that takes fewest.
Of each the median over `repeat` chips.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mho
from benchmarks._without_chip import without_chip
from benchmarks.registry import Figure
from mho.extensions.applications import Arm, Diffusion, Junction, Kalman, Poisson, Portfolio, PowerFlow
from mho.procedures import Procedure

MINUTE = 60.0  # s that one command may take

APPLICATIONS: Mapping[str, Callable[[], Procedure]] = {
    "poisson, cylinder 16 x 16": Poisson,
    "poisson, dipole 16 x 16": lambda: Poisson(arrangement="dipole"),
    "poisson, dipole 32 x 32": lambda: Poisson(arrangement="dipole", size=32),
    "diffusion, 16 x 16, 12 steps": Diffusion,
    "junction, 64 points, each Jacobian programmed": Junction,
    "junction, 64 points, one Jacobian held": lambda: Junction(jacobian="held"),
    "kalman, rocket, one covariance held": Kalman,
    "arm, 40 steps, each matrix programmed, leaves of 3": Arm,
    "arm, 40 steps, one matrix held": lambda: Arm(matrix="held"),
    "power flow, ieee14, 61 right-hand sides": PowerFlow,
    "portfolio, 12 assets, 24 right-hand sides": Portfolio,
}


def run(repeat: int) -> list[Figure]:
    """Run every application on `repeat` chips."""
    return [figure for name in APPLICATIONS for figure in _figures(name, repeat)]


def _figures(name: str, repeat: int) -> list[Figure]:
    outcomes, seconds = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(repeat):
            started = time.process_time()
            result: Any = mho.run(
                APPLICATIONS[name](), "arrays", seed=seed, output=Path(folder) / f"{seed}.h5"
            )
            seconds.append(time.process_time() - started)
            outcomes.append(result.summary)

    def middle(key: str) -> float:
        return float(statistics.median(one[key] for one in outcomes))

    detail = {key: middle(key) for key in ("matrices", "cells", "pulses", "inversions", "products")}
    detail["converged"] = sum(one["converged"] for one in outcomes) / repeat
    figures = [
        Figure(f"{name}: error to the digital answer", middle("error_to_digital"), "relative", detail=detail),
        Figure(
            f"{name}: CPU time",
            float(statistics.median(seconds)),
            "s",
            target="under a minute",
            met=statistics.median(seconds) < MINUTE,
        ),
    ]
    if "error_to_closed_form" in outcomes[0]:
        figures.append(
            Figure(
                f"{name}: error to the closed form",
                middle("error_to_closed_form"),
                "relative",
                peer_name="float64",
                peer_value=middle("digital_error_to_closed_form"),
            )
        )
    return [*figures, *without_chip(name, outcomes)]
