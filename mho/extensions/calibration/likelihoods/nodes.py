"""Integrals over what a device has for life: Gauss-Hermite nodes that follow each cell's own integrand.

Liu and Pierce, Biometrika 81, 624 (1994): with nodes at the integrand's mean, spread as widely as it is, a few are enough.
Where a law has edges, nodes lie on a line or on a regular grid instead.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import logsumexp

from mho.array_types import Floats

NODES = 3  # a dimension
NOTHING = 1e-30  # shares below are 0: processors are slow with the smallest numbers
WIDTHS = 0.06, 0.03  # of the latent values, as long as nothing is known
FIRST = 7  # a dimension, as long as nothing is known
LINE_NODES = 42  # where the integrand is
LINE_FIRST = 321
FAR = 2.0 ** np.arange(1, 6) - 1.0  # and beyond it to either side, in units of their distance
NEAREST = 2e-3  # V, at least
LEAST = 1e-3  # of the root of the integrand: what lies beyond is left out
FLAT = 0.03  # of it, is added everywhere between
REACH = 3.5  # deviations of a cell's own value, to either side of a grid's middle
MOVED = 0.3  # deviations, and of ln of them: a grid stays where it is that fits so well
ASTRAY = 0.2  # share of weight at an end of a grid: its integrand lies beyond
ROUNDS = 8  # in which grids come to where their integrands are


class Nodes:
    """Nodes of each cell in the space of what a device has for life; `fresh` until they are moved."""

    fresh = True
    _log_weights: Floats
    _log_size: Floats | float = 0.0

    def integral(self, terms: Floats) -> Floats:
        """Return ln of the integrals (cells,) of integrands given as ln at the nodes (cells, nodes)."""
        total: Floats = logsumexp(terms + self._log_weights, axis=1) + self._log_size
        return total

    def weights(self, terms: Floats, part: slice = slice(None)) -> Floats:
        """Return the shares (cells, nodes) of the nodes in the integrals of each cell, or of a `part` of them."""
        logs = terms + self._log_weights[part]
        shares: Floats = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        shares[shares < NOTHING] = 0.0
        return shares


class DeviceNodes(Nodes):
    """Nodes (cells, nodes) of each cell in the space of its latent `values`."""

    def __init__(self, cells: int, dimensions: int) -> None:
        self._centre = np.zeros((cells, dimensions))
        self._root = np.broadcast_to(np.diag(WIDTHS[:dimensions]), (cells, dimensions, dimensions))
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

    def move(self, terms: Floats) -> None:
        """Move the nodes to the mean of each cell's integrand, spread as it is; where that is no number, they stay."""
        known = np.isfinite(terms.max(axis=1))
        weights = self.weights(np.where(known[:, None], terms, 0.0))
        placed = np.stack(self.values, axis=-1)
        centre = np.einsum("cn,cni->ci", weights, placed)
        apart = placed - centre[:, None, :]
        covariance = np.einsum("cn,cni,cnj->cij", weights, apart, apart)
        # nodes that are too far apart see one of them alone: no narrower than a third at a time
        before = self._root @ np.swapaxes(self._root, 1, 2)
        root = np.linalg.cholesky(covariance + 0.1 * before)
        self._centre = np.where(known[:, None], centre, self._centre)
        self._root = np.where(known[:, None, None], root, self._root)
        self.fresh = False
        self._place(NODES)


