"""Epochs, time and energy of a second-order training step beside SGD and Adam, its curvature inverted by the chip.

Published (arXiv 2512.05342): a two-layer convolutional network for handwritten letters takes 26 % fewer epochs than SGD
with momentum and 61 % fewer than Adam. Here a perceptron 64-16-10 reads 8x8 digits: another network and other data, so
these are a mark and not a target. Settings of every optimiser are searched over 27 each, on other seeds than those counted.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks._solves import threads
from benchmarks.registry import Figure

NAMES = {"sgd": "SGD with momentum", "adam": "Adam", "second_order": "second-order, float64"}
PUBLISHED = {"sgd": 0.26, "adam": 0.61}
SEEDS = 5


def run(repeat: int) -> list[Figure]:
    """Train once on `arrays`, every optimiser from five seeds a repeat."""
    import mho
    from mho.procedures import Train

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.h5"
        summary = mho.run(Train(seeds=SEEDS * repeat), "arrays", seed=1, output=path).summary
    rows = {row["key"]: row for row in summary["optimisers"]}
    return [
        *_epochs(summary, rows),
        *(_of_chip(rows[key], rows["sgd"]) for key in ("chip_1", "chip_3")),
        Figure(
            "wall time of the digital steps to the target, second-order in float64",
            summary["training_seconds"]["second_order"]["median"],
            "s",
            "SGD with momentum",
            summary["training_seconds"]["sgd"]["median"],
            detail={"Adam": summary["training_seconds"]["adam"]["median"]},
            threads=threads(),
        ),
    ]


def _epochs(summary: dict[str, Any], rows: dict[str, dict[str, Any]]) -> list[Figure]:
    """Epochs of each optimiser, and how many fewer the chip's take."""
    figures = []
    for key in ("chip_1", "chip_3", "second_order", "adam"):
        epochs = rows[key]["epochs"]
        figures.append(
            Figure(
                f"epochs to a validation loss of {summary['target']:g}, {rows[key]['name']}",
                epochs["median"],
                "epochs",
                NAMES["sgd"],
                rows["sgd"]["epochs"]["median"],
                detail={
                    "quartiles": (epochs["low"], epochs["high"]),
                    "reached": f"{epochs['reached']} of {epochs['of']}",
                },
                threads=threads(),
            )
        )
    for peer, published in PUBLISHED.items():
        figures.append(
            Figure(
                f"fewer epochs than {NAMES[peer]}, one step of INV",
                summary["fewer_epochs"][f"chip_1_than_{peer}"],
                "",
                "published, another network and data",
                published,
                threads=threads(),
            )
        )
    return figures


def _of_chip(row: dict[str, Any], peer: dict[str, Any]) -> Figure:
    """Energy of a training with the chip beside the digital operations of SGD."""
    return Figure(
        f"energy to the target, {row['name']}",
        row["joules"]["median"],
        "J",
        "digital operations of SGD at 10.4 pJ",
        peer["joules"]["median"],
        detail={
            "pulses": row["pulses"]["median"],
            "INV": row["inversions"]["median"],
            "time on the bench, s": row["chip_seconds"]["median"],
            "error of an inverse": row["inverse_error"]["median"],
        },
        threads=threads(),
    )
