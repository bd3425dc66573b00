"""What a call of the library costs: CPU time of a fresh process up to a first solution, and of solves on an open bench.

Beside it what PyVISA's first `@mho` costs on a rack without a chip, from its name to the first reply; its peer is ``import
pyvisa`` alone, which is not in it.

The peer of a first solve is ``import scipy.linalg`` in a fresh process, in turns with it. That of raw products is CrossSim
(3.2, which PyPI does not have) where a checkout of it is on the path, with errors of the same size.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import mho
from benchmarks.registry import Figure
from mho.extensions.linalg import on_bench

MATRIX = [[0.9, 0.1, -0.2, 0.0], [0.1, 0.8, 0.1, 0.1], [0.2, -0.1, 0.7, 0.1], [0.0, 0.1, 0.1, 0.8]]
RHS = [0.3, -0.5, 0.2, 0.1]
CLOCK = "import time, numpy; begun = time.process_time(); {}; print(time.process_time() - begun)"
STARTS = {
    "import mho": ("import time; begun = time.process_time(); import mho; print(time.process_time() - begun)", 0.06),
    "first mho.solve, NumPy loaded": (
        CLOCK.format(f"import mho; mho.solve({MATRIX}, {RHS}, bench='arrays', seed=1)"), 0.6,
    ),
}  # fmt: skip
PEER = CLOCK.format("import scipy.linalg")
RACK = """
import time, pyvisa
begun = time.process_time()
from mho.instruments import simulated
with simulated.rack({"GPIB0::24::INSTR": "keithley2450"}, simulated.Resistor(1e4)) as rack:
    pyvisa.ResourceManager(rack.visa_library).open_resource("GPIB0::24::INSTR").query(":OUTP ON;:MEAS:CURR?")
