"""Numbers from nothing: what the experiments on cells extract of cells that tell nothing, and of formed ones.

Every experiment on cells runs at a small size on cells that were never formed, that are stuck off (open), or stuck on, of
every preset; whatever number of its result claims a property of a cell is counted: there must be none. The same experiments
then run on formed cells, where as many as possible must be there, and HRS must be the chip's own.

A cell that is stuck on conducts: what is read of it is true, and only experiments that switch cells can tell.
`MHO_BENCHMARK_SEEDS` sets the chips of each preset and kind.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import mho
from benchmarks.registry import Figure
from mho.instruments import Bench
from mho.instruments.simulated import CELL_PRESETS
from mho.procedures import Disturb, Endurance, MapArray, Noise, Procedure, Response, Retention, Switching

SEEDS = int(os.environ.get("MHO_BENCHMARK_SEEDS", "1"))
ROWS, COLUMNS = 8, 8
CELLS: dict[str, Any] = {"rows": f"0:{ROWS}", "columns": f"0:{COLUMNS}"}
PRESETS = ("pku", "quiet", "relaxing", "ideal", "stanford", "stanford35")
FRESH, OFF, ON = "never formed", "stuck off", "stuck on"
WITHOUT = "extraction-stuck"  # name of the preset of stuck cells

LOOP = {"highest": 2.0, "lowest": -1.6, "gate": 2.4, "gate_reset": 2.8, "step": 0.05, "cycles": 2}
SWITCHING: Mapping[str, Callable[[], Procedure]] = {
    "iv": lambda: mho.IV(**CELLS, **LOOP, forming="no"),
    "form": lambda: mho.Form(**CELLS, step=0.2),
    "response": lambda: Response(**CELLS, points=8, repeats=2, forming="no"),
    "switching": lambda: Switching(**CELLS, cycles=10, forming="no"),
    "endurance": lambda: Endurance(**CELLS, cycles=500, forming="no"),
}
READING: Mapping[str, Callable[[], Procedure]] = {
    "iv, default": lambda: mho.IV(**CELLS, forming="no"),
    "retention": lambda: Retention(**CELLS, last=1e3, forming="no"),
    "noise": lambda: Noise(**CELLS, samples=128, series=2, forming="no"),
    "disturb": lambda: Disturb(**CELLS, pulses=1000, forming="no"),
    "map": lambda: MapArray(**CELLS),
}

NO_CLAIM = {
    # settings, counts, times, and what the meter itself shows
    "cells", "unformed", "formed_first", "below_noise", "measured", "do_not_switch", "do_not_conduct", "never_switched",
    "sweeps", "points", "limited_points", "reads", "elapsed", "age", "temperature", "pulses", "voltage", "gate", "width",
    "cycles", "repeats", "virtual_seconds", "wall_seconds", "formed_above", "deviation", "hrs_below_noise", "virgin",
    "stuck", "cells_fitted", "not_formed", "conducted_before", "yield", "yield_low", "yield_high",
    "outlier_rows", "outlier_columns",
    "conducting", "own_noise", "misfits", "not_extracted", "interval", "cannot_hold",
}  # fmt: skip
COUNTS = {
    "sets", "resets", "formed", "over_formed", "telegraph_cells", "failed", "in_window", "between", "above",
    "lost_by_pulses",
}  # fmt: skip
"""Counts that are claims where they are not 0."""

CONDUCTS = {"mean_conductance", "largest_current"}
"""Readings, true of whatever conducts."""


def claims(summary: Mapping[str, Any], within: str = "") -> dict[str, float | None]:
    """Return what a result says of its cells, by name: None where it says that it does not know."""
    found: dict[str, float | None] = {}
    for name, value in summary.items():
        if not within and name in NO_CLAIM:
            continue
        if isinstance(value, Mapping):
            found |= claims(value, f"{within}{name}.")
        elif isinstance(value, list):
            found |= {f"{within}{name}[{place}]": one for place, one in enumerate(value)}
        elif isinstance(value, int | float | None) and not isinstance(value, bool):
            counted = name in COUNTS or name.startswith("level_") or name.endswith("_in_LRS")
            counted |= name in ("stuck_in_HRS", "window_below_the_ratio", "missed_by_spread_alone")
            if not (counted and not value):
                found[f"{within}{name}"] = value
    return {name: value for name, value in found.items() if not name.endswith(("_low", "_high", "_fit_p"))}


@contextmanager
def chip(preset: str, kind: str, seed: int) -> Iterator[Bench]:
    """Open a bench whose cells are of a kind."""
    stuck = {} if kind == FRESH else {"stuck_on": float(kind == ON), "stuck_off": float(kind == OFF)}
    CELL_PRESETS[WITHOUT] = replace(CELL_PRESETS[preset], name=WITHOUT, **stuck)
    try:
        with mho.open_bench(bench_of(preset), preset=WITHOUT, seed=seed) as bench:
            yield bench
    finally:
        del CELL_PRESETS[WITHOUT]


def bench_of(preset: str) -> str:
    """Return the bench whose chip map fits a preset."""
    return f"{preset}-arrays" if preset.startswith("stanford") else "arrays"


def from_nothing(preset: str, kind: str, seed: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return the numbers that each experiment claims of cells of a kind, by experiment and name."""
    experiments = dict(SWITCHING) if kind == ON else {**READING, **SWITCHING}
    if kind == FRESH:
        del experiments["form"]  # forms them
    found: dict[str, dict[str, float]] = {}
    with chip(preset, kind, seed) as bench:
        for name, procedure in experiments.items():
            result = mho.run(procedure(), bench, seed=seed, output=folder)
            known = {one: value for one, value in claims(result.summary).items() if value is not None}
            if kind == ON:
                known = {one: value for one, value in known.items() if one not in CONDUCTS}
            found[name] = known
    return found


