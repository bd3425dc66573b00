"""Relaxation of cells of the preset `relaxing` beside measured ones, in every range of conductance and at every time.

Cells are programmed and read as on a bench, in as many replicas of the measured experiment as the repeats ask for. Each
statistic is set beside the measured one, with the probability that one as far out is drawn from ours (posterior
predictive, two-sided). With thousands of cells a small error of the model makes that small: the ratio tells how large it
is. The correlations and the levels were not fitted, but for two numbers of the preset, as docs/cells.md says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import Figure
from mho.array_types import Floats
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset

MEASURED = Path(__file__).parent / "measured" / "relaxation.json"
REPLICAS_A_REPEAT = 40
AT_LEAST = 60_000  # cells of a range: the sd of heavy tails takes many
ALL = slice(None)
APERTURE = 1e-4  # s, of a read
VERIFY = 5e-4  # s from the pulse to the read that counts as the beginning
WIDTH = 10e-6  # s
BIT_LINE = 3.0  # V
SPARE = 1.3  # times as many cells as needed: those whose first read falls into another range are left out
STILL = 0.2e-6  # S
LEVEL = 2.5e-6  # S between levels
TOP = 37.5e-6  # S, the highest level's centre
LOWEST, HIGHEST = 0.1e-6, 39.8e-6  # S, of the measured cells


@dataclass(frozen=True)
class Measured:
    """Statistics of one range of conductance (S) at one time (s)."""

    low: float
    high: float
    time: float
    count: int
    statistics: dict[str, float]


@dataclass(frozen=True)
class Criterion:
    """How near a statistic must come: `far` is its distance from the measured one as a share of what is allowed."""

    unit: str
    target: str
    far: Callable[[float, float], float]


CRITERIA = {
    "mean": Criterion("uS", "within 0.3 uS", lambda ours, theirs: abs(ours - theirs) / 0.3),
    "sd": Criterion("uS", "within 15 %", lambda ours, theirs: abs(ours / theirs - 1.0) / 0.15),
    "robust sd": Criterion("uS", "within 20 %", lambda ours, theirs: abs(ours / theirs - 1.0) / 0.20),
    "still": Criterion("%", "within 5 points", lambda ours, theirs: abs(ours - theirs) / 5.0),
}


def run(repeat: int) -> list[Figure]:
    """Compare every statistic; 40 replicas a repeat."""
    return list(compare(CELL_PRESETS["relaxing"], REPLICAS_A_REPEAT * repeat, np.random.default_rng(2026)))


@lru_cache(maxsize=1)
def source() -> dict[str, Any]:
    """Return the file of measured statistics."""
    loaded: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return loaded


def measured() -> list[Measured]:
    """Return the measured relaxation, ranges and times in order."""
    rows = []
    for low, high, time, count, mean, sd, robust, still, *_ in source()["relaxation"]["table"]:
        values = dict(zip(CRITERIA, (mean, sd, robust, 100.0 * still), strict=True))
        rows.append(Measured(1e-6 * low, 1e-6 * high, time, count, values))
    return rows


def compare(preset: CellPreset, replicas: int, rng: np.random.Generator) -> Iterator[Figure]:
    """Compare cells of a preset, in so many replicas of the experiment, with the measured ones."""
    table = measured()
    times = sorted({row.time for row in table})
    far, starts, changes = [], [], []
    for low in sorted({row.low for row in table}):
        rows = [row for row in table if row.low == low]
        most = max(row.count for row in rows)
        enough = max(replicas, AT_LEAST // most)
        start, change = watch(preset, (low, rows[0].high), (enough, most), times, rng)
        starts.append(start[:replicas])
        changes.append(change[:, :replicas])
        for row in rows:
            seen = change[times.index(row.time), :, : row.count]
            ours, all_of_them = statistics(seen), statistics(seen.reshape(-1))
            for name, theirs in row.statistics.items():
                title = f"{_range(row)} {row.time:g} s: {name}"
                figure = _figure(title, ours[name], theirs, name, float(all_of_them[name]))
                far.append(CRITERIA[name].far(figure.value, theirs))
                yield figure
    yield from _held_out(np.concatenate(starts, axis=1), np.concatenate(changes, axis=2), times)
    met = int(sum(share <= 1.0 for share in far))
    yield Figure("statistics within what is allowed", met, "", "of", len(far), target="all", met=met == len(far),
                 detail={"farthest, share of what is allowed": round(max(far), 2), "replicas": replicas})  # fmt: skip


def watch(
    preset: CellPreset,
    between: tuple[float, float],
    shape: tuple[int, int],
    times: list[float],
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Program cells to levels all over a range (S), read them, and again at `times` (s, rising) after.

    Returns
    -------
    start : array of `shape`
        First reads, S, all within the range.
    changes : (times, *shape) array
        From them, S.
    """
    clock = VirtualClock()
    count = int(SPARE * np.prod(shape)) + 500
    preset = _without_programming_spread(preset)
    array = CellArray(1, count, preset, clock, rng)
    levels = rng.uniform(max(between[0], LOWEST), min(between[1], HIGHEST), (1, count))
    _form(array, preset)
    array.set_cells(ALL, BIT_LINE, WIDTH, gates(preset, levels).astype(np.float32))
    clock.advance(VERIFY)
    start, begun = array.read(ALL, APERTURE)[0], clock.now
    inside = np.flatnonzero((start >= between[0]) & (start < between[1]))[: int(np.prod(shape))]
    if len(inside) < np.prod(shape):
        raise RuntimeError(
            f"only {len(inside)} of {np.prod(shape)} cells could be programmed to {1e6 * between[0]:g} to "
            f"{1e6 * between[1]:g} uS: the preset's SET does not reach there"
        )
    reads = []
    for time in times:
        clock.advance(begun + time - clock.now)
        reads.append(array.read(ALL, APERTURE)[0, inside].reshape(shape))
    first = start[inside].reshape(shape)
    return first, np.array(reads) - first


