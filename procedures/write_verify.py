"""How one cell is brought to its level: the decisions of write-verify, without any instrument.

The scheme is the published one ("ASAP", Zuo 2025): RESET, one coarse SET whose gate voltage comes from
the measured G(V_WL) curve, then fine SET and RESET pulses whose step grows after a small change and
shrinks after a large one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from instruments.roles import Pulse


@dataclass(frozen=True)
class WriteVerifySettings:
    """Voltages (V), widths (s) and bounds of the scheme.

    Attributes
    ----------
    set_slope, set_offset : float
        The coarse curve: a gate of ``set_offset + G / set_slope`` SETs a cell to about G.
    inner : float
        Share of the verify window aimed for, so that relaxation and read noise do not carry a cell out of
        it again.
    """

    width: float = 100e-9
    set_voltage: float = 3.0
    reset_gate: float = 2.8
    reset_full: float = 3.0
    reset_fine: tuple[float, float] = (0.95, 2.4)
    forming_voltages: tuple[float, ...] = (3.3, 3.5, 3.7, 3.9, 4.1, 4.3, 4.5)
    forming_gate: float = 1.6
    forming_width: float = 1e-6
    formed_above: float = 0.1e-6
    set_slope: float = 35e-6
    set_offset: float = 0.8
    gate_range: tuple[float, float] = (0.85, 2.6)
    coarse_share: float = 0.97
    gate_step: float = 0.04
    reset_step: float = 0.10
    grow: float = 1.6
    shrink: float = 0.5
    smallest_step: float = 0.15
    inner: float = 0.8
    max_pulses: int = 200

    def largest_pulses(self) -> tuple[Pulse, ...]:
        """Return the largest pulse of each kind: what a bench's limits must allow before any is sent."""
        return (
            Pulse("set", self.set_voltage, self.width, self.gate_range[1]),
            Pulse("set", max(self.forming_voltages), self.forming_width, self.gate_range[1]),
            Pulse("reset", self.reset_full, self.width, self.reset_gate),
        )


@dataclass
class WriteVerify:
    """The state of one cell on its way to `target`; `next_pulse` decides from each verify read.

    Attributes
    ----------
    target, low, high : float
        Level and the window to aim for, S.
    pulses : int
        Pulses decided so far.
    """

    target: float
    low: float
    high: float
    settings: WriteVerifySettings = field(default_factory=WriteVerifySettings)
    pulses: int = 0
    _forming: int = 0
    _last: Pulse | None = None
    _before: float = 0.0
    _gate: float | None = None
    _reset: float | None = None
    _gate_step: float = 0.0
    _reset_step: float = 0.0

    def __post_init__(self) -> None:
        self._gate_step, self._reset_step = self.settings.gate_step, self.settings.reset_step

    @classmethod
    def towards(cls, target: float, low: float, high: float, settings: WriteVerifySettings) -> WriteVerify:
        """Aim for the inner part of the verify window `low` to `high` (S) around `target`."""
        margin = (1.0 - settings.inner) * (high - target)
        return cls(target, low + margin if low > 0.0 else low, high - margin, settings)

    def done(self, conductance: float) -> bool:
        """Whether the verify read (S) lies in the window."""
        return self.low <= conductance <= self.high

    def given_up(self, conductance: float) -> bool:
        """Whether the cell is given up, its verify read being `conductance` (S)."""
        unformed = self._must_form(conductance) and self._forming >= len(self.settings.forming_voltages)
        return unformed or self.pulses >= self.settings.max_pulses

    def next_pulse(self, conductance: float) -> Pulse:
        """Decide the next pulse from the last verify read (S); call only while not `done` nor `given_up`."""
        s = self.settings
        if self._must_form(conductance):
            pulse = Pulse("set", s.forming_voltages[self._forming], s.forming_width, s.forming_gate)
            self._forming += 1
        elif conductance > self.high:
            pulse = self._lower(conductance)
        else:
            pulse = self._raise(conductance)
        self._last, self._before = pulse, conductance
        self.pulses += 1
        return pulse

    def _must_form(self, conductance: float) -> bool:
        """A cell that has conducted nothing yet is a virgin, or its forming pulse was too weak."""
        untouched = self._gate is None and self._reset is None
        return untouched and conductance < self.settings.formed_above

    def _raise(self, conductance: float) -> Pulse:
        s = self.settings
        if self._gate is None:
            self._gate = s.set_offset + s.coarse_share * self.target / s.set_slope
        elif self._last is not None and self._last.kind == "set":
            self._gate += self._adapted("_gate_step", s.gate_step, conductance - self._before)
        # After a RESET the gate that nearly reached the level is tried again.
        self._gate = min(max(self._gate, s.gate_range[0]), s.gate_range[1])
        return Pulse("set", s.set_voltage, s.width, self._gate)

    def _lower(self, conductance: float) -> Pulse:
        s = self.settings
        if self.low <= 0.0 or conductance > 2.5 * self.target:
            # Far above, or aiming for digit 0: start afresh from a full RESET.
            self._reset = None
            return Pulse("reset", s.reset_full, s.width, s.reset_gate)
        if self._reset is None or self._last is None or self._last.kind != "reset":
            self._reset = s.reset_fine[0] if self._reset is None else self._reset - self._reset_step
            if self._last is not None and self._last.kind == "set" and self._gate is not None:
                self._gate -= 0.5 * self._gate_step  # the SET overshot: come back a little lower
        else:
            self._reset += self._adapted("_reset_step", s.reset_step, self._before - conductance)
        self._reset = min(max(self._reset, s.reset_fine[0]), s.reset_fine[1])
        return Pulse("reset", self._reset, s.width, s.reset_gate)

    def _adapted(self, name: str, first: float, change: float) -> float:
        """Grow the step after a small change, shrink it after a large one."""
        s = self.settings
        window = self.high - self.low
        step = getattr(self, name) * (
            s.grow if change < 0.25 * window else s.shrink if change > window else 1.0
        )
        step = min(max(step, s.smallest_step * first), 8.0 * first)
        setattr(self, name, step)
        return float(step)
