"""The radio channel, and linear detection of many users at once: zero forcing and minimum mean square error (MMSE).

    s = (H^H H + l I)^-1 H^H y        l = 0: zero forcing; l = noise variance / symbol energy: MMSE

The inverse is what the chip computes. H^H H and H^H y are digital, as in Zuo et al., Nature Electronics 8, 1222 (2025). An
MMSE estimate of a user is too small by the factor 1 - l [(H^H H + l I)^-1]_kk; decisions between more than two levels need
it undone (Verdu, Multiuser Detection, 1998, chapter 6), so it is.

Many antennas at the base station, a few users, Gaussian fading, white noise:

    y = H s + n        H (antennas, users), s (users, vectors), n (antennas, vectors)

The signal-to-noise ratio is that of all antennas together, 20 log10(||y - n|| / ||n||) dB, as Zuo et al., Nature
Electronics 8, 1222 (2025) define it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Complexes, Floats
from mho.chip_maps import Source, load_matrix
from mho.errors import InputError

MOST = 4096  # antennas, or users, at most
MOST_RATIOS, LOWEST, HIGHEST = 64, -40.0, 100.0  # dB


def noise_ratios(given: Any) -> tuple[float, ...]:
    """Return signal-to-noise ratios, dB, from the lowest to the highest: from a text, ``1.33, 5.42``, or from numbers.

    Raises `InputError`: when there are none or too many, one is no number from -40 to 100, or one is given twice.
    """
    parts = [part for part in given.split(",") if part.strip()] if isinstance(given, str) else given
    parts = list(parts) if isinstance(parts, Iterable) else [] if parts is None else [parts]
    if not 0 < len(parts) <= MOST_RATIOS:
        raise InputError(
            f"snr has {len(parts)} numbers; give 1 to {MOST_RATIOS} of them in dB, as in 1.33, 5.42, 8.97"
        )
    ratios = sorted(_ratio(part) for part in parts)
    twice = [one for one, next_one in pairwise(ratios) if one == next_one]
    if twice:
        raise InputError(f"snr has {twice[0]:g} dB more than once; give each ratio once")
    return tuple(ratios)


def _ratio(part: Any) -> float:
    try:
        value = float(str(part).strip().removesuffix("dB"))
    except ValueError:
        value = np.nan
    if not LOWEST <= value <= HIGHEST:
        text = repr(part.strip() if isinstance(part, str) else part)
        raise InputError(
            f"snr has {text}; a signal-to-noise ratio is a number from {LOWEST:g} to {HIGHEST:g}, in dB"
        )
    return value


def circular(rng: np.random.Generator, shape: tuple[int, ...]) -> Complexes:
    """Return circular complex Gaussian numbers of unit variance."""
    parts = rng.standard_normal((2, *shape)) / np.sqrt(2.0)
    return np.asarray(parts[0] + 1j * parts[1])


def rayleigh(antennas: int, users: int, rng: np.random.Generator) -> Complexes:
    """Return a channel of independent Rayleigh fading of unit variance, (antennas, users).

    Raises `InputError`: more users than antennas.
    """
    channel = circular(rng, (antennas, users))
    if users > antennas:  # what is drawn has full rank otherwise, with probability 1
        check_rank(channel, "the channel")
    return channel


def load_channel(source: Source) -> Complexes:
    """Return the channel in a file, or an array, (antennas, users).

    Raises `InputError`: as `load_matrix`, and for a rank below the number of users.
    """
    channel = np.asarray(load_matrix(source, square=False), dtype=np.complex128)
    name = f"the channel {source}" if isinstance(source, str) else "the channel"
    if max(channel.shape) > MOST:
        raise InputError(
            f"{name} has {channel.shape[0]} x {channel.shape[1]} entries; {MOST} a side is the most"
        )
    check_rank(channel, name)
    return channel


def check_rank(channel: Complexes, name: str) -> None:
    """Refuse a channel on which users cannot be told apart, since H^H H has no inverse.

    Raises `InputError`: with the rank, and what to do.
    """
    antennas, users = channel.shape
    rank = int(np.linalg.matrix_rank(channel))
    if rank < users:
        why = (
            f"{antennas} antennas cannot tell {users} users apart: give as many antennas as users or more"
            if antennas < users
            else "some users' columns depend on others': leave those users out, or use another channel"
        )
        raise InputError(f"{name} has rank {rank}, below the {users} users, so H^H H has no inverse; {why}")


def noise_at(snr: float, signal: Complexes, noise: Complexes) -> Complexes:
    """Return noise scaled to the signal-to-noise ratio 20 log10(||signal|| / ||noise||).

    `snr`: dB; of all antennas and all vectors together. `signal`, `noise` (antennas, vectors).
    """
    return np.asarray(noise * (np.linalg.norm(signal) / np.linalg.norm(noise) * 10.0 ** (-snr / 20.0)))


Singles = NDArray[np.complex64]


ZERO_FORCING, MMSE = "zf", "mmse"
METHODS = (ZERO_FORCING, MMSE)
COMPLEX = 4  # real multiplications of a product of two complex numbers


class Link(Protocol):
    """Symbols on their way at one signal-to-noise ratio: which systems they need solved, and what arrives."""

    @property
    def loading(self) -> float:
        """L of the matrix H^H H + l I of the systems."""
        ...

    @property
    def rhs(self) -> Complexes:
        """Right-hand sides of the systems, (users, vectors)."""
        ...

    def estimates(self, solutions: Complexes, diagonal: Floats) -> Complexes:
        """Return the symbols as they arrive, (users, vectors), from solutions and the diagonal of the inverse."""
        ...

    def estimates_single(self) -> Complexes:
        """Return the same of single precision from beginning to end, with LAPACK's complex64 solve."""
        ...


