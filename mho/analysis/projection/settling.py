"""How long an INV loop takes, from what its amplifiers and its matrix are.

Rows and second pole being fast, the loop of `mho.instruments.simulated` obeys (docs/inv-circuit.md)

    (D + w_u C_f) dv/dt = -w_u (G v + i),      w_u = 2 pi GBW

so that the slowest part of an answer decays with the time ``(D / w_u + C_f) / lambda_min(G)``. The first term is the
gain-bandwidth product's, the second that of the feedback capacitance, which no faster amplifier takes away by itself.
The number of lines is in neither.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def settling_time(
    eigenvalue: ArrayLike,
    bandwidth: ArrayLike,
    feedback_capacitance: ArrayLike,
    load: ArrayLike,
    error: ArrayLike = 0.01,
) -> Floats:
    """Return the time until an answer is within `error` of its end, s.

    Parameters
    ----------
    eigenvalue : array_like
        The smallest eigenvalue of G, S.
    bandwidth : array_like
        Gain-bandwidth product, Hz.
    feedback_capacitance : array_like
        C_f, F; 0 for none.
    load : array_like
        D, all conductance on a row, S.
    error : array_like
        Relative to the whole step.

    Returns
    -------
    array
        As the parameters are broadcast together. The simulated circuit, which overshoots, settles 1.4 times sooner at
        the median, and 0.9 to 2 times (``python -m benchmarks projection``).
    """
    unity = 2.0 * np.pi * np.asarray(bandwidth, dtype=np.float64)
    slowest = (np.asarray(load) / unity + np.asarray(feedback_capacitance)) / np.asarray(eigenvalue)
    return np.asarray(slowest * np.log(1.0 / np.asarray(error)), dtype=np.float64)


def least_feedback(row_capacitance: ArrayLike, conductance: ArrayLike, bandwidth: ArrayLike) -> Floats:
    """Return the C_f that keeps a loop stable, F: ``sqrt(C_in G / w_u)``, the rule for transimpedance amplifiers.

    Settling that is decided by C_f shrinks as the square root of the gain-bandwidth product: amplifiers six times faster
    settle 2.4 times sooner.

    Parameters
    ----------
    row_capacitance : array_like
        C_in of a row: amplifier, pad and board, F.
    conductance : array_like
        G of the strongest cell between an output and its row, S.
    bandwidth : array_like
        Gain-bandwidth product, Hz.
    """
    unity = 2.0 * np.pi * np.asarray(bandwidth, dtype=np.float64)
    return np.asarray(np.sqrt(np.asarray(row_capacitance) * np.asarray(conductance) / unity))


def bandwidth_for(
    time: ArrayLike, eigenvalue: ArrayLike, row_capacitance: ArrayLike, conductance: ArrayLike, load: ArrayLike,
    error: ArrayLike = 0.01,
) -> Floats:  # fmt: skip
    """Return the gain-bandwidth product with which a loop settles within `time`, with the least C_f that is stable, Hz.

    Solves ``t lambda_min / ln(1 / error) = D u^2 + sqrt(C_in G) u`` for ``u = w_u^(-1/2)``. The other parameters are
    those of `settling_time` and `least_feedback`.
    """
    allowed = np.asarray(time) * np.asarray(eigenvalue) / np.log(1.0 / np.asarray(error))
    held = np.sqrt(np.asarray(row_capacitance) * np.asarray(conductance))
    load = np.asarray(load, dtype=np.float64)
    root = (np.sqrt(held**2 + 4.0 * load * allowed) - held) / (2.0 * load)
    return np.asarray(1.0 / (2.0 * np.pi * root**2), dtype=np.float64)
