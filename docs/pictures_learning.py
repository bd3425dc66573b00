"""Makes the pictures of the pages on graphs and learning, each of a run as its page says."""

from __future__ import annotations

from pathlib import Path

import mho
from mho.analysis.figures.sheet import draw_alone
from mho.analysis.figures.values.figures_of_run import figure_of
from mho.extensions.applications import Eigenvector, Factorisation, PageRank, PseudoInverse, Regression
from mho.procedures import Procedure

SEED = 1
SIZE = (5.6, 3.4)  # inches
DOTS = 100

RUNS: dict[str, tuple[Procedure, dict[str, tuple[float, float]]]] = {
    "pagerank": (PageRank(), {"agreement": SIZE, "convergence": SIZE}),
    "eigenvector": (Eigenvector(), {"residuals": SIZE}),
    "linear": (Regression(), {"convergence": SIZE}),
    "ridge": (Regression(kind="ridge"), {"ridge_trace": (6.4, 3.4)}),
    "logistic": (Regression(kind="logistic"), {"probabilities": SIZE}),
    "generalised-inverse": (
        Regression(features="gnp, unemployed, armed_forces", circuit="generalised-inverse"),
        {"predictions": SIZE, "convergence": SIZE},
    ),
    "pseudoinverse": (PseudoInverse(), {"pseudo_inverse": (6.4, 4.0)}),
    "factorisation": (Factorisation(), {"pictures": (8.0, 2.4), "errors": (5.6, 4.0)}),
}
"""Runs on the bench `arrays`, and the figures that are drawn of each, with their sizes."""


def draw_learning(folder: Path, pictures: Path) -> None:
    """Carry the runs out, with run files in `folder`, and draw their figures into `pictures`."""
    for name, (procedure, figures) in RUNS.items():
        with mho.open_bench("arrays", seed=SEED) as bench:
            mho.run(procedure, bench, seed=SEED, output=folder / f"{name}.h5")
        with mho.open_run(folder / f"{name}.h5") as run:
            for figure, size in figures.items():
                sheet = draw_alone(run, figure_of(run, figure), size, DOTS, 1 << 20)
                picture = pictures / f"learning-{name}-{figure.replace('_', '-')}.png"
                sheet.savefig(picture, metadata={"Software": None})
