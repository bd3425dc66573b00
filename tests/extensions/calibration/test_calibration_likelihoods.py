"""The likelihoods of a calibration, held to the simulated cells and to closed forms."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from daily import daily
from scipy.special import logit
from scipy.stats import multivariate_normal, norm

from benchmarks._hidden_presets import hidden, random_pulses
from mho.extensions.calibration.calibrating import Coordinates
from mho.extensions.calibration.likelihoods.memory import Memory
from mho.extensions.calibration.likelihoods.nodes import DeviceNodes, LineNodes
from mho.extensions.calibration.likelihoods.threshold_reset import FITTED as RESETS
from mho.extensions.calibration.likelihoods.threshold_reset import Landing, ThresholdResets
from mho.extensions.calibration.likelihoods.threshold_set import FITTED, ThresholdSets, compliance
from mho.extensions.calibration.posterior import infer
from mho.extensions.calibration.transitions import Sequences, Transitions, transitions_of
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset
from mho.instruments.simulated.physics.cells.switching import ThresholdLaw

STANFORD = CELL_PRESETS["stanford"]
PARAMETERS: dict[str, Any] = asdict(STANFORD)


def one_pulse_each(after: np.ndarray, before: float, voltage: float, gate: float) -> Sequences:
    """Return the same pulse on many cells, each of which was read at another conductance after it."""
    shape = (1, len(after))
    full = lambda value: np.full(shape, value)  # noqa: E731
    return Sequences(
        full(voltage), full(100e-9), full(gate), full(before), after[None], full(True), full(0.3e-6), full(0.3e-6),
        np.zeros(len(after), bool), np.arange(len(after)),
    )  # fmt: skip


def test_the_compliance_is_that_of_the_simulated_cells() -> None:
    rng, law = np.random.default_rng(1), ThresholdLaw(STANFORD)
    gate, draw = rng.uniform(2.6, 4.0, 200), rng.standard_normal(200)
    factor, shift = rng.normal(0.0, 0.02, 200), rng.normal(0.0, 0.03, 200)
    simulated = law.compliance(gate, 2.0, 100e-9, 10.0**factor, shift, 0.0, draw)
    ahead = gate - (1.554 + 0.736 - 0.05 * 2.0) - shift
    limit, slope = compliance(PARAMETERS, ahead, factor, draw)
    np.testing.assert_allclose(limit, simulated, rtol=1e-9)
    nearby = compliance(PARAMETERS, ahead, factor, draw + 1e-6)[0]
    np.testing.assert_allclose((nearby - limit) / 1e-6, slope, rtol=1e-3)


def test_a_reset_lands_where_that_of_the_simulated_cells_does() -> None:
    rng, law = np.random.default_rng(2), ThresholdLaw(STANFORD)
    voltage, deviate = rng.uniform(2.0, 2.6, 200), 0.5 * rng.standard_normal(200)
    before, draw = rng.uniform(5e-6, 150e-6, 200), rng.uniform(0.0, 2.0, 200)
    simulated = law.after_reset(before, voltage, 200e-9, deviate, 0.0, draw, draw)
    beyond = voltage - 1.349 - 0.226 * deviate
    floor = np.log(7.68e-6) + 1.32 * deviate
    over = np.maximum(beyond - 1100.0 * before, 0.0)
    landing = Landing(PARAMETERS, beyond, over, np.log(before), 2.0**0.5 / 0.269, floor)
    np.testing.assert_allclose(np.exp(landing.mean - landing.spread * draw), simulated, rtol=1e-4)


@pytest.mark.parametrize("gate", [2.35, 2.6])
def test_the_density_after_a_set_adds_up_to_one(gate: float) -> None:
    after = np.linspace(30e-6, 330e-6, 1500)
    sets = ThresholdSets(one_pulse_each(after, 60e-6, 2.0, gate), PARAMETERS)
    sets.recentre({})
    density = np.exp(sets.log_likelihood({}))
    assert np.trapezoid(density, after) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(("before", "voltage"), daily([(60e-6, 1.6), (60e-6, 2.2), (220e-6, 1.7)], 1))
def test_the_density_after_a_reset_adds_up_to_one(before: float, voltage: float) -> None:
    after = np.concatenate([np.geomspace(0.01e-6, 3e-6, 400), np.arange(3.05e-6, 260e-6, 0.1e-6)])
    resets = ThresholdResets(one_pulse_each(after, before, voltage, 4.0), PARAMETERS)
    resets.recentre({})
    density = np.exp(resets.log_likelihood({}))
    assert np.trapezoid(density, after) == pytest.approx(1.0, abs=0.03)


def test_the_memory_of_draws_is_that_of_their_joint_normal_distribution() -> None:
    share, pulses, draws = 0.4, 5.0, np.array([0.3, -1.0, 0.8, 2.0])
    memory = Memory((1, 1), share, pulses, np.array([False]))
    none, live = np.full((1, 1), -np.inf), np.full((1, 1), True)
    zero = np.zeros((1, 1))
    told = sum(float(memory.observe(zero + z, zero, zero, none, zero, live)[0, 0]) for z in draws)
    lags = np.abs(np.subtract.outer(range(4), range(4)))
    covariance = share * np.exp(-lags / pulses) + (1.0 - share) * np.eye(4)
    assert told == pytest.approx(multivariate_normal.logpdf(draws, np.zeros(4), covariance))


def test_a_cell_that_was_not_raised_tells_a_bound() -> None:
    memory = Memory((1, 1), 0.3, 80.0, np.array([False]))
    zero, live = np.zeros((1, 1)), np.full((1, 1), True)
    told = memory.observe(zero - 0.7, zero + 50.0, zero, zero, zero, live)
    assert float(told[0, 0]) == pytest.approx(norm.logcdf(-0.7))
    assert memory.predict()[0][0, 0] < 0.0


def test_nodes_follow_the_integrand() -> None:
    nodes = DeviceNodes(1, 2)
    peak = lambda: sum(norm.logpdf(v, m, 0.004) for v, m in zip(nodes.values, (0.05, -0.02), strict=True))  # noqa: E731
    for _ in range(8):
        nodes.move(peak())
    assert nodes.integral(peak())[0] == pytest.approx(0.0, abs=0.02)


def test_nodes_stay_where_an_integrand_is_no_number() -> None:
    nodes, line = DeviceNodes(2, 2), LineNodes(2, -1.0, 1.0)
    there = np.array(nodes.values)
    terms, on_line = np.zeros(nodes.shape), np.zeros(line.values.shape)
    terms[1, 3] = on_line[1, 3] = np.nan
    nodes.move(terms)
    line.move(on_line)
    assert np.isfinite(nodes.values).all()
    assert np.isfinite(line.values).all()
    assert np.mean(nodes.values[0][1]) == pytest.approx(there[0, 1].mean())


def by_differences(likelihood):
    """Return the scores of a likelihood by differences."""

    def scores(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here = likelihood(u)
        return here, np.stack(
            [(likelihood(u + step) - here) / 1e-4 for step in 1e-4 * np.eye(len(u))], axis=1
        )

    return scores


def test_coordinates_lead_there_and_back() -> None:
    about = Coordinates.about(PARAMETERS, FITTED)
    place = np.linspace(-1.0, 1.0, len(about))
    back = {
        "log": lambda value, base: np.log(value / base) / 0.5, "volts": lambda value, base: (value - base) / 0.3,
        "logit": lambda value, base: logit(value) - logit(base),
    }  # fmt: skip
    there = about.preset(place)
    found = [back[kind](there[name], PARAMETERS[name]) for name, kind in FITTED.items()]
    np.testing.assert_allclose(found, place, atol=1e-9)
    assert about.preset(np.zeros(len(about))) == pytest.approx({name: PARAMETERS[name] for name in FITTED})


def test_the_posterior_of_a_normal_model_is_the_known_one() -> None:
    rng = np.random.default_rng(3)
    design, seen = rng.standard_normal((60, 3)), rng.standard_normal(60)

    def likelihood(u: np.ndarray) -> np.ndarray:
        return np.asarray(-0.5 * (seen - design @ u) ** 2)

    found = infer(likelihood, by_differences(likelihood), np.zeros(3))
    precision = design.T @ design + np.eye(3)
    np.testing.assert_allclose(found.mean, np.linalg.solve(precision, design.T @ seen), atol=0.02)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(precision), rtol=1e-3, atol=1e-6)
    assert found.converged
    assert not found.repaired


def test_a_likelihood_prefers_the_preset_that_it_was_drawn_from() -> None:
    rng, law = np.random.default_rng(4), ThresholdLaw(STANFORD)
    count, cells = 30, 20
    gate = rng.uniform(2.3, 3.2, (count, cells))
    shift = rng.normal(0.0, STANFORD.gate_spread, cells)
    before = np.full((count, cells), 10e-6)
    limit = law.compliance(gate, 2.0, 100e-9, 1.0, shift, 0.0, rng.standard_normal((count, cells)))
    after = np.maximum(before, limit) * (1.0 + 1e-3 * rng.standard_normal((count, cells)))
    full = lambda value: np.full((count, cells), value)  # noqa: E731
    pulses = Sequences(
        full(2.0), full(100e-9), gate, before, after, full(True), full(0.1e-6), full(0.3e-6),
        np.zeros(cells, bool), np.arange(cells),
    )  # fmt: skip

    def value(changed: dict[str, float]) -> float:
        sets = ThresholdSets(pulses, PARAMETERS | {"cycle_memory": 0.0})
        sets.recentre(changed)
        return float(sets.log_likelihood(changed).sum())

    drawn_from = value({})
    for name, factor in (("set_slope", 1.1), ("gate_cycle_spread", 1.5), ("maximum", 1.1)):
        assert value({name: factor * PARAMETERS[name]}) < drawn_from - 3.0


def hidden_chip() -> tuple[CellPreset, Transitions]:
    """Return a preset near `stanford`, and what 30 pulses each did to a dozen of its cells."""
    truth = hidden(STANFORD, FITTED | RESETS, np.random.default_rng(5))
    columns = random_pulses(
        truth, 12, 30, 5, gates=(2.0, 3.4), sets=(1.8, 3.0), resets=(1.2, 2.6), reset_gates=(3.0, 4.2)
    )
    return truth, transitions_of(columns, PARAMETERS)


@pytest.mark.parametrize("kind", ["SET", "RESET"])
def test_scores_are_the_derivatives_of_the_likelihood(kind: str) -> None:
    truth, data = hidden_chip()
    fitted = FITTED if kind == "SET" else RESETS
    model: Any = (
        ThresholdSets(data.sets, PARAMETERS) if kind == "SET" else ThresholdResets(data.resets, PARAMETERS)
    )
    values = {name: 1.02 * float(getattr(truth, name)) for name in fitted}
    model.recentre(values)
    cells, scores = model.scores(values)
    np.testing.assert_allclose(cells, model.log_likelihood(values))
    for place, (name, value) in enumerate(values.items()):
        step = 1e-5 * value
        up, down = (model.log_likelihood(values | {name: value + side * step}) for side in (1.0, -1.0))
        measured = (up - down) / (2.0 * step)
        size = np.abs(measured).max()
        # near the cap of a RESET they are approximate
        assert np.abs(scores[:, place] - measured).max() < 0.03 * size, name
        assert abs((scores[:, place] - measured).sum()) < 0.01 * np.abs(measured).sum(), name


@pytest.mark.parametrize("kind", ["SET", "RESET"])
def test_the_integrals_are_found_at_once_far_from_the_base(kind: str) -> None:
    """A search that goes on from a part of the cells begins with nodes that were never moved."""
    truth, data = hidden_chip()
    far = PARAMETERS | {
        "gate_threshold": truth.gate_threshold - 0.4,
        "reset_threshold": truth.reset_threshold - 0.3,
    }
    model: Any = ThresholdSets(data.sets, far) if kind == "SET" else ThresholdResets(data.resets, far)
    values = {name: float(getattr(truth, name)) for name in (FITTED if kind == "SET" else RESETS)}
    model.recentre(values)
    at_once = model.log_likelihood(values)
    for _ in range(4):
        model.recentre(values)
    np.testing.assert_allclose(at_once, model.log_likelihood(values), atol=0.1)


def test_slopes_are_the_derivatives_of_the_values() -> None:
    about = Coordinates.about(PARAMETERS, FITTED)
    place = np.linspace(-1.0, 1.0, len(about))
    for number, slope in enumerate(about.slopes(place)):
        step = 1e-6 * np.eye(len(about))[number]
        name = about.names[number]
        change = about.preset(place + step)[name] - about.preset(place - step)[name]
        assert change / 2e-6 == pytest.approx(slope, rel=1e-6)


def test_a_search_from_afar_ends_at_the_mode_along_a_curved_ridge() -> None:
    rng = np.random.default_rng(7)
    seen = np.array([0.8, -0.3]) + np.array([1.0, 0.1]) * rng.standard_normal((200, 2))

    def likelihood(u: np.ndarray) -> np.ndarray:
        ridge = u[1] - 0.4 * u[0] ** 2
        return np.asarray(-0.5 * (seen[:, 0] - u[0]) ** 2 - 0.5 * ((seen[:, 1] - ridge) / 0.1) ** 2)

    found = infer(likelihood, by_differences(likelihood), np.array([-3.0, -3.0]))
    assert found.converged
    truth = np.array([0.8, -0.3 + 0.4 * 0.8**2])
    assert (np.abs(found.mean - truth) < 3.0 * found.deviation).all()
    slope = np.array(
        [
            likelihood(found.mean + step).sum() - likelihood(found.mean - step).sum()
            for step in 1e-3 * np.eye(2)
        ]
    )
    slope = slope / 2e-3 - found.mean
    assert slope @ found.covariance @ slope < 0.1


def test_a_step_beyond_all_numbers_is_not_taken_and_no_search_ends_there() -> None:
    def likelihood(u: np.ndarray) -> np.ndarray:
        if abs(u[0]) > edge:
            raise np.linalg.LinAlgError
        return -0.5 * (np.linspace(1.5, 2.5, 50) - u[0]) ** 2

    edge = 3.0
    found = infer(likelihood, by_differences(likelihood), np.array([-2.9]))
    assert found.converged
    assert found.mean[0] == pytest.approx(2.0 * 50 / 51, abs=0.05)
    edge = 0.5
    assert not infer(likelihood, by_differences(likelihood), np.array([-2.9])).converged


def test_thresholds_of_cells_are_found_as_often_as_their_width_says() -> None:
    """The integral over a cell's threshold is right where its data put the threshold between two pulses."""
    rng, law = np.random.default_rng(6), ThresholdLaw(STANFORD)
    count, cells = 30, 150
    deviate, voltage = rng.standard_normal(cells), rng.uniform(1.4, 2.4, (count, cells))
    before, draw = rng.uniform(20e-6, 220e-6, (count, cells)), rng.standard_normal((count, cells))
    after = law.after_reset(before, voltage, 100e-9, deviate, 0.0, draw, draw)
    after = after * (1.0 + 1e-3 * rng.standard_normal((count, cells)))
    full = lambda value: np.full((count, cells), value)  # noqa: E731
    pulses = Sequences(
        voltage, full(100e-9), full(5.0), before, after, full(True),
        1e-3 * before, 1e-3 * after, np.zeros(cells, bool), np.arange(cells),
    )  # fmt: skip
    resets = ThresholdResets(pulses, PARAMETERS | {"cycle_memory": 0.0})
    for _ in range(2):
        resets.recentre({})
    weights = resets._nodes.weights(resets._terms(PARAMETERS | {"cycle_memory": 0.0}))
    nodes = resets._nodes.values - STANFORD.reset_rise * resets._top  # thresholds at 0 S, V
    mean = (weights * nodes).sum(axis=1)
    width = np.sqrt((weights * (nodes - mean[:, None]) ** 2).sum(axis=1))
    true = STANFORD.reset_threshold + STANFORD.reset_threshold_spread * deviate
    apart = (true - mean) / width
    assert abs(apart.mean()) < 0.25
    assert 0.8 < apart.std() < 1.2