def from_formed(preset: str, seed: int, folder: Path) -> dict[str, tuple[int, int]]:
    """Return how many numbers each experiment told of formed cells, and how many it could have told."""
    found: dict[str, tuple[int, int]] = {}
    with chip(preset, FRESH, seed) as bench:
        mho.run(SWITCHING["form"](), bench, seed=seed, output=folder)
        for name, procedure in {**READING, **SWITCHING}.items():
            if name in ("form", "iv, default"):
                continue  # there is nothing to form, and 0.5 V switches nothing
            said = claims(mho.run(procedure(), bench, seed=seed, output=folder).summary)
            found[name] = sum(value is not None for value in said.values()), len(said)
    return found


def hrs_error(preset: str, seed: int, folder: Path) -> float:
    """Return the median error of the HRS that loops tell of formed cells, relative to the chip's own conductance."""
    with chip(preset, FRESH, seed) as bench:
        mho.run(SWITCHING["form"](), bench, seed=seed, output=folder)
        swept = mho.run(mho.IV(**CELLS, **(LOOP | {"cycles": 1})), bench, seed=seed, output=folder)
        assert bench.simulated is not None
        cells, (slots, _) = bench.simulated.chip.at("multiply", np.arange(ROWS), np.arange(COLUMNS))
        true = cells.conductance((slots, 0))
    told = swept.loops.hrs[0]
    known = np.isfinite(told)
    return float(np.median(np.abs(told[known] / true[known] - 1.0))) if known.any() else float("nan")


def run(repeat: int) -> list[Figure]:
    """Count over `SEEDS` chips of each preset and kind."""
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in (FRESH, OFF, ON):
            wrong: dict[str, float] = {}
            runs = 0
            for preset in PRESETS:
                for seed in range(SEEDS):
                    found = from_nothing(preset, kind, seed, folder)
                    runs += len(found)
                    wrong |= {
                        f"{preset} {seed} {experiment} {one}": value
                        for experiment, values in found.items()
                        for one, value in values.items()
                    }
            cells = len(PRESETS) * SEEDS * ROWS * COLUMNS
            figures.append(
                Figure(
                    f"numbers extracted from {cells} cells, {kind}", len(wrong), "numbers", target="0",
                    met=not wrong, detail={"runs": runs, **dict(list(wrong.items())[:20])},
                )
            )  # fmt: skip
        for preset in PRESETS:
            known = [from_formed(preset, seed, folder) for seed in range(SEEDS)]
            shares = {
                experiment: sum(one[experiment][0] for one in known)
                / sum(one[experiment][1] for one in known)
                for experiment in known[0]
            }
            errors = [hrs_error(preset, seed, folder) for seed in range(SEEDS)]
            told = [sum(pair[place] for one in known for pair in one.values()) for place in (0, 1)]
            figures.append(
                Figure(
                    f"share of the numbers told of formed cells, {preset}", told[0] / told[1], "",
                    detail={**{one: f"{share:.2f}" for one, share in shares.items()},
                            "error of HRS in loops": f"{np.nanmedian(errors):.3f}"},
                )
            )  # fmt: skip
    return figures
