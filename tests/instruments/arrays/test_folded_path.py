"""The folded path answers as circuit and converters one after the other: each cause of error by itself, and all noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mho.instruments.arrays.folded_path import AdcLine, FoldedPath
from mho.instruments.simulated.physics.circuits.amplifiers import AMPLIFIER_PRESETS, AmplifierBank
from mho.instruments.simulated.physics.circuits.multiply_circuit import MultiplyCircuit

RESISTANCE, STEP = 20e3, 20.0 / (1 << 16)
PORTS = np.random.default_rng(1).uniform(1e-6, 35e-6, (2, 3, 6, 4))  # inputs, blocks of each, rows, columns
VOLTS = np.random.default_rng(2).uniform(-0.2, 0.2, (2, 1, 5, 6))
NOTHING = np.zeros_like(PORTS)
IDEAL = AmplifierBank(replace(AMPLIFIER_PRESETS["ideal"], swing=1e3), np.zeros(4), np.zeros(4))
STRAIGHT = AdcLine(np.full(4, 1.0 / STEP), np.zeros(4), -(1 << 15), (1 << 15) - 1, STEP)


def circuit(variance=NOTHING, bank=IDEAL, bandwidth=1e-9, readout=0.0):
    return MultiplyCircuit(PORTS, variance, bank, RESISTANCE, bandwidth, readout=readout)


def codes(path, volts=VOLTS, seed=3):
    return path.codes(volts, np.random.default_rng(seed))


EXACT = -RESISTANCE * (VOLTS @ PORTS) / STEP


def test_without_errors_it_is_the_product_rounded_to_codes():
    found = codes(FoldedPath(circuit(), STRAIGHT, NOTHING))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.rint(found))
    np.testing.assert_allclose(found, EXACT, atol=0.51)


def test_amplifiers_and_adcs_have_gain_and_offset():
    preset = replace(AMPLIFIER_PRESETS["ideal"], gain=300.0, swing=1e3)
    bank = AmplifierBank(preset, np.array([1e-3, -2e-3, 0.0, 3e-3]), np.array([0.01, -0.02, 0.0, 0.03]))
    adc = AdcLine(np.array([1.0, 1.01, 0.99, 1.02]) / STEP, np.array([9.0, -9.0, 3.0, 0.0]), -3e4, 3e4, STEP)
    made = circuit(bank=bank)
    volts = made.outputs(VOLTS, np.random.default_rng(0))
    found = codes(FoldedPath(made, adc, NOTHING))
    np.testing.assert_allclose(found, volts * adc.gain + adc.offset, atol=0.52)
    assert np.abs(found - EXACT).max() > 50.0


def test_amplifiers_are_clamped_and_say_so():
    reach = 0.5 * float(np.abs(EXACT).max() * STEP)
    bank = replace(IDEAL, preset=replace(IDEAL.preset, swing=reach))
    adc = replace(STRAIGHT, offset=np.full(4, 40.0))
    path = FoldedPath(circuit(bank=bank), adc, NOTHING)
    np.testing.assert_allclose(
        codes(path), np.clip(EXACT, -reach / STEP, reach / STEP) + adc.offset, atol=0.52
    )
    assert path.circuit.asked == pytest.approx(2.0 * reach, rel=1e-3)
    free = FoldedPath(circuit(), adc, NOTHING)
    codes(free)
    assert free.circuit.asked == 0.0


@pytest.mark.parametrize(("low", "high"), [(-300.0, 3e4), (-3e4, 300.0)])
def test_adcs_are_clipped_at_either_end(low, high):
    assert EXACT.min() < -300.0 < 300.0 < EXACT.max()
    found = codes(FoldedPath(circuit(), replace(STRAIGHT, low=low, high=high), NOTHING))
    np.testing.assert_allclose(found, np.clip(EXACT, low, high), atol=0.51)


@pytest.mark.parametrize("cause", ["cells", "amplifiers", "converters"])
def test_each_noise_of_a_reading_is_there_by_itself(cause):
    made = {
        "cells": lambda: circuit(variance=(0.1 * PORTS) ** 2),
        "amplifiers": lambda: circuit(
            bank=replace(IDEAL, preset=replace(IDEAL.preset, noise=1e-6)), bandwidth=1e6
        ),
        "converters": lambda: circuit(readout=1e-7),
    }[cause]()
    volts = np.repeat(VOLTS[..., :1, :], 4000, axis=2)
    expected = {
        "cells": RESISTANCE * 0.1 * np.sqrt(volts[..., :1, :] ** 2 @ PORTS**2),
        "amplifiers": 1e-3 * (1.0 + RESISTANCE * PORTS.sum(axis=-2, keepdims=True)),
        "converters": np.full((2, 3, 1, 4), RESISTANCE * 1e-7),
    }[cause]
    spread = codes(FoldedPath(made, STRAIGHT, NOTHING), volts).std(axis=2, keepdims=True) * STEP
    np.testing.assert_allclose(spread, expected, rtol=0.06)
    silent = codes(FoldedPath(circuit(), STRAIGHT, NOTHING), volts)
    assert np.ptp(silent, axis=2).max() <= 1.0


def test_what_changes_between_exchanges_is_common_to_the_samples_of_one():
    path, rng = FoldedPath(circuit(), STRAIGHT, np.full_like(PORTS, 0.1)), np.random.default_rng(3)
    volts = np.repeat(VOLTS[..., :1, :], 2, axis=2)
    found = np.array([path.codes(volts, rng) for _ in range(4000)])
    np.testing.assert_array_equal(found[:, ..., 0, :], found[:, ..., 1, :])
    expected = RESISTANCE * 0.1 * np.sqrt(volts[..., :1, :] ** 2 @ PORTS**2) / STEP
    np.testing.assert_allclose(found.std(axis=0)[..., :1, :], expected, rtol=0.06)


def test_all_noise_together_has_the_law_of_one_draw_after_the_other():
    """Means, variances, and covariances between samples; and Kolmogorov-Smirnov of the codes of each column."""
    bank = replace(IDEAL, preset=replace(IDEAL.preset, noise=2e-7))
    made = circuit((0.02 * PORTS) ** 2, bank, 1e6, readout=2e-8)
    path, rng, count = FoldedPath(made, STRAIGHT, np.full_like(PORTS, 0.03)), np.random.default_rng(3), 3000
    folded = np.array([path.codes(VOLTS, rng) for _ in range(count)])
    plain = np.empty_like(folded)
    for number in range(count):
        cells = PORTS * (1.0 + 0.03 * rng.standard_normal(PORTS.shape))
        outputs = -RESISTANCE * (VOLTS @ cells)
        outputs += RESISTANCE * np.sqrt(VOLTS**2 @ (0.02 * PORTS) ** 2) * rng.standard_normal(outputs.shape)
        noise_gain = 1.0 + RESISTANCE * PORTS.sum(axis=-2, keepdims=True)
        outputs += 2e-4 * noise_gain * rng.standard_normal(outputs.shape)
        outputs += RESISTANCE * 2e-8 * rng.standard_normal(outputs.shape)
        outputs += np.sqrt(1e6 * thermal()) * rng.standard_normal(outputs.shape)
        plain[number] = np.rint(outputs / STEP)
    spread = plain.std(axis=0)
    assert np.abs((folded.mean(axis=0) - plain.mean(axis=0)) / spread).max() < 4.5 * np.sqrt(2 / count)
    np.testing.assert_allclose(folded.std(axis=0), spread, rtol=4.5 / np.sqrt(count))
    together, apart = (
        (one[..., 0, :] - one[..., 0, :].mean(axis=0)) * (one[..., 1, :] - one[..., 1, :].mean(axis=0))
        for one in (folded, plain)
    )
    off = together.mean(axis=0) - apart.mean(axis=0)
    off /= np.sqrt((together.var(axis=0) + apart.var(axis=0)) / count)
    assert np.abs(off).max() < 4.5
    values = [
        stats.ks_2samp(*(one[:, where, 0, 2, column] for one in (folded, plain))).pvalue
        for where in (0, 1)
        for column in range(4)
    ]
    assert min(values) > 0.001


def thermal():
    """Return the thermal noise of cells and resistor at the outputs, V^2/Hz."""
    load = PORTS.sum(axis=-2, keepdims=True)
    return RESISTANCE**2 * 4.0 * 1.380649e-23 * 300.0 * (load + 1.0 / RESISTANCE)
