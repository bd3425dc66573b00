"""The measurement settings of the simulated B1500, and their replies to ``*LRN?``.

B1500A/B1505A Programming Guide, B1500-90010, edition 11, chapter 4. (?) from memory: the replies that no driver notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

SPOT, STAIRCASE, SAMPLING = 1, 2, 10  # measurement modes


class Staircase(NamedTuple):
    """``WV``: which source sweeps, and through which levels (V)."""

    slot: int
    mode: int
    span: int  # 0 is automatic
    start: float
    stop: float
    steps: int
    limit: float | None

    def __str__(self) -> str:
        """The command that sets it."""
        limit = "" if self.limit is None else f",{self.limit:.6E}"
        return f"WV{self.slot},{self.mode},{self.span},{self.start:.6E},{self.stop:.6E},{self.steps}{limit}"

    @property
    def levels(self) -> list[float]:
        """The levels in turn; modes 2 and 4 are logarithmic, 3 and 4 go there and back."""
        space = np.geomspace if self.mode in (2, 4) else np.linspace
        levels: list[float] = space(self.start, self.stop, self.steps).tolist()
        return levels + levels[::-1] if self.mode in (3, 4) else levels


class Bias(NamedTuple):
    """``MV``: what a source is at before and while samples are taken, V."""

    span: int
    base: float
    bias: float
    limit: float | None


@dataclass
class MeasurementPlan:
    """The measurement that ``XE`` starts, with the defaults of ``*RST``."""

    mode: int = SPOT
    channels: tuple[int, ...] = ()
    delays: tuple[float, ...] = (0.0,) * 5  # hold, delay, step, trigger, measure
    abort: int = 1
    post: int = 1
    staircase: Staircase | None = None
    sampling: tuple[float, float, int, float] = (
        0.0,
        2e-3,
        1000,
        0.0,
    )  # hold, interval, samples, hold at the base
    biases: dict[int, Bias] = field(default_factory=dict)
    sampling_ends: tuple[int, int] = (
        1,
        1,
    )  # automatic abort, and what sources are at afterwards: base or bias
    measured: dict[int, int] = field(default_factory=dict)  # CMM by slot: 0 is the compliance side
    ranges: dict[tuple[str, int], int] = field(default_factory=dict)  # of I or V by slot; 0 is automatic
    filters: set[int] = field(default_factory=set)
    resistors: set[int] = field(default_factory=set)
    ranging: dict[int, tuple[int, int]] = field(default_factory=dict)  # RM by slot
    averaging: tuple[int, int] = (1, 0)
    auto_zero: int = 0
    time_stamps: int = 0

    def learn(self, kind: int, slots: Sequence[int], format_kind: tuple[int, int]) -> str | None:
        """Answer ``*LRN?`` of a kind; None for one that is set elsewhere."""
        if kind == 30:
            return ";".join(f"FL{int(slot in self.filters)},{slot}" for slot in slots)
        if kind == 31:
            modes = ",".join(map(str, (self.mode, *self.channels)))
            number, mode = self.averaging
            return f"TM1;AV{number},{mode};CM0;FMT{format_kind[0]},{format_kind[1]};MM{modes}"
        if kind == 32:
            return ";".join(
                f"R{name}{slot},{self.ranges.get((name, slot), 0)}" for name in "IV" for slot in slots
            )
        if kind == 33:
            delays = ",".join(f"{seconds:.4f}" for seconds in self.delays)
            stairs = "" if self.staircase is None else f";{self.staircase}"
            return f"WM{self.abort},{self.post};WT{delays}{stairs}"
        if kind == 46:
            return ";".join(f"CMM{slot},{self.measured.get(slot, 0)}" for slot in slots)
        if kind == 47:
            hold, interval, samples, base = self.sampling
            abort, post = self.sampling_ends
            return f"MSC{abort},{post};ML1;MT{hold:.4f},{interval:.4f},{samples},{base:.4f}"
        if kind == 53:
            return ";".join(f"SSR{slot},{int(slot in self.resistors)}" for slot in slots)
        if kind == 54:
            ranging = ((slot, *self.ranging.get(slot, (1, 50))) for slot in slots)
            return ";".join(f"RM{slot},{mode},{rate}" for slot, mode, rate in ranging)
        return f"TSC{self.time_stamps}" if kind == 60 else None
