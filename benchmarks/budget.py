"""Error budgets: whether the shares of the causes add up to what was measured, and whether a dominant cause is named.

The runs are solves and bare inversions on chips of their own. A budget repeats a run with its own seed, so that the twin
has the same cells and the same noise. How well it would do without knowing the noise is another figure: the error that the
twin has when noise is drawn anew, relative to the measured one. Then every cause is made much larger than all others, one
at a time, as `_dominant_causes` says: once with its share, and on `SEEDS` chips of their own, whether it is named first.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks._dominant_causes import BOARD_NOISE, DOMINATED, OFFSET, Dominated, dominated_run
from benchmarks._solves import threads
from benchmarks.registry import Figure
from mho.procedures import Invert, Procedure, Solve
from mho.running import run as carry_out
from mho.running.budget import Budget, budget

PRESETS = ("ideal", "pku", "relaxing")
OTHER_KINDS: dict[str, Callable[[int], Procedure]] = {
    "two slices": lambda seed: Invert(
        conditions="3", size=4, vectors=4, scales=8, steps=0, loop_slices=2, seed=seed
    ),
    "by blocks": lambda seed: Solve(matrix="zuo2025-4x4", bits=8, leaf=2, seed=seed),
}
"""Made on the preset `pku`."""

RUNS_A_REPEAT = 4  # of each preset, half of them solves
DRAWS = 4
WANTED = 0.10  # of the measured error
NAMED = 0.80  # share of a cause that dominates
SEEDS, RIGHT = 20, 19  # chips on which each is made dominant, and on how many it is to be named first


def run(repeat: int) -> list[Figure]:
    """Explain `RUNS_A_REPEAT` runs of each preset for each repeat, and one run for each cause."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = [one for preset in PRESETS for one in _sums(preset, RUNS_A_REPEAT * repeat, folder)]
        figures += [one for kind in OTHER_KINDS for one in _sums(kind, RUNS_A_REPEAT * repeat, folder)]
        figures += [_dominance(cause, how, folder) for cause, how in DOMINATED.items()]
        figures += [_named(cause, cause, how, folder) for cause, how in DOMINATED.items()]
        figures.append(_named("read noise of the board", "read noise", BOARD_NOISE, folder))
        return [*figures, _offset(folder)]


def _sums(name: str, count: int, folder: Path) -> list[Figure]:
    """Explain so many runs of a preset, or of another kind."""
    budgets = [_explained(seed, name, folder) for seed in range(1, count + 1)]
    sums = [sum(one.share for one in found.shares) + found.rest for found in budgets]
    away = [abs(one - 1.0) for one in sums]
    again = [float(np.mean(found.again)) / found.measured for found in budgets]
    within = sum(abs(one - 1.0) <= WANTED for one in again)
    first: dict[str, int] = {}
    for found in budgets:
        best = found.first
        cause = "none" if best is None else best.cause
        first[cause] = first.get(cause, 0) + 1
    return [
        Figure(
            f"{name}: sum of the shares less 1, largest of {count} runs",
            max(away),
            "",
            target=f"at most {WANTED:g}",
            met=max(away) <= WANTED,
            detail={f"{cause} first": number for cause, number in first.items()},
            threads=threads(),
        ),
        Figure(
            f"{name}: error with noise drawn anew, over the measured one, median",
            statistics.median(again),
            "",
            target=f"1 +- {WANTED:g}",
            met=abs(statistics.median(again) - 1.0) <= WANTED,
            detail={
                f"within {WANTED:g}": f"{within} of {count}",
                "lowest": min(again),
                "highest": max(again),
            },
            threads=threads(),
        ),
    ]


def _explained(seed: int, name: str, folder: Path) -> Budget:
    """Return the budget of one run: on a preset, of odd seeds a solve, of even ones bare inversions."""
    procedure: Procedure = (
        Solve(matrix="dominant-8x8", bits=12, seed=seed)
        if seed % 2
        else Invert(conditions="3", size=4, vectors=4, scales=8, steps=0, seed=seed)
    )
    if name in OTHER_KINDS:
        procedure = OTHER_KINDS[name](seed)
    path = folder / f"{name}-{seed}.h5"
    preset = "pku" if name in OTHER_KINDS else name
    carry_out(procedure, "arrays", seed=seed, preset=preset, output=path)
    return budget(path, draws=DRAWS)


def _dominance(cause: str, how: Dominated, folder: Path) -> Figure:
    with dominated_run(cause, how, folder) as path:
        found = budget(path, draws=0)
    share = next(one.share for one in found.shares if one.cause == cause)
    named = found.first is not None and found.first.cause == cause
    return Figure(
        f"{cause} made dominant: its share",
        share,
        "",
        target=f"first, at least {NAMED:g}",
        met=named and share >= NAMED,
        detail={"error": f"{found.measured:.3g}", "advice": found.advice},
        threads=threads(),
    )


def _named(name: str, cause: str, how: Dominated, folder: Path) -> Figure:
    """Count on how many chips a cause that was made dominant is the first to mend."""
    first: dict[str, int] = {}
    gains = []
    for seed in range(1, SEEDS + 1):
        with dominated_run(f"{name} {seed}", how, folder, seed=seed) as path:
            found = budget(path, draws=0)
        best = "none" if found.first is None else found.first.cause
        first[best] = first.get(best, 0) + 1
        gains.append(1.0 - next(one.mended for one in found.shares if one.cause == cause) / found.twin)
    return Figure(
        f"{name} made dominant: named first",
        first.get(cause, 0),
        f"of {SEEDS}",
        target=f"at least {RIGHT}",
        met=first.get(cause, 0) >= RIGHT,
        detail={"mending it alone gains, median": f"{100 * statistics.median(gains):.0f} %"}
        | {f"{one} first": number for one, number in first.items() if one != cause},
        threads=threads(),
    )


def _offset(folder: Path) -> Figure:
    with dominated_run("offset", OFFSET, folder) as path:
        found = budget(path, draws=0)
    share = next(one.share for one in found.shares if one.cause == "offset")
    return Figure(
        "offset of 20 mV: its share, as the bench subtracts it",
        share,
        "",
        detail={"error": f"{found.measured:.3g}", "advice": found.advice},
        threads=threads(),
    )