class LineNodes(Nodes):
    """Nodes (cells, nodes) of each cell on one line, for integrands with edges and several peaks: many where it is large.

    The line goes from `low` to `high` as long as nothing is known: as long as the nodes are `fresh`.
    """

    def __init__(self, cells: int, low: float, high: float) -> None:
        self._place(np.broadcast_to(np.linspace(low, high, LINE_FIRST), (cells, LINE_FIRST)))

    def _place(self, values: Floats) -> None:
        self.values = values
        ends = np.pad(values, ((0, 0), (1, 1)), mode="edge")
        self._log_weights = np.log(0.5 * (ends[:, 2:] - ends[:, :-2]))  # of the trapezoidal rule

    def move(self, terms: Floats) -> None:
        """Move the nodes to where each cell's integrand is: equal parts of its root, and some ever farther away.

        Those far away see where the integrand goes when parameters change.
        """
        share = np.linspace(0.0, 1.0, LINE_NODES)
        placed = np.empty((len(terms), LINE_NODES + 2 * len(FAR)))
        known = np.isfinite(terms.max(axis=1))
        terms = np.where(known[:, None], terms, 0.0)  # no number: as if every node were as likely
        for cell, (at, log) in enumerate(zip(self.values, terms, strict=True)):
            density = np.exp(0.5 * (log - log.max()))
            inside = np.flatnonzero(density > LEAST)
            part = slice(max(inside[0] - 1, 0), inside[-1] + 2)
            at, density = at[part], density[part] + FLAT
            parts = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(at))])
            near = np.interp(share * parts[-1], parts, at)
            apart = FAR * max(NEAREST, (near[-1] - near[0]) / LINE_NODES)
            placed[cell] = np.concatenate([near[0] - apart[::-1], near, near[-1] + apart])
        self.fresh = False
        self._place(placed)


class GridNodes(Nodes):
    """Regular grids of each cell along one axis or several: sums on one grid can be compared to the last digit.

    They reach `widest` about `centre` (axes,) with the numbers of nodes `first`, and have those of `count` once moved.
    """

    def __init__(
        self, cells: int, centre: Floats, widest: Floats, first: tuple[int, ...], count: tuple[int, ...]
    ) -> None:
        self.low, self.high = np.tile(centre - widest, (cells, 1)), np.tile(centre + widest, (cells, 1))
        self._count, self._moved_count = first, count

    @property
    def axes(self) -> list[Floats]:
        """The places of the nodes along each axis, (cells, nodes) each."""
        return [
            low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, count)
            for low, high, count in zip(self.low.T, self.high.T, self._count, strict=True)
        ]

    def integral(self, terms: Floats) -> Floats:
        """Return ln of the integrals (cells,) of integrands given as ln at the nodes (cells, *nodes of each axis)."""
        every = tuple(range(1, terms.ndim))
        most = terms.max(axis=every)
        steps = (self.high - self.low) / (np.array(self._count) - 1)
        apart = np.exp(terms - np.expand_dims(most, every))
        total: Floats = most + np.log(apart.sum(axis=every) * steps.prod(axis=1))
        return total

    def move(self, terms: Floats) -> bool:
        """Move the grids to where each cell's integrand is; return whether any moved. Those that fit stay as they are."""
        every = tuple(range(1, terms.ndim))
        weights = np.exp(terms - terms.max(axis=every, keepdims=True))
        weights /= weights.sum(axis=every, keepdims=True)
        moved = False
        for axis, grid in enumerate(self.axes):
            share = weights.sum(axis=(*every[:axis], *every[axis + 1 :]))
            low, high = self.low[:, axis], self.high[:, axis]
            mean = (share * grid).sum(axis=1)
            spread = np.sqrt((share * (grid - mean[:, None]) ** 2).sum(axis=1))
            spread = np.maximum(spread, 0.5 * (grid[:, 1] - grid[:, 0]))  # as fine as the grid could tell
            middle, before = 0.5 * (low + high), 0.5 * (high - low) / REACH
            at_an_end = np.maximum(share[:, 0], share[:, -1]) > ASTRAY
            spread = np.where(at_an_end, 2.0 * before, spread)
            new = np.abs(mean - middle) > MOVED * before
            new |= self.fresh | (np.abs(np.log(spread / before)) > MOVED)
            low[new], high[new] = (mean - REACH * spread)[new], (mean + REACH * spread)[new]
            moved |= bool(new.any())
        self._count, self.fresh = self._moved_count, False
        return moved
