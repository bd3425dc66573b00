"""Constellations: what is sent is received, neighbours differ by one bit, errors come as often as in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erfc

from mho.errors import InputError
from mho.extensions.applications.wireless.qam import SIZES, Constellation


def every_symbol(constellation: Constellation) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.arange(constellation.points)
    bits = ((numbers[:, None] >> np.arange(constellation.bits)[::-1]) & 1).astype(np.uint8)
    return bits, constellation.modulate(bits)


@pytest.mark.parametrize("points", SIZES)
def test_a_constellation_is_a_square_grid_of_its_energy_and_all_bits_come_back(points: int) -> None:
    constellation = Constellation(points)
    bits, symbols = every_symbol(constellation)
    side = round(points**0.5)
    assert sorted(set(symbols.real)) == [2 * k - (side - 1) for k in range(side)]
    assert len(set(symbols)) == points
    assert np.isclose(np.mean(np.abs(symbols) ** 2), constellation.energy)
    assert (constellation.demodulate(symbols) == bits).all()


@pytest.mark.parametrize("points", SIZES)
def test_neighbours_differ_in_one_bit(points: int) -> None:
    constellation = Constellation(points)
    bits, symbols = every_symbol(constellation)
    place = {complex(symbol): word for symbol, word in zip(symbols, bits, strict=True)}
    for symbol, word in list(place.items())[:256]:
        for step in (2.0, 2.0j):
            if symbol + step in place:
                assert (place[symbol + step] != word).sum() == 1


def test_256_points_are_as_published() -> None:
    word = np.array(
        [1, 0, 0, 0, 0, 0, 1, 1], dtype=np.uint8
    )  # in phase 1000: Gray of 15; quadrature 0011: Gray of 2
    assert Constellation(256).modulate(word) == 15.0 + 1j * (2 * 2 - 15)


@given(st.sampled_from(SIZES), st.complex_numbers(max_magnitude=100.0, allow_nan=False, allow_infinity=False))
def test_the_decision_is_for_the_nearest_point(points: int, received: complex) -> None:
    constellation = Constellation(points)
    found = constellation.nearest(np.array([received]))[0]
    _, symbols = every_symbol(constellation)
    assert np.isclose(abs(found - received), np.abs(symbols - received).min())
    decided = constellation.modulate(constellation.demodulate(np.array([received])))
    assert decided[0] == found


def test_what_is_no_number_is_decided_for_some_point() -> None:
    assert np.isfinite(Constellation(16).nearest(np.array([complex("nan"), complex("inf")]))).all()


@pytest.mark.parametrize("points", [0, 2, 8, 32, 100, 128, 16384])
def test_constellations_that_do_not_fit_are_refused_with_those_that_do(points: int) -> None:
    with pytest.raises(InputError, match=f"{points} points.*4, 16, 64, 256, 1024 or 4096"):
        Constellation(points)


def test_errors_of_four_points_are_those_of_the_textbook() -> None:
    snr = np.array([1.0, 4.0, 10.0])
    assert np.allclose(Constellation(4).error_rate(snr), 0.5 * erfc(np.sqrt(snr / 2.0)))


def test_errors_in_the_dark_are_half_of_the_bits() -> None:
    assert np.isclose(Constellation(256).error_rate(np.array(1e-9)), 0.5, atol=1e-3)


@pytest.mark.parametrize("points", [16, 64, 256])
def test_errors_counted_in_noise_agree_with_the_closed_form(points: int) -> None:
    constellation, rng = Constellation(points), np.random.default_rng(points)
    bits = rng.integers(0, 2, (100_000 // constellation.bits, constellation.bits), dtype=np.uint8)
    noise = (rng.standard_normal((2, len(bits))) * np.sqrt(constellation.energy / 20.0 / 2.0)).T @ [1.0, 1j]
    wrong = (constellation.demodulate(constellation.modulate(bits) + noise) != bits).mean()
    expected = float(constellation.error_rate(np.array(20.0)))
    assert abs(wrong - expected) < 5.0 * np.sqrt(expected / bits.size)
