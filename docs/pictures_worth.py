"""Makes the map of where a chip helps, of what `benchmarks.worth` measured: ``python docs/pictures_worth.py [SEEDS]``.

With a number of seeds it measures anew first, and keeps what it measured in `benchmarks/measured/worth.json`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.worth import JUDGED, PRESET, Weighed, load, measure, save  # noqa: E402

ENDS = (0.125, 8.0)  # of the colours: blue for what the chip saves, red for what it costs
DARK = (0.25, 4.0)  # beyond which a number is written in white
MARKS = {8: "o", 16: "s", 32: "D", 64: "^", 256: "v", 1024: "P"}


def draw_worth(pictures: Path) -> None:
    """Draw the map of what was measured: families by unknowns, and the ratio of cycles against the condition number."""
    mine = [one for one in load() if not one.refused and (one.preset, one.loop) == (PRESET, "digits")]
    figure = Figure(figsize=(12.5, 8.5), layout="constrained")
    cycles, digital, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.25))
    _draw_map(cycles, mine, lambda one: one.cycles_ratio, "cycles with the chip / without", named=True)
    _draw_map(
        digital, mine, lambda one: one.digital_ratio, "digital multiplications, with / without", named=False
    )
    _draw_by_condition(right, mine)
    figure.savefig(pictures / "worth-map.png", dpi=100)


def _draw_map(
    axes: Axes, weighed: list[Weighed], ratio: Callable[[Weighed], float], title: str, *, named: bool
) -> None:
    """Draw medians by family, the best conditioned at 32 unknowns highest up, and by unknowns."""
    sizes = sorted({one.size for one in weighed})
    at_32 = {one.family: one.condition for one in weighed if one.size == JUDGED and one.number == 0}
    families = sorted({one.family for one in weighed}, key=lambda family: at_32.get(family, np.inf))
    values = np.full((len(families), len(sizes)), np.nan)
    for row, family in enumerate(families):
        for column, size in enumerate(sizes):
            each = [ratio(one) for one in weighed if (one.family, one.size) == (family, size)]
            if each:
                values[row, column] = median(each)
                white = not DARK[0] < values[row, column] < DARK[1]
                axes.text(
                    column, row, f"{values[row, column]:.2f}", ha="center", va="center", fontsize=7,
                    color="white" if white else "black",
                )  # fmt: skip
    axes.imshow(values, norm=LogNorm(*ENDS), cmap="RdBu_r", aspect="auto")
    axes.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    labels = [f"{family} ({at_32[family]:.2g})" if family in at_32 else family for family in families]
    axes.set_yticks(range(len(families)), labels if named else [""] * len(families), fontsize=8)
    axes.set_xlabel("unknowns")
    axes.set_title(title, fontsize=10)


def _draw_by_condition(axes: Axes, weighed: list[Weighed]) -> None:
    """Draw the ratio of cycles of every system against its condition number."""
    for size in sorted({one.size for one in weighed}):
        each = [one for one in weighed if one.size == size]
        axes.loglog(
            [one.condition for one in each], [one.cycles_ratio for one in each], MARKS.get(size, "."), ms=5, alpha=0.7,
            label=f"n = {size:,}",
        )  # fmt: skip
    for level, words in ((1.0, "the chip saves no cycle"), (0.5, "half of the cycles")):
        axes.axhline(level, color="0.4", lw=1, ls=":")
        axes.text(0.99, 1.02 * level, words, transform=axes.get_yaxis_transform(), ha="right", fontsize=8)
    axes.set_xlim(0.8, 2e4)
    axes.set_xlabel("condition number")
    axes.set_title("cycles with the chip / without, each system", fontsize=10)
    axes.legend(frameon=False, fontsize=8)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        save(measure(int(sys.argv[1])))
    draw_worth(ROOT / "docs" / "pictures")
