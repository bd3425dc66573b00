"""A cell under repeated pulses: a billion of them at the cost of about a hundred.

The last cycles are evaluated one by one. The cycles before them are grouped into portions, each of which is one act on
the cell: SETs of the same voltage add their widths, which is exact where cycles do not scatter; RESETs add their drops.
Where a cycle goes up and down, its swing in a portion of `n` is that of `n` at once; ever smaller portions follow, which
lead to the state that single cycles leave. Wear continues as in the last cycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.switching import wear_of

SINGLE = 8  # cycles at the end that are evaluated one by one
SWINGS = 64  # of cycles that go up and down
MOST = 1000  # pulses that are evaluated one by one, or those of one cycle
ALIKE = 4  # portions of the same size, where a cycle goes up and down
RUNS = 32  # levels of a cycle in a portion; with more, those of the same sign are merged


class Level(NamedTuple):
    """A voltage on a cell: V, positive for SET, with duration (s) and number."""

    volts: float
    seconds: float
    times: int = 1


def pulse_train(
    cells: CellArray, cell: tuple[int, int], cycle: Sequence[Level], count: int, gate: float, *,
    single: int | None = None,
) -> None:  # fmt: skip
    """Apply `count` cycles to a cell with its word line at `gate` (V), without advancing the clock.

    `single` cycles at the end are evaluated one by one, with separate draws: by default all of a short train, of a long one
    as many as the state after it depends on.
    """
    cycle = [level for level in cycle if level.volts and level.seconds > 0.0]
    if count == 1:
        for level in cycle:
            _act(cells, cell, level, gate)
        return
    swings = len({level.volts > 0.0 for level in cycle}) > 1
    if single is None:
        single = MOST if not swings or count * len(cycle) <= MOST else SINGLE
    alone = min(max(single, SWINGS if swings else 0), max(MOST // max(len(cycle), 1), 1))
    rest = max(count - alone, 0)
    if rest and cycle:
        merged = _merged(cycle)
        for times in _portions(rest, swings):
            for level in merged:
                _act(cells, cell, level, gate, times)
    for _ in range(count - rest - (rest > 0)):
        for level in cycle:
            _act(cells, cell, level, gate)
    if rest:
        worn = sum(_act_and_tell_wear(cells, cell, level, gate) for level in cycle)
        cells.age(cell, rest * worn * cells.preset.endurance)


def _portions(count: int, swings: bool) -> Iterator[int]:
    """Split a count: where a cycle goes up and down, into portions that halve down to one; else into two.

    The effect of the second half depends on the state after the first.
    """
    if not swings:
        yield from (half for half in (count // 2, count - count // 2) if half)
        return
    size = 1 << max(count.bit_length() - 3, 0)
    while count:
        for _ in range(min(ALIKE, count // size)):
            yield size
            count -= size
        size = max(size // 2, 1)


def _merged(cycle: Sequence[Level]) -> list[Level]:
    """Return a cycle of few levels unchanged, and one of many reduced to the farthest level of each sign."""
    if len(cycle) <= RUNS:
        return list(cycle)
    merged = []
    for sign in (1.0, -1.0):
        same = [level for level in cycle if sign * level.volts > 0.0]
        if same:
            farthest = max((level.volts for level in same), key=abs)
            merged.append(Level(farthest, sum(level.seconds * level.times for level in same)))
    return merged


def _act(cells: CellArray, cell: tuple[int, int], level: Level, gate: float, times: int = 1) -> None:
    volts, seconds, times = level.volts, level.seconds, level.times * times
    if volts >= cells.preset.disturb_voltage:
        cells.set(cell, volts, seconds, gate, times=times)
    elif volts > 0.0:
        cells.disturb(cell, volts, seconds * times)
    elif volts <= -cells.preset.disturb_voltage:
        cells.reset(cell, -volts, seconds, gate, times=times)


def _act_and_tell_wear(cells: CellArray, cell: tuple[int, int], level: Level, gate: float) -> float:
    """Apply an act and return its wear in units of the endurance, separately, as it is below the rounding of the total."""
    before = cells.conductance(cell)
    _act(cells, cell, level, gate)
    if abs(level.volts) < cells.preset.disturb_voltage:
        return 0.0
    change = cells.conductance(cell) - before
    return level.times * float(wear_of(cells.preset, change, abs(level.volts)))
