"""MVM through the board: by hand, by superposition, and its statistics against brute force."""

from dataclasses import replace

import numpy as np
import pytest

from mho.instruments.simulated.physics.cells.conduction import cell_current, excess_currents
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS
from mho.instruments.simulated.physics.circuits.amplifiers import (
    SUPPLY,
    AmplifierBank,
    AmplifierPreset,
    Converter,
    amplifier_preset,
    thermal_density,
)
from mho.instruments.simulated.physics.circuits.multiply_circuit import MultiplyCircuit

R = 20e3
SILENT = AmplifierPreset("silent", 0.0, 1e12, 0.0, 1e9, 1e12, 1e15, 0.0, 0.0)


def bank(count: int, preset: AmplifierPreset = SILENT, offset: float = 0.0) -> AmplifierBank:
    return AmplifierBank(preset, np.full(count, offset), np.zeros(count))


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def moments(circuit: MultiplyCircuit, volts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the outputs before saturation and ADC: the law that they are drawn from."""
    driven = circuit.dac.outputs(volts) if circuit.dac else volts
    spread = np.sqrt(driven**2 @ circuit._variance.astype(float) + circuit._floor)
    return circuit._currents(driven) + circuit._offset, spread


def test_one_cell_gives_minus_r_g_u() -> None:
    circuit = MultiplyCircuit(np.array([[10e-6]]), np.zeros((1, 1)), bank(1), R, 1e-3)
    assert circuit.outputs(np.array([[0.2]]), rng())[0, 0] == pytest.approx(-R * 10e-6 * 0.2, rel=1e-6)


def test_inputs_superpose() -> None:
    ports = rng().uniform(0, 35e-6, (8, 5))
    circuit = MultiplyCircuit(ports, np.zeros((8, 5)), bank(5), R, 1e-6)
    single = circuit.outputs(0.2 * np.eye(8), rng())
    assert circuit.outputs(np.full((1, 8), 0.2), rng())[0] == pytest.approx(single.sum(axis=0), rel=1e-4)


def test_offset_is_amplified_by_the_noise_gain() -> None:
    ports = np.full((4, 1), 25e-6)
    circuit = MultiplyCircuit(ports, np.zeros((4, 1)), bank(1, offset=1e-3), R, 1e-6)
    assert circuit.outputs(np.zeros((1, 4)), rng())[0, 0] == pytest.approx(1e-3 * (1 + R * 1e-4), rel=1e-4)


def test_finite_gain_costs_the_loop_gain() -> None:
    preset = AmplifierPreset("poor", 0.0, 100.0, 0.0, 1e9, 1e12, 1e15, 0.0, 0.0)
    circuit = MultiplyCircuit(np.array([[50e-6]]), np.zeros((1, 1)), bank(1, preset), R, 1e-9)
    ideal = -R * 50e-6 * 0.2
    assert circuit.outputs(np.array([[0.2]]), rng())[0, 0] == pytest.approx(
        ideal / (1 + (1 + R * 50e-6) / 100), rel=1e-6
    )


def test_outputs_saturate_at_the_supply() -> None:
    circuit = MultiplyCircuit(np.full((64, 1), 35e-6), np.zeros((64, 1)), bank(1), R, 1e-6)
    assert circuit.outputs(np.full((1, 64), 1.0), rng())[0, 0] == -SUPPLY


def test_cell_noise_has_exactly_the_statistics_of_a_matrix_drawn_for_every_vector() -> None:
    generator = rng()
    ports = generator.uniform(1e-6, 35e-6, (16, 3))
    variance = (0.02 * ports) ** 2
    circuit = MultiplyCircuit(ports, variance, bank(3), R, 1e-6)
    volts = generator.choice([0.0, 0.2], 16)
    ours = circuit.outputs(np.tile(volts, (40_000, 1)), generator)
    drawn = ports + np.sqrt(variance) * generator.standard_normal((40_000, *ports.shape))
    brute = -R * np.einsum("j,sji->si", volts, drawn)
    assert ours.mean(axis=0) == pytest.approx(brute.mean(axis=0), rel=2e-3)
    assert ours.std(axis=0) == pytest.approx(brute.std(axis=0), rel=2e-2)
    assert abs(np.corrcoef(ours.T)[0, 1]) < 0.02
    # a Gaussian and nothing else: same tails
    assert np.percentile(ours[:, 0], [1, 99]) == pytest.approx(np.percentile(brute[:, 0], [1, 99]), rel=5e-3)


def test_the_law_it_draws_from_is_the_law_it_states() -> None:
    generator = rng()
    ports = generator.uniform(1e-6, 35e-6, (8, 4))
    circuit = MultiplyCircuit(
        ports, (0.01 * ports) ** 2, AmplifierBank.draw(amplifier_preset("AD823"), 4, generator), R, 1e6
    )
    volts = np.tile(generator.uniform(-0.2, 0.2, 8), (20_000, 1))
    mean, spread = moments(circuit, volts[:1])
    drawn = circuit.outputs(volts, generator)
    assert drawn.mean(axis=0) == pytest.approx(mean[0], abs=5 * spread.max() / 140)
    assert drawn.std(axis=0) == pytest.approx(spread[0], rel=0.03)


def test_without_cells_only_resistor_and_amplifier_noise_are_left() -> None:
    circuit = MultiplyCircuit(np.zeros((2, 1)), np.zeros((2, 1)), bank(1), R, 1e6)
    noise = circuit.outputs(np.zeros((20_000, 2)), rng()).std()
    assert noise == pytest.approx(R * np.sqrt(1e6 * thermal_density(np.array(1 / R))), rel=0.02)


def test_converters_make_steps_of_both_ends() -> None:
    dac, adc = Converter.ideal(1, 0.0, 0.2), Converter.ideal(4, -5.0, 5.0)
    circuit = MultiplyCircuit(np.full((3, 2), 35e-6), np.zeros((3, 2)), bank(2), R, 1e-6, dac, adc)
    outputs = circuit.outputs(np.array([[0.19, 0.03, 0.2]]), rng())  # a 1-bit DAC makes 1, 0, 1 of it
    assert outputs == pytest.approx(adc.levels(adc.codes(np.full((1, 2), -R * 35e-6 * 0.4))))


@pytest.mark.parametrize(
    ("resistance", "bandwidth", "text"), [(-1.0, 1e6, "resistance -1.0 ohm"), (R, 0.0, "0.0 Hz")]
)
def test_impossible_parts_are_refused_by_name(resistance: float, bandwidth: float, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        MultiplyCircuit(np.ones((1, 1)), np.ones((1, 1)), bank(1), resistance, bandwidth)


def test_outputs_stay_where_the_amplifier_has_no_more_voltage_or_current() -> None:
    ports, full = np.full((64, 1), 35e-6), np.full((1, 64), 1.0)
    rail, weak = replace(SILENT, swing=4.0), replace(SILENT, output_current=50e-6)
    for preset, level in ((rail, 4.0), (weak, 50e-6 * R)):
        circuit = MultiplyCircuit(ports, np.zeros((64, 1)), bank(1, preset), R, 1e-6)
        assert circuit.outputs(full, rng())[0, 0] == -level
        assert circuit.asked == pytest.approx(64 * 35e-6 * R, rel=1e-4)
        spared = MultiplyCircuit(ports, np.zeros((64, 1)), bank(1, preset), R, 1e-6)
        assert spared.outputs(0.01 * full, rng())[0, 0] == pytest.approx(-0.01 * 64 * 35e-6 * R, rel=1e-3)
        assert spared.asked == 0.0


def test_cells_that_are_no_lines_add_what_each_of_them_carries() -> None:
    law = replace(CELL_PRESETS["pku"], nonlinearity=1.0)
    ports = rng().uniform(0.4e-6, 10e-6, (8, 3))
    volts = rng().uniform(-0.3, 0.3, (5, 8))
    excess = excess_currents(law, ports, ports, 2.5, "bit line", 0.4)
    circuit = MultiplyCircuit(ports, np.zeros((8, 3)), bank(3), R, 1e-9, excess=excess)
    exact = -R * cell_current(law, ports, volts[:, :, None], 2.5).sum(axis=1)
    assert circuit.outputs(volts, rng()) == pytest.approx(exact, abs=2e-6)
    assert moments(circuit, volts)[0] == pytest.approx(exact, abs=2e-6)
    assert np.abs(-R * volts @ ports - exact).max() > 2e-3
