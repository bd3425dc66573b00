"""Kinematics of arms: against hand-made geometry, differences, and the bound of damped least squares."""

from __future__ import annotations

import numpy as np
import pytest

from mho.extensions.applications.control.arm import damped_matrix, follow, path_around, planar, ur5

ARMS = {"planar": planar(6), "ur5": ur5()}


def test_tip_of_two_links_is_as_drawn() -> None:
    arm = planar(2, 2.0)
    np.testing.assert_allclose(arm.tip(np.array([np.pi / 2.0, -np.pi / 2.0])), [1.0, 1.0], atol=1e-15)


def test_ur5_stretched_out_reaches_as_far_as_its_data_sheet_says() -> None:
    # 850 mm of working radius are those of the wrist: upper arm, forearm and the offsets at its end.
    tip = ARMS["ur5"].tip(np.zeros(6))
    np.testing.assert_allclose(tip, [-0.81725, -0.19145, -0.005491], atol=1e-9)


@pytest.mark.parametrize("name", sorted(ARMS))
def test_jacobian_is_the_derivative_of_the_tip(name: str) -> None:
    arm = ARMS[name]
    columns = [
        (arm.tip(arm.rest + one) - arm.tip(arm.rest - one)) / 2e-6 for one in 1e-6 * np.eye(arm.joints)
    ]
    np.testing.assert_allclose(np.array(columns).T, arm.jacobian(arm.rest), atol=1e-8)


@pytest.mark.parametrize("name", sorted(ARMS))
def test_tip_follows_a_circle(name: str) -> None:
    arm = ARMS[name]
    centre = arm.tip(arm.rest).copy()
    centre[0] -= 0.1
    steps = list(follow(arm, arm.rest, path_around(centre, 0.1, 60, "circle"), 0.05, np.linalg.solve))
    assert max(step.distance for step in steps) < 2e-3


def test_target_out_of_reach_does_not_jerk_the_arm() -> None:
    arm, damping = ARMS["planar"], 0.1
    target = np.array([3.0, 0.0])
    steps = list(follow(arm, arm.rest, np.tile(target, (200, 1)), damping, np.linalg.solve))
    moves = np.linalg.norm(np.diff([arm.rest, *(step.angles for step in steps)], axis=0), axis=1)
    assert moves.max() <= 1.0
    assert steps[-1].distance == pytest.approx(2.0, abs=0.02)  # stretched out towards it
    assert moves[-1] < 1e-2


def test_damped_matrix_is_positive_definite_where_the_jacobian_is_singular() -> None:
    stretched = ARMS["planar"].jacobian(np.zeros(6))
    assert np.linalg.matrix_rank(stretched) == 1
    assert np.linalg.eigvalsh(damped_matrix(stretched, 0.1))[0] == pytest.approx(0.01)


@pytest.mark.parametrize("kind", ["circle", "eight"])
def test_paths_close(kind: str) -> None:
    path = path_around(np.array([0.3, 0.2, 0.1]), 0.1, 41, kind)
    np.testing.assert_allclose(path[0], path[-1], atol=1e-12)
    np.testing.assert_allclose(path[0], [0.4, 0.2, 0.1])
    assert (path[:, 2] == 0.1).all()
