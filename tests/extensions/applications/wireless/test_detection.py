"""Detection and precoding: without noise nothing is lost, with noise errors are those of the closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications.wireless.detection import (
    METHODS,
    MMSE,
    ZERO_FORCING,
    Link,
    Uplink,
    circular,
    gains,
    load_channel,
    matched_filter,
    noise_at,
    noise_ratios,
    normal_matrix,
    rayleigh,
    share_of_a_vector,
    signal_to_interference,
    solve_single,
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


def test_an_uplink_receives_what_was_sent_and_the_noise_on_it() -> None:
    rng = np.random.default_rng(1)
    channel, symbols, noise = (circular(rng, shape) for shape in ((8, 3), (3, 40), (8, 40)))
    link = Uplink.at(20.0, channel, symbols, noise, METHODS[0], 1.0)
    added = link.received - channel @ symbols
    assert np.allclose(added / noise, 0.1 * np.linalg.norm(channel @ symbols) / np.linalg.norm(noise))
    assert link.variance == pytest.approx(np.mean(np.abs(added) ** 2))
    assert np.allclose(link.rhs, channel.conj().T @ link.received)


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


def test_of_orthogonal_users_all_is_in_closed_form() -> None:
    """Channels of strengths 2 and 1 to two of three antennas: H^H H is diag(4, 1)."""
    channel = np.array([[2.0, 0.0], [0.0, 1.0j], [0.0, 0.0]])
    np.testing.assert_allclose(normal_matrix(channel), np.diag([4.0, 1.0]))
    np.testing.assert_allclose(normal_matrix(channel, 0.5), np.diag([4.5, 1.5]))
    np.testing.assert_allclose(signal_to_interference(channel, 0.5, 10.0), [80.0, 20.0])
    np.testing.assert_allclose(signal_to_interference(channel, 0.5, 10.0, MMSE), [80.0, 20.0])
    np.testing.assert_allclose(gains(np.array([0.2, 0.1]), 0.5), [0.9, 0.95])
    assert gains(np.array([0.2, 0.1]), 0.0).tolist() == [1.0, 1.0]
    rhs = np.array([[9.0, 4.5], [3.0j, 1.5]])
    solutions, diagonal = solve_single(channel.astype(np.complex64), rhs.astype(np.complex64), 0.5)
    np.testing.assert_allclose(solutions, [[2.0, 1.0], [2.0j, 1.0]], rtol=1e-6)
    np.testing.assert_allclose(diagonal, [1.0 / 4.5, 1.0 / 1.5], rtol=1e-6)
    noise = noise_at(20.0, np.array([[3.0, 4.0]]), np.array([[2.0j, 0.0]]))
    np.testing.assert_allclose(noise, [[0.5j, 0.0]])
    symbols = np.array([[1.0, -1.0], [1.0j, 1.0]])
    link = Uplink.at(20.0, channel, symbols, np.ones((3, 2), complex), MMSE, 2.0)
    signal = np.linalg.norm(channel @ symbols)
    np.testing.assert_allclose(link.variance, signal**2 / 100.0 / 6.0)
    assert link.loading == pytest.approx(link.variance / 2.0)
    assert Uplink.at(20.0, channel, symbols, np.ones((3, 2), complex), ZERO_FORCING, 2.0).loading == 0.0


def test_the_share_of_a_vector_counts_real_multiplications() -> None:
    assert matched_filter(128, 8) == 4 * 128 * 8
    on_chip = 3 * 2 * 16**2  # three cycles, each of two products with a real matrix of 16 x 16
    assert share_of_a_vector(128, 8, 3) == pytest.approx(on_chip / (on_chip + 4 * 128 * 8))


def test_fading_has_unit_variance_and_independent_parts() -> None:
    drawn = circular(np.random.default_rng(0), (20_000,))
    assert np.mean(np.abs(drawn) ** 2) == pytest.approx(1.0, rel=0.03)
    assert np.mean(drawn**2) == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize(
    ("given", "ratios"), [(-40, (-40.0,)), ("100 dB", (100.0,)), ([3, -1.5], (-1.5, 3.0))]
)
def test_the_ends_of_the_range_belong_to_it(given: object, ratios: tuple[float, ...]) -> None:
    assert noise_ratios(given) == ratios
    assert len(noise_ratios(range(64))) == 64
    for wrong in (range(65), None, [], "-40.1", "100.1", ["x"]):
        with pytest.raises(InputError, match=r"^snr has"):
            noise_ratios(wrong)


@pytest.mark.parametrize(("shape", "fits"), [((4096, 1), True), ((4097, 1), False)])
def test_a_channel_has_4096_antennas_at_most(shape: tuple[int, int], fits: bool, tmp_path: Path) -> None:
    if fits:
        assert load_channel(np.ones(shape)).shape == shape
    else:
        np.save(tmp_path / "large.npy", np.ones(shape))
        with pytest.raises(InputError, match=r"large.npy has 4097 x 1 entries; 4096 a side is the most"):
            load_channel(str(tmp_path / "large.npy"))


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        (np.ones((2, 3)), "the channel has rank 1, below the 3 users, .* 2 antennas cannot tell 3 users"),
        (np.ones((3, 2)), "the channel has rank 1, below the 2 users, .* columns depend on others"),
    ],
)
def test_users_that_cannot_be_told_apart_are_refused(channel: np.ndarray, told: str) -> None:
    with pytest.raises(InputError, match=told):
        load_channel(channel)
