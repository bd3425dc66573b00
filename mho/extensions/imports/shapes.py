"""What columns of numbers look like: functions of arrays that tell one kind of measurement from another."""

from __future__ import annotations

import numpy as np

from mho.array_types import Floats

EVEN = 0.02  # deviation of steps, relative to their mean, up to which they are even
JUMP = 5.0  # factor from one point to the next that counts as a jump


def is_sweep(values: Floats) -> bool:
    """Return whether values move over their range in many small steps, with few turns: a swept voltage."""
    values = values[np.isfinite(values)]
    if len(values) < 5 or not np.ptp(values) > 0.0:
        return False
    steps = np.abs(np.diff(values))
    return bool(np.median(steps) <= 0.34 * np.ptp(values) and turns(values) <= max(len(values) // 4, 1))


def turns(values: Floats) -> int:
    """Return how often values turn round; steps below a thousandth of the range are none, as of a meter's noise."""
    values = values[np.isfinite(values)]
    if len(values) < 3:
        return 0
    steps = np.diff(values)
    signs = np.sign(steps[np.abs(steps) > 1e-3 * max(float(np.ptp(values)), 1e-300)])
    return int(np.count_nonzero(np.diff(signs)))


def period(values: Floats) -> int:
    """Return after how many values a sweep repeats itself; their number, where it does not.

    Values may differ by a hundredth of their range, as measured voltages do.
    """
    count = len(values)
    tolerance = 0.01 * float(np.ptp(values[np.isfinite(values)])) if np.isfinite(values).any() else 0.0
    if not tolerance > 0.0:
        return max(count, 1)
    starts = np.flatnonzero(np.abs(values - values[0]) <= tolerance)
    reach = np.fmax.accumulate(values) - np.fmin.accumulate(values)  # a whole sweep covers the range
    starts = starts[reach[starts] >= 0.9 * np.nanmax(reach)]
    for shift in starts[(starts > 1) & (starts <= count // 2)].tolist():
        if count % shift == 0 and np.all(np.abs(values[shift:] - values[:-shift]) <= tolerance):
            return int(shift)
    return max(count, 1)


def ends_in_jump(voltages: Floats, magnitudes: Floats) -> bool:
    """Return whether a voltage only rises, and the current or conductance jumps up near the end: forming."""
    known = np.isfinite(voltages) & np.isfinite(magnitudes) & (magnitudes != 0.0)
    volts, sizes = voltages[known], np.abs(magnitudes[known])
    if len(volts) < 5 or turns(volts) or not volts[-1] > volts[0]:
        return False
    steps = sizes[1:] / sizes[:-1]
    where = int(steps.argmax())
    return bool(steps[where] >= JUMP and where >= 0.7 * (len(steps) - 1))


def is_even(times: Floats) -> bool:
    """Return whether times grow by equal steps."""
    steps = np.diff(times[np.isfinite(times)])
    return bool(
        len(steps) > 7 and np.median(steps) > 0.0 and np.mean(np.abs(steps / np.median(steps) - 1.0) > EVEN) < 0.02,
    )  # fmt: skip


def grows_by_decades(times: Floats) -> bool:
    """Return whether times grow, their steps by at least a factor of five: reads on a logarithmic scale."""
    times = np.unique(times[np.isfinite(times)])
    steps = np.diff(times)
    return bool(len(steps) >= 2 and steps[-1] >= 5.0 * max(float(steps[0]), 1e-300))


def is_whole(values: Floats) -> bool:
    """Return whether all values are whole numbers from 0."""
    known = values[np.isfinite(values)]
    return bool(len(known) and np.all((known >= 0.0) & (known == np.floor(known))))


def rises_and_falls(values: Floats) -> bool:
    """Return whether values rise in one long branch and fall in another: potentiation and depression."""
    known = values[np.isfinite(values)]
    if len(known) < 8 or not np.ptp(known) > 0.0:
        return False
    top = int(known.argmax())
    bottom = int(known.argmin())
    reach = abs(top - bottom)
    return bool(reach >= len(known) // 6)


def fills_a_grid(rows: Floats, columns: Floats) -> bool:
    """Return whether rows and columns are whole, and each pair of at least two by two occurs."""
    if not (is_whole(rows) and is_whole(columns)):
        return False
    pairs = np.unique(np.stack([rows, columns]), axis=1).shape[1]
    height, width = len(np.unique(rows)), len(np.unique(columns))
    return height > 1 and width > 1 and pairs == height * width


def are_shares(values: Floats) -> bool:
    """Return whether known values are shares, from 0 to 1."""
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() >= 0.0 and known.max() <= 1.0)


def two_states(values: Floats) -> bool:
    """Return whether values alternate between a high and a low one."""
    known = values[np.isfinite(values) & (values > 0.0)]
    if len(known) < 4:
        return False
    logs = np.log(known[: len(known) // 2 * 2]).reshape(-1, 2)
    differences = logs[:, 0] - logs[:, 1]
    return bool(
        np.mean(np.sign(differences) == np.sign(np.median(differences))) > 0.95
        and np.median(np.abs(differences)) > 0.3
    )
