"""Linear precoding: the base station sends so that each user hears its own symbol alone.

    x = b H (H^H H + l I)^-1 s        the users hear H^H x + n; l = 0: zero forcing; l = users * variance of n: MMSE

The way down is the way up in reverse (reciprocity), so the matrix on the chip is the same as for detection. b brings the
mean power of all antennas together to 1, and users know it. The SNR is what a user would hear of that power through one
path of the channel's mean gain, over the variance of its noise: at the same number of dB zero forcing errs about as often
down as up. MMSE is the regularised inversion of Peel, Hochwald and Swindlehurst, IEEE Trans. Commun. 53, 195 (2005).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from mho.procedures.applications.wireless.detection import MMSE, Complexes, Floats, gains, solve_single


@dataclass(frozen=True)
class Downlink:
    """The base station sends, users hear.

    Attributes
    ----------
    channel : (antennas, users) array
    loading : float
    rhs : (users, vectors) array
        The symbols.
    noise : (users, vectors) array
        As the users hear it, where 1 is the mean power that is sent.
    """

    channel: Complexes
    loading: float
    rhs: Complexes
    noise: Complexes

    @classmethod
    def at(
        cls, snr: float, channel: Complexes, symbols: Complexes, noise: Complexes, method: str, energy: float
    ) -> Self:
        """Send symbols with noise (users, vectors) of any size, scaled to `snr`, dB; `energy` is not needed here."""
        variance = float(np.mean(np.abs(channel) ** 2)) * 10.0 ** (-snr / 10.0)
        scaled = noise * np.sqrt(variance / np.mean(np.abs(noise) ** 2))
        loading = channel.shape[1] * variance if method == MMSE else 0.0
        return cls(channel, loading, symbols, np.asarray(scaled))

    def estimates(self, solutions: Complexes, diagonal: Floats) -> Complexes:
        """Return the symbols as the users hear them, scaled back."""
        return self._heard(self.channel @ solutions, diagonal)

    def estimates_single(self) -> Complexes:
        """Return the same where the precoder is of single precision."""
        narrow = self.channel.astype(np.complex64)
        solutions, diagonal = solve_single(narrow, self.rhs.astype(np.complex64), self.loading)
        return self._heard((narrow @ solutions).astype(np.complex128), diagonal)

    def _heard(self, sent: Complexes, diagonal: Floats) -> Complexes:
        root_power = np.linalg.norm(sent) / np.sqrt(sent.shape[1])
        heard = self.channel.conj().T @ sent + root_power * self.noise
        return np.asarray(heard / gains(diagonal, self.loading)[:, None])
