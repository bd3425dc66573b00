"""A Kalman filter with constant velocity, for many tracks at once, and the statistics of its consistency.

    x' = F x + w, cov(w) = Q;   z = H x + v, cov(v) = R
    S = H P H^T + R;   x += P H^T S^-1 (z - H x);   P -= P H^T S^-1 H P

(Kalman, J. Basic Eng. 82, 35 (1960); Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and
Navigation, Wiley 2001, sections 5.2 and 6.3.) Covariances do not depend on what is measured, so all tracks share S: one
matrix, a column a track. Only S^-1 is a system to solve, with the right-hand sides z - H x of all tracks and H P of the
covariance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_discrete_are
from scipy.special import gammaincinv

from mho.array_types import Floats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class TrackModel:
    """Motion in a plane under random accelerations, seen by several sensors of positions."""

    interval: float  # between measurements, s
    acceleration: float  # root of the white acceleration's density over the interval, m/s^2
    noise: Floats  # (sensors,): standard deviation of each sensor's positions, m
    # Share of each sensor's variance that all have in common, as of an atmosphere that all look through
    shared: float = 0.0

    @property
    def transition(self) -> Floats:
        """F, for (x, y, vx, vy)."""
        one = np.array([[1.0, self.interval], [0.0, 1.0]])
        return np.kron(one, np.eye(2))

    @property
    def drive(self) -> Floats:
        """Q of an acceleration that is constant over an interval (Bar-Shalom et al. 2001, section 6.3.2)."""
        gain = np.array([self.interval**2 / 2.0, self.interval])
        return np.asarray(np.kron(self.acceleration**2 * np.outer(gain, gain), np.eye(2)))

    @property
    def observation(self) -> Floats:
        """H, (2 sensors, 4): every sensor sees x and y."""
        return np.tile(np.eye(2, 4), (len(self.noise), 1))

    @property
    def measurement(self) -> Floats:
        """R, (2 sensors, 2 sensors): what sensors share correlates their errors."""
        own = np.diag(self.noise**2) * (1.0 - self.shared)
        return np.asarray(np.kron(own + self.shared * np.outer(self.noise, self.noise), np.eye(2)))

    def first_covariance(self, speed: float) -> Floats:
        """Return P before the first measurement: positions to within ten times the noise, velocities to within `speed`."""
        spread = 10.0 * float(self.noise.max())
        return np.diag([spread**2, spread**2, speed**2, speed**2])

    def steady_covariance(self) -> Floats:
        """Return the prior covariance that the filter settles at, of the Riccati equation."""
        h = self.observation
        return np.asarray(solve_discrete_are(self.transition.T, h.T, self.drive, self.measurement))

    def innovation(self, covariance: Floats) -> Floats:
        """Return S for a prior covariance."""
        h = self.observation
        s = h @ covariance @ h.T + self.measurement
        return np.asarray((s + s.T) / 2.0)


class FilterStep(NamedTuple):
    """After a measurement: estimates (tracks, 4), covariance (4, 4), innovations and NIS by track; NaN at a gap."""

    estimates: Floats
    covariance: Floats
    innovations: Floats
    nis: Floats


def kalman(
    model: TrackModel, measured: Floats, first: Floats, covariance: Floats,
    solve: Callable[[Floats, Floats], Floats], *, steady: bool = False, push: Floats | None = None,
) -> Iterator[FilterStep]:  # fmt: skip
    """Yield the filter's steps.

    `measured` (steps, tracks, 2 sensors): a step whose values are not all finite for every track is a gap: the filter
    predicts through it; `first` (tracks, 4): estimate before the first measurement; `covariance` (4, 4): P then;
    `solve`: (S, right-hand sides (m, k)) -> S^-1 times these; `steady`: P stays as given, which is the steady one: one
    S, one gain for all steps; `push` (4,): known change of the state in an interval beside its motion, as by gravity.
    """
    f, h, q = model.transition, model.observation, model.drive
    x, p = np.array(first, dtype=np.float64), np.array(covariance, dtype=np.float64)
    tracks = len(x)
    for number, z in enumerate(measured):
        if number:
            x = x @ f.T + (0.0 if push is None else push)
            if not steady:
                p = f @ p @ f.T + q
        innovation = z - x @ h.T
        if not np.isfinite(innovation).all():
            yield FilterStep(x, p, np.full(z.shape, np.nan), np.full(tracks, np.nan))
            continue
        s = model.innovation(p)
        columns = innovation.T if steady else np.concatenate((innovation.T, h @ p), axis=1)
        found = solve(s, columns)
        weighted = found[:, :tracks]
        x = x + weighted.T @ h @ p
        posterior = p
        if not steady:
            posterior = p - p @ h.T @ found[:, tracks:]
            p = posterior = (posterior + posterior.T) / 2.0
        nis = np.einsum("ij,ji->i", innovation, weighted)
        yield FilterStep(x, posterior, innovation, nis)


def multiplications(model: TrackModel, tracks: int, steady: bool) -> int:
    """Return the multiplications of a step beside its system, as `kalman` takes it: states, and S and P unless steady."""
    state, measured = 4, 2 * len(model.noise)
    states = tracks * (2 * state**2 + 2 * state * measured + measured)
    matrices = 2 * state**3 + measured * (3 * state**2 + state * measured)
    return states + (0 if steady else matrices)


def nees(errors: Floats, covariance: Floats) -> Floats:
    """Return the normalised squared errors of estimates, (tracks,) (Bar-Shalom et al. 2001, section 5.4.2)."""
    return np.asarray(np.einsum("ij,ij->i", errors, np.linalg.solve(covariance, errors.T).T))


def consistency_interval(freedom: int, count: int) -> tuple[float, float]:
    """Return where the mean of `count` squared errors of `freedom` dimensions lies with 95 %, from chi^2."""
    shape = freedom * count / 2.0
    low, high = (2.0 * float(gammaincinv(shape, one)) for one in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return low / count, high / count
