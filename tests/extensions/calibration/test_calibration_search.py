"""The search for a preset's parameters begins anew until nothing is gained; intervals need a clear curvature."""

from __future__ import annotations

import tomllib
from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import truncnorm

from benchmarks._hidden_presets import hidden, random_pulses
from mho.array_types import Floats
from mho.extensions.calibration import calibrating, sought, transitions_of
from mho.extensions.calibration.calibrating import Calibration, Coordinates, as_preset_file
from mho.extensions.calibration.experiments import ParameterEstimate
from mho.extensions.calibration.posterior import FURTHEST, Posterior, _corrected, _of_both, _width, infer
from mho.instruments.simulated import CELL_PRESETS, cell_preset, preset_text
from mho.instruments.simulated.physics.cells.posterior_draws import PosteriorDraws

pytestmark = pytest.mark.timeout(300)  # on a machine that does much else
CELLS = 40
RANGES = {"gates": (2.0, 3.4), "sets": (1.8, 3.0), "resets": (1.2, 2.6), "reset_gates": (3.0, 4.2)}
ABOUT = Coordinates.about({"set_slope": 4e-4, "maximum": 2e-4}, {"set_slope": "log", "maximum": "log"})


class Stale:
    """A likelihood of which the nodes follow the search at its start only: it sees as far as `reach` from there.

    The maximum is at `best`, and further away than a search sees from the base.
    """

    best = np.array([2.0, -1.0])
    reach = 0.8

    def __init__(self) -> None:
        self.seen: Floats | None = None

    def recentre(self, values: dict[str, float]) -> None:
        if self.seen is None:
            here = coordinates_of(values)
            apart = self.best - here
            self.seen = here + apart * min(1.0, self.reach / float(np.linalg.norm(apart) + 1e-12))

    def log_likelihood(self, values: dict[str, float]) -> Floats:
        assert self.seen is not None
        u = coordinates_of(values)
        beside = np.random.default_rng(3).standard_normal((CELLS, 2))
        told = (
            20.0 * (self.seen - self.best) @ (self.seen - self.best)
        )  # what the nodes do not see is missing
        found: Floats = (
            -0.5 * ((u - self.seen - beside) ** 2).sum(axis=1) + 0.5 * (beside**2).sum(axis=1) - told / CELLS
        )
        return found

    def scores(self, values: dict[str, float]) -> tuple[Floats, Floats]:
        u, step = coordinates_of(values), 1e-6
        here = self.log_likelihood(values)
        by_u = [(self.log_likelihood(ABOUT.preset(u + step * one)) - here) / step for one in np.eye(2)]
        return here, np.stack(by_u, axis=1) / ABOUT.slopes(u)


def coordinates_of(values: dict[str, float]) -> Floats:
    """Return the coordinates of values: factors of e for two deviations."""
    return 2.0 * np.log([values["set_slope"] / 4e-4, values["maximum"] / 2e-4])


def test_a_search_that_would_have_stopped_early_goes_on_with_fresh_nodes() -> None:
    once = calibrating._inferred(Stale(), ABOUT, np.zeros(2), None)
    assert once.converged
    found = calibrating._settled(Stale, ABOUT, np.zeros(2), None)
    assert found.converged
    assert found.log_posterior > once.log_posterior + 20.0
    assert np.abs(found.mean - Stale.best).max() < 0.4  # the prior and the cells pull a little


