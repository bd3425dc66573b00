"""Epochs, time and energy of a second-order training step beside SGD and Adam, its curvature inverted by the chip.

Published (arXiv 2512.05342): a two-layer convolutional network for handwritten letters takes 26 % fewer epochs than SGD
with momentum and 61 % fewer than Adam. Here a perceptron 64-16-10 reads 8x8 digits: another network and other data, so
these are a mark and not a target. Settings of every optimiser are searched over 27 each, on other seeds than those counted.
Each run has a seed of its own, so that figures are medians over runs, with intervals.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._solves import threads
from benchmarks._without_chip import without_chip
from benchmarks.registry import Figure
from mho.confidence import median_interval

NAMES = {"sgd": "SGD with momentum", "adam": "Adam", "second_order": "second-order, float64"}
PUBLISHED = {"sgd": 0.26, "adam": 0.61}
STARTS = 5  # of a run, each


def run(repeat: int) -> list[Figure]:
    """Train in twice `repeat` runs on `arrays`, each with a seed of its own, every optimiser from five starts."""
    import mho
    from mho.extensions.applications import Train

    with tempfile.TemporaryDirectory() as folder:
        summaries = [
            mho.run(Train(seeds=STARTS), "arrays", seed=seed, output=Path(folder) / f"{seed}.h5").summary
            for seed in range(1, 2 * repeat + 1)
        ]
    runs = [{row["key"]: row for row in one["optimisers"]} for one in summaries]
    return [
        *_epochs(summaries[0]["target"], runs),
        *(_of_chip(runs, key) for key in ("chip_1", "chip_3")),
        Figure(
            "wall time of the digital steps to the target, second-order in float64",
            _median([one["training_seconds"]["second_order"]["median"] for one in summaries]),
            "s",
            "SGD with momentum",
            _median([one["training_seconds"]["sgd"]["median"] for one in summaries]),
            detail={"Adam": _median([one["training_seconds"]["adam"]["median"] for one in summaries])},
            threads=threads(),
        ),
        Figure(
            "share of the digital operations of second-order training that inverses take, the most that a chip saves",
            _median([one["second_order"]["share_of_inverses"]["median"] for one in runs]),
            "",
        ),
        *without_chip("Kronecker factors", summaries),
    ]


def _epochs_of(runs: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    medians = [one[key]["epochs"]["median"] for one in runs]
    return np.array([np.inf if one is None else one for one in medians], np.float64)


def _epochs(target: float, runs: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Epochs of each optimiser, and how many fewer the chip's take."""
    from mho.extensions.applications import Train
    from mho.extensions.applications.training.training_result import savings

    figures = []
    for key in ("chip_1", "chip_3", "second_order", "adam"):
        epochs = _epochs_of(runs, key)
        reached = sum(one[key]["epochs"]["reached"] for one in runs)
        figures.append(
            Figure(
                f"epochs to a validation loss of {target:g}, {runs[0][key]['name']}",
                _median(epochs),
                "epochs",
                NAMES["sgd"],
                _median(_epochs_of(runs, "sgd")),
                detail={
                    "runs": epochs.tolist(),
                    "reached": f"{reached} of {STARTS * len(runs)} starts",
                },
                threads=threads(),
            )
        )
    for peer, published in PUBLISHED.items():
        # A run in which most starts of the peer do not come to its goal is censored at the limit.
        least, most = savings(_epochs_of(runs, "chip_1"), _epochs_of(runs, peer), float(Train().epochs))
        figures.append(
            Figure(
                f"fewer epochs than {NAMES[peer]}, one step of INV, at least",
                _median(least),
                "",
                "published, another network and data",
                published,
                detail={
                    "95 % of the median over runs": f"{median_interval(least)[0]:.2f} to {median_interval(most)[1]:.2f}",
                    "runs": len(runs),
                    "censored": int(np.isinf(_epochs_of(runs, peer)).sum()),
                },
                threads=threads(),
            )
        )
    return figures


def _of_chip(runs: Sequence[Mapping[str, Any]], key: str) -> Figure:
    """Energy of a training with the chip beside the digital operations of SGD."""
    rows = [one[key] for one in runs]
    return Figure(
        f"energy to the target, {rows[0]['name']}",
        _median([one["joules"]["median"] for one in rows]),
        "J",
        "digital operations of SGD at 10.4 pJ",
        _median([one["sgd"]["joules"]["median"] for one in runs]),
        detail={
            "pulses": _median([one["pulses"]["median"] for one in rows]),
            "INV": _median([one["inversions"]["median"] for one in rows]),
            "time on the bench, s": _median([one["chip_seconds"]["median"] for one in rows]),
            "error of an inverse": _median([one["inverse_error"]["median"] for one in rows]),
        },
        threads=threads(),
    )


def _median(values: Sequence[float | None] | NDArray[np.float64]) -> float:
    return float(np.median([np.inf if one is None else one for one in values]))
