"""Arm: inverse kinematics of a robot arm along a path, by damped least squares on the chip.

    T_i = Rz(q_i) Tz(d_i) Tx(a_i) Rx(alpha_i)          (Denavit and Hartenberg, J. Appl. Mech. 22, 215 (1955))
    (J^T J + l^2 1) dq = J^T e                         (Nakamura and Hanafusa, J. Dyn. Syst. Meas. Control 108, 163 (1986))

The damping l bounds |dq| by |e| / 2l. Where a target stays out of reach, the curvature of the tip's path, about |e|
times the reach, is what the matrix lacks, and steps would swing to and fro: it is added to l^2 for errors larger than
l/2 (as Sugihara, IEEE Trans. Robotics 27, 984 (2011), adds |e|^2 / 2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mho.array_types import Floats
from mho.chip_maps import load_matrix
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    Prepared,
    SystemSolver,
    digital_solution,
    record_rows,
)
from mho.instruments import Bench
from mho.procedures import (
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
    Stream,
    counted,
    quantity,
)
from mho.procedures.equations import DirectSolve, solve_directly
from mho.runs import Column, Figure, Layout, Table


@dataclass(frozen=True)
class ArmModel:
    """An arm's joints."""

    # lengths, offsets, twists: (joints,): a and d, m; alpha, rad
    lengths: Floats
    offsets: Floats
    twists: Floats
    rest: Floats  # (joints,): angles at first, rad
    dimensions: int  # 2 of a planar arm, 3 of one in space

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
            link = np.array([
                [c, -s * ca, s * sa, a * c], [s, c * ca, -c * sa, a * s], [0.0, sa, ca, d],
                [0.0, 0.0, 0.0, 1.0],
            ])  # fmt: skip
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


def planar(joints: int, length: float = 1.0) -> ArmModel:
    """Return a planar arm of equal links, `length` m in all, bent a little: stretched out, its Jacobian would be
    singular.
    """
    none = np.zeros(joints)
    rest = np.full(joints, np.pi / 2.0 / max(joints - 1, 1))
    rest[0] = -np.pi / 4.0
    return ArmModel(np.full(joints, length / joints), none, none, rest, 2)


def ur5() -> ArmModel:
    """Return the arm UR5, six joints (Universal Robots, DH parameters for calculations of kinematics and dynamics)."""
    return ArmModel(
        np.array([0.0, -0.425, -0.39225, 0.0, 0.0, 0.0]),
        np.array([0.089159, 0.0, 0.0, 0.10915, 0.09465, 0.0823]),
        np.array([np.pi / 2.0, 0.0, 0.0, np.pi / 2.0, -np.pi / 2.0, 0.0]),
        np.array([0.0, -1.2, 1.6, -1.9, -1.5, 0.0]),
        3,
    )


def damped_matrix(jacobian: Floats, damping: float) -> Floats:
    """Return J^T J + l^2 1, (joints, joints), symmetric positive definite."""
    return np.asarray(jacobian.T @ jacobian + damping**2 * np.eye(jacobian.shape[1]))


def multiplications(arm: ArmModel) -> int:
    """Return those of a step beside its system: frames three times, the Jacobian, J^T J and J^T e."""
    frames = 3 * arm.joints * (8 + 4**3)
    return frames + arm.joints * (6 + arm.dimensions * (arm.joints + 1))


def dual_solve(arm: ArmModel) -> DirectSolve:
    """Return the digital way of a step: J^T (J J^T + l^2 1)^-1 e, a system of as many lines as the space has dimensions.

    J J^T is not counted: it takes less than J^T J, which it replaces.
    """
    lines = arm.dimensions
    small = solve_directly(np.eye(lines) + np.ones((lines, lines)))
    return DirectSolve("Cholesky of J J^T", 0, small.work(1) + lines * arm.joints)


class ArmStep(NamedTuple):
    """After a step towards a target: angles, tip, and the tip's distance from the target, m."""

    angles: Floats
    tip: Floats
    distance: float


