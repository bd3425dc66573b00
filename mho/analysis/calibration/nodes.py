"""Integrals over what a device has for life: Gauss-Hermite nodes that follow each cell's own integrand.

Liu and Pierce, Biometrika 81, 624 (1994): with nodes at the integrand's mean, spread as widely as it is, a few are enough.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Floats = NDArray[np.float64]

NODES = 3  # a dimension
FIRST = 7  # a dimension, as long as nothing is known


class DeviceNodes:
    """Nodes of each cell in the space of its latent values.

    Attributes
    ----------
    values : tuple of (cells, nodes) arrays
        The latent values at the nodes.
    fresh : bool
        Whether the nodes were never moved.
    """

    def __init__(self, cells: int, dimensions: int, widths: tuple[float, ...] = (0.06, 0.03)) -> None:
        self._centre = np.zeros((cells, dimensions))
        self._root = np.broadcast_to(np.diag(widths[:dimensions]), (cells, dimensions, dimensions))
        self.fresh = True
        self._place(FIRST)

    @property
    def shape(self) -> tuple[int, int]:
        """Cells and nodes."""
        cells, nodes = self.values[0].shape
        return cells, nodes

    def _place(self, count: int) -> None:
        at, weights = np.polynomial.hermite_e.hermegauss(count)
        dimensions = self._centre.shape[1]
        points = np.array(list(product(at, repeat=dimensions)))
        # weight over the density of the nodes' own normal distribution
        log_weights = np.array([np.log(w).sum() for w in product(weights, repeat=dimensions)])
        self._log_weights = log_weights + 0.5 * (points**2).sum(axis=1)
        self._log_size = np.log(np.abs(np.linalg.det(self._root)))
        placed = self._centre[:, None, :] + np.einsum("cij,nj->cni", self._root, points)
        self.values = tuple(np.moveaxis(placed, -1, 0))

    def take(self, values: tuple[Floats, ...]) -> None:
        """Take other values for the nodes, shifted by as much for all nodes of a cell."""
        placed = np.stack(values, axis=-1)
        self._centre = self._centre + (placed[:, 0] - np.stack(self.values, axis=-1)[:, 0])
        self.values = values

    def integral(self, terms: Floats) -> Floats:
        """Return ln of the integrals (cells,) of integrands given as ln at the nodes (cells, nodes)."""
        total: Floats = logsumexp(terms + self._log_weights, axis=1) + self._log_size
        return total

    def move(self, terms: Floats) -> None:
        """Move the nodes to the mean of each cell's integrand, spread as it is."""
        logs = terms + self._log_weights
        weights = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        placed = np.stack(self.values, axis=-1)
        self._centre = np.einsum("cn,cni->ci", weights, placed)
        apart = placed - self._centre[:, None, :]
        covariance = np.einsum("cn,cni,cnj->cij", weights, apart, apart)
        # nodes that are too far apart see one of them alone: no narrower than a third at a time
        before = self._root @ np.swapaxes(self._root, 1, 2)
        self._root = np.linalg.cholesky(covariance + 0.1 * before)
        self.fresh = False
        self._place(NODES)
