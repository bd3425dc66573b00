"""What cells hold when only some causes happened to them, and noise of another moment."""

from __future__ import annotations

import numpy as np
import pytest

from mho.instruments.arrays import ALL, Causes, HeldCells, Targets

ROUNDED, EXACT = 10e-6, 9.3e-6


def held(causes: set[str], *, series: float = 0.0, read: float = 10.5e-6, now: float = 11.2e-6) -> float:
    """Return what a cell holds: verified at 10.4 uS without noise, and read through its wire."""
    verified = 10.4e-6 / (1.0 - 10.4e-6 * series)
    grid = np.full((1, 1), 1.0)
    cells = HeldCells(
        read * grid, verified * grid, now / (1.0 - now * series) * grid, 0.0 * grid, 0.0 * grid, series * grid
    )
    chosen: Causes = frozenset(causes)  # type: ignore[arg-type]
    return float(Targets(ROUNDED * grid, EXACT * grid).held(cells, chosen)[0, 0])


@pytest.mark.parametrize(
    ("causes", "expected"),
    [
        (set(), EXACT),
        ({"quantisation"}, ROUNDED),
        ({"quantisation", "programming"}, 10.5e-6),
        ({"quantisation", "programming", "read noise"}, 10.4e-6),
        ({"quantisation", "programming", "read noise", "relaxation"}, 11.2e-6),
        ({"programming"}, EXACT + 0.5e-6),
        ({"relaxation"}, EXACT + 0.8e-6),
    ],
)
def test_each_cause_moves_a_cell_by_its_own_part(causes: set[str], expected: float) -> None:
    assert held(causes) == pytest.approx(expected, rel=1e-12)


def test_a_cell_behind_a_wire_holds_so_much_more_than_it_is_read_as() -> None:
    read_as = held({"quantisation"}, series=1e3)
    assert read_as == pytest.approx(ROUNDED)
    behind = held({"quantisation", "wires"}, series=1e3)
    assert behind / (1.0 + behind * 1e3) == pytest.approx(ROUNDED, rel=1e-12)


def test_with_all_causes_cells_hold_what_they_held() -> None:
    now = 11.2e-6 / (1.0 - 11.2e-6 * 1e3)
    assert held(set(ALL), series=1e3) == now


def cells(seed: int = 0, size: int = 40) -> HeldCells:
    rng = np.random.default_rng(seed)
    verified = rng.uniform(5e-6, 35e-6, (size, size))
    slow, fast = 0.05 * rng.normal(size=(2, size, size))
    return HeldCells(
        verified * (1.0 + slow),
        verified,
        verified,
        slow + fast,
        np.full((size, size), 1e-4),
        np.zeros((size, size)),
    )


def test_noise_of_another_moment_keeps_what_the_verify_read_saw() -> None:
    own = cells()
    other = own.redrawn(np.random.default_rng(1))
    seen = own.read / own.verified - 1.0
    slope = float(np.sum(seen * other.frozen) / np.sum(seen**2))
    assert slope == pytest.approx(1.0, abs=0.1)
    assert np.std(other.frozen) == pytest.approx(np.std(own.frozen), rel=0.05)
    assert np.corrcoef((other.frozen - seen).ravel(), (own.frozen - seen).ravel())[0, 1] < 0.2
    np.testing.assert_array_equal(other.now, own.now)


def test_noise_is_dealt_out_among_cells_that_are_alike() -> None:
    own = cells()
    quiet = own.verified > 20e-6
    some = HeldCells(
        own.verified, own.verified, own.verified, np.where(quiet, 0.0, own.frozen), own.variance, own.series
    )
    other = some.redrawn(np.random.default_rng(1))
    order = np.argsort(own.verified, axis=None)
    last_quiet = other.frozen.ravel()[order[-200:]]
    assert not last_quiet.any()
