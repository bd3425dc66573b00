"""Makes the picture of the page on optimised policies: cost by settings tried, pulses by digit before and after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mho.extensions.optimise import PolicySearch, ProgrammingPolicy, Twin, optimise

SEED = 0
CELLS = {64: "o", 256: "s", 1024: "D"}  # tried on so many, with these marks


def draw_policy(pictures: Path) -> None:
    """Find the policy of the page, and draw it."""
    policy = optimise(
        "model", Twin("stanford-arrays", seed=SEED), PolicySearch(evaluations=100, seconds=None)
    )
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    search, pulses = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_search(search, policy)
    _draw_pulses(pulses, policy)
    figure.savefig(pictures / "optimise.png", dpi=110)


def _draw_search(axes: Axes, policy: ProgrammingPolicy) -> None:
    for (cells, mark), shade in zip(CELLS.items(), ("0.75", "0.5", "tab:blue"), strict=True):
        some = [one for one in policy.trials if one.cells == cells]
        axes.plot(
            [one.evaluation for one in some], [one.objective for one in some], mark, ms=4, color=shade,
            label=f"{cells} cells",
        )  # fmt: skip
    whole = sorted((one for one in policy.trials if one.cells == max(CELLS)), key=lambda one: one.evaluation)
    best = np.minimum.accumulate([one.objective for one in whole])
    axes.step([one.evaluation for one in whole], best, where="post", color="tab:blue", label="best so far")
    axes.set_xlabel("settings tried")
    axes.set_ylabel("pulses and reads a cell,\nmore where success is short")
    axes.set_ylim(0.9 * best[-1], 2.2 * best[0])
    axes.legend(frameon=False)


def _draw_pulses(axes: Axes, policy: ProgrammingPolicy) -> None:
    count = len(policy.twin.levels.nominal)
    for place, (name, some) in enumerate((("present", policy.before), ("found", policy.after))):
        digits, pulses = (
            np.concatenate([getattr(one, what) for one in some]) for what in ("digits", "pulses")
        )
        means = [pulses[digits == digit].mean() for digit in range(count)]
        axes.bar(
            np.arange(count) + 0.4 * (place - 0.5), means, 0.38, label=name, color=("0.7", "tab:blue")[place]
        )
    axes.set_xticks(range(count))
    axes.set_xlabel("digit")
    axes.set_ylabel("pulses a cell")
    axes.legend(frameon=False)
