"""What a calibration computes of given pulses does not change unnoticed: likelihoods, cells that hold still, wear, ageing.

Pulses are of a law of a few lines, so that nothing here hangs on the twin of a chip. Who changes a law or a setting on
purpose measures the figures anew, with the function that the test names.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daily import daily

from mho.analysis.figures import OUTSIDE
from mho.chip_maps.chip import load_chip_map
from mho.extensions.calibration import sought, transitions_of
from mho.extensions.calibration.advice import what_helps
from mho.extensions.calibration.checks import Check, Checks, _panel
from mho.extensions.calibration.compared_numbers import (
    ComparedQuantity,
    of_cycles,
    of_forming,
    of_programming,
    of_pulses,
)
from mho.extensions.calibration.experiments.ageing import AgeingReads, _Reads, ageing, normal_parts
from mho.extensions.calibration.experiments.estimates import ParameterEstimate, is_told
from mho.extensions.calibration.experiments.evidence import (
    READERS,
    Rate,
    _pooled,
    brackets,
    endurance,
    forming_voltages,
    retention,
)
from mho.extensions.calibration.experiments.noise_levels import (
    noise_levels,
    own_variances,
    seen_share,
    step_share,
)
from mho.extensions.calibration.experiments.programming_times import undisturbed
from mho.extensions.calibration.likelihoods.gradual_reset import GradualResets
from mho.extensions.calibration.likelihoods.gradual_set import GradualSets
from mho.extensions.calibration.likelihoods.threshold_reset import ThresholdResets
from mho.extensions.calibration.likelihoods.threshold_set import ThresholdSets
from mho.extensions.calibration.posterior import infer
from mho.extensions.calibration.pulses_by_cell import SET, formed_above, pulses_by_cell
from mho.extensions.calibration.residuals import misfit
from mho.extensions.calibration.still_cells import unmoved_cells
from mho.extensions.calibration.transitions import Sequences, Transitions
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS

CELLS, PULSES = 24, 40
TOP = {"stanford35": 35e-6, "pku": 20e-6}
LAWS: dict[str, tuple[Any, Any]] = {
    "stanford35": (ThresholdSets, ThresholdResets),
    "pku": (GradualSets, GradualResets),
}


def base_of(name: str) -> dict[str, Any]:
    return asdict(CELL_PRESETS[name])


@cache
def table(name: str) -> dict[str, np.ndarray]:
    """Pulses on virgin cells, by a law of thresholds; two of them are stuck, one is never formed."""
    rng, rows = np.random.default_rng(11), []
    threshold, top = rng.normal(1.6, 0.1, CELLS), TOP[name] * np.exp(rng.normal(0.0, 0.1, CELLS))
    now = np.where(np.arange(CELLS) < 2, 0.8 * TOP[name], 1e-9)
    for number in range(PULSES):
        for cell in range(CELLS):
            kind = 0 if number == 0 else 1 if number == 1 else int(rng.integers(1, 3))
            volts, gate = (4.0, 3.2) if number == 1 else rng.uniform([0.8, 1.2], [2.4, 3.2])
            width = float(rng.choice([100e-9, 300e-9]))
            over = (gate if kind == 1 else volts) - threshold[cell] + 0.05 * rng.standard_normal()
            if kind and 2 <= cell < CELLS - 1 and over > 0.0:
                if kind == 1:
                    now[cell] = max(now[cell], top[cell] * min(over, 1.0))
                elif now[cell] > 1e-7:
                    now[cell] = max(now[cell] * np.exp(-3.0 * over), 0.4e-6)
            read = now[cell] * (1.0 + 0.01 * rng.standard_normal()) + 2e-9 * rng.standard_normal()
            rows.append((0, cell // 6, cell % 6, number + 0.01 * cell, kind, volts, width, gate, read))
    names = ("array", "row", "column", "time", "kind", "voltage", "width", "gate", "conductance")
    return dict(zip(names, np.array(rows).T, strict=True))


@cache
def pulses(name: str) -> Transitions:
    return transitions_of(table(name), base_of(name))


def size(values: Any) -> float:
    """A number that moves with any of the values."""
    flat = np.ravel(np.asarray(values, dtype=float))
    flat = np.where(np.isfinite(flat), flat, 7.0)
    return float((flat * np.cos(np.arange(len(flat)))).sum())


def what_pulses_did(name: str) -> list[float]:
    found = pulses(name)
    each = [found.sets, found.resets, found.forming]
    numbers = [float(one.count) for one in each] + [float(one.cells) for one in each]
    for one in each[:2]:
        live = one.live
        numbers += [1e6 * size(values[live]) for values in (one.before, one.after, one.still, one.landing)]
        numbers += [size(one.unchanged()[live])]
    return numbers


def cells_that_held_still(name: str) -> list[float]:
    base, columns = base_of(name), table(name)
    slow = {**columns, "conductance": np.where(columns["row"] > 2, 0.3 * TOP[name], columns["conductance"])}
    numbers = []
    for some in (columns, slow):
        found = unmoved_cells(pulses_by_cell(some, base), base)
        numbers += [size(one) for one in (found.moving, found.on, found.off, found.stuck, found.high)]
        numbers += [float(found.stuck_on), float(found.stuck_off)]
    return numbers


def likelihoods(name: str) -> list[float]:
    base, found = base_of(name), pulses(name)
    numbers = []
    for law, some in zip(LAWS[name], (found.sets, found.resets), strict=True):
        model = law(some, base)
        model.recentre({})
        others = {one: 1.03 * base[one] for one in sought(base)}
        numbers += [float(model.log_likelihood(values).sum()) for values in ({}, others)]
        numbers.append(size(model.log_likelihood({})))
        if name == "stanford35":
            numbers += [size(slopes) for slopes in model.scores({})]
    return numbers


class Nearby:
    """A law that leaves cells where they were, but for the error of reads; any parameter is as good."""

    def __init__(self, some: Sequences, fixed: Any) -> None:
        self._pulses = some

    def recentre(self, values: Any) -> None:
        pass

    def log_likelihood(self, values: Any) -> np.ndarray:
        off = np.log(self._pulses.after / self._pulses.before)[0] - 0.02 * self._pulses.voltage[0]
        return -np.abs(off) - np.log(self._pulses.after[0])


def residuals(name: str) -> list[float]:
    found = pulses(name)
    numbers = []
    for kind, some in (("SET", found.sets), ("RESET", found.resets)):
        one = misfit(kind, Nearby, some, base_of(name), {}, seed=3)  # type: ignore[arg-type]
        numbers += [one.value, one.low, one.high]
    return numbers


def ages(name: str) -> list[float]:
    rng, base = np.random.default_rng(5), base_of(name)
    elapsed = np.array([0.0, 30.0, 300.0, 3000.0, 30000.0])
    start = rng.uniform(0.3, 1.0, 60) * TOP[name]
    steps = np.log1p(elapsed)[:, None] * rng.standard_normal(60) * 0.01 * start
    reads = (start + steps) * np.exp(-1e-6 * elapsed)[:, None]
    reads = reads * (1.0 + 0.004 * rng.standard_normal(reads.shape))
    watched = AgeingReads(10.0 + elapsed[:, None] + np.zeros(60), reads, elapsed)
    found = ageing([watched, AgeingReads(watched.ages[:3], 0.9 * reads[:3], elapsed[:3])], base, 0.02)
    assert found is not None
    shares, variances = normal_parts(0.1)
    told = [value for one in found.estimates() for value in (one.value, one.low, one.high)]
    scale = np.array([1.0, 1e9, 1.0, 1.0, 1e6])
    return [*(found.mean * scale), *(found.error * scale), found.levels, float(found.cells), size(shares),
            size(variances), *(1e9 * value for value in told)]  # fmt: skip


def experiments(name: str) -> list[float]:
    rng, base = np.random.default_rng(6), base_of(name)
    numbers = [seen_share(0.1, 200, 0.02, base), step_share(0.1, 0.02, base)]
    variances, steps = rng.uniform(3e-5, 5e-5, (30, 3)), rng.uniform(1e-5, 2e-5, (30, 3))
    cells = {
        "levels": np.where(np.arange(30) < 8, 2, 1), "mean": np.full(30, 1e-5), "low": np.full(30, 0.9e-5),
        "high": rng.uniform(1.0e-5, 1.1e-5, 30), "dwell_low": np.full(30, 0.5), "dwell_high": rng.uniform(0.5, 2.0, 30),
    }  # fmt: skip
    for some in (steps, None):
        plain = base | {"noise_full": 0.0, "rtn_spread": 0.0, "rtn_asymmetry": 0.0}
        found = noise_levels(variances, cells, 0.1, 200, 0.02, plain, some)
        numbers += [value for one in found for value in (one.value, one.low, one.high)]
    numbers.append(1e5 * size(own_variances(variances[:, 0], steps[:, 0], 0.5, 0.1)))
    for rates in (
        [Rate(358.0, 2e-5, 1e-6), Rate(398.0, 2e-4, 1e-5), Rate(428.0, 1e-3, 5e-5)],
        [Rate(398.0, 2e-4, 1e-5), Rate(398.0, 2.2e-4, 1e-5)],
    ):
        numbers += [value for one in retention(rates, base) for value in (one.value, one.low, one.high)]
    low, high = brackets(pulses(name).forming, base)
    numbers += [size(low), size(high)]
    formed = rng.normal(3.0, 0.1, 40)
    steps_of = np.ceil(formed / 0.1) * 0.1
    found, lost = forming_voltages(steps_of - 0.1, np.where(np.arange(40) < 38, steps_of, np.inf))
    numbers += [value for one in found for value in (one.value, one.low, one.high)] + [float(lost.sum())]
    cycles = np.array([1.0, 10.0, 1e3, 1e5, 1e6])
    worn = 1e-5 / (1.0 + 1e-7 * cycles[:, None] * rng.uniform(0.8, 1.2, 12))
    wear = base | {"wear_top": base["wear_top"] or 0.5}
    numbers += [
        1e-6 * value for one in endurance(cycles, worn, (2.0, 1.8), 8e-6, wear)
        for value in (one.value, one.low, one.high)
    ]  # fmt: skip
    stretches = undisturbed({key: values for key, values in table(name).items() if key != "array"})
    times, reads = stretches.anew()
    return [*numbers, size(stretches.begun), size(stretches.times), float(len(stretches.still)), size(times),
            1e6 * size(reads), float(stretches.last.sum())]  # fmt: skip


def compared_numbers(name: str) -> list[float]:
    columns, least = table(name), formed_above(base_of(name))
    digits = np.arange(24).reshape(4, 6) % 8
    steps = {**columns, "voltage": np.round(columns["voltage"], 1), "gate": np.round(columns["gate"], 1)}
    parts = [
        of_pulses(columns, least), of_pulses(steps, least), of_forming(True, least), of_forming(False, least),
        of_cycles(), of_programming(digits, range(4), range(6), load_chip_map("reference").level_scale()),
    ]  # fmt: skip
    numbers = []
    for quantities, values in parts:
        found = values(columns)
        assert len(found) == len(quantities)
        scale = [1e6 if one.unit == "S" else 1.0 for one in quantities]
        numbers += [float(len(found)), size(np.array(found) * scale), size([one.x for one in quantities])]
    return numbers


def searches(name: str) -> list[float]:
    """The posterior of a model that is bent, with a cliff where one parameter ends."""

    def scores(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = np.linspace(-1.0, 1.0, 30)
        off = np.sin(3.0 * x) + 0.3 - (u[0] + u[1] * x + 0.2 * u[0] ** 2 * x)
        slopes = np.stack([off * (1.0 + 0.4 * u[0] * x), off * x, np.zeros(30)], axis=1)
        return -0.5 * off**2 - 100.0 * (u[2] > 0.8), slopes

    numbers = []
    for rough in (False, True):
        found = infer(lambda u: scores(u)[0], scores, np.array([2.0, -2.0, 0.1]), rough=rough)
        numbers += [*found.mean, size(found.covariance), found.log_likelihood, found.log_posterior]
        numbers += [float(found.converged), float(found.repaired)]
    return numbers


FIGURES: dict[tuple[str, str], list[float]] = {
    ("stanford35", "what_pulses_did"): [
        422.0, 376.0, 44.0, 21.0, 21.0, 22.0, 113.01305, -57.902369, 4.15581, -0.10534908, -15598.647,
        -318.1175, -177.13133, -3.4258768, -5.7338039, 79.981048
    ],
    ("stanford35", "cells_that_held_still"): [
        -1.5483838, -2.0812168, -0.54091454, 1.5403023, -0.0080815197, 2.0, 0.0, -2.0577971, -2.0812168,
        -0.52634255, 1.5168826, -0.51749482, 2.0, 6.0
    ],
    ("stanford35", "likelihoods"): [
        4830.7015, 4761.8102, 459.23243, 459.23243, 7136379.5, 3229.3192, 3207.3418, 195.39949, 195.39949,
        -465086.9
    ],
    ("stanford35", "residuals"): [
        240.29674, 5.0087505, 24.735605, 251.14697, 5.0087505, 24.735605
    ],
    ("stanford35", "ages"): [
        -13.14958, -51.584429, -4.7009183, -4.8467025, 0.84991736, 0.086159461, 29.688823, 0.083994463,
        0.81560103, 0.059076656, 1.9622983, 80.0, -0.056425712, -17.393957, -51.584429, -110.67855, 7.5096954
    ],
    ("stanford35", "experiments"): [
        0.27271954, 0.12180934, 0.013063215, 0.012726411, 0.013408932, 1.0, 0.6148788, 1.0, 0.060324447,
        0.049142934, 0.071505961, 0.012289524, 0.012105052, 0.012476806, 1.0, 0.6148788, 1.0, 0.060324447,
        0.049142934, 0.071505961, -10.643549, 0.7335, 0.70875, 0.7605, 4660.1313, 4392.179, 4941.9339, 4762.817,
        4452.1574, 5095.1537, 8.6520704, 2.1338354, 3.0047567, 2.9744351, 3.0350783, 0.091897217, 0.07180815,
        0.11760641, 0.0, 0.0090520748, 0.0084213508, 0.0097849248, -0.6110342, -0.17248234, 5.0, 0.0, 0.0, 24.0
    ],
    ("stanford35", "compared_numbers"): [
        40.0, 34.446006, 3.6634744, 40.0, 45.329921, 3.7750558, 4.0, 0.31468555, 0.93914081, 4.0, -0.068957055,
        0.93914081, 8.0, 21.779787, 10.347779, 18.0, 9.3185898, -1.2103932
    ],
    ("stanford35", "searches"): [
        0.28077332, 0.85389393, -0.36590176, -0.10547596, -2.8281705, -3.2321589, 1.0, 0.0, 0.22596428,
        0.81307088, -0.005828574, -0.19867157, -2.9551527, -3.3112418, 1.0, 0.0
    ],
    ("pku", "what_pulses_did"): [
        422.0, 376.0, 44.0, 21.0, 21.0, 22.0, 64.894361, -33.092777, 0.34375056, -0.12444149, -129032.3,
        -181.95244, -101.17152, -0.53178477, -0.52121586, 2058.8726
    ],
    ("pku", "cells_that_held_still"): [
        -1.5483838, -0.54091454, -2.04621, 1.5403023, 0.0, 0.0, 2.0, -2.0577971, -0.54091454, -2.0170074,
        1.5168826, 0.0, 0.0, 8.0
    ],
    ("pku", "likelihoods"): [
        3796.064, 3831.6687, 436.38262, -3217.1218, -3070.7067, -131.18781
    ],
    ("pku", "residuals"): [
        248.13403, 5.0087505, 24.735605, 258.55372, 5.0087505, 24.735605
    ],
    ("pku", "ages"): [
        -15.789705, -21.582217, -4.3267068, -4.8286393, 0.90968094, 0.065797553, 10.31732, 0.066263721,
        0.8236351, 0.062745183, 3.5296062, 118.0, -0.056425712, -17.393957, 138.8731, 121.90621, 158.20145
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "measure"), daily(FIGURES, 4))
def test_the_figures_of_a_calibration_are_those_that_it_has_always_had(name: str, measure: str) -> None:
    np.testing.assert_allclose(globals()[measure](name), FIGURES[name, measure], rtol=1e-5, atol=1e-9)


def test_the_rows_of_cycled_cells_are_sorted_by_cycle_and_cell() -> None:
    """In any order of rows."""
    rng, base = np.random.default_rng(3), base_of("stanford35")
    cycles, count = np.array([1, 10, 1000, 100_000]), 6
    worn = 1e-5 / (1.0 + 1e-7 * cycles[:, None] * rng.uniform(0.8, 1.2, count))
    states = np.stack([worn, np.full_like(worn, 1e-6)])
    state, number, cell = (one.ravel() for one in np.indices(states.shape))
    order = rng.permutation(state.size)
    state, number, cell = state[order], number[order], cell[order]
    rows = {
        "row": cell // 2, "column": cell % 2, "cycles": cycles[number], "state": state,
        "conductance": states[state, number, cell],
    }  # fmt: skip
    parameters = {"set_voltage": SimpleNamespace(value=2.0), "reset_voltage": SimpleNamespace(value=None)}
    run: Any = SimpleNamespace(table=lambda name: rows, parameters=parameters)
    found, why = READERS["Endurance"](run, base, [], None)  # type: ignore[arg-type]
    swing = float(np.median(worn)) - 1e-6
    assert found == endurance(cycles.astype(float), worn, (2.0, 0.0), swing, base)
    assert found
    assert why == ""
    rows["conductance"] = np.where(state == 0, 1e-5, 1e-6)
    assert READERS["Endurance"](run, base, [], None)[1].startswith("its windows have not worn")  # type: ignore[arg-type]


@pytest.mark.parametrize("full", [0.0, 2e-5])
def test_noise_of_reads_goes_with_what_a_cell_conducts_up_to_where_it_is_full(full: float) -> None:
    base, elapsed = base_of("pku") | {"noise_full": full}, np.array([0.0, 1.0, 10.0, 100.0])
    conducts = np.array([1e-6, 2e-5, 1e-3]) * np.ones((4, 1))
    reads = _Reads.of(
        AgeingReads(10.0 + elapsed[:, None] + np.zeros(3), conducts, elapsed), base, 0.02, 100.0
    )
    expected = [1e-6, 2e-5, 1e-3] if not full else [1e-6 / 1.05, 1e-5, 1e-3 / 51.0]
    assert reads.size == pytest.approx(expected)
    assert reads.elapsed == pytest.approx([0.0, 0.01, 0.1, 1.0])


@pytest.mark.parametrize(
    ("bench", "aperture"), [("", 0.1), ("[read]\nnplc = 1\n", 0.02), ("[read]\nnplc = 50", 0.1)]
)
@pytest.mark.parametrize("count", [12, 4])
def test_the_noise_of_a_run_is_that_of_each_cell_s_series(bench: str, aperture: float, count: int) -> None:
    """Whatever order the series of cells have, and of as many series as each cell has: the first has one more."""
    rng, base, samples = np.random.default_rng(8), base_of("stanford35") | {"noise_full": 0.0}, 12
    places = np.array([[row, column] for row in range(6) for column in range(2)])[:count]
    cells = {
        "row": places[:, 0], "column": places[:, 1], "levels": np.ones(count, int), "mean": np.full(count, 1e-5),
        **{one: np.full(count, 1e-5) for one in ("low", "high", "dwell_low", "dwell_high")},
    }  # fmt: skip
    reads = 1e-5 * (1.0 + 0.01 * np.cumsum(rng.standard_normal((count, 2, samples)), axis=2))
    blocks = [(cell, series) for cell in range(count) for series in range(2)]
    blocks = [blocks[number] for number in rng.permutation(2 * count)] + [(0, 2)]
    series = {
        "row": np.repeat([places[cell, 0] for cell, _ in blocks], samples),
        "column": np.repeat([places[cell, 1] for cell, _ in blocks], samples),
        "number": np.repeat([number for _, number in blocks], samples),
        "time": np.arange(len(blocks) * samples) * 0.1,
        "conductance": np.concatenate([reads[cell, number % 2] for cell, number in blocks]),
    }
    tables = {"noise": cells, "series": series}
    run: Any = SimpleNamespace(
        table=tables.get, parameters={"samples": SimpleNamespace(value=samples)}, bench=bench
    )
    found, why = READERS["Noise"](run, base, [], None)  # type: ignore[arg-type]
    squares = reads.mean(axis=2) ** 2
    variances, steps = reads.var(axis=2) / squares, 0.5 * (np.diff(reads) ** 2).mean(axis=2) / squares
    expected = noise_levels(variances, cells, 0.1, samples, aperture, base, steps)
    assert (
        [one.name for one in found] == [one.name for one in expected] == (["read_noise"] if count > 4 else [])
    )
    for one, other in zip(found, expected, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), rel=1e-9)
    assert why == ("" if found else "4 cells are too few; five series of quiet cells are the least")
    tables["noise"] = {name: values[:0] for name, values in cells.items()}
    assert READERS["Noise"](run, base, [], None) == ([], "no cell of it was formed")  # type: ignore[arg-type]


def test_what_two_runs_tell_of_a_parameter_is_pooled_by_the_width_of_its_intervals() -> None:
    one, other = ParameterEstimate("a", 1.0, 0.9, 1.1, "x.h5"), ParameterEstimate("a", 2.0, 1.9, 2.3, "y.h5")
    alone = ParameterEstimate("b", 5.0, 4.0, 7.0, "x.h5")
    (pooled, kept) = _pooled([one, alone, other])
    assert kept is alone
    assert (pooled.name, pooled.source) == ("a", "x.h5, y.h5")
    assert pooled.value == pytest.approx((1.0 / 0.04 + 2.0 / 0.16) / (1.0 / 0.04 + 1.0 / 0.16))
    half = 0.5 / np.sqrt(1.0 / 0.04 + 1.0 / 0.16)
    assert (pooled.low, pooled.high) == pytest.approx((pooled.value - half, pooled.value + half))
    exact = ParameterEstimate("a", 3.0, 3.0, 3.0)
    assert _pooled([one, exact])[0].value == 3.0


@pytest.mark.parametrize(
    ("name", "low", "high", "told"),
    [
        ("maximum", 1.0, 7.38, True), ("maximum", 1.0, 7.4, False), ("shift", -1.0, 9.0, True), ("shift", 0.0, 9.0, True),
        ("share", 0.119, 0.880, True), ("share", 0.119, 0.882, False), ("share", 0.0, 0.1, False),
        ("share", 0.9, 1.0, False),
    ],
)  # fmt: skip
def test_an_interval_tells_where_it_is_narrower_than_what_is_taken_for_granted(
    name: str, low: float, high: float, told: bool
) -> None:
    """Its ends are less than e^2 apart; of shares, the odds less than e^4."""
    assert is_told(ParameterEstimate(name, 0.5, low, high), ["share"]) is told


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((0, 0, 90, 40), "SETs and RESETs of the cells that were formed here"),
        ((3, 9, 4, 40), "SETs and RESETs of many voltages on some 100 cells"),
        ((0, 0, 4, 0), "SETs and RESETs of many voltages on some 100 cells"),
        ((3, 9, 5, 0), "91 SETs more, at many gate voltages"),
        ((30, 9, 5, 7), "70 SETs more, at many gate voltages"),
    ],
)
def test_too_little_data_are_refused_with_what_there_is_and_what_would_help(
    counts: tuple[int, int, int, int], words: str
) -> None:
    said = what_helps(*counts, 100, 5)
    assert said.startswith(
        f"too little to calibrate on: {counts[0]} SETs and {counts[1]} RESETs of {counts[2]} formed cells; "
        "100 of a kind on 5 cells are the least. "
    )
    assert words in said


def check(measured: float, count: int = 99) -> Check:
    quantity = ComparedQuantity("panel", "mean", 1.0, "V", "V", "S")
    return Check("run", quantity, measured, np.arange(1.0, count + 1.0))


def test_a_panel_marks_measured_numbers_outside_and_says_so_where_there_are_any() -> None:
    drawn = _panel([check(50.0), check(0.0)])
    (points,) = [mark for mark in drawn.marks if mark.colour == OUTSIDE and len(mark.x)]
    assert points.y.tolist() == [0.0]
    names = [mark.label for mark in drawn.marks if mark.label]
    assert names == ["drawn, 95 %", "measured", "measured, outside"]
    assert [mark.label for mark in _panel([check(50.0)]).marks if mark.label] == names[:2]


def test_a_panel_of_four_numbers_has_three_colours_in_turn() -> None:
    some = [replace(check(50.0), quantity=replace(check(50.0).quantity, what=what)) for what in "abcd"]
    whiskers = [mark for mark in _panel(some).marks if mark.shape == "whiskers"]
    assert [mark.label for mark in whiskers] == [f"drawn, {what}" for what in "abcd"]
    first, second, third, again = (mark.colour for mark in whiskers)
    assert (len({first, second, third}), again) == (3, first)


def test_of_one_cell_that_cycled_its_spread_is_told_and_that_of_cells_is_not() -> None:
    logs = np.array([-4.0, -4.2, -4.1, -4.3])
    shape = {name: np.zeros(4) for name in ("array", "row", "column")}
    columns = {"time": np.arange(4.0), "kind": np.full(4, SET), "conductance": 10.0**logs, **shape}
    median, cycles, cells, lag, *resets = of_cycles()[1](columns)
    apart = logs - logs.mean()
    assert median == pytest.approx(10.0**-4.15)
    assert cycles == pytest.approx(logs.std(ddof=1))
    assert np.isnan(cells)
    assert lag == pytest.approx(apart[1:] @ apart[:-1] / (apart @ apart))
    assert np.isnan(resets).all()


@pytest.mark.parametrize(
    ("measured", "probability", "outside"),
    [(0.0, 0.02, True), (1.0, 0.04, True), (2.0, 0.06, False), (50.0, 1.0, False), (99.5, 0.02, True)],
)
def test_a_measured_number_is_as_probable_as_its_rank_among_the_drawn_ones(
    measured: float, probability: float, outside: bool
) -> None:
    found = check(measured)
    assert (found.probability, found.outside) == (pytest.approx(probability), outside)
    assert found.interval == pytest.approx((50.0, 3.45, 96.55))


@pytest.mark.parametrize(("count", "allowed"), [(1, 1), (10, 3), (100, 11)])
def test_a_preset_passes_with_as_many_numbers_outside_as_chance_has(count: int, allowed: int) -> None:
    """The quantiles of 99 % of binomial distributions with a chance of 5 %."""
    for beyond, state in (
        (allowed, "passed"),
        (min(allowed + 1, count), "failed" if count > 1 else "passed"),
    ):
        some = [check(0.0)] * beyond + [check(50.0)] * (count - beyond)
        found = Checks(tuple(some), 99)
        assert (len(found.outside), found.state) == (beyond, state)
        assert found.says == f"{beyond} of {count} numbers lie outside what 99 drawn chips show"
    nothing = Checks((), 99, {"a.h5": "why"})
    assert (nothing.state, nothing.says) == ("none", "a.h5: why")
    assert Checks((), 99).says == "no run has pulses"