def follow(
    arm: ArmModel, angles: Floats, targets: Floats, damping: float, solve: Callable[[Floats, Floats], Floats],
) -> Iterator[ArmStep]:  # fmt: skip
    """Take one damped step towards each target in turn, and yield it.

    `angles` (joints,): at first, rad; `targets` (steps, dimensions): m; `damping`: l, m; `solve`: (J^T J + l^2 1, J^T
    e) -> dq.
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


PATHS = ("circle", "eight")
POSES = 6  # poses of the arm that are drawn
RENEWED = 12  # cycles around an earlier matrix from which on the present one is programmed

PATH = Table(
    "path",
    (
        Column("x", "m"),
        Column("target", "m", description="y of the target"),
        Column("tip", "m", description="y of the tip"),
    ),
)
STEPS = Table(
    "steps",
    (
        Column("step", dtype="u4"),
        Column("distance", "m", description="distance of the tip from its target"),
        Column("digital_distance", "m", digital=1e-6, description="the same, digitally"),
        Column("difference", "rad", digital=1e-6,
               description="largest difference of the angles from the digital ones"),
        Column("cycles", dtype="u4"),
    ),
)  # fmt: skip
ANGLES = Table(
    "angles",
    (Column("joint", dtype="u4"), Column("step", dtype="u4"), Column("angle", "rad")),
    series="joint",
)
POSE = Table("poses", (Column("pose", dtype="u4"), Column("x", "m"), Column("y", "m")), series="pose")
FIGURES = (
    Figure("path", table="path", x="x", y=("target", "tip"), title="Path of the tip"),
    Figure("poses", table="poses", x="x", y="y", by="pose", title="Poses of the arm"),
    Figure("angles", table="angles", x="step", y="angle", by="joint", title="Angles of the joints"),
    Figure("distance", table="steps", x="step", y=("distance", "digital_distance", "difference"),
           y_scale="log", title="Distance from the target, and from the digital arm"),
)  # fmt: skip


@dataclass(frozen=True)
class Motion:
    """An arm, where its tip is to go (steps, dimensions), and how many of these points are out of reach."""

    arm: ArmModel
    targets: Floats
    beyond: int


class Arm(Application[ApplicationResult]):
    """Lead the tip of a robot arm along a path, each step's system solved on the chip."""

    title: ClassVar[str] = "Inverse kinematics of an arm"
    leading: ClassVar[tuple[str, ...]] = ("arm", "path", "steps", "bits")
    seed = None  # type: ignore[assignment] # nothing is drawn

    arm = ListParameter("Arm", choices=["planar", "ur5"], default="planar")
    joints = IntegerParameter("Joints of a planar arm", minimum=2, maximum=64, default=6)
    path: Parameter[Any] = Parameter(
        "Path, circle, eight or a file of points in m, one a row", default="eight"
    )
    radius = FloatParameter("Radius of the path", units="m", minimum=1e-6, maximum=100.0, default=0.2)
    steps = IntegerParameter("Points of the path", minimum=2, maximum=1000, default=40)
    damping = FloatParameter("Damping", units="m", minimum=1e-4, maximum=10.0, default=0.1)
    matrix = ListParameter("Matrix on the chip, each step's own, or an earlier one while few cycles do",
                           choices=["anew", "held"], default="anew")  # fmt: skip
    leaf = IntegerParameter("Largest loop; a larger matrix is inverted by blocks", minimum=1, maximum=64,
                            default=3)  # fmt: skip

    def check(self) -> Motion:
        """Make the arm and its path, and count the points beyond its reach."""
        super().check()
        arm = planar(self.joints) if self.arm == "planar" else ur5()
        if str(self.path) in PATHS:
            centre = arm.tip(arm.rest).copy()
            inwards = np.copysign(self.radius, centre[0])  # the path lies towards the base of the tip
            centre[0] -= inwards
            targets = path_around(centre, float(inwards), self.steps, str(self.path))
        else:
            targets = _own(self.path, arm)
        beyond = int((np.linalg.norm(targets, axis=1) > arm.reach).sum())
        return Motion(arm, targets, beyond)

    def layout(self, plan: Prepared) -> Layout:
        """Declare path, angles, poses and distances."""
        return Layout((PATH, STEPS, ANGLES, POSE, MATRICES), default="steps", figures=FIGURES)

    def run_title(self) -> str:
        """Return arm and path."""
        return f"Arm {self.arm}, {Path(str(self.path)).name}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Take one damped step towards each point, beside the same arm digitally."""
        given: Motion = plan.given
        arm, targets = given.arm, given.targets
        if given.beyond:
            stream.say(
                f"{given.beyond} of {len(targets)} points lie beyond the arm's reach of {arm.reach:.3g} m; the "
                "damped steps bring the tip as near as the arm goes",
                "WARNING",
            )
        digital = list(follow(arm, arm.rest, targets, self.damping, digital_solution))
        moves: list[ArmStep] = []
        with self.holding(plan, bench, stream) as chip:
            solver = SystemSolver(chip, int(self.bits))

            def solve(matrix: Floats, rhs: Floats) -> Floats:
                if self.matrix == "held" and solver.held is not None:
                    near = solver.near(matrix, rhs)
                    if near.converged.all() and near.cycles[0] <= RENEWED:
                        return solver.take(near)
                return solver.anew(matrix, rhs, leaf=min(int(self.leaf), len(matrix)))

            for number, (step, reference) in enumerate(
                zip(follow(arm, arm.rest, targets, self.damping, solve), digital, strict=True)
            ):
                moves.append(step)
                stream.emit(
                    "steps", step=number, distance=step.distance, digital_distance=reference.distance,
                    difference=float(np.abs(step.angles - reference.angles).max()), cycles=solver.cycles[-1],
                )  # fmt: skip
                stream.progress("steps", number + 1, len(targets))
            chip.beside.digital["beside"] += len(moves) * multiplications(arm)
            chip.replace_direct(dual_solve(arm), len(moves))
            costs = chip.costs()
        short = solver.short
        self.say_short(stream, len(short), len(moves), "steps", *short[:1])
        _record(arm, targets, moves, stream)
        missed = sum(one.distance > self.damping for one in moves)
        if missed:
            stream.say(
                f"at {missed} of {len(moves)} points the tip stays more than the damping, {self.damping:g} m, from its "
                "target: these lie out of reach, or the points are too far apart (steps)",
                "WARNING",
            )
        distances, references = (np.array([one.distance for one in steps]) for steps in (moves, digital))
        angles = np.abs(np.array([one.angles for one in moves]) - [one.angles for one in digital])
        return ApplicationResult.of({
            "converged": not short, "steps": len(moves), "steps_short_of_bits": len(short),
            "points_beyond_reach": given.beyond, "points_missed": missed, "cycles": int(np.sum(solver.cycles)),
            "error_to_digital": (float(angles.max()), "rad"),
            "largest_distance": (float(distances.max()), "m"),
            "mean_distance": (float(distances.mean()), "m"),
            "digital_largest_distance": (float(references.max()), "m"),
            "tip_to_digital": (
                float(max(np.abs(one.tip - two.tip).max() for one, two in zip(moves, digital, strict=True))),
                "m",
            ),
            **costs,
        })  # fmt: skip

    def findings(self, summary: Mapping[str, Any]) -> Sequence[str]:
        """Return how far the joints are from those of the digital solution, and the points that were missed."""
        missed = summary["points_missed"]
        return (
            f"joints within {quantity(summary['error_to_digital'], 'rad')} of the digital ones",
            f"{missed:,} of {counted(summary['steps'], 'point')} missed" if missed else "",
        )


