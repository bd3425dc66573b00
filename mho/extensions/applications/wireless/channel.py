"""The radio channel: many antennas at the base station, a few users, Gaussian fading, white noise.

    y = H s + n        H (antennas, users), s (users, vectors), n (antennas, vectors)

The signal-to-noise ratio is that of all antennas together, 20 log10(||y - n|| / ||n||) dB, as Zuo et al., Nature
Electronics 8, 1222 (2025) define it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from mho.array_types import Complexes
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
        told = repr(part.strip() if isinstance(part, str) else part)
        raise InputError(
            f"snr has {told}; a signal-to-noise ratio is a number from {LOWEST:g} to {HIGHEST:g}, in dB"
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
