"""Detection and precoding: without noise nothing is lost, with noise errors are those of the closed form."""

from __future__ import annotations

import numpy as np
import pytest

from mho.extensions.applications.wireless.detection import (
    METHODS,
    MMSE,
    ZERO_FORCING,
    Link,
    Uplink,
    circular,
    normal_matrix,
    rayleigh,
    signal_to_interference,
)
from mho.extensions.applications.wireless.mimo import Downlink
from mho.extensions.applications.wireless.qam import Constellation

ANTENNAS, USERS, VECTORS = 32, 6, 4000
CONSTELLATION = Constellation(64)


def sent(kind: type[Uplink] | type[Downlink], snr: float, method: str) -> tuple[np.ndarray, np.ndarray, Link]:
    """Return the channel, the bits and the link that carries them."""
    rng = np.random.default_rng(1)
    channel = rayleigh(ANTENNAS, USERS, rng)
    bits = rng.integers(0, 2, (VECTORS, USERS, CONSTELLATION.bits), dtype=np.uint8)
    noise = circular(rng, (ANTENNAS if kind is Uplink else USERS, VECTORS))
    symbols = CONSTELLATION.modulate(bits).T
    return channel, bits, kind.at(snr, channel, symbols, noise, method, CONSTELLATION.energy)


def exact(channel: np.ndarray, link: Link) -> np.ndarray:
    inverse = np.linalg.inv(normal_matrix(channel, link.loading))
    return link.estimates(inverse @ link.rhs, inverse.diagonal().real)


def rate(bits: np.ndarray, estimates: np.ndarray) -> float:
    return float((CONSTELLATION.demodulate(estimates.T) != bits).mean())


@pytest.mark.parametrize("kind", [Downlink, Uplink])
@pytest.mark.parametrize("method", METHODS)
def test_almost_without_noise_every_bit_arrives(kind: type[Uplink], method: str) -> None:
    channel, bits, link = sent(kind, 60.0, method)
    assert rate(bits, exact(channel, link)) == 0.0
    assert rate(bits, link.estimates_single()) == 0.0


@pytest.mark.parametrize("kind", [Downlink, Uplink])
@pytest.mark.parametrize("method", METHODS)
def test_single_precision_decides_as_double_precision_but_for_a_few_bits(
    kind: type[Uplink], method: str
) -> None:
    channel, bits, link = sent(kind, 12.0, method)
    assert abs(rate(bits, exact(channel, link)) - rate(bits, link.estimates_single())) < 1e-4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("snr", [6.0, 12.0])
def test_errors_of_detection_are_those_of_the_closed_form(method: str, snr: float) -> None:
    channel, bits, link = sent(Uplink, snr, method)
    signal = channel @ CONSTELLATION.modulate(bits).T
    variance = float(np.mean(np.abs(signal) ** 2)) * 10.0 ** (-snr / 10.0)
    ratio = signal_to_interference(channel, variance, CONSTELLATION.energy, method)
    expected = float(CONSTELLATION.error_rate(ratio).mean())
    assert np.isclose(rate(bits, exact(channel, link)), expected, rtol=0.05)


def test_mmse_errs_less_than_zero_forcing_in_much_noise() -> None:
    """With as many users as antennas the gain is large; it is not a matter of luck."""
    rng = np.random.default_rng(3)
    channel = rayleigh(8, 8, rng)
    bits = rng.integers(0, 2, (2000, 8, 2), dtype=np.uint8)
    symbols, noise = Constellation(4).modulate(bits).T, circular(rng, (8, 2000))
    rates = {}
    for method in METHODS:
        link = Uplink.at(10.0, channel, symbols, noise, method, Constellation(4).energy)
        rates[method] = float((Constellation(4).demodulate(exact(channel, link).T) != bits).mean())
    assert rates[MMSE] < 0.6 * rates[ZERO_FORCING]


def test_mmse_estimates_are_not_too_small() -> None:
    channel, bits, link = sent(Uplink, 8.0, MMSE)
    symbols, estimates = CONSTELLATION.modulate(bits).T, exact(channel, link)
    gain = (symbols.conj() * estimates).sum(axis=1) / (np.abs(symbols) ** 2).sum(axis=1)
    assert np.allclose(gain, 1.0, atol=0.03)


@pytest.mark.parametrize("gain", [0.01, 1.0])
def test_errors_of_precoding_are_those_of_the_closed_form_whatever_the_unit_of_the_channel(
    gain: float,
) -> None:
    """Zero forcing gives all users the same share of the power, 1 / trace((H^H H)^-1)."""
    rng = np.random.default_rng(1)
    channel = gain * rayleigh(ANTENNAS, USERS, rng)
    bits = rng.integers(0, 2, (VECTORS, USERS, CONSTELLATION.bits), dtype=np.uint8)
    noise = circular(rng, (USERS, VECTORS))
    link = Downlink.at(10.0, channel, CONSTELLATION.modulate(bits).T, noise, ZERO_FORCING, 1.0)
    share = 1.0 / (np.linalg.inv(normal_matrix(channel)).trace().real * np.mean(np.abs(channel) ** 2))
    expected = float(CONSTELLATION.error_rate(np.array(10.0 * share)))
    assert np.isclose(rate(bits, exact(channel, link)), expected, rtol=0.05)


def test_the_base_station_sends_the_power_that_it_may() -> None:
    """The noise of a user stands to what is sent as the ratio says, whatever the size of the solutions."""
    channel, _, link = sent(Downlink, 10.0, ZERO_FORCING)
    inverse = np.linalg.inv(normal_matrix(channel))
    once, twice = (link.estimates(factor * inverse @ link.rhs, np.ones(USERS)) for factor in (1.0, 2.0))
    assert np.allclose(twice, 2.0 * once)
    assert isinstance(link, Downlink)
    assert np.isclose(np.mean(np.abs(link.noise) ** 2), 0.1 * np.mean(np.abs(channel) ** 2))


def test_the_normal_matrix_is_hermitian_to_the_last_bit() -> None:
    matrix = normal_matrix(rayleigh(16, 4, np.random.default_rng(2)), 0.5)
    assert (matrix == matrix.conj().T).all()
    assert (np.linalg.eigvalsh(matrix) > 0.5).all()
