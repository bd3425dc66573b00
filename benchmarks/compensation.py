"""Precision by compensation: what slices that make up for each other hold, and what a loop gains that is not rounded.

Bits are -log2 of the rms error of the represented entries over the largest. The peer, plain slices of 3 bits whose integers
are right, errs by its last bit's rounding alone, 2^-3k / sqrt(12) of k slices, on whatever cells. Products by compensated
slices are read as analogue values and need converters, amplifiers and wires as good as these bits; that is not in here.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks._families import Matrix, dominant, gram
from benchmarks._large_systems import spd
from benchmarks._solves import threads
from benchmarks.registry import Figure
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.compensation import Pair, largest_ratio, next_targets, represented
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import ArrayBench, open_bench
from mho.instruments.simulated.physics.sparse_chip import SparseChip
from mho.instruments.simulated.physics.wires.wires import series_resistance
from mho.procedures import Solve
from mho.procedures.cells.programming import Block, Programmer
from mho.procedures.stream import NullStream
from mho.running.execution import evaluate

Floats = NDArray[np.float64]

PRESETS = ("ideal", "pku", "quiet", "relaxing")
SIDE, SLICES, DIGIT_BITS = 32, (1, 2, 3), 3
DAY = 86_400.0  # s
SIZE, BITS = 16, 24
SYSTEMS = ("Gram 8:1", "dominant", "SPD 30")
SOLVED_PRESETS = ("pku", "quiet", "relaxing")


def run(repeat: int) -> list[Figure]:
    """Program slices on `repeat` chips of each preset, then solve on as many with and without rounded loops."""
    figures = [figure for preset in PRESETS for figure in _slices(preset, repeat)]
    figures += [_loops(preset, name, repeat) for preset in SOLVED_PRESETS for name in SYSTEMS]
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
        fine, ratio, top = levels.refined(), largest_ratio(levels), float(levels.nominal[-1])
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


def _loops(preset: str, name: str, repeat: int) -> Figure:
    cycles: dict[str, list[int]] = {"analogue": [], "digits": []}
    rho: dict[str, list[float]] = {"analogue": [], "digits": []}
    for seed in range(1, repeat + 1):
        rng = np.random.default_rng([seed, *name.encode()])
        matrix, rhs = _system(name, rng), rng.standard_normal(SIZE)
        for targets in cycles:
            with open_bench("arrays", preset=preset, seed=seed) as bench:
                solve = Solve(
                    matrix=matrix, rhs=rhs, bits=BITS, residual="float64", loop_targets=targets, seed=seed
                )
                summary = evaluate(solve, bench, seed=seed).summary
            cycles[targets].append(len(summary["cycles"]))
            rho[targets].append(summary["forecast_rho"] or np.inf)
    return Figure(
        f"cells {preset}, {name}, {SIZE} x {SIZE}: cycles to {BITS} bits, INV cells not rounded",
        float(np.median(cycles["analogue"])),
        "",
        "rounded to digits",
        float(np.median(cycles["digits"])),
        detail={f"rho, {targets}": round(float(np.median(values)), 3) for targets, values in rho.items()},
        threads=threads(),
    )


def _system(name: str, rng: np.random.Generator) -> Matrix:
    if name == "SPD 30":
        return spd(rng, SIZE, 30.0)
    return gram(rng, SIZE) if name.startswith("Gram") else dominant(rng, SIZE)
