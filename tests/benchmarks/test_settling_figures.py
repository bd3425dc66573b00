"""The settling benchmark, at a small size: its matrices are what it says, and its figures carry their detail."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import settling


@pytest.mark.parametrize("order", [2, 9])
def test_random_networks_have_the_eigenvalues_asked_for(order: int) -> None:
    network = settling.random_network(order, 2e-6, np.random.default_rng(1))
    assert np.linalg.eigvalsh(network) == pytest.approx(np.geomspace(2e-6, settling.LARGEST, order))


def test_settling_is_measured_on_the_published_matrix_and_against_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settling, "DRAWS_A_REPEAT", 3)
    monkeypatch.setattr(settling, "ORDER", 4)
    monkeypatch.setattr(settling, "ORDERS", (3, 6))
    figures = settling.run(1)
    assert len(figures) == 2 * len(settling.BOARDS) + 4
    assert all(figure.target and figure.met is not None for figure in figures)
    times = [figure.value for figure in figures if figure.unit == "ns"]
    assert times == sorted(times)  # more capacitance, more time
    against_smallest = [figure for figure in figures if "settling against lambda_min" in figure.name]
    assert len(against_smallest) == 2
    assert all(-1.5 < figure.value < -0.5 for figure in against_smallest)
