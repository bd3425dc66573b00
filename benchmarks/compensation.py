"""Precision by compensation: what slices that make up for each other hold, and what a loop gains by them.

Bits are -log2 of the rms error of the represented entries over the largest. The peer, plain slices of 3 bits whose integers
are right, errs by its last bit's rounding alone, 2^-3k / sqrt(12) of k slices, on whatever cells. Products by compensated
slices are read as analogue values and need converters, amplifiers and wires as good as these bits; that is not in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from benchmarks._families import Matrix, dominant, gram
from benchmarks._large_systems import spd
from benchmarks._solves import threads
from benchmarks.registry import Figure
from mho.array_types import Floats
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import ArrayBench, open_bench
from mho.instruments.simulated.physics.chip import SparseChip
from mho.instruments.simulated.physics.wires import series_resistance
from mho.procedures import Solve
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.loop_on_cells import Pair, largest_ratio, next_targets, represented
from mho.procedures.stream import NullStream
from mho.running.execution import evaluate

PRESETS = ("ideal", "pku", "quiet", "relaxing")
SIDE, SLICES, DIGIT_BITS = 32, (1, 2, 3), 3
DAY = 86_400.0  # s
BITS = 24
SYSTEMS = {"Gram 8:1": 16, "dominant": 16, "SPD 30": 16, "SPD 100": 32}  # by unknowns
LOOPS = {
    "digits": {},
    "analogue": {"loop_targets": "analogue"},
    "two slices": {"loop_slices": 2},
}
SOLVED_PRESETS = ("pku", "quiet", "relaxing")


def run(repeat: int) -> list[Figure]:
    """Program slices on `repeat` chips of each preset, then solve on as many with loops of each kind."""
    figures = [figure for preset in PRESETS for figure in _slices(preset, repeat)]
    figures += [
        figure for preset in SOLVED_PRESETS for name in SYSTEMS for figure in _loops(preset, name, repeat)
    ]
    return figures


# --- slices ---


def _slices(preset: str, repeat: int) -> list[Figure]:
    chips = [_compensated(preset, seed) for seed in range(1, repeat + 1)]
    now, later = (np.median([chip[which] for chip in chips], axis=0) for which in (0, 1))
    return [
        Figure(
            f"cells {preset}, {count} compensated: bits of the matrix",
            float(now[number]),
            "bit",
            "as many plain slices, integers right",
            DIGIT_BITS * count + 0.5 * np.log2(12.0),
            detail={
                "a day later": round(float(later[number]), 2),
                "cells an entry": 2 * count,
                "pulses a cell, of all slices": round(float(np.median([chip[2] for chip in chips])), 2),
            },
            threads=threads(),
        )
        for number, count in enumerate(SLICES)
    ]


def _compensated(preset: str, seed: int) -> tuple[list[float], list[float], float]:
    """Program slices that make up for each other; return bits by their number, now and a day later, and pulses a cell."""
    with open_bench("arrays", preset=preset, seed=seed) as bench:
        chip = parse_chip_map(bench.chip_text, bench.file.chip)
        levels = chip.level_scale()
        fine, top = levels.refined(), float(levels.nominal[-1])
        ratio = float(2.0 ** np.floor(np.log2(largest_ratio(levels))))
        programmer = Programmer(
            bench, NullStream(), fine, [a.name for a in chip.arrays], WriteVerifySettings()
        )
        matrix = np.random.default_rng(seed).uniform(-top, top, (SIDE, SIDE))
        blocks: list[Block] = []
        for number in range(max(SLICES)):
            targets = next_targets(matrix, [_pair(block.achieved) for block in blocks], ratio, top)
            columns = 2 * SIDE * number + np.arange(2 * SIDE)
            digits = np.rint(np.hstack(targets) / fine.step).astype(np.int64)
            blocks.append(Block(Placement("multiply", np.arange(SIDE), columns), digits))
            programmer.program(blocks[-1:])
        cells = cast(ArrayBench, bench).arrays.chip
        now = _bits(cells, blocks, matrix, levels, ratio)
        bench.wait_until(bench.now() + DAY)
        later = _bits(cells, blocks, matrix, levels, ratio)
    return now, later, programmer.pulses / sum(block.digits.size for block in blocks)


def _pair(conductances: Floats) -> Pair:
    return conductances[:, :SIDE], conductances[:, SIDE:]


def _bits(chip: SparseChip, blocks: list[Block], matrix: Floats, levels: Levels, ratio: float) -> list[float]:
    """Return the bits of the first 1, 2, … slices, from the cells as they are now, their wires in series, without noise."""
    held: list[Pair] = []
    bits = []
    for block in blocks:
        place = block.placement
        held_cells, index = chip.at(place.array, place.rows, place.columns)
        g = held_cells.conductance(index)
        wires = series_resistance(*place.cells(), chip.geometry[place.array].wire_resistance)
        held.append(_pair(g / (1.0 + g * wires)))
        error = represented(held, ratio) - matrix
        bits.append(-float(np.log2(np.sqrt((error**2).mean()) / levels.nominal[-1])))
    return bits


# --- loops ---


def _loops(preset: str, name: str, repeat: int) -> list[Figure]:
    """Solve on `repeat` chips with each kind of loop; a figure of each that is not rounded, beside the rounded one."""
    n = SYSTEMS[name]
    solved: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in LOOPS}
    for seed in range(1, repeat + 1):
        rng = np.random.default_rng([seed, *name.encode()])
        matrix, rhs = _system(name, n, rng), rng.standard_normal(n)
        for kind, how in LOOPS.items():
            with open_bench("arrays", preset=preset, seed=seed) as bench:
                solve = Solve(matrix=matrix, rhs=rhs, bits=BITS, residual="float64", seed=seed, **how)
                solved[kind].append(evaluate(solve, bench, seed=seed).summary)
    median = {
        kind: {
            "cycles": float(np.median([len(one["cycles"]) for one in mine])),
            "rho": round(float(np.median([one["forecast_rho"] or np.inf for one in mine])), 4),
            "pulses": float(np.median([one["pulses"] for one in mine])),
            "converged": sum(one["converged"] for one in mine),
        }
        for kind, mine in solved.items()
    }
    return [
        Figure(
            f"cells {preset}, {name}, {n} x {n}: cycles to {BITS} bits, INV cells {kind}",
            median[kind]["cycles"],
            "",
            "rounded to digits",
            median["digits"]["cycles"],
            detail={kind: median[kind], "digits": median["digits"]},
            threads=threads(),
        )
        for kind in ("analogue", "two slices")
    ]


def _system(name: str, n: int, rng: np.random.Generator) -> Matrix:
    if name.startswith("SPD"):
        return spd(rng, n, float(name.split()[1]))
    return gram(rng, n) if name.startswith("Gram") else dominant(rng, n)
