"""MVM and INV of the simulated board in batches: vectors and solves a second, noise and converters included."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.registry import Figure, median_seconds
from mho.instruments.simulated.physics.cells.conduction import excess_currents
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS
from mho.instruments.simulated.physics.circuits.amplifiers import (
    CLAMP,
    AmplifierBank,
    Converter,
    amplifier_preset,
)
from mho.instruments.simulated.physics.circuits.inverse_circuit import InverseCircuit
from mho.instruments.simulated.physics.circuits.multiply_circuit import MultiplyCircuit

SIZE, BATCH, NOISE = 1024, 256, 0.01
ORDER, SOLVES = 16, 4096


def run(repeat: int) -> list[Figure]:
    """Measure both circuits beside drawing every cell's noise for every vector, and INV with cells that are no lines."""
    return [_multiply(repeat), _invert(repeat), _invert_by_law(repeat)]


def _multiply(repeat: int) -> Figure:
    rng = np.random.default_rng(1)
    ports = rng.uniform(0.3e-6, 35e-6, (SIZE, SIZE))
    spread = NOISE * ports
    bank = AmplifierBank.draw(amplifier_preset("AD823"), SIZE, rng)
    dac, adc = Converter.draw(4, 0.0, 0.2, 0.05, rng), Converter.draw(12, -5.0, 5.0, 0.2, rng)
    circuit = MultiplyCircuit(ports, spread**2, bank, 500.0, 1e6, dac, adc, precision="single")
    double = MultiplyCircuit(ports, spread**2, bank, 500.0, 1e6, dac, adc)
    volts = rng.uniform(0.0, 0.2, (BATCH, SIZE))

    def drawn() -> None:
        for vector in volts[:4]:
            cells = ports + spread * rng.standard_normal(ports.shape)
            adc.codes(dac.outputs(vector) @ cells * -500.0)

    rate = BATCH / median_seconds(lambda: circuit.outputs(volts, rng), repeat)
    return Figure(
        f"MVM {SIZE} x {SIZE}, cell noise, 4-bit DAC, 12-bit ADC, batch {BATCH}",
        rate,
        "vectors/s",
        "noise drawn per cell and vector (numpy)",
        4 / median_seconds(drawn, repeat),
        target=">= 20,000 on two cores",
        met=rate >= 20_000,
        detail={"in double precision": BATCH / median_seconds(lambda: double.outputs(volts, rng), repeat)},
        threads=2,
    )


def _invert(repeat: int) -> Figure:
    rng = np.random.default_rng(2)
    network = rng.uniform(0.0, 5e-6, (ORDER, ORDER)) + 60e-6 * np.eye(ORDER)
    load, spread = network.sum(axis=1) + 35e-6, NOISE * network
    bank = AmplifierBank.draw(amplifier_preset("AD823"), ORDER, rng)
    circuit = InverseCircuit(network, load, spread**2, bank, 1e6)
    currents = rng.uniform(-5e-6, 5e-6, (SOLVES, ORDER))
    forward = load * bank.offsets - currents

    def drawn() -> None:
        cells = circuit.system + spread * rng.standard_normal((SOLVES, ORDER, ORDER))
        np.linalg.solve(cells, forward[..., None])

    rate = SOLVES / median_seconds(lambda: circuit.settled(currents, rng), repeat)
    return Figure(
        f"INV {ORDER} x {ORDER}, noise, finite gain, offsets, batch {SOLVES}",
        rate,
        "solves/s",
        "noise drawn per cell and solve (numpy)",
        SOLVES / median_seconds(drawn, repeat),
        target=">= 50,000",
        met=rate >= 50_000,
        threads=2,
    )


def _invert_by_law(repeat: int) -> Figure:
    rng = np.random.default_rng(2)
    cells = rng.uniform(0.4e-6, 5e-6, (ORDER, ORDER)) + 30e-6 * np.eye(ORDER)
    load, bank = cells.sum(axis=1) + 35e-6, AmplifierBank.draw(amplifier_preset("AD823"), ORDER, rng)
    law = replace(CELL_PRESETS["pku"], nonlinearity=1.0)
    excess = excess_currents(law, cells.T, cells.T, 2.5, "source line", CLAMP)
    spread = (NOISE * cells) ** 2
    lines, bent = (InverseCircuit(cells, load, spread, bank, 1e6, excess=one) for one in (None, excess))
    currents = rng.uniform(-5e-6, 5e-6, (SOLVES, ORDER))
    rates = [SOLVES / median_seconds(partial(loop.settled, currents, rng), repeat) for loop in (bent, lines)]
    return Figure(
        f"INV {ORDER} x {ORDER}, cells by their I-V law, batch {SOLVES}",
        rates[0],
        "solves/s",
        "cells that are lines",
        rates[1],
        threads=2,
    )
