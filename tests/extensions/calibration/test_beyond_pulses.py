"""What experiments tell beyond pulses, as functions of arrays: each finds what the simulated law was drawn with."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from mho.extensions.calibration.experiments.ageing import RATE, Ageing, AgeingReads, ageing, normal_parts
from mho.extensions.calibration.experiments.estimates import ParameterEstimate
from mho.extensions.calibration.experiments.evidence import (
    Rate,
    brackets,
    endurance,
    forming_voltages,
    retention,
)
from mho.extensions.calibration.experiments.noise_levels import (
    noise_levels,
    seen_share,
    seen_traps,
    step_share,
)
from mho.extensions.calibration.transitions import Sequences
from mho.instruments.simulated import CELL_PRESETS
from mho.instruments.simulated.physics.cells.noise import FlickerNoise, mean_variance

BASE = asdict(CELL_PRESETS["stanford"])


def ramp(voltages: np.ndarray, forms_at: np.ndarray, width: float = 1e-6, gate: float = 1.6) -> Sequences:
    """Return a ramp on virgin cells, each until it forms."""
    count = np.minimum(np.searchsorted(voltages, forms_at), len(voltages) - 1)
    number, shape = np.arange(len(voltages))[:, None], (len(voltages), len(forms_at))
    volts = np.broadcast_to(voltages[:, None], shape)
    after = np.where(volts >= forms_at, 1e-4, 1e-9)
    like = np.ones(shape)
    return Sequences(
        volts, width * like, gate * like, 1e-9 * like, after, number <= count, like, like,
        np.ones(len(forms_at), bool), np.arange(len(forms_at)),
    )  # fmt: skip


def named(found: list[ParameterEstimate]) -> dict[str, ParameterEstimate]:
    return {one.name: one for one in found}


def test_intervals_of_the_forming_voltage_hold_the_truth_whatever_the_step() -> None:
    rng, held = np.random.default_rng(1), []
    for step in (0.05, 0.3) * 20:
        forming = ramp(np.arange(2.0, 4.5, step), rng.normal(3.1, 0.2, 100))
        found = named(forming_voltages(*brackets(forming, BASE))[0])
        voltage, spread = found["forming_voltage"], found["forming_spread"]
        held += [voltage.low < 3.1 < voltage.high, spread.low < 0.2 < spread.high]
    assert 0.85 < np.mean(held) <= 1.0


def test_short_pulses_and_low_gates_are_allowed_for() -> None:
    rng = np.random.default_rng(2)
    cost = (
        BASE["forming_decade"] + 0.4 * BASE["forming_gate_loss"]
    )  # 100 ns, 0.4 V below the gate that is enough
    needed = rng.normal(3.0, 0.15, 400)
    forming = ramp(np.arange(2.0, 4.5, 0.05), needed + cost, width=1e-7, gate=1.2)
    (voltage, _), lost = forming_voltages(*brackets(forming, BASE))
    assert voltage.value == pytest.approx(3.0, abs=0.03)
    assert not lost.any()


def test_a_cell_that_nothing_forms_is_lost_and_one_pulse_for_all_tells_nothing() -> None:
    needed = np.random.default_rng(3).normal(3.0, 0.1, 60)
    needed[:3] = 99.0
    (voltage, spread), lost = forming_voltages(*brackets(ramp(np.arange(2.0, 4.4, 0.05), needed), BASE))
    assert lost.nonzero()[0].tolist() == [0, 1, 2]
    assert voltage.high < 3.1
    assert spread.high < 0.15
    assert forming_voltages(*brackets(ramp(np.array([4.2]), needed[3:]), BASE))[0] == []


def test_read_noise_is_told_of_the_part_that_series_see() -> None:
    rng, interval, samples = np.random.default_rng(4), 1e-3, 400
    times = np.geomspace(BASE["noise_fastest"], BASE["noise_slowest"], 11)
    kept = np.exp(-interval / times)
    state, reads = rng.standard_normal((24, 11)), np.empty((24, samples))
    for sample in range(samples):
        state = kept * state + np.sqrt(1.0 - kept**2) * rng.standard_normal(state.shape)
        reads[:, sample] = 1.0 + 0.01 / np.sqrt(11) * state.sum(axis=1)
    variances = (reads.var(axis=1) / reads.mean(axis=1) ** 2)[:, None]
    cells = {name: np.full(24, 1.0) for name in ("levels", "mean", "low", "high", "dwell_low", "dwell_high")}
    (noise,) = noise_levels(variances, cells, interval, samples, 1e-9, BASE)
    assert noise.low < 0.01 < noise.high
    assert noise.high / noise.low < 1.4
    assert (
        0.0 < seen_share(interval, samples, interval, BASE) < seen_share(interval, samples, 1e-9, BASE) < 1.0
    )


def test_series_see_the_share_of_the_noise_of_simulated_cells_that_theory_says() -> None:
    times = FlickerNoise((1, 1), CELL_PRESETS["stanford"], np.random.default_rng(1)).times
    share = np.mean(mean_variance(1e-4 / times) - mean_variance(0.4 / times))
    assert seen_share(1e-3, 400, 1e-4, BASE) == pytest.approx(share, rel=1e-6)


@pytest.mark.parametrize(("interval", "aperture"), [(1e-3, 1e-4), (1e-3, 1e-3), (1e-1, 2e-2)])
def test_the_step_from_read_to_read_is_that_of_two_means_of_each_lorentzian(
    interval: float, aperture: float
) -> None:
    """By sums over the moments of both reads, finer than the shortest correlation time that counts."""
    moments = (np.arange(400) + 0.5) / 400 * aperture
    apart = np.subtract.outer(moments, moments)
    times = np.geomspace(BASE["noise_fastest"], BASE["noise_slowest"], 11)
    steps = [
        np.exp(-np.abs(apart) / time).mean() - np.exp(-np.abs(interval + apart) / time).mean()
        for time in times
    ]
    assert step_share(interval, aperture, BASE) == pytest.approx(np.mean(steps), rel=0.02)


def test_the_meter_s_noise_is_not_told_for_that_of_the_cells() -> None:
    rng, interval, samples = np.random.default_rng(4), 1e-3, 400
    times = np.geomspace(BASE["noise_fastest"], BASE["noise_slowest"], 11)
    kept = np.exp(-interval / times)
    state, reads = rng.standard_normal((48, 11)), np.empty((48, samples))
    for sample in range(samples):
        state = kept * state + np.sqrt(1.0 - kept**2) * rng.standard_normal(state.shape)
        reads[:, sample] = 1.0 + 0.01 / np.sqrt(11) * state.sum(axis=1)
    cells = {name: np.full(48, 1.0) for name in ("levels", "mean", "low", "high", "dwell_low", "dwell_high")}

    def noise_of(white: float | np.ndarray) -> list[ParameterEstimate]:
        noisy = reads + white * rng.standard_normal(reads.shape)
        squares = noisy.mean(axis=1) ** 2
        variances = (noisy.var(axis=1) / squares)[:, None]
        steps = (0.5 * (np.diff(noisy, axis=1) ** 2).mean(axis=1) / squares)[:, None]
        return noise_levels(variances, cells, interval, samples, 1e-9, BASE, steps)

    for white in (0.0, 0.01, 0.02):
        (noise,) = noise_of(white)
        assert noise.low < 0.01 < noise.high
    assert noise_of(1.0) == []  # nothing of the cells is left
    few = (
        0.008 * (np.arange(48) < 7)[:, None]
    )  # as where few cells are in HRS: the mean over cells hardly stands out
    values = [one.value for _ in range(8) for one in noise_of(few)]
    assert np.mean(values) == pytest.approx(noise_of(0.0)[0].value, rel=0.02)


def test_traps_that_cannot_be_seen_are_allowed_for() -> None:
    cells = {
        "levels": np.repeat([1, 2], [30, 10]), "mean": np.ones(40), "low": np.full(40, 0.98),
        "high": np.full(40, 1.02), "dwell_low": np.ones(40), "dwell_high": np.ones(40),
    }  # fmt: skip
    found = named(noise_levels(np.full((40, 2), 1e-5), cells, 1e-3, 2500, 1e-4, BASE))
    assert found["rtn_share"].value == pytest.approx(0.25 / seen_traps(1e-3, 2500, BASE))
    assert found["rtn_share"].low < 0.25 / seen_traps(1e-3, 2500, BASE) < found["rtn_share"].high
    assert found["rtn_noise"].value == pytest.approx(0.02)  # a step of 4 %, half of the time up


def aged(rng: np.random.Generator, ages: np.ndarray, cells: int) -> np.ndarray:
    """Return reads (reads, cells) of cells that relax and drift, with noise in proportion to their conductance."""
    start = rng.uniform(2e-5, 2e-4, cells)
    spread = np.log1p(ages / BASE["relaxation_time"]) ** BASE["relaxation_power"]
    moved = 1.5e-6 * rng.standard_normal(cells) * spread[:, None] - 0.1e-6 * np.log1p(ages)[:, None]
    return (start + moved) * (1.0 + 2e-3 * rng.standard_normal((len(ages), cells)))


def watched(ages: np.ndarray, reads: np.ndarray) -> Ageing | None:
    """Return what reads at these ages tell, each of 200 us."""
    return ageing([AgeingReads(ages, reads, np.median(ages - ages[0], axis=1))], BASE, 2e-4)


def relaxed(ages: np.ndarray, reads: np.ndarray) -> list[ParameterEstimate]:
    found = watched(ages, reads)
    return [] if found is None else found.estimates()


@pytest.mark.thorough
def test_relaxation_is_told_from_noise_and_drift() -> None:
    rng, held = np.random.default_rng(5), []
    ages = np.geomspace(1.0, 1e5, 12)
    each = np.broadcast_to(ages[:, None], (12, 80))
    for _ in range(12):
        found = named(relaxed(each, aged(rng, ages, 80)))
        relaxation, drift = found["relaxation"], found["drift"]
        held += [relaxation.low < 1.5e-6 < relaxation.high, drift.low < -0.1e-6 < drift.high]
    assert np.mean(held) > 0.8
    assert relaxed(0.0 * each, aged(rng, ages, 80)) == []  # without an age nothing is told
    alike = np.full((12, 80), 1e-4)
    assert "relaxation" not in named(relaxed(each, alike))  # of one level noise is not told apart


def baked(rng: np.random.Generator, kelvin: float) -> Rate:
    """Return the rate that reads of 60 cells tell at a temperature."""
    ages = np.linspace(10.0, 1e5, 8)
    true = np.exp(-2.25 / 8.617333e-5 * (1.0 / kelvin - 1.0 / 398.15)) / 3.2e8
    reads = 1e-4 * np.exp(-true * ages)[:, None] * (1.0 + 5e-3 * rng.standard_normal((8, 60)))
    found = watched(np.broadcast_to(ages[:, None], reads.shape), reads)
    assert found is not None
    return Rate(kelvin, float(found.mean[RATE]), float(found.error[RATE]))


@pytest.mark.thorough
def test_an_activation_energy_needs_two_temperatures() -> None:
    rng, held = np.random.default_rng(6), []
    for _ in range(20):
        rates = [baked(rng, kelvin) for kelvin in (430.0, 460.0)]
        found = named(retention(rates, BASE))
        held.append(found["retention_energy"].low < 2.25 < found["retention_energy"].high)
        held.append(found["retention_time"].low < 3.2e8 < found["retention_time"].high)
    assert np.mean(held) > 0.85
    assert set(named(retention(rates[1:], BASE))) == {"retention_time"}  # at that temperature: see below
    assert retention([Rate(300.0, 1e-12, 1e-11)], BASE) == []


@pytest.mark.thorough
def test_at_one_temperature_a_time_is_one_there_whatever_the_energy() -> None:
    rng, held = np.random.default_rng(11), []
    true = 3.2e8 * np.exp(2.25 / 8.617333e-5 * (1.0 / 440.0 - 1.0 / 398.15))  # s, at 440 K
    for energy in 40 * (1.0, 2.25, 3.0):  # what the base has, right or wrong
        (found,) = retention([baked(rng, 440.0)], {**BASE, "retention_energy": energy})
        assert found.beside == {"retention_temperature": 440.0}
        held.append(found.low < true < found.high)
    assert 0.89 < np.mean(held) <= 1.0


def test_stuck_cells_and_drift_are_not_taken_for_loss() -> None:
    rng, ages = np.random.default_rng(8), np.geomspace(1.0, 1e5, 12)
    true, held = 4e-7, []
    for _ in range(6):
        reads = aged(rng, ages, 80) * np.exp(-true * (ages - ages[0]))[:, None]
        reads[:, :8] = 2.4e-4 * (1.0 + 2e-3 * rng.standard_normal((12, 8)))  # stuck: no loss, no relaxation
        found = watched(np.broadcast_to(ages[:, None], reads.shape), reads)
        assert found is not None
        held.append(abs(found.mean[RATE] - true) < 2.5 * found.error[RATE])
        assert found.error[RATE] < 0.1 * true
    assert np.mean(held) > 0.8


def test_a_rate_that_is_hardly_seen_does_not_lower_the_energy() -> None:
    rng, true = np.random.default_rng(9), BASE["retention_energy"]
    held = []
    for _ in range(200):
        rates = []
        for kelvin, error in ((415.0, 2e-8), (440.0, 8e-9)):  # the first is two errors large: often not seen
            rate = np.exp(-true / 8.617333e-5 * (1.0 / kelvin - 1.0 / 398.15)) / 3.2e8
            rates.append(Rate(kelvin, rate + error * float(rng.standard_normal()), error))
        energy = named(retention(rates, BASE)).get("retention_energy")
        if energy is not None:  # else it is not told
            held.append(energy.low < true < energy.high)
    assert len(held) > 100
    assert np.mean(held) > 0.92


def test_heavy_tails_are_normal_distributions_of_several_widths() -> None:
    shares, variances = normal_parts(0.12)
    assert shares.sum() == pytest.approx(1.0)
    assert shares @ variances == pytest.approx(1.0)
    kurtosis = 3.0 * (1.0 - 0.24) ** 3 / (1.0 - 0.48) ** 2.5  # Tukey's h, in closed form
    assert 3.0 * shares @ variances**2 == pytest.approx(kurtosis, rel=0.05)
    assert [one.tolist() for one in normal_parts(0.0)] == [[1.0], [1.0]]


def test_wear_counts_from_the_reads_of_the_first_ten_cycles() -> None:
    rng, cycles = np.random.default_rng(7), np.array([1.0, 10.0, 15.0, 1e5, 1e6, 3e6])
    lrs = 1.9e-4 / (1.0 + 1e-7 * cycles)[:, None] * (1.0 + 0.03 * rng.standard_normal((6, 16)))
    (whole,) = endurance(cycles, lrs, (3.0, 3.0), BASE["maximum"], BASE)
    for row, alike in ((1, False), (2, True)):
        other = lrs.copy()
        other[row] *= 1.2
        (found,) = endurance(cycles, other, (3.0, 3.0), BASE["maximum"], BASE)
        assert (found.value == pytest.approx(whole.value, rel=1e-2)) is alike


def test_endurance_is_told_of_the_top_that_falls() -> None:
    rng, cycles, held = np.random.default_rng(7), np.array([1.0, 10.0, 1e3, 1e5, 1e6, 3e6]), []
    stress = (
        2.0 * (BASE["wear_idle"] + 0.5) * np.exp((3.0 - BASE["wear_voltage"]) / BASE["wear_acceleration"])
    )
    worn = BASE["wear_top"] * cycles * stress / 2e6
    for _ in range(40):
        lrs = 1.9e-4 / (1.0 + worn)[:, None] * (1.0 + 0.03 * rng.standard_normal((6, 16)))
        (found,) = endurance(cycles, lrs, (3.0, 3.0), BASE["maximum"], BASE)
        held.append(found.low < 2e6 < found.high)
    assert np.mean(held) > 0.85
    assert endurance(cycles[:3], lrs[:3], (3.0, 3.0), BASE["maximum"], BASE) == []
    assert endurance(cycles, lrs[:, :3], (3.0, 3.0), BASE["maximum"], BASE) == []