@pytest.mark.thorough
def test_the_search_on_a_chip_goes_on_where_it_would_have_stopped_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RESETs of 24 hidden cells: from the base the search ends 8 below the maximum, and says that it is one."""
    base = CELL_PRESETS["stanford"]
    preset = asdict(base)
    truth = hidden(base, sought(preset), np.random.default_rng(0))
    data = transitions_of(random_pulses(truth, 24, 60, 0, **RANGES), preset)
    ends, fit = {}, calibrating._fit

    def beside(kind, model, pulses, fixed, about, prior, *rest):
        start = np.zeros(len(about)) if prior is None else prior[0].copy()
        once = calibrating._inferred(model(pulses, fixed), about, start, prior)
        ends[kind] = once, fit(kind, model, pulses, fixed, about, prior, *rest)
        return ends[kind][1]

    monkeypatch.setattr(calibrating, "_fit", beside)
    told: list[str] = []
    calibrating.calibrate(data, "stanford", preset, told.append)
    assert all(told)
    assert [one.split()[1:4] for one in told] == [["SETs", "of", "24"], ["RESETs", "of", "24"]]
    for once, part in ends.values():
        assert once.converged
        assert part.posterior.converged
        assert not part.posterior.repaired
    once, part = ends["RESET"]
    assert part.posterior.log_posterior > once.log_posterior + 5.0


@pytest.mark.parametrize(
    ("cells", "count", "numbers"), [(10, 4, [0, 3, 6, 9]), (2, 5, [0, 1]), (7, 7, list(range(7)))]
)
def test_a_few_cells_are_taken_from_the_first_to_the_last(cells: int, count: int, numbers: list[int]) -> None:
    assert calibrating._some(cells, count).tolist() == numbers


def test_a_search_that_gains_nothing_is_confirmed_once() -> None:
    made = []

    def model() -> Stale:
        made.append(Stale())
        made[-1].reach = 10.0
        return made[-1]

    calibrating._settled(model, ABOUT, np.zeros(2), None)
    assert len(made) == 2


def quadratic(rough: float, flat: bool) -> Posterior:
    """Return a posterior of which the slope has steps along the first coordinate, or which is flat along the second."""

    def scores(u: Floats) -> tuple[Floats, Floats]:
        rng = np.random.default_rng(1)
        beside = rng.standard_normal((400, 2))
        curve = np.array([1.0, -0.9975 if flat else 1.0])
        slope = -curve * (u - 0.0) + beside
        slope[:, 0] += rough * np.sign(np.sin(60.0 * u[0]))
        return -0.5 * (curve * u * u).sum() + beside @ u, slope

    return infer(lambda u: scores(u)[0], scores, np.zeros(2))


def test_no_step_leads_further_than_the_scores_of_a_place_tell() -> None:
    beside, tried = np.linspace(-2.0, 2.0, 100), []

    def scores(u: Floats) -> tuple[Floats, Floats]:
        apart = u[0] - 5.0 - beside
        return -0.5 * apart**2, -apart[:, None]

    prior = np.zeros(1), np.full(1, 10.0)
    found = infer(lambda u: scores(u)[0], scores, np.zeros(1), lambda u: tried.append(u[0]), prior)
    assert found.mean[0] == pytest.approx(5.0, abs=0.1)
    assert np.abs(np.diff(tried)).max() == pytest.approx(FURTHEST)


@pytest.mark.parametrize("strength", [0.5, 4.0, 100.0])
@pytest.mark.parametrize("seen", [-30.0, 0.01, 0.3, 2.0])
def test_a_step_over_which_the_slope_changed_too_little_keeps_a_fifth_of_the_curvature(
    strength: float, seen: float
) -> None:
    curve, step = np.diag([strength, 1.0]), np.array([1.0, 0.0])
    corrected = _corrected(curve, step, np.array([seen * strength, 0.1]))
    assert step @ corrected @ step == pytest.approx(max(seen, 0.2) * strength)
    assert np.linalg.eigvalsh(corrected).min() > 0.0


def test_steps_of_the_slope_are_no_lack_of_curvature() -> None:
    assert not quadratic(0.0, flat=False).repaired
    assert not quadratic(0.05, flat=False).repaired
    assert quadratic(0.0, flat=True).repaired


@pytest.mark.parametrize(("below", "above"), [(-9.0, 0.6), (-0.3, 9.0), (-1.1, 0.5), (-9.0, 9.0)])
def test_what_the_data_rule_out_on_one_side_is_cut_off(below: float, above: float) -> None:
    """Data tell nothing of the first coordinate but that it lies between two ends; the second goes with it."""
    beside = np.linspace(-2.0, 2.0, 100)

    def scores(u: Floats) -> tuple[Floats, Floats]:
        over, under, apart = max(u[0] - above, 0.0), max(below - u[0], 0.0), u[1] - 0.3 * u[0] - beside
        cells = -0.5 * (over**2 + under**2) / 0.02**2 / 100 - 0.5 * apart**2
        return cells, np.stack([(under - over) / 0.02**2 / 100 + 0.3 * apart, -apart], axis=1)

    found = infer(lambda u: scores(u)[0], scores, np.zeros(2))
    width = (1.0 + 0.3**2 * 100 - 30.0**2 / 101) ** -0.5  # of the first, without the ends
    true = truncnorm(below / width, above / width, scale=width)
    assert not found.repaired
    assert found.mean[0] == pytest.approx(true.mean(), abs=0.03)
    assert found.deviation[0] == pytest.approx(true.std(), rel=0.04)
    assert found.mean[1] == pytest.approx(0.3 * found.mean[0], abs=0.01)  # they go together
    assert found.deviation[1] == pytest.approx(np.hypot(0.1, 0.3 * true.std()), rel=0.05)


def test_a_cliff_on_one_side_does_not_tell_the_width_on_the_other() -> None:
    def slope(u: Floats) -> Floats:
        step = 4.0 * np.sign(u[1]) * (abs(u[1]) > 0.01)  # the curvature is not clear near by
        return np.array([-u[0] - 1e4 * max(u[0] - 0.5, 0.0), step - 100.0 * u[1]])

    for mirrored in (1.0, -1.0):
        covariance, repaired = _width(
            lambda u, m=mirrored: m * slope(m * u), np.zeros(2), np.diag([1.0, 100.0])
        )
        assert not repaired
        np.testing.assert_allclose(np.diag(covariance), [1.0, 1.0 / 60.0], rtol=0.01)


def fitted(*, repaired: bool) -> Calibration:
    """Return a calibration of two parameters of SETs, of which the curvature is clear or not."""
    base = asdict(CELL_PRESETS["stanford"])
    data = transitions_of(random_pulses(CELL_PRESETS["stanford"], 9, 8, 1, **RANGES), base)
    posterior = Posterior(np.array([0.2, -0.1]), 0.01 * np.eye(2), -1.0, -1.0, True, repaired)
    part = calibrating.Part("SET", ABOUT, posterior, False, calibrating.Misfit("SET", 9.0, 6.0, 26.0))
    return calibrating._joined("stanford", base, data, [part])


@pytest.mark.parametrize("turned", [False, True])
def test_a_side_without_curvature_is_no_reason_to_call_the_other_a_cliff(turned: bool) -> None:
    strong = np.array([[30.0, 0.5], [0.5, 30.0]])
    for weak, diagonal in ((0.05, 0.5 * 30.05), (0.2, 0.2), (4.0, 17.0)):
        sides = [strong, weak * np.eye(2)]
        found = _of_both(*reversed(sides)) if turned else _of_both(*sides)
        assert found.diagonal() == pytest.approx([diagonal] * 2)
        assert found[0, 1] == (0.0 if diagonal == 0.2 else 0.25)


def test_without_a_clear_curvature_there_is_no_interval() -> None:
    found = fitted(repaired=True)
    assert np.isnan(found.low).all()
    assert not found.told.any()
    assert {"set_slope", "maximum"} <= set(found.not_told)
    assert any("they have no intervals" in remark for remark in found.remarks)
    text = as_preset_file(found, "mychip", ["a.h5"])
    assert tomllib.loads(text)["posterior"]["no_interval"] == ["set_slope", "maximum"]
    assert "nan" not in text
    assert PosteriorDraws(text).names == ()
    clear = fitted(repaired=False)
    assert clear.told.all()
    assert PosteriorDraws(as_preset_file(clear, "mychip", ["a.h5"])).names == ("set_slope", "maximum")


def test_a_rate_at_one_temperature_is_one_at_that_temperature() -> None:
    found = fitted(repaired=False)
    time = ParameterEstimate("retention_time", 2e6, 1e6, 3e6, "hot.h5", {"retention_temperature": 425.0})
    preset = cell_preset(as_preset_file(found, "mychip", ["hot.h5"], [time]))
    assert (preset.retention_time, preset.retention_temperature) == (2e6, 425.0)
    assert time.label == "retention_time at 425 K"


@pytest.mark.parametrize(
    ("state", "says", "words"),
    [
        ("passed", "2 of 40 numbers lie outside", ""),
        (
            "failed",
            "30 of 40 numbers lie outside",
            "preset mychip failed its checks: 30 of 40 numbers lie outside",
        ),
        ("none", "left out", "preset mychip was not checked on runs of its chip: left out"),
    ],
)
def test_the_preset_file_says_what_came_of_its_checks(state: str, says: str, words: str) -> None:
    preset = cell_preset(as_preset_file(fitted(repaired=False), "mychip", ["a.h5"], (), state, says))
    assert preset.warning == words
    assert cell_preset(preset_text(preset)).warning == words  # as a run file keeps it
