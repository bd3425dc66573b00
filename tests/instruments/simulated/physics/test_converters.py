"""Converters: steps, ends, nonlinearity and refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.instruments.simulated.physics.circuits.amplifiers import Converter, mid_tread_range


@given(st.integers(1, 16), st.floats(-1.0, 1.0))
def test_an_ideal_adc_is_off_by_half_a_step_at_most(bits: int, volts: float) -> None:
    adc = Converter.ideal(bits, -1.0, 1.0)
    value = adc.levels(adc.codes(np.array([volts])))[0]
    assert abs(value - volts) <= adc.lsb / 2 + 1e-12


@given(st.integers(1, 12))
def test_every_code_of_an_ideal_dac_comes_back_through_an_adc(bits: int) -> None:
    converter = Converter.ideal(bits, 0.0, 0.2)
    codes = np.arange(1 << bits, dtype=float)
    assert np.array_equal(converter.codes(converter.outputs(converter.levels(codes))), codes)


def test_values_beyond_the_range_stop_at_its_ends() -> None:
    adc = Converter.ideal(4, -0.4, 0.4)
    assert np.array_equal(adc.codes(np.array([-9.0, 9.0])), [0.0, 15.0])


def test_drawn_nonlinearity_is_zero_at_both_ends_and_has_the_asked_dnl() -> None:
    converter = Converter.draw(14, 0.0, 1.0, 0.3, np.random.default_rng(1))
    assert converter.inl[0] == 0.0
    assert abs(converter.inl[-1]) < 1e-9
    assert np.diff(converter.inl).std() == pytest.approx(0.3, rel=0.02)


def test_nonlinearity_bends_dac_and_adc_by_the_inl() -> None:
    converter = Converter.draw(12, 0.0, 1.0, 0.2, np.random.default_rng(2))
    code = int(np.argmax(np.abs(converter.inl)))
    straight = converter.levels(np.array([float(code)]))
    shifted = converter.outputs(straight)[0] - straight[0]
    assert shifted == pytest.approx(converter.inl[code] * converter.lsb, rel=1e-6)
    # what the DAC's own curve bent, an ADC with the same curve reads as the same code
    assert converter.codes(converter.outputs(straight))[0] == pytest.approx(code, abs=1)


@given(st.integers(1, 8), st.integers(0, 100), st.floats(-0.5, 0.5))
def test_the_code_is_the_one_whose_level_is_nearest(bits: int, seed: int, volts: float) -> None:
    # Widths that err by half a code and more: levels change places.
    adc = Converter.draw(bits, -0.4, 0.4, 0.5, np.random.default_rng(seed), bow=1.0)
    away = np.abs(adc.outputs(adc.levels(np.arange(1 << bits, dtype=float))) - volts)
    code = adc.codes(np.array([volts]))[0]
    assert away[int(code)] == pytest.approx(away.min(), abs=1e-12)


def test_a_code_beyond_the_range_leaves_both_of_its_ends_without_inl() -> None:
    for seed in range(5):
        adc = Converter.draw(5, *mid_tread_range(5, 0.4), 0.5, np.random.default_rng(seed), bow=3.0, beyond=1)
        assert adc.inl[[0, -2]] == pytest.approx(0.0, abs=1e-12)
        assert adc.inl[-1] != pytest.approx(0.0, abs=1e-3)
        np.testing.assert_allclose(adc.readings(np.array([-0.4, 0.4])), [-0.4, 0.4], atol=1e-12)


def test_a_bow_is_as_large_as_asked_for_smooth_and_zero_at_both_ends() -> None:
    for seed in range(5):
        converter = Converter.draw(10, 0.0, 1.0, 0.0, np.random.default_rng(seed), bow=3.0)
        assert np.abs(converter.inl).max() == pytest.approx(3.0)
        assert converter.inl[0] == converter.inl[-1] == 0.0
        assert np.abs(np.diff(converter.inl)).max() < 0.05


@given(st.integers(2, 16))
def test_a_mid_tread_converter_reads_nothing_as_0_volts_and_reaches_both_ends(bits: int) -> None:
    adc = Converter.ideal(bits, *mid_tread_range(bits, 0.4))
    np.testing.assert_allclose(adc.readings(np.array([-0.4, 0.0, 0.4])), [-0.4, 0.0, 0.4], atol=1e-12)
    assert abs(adc.readings(np.array([0.49 * adc.lsb]))[0]) < 1e-12


def test_samples_have_noise_where_a_generator_is_given() -> None:
    adc = Converter.draw(16, -0.4, 0.4, 0.0, np.random.default_rng(0), noise=5e-3)
    volts = np.full(4000, 0.1)
    assert adc.readings(volts, np.random.default_rng(1)).std() == pytest.approx(5e-3, rel=0.05)
    assert np.ptp(adc.readings(volts)) == 0.0


@pytest.mark.parametrize(
    ("bits", "low", "high", "dnl", "name"),
    [
        (0, 0.0, 1.0, 0.0, "bits 0"),
        (17, 0.0, 1.0, 0.0, "bits 17"),
        (8, 1.0, 1.0, 0.0, "range 1.0 V"),
        (8, 0.0, np.inf, 0.0, "inf V"),
        (8, 0.0, 1.0, -0.1, "DNL -0.1"),
    ],
)
def test_impossible_converters_are_refused_by_name(
    bits: int, low: float, high: float, dnl: float, name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        Converter.draw(bits, low, high, dnl, np.random.default_rng(0))
