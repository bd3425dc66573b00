"""Arms of revolute joints: forward kinematics, Jacobian, and inverse kinematics by damped least squares.

    T_i = Rz(q_i) Tz(d_i) Tx(a_i) Rx(alpha_i)          (Denavit and Hartenberg, J. Appl. Mech. 22, 215 (1955))
    (J^T J + l^2 1) dq = J^T e                         (Nakamura and Hanafusa, J. Dyn. Syst. Meas. Control 108, 163 (1986))

The damping l bounds |dq| by |e| / 2l. Where a target stays out of reach, the curvature of the tip's path, about |e|
times the reach, is what the matrix lacks, and steps would swing to and fro: it is added to l^2 for errors larger than
l/2 (as Sugihara, IEEE Trans. Robotics 27, 984 (2011), adds |e|^2 / 2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.held.direct_solve import DirectSolve, direct_solve

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Arm:
    """An arm's joints.

    Attributes
    ----------
    lengths, offsets, twists : (joints,) arrays
        a and d, m; alpha, rad.
    rest : (joints,) array
        Angles at first, rad.
    dimensions : int
        2 of a planar arm, 3 of one in space.
    """

    lengths: Floats
    offsets: Floats
    twists: Floats
    rest: Floats
    dimensions: int

    @property
    def joints(self) -> int:
        """Number of joints."""
        return len(self.lengths)

    @property
    def reach(self) -> float:
        """A bound of the tip's distance from the base, m."""
        return float(np.hypot(self.lengths, self.offsets).sum())

    def frames(self, angles: Floats) -> Floats:
        """Return the frames of base, joints and tip, (joints + 1, 4, 4)."""
        frames = np.empty((self.joints + 1, 4, 4))
        frames[0] = np.eye(4)
        for number, angle in enumerate(angles):
            c, s = np.cos(angle), np.sin(angle)
            ca, sa = np.cos(self.twists[number]), np.sin(self.twists[number])
            a, d = self.lengths[number], self.offsets[number]
            link = np.array(
                [
                    [c, -s * ca, s * sa, a * c],
                    [s, c * ca, -c * sa, a * s],
                    [0.0, sa, ca, d],
                    [0.0, 0.0, 0.0, 1.0],
                ]
            )
            frames[number + 1] = frames[number] @ link
        return frames

    def tip(self, angles: Floats) -> Floats:
        """Return where the tip is, (dimensions,), m."""
        return np.asarray(self.frames(angles)[-1, : self.dimensions, 3])

    def jacobian(self, angles: Floats) -> Floats:
        """Return d tip / d angles, (dimensions, joints), m/rad."""
        frames = self.frames(angles)
        axes, origins = frames[:-1, :3, 2], frames[:-1, :3, 3]
        return np.asarray(np.cross(axes, frames[-1, :3, 3] - origins).T[: self.dimensions])


def planar(joints: int, length: float = 1.0) -> Arm:
    """Return a planar arm of equal links, `length` m in all, bent a little: stretched out, its Jacobian would be
    singular.
    """
    none = np.zeros(joints)
    rest = np.full(joints, np.pi / 2.0 / max(joints - 1, 1))
    rest[0] = -np.pi / 4.0
    return Arm(np.full(joints, length / joints), none, none, rest, 2)


def ur5() -> Arm:
    """Return the arm UR5, six joints (Universal Robots, DH parameters for calculations of kinematics and dynamics)."""
    return Arm(
        np.array([0.0, -0.425, -0.39225, 0.0, 0.0, 0.0]),
        np.array([0.089159, 0.0, 0.0, 0.10915, 0.09465, 0.0823]),
        np.array([np.pi / 2.0, 0.0, 0.0, np.pi / 2.0, -np.pi / 2.0, 0.0]),
        np.array([0.0, -1.2, 1.6, -1.9, -1.5, 0.0]),
        3,
    )


def damped_matrix(jacobian: Floats, damping: float) -> Floats:
    """Return J^T J + l^2 1, (joints, joints), symmetric positive definite."""
    return np.asarray(jacobian.T @ jacobian + damping**2 * np.eye(jacobian.shape[1]))


def multiplications(arm: Arm) -> int:
    """Return those of a step beside its system: frames three times, the Jacobian, J^T J and J^T e."""
    frames = 3 * arm.joints * (8 + 4**3)
    return frames + arm.joints * (6 + arm.dimensions * (arm.joints + 1))


def dual_solve(arm: Arm) -> DirectSolve:
    """Return the digital way of a step: J^T (J J^T + l^2 1)^-1 e, a system of as many lines as the space has dimensions.

    J J^T is not counted: it takes less than J^T J, which it replaces.
    """
    lines = arm.dimensions
    small = direct_solve(np.eye(lines) + np.ones((lines, lines)))
    return DirectSolve("Cholesky of J J^T", 0, small.work(1) + lines * arm.joints)


class ArmStep(NamedTuple):
    """After a step towards a target: angles, tip, and the tip's distance from the target, m."""

    angles: Floats
    tip: Floats
    distance: float


def follow(
    arm: Arm,
    angles: Floats,
    targets: Floats,
    damping: float,
    solve: Callable[[Floats, Floats], Floats],
) -> Iterator[ArmStep]:
    """Take one damped step towards each target in turn, and yield it.

    Parameters
    ----------
    angles : (joints,) array
        At first, rad.
    targets : (steps, dimensions) array
        m.
    damping : float
        l, m.
    solve : callable
        (J^T J + l^2 1, J^T e) -> dq.
    """
    for target in targets:
        jacobian = arm.jacobian(angles)
        error = target - arm.tip(angles)
        curvature = arm.reach * max(0.0, float(np.linalg.norm(error)) - damping / 2.0)
        damped = damped_matrix(jacobian, float(np.sqrt(damping**2 + curvature)))
        angles = angles + solve(damped, jacobian.T @ error)
        tip = arm.tip(angles)
        yield ArmStep(angles, tip, float(np.linalg.norm(target - tip)))


def path_around(centre: Floats, radius: float, steps: int, kind: str) -> Floats:
    """Return points of a closed path, (steps, dimensions), m: ``circle``, or ``eight`` (Gerono's lemniscate), in the
    plane of the first two axes; the first point is the centre's right.
    """
    turn = 2.0 * np.pi * np.arange(steps) / max(steps - 1, 1)
    across, along = np.cos(turn), np.sin(turn) * (np.cos(turn) if kind == "eight" else 1.0)
    path = np.tile(np.asarray(centre, dtype=np.float64), (steps, 1))
    path[:, 0] += radius * across
    path[:, 1] += radius * along
    return path
