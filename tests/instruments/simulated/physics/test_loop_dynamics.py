"""The INV loop in time, beside the nodal equations of the circuit, written once more and integrated by brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from daily import daily
from scipy.integrate import solve_ivp

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.matrix_files import load_matrix
from mho.errors import ConvergenceError, InputError
from mho.instruments.simulated.physics.circuits import loop_network
from mho.instruments.simulated.physics.circuits.amplifiers import (
    CLAMP,
    AmplifierBank,
    AmplifierPreset,
    amplifier_preset,
)
from mho.instruments.simulated.physics.circuits.inverse_circuit import InverseCircuit
from mho.instruments.simulated.physics.circuits.loop_network import LoopDynamics, StepResponse

GIN = 35e-6
LEVELS = load_chip_map("reference").level_scale()
PUBLISHED = np.rint(8.0 * load_matrix("zuo2025-4x4").astype(np.float64)).astype(np.int64)
RHS = np.array([[0.05, 0.0, 0.05, 0.025], [0.1, 0.1, 0.0, -0.1]])  # of the published examples, 12 and 24 bits
FAST = replace(amplifier_preset("OPA690"), offset=0.0, bias_current=0.0)
PLAIN = AmplifierPreset("plain", 0.0, 1e5, 0.0, 100e6, 300e6, 1e15, 0.0, 0.0)


def circuit(network: np.ndarray, preset: AmplifierPreset, offset: float = 0.0) -> InverseCircuit:
    n = len(network)
    bank = AmplifierBank(preset, np.full(n, offset), np.zeros(n))
    return InverseCircuit(network, np.abs(network).sum(axis=1) + GIN, np.zeros((n, n)), bank, 1e6)


def published(preset: AmplifierPreset, draws: int = 30) -> list[StepResponse]:
    drawn = LEVELS.draw(PUBLISHED, draws, np.random.default_rng(7))
    return [circuit(g, preset).step_response(1e-5 * b) for g in drawn for b in RHS]


def medians(responses: list[StepResponse]) -> tuple[float, float]:
    settling = float(np.median([response.settling_time() for response in responses]))
    return settling, float(np.median([response.overshoot for response in responses]))


def nodal(
    cells: np.ndarray, preset: AmplifierPreset, currents: np.ndarray, times: np.ndarray, offset: float = 0.0
) -> np.ndarray:
    """Return outputs (times, n): the currents through every cell, resistor and capacitor, amplifier by amplifier."""
    n = len(cells)
    ci, cf = preset.row_capacitance, preset.feedback_capacitance
    wu, wa = 2 * np.pi * preset.bandwidth, 2 * np.pi * preset.second_pole

    def rate(_: float, y: np.ndarray) -> np.ndarray:
        row, wanted, out = (
            y[:n],
            y[n : 2 * n],
            y[2 * n :],
        )  # `wanted`: slope of the output before its limits, V/s
        row_rate, out_rate = np.zeros(n), np.zeros(n)
        for k in range(n):
            slope = min(max(wanted[k], -preset.slew), preset.slew)
            clamped = abs(out[k]) >= CLAMP and slope * out[k] > 0
            out_rate[k] = 0.0 if clamped else slope
            into = sum(cells[k, j] * (out[j] - row[k]) for j in range(n)) - GIN * row[k]
            row_rate[k] = (into + currents[k] + preset.bias_current + cf * out_rate[k]) / (ci + cf)
        wanted_rate = wa * (wu * (offset - row) - wu / preset.gain * out - wanted)
        return np.concatenate([row_rate, wanted_rate, out_rate])

    smallest = np.repeat([1e-9, 1e-9 * wu, 1e-9], n)
    start = np.concatenate([np.full(n, offset), np.zeros(2 * n)])
    solved = solve_ivp(rate, (0.0, times[-1]), start, t_eval=times, rtol=1e-7, atol=smallest, max_step=5e-10)
    return np.asarray(solved.y[2 * n :].T)


# --- against the nodal equations ---


@pytest.mark.parametrize("seed", daily(range(3), 1))
def test_a_loop_of_drawn_cells_moves_as_its_nodal_equations_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = LEVELS.draw(PUBLISHED, 1, rng)[0]
    preset = replace(FAST, bias_current=2e-7, row_capacitance=rng.uniform(1e-12, 4e-12))
    currents, times = rng.uniform(-1e-6, 1e-6, 4), np.linspace(5e-9, 150e-9, 30)
    found = circuit(cells, preset, offset=3e-4).step(currents, times)
    assert np.abs(found).max() > 0.02
    assert found == pytest.approx(nodal(cells, preset, currents, times, 3e-4), abs=2e-6)


def test_slewing_and_clamped_outputs_move_as_the_nodal_equations_say() -> None:
    cells = LEVELS.draw(PUBLISHED, 1, np.random.default_rng(5))[0]
    preset, currents = replace(FAST, slew=20e6, bias_current=5e-7), np.array([9e-6, -1e-6, 1e-6, 0.0])
    times = np.linspace(2e-9, 120e-9, 30)
    found = circuit(cells, preset, offset=0.02).step(currents, times)
    assert np.abs(found).max() == pytest.approx(CLAMP, abs=1e-3)  # the diodes conduct from a millivolt below
    assert found == pytest.approx(nodal(cells, preset, currents, times, 0.02), abs=2e-3)


@pytest.mark.parametrize(("feedback", "decays"), daily([(0.0, False), (0.05e-12, True), (0.2e-12, True)], 2))
def test_the_eigenvalues_tell_whether_the_nodal_equations_decay(feedback: float, decays: bool) -> None:
    cells = LEVELS.draw(PUBLISHED, 1, np.random.default_rng(1))[0]
    loop = circuit(cells, replace(FAST, row_capacitance=1e-12, feedback_capacitance=feedback))
    currents, times = 1e-8 * RHS[0], np.linspace(0.0, 200e-9, 400)
    off = np.abs(nodal(cells, loop.bank.preset, currents, times) + np.linalg.solve(loop.system, currents))
    assert loop.stable == decays
    assert (off[300:].max() < off[100:200].max()) == decays


# --- limits ---


def test_without_capacitances_the_rows_follow_at_once_and_the_loop_is_of_second_order() -> None:
    g = np.array([[20e-6, 4e-6], [1e-6, 15e-6]])
    loop, tiny = circuit(g, PLAIN), circuit(g, PLAIN.with_capacitances(1e-18, 0.0))
    assert (loop.dynamics.order, tiny.dynamics.order) == (4, 6)
    # s (1 + s / w_a) + w_u l = 0 for each eigenvalue l of D^-1 G, the loss w_u / A apart
    shares = np.linalg.eigvals(np.linalg.solve(loop.load, g)) + 1.0 / PLAIN.gain
    wu, wa = 2 * np.pi * PLAIN.bandwidth, 2 * np.pi * PLAIN.second_pole
    expected = np.concatenate([np.roots([1 / wa, 1.0, wu * share]) for share in shares])
    assert np.sort_complex(loop.dynamics.eigenvalues) == pytest.approx(np.sort_complex(expected), rel=1e-3)
    times = np.linspace(1e-9, 100e-9, 20)
    i = np.array([1e-6, -1e-6])
    assert tiny.step(i, times) == pytest.approx(loop.step(i, times), rel=1e-4, abs=1e-8)


def test_a_row_capacitance_alone_is_a_lower_second_pole_to_a_loop_that_is_slower() -> None:
    g, capacitance, slow = np.array([[20e-6]]), 0.03e-12, replace(PLAIN, bandwidth=30e6)
    lag = 1.0 / (2 * np.pi * slow.second_pole) + capacitance / (20e-6 + GIN)
    lumped = circuit(g, replace(slow, second_pole=1.0 / (2 * np.pi * lag))).slowest.real
    found = circuit(g, slow.with_capacitances(row=capacitance)).slowest.real
    assert found == pytest.approx(lumped, rel=0.01)
    assert found < 1.03 * circuit(g, slow).slowest.real


def test_fast_amplifiers_leave_the_time_to_the_feedback_capacitor() -> None:
    g = LEVELS.conductance(PUBLISHED)
    preset = AmplifierPreset("fast", 0.0, 1e6, 0.0, 1e12, 1e14, 1e15, 0.0, 2e-12, 0.2e-12)
    slowest = np.linalg.eigvals(g).real.min() / 0.2e-12
    assert -circuit(g, preset).slowest.real == pytest.approx(slowest, rel=0.01)


def test_capacitances_do_not_change_what_a_loop_settles_to() -> None:
    g, i = LEVELS.conductance(PUBLISHED), 1e-5 * RHS
    loops = [circuit(g, FAST.with_capacitances(*pair), 2e-4) for pair in ((0.0, 0.0), (3e-12, 0.2e-12))]
    assert np.array_equal(loops[0].settled(i), loops[1].settled(i))
    for loop in loops:
        assert loop.step(i[0], np.array([5e-6]))[0] == pytest.approx(loops[0].settled(i)[0], rel=1e-9)


def test_modes_that_depend_on_each_other_are_integrated_instead() -> None:
    n = 6
    g = 20e-6 * np.eye(n) + 10e-6 * np.eye(n, k=1)
    g[-1, 0] = 1e-30  # all rows but the last carry the same load: a chain, whose modes coincide
    bank = AmplifierBank(PLAIN.with_capacitances(1e-12, 0.1e-12), np.zeros(n), np.zeros(n))
    loop = InverseCircuit(g, np.full(n, 65e-6), np.zeros((n, n)), bank, 1e6)
    assert not loop.dynamics._modes[2]
    i, times = np.full(n, 1e-6), np.linspace(5e-9, 400e-9, 40)
    start, final = (loop.dynamics.at_rest(v) for v in (np.zeros(n), loop.settled(i[None])[0]))
    exact = [(loop.dynamics.passed(t) @ (start - final) + final)[:n] for t in times]
    assert loop.step(i, times) == pytest.approx(np.array(exact), abs=1e-7)


# --- what is published ---


@pytest.mark.parametrize("row", daily([2e-12, 3e-12, 4e-12], [3e-12]))
def test_fast_amplifiers_settle_the_published_matrix_as_measured(row: float) -> None:
    settling, overshoot = medians(published(FAST.with_capacitances(row, 0.2e-12)))
    assert 100e-9 < settling < 170e-9  # Zuo 2025: about 120 ns, overshoot 10 to 30 %
    assert 0.1 < overshoot < 0.3


def test_more_capacitance_at_the_rows_takes_more_time() -> None:
    settling, _ = medians(published(FAST.with_capacitances(8e-12, 0.3e-12)))
    assert 172e-9 < settling < 236e-9


@pytest.mark.parametrize(("bandwidth", "row"), [(500e6, 1e-12), (300e6, 3e-12)])
def test_fast_amplifiers_oscillate_without_a_feedback_capacitor(bandwidth: float, row: float) -> None:
    preset = replace(FAST, bandwidth=bandwidth)
    for g in LEVELS.draw(PUBLISHED, 20, np.random.default_rng(2)):
        assert not circuit(g, preset.with_capacitances(row, 0.0)).stable
        assert circuit(g, preset.with_capacitances(row, 0.2e-12)).stable


def test_the_bias_current_of_fast_amplifiers_takes_most_of_the_range() -> None:
    outputs = circuit(LEVELS.conductance(PUBLISHED), amplifier_preset("OPA690")).settled(np.zeros((1, 4)))[0]
    assert np.abs(outputs).max() > 0.75 * CLAMP
    assert circuit(np.array([[35e-6]]), amplifier_preset("OPA690")).settled(np.zeros((1, 1)))[0, 0] == (
        pytest.approx(-5e-6 / 35e-6, rel=0.01)
    )


def compensation(conductance: float, load: float, capacitance: float, bandwidth: float) -> float:
    """Return the C_f (F) that a designer chooses for an amplifier with `capacitance` C_in (F) at its input.

    `conductance` G (S) is from output to input, `load` D all conductance at the input; `bandwidth` is w_u / (2 pi), Hz. The
    loop gain of one amplifier, w_u G / (D s), falls faster from the row's pole D / C_in. Where it is below 1 there, 45
    degrees of phase are left and the answer is 0. Otherwise it is 1 at sqrt(w_u G / C_in), and the feedback's own corner G
    / C_f is put there, which is the rule for transimpedance amplifiers: C_f = sqrt(C_in G / w_u), for C_f << C_in.
    """
    unity = 2.0 * np.pi * bandwidth
    if unity * conductance * capacitance <= load**2:
        return 0.0
    return float(np.sqrt(capacitance * conductance / unity))


@pytest.mark.parametrize(("name", "row"), [("AD823", None), ("OPA690", None), ("OPA690", 8e-12)])
def test_compensation_is_what_the_amplifiers_come_with_and_damps_every_loop(
    name: str, row: float | None
) -> None:
    preset = amplifier_preset(name).with_capacitances(row)
    chosen = compensation(35e-6, 105e-6, preset.row_capacitance, preset.bandwidth)
    if row is None:
        assert preset.feedback_capacitance == pytest.approx(chosen, abs=0.05e-12)
    single = AmplifierBank(preset.with_capacitances(feedback=chosen), np.zeros(1), np.zeros(1))
    loop = InverseCircuit(np.array([[35e-6]]), np.array([105e-6]), np.zeros((1, 1)), single, 1e6)
    values = loop.dynamics.eigenvalues
    assert (
        -values.real / np.abs(values)
    ).min() > 0.3  # about 45 degrees of phase less what the amplifier's own second pole takes


# --- waveforms ---


def test_a_response_settles_where_its_last_output_comes_within_the_tolerance() -> None:
    times, offsets = np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, 3.0])
    outputs = np.array([[0.0, -0.5], [1.3, -0.9], [0.995, -0.98], [1.0, -1.0]]) + offsets
    response = StepResponse(times, outputs, offsets, offsets + np.array([1.0, -1.0]))
    assert response.overshoot == pytest.approx(0.3)
    assert [response.settling_time(t) for t in (0.01, 0.03, 0.4)] == [4.0, 3.0, 2.0]
    assert StepResponse(times[:2], outputs[:2], offsets, response.final).settling_time() == np.inf
    with pytest.raises(InputError, match="tolerance is 1;"):
        response.settling_time(1.0)


def test_a_loop_that_never_settles_says_so() -> None:
    loop = circuit(LEVELS.conductance(PUBLISHED), FAST.with_capacitances(feedback=0.0))
    response = loop.step_response(1e-6 * RHS[0], duration=200e-9, points=200)
    assert response.settling_time() == response.overshoot == np.inf
    assert np.abs(response.outputs[-50:]).max() > 1.5 * np.abs(response.outputs[:50]).max()


def test_a_waveform_that_takes_too_many_steps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_network, "MOST_RATES", 100)
    loop = circuit(LEVELS.conductance(PUBLISHED), FAST.with_capacitances(feedback=0.0))
    with pytest.raises(ConvergenceError, match="more than 100 steps; ask for a shorter time"):
        loop.step(1e-5 * RHS[0], np.array([1e-5]))


@pytest.mark.parametrize("preset", [FAST, PLAIN], ids=["third order", "second order"])
def test_modes_of_a_loop_nearby_give_the_eigenvalues_to_first_order(preset):
    rng = np.random.default_rng(3)
    quiet = LEVELS.draw(PUBLISHED, 1, rng)[0]
    load = np.diag(np.abs(quiet).sum(axis=1) + GIN)
    bank = AmplifierBank(preset, np.zeros(4), np.zeros(4))
    near = LoopDynamics(quiet, load, bank)
    errors = []
    for size in (1e-2, 1e-3):
        noisy = quiet * (1.0 + size * rng.standard_normal(quiet.shape))
        followed, exact = LoopDynamics(noisy, load, bank, near), LoopDynamics(noisy, load, bank)
        assert followed.stable
        assert (
            followed._followed(near) is not None
        )  # so that the equality below is not that of one with itself
        errors.append(abs(followed.slowest - exact.slowest) / abs(exact.slowest - near.slowest))
    assert errors[1] < errors[0] / 3.0  # relative to the first order, what is left out falls with the size
    assert errors[1] < 0.02


def test_a_loop_that_may_not_settle_is_not_judged_by_one_nearby():
    quiet = 10e-6 * np.eye(2)
    load = np.diag(np.full(2, 45e-6))
    bank = AmplifierBank(PLAIN, np.zeros(2), np.zeros(2))
    near = LoopDynamics(quiet, load, bank)
    turned = LoopDynamics(quiet - 20e-6 * np.eye(2), load, bank, near)
    assert near.stable
    assert turned._followed(near) is None
    assert not turned.stable
    assert turned.slowest == LoopDynamics(quiet - 20e-6 * np.eye(2), load, bank).slowest
