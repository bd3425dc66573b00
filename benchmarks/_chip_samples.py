"""What one simulated chip does, as numbers whose distribution over chips tells two benches apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from scipy.stats import ks_2samp

from mho.array_types import Floats
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ConvergenceError
from mho.instruments import Bench, open_bench
from mho.procedures import Solve
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import Block
from mho.procedures.stream import NullStream
from mho.running.execution import evaluate

Samples = Mapping[str, Floats]

SIDE = 14  # rows and columns of the block in the multiplying array
LOOP = 5  # of the one in the inverting array
SHOTS = 48
VOLTS = 0.2
DAY = 86_400.0  # s
MATRIX = (
    np.array([[3, 2, 0, 0], [0, 2, 5, 0], [1, 2, 7, 1], [0, 1, 0, 1]]) / 8
    + np.array([[7, 0, 0, 0], [0, 6, 1, 1], [1, 0, 0, 1], [1, 2, 0, 6]]) / 64
)  # the published example to six bits
BITS = 12
CYCLES = 3  # whose errors are compared


def sample_chip(bench: str, preset: str, seed: int) -> Samples:
    """Program a block and a loop, and measure what they hold, multiply and invert.

    Returns
    -------
    dict
        ``level``: verify read less level (S), ``pulses`` of each cell; ``product`` and ``product noise``: each
        column's rms error of MVM, and its deviation from shot to shot, in digits; ``inverse``: each output's rms error of
        INV relative to the largest; ``day``: change of the verified conductance within a day (S).
    """
    draws = np.random.default_rng(0)
    digits = draws.integers(0, 8, (SIDE, SIDE))
    loop = draws.integers(0, 2, (LOOP, LOOP)) + 5 * np.eye(LOOP, dtype=np.int64)
    patterns = VOLTS * (draws.random((SHOTS, SIDE)) < 0.3)
    inputs = draws.uniform(-0.1, 0.1, (SHOTS, LOOP))
    blocks = [Block(square("multiply", SIDE), digits), Block(square("invert_positive", LOOP), loop)]
    with open_bench(bench, preset=preset, seed=seed) as opened:
        step = program_blocks(opened, blocks)
        block, inverting = blocks
        opened.connect_multiply("multiply", range(SIDE), range(SIDE))
        first, second = (opened.multiply(patterns) / VOLTS / step for _ in range(2))
        error = first - patterns / VOLTS @ (block.achieved / step)
        opened.connect_invert("invert_positive", range(LOOP), range(LOOP))
        try:
            outputs = opened.invert(inputs)
        except ConvergenceError:  # a stuck cell in the loop
            outputs = np.zeros((0, LOOP))
        settled = -np.linalg.solve(inverting.achieved, opened.input_conductance * inputs.T).T
        settled = settled[: len(outputs)]
        missed = (outputs - settled) / np.abs(settled).max(axis=1, keepdims=True)
        missed = missed[np.isfinite(missed).all(axis=1)]  # without what was clamped
        opened.wait_until(opened.now() + DAY)
        later = Block(block.placement, digits)
        program_blocks(opened, [later], WriteVerifySettings(max_pulses=0))
    levels = step * digits
    return {
        "level": (block.achieved - levels)[digits > 0],
        "pulses": block.pulses.ravel().astype(float),
        "product": np.sqrt((error**2).mean(axis=0)),
        "product noise": (first - second).std(axis=0),
        "inverse": np.sqrt((missed**2).mean(axis=0)) if missed.size else np.zeros(0),
        "day": (later.achieved - block.achieved)[digits > 0],
    }


def sample_solve(bench: str, preset: str, seed: int) -> Samples:
    """Solve the published matrix: log10 of the error after each of the first cycles, the share of wrong integers.

    ``railed`` is 1 where the loop was not stable, and nothing else was found.
    """
    solve = Solve(matrix=MATRIX, bits=BITS, max_cycles=CYCLES, tolerance=1e-9)
    names = [f"log error after cycle {number}" for number in range(1, CYCLES + 1)]
    found = {name: np.zeros(0) for name in names}
    with open_bench(bench, preset=preset, seed=seed) as opened:
        try:
            summary = evaluate(solve, opened, seed=0).summary
        except ConvergenceError:  # a stuck cell in the loop
            return {**found, "wrong share": np.zeros(0), "railed": np.ones(1)}
    for name, row in zip(names, summary["cycles"], strict=False):
        found[name] = np.log10([row["relative_error"]])
    share = np.array([summary["mvm_wrong"] / summary["mvm_outputs"]])
    return {**found, "wrong share": share, "railed": np.zeros(1)}


def pooled(samples: Iterable[Samples]) -> dict[str, Floats]:
    """Put the samples of several chips together."""
    listed = list(samples)
    return {name: np.concatenate([one[name] for one in listed]) for name in listed[0]}


def alike(ours: Samples, theirs: Samples) -> dict[str, tuple[float, float]]:
    """Kolmogorov-Smirnov distance and its p-value by name."""
    return {
        name: (float(found.statistic), float(found.pvalue))
        for name in ours
        if ours[name].size and theirs[name].size
        for found in [ks_2samp(ours[name], theirs[name])]
    }


def square(array: str, side: int) -> Placement:
    """The first lines of an array."""
    return Placement(array, np.arange(side), np.arange(side))


def program_blocks(bench: Bench, blocks: list[Block], settings: WriteVerifySettings | None = None) -> float:
    """Program blocks, keeping nothing; returns the conductance of one digit, S."""
    chip = parse_chip_map(bench.chip_text, bench.file.chip)
    levels = chip.level_scale()
    names = [array.name for array in chip.arrays]
    Programmer(bench, NullStream(), levels, names, settings or WriteVerifySettings()).program(blocks)
    return levels.step