def _own(source: Any, arm: ArmModel) -> Floats:
    """Return a path from a file."""
    if isinstance(source, str) and not Path(source).suffix:
        raise InputError(
            f"there is no path {source!r}: give {', '.join(PATHS)}, or a file of points, .csv or .npy"
        )
    points = load_matrix(source, square=False)
    if np.iscomplexobj(points) or points.shape[1] != arm.dimensions or len(points) < 2:
        raise InputError(
            f"the path has shape {points.shape}; this arm takes two points or more of {arm.dimensions} real "
            "coordinates in m, one a row"
        )
    return np.asarray(points, dtype=np.float64)


def _record(arm: ArmModel, targets: Floats, steps: list[ArmStep], stream: Stream) -> None:
    tips = np.array([one.tip for one in steps])
    record_rows(stream, "path", x=targets[:, 0], target=targets[:, 1], tip=np.nan)
    record_rows(stream, "path", x=tips[:, 0], target=np.nan, tip=tips[:, 1])
    angles = np.array([one.angles for one in steps])
    for joint in range(arm.joints):
        record_rows(stream, "angles", joint=joint, step=np.arange(len(steps)), angle=angles[:, joint])
    for pose, number in enumerate(np.unique(np.linspace(0, len(steps) - 1, POSES).astype(int))):
        links = arm.frames(angles[number])[:, :3, 3]
        up = 1 if arm.dimensions == 2 else 2
        record_rows(stream, "poses", pose=pose, x=links[:, 0], y=links[:, up])