@dataclass(frozen=True)
class Uplink:
    """Users send, the base station detects."""

    channel: Complexes  # (antennas, users)
    received: Complexes  # (antennas, vectors): y
    variance: float  # mean of |n|^2 at an antenna
    loading: float
    rhs: Complexes  # (users, vectors): H^H y

    @classmethod
    def at(
        cls, snr: float, channel: Complexes, symbols: Complexes, noise: Complexes, method: str, energy: float
    ) -> Self:
        """Send symbols with noise (antennas, vectors) of any size, scaled to `snr`, dB; `energy` is that of a symbol."""
        signal = channel @ symbols
        scaled = noise_at(snr, signal, noise)
        received = signal + scaled
        variance = float(np.mean(np.abs(scaled) ** 2))
        loading = variance / energy if method == MMSE else 0.0
        return cls(channel, received, variance, loading, np.asarray(channel.conj().T @ received))

    def estimates(self, solutions: Complexes, diagonal: Floats) -> Complexes:
        """Return what the users sent, as estimated."""
        return np.asarray(solutions / gains(diagonal, self.loading)[:, None])

    def estimates_single(self) -> Complexes:
        """Return the estimates of single precision."""
        narrow = self.channel.astype(np.complex64)
        solutions, diagonal = solve_single(
            narrow, narrow.conj().T @ self.received.astype(np.complex64), self.loading
        )
        return self.estimates(solutions.astype(np.complex128), diagonal)


def normal_matrix(channel: Complexes, loading: float = 0.0) -> Complexes:
    """Return H^H H + loading I, (users, users): Hermitian and positive definite."""
    gram = channel.conj().T @ channel
    return np.asarray((gram + gram.conj().T) / 2.0 + loading * np.eye(len(gram)))


def matched_filter(antennas: int, users: int) -> int:
    """Return the real multiplications of H^H y."""
    return COMPLEX * antennas * users


def share_of_a_vector(antennas: int, users: int, cycles: int) -> float:
    """Return the share of a vector's multiplications that the chip does, where each cycle is an INV and an MVM.

    Both stand for a product with a real matrix of 2 users x 2 users. H^H y is digital; what is counted once for all
    vectors, and what the cycles take beside, is not in it.
    """
    on_chip = cycles * 2 * (2 * users) ** 2
    return on_chip / (on_chip + matched_filter(antennas, users))


def gains(diagonal: Floats, loading: float) -> Floats:
    """Return the factor by which each user's estimate is too small, from the diagonal of (H^H H + l I)^-1; 1 without l."""
    return np.asarray(1.0 - loading * diagonal) if loading else np.ones(len(diagonal))


def solve_single(channel: Singles, rhs: Singles, loading: float) -> tuple[Singles, Floats]:
    """Return solutions, and the diagonal of the inverse, in single precision."""
    matrix = channel.conj().T @ channel + np.complex64(loading) * np.eye(channel.shape[1], dtype=np.complex64)
    units = np.eye(len(matrix), dtype=np.complex64)
    solutions = np.linalg.solve(matrix, np.concatenate([rhs, units], axis=1))
    return solutions[:, : rhs.shape[1]], solutions[:, rhs.shape[1] :].diagonal().real.astype(np.float64)


def signal_to_interference(
    channel: Complexes, variance: float, energy: float, method: str = ZERO_FORCING
) -> Floats:
    """Return each user's ratio of signal to interference and noise after exact detection, (users,), a pure number.

    `channel` (antennas, users); `variance`, `energy`: of the noise at an antenna, and of a symbol.

    Of zero forcing energy / (variance [(H^H H)^-1]_kk); of MMSE g / (1 - g), g being the gain of `gains` (Tse and
    Viswanath, Fundamentals of Wireless Communication, 2005, chapter 8).
    """
    if method == MMSE:
        loading = variance / energy
        gain = gains(np.asarray(np.linalg.inv(normal_matrix(channel, loading)).diagonal().real), loading)
        return np.asarray(gain / (1.0 - gain))
    return np.asarray(energy / (variance * np.linalg.inv(normal_matrix(channel)).diagonal().real))