print(time.process_time() - begun)
"""
PYVISA = "import time; begun = time.process_time(); import pyvisa; print(time.process_time() - begun)"
FIRST_OPEN = 0.3  # s CPU


def run(repeat: int) -> list[Figure]:
    """Measure the starts in turns with the peer, then solves of 4 x 4 on one open bench."""
    codes = (*(code for code, _ in STARTS.values()), PEER, RACK, PYVISA)
    with TemporaryDirectory() as byte_code:  # the first turn fills it
        turns = [[_printed(code, byte_code) for code in codes] for _ in range(repeat + 1)][1:]
    peer, opened, alone = (median(turn[place] for turn in turns) for place in (-3, -2, -1))
    figures = [
        Figure(
            "first @mho, a rack without a chip, PyVISA loaded",
            opened,
            "s CPU",
            "import pyvisa",
            alone,
            target=f"< {FIRST_OPEN:g} s",
            met=opened < FIRST_OPEN,
        )
    ]
    for place, (name, (_, goal)) in enumerate(STARTS.items()):
        seconds = median(turn[place] for turn in turns)
        figures.append(
            Figure(
                name,
                seconds,
                "s CPU",
                "import scipy.linalg",
                peer,
                target=f"< {goal:g} s",
                met=seconds < goal,
            )
        )
    return figures + _solves(repeat) + _products(repeat)


def _printed(code: str, byte_code: str) -> float:
    """Return the number that a fresh Python prints, which has byte code in a folder, as an installed mho has it.

    Where `PYTHONDONTWRITEBYTECODE` is set, mho alone would be compiled anew by each process, and its peer, which pip has
    compiled, would not.
    """
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=surroundings | {"PYTHONPYCACHEPREFIX": byte_code},
    )  # fmt: skip
    return float(told.stdout)


def _solves(repeat: int) -> list[Figure]:
    matrix, rhs = np.array(MATRIX), np.array(RHS)
    with TemporaryDirectory() as folder, mho.open_bench("arrays", seed=1) as bench:
        held = on_bench(matrix, bench, seed=1)
        works: Sequence[tuple[str, Callable[[], object], float | None]] = (
            ("4 x 4 that is held, one right-hand side", lambda: held.solve(rhs), 12e-3),
            ("4 x 4, no run file", lambda: mho.solve(matrix, rhs, bench=bench, seed=1), 60e-3),
            (
                "4 x 4, with its run file",
                lambda: mho.solve(matrix, rhs, bench=bench, seed=1, output=folder),
                None,
            ),
        )
        return [_figure(name, work, goal, repeat) for name, work, goal in works]


SIZE, BATCH = 64, 100
TILE = 0.36e-3  # s: the same batch by a tile of aihwkit, as it was measured where that can be installed


def _products(repeat: int) -> list[Figure]:
    rng = np.random.default_rng(1)
    weights, vectors = rng.standard_normal((SIZE, SIZE)), rng.standard_normal((SIZE, BATCH))
    program = _cross_sim(weights)
    multiply = None if program is None else program()
    with mho.open_bench("arrays", seed=1) as bench:
        drawn = on_bench(weights, bench, exact=False, programmed="drawn", seed=0)

        def figure(
            what: str, work: Callable[[], object], goal: float | None, peer: Callable[[], object] | None
        ) -> Figure:
            beside = None if peer is None else _figure("", peer, None, 3 * repeat)
            return _figure(f"64 x 64 raw, {what}", work, goal, 3 * repeat, beside)

        figures = [
            figure(
                what, partial(drawn.__matmul__, x), goal, None if multiply is None else partial(multiply, x)
            )
            for what, x, goal in (("a batch of 100", vectors, TILE), ("a vector", vectors[:, 0], 0.3e-3))
        ]
        figures.append(figure("drawn anew", partial(drawn.reprogram, weights), 3e-3, program))
        built = partial(on_bench, weights, bench, exact=False, programmed="drawn")
        figures.append(_figure("64 x 64 raw, built of drawn cells", built, None, repeat))
        figures.append(figure("written by pulses", partial(_written, weights), None, None))
        error = _error(drawn.__matmul__, weights, vectors)
    beside = None if multiply is None else _error(multiply, weights, vectors)
    return [*figures, Figure("64 x 64 raw, error of the batch", error, "%", "CrossSim", beside)]


def _written(weights: Any) -> None:
    with mho.open_bench("arrays", seed=2) as bench:
        on_bench(weights, bench, exact=False)


def _error(multiply: Callable[[Any], Any], weights: Any, vectors: Any) -> float:
    exact = weights @ vectors
    return float(100 * np.linalg.norm(multiply(vectors) - exact) / np.linalg.norm(exact))


def _cross_sim(weights: Any) -> Callable[[], Callable[[Any], Any]] | None:
    """Return what programs the matrix in CrossSim, and returns its product; None where CrossSim is not."""
    try:
        from simulator import AnalogCore, CrossSimParameters
    except ImportError:
        return None
    parameters = CrossSimParameters()
    device = parameters.xbar.device
    device.cell_bits = 0
    for errors, magnitude in ((device.programming_error, 0.0106), (device.read_noise, 0.0018)):
        errors.enable, errors.model, errors.magnitude = True, "NormalIndependentDevice", magnitude
    parameters.xbar.dac.mvm.bits, parameters.xbar.dac.mvm.model = 16, "SignMagnitudeDAC"

    def program() -> Callable[[Any], Any]:
        core = AnalogCore(weights, params=parameters)

        def multiply(vectors: Any) -> Any:
            peak = np.abs(vectors).max()  # its converters take -1 to 1
            return peak * (core @ (vectors / peak))

        return multiply

    return program


def _figure(
    name: str, work: Callable[[], object], goal: float | None, repeat: int, peer: Figure | None = None
) -> Figure:
    """Return the median CPU time of this process for a call, ms, with the wall time beside it."""
    work()
    cpu, wall = [], []
    for _ in range(4 * repeat):
        begun, at = time.perf_counter(), time.process_time()
        work()
        cpu.append(time.process_time() - at)
        wall.append(time.perf_counter() - begun)
    seconds = median(cpu)
    beside = () if peer is None else ("CrossSim", peer.value)
    return Figure(
        name, 1e3 * seconds, "ms CPU", *beside, target=None if goal is None else f"< {1e3 * goal:g} ms",
        met=None if goal is None else seconds < goal, detail={"wall, ms": round(1e3 * median(wall), 3)},
    )  # fmt: skip
