"""Tracks to follow: an aircraft that turns, a ballistic rocket, random motion as the filter takes it to be, or a file's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.input_files import check_ordinary
from mho.procedures.applications.control.kalman_filter import TrackModel

Floats = NDArray[np.float64]

TRACKS = ("random", "turn", "rocket")
SPEED = 100.0
"""m/s, of an aircraft, and the spread of velocities at first."""

GRAVITY = 9.81
LARGEST = 1 << 22
"""Bytes of a file of measurements at most."""

MISSING = ("", "nan", "na", "none", "-")


def truth(kind: str, model: TrackModel, steps: int, count: int, rng: np.random.Generator) -> Floats:
    """Return states (steps, count, 4): x, y, vx, vy in m and m/s.

    ``random`` and ``rocket`` draw each track's accelerations as the model has them, so that the filter is consistent
    with them; a rocket flies up after burn-out and falls. ``turn`` is one flight of an aircraft, seen `count` times.
    """
    if kind == "turn":
        velocity = _turning(steps)
        moved = (velocity[:-1] + velocity[1:]) / 2.0 * model.interval
        one = np.concatenate((np.concatenate((np.zeros((1, 2)), np.cumsum(moved, axis=0))), velocity), axis=1)
        return np.repeat(one[:, None, :], count, axis=1)
    states = np.zeros((steps, count, 4))
    if kind == "rocket":
        rise = GRAVITY * (steps - 1) * model.interval / 2.0
        states[0, :, 2:] = rise / 3.0, rise
    else:
        states[0, :, 2:] = rng.normal(0.0, SPEED / 2.0, (count, 2))
    gain = np.kron([model.interval**2 / 2.0, model.interval], np.ones(2))
    for number in range(1, steps):
        drawn = model.acceleration * np.tile(rng.standard_normal((count, 2)), 2) * gain
        states[number] = states[number - 1] @ model.transition.T + push(kind, model) + drawn
    return states


def push(kind: str, model: TrackModel) -> Floats:
    """Return the known change of a state in an interval, (4,): gravity's, of a rocket."""
    fall = GRAVITY if kind == "rocket" else 0.0
    return np.array((0.0, -fall * model.interval**2 / 2.0, 0.0, -fall * model.interval))


def _turning(steps: int) -> Floats:
    """Return velocities of an aircraft: straight, a quarter turn to the left, straight, a half turn to the right,
    straight.
    """
    share = np.linspace(0.0, 1.0, steps)
    heading = np.pi / 2.0 * np.clip((share - 0.2) / 0.15, 0.0, 1.0) - np.pi * np.clip(
        (share - 0.55) / 0.25, 0.0, 1.0
    )
    return SPEED * np.stack((np.cos(heading), np.sin(heading)), axis=1)


def measure(states: Floats, model: TrackModel, rng: np.random.Generator) -> Floats:
    """Return what the sensors see of states (steps, tracks, 4): (steps, tracks, 2 sensors), m."""
    root = np.linalg.cholesky(model.measurement)
    drawn = rng.standard_normal((*states.shape[:2], len(root)))
    return np.asarray(states @ model.observation.T + drawn @ root.T)


def read_track(path: str | Path) -> Floats:
    """Return measured positions (steps, 2), m, from a ``.csv`` of x and y a line; NaN where a value is missing.

    Raises
    ------
    InputError
        The file is missing, too large, no text; a line has other than two values or no number; fewer than three
        measurements.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise InputError(
            f"{path} is no track: give one of {', '.join(TRACKS)}, or a .csv of x and y in m, a line a step"
        )
    try:
        check_ordinary(path)
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} has {path.stat().st_size} bytes; {LARGEST} is the most of a track")
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the path of a track") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no UTF-8 text; save the track as .csv") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check path and rights") from None
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip() and "," not in line and ";" not in line):
            continue
        fields = [one.strip() for one in line.replace(";", ",").split(",")]
        if not rows and all(one[:1].isalpha() and one.lower() not in MISSING for one in fields):
            continue  # a line of names
        if len(fields) != 2:
            raise InputError(
                f"{path}, line {number}: {len(fields)} values; give x and y in m, and leave them empty in a gap"
            )
        rows.append([_number(one, f"{path}, line {number}") for one in fields])
    track = np.array(rows, dtype=np.float64).reshape(-1, 2)
    track[~np.isfinite(track).all(axis=1)] = np.nan  # half a position is none
    seen = int(np.isfinite(track).all(axis=1).sum())
    if seen < 3:
        raise InputError(f"{path} has {seen} whole measurements; a track needs three")
    if not np.isfinite(track[0]).all():
        raise InputError(
            f"{path} begins with a gap, so there is nothing to start from: leave the first lines out"
        )
    return track


def _number(text: str, where: str) -> float:
    if text.lower() in MISSING:
        return np.nan
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: {text!r} is no number; give m as 12.5, or nothing in a gap") from None
    if not np.isfinite(value):
        raise InputError(f"{where}: {text!r} is infinite; give m as 12.5, or nothing in a gap")
    return value
