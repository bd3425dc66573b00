"""PageRank as a linear system, and how two rankings compare.

    (I - d P) x = (1 - d) v

P is the column-stochastic matrix of the links, d the damping, v the vector of restarts, which sums to one. Columns of
I - d P sum to 1 - d, its diagonal dominates each column, and its inverse has only positive entries; its condition number
in the 1-norm is at most (1 + d) / (1 - d). Brin and Page, Computer Networks 30, 107 (1998); Langville and Meyer, Internet
Mathematics 1, 335 (2004), sections 2 and 5.2. A node without links out (dangling) jumps to v, as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.algorithms.batch_refinement import refine_columns

Floats = NDArray[np.float64]

TIED = 1e-9
"""Scores that differ by less than this share are those of equal nodes, and have no order."""


def transition_matrix(weights: Floats, restart: Floats) -> Floats:
    """Return the column-stochastic matrix P (n, n) of a graph.

    Parameters
    ----------
    weights : (n, n) array
        Entry [i, j] is the weight of the link from j to i.
    restart : (n,) array
        Where a walk goes on from a node without links out; sums to one.
    """
    sums = weights.sum(axis=0)
    spread: Floats = np.where(sums > 0.0, weights / np.where(sums > 0.0, sums, 1.0), restart[:, None])
    return spread


def restart_vector(nodes: int, places: NDArray[np.int64] | None = None) -> Floats:
    """Return v: the same for all nodes, or for those at `places` only (personalised PageRank)."""
    chosen = np.zeros(nodes)
    chosen[slice(None) if places is None else places] = 1.0
    return np.asarray(chosen / chosen.sum())


def page_rank_system(transition: Floats, restart: Floats, damping: float) -> tuple[Floats, Floats]:
    """Return matrix (n, n) and right-hand side (n,) of PageRank."""
    return np.eye(len(transition)) - damping * transition, (1.0 - damping) * restart


def normalised(scores: Floats) -> Floats:
    """Return scores that sum to one, as probabilities do; of (n, k), each column."""
    return np.asarray(scores / scores.sum(axis=0), dtype=np.float64)


def swapped_pairs(scores: Floats, reference: Floats) -> tuple[int, int]:
    """Return how many pairs of nodes stand in another order than in `reference`, and how many have an order there.

    Kendall's tau is ``1 - 2 swapped / pairs``.
    """
    first, second = np.triu_indices(len(reference), k=1)
    order = reference[first] - reference[second]
    ordered = np.abs(order) > TIED * np.maximum(np.abs(reference[first]), np.abs(reference[second]))
    swapped = ordered & ((scores[first] - scores[second]) * np.sign(order) <= 0.0)
    return int(swapped.sum()), int(ordered.sum())


def steps_of_power_iteration(transition: Floats, restart: Floats, damping: float, error: float) -> int:
    """Return how many products a power iteration from v needs until its error in the 1-norm is at most `error`.

    The error shrinks by `damping` at least with each product (Langville and Meyer, section 5.1), so it ends.
    """
    matrix, rhs = page_rank_system(transition, restart, damping)
    exact, scores, steps = np.linalg.solve(matrix, rhs), restart, 0
    while np.abs(scores - exact).sum() > error:
        scores, steps = damping * (transition @ scores) + rhs, steps + 1
    return steps


def errors_of_gcr(matrix: Floats, rhs: Floats) -> Iterator[float]:
    """Yield the error of GCR in float64 after each product, relative to the solution, without end.

    The best digital method that takes products alone: GMRES has the same solutions (Eisenstat, Elman and Schultz 1983).
    """
    exact = np.linalg.solve(matrix, rhs)
    length = float(np.linalg.norm(exact))
    for now in refine_columns(rhs[:, None], lambda one: one, lambda one: (one, matrix @ one), "gcr"):
        yield float(np.linalg.norm(now.solutions[:, 0] - exact)) / length


def steps_of_gcr(matrix: Floats, rhs: Floats, error: float) -> int | None:
    """Return how many products GCR needs until its error is at most `error`; None where two an unknown do not."""
    steps = enumerate(islice(errors_of_gcr(matrix, rhs), 2 * len(matrix)), 1)
    return next((number for number, off in steps if off <= error), None)
