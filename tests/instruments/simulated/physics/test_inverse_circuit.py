"""The inverting loop: by hand, its statistics, its time, its clamps, its instability, and what its parts do not give."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from mho.instruments.simulated.physics.cells.conduction import cell_current, excess_currents
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset
from mho.instruments.simulated.physics.circuits.amplifiers import (
    CLAMP,
    AmplifierBank,
    AmplifierPreset,
    Variation,
    amplifier_preset,
)
from mho.instruments.simulated.physics.circuits.inverse_circuit import InverseCircuit

GIN = 35e-6
ONE_POLE = AmplifierPreset("one pole", 0.0, 1e9, 0.0, 16e6, 1e13, 1e15, 0.0, 0.0)


def circuit(
    network: np.ndarray,
    preset: AmplifierPreset = ONE_POLE,
    spread: float = 0.0,
    offset: float = 0.0,
    bandwidth: float = 1e6,
) -> InverseCircuit:
    n = len(network)
    load = np.abs(network).sum(axis=1) + GIN
    bank = AmplifierBank(preset, np.full(n, offset), np.zeros(n))
    return InverseCircuit(network, load, (spread * network) ** 2, bank, bandwidth)


def dominant(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 5e-6, (n, n)) + 35e-6 * np.eye(n)


def test_two_by_two_by_hand() -> None:
    g = np.array([[20e-6, 5e-6], [10e-6, 25e-6]])
    i = np.array([[2e-6, -1e-6]])
    # Cramer's rule on G v = -i
    det = 20e-6 * 25e-6 - 5e-6 * 10e-6
    v = -np.array([2e-6 * 25e-6 + 1e-6 * 5e-6, -1e-6 * 20e-6 - 2e-6 * 10e-6]) / det
    assert circuit(g).settled(i)[0] == pytest.approx(v, rel=1e-6)


def test_finite_gain_and_offset_enter_as_the_equation_says() -> None:
    g = dominant(5)
    preset = AmplifierPreset("poor", 0.0, 300.0, 0.0, 16e6, 1e13, 1e15, 0.0, 0.0)
    loop = circuit(g, preset, offset=0.5e-3)
    i = np.linspace(-1e-6, 1e-6, 5)
    expected = np.linalg.solve(g + loop.load / 300.0, -i + np.diagonal(loop.load) * 0.5e-3)
    assert loop.settled(i[None])[0] == pytest.approx(expected, rel=1e-10)


def test_a_one_pole_loop_settles_exponentially_in_its_time_constant() -> None:
    g = np.array([[20e-6]])
    loop = circuit(g)
    tau = loop.load[0, 0] / (2 * np.pi * 16e6 * 20e-6)
    times = tau * np.array([0.5, 1.0, 3.0])
    final = -2e-6 / 20e-6
    assert loop.step(np.array([2e-6]), times)[:, 0] == pytest.approx(
        final * (1 - np.exp(-times / tau)), rel=1e-4
    )
    assert loop.settling_time(np.array([2e-6]), 1e-2) == pytest.approx(tau * np.log(100), rel=0.02)


def test_a_two_pole_loop_overshoots_as_its_damping_says() -> None:
    second, unity = 4e6, 16e6
    preset = AmplifierPreset("two poles", 0.0, 1e9, 0.0, unity, second, 1e15, 0.0, 0.0)
    loop = circuit(np.array([[20e-6]]), preset)
    share = 20e-6 / loop.load[0, 0]
    damping = 0.5 * np.sqrt(second / (unity * share))
    values = loop.dynamics.eigenvalues
    assert (-values.real / np.abs(values)).min() == pytest.approx(damping, rel=1e-3)
    expected = np.exp(-np.pi * damping / np.sqrt(1 - damping**2))
    assert loop.step_response(np.array([1e-6]), points=4000).overshoot == pytest.approx(expected, rel=1e-2)


def test_integration_and_modes_agree_where_both_hold() -> None:
    loop = circuit(dominant(4), amplifier_preset("AD823"))
    i, times = np.array([1e-6, 0.0, -2e-6, 1e-6]), np.linspace(1e-8, 1e-6, 20)
    assert loop.dynamics._integrated(i, times, np.zeros(12)) == pytest.approx(
        loop.step(i, times), rel=1e-4, abs=1e-7
    )


def test_slewing_takes_the_time_the_slew_rate_dictates() -> None:
    slow = AmplifierPreset("slow", 0.0, 1e6, 0.0, 300e6, 1e9, 1e6, 0.0, 0.0)  # 1 V/us
    loop = circuit(np.array([[20e-6]]), slow)
    waveform = loop.step(np.array([6e-6]), np.array([0.1e-6, 0.2e-6]))  # to -0.3 V
    assert waveform[:, 0] == pytest.approx([-0.1, -0.2], abs=0.01)


def test_outputs_stop_at_the_clamps_and_the_others_find_their_balance() -> None:
    g = np.array([[20e-6, 2e-6], [2e-6, 20e-6]])
    outputs = circuit(g).settled(np.array([[20e-6, 1e-6]]))[0]
    assert outputs[0] == -CLAMP
    assert 20e-6 * outputs[1] == pytest.approx(-1e-6 + 2e-6 * CLAMP, rel=1e-4)


def test_the_clamped_balance_is_where_the_dynamics_end() -> None:
    loop = circuit(dominant(4), amplifier_preset("AD823"))
    i = np.array([30e-6, 1e-6, -2e-6, 0.0])
    end = loop.step(i, np.array([20e-6]))[0]
    assert loop.settled(i[None])[0] == pytest.approx(end, abs=1e-3)


@pytest.mark.parametrize("n", [12, 24])
def test_clamps_let_go_where_the_dynamics_do(n: int) -> None:
    rng = np.random.default_rng(n)
    factor = rng.standard_normal((n, 2 * n))
    loop = circuit(5e-6 * factor @ factor.T / n, replace(amplifier_preset("AD823"), bias_current=0.0))
    i = rng.standard_normal(n)
    i *= (
        1.5 / np.abs(np.linalg.solve(loop.network, i)).max()
    )  # several outputs far beyond their clamps, at first
    response = loop.step_response(i, points=50)
    beyond = np.abs(np.linalg.solve(loop.system, i)) > CLAMP
    assert 1 <= np.count_nonzero(np.abs(response.final) == CLAMP) < np.count_nonzero(beyond)
    assert response.outputs[-1] == pytest.approx(response.final, abs=1e-5)


def test_outputs_that_are_all_in_their_clamps_stay_there() -> None:
    assert list(circuit(dominant(2)).settled(np.array([[90e-6, -90e-6]]))[0]) == [-CLAMP, CLAMP]


def test_an_unstable_loop_rails_along_its_growing_mode() -> None:
    loop = circuit(np.array([[5e-6, 30e-6], [30e-6, 5e-6]]), amplifier_preset("AD823"))
    assert not loop.stable
    outputs = loop.settled(np.full((50, 2), 1e-7), np.random.default_rng(0))
    assert np.all(np.abs(outputs) == CLAMP)
    assert np.all(outputs[:, 0] == -outputs[:, 1])  # its growing mode is (1, -1)
    waveform = loop.step(np.array([1e-7, -1e-7]), np.array([5e-6]))
    assert np.abs(waveform).max() == pytest.approx(CLAMP)


def test_noise_has_the_statistics_of_a_network_drawn_for_every_solve() -> None:
    g = dominant(4, seed=3)
    loop = circuit(g, spread=0.01, bandwidth=1e-3)
    generator = np.random.default_rng(5)
    i = np.array([2e-6, -1e-6, 1e-6, 0.5e-6])
    ours = loop.settled(np.tile(i, (20_000, 1)), generator)
    drawn = loop.system + 0.01 * g * generator.standard_normal((20_000, 4, 4))
    brute = np.linalg.solve(drawn, np.broadcast_to(-i, (20_000, 4))[..., None])[..., 0]
    assert ours.mean(axis=0) == pytest.approx(brute.mean(axis=0), rel=5e-3)
    assert ours.std(axis=0) == pytest.approx(brute.std(axis=0), rel=3e-2)
    assert np.corrcoef(ours.T) == pytest.approx(np.corrcoef(brute.T), abs=0.03)


def test_sampling_late_sees_the_settled_output_and_sampling_early_the_way_there() -> None:
    loop = circuit(dominant(3), amplifier_preset("AD823"))
    inputs = np.array([[0.0, 0.0, 0.0], [2e-6, 1e-6, -1e-6], [-1e-6, 0.0, 1e-6]])
    assert loop.sampled(inputs, 20e-6, 50e-6) == pytest.approx(loop.settled(inputs), abs=1e-6)
    early = loop.sampled(inputs, 50e-9, 100e-6)
    before = loop.settled(inputs[:1])[0]
    assert early[1] == pytest.approx(loop.step(inputs[1], np.array([50e-9]), before)[0], rel=1e-6)
    assert np.abs(early[1] - loop.settled(inputs)[1]).max() > 5e-3


def test_a_row_without_conductance_is_refused() -> None:
    bank = AmplifierBank(ONE_POLE, np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="load"):
        InverseCircuit(np.eye(2), np.array([1e-6, 0.0]), np.zeros((2, 2)), bank, 1e6)


def test_a_load_that_ties_rows_together_enters_statics_and_dynamics() -> None:
    g = dominant(3)
    load = np.diag(g.sum(axis=1) + GIN) - 2e-6 * (1 - np.eye(3))
    preset = AmplifierPreset("poor", 0.0, 100.0, 0.0, 16e6, 1e12, 1e15, 0.0, 0.0)
    bank = AmplifierBank(preset, np.array([1e-3, -1e-3, 0.0]), np.zeros(3))
    loop = InverseCircuit(g, load, np.zeros((3, 3)), bank, 1e6)
    i = np.array([1e-6, 2e-6, -1e-6])
    expected = np.linalg.solve(g + load / 100.0, -i + load @ bank.offsets)
    assert loop.settled(i[None])[0] == pytest.approx(expected, rel=1e-10)
    assert loop.step(i, np.array([1e-4]))[0] == pytest.approx(expected, rel=1e-6)


# --- cells that are no lines ---

CELLS = replace(CELL_PRESETS["pku"], nonlinearity=1.0)


def loop_of(cells: np.ndarray, preset: CellPreset = CELLS, nonlinearity: float = 1.0) -> InverseCircuit:
    """Return a loop of cells (rows, columns), without wires, behind ideal amplifiers."""
    n = len(cells)
    law = replace(preset, nonlinearity=nonlinearity)
    excess = excess_currents(law, cells.T, cells.T, 2.5, "source line", CLAMP)
    bank = AmplifierBank(amplifier_preset("ideal"), np.zeros(n), np.zeros(n))
    return InverseCircuit(cells, cells.sum(axis=1) + GIN, np.zeros((n, n)), bank, 1e6, excess=excess)


@pytest.mark.parametrize(("g", "most"), [(2e-6, 0.7e-6), (0.37e-6, 0.19e-6)])
def test_a_loop_of_one_cell_inverts_the_law_of_the_cell(g: float, most: float) -> None:
    # The slope of the second, a cell in HRS, is 2.3 G at 0.4 V: only Newton's method gets there.
    cells, currents = np.array([[g]]), np.linspace(-most, most, 9)[:, None]
    found = loop_of(cells).settled(currents)[:, 0]
    for volts, current in zip(found, currents[:, 0], strict=True):
        into = float(cell_current(CELLS, g, volts, 2.5, "source line"))
        assert into == pytest.approx(-current, abs=1e-4 * most)
    linear = loop_of(cells, nonlinearity=0.0).settled(0.5 * currents)[:, 0]
    assert linear == pytest.approx(-0.5 * currents[:, 0] / g, rel=1e-5)
    assert np.abs(found[0] + currents[0, 0] / g) > 0.02, (
        "a superlinear cell needs less voltage for its current"
    )


def test_a_loop_of_two_cells_by_hand() -> None:
    # Lower triangular: row 0 alone gives v0, then row 1, -i1 - I(v0), gives v1.
    g = np.array([[4e-6, 0.0], [3e-6, 6e-6]]) + 1e-12
    i = np.array([[-1.0e-6, 0.3e-6]])

    def volts(conductance: float, current: float) -> float:
        return float(
            brentq(lambda v: float(cell_current(CELLS, conductance, v, 2.5, "source line")) - current, -1, 1)
        )

    first = volts(4e-6, 1.0e-6)
    second = volts(6e-6, -0.3e-6 - float(cell_current(CELLS, 3e-6, first, 2.5, "source line")))
    assert loop_of(g).settled(i)[0] == pytest.approx([first, second], abs=2e-5)
    assert abs(loop_of(g, nonlinearity=0.0).settled(i)[0, 1] - second) > 2e-3


def test_a_waveform_ends_where_the_cells_let_the_loop_rest() -> None:
    loop = loop_of(np.array([[6e-6, 1e-6], [2e-6, 7e-6]]))
    response = loop.step_response(np.array([1.5e-6, -1e-6]))
    assert response.final == pytest.approx(loop.settled(np.array([[1.5e-6, -1e-6]]))[0], abs=1e-9)
    assert response.outputs[-1] == pytest.approx(response.final, rel=1e-4)


def test_noise_of_such_a_loop_lies_around_its_answer() -> None:
    g = np.array([[6e-6, 1e-6], [2e-6, 7e-6]])
    loop = loop_of(g)
    loop.variance[:] = (0.01 * g) ** 2
    currents = np.tile([1.5e-6, -1e-6], (4000, 1))
    found = loop.settled(currents, np.random.default_rng(0))
    assert found.mean(axis=0) == pytest.approx(loop.settled(currents[:1])[0], abs=3e-4)
    assert np.all(found.std(axis=0) > 5e-4)


def test_a_loop_without_an_answer_within_its_clamps_rails() -> None:
    outputs = loop_of(np.array([[2e-6]])).settled(np.array([[5e-6], [-5e-6]]))
    assert outputs[:, 0].tolist() == [-CLAMP, CLAMP]


# --- what an amplifier has ---


def limited(current: float) -> InverseCircuit:
    preset = replace(amplifier_preset("ideal"), output_current=current)
    g = np.array([[20e-6]])
    bank = AmplifierBank(preset, np.zeros(1), np.zeros(1))
    return InverseCircuit(g, g.sum(axis=1) + GIN, np.zeros((1, 1)), bank, 1e6, drawn=np.array([20e-6]))


def test_an_output_stays_where_its_amplifier_has_no_more_current() -> None:
    loop = limited(3e-6)
    outputs = loop.settled(np.array([[2e-6], [-5e-6]]))
    assert outputs[0, 0] == pytest.approx(-0.1, rel=1e-9), "2 uA of 3"
    assert outputs[1, 0] == pytest.approx(3e-6 / 20e-6, rel=1e-9)
    assert loop.asked[0] == pytest.approx(5e-6 / 20e-6, rel=1e-6)


def test_an_amplifier_with_current_to_spare_was_asked_for_nothing() -> None:
    loop = limited(1e-3)
    assert loop.settled(np.array([[-5e-6]]))[0, 0] == pytest.approx(0.25, rel=1e-6)
    assert not loop.asked.any()


def test_a_slow_corner_settles_as_much_later_as_its_bandwidth_is_less() -> None:
    varied = replace(ONE_POLE, variation=Variation(spread=0.2))
    times = {corner: circuit(np.array([[20e-6]]), varied.at(corner)).slowest for corner in ("slow", "fast")}
    assert times["fast"].real / times["slow"].real == pytest.approx(1.2 / 0.8, rel=1e-6)
