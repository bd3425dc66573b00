"""The preset `stanford` beside the chips that it was fitted to: SET, RESET, cycles, forming, and the pulses of ISPP.

Each figure is a statistic of simulated cells over that of the measured ones. Beside it stands the probability that the
measured statistic is drawn from ours: two-sided, from samples of as many devices. With thousands of cells it tells
differences that no user would notice; the ratio says how large they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks._measured_cells import (
    MEASURED,
    MICRO,
    cycled,
    formed,
    program,
    reset_staircase,
    single_sets,
    variance_parts,
)
from benchmarks.registry import Figure
from mho.array_types import Floats
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset

SAMPLES = 200  # of as many devices as were measured
DEVICES = 4000  # simulated, from which samples are taken
PRESET = "stanford"
PARTS = ("cycle to cycle", "device to device")


def run(repeat: int) -> list[Figure]:
    preset, rng = CELL_PRESETS[PRESET], np.random.default_rng(11)
    parts = (_set, _reset, _cycling, _forming, _ispp, _steps)
    return [figure for part in parts for figure in part(preset, rng)]


def beside(
    name: str,
    measured: float,
    unit: str,
    statistic: Callable[[NDArray[np.int64]], float],
    devices: int,
    count: int,
    rng: np.random.Generator,
    within: float | None = None,
) -> Figure:
    """Compare a statistic of simulated devices, given by number, with the measured one of `count` devices.

    Parameters
    ----------
    within : float, optional
        Largest relative difference wanted.
    """
    ours = statistic(np.arange(devices))
    drawn = np.array([statistic(rng.integers(devices, size=count)) for _ in range(SAMPLES)])
    tail = min(np.mean(drawn <= measured), np.mean(drawn >= measured))
    ratio = ours / measured if measured else float("nan")
    return Figure(
        name, ours, unit, peer_name="measured", peer_value=measured, ratio=ratio,
        target=None if within is None else f"within {100 * within:g} %",
        met=None if within is None else abs(ratio - 1.0) <= within,
        detail={"probability": min(2.0 * float(tail), 1.0), "devices": count},
    )  # fmt: skip


def _set(preset: CellPreset, rng: np.random.Generator) -> Iterator[Figure]:
    preset = replace(preset, stuck_on=0.0, stuck_off=0.0)  # cells that do not switch are not in the source
    for gate, median, cycle, device in MEASURED["set"]["rows"]:
        read = single_sets(preset, 1000, 20, gate, seed=round(100 * gate))
        log = np.log10(read)
        count = MEASURED["set"]["cells"]
        yield beside(f"SET at V_WL {gate:g} V, median G", median, "uS",
                     lambda some, read=read: float(np.median(read[:, some])), 1000, count, rng)  # fmt: skip
        for k, (part, value) in enumerate(zip(PARTS, (cycle, device), strict=True)):
            yield beside(f"SET at V_WL {gate:g} V, sd of log10 G {part}", value, "",
                         lambda some, k=k, log=log: variance_parts(log[:, some])[k], 1000, count, rng)  # fmt: skip


def _reset(preset: CellPreset, rng: np.random.Generator) -> Iterator[Figure]:
    after = reset_staircase(preset, DEVICES, seed=5)
    for voltage, *quartiles in MEASURED["reset"]["rows"]:
        read = after[voltage]
        for share, value in zip((0.25, 0.5, 0.75), quartiles, strict=True):
            yield beside(f"RESET staircase at V_SL {voltage:g} V, {100 * share:g} % quantile of G", value, "uS",
                         lambda some, read=read, share=share: float(np.quantile(read[some], share)),
                         DEVICES, MEASURED["reset"]["cells"], rng)  # fmt: skip


def _cycling(preset: CellPreset, rng: np.random.Generator) -> Iterator[Figure]:
    cells, clock = formed(replace(preset, stuck_on=0.0, stuck_off=0.0), 500, seed=6)
    known = MEASURED["cycling"]
    both = cycled(cells, clock, 300)
    apart = np.log10(np.median(both[1], axis=0) / np.median(both[0], axis=0))
    switching = np.flatnonzero(apart > 0.5)  # decades: others are not in the source
    for state, read in zip(("HRS", "LRS"), both, strict=True):
        median, cycle, device, lags = known[state]
        log, devices = np.log10(np.maximum(read[20:, switching], 1e-3)), len(switching)
        yield beside(f"{state} of cycles, median G", median, "uS",
                     lambda some, log=log: float(10 ** np.median(log[:, some])), devices, known["cells"], rng)  # fmt: skip
        for k, (part, value) in enumerate(zip(PARTS, (cycle, device), strict=True)):
            yield beside(f"{state} of cycles, sd of log10 G {part}", value, "",
                         lambda some, k=k, log=log: variance_parts(log[:, some])[k],
                         devices, known["cells"], rng)  # fmt: skip
        change = log - log.mean(axis=0)
        for lag, value in zip((1, 5, 10), lags, strict=True):
            yield beside(f"{state} of cycles, autocorrelation at lag {lag}", value, "",
                         lambda some, lag=lag, change=change: _autocorrelation(change[:, some], lag),
                         devices, known["cells"], rng)  # fmt: skip


def _autocorrelation(change: Floats, lag: int) -> float:
    return float((change[lag:] * change[:-lag]).mean() / change.var())


def _forming(preset: CellPreset, rng: np.random.Generator) -> Iterator[Figure]:
    cells, _ = formed(preset, 2000, seed=7)
    read = MICRO * cells.conductance((np.arange(2000), 0))
    known = MEASURED["forming"]
    for share, value in zip((0.25, 0.5, 0.75), known["G"], strict=True):
        yield beside(f"after forming, {100 * share:g} % quantile of G", value, "uS",
                     lambda some, share=share: float(np.quantile(read[some], share)),
                     2000, known["cells"], rng)  # fmt: skip


def _ispp(preset: CellPreset, rng: np.random.Generator) -> Iterator[Figure]:
    for number, run_ in enumerate(MEASURED["ispp"]["runs"]):
        name = run_["source"].rsplit("/", 1)[1].removeprefix("ispp-4wl-eval-").removesuffix("-8-9-20.csv")
        pulses, success = [], []
        for level, (low, high, count, mean, _, _, share) in enumerate(run_["levels"]):
            cells, clock = formed(preset, DEVICES, seed=100 * number + level)
            cycled(cells, clock, 5)
            done = program(cells, clock, low, high or np.inf, 0.1, run_["attempts"])
            pulses.append(done.pulses)
            success.append(done.success)
            window = f"{low:g} uS and more" if high is None else f"{low:g} to {high:g} uS"
            yield beside(f"ISPP, {name}, {window}: mean pulses", mean, "",
                         lambda some, done=done: float(done.pulses[some].mean()), DEVICES, count, rng, 0.25)  # fmt: skip
            yield _points(f"ISPP, {name}, {window}: success", 100 * done.success.mean(), 100 * share, None)
        count, mean, _, p95, share = run_["without_HRS"]
        every, won = np.concatenate(pulses[:3]), np.concatenate(success[:3])
        total = len(every)
        yield beside(f"ISPP, {name}, without HRS: mean pulses", mean, "",
                     lambda some, every=every: float(every[some].mean()), total, count, rng, 0.15)  # fmt: skip
        yield beside(f"ISPP, {name}, without HRS: 95 % quantile of pulses", p95, "",
                     lambda some, every=every: float(np.quantile(every[some], 0.95)), total, count, rng, 0.30)  # fmt: skip
        yield _points(f"ISPP, {name}, without HRS: success", 100 * won.mean(), 100 * share, 1.0)


def _points(name: str, ours: float, measured: float, within: float | None) -> Figure:
    return Figure(
        name, ours, "%", peer_name="measured", peer_value=measured,
        target=None if within is None else f"within {within:g} point",
        met=None if within is None else abs(ours - measured) <= within,
    )  # fmt: skip


def _steps(preset: CellPreset, rng: np.random.Generator) -> Iterator[Figure]:
    levels = [level[:2] for level in MEASURED["ispp"]["runs"][0]["levels"][:3]]
    count = MEASURED["steps"]["cells_per_level"]
    for step, mean, _, _ in MEASURED["steps"]["rows"]:
        pulses = []
        for level, (low, high) in enumerate(levels):
            cells, clock = formed(preset, 2000, seed=1000 + level)
            cycled(cells, clock, 5)
            pulses.append(program(cells, clock, low, high or np.inf, step, 200).pulses)
        every = np.stack(pulses)
        yield beside(f"ISPP in steps of {step:g} V, without HRS: mean pulses", mean, "",
                     lambda some, every=every: float(every[:, some].mean()), 2000, count, rng,
                     0.20 if 0.02 <= step <= 0.15 else None)  # fmt: skip
