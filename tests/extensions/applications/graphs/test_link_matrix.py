"""PageRank as a linear system, against closed forms and networkx's rules."""

from __future__ import annotations

import numpy as np
import pytest

from mho.extensions.applications.graphs.graph_files import load_graph
from mho.extensions.applications.graphs.page_rank import (
    errors_of_gcr,
    normalised,
    page_rank_system,
    restart_vector,
    steps_of_gcr,
    steps_of_power_iteration,
    swapped_pairs,
    transition_matrix,
)

CYCLE = np.array([[1, 2], [2, 3], [3, 1], [3, 1]])
DANGLING = np.array([[1, 2], [1, 3], [2, 3], [4, 3]])


def scores(links, damping=0.85, places=None):
    graph = load_graph(links, directed=True, form="links")
    restart = restart_vector(graph.nodes, places)
    matrix, rhs = page_rank_system(transition_matrix(graph.weights, restart), restart, damping)
    return np.linalg.solve(matrix, rhs)


def test_a_cycle_ranks_all_alike():
    np.testing.assert_allclose(scores(CYCLE), np.full(3, 1 / 3), rtol=1e-14)


def test_a_star_has_the_closed_form():
    # Leaves link to the centre, the centre to all leaves: c = (1-d)/n + d (1-c), with n-1 leaves.
    links = np.array([[0, leaf] for leaf in range(1, 6)])
    graph = load_graph(links, form="links")
    restart = restart_vector(6)
    matrix, rhs = page_rank_system(transition_matrix(graph.weights, restart), restart, 0.85)
    centre = (0.15 / 6 + 0.85) / 1.85
    np.testing.assert_allclose(
        np.linalg.solve(matrix, rhs), [centre, *np.full(5, (1 - centre) / 5)], rtol=1e-13
    )


def test_a_node_without_links_out_jumps_as_a_restart_does():
    graph = load_graph(DANGLING, directed=True, form="links")
    assert [graph.labels[one] for one in graph.dangling] == ["3"]
    whole = transition_matrix(graph.weights, restart_vector(4))
    np.testing.assert_allclose(whole.sum(axis=0), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(whole[:, 2], np.full(4, 0.25))
    assert scores(DANGLING).sum() == pytest.approx(1.0, rel=1e-14)


def test_restarts_at_one_node_raise_it():
    alone = scores(DANGLING, places=np.array([3]))
    assert alone[3] > 2 * scores(DANGLING)[3]
    assert alone.sum() == pytest.approx(1.0, rel=1e-14)


def test_the_solution_is_what_power_iteration_comes_to():
    graph = load_graph("karate")
    restart = restart_vector(graph.nodes)
    transition = transition_matrix(graph.weights, restart)
    exact = np.linalg.solve(*page_rank_system(transition, restart, 0.85))
    steps = steps_of_power_iteration(transition, restart, 0.85, 1e-9)
    walked = restart
    for _ in range(steps):
        walked = 0.85 * transition @ walked + 0.15 * restart
    assert np.abs(walked - exact).sum() <= 1e-9
    assert 20 < steps <= np.ceil(np.log(1e-9 / 2) / np.log(0.85))
    assert [graph.labels[one] for one in np.argsort(exact)[::-1][:2]] == [
        "34",
        "1",
    ]  # the president, then the instructor


def test_pairs_of_equal_nodes_have_no_order():
    reference = np.array([3.0, 1.0, 1.0 + 1e-13, 2.0])
    assert swapped_pairs(reference, reference) == (0, 5)
    assert swapped_pairs(np.array([3.0, 2.0, 1.0, 1.5]), reference) == (1, 5)
    np.testing.assert_allclose(normalised(np.array([[1.0, 2.0], [3.0, 2.0]])).sum(axis=0), 1.0)


def test_gcr_has_the_least_residual_over_the_products_so_far():
    graph = load_graph("karate")
    restart = restart_vector(graph.nodes)
    matrix, rhs = page_rank_system(transition_matrix(graph.weights, restart), restart, 0.85)
    exact = np.linalg.solve(matrix, rhs)
    basis = (rhs / np.linalg.norm(rhs))[:, None]
    for error, _ in zip(errors_of_gcr(matrix, rhs), range(10), strict=False):
        least = basis @ np.linalg.lstsq(matrix @ basis, rhs)[0]
        assert error == pytest.approx(np.linalg.norm(least - exact) / np.linalg.norm(exact), rel=1e-4)
        further = matrix @ basis[:, -1]
        for _ in range(2):
            further = further - basis @ (basis.T @ further)
        basis = np.column_stack([basis, further / np.linalg.norm(further)])
    assert steps_of_gcr(matrix, rhs, 2.0 * error) <= 10
    assert steps_of_gcr(matrix, rhs, 0.0) is None
    assert steps_of_gcr(np.eye(3), np.ones(3), 1e-12) == 1