def gates(preset: CellPreset, levels: Floats) -> Floats:
    """Gate voltages (V) that take RESET cells to `levels` (S), off a curve that is measured here."""
    curve = np.linspace(0.0, 3.0, 301)
    array = CellArray(
        1, len(curve), replace(preset, relaxation=0.0, drift=0.0), VirtualClock(), np.random.default_rng(0)
    )
    _form(array, preset)
    array.set_cells(ALL, BIT_LINE, WIDTH, curve[None, :].astype(np.float32))
    reached = np.maximum.accumulate(array.conductance()[0])
    return np.interp(levels, reached, curve)


def _form(array: CellArray, preset: CellPreset) -> None:
    array.set_cells(ALL, 0.99 * preset.damage_voltage, WIDTH, np.float32(2.0))
    for _ in range(4):
        array.reset_cells(ALL, 3.0, 1e-6, np.float32(2.8))


def _without_programming_spread(preset: CellPreset) -> CellPreset:
    """Return cells that land where they are aimed at: what was measured begins with the read after."""
    return replace(
        preset, set_cycle_spread=0.0, set_device_spread=0.0, set_threshold_spread=0.0, forming_spread=0.0, landing=0.0,
        landing_share=0.0, floor_spread=0.0, floor_device_spread=0.0, stuck_on=0.0, stuck_off=0.0, deep_reset_loss=0.0,
        floor=0.05e-6,
    )  # fmt: skip


def statistics(changes: Floats) -> dict[str, Floats]:
    """Return the statistics of changes (replicas, cells) in S: uS, and percent of cells that were still."""
    middle = np.median(changes, axis=-1, keepdims=True)
    return {
        "mean": 1e6 * changes.mean(axis=-1),
        "sd": 1e6 * changes.std(axis=-1),
        "robust sd": 1.4826e6 * np.median(np.abs(changes - middle), axis=-1),
        "still": 100.0 * (np.abs(changes) < STILL).mean(axis=-1),
    }


def tail_probability(replicas: Floats, value: float) -> float:
    """Two-sided probability that a replica is as far out as `value`: never 0, as the value itself counts as one."""
    below, above = (replicas <= value).sum() + 1, (replicas >= value).sum() + 1
    return float(min(1.0, 2.0 * min(below, above) / (len(replicas) + 1)))


def _held_out(start: Floats, changes: Floats, times: list[float]) -> Iterator[Figure]:
    """What was not fitted: correlations between times and of increments, and shares that keep their level."""
    wanted = source()["relaxation"]
    steps = np.concatenate([changes[:1], np.diff(changes, axis=0)])
    labels = [f"0 to {times[0]:g} s"] + [f"{a:g} to {b:g} s" for a, b in pairwise(times)]
    for title, values, names in (
        ("correlation between times", changes, [f"{time:g} s" for time in times]),
        ("correlation of increments", steps, labels),
    ):
        ours = np.array([np.corrcoef(values[:, k]) for k in range(values.shape[1])])
        for a, b in zip(*np.triu_indices(len(times), 1), strict=True):
            theirs = wanted[title][a][b]
            yield _figure(f"{title}, {names[a]} and {names[b]}", ours[:, a, b], theirs)
    for k, time in enumerate(times):
        before, after = _level(start), _level(start + changes[k])
        rows = source()["levels"]["times"][f"{time:g}" if time < 1e5 else "100000"]
        same = np.array([(before[r] == after[r]).mean() for r in range(len(before))])
        shares = [100.0 * (before == after)[before == level].mean() for level in range(16)]
        off = [abs(mine - 100.0 * row[2]) for mine, row in zip(shares, rows["rows"], strict=True)]
        figure = _figure(f"cells that keep their level of 16, {time:g} s", 100.0 * same, 100.0 * rows["same"])
        yield replace(
            figure,
            unit="%",
            detail={**figure.detail, "points off by level": " ".join(f"{o:.0f}" for o in off)},
        )


def _level(conductance: Floats) -> NDArray[np.intp]:
    levels: NDArray[np.intp] = np.rint(np.clip(conductance, 0.0, TOP) / LEVEL).astype(np.intp)
    return levels


def _range(row: Measured) -> str:
    return f"{1e6 * row.low:g} to {1e6 * row.high:g} uS,"


def _figure(
    name: str, ours: Floats, theirs: float, criterion: str | None = None, value: float | None = None
) -> Figure:
    """Compare ours in replicas with the measured one; `value` is ours of all their cells, their mean if not given."""
    value = float(ours.mean()) if value is None else value
    asked = CRITERIA[criterion] if criterion else None
    low, high = np.quantile(ours, [0.05, 0.95])
    return Figure(
        name, value, asked.unit if asked else "", "measured", theirs,
        ratio=value / theirs if theirs else None,
        target=asked.target if asked else "not fitted",
        met=asked.far(value, theirs) <= 1.0 if asked else None,
        detail={"p": round(tail_probability(ours, theirs), 3), "ours in replicas": f"{low:.3g} to {high:.3g}"},
    )  # fmt: skip
