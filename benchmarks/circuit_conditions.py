"""What the circuit as built costs a solve: cells that are no lines, and amplifiers at their corners.

Each row is solves of drawn systems (`_families`) on bench `arrays`, cells of preset `pku`, with the residual in float64 and
plain refinement, whose contraction is that of the loop. Beside it stand the same solves, with the same seeds, without the
cause. Settling is that of the published 4 x 4 matrix, without bias current (`settling`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from benchmarks import settling
from benchmarks._families import draw
from benchmarks.registry import Figure
from mho.errors import MhoError
from mho.instruments import open_bench
from mho.instruments.simulated.physics.circuits.amplifiers import Corner, amplifier_preset
from mho.procedures import Solve
from mho.running.execution import evaluate

FAMILIES = (("dominant", 8), ("dominant", 16), ("Gram", 8), ("Gram", 16), ("condition 10", 8))
GATES = (2.5, 1.5)  # V on the word lines, of verify reads and of the loop
CORNERS: tuple[tuple[Corner, float, float], ...] = (  # process, K, V of either supply
    ("typical", 298.15, 5.0),
    ("slow", 298.15, 5.0),
    ("fast", 298.15, 5.0),
    ("typical", 233.15, 5.0),
    ("typical", 358.15, 5.0),
    ("typical", 298.15, 2.5),
    ("slow", 358.15, 2.5),
)
SYSTEMS_A_REPEAT = 4


class Solved(NamedTuple):
    """Medians over solves: contraction a cycle, cycles to 24 bits, and how many did not get there."""

    rho: float
    cycles: float
    short: int


def run(repeat: int) -> list[Figure]:
    """Solve 4 systems of each family a repeat, with and without each cause."""
    count = SYSTEMS_A_REPEAT * repeat
    with TemporaryDirectory() as folder:
        return [*_nonlinear(Path(folder), count), *_corners(Path(folder), count, repeat)]


def _nonlinear(folder: Path, count: int) -> Iterator[Figure]:
    for family, n in FAMILIES:
        for gate in GATES:
            linear, whole = (
                solved(folder, family, n, count, f"nonlinearity = {share}", gate=gate) for share in (0.0, 1.0)
            )
            yield Figure(
                f"{family}, N = {n}, {gate:g} V on the gate: rho with the cells' I-V law",
                whole.rho,
                "",
                "cells that are lines",
                linear.rho,
                detail={
                    "cycles": [whole.cycles, linear.cycles],
                    "short of 24 bits": [whole.short, linear.short],
                },
            )


def _corners(folder: Path, count: int, repeat: int) -> Iterator[Figure]:
    for name in ("AD823", "OPA690"):
        usual: tuple[float, Solved] | None = None
        for corner, kelvin, supply in CORNERS:
            preset = replace(amplifier_preset(name).at(corner, kelvin, supply), bias_current=0.0)
            seconds, beyond = settling.published(preset, settling.DRAWS_A_REPEAT * repeat)
            lines = (
                f'amplifier = "{name}"',
                f'amplifier_corner = "{corner}"',
                f"amplifier_temperature = {kelvin}",
                f"amplifier_supply = {supply}",
            )
            found = float(np.median(seconds)), solved(folder, "dominant", 8, count, *lines)
            usual = usual or found
            yield Figure(
                f"{name}, {corner}, {kelvin - 273.15:.0f} C, +-{supply:g} V: settling to 1 %",
                1e9 * found[0],
                "ns",
                "typical, 25 C, +-5 V",
                1e9 * usual[0],
                detail={
                    "overshoot": round(float(np.median(beyond)), 3),
                    "rho": round(found[1].rho, 4),
                    "cycles": found[1].cycles,
                    "short of 24 bits": found[1].short,
                },
            )


def solved(folder: Path, family: str, n: int, count: int, *lines: str, gate: float = 2.5) -> Solved:
    """Solve `count` systems on a bench with these lines in its [simulation] and this gate voltage of reads."""
    path = folder / "bench.toml"
    path.write_text(bench_text(*lines, gate=gate), encoding="utf-8")
    rhos, cycles, short = [], [], 0
    for seed in range(count):
        system = draw(family, n, seed)
        procedure = Solve(
            matrix=system.matrix, rhs=system.rhs, bits=24, method="plain", residual="float64", max_cycles=60
        )
        try:
            with open_bench(str(path), seed=seed) as bench:
                found = evaluate(procedure, bench, seed=seed)
        except MhoError:  # the loop rails
            short += 1
            continue
        rhos.append(found.summary["measured_rho"])
        cycles.append(found.summary["cycles_to_goal"] if found.converged else np.inf)
        short += not found.converged
    middle = [float(np.median(values)) if values else np.nan for values in (rhos, cycles)]
    return Solved(middle[0], middle[1], short)


def bench_text(*lines: str, gate: float = 2.5) -> str:
    """Return bench `arrays` with lines in its [simulation], in place of those of the same names, and a gate voltage."""
    text = (resources.files("mho.instruments") / "benches/arrays.toml").read_text("utf-8")
    for line in lines:
        text = re.sub(rf"(?m)^{line.partition(' ')[0]}\s*=.*\n", "", text)
    text = re.sub(r"(?m)^gate = 2.5", f"gate = {gate}", text)
    return re.sub(r"(?m)^\[simulation\]$", "\n".join(["[simulation]", *lines]), text)
