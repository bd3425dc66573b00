"""The cells of one simulated array: their state, the pulses that change it and the reads of it.

The laws are in `switching` (SET, RESET, forming, wear), `relaxation` (log time, retention) and `noise`. Everything
follows the injected clock and is evaluated on request: nothing runs in between. An *index* is any index of a
two-dimensional array: one cell ``(r, c)``, slices, or index arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.blocks import is_whole, pieces, put_where, some, zeros_by_page
from mho.instruments.simulated.physics.cells.noise import CellNoise, white_variance
from mho.instruments.simulated.physics.cells.own_answers import (
    DEVICE_NAMES,
    OwnLawError,
    OwnNoise,
    ask,
    most_of,
    own_devices,
)
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.cells.relaxation import (
    ThermalHistory,
    age_at,
    continued,
    drawn_at_programming,
    nothing_drawn,
    relaxed,
)
from mho.instruments.simulated.physics.cells.switching import (
    HALVINGS,
    LASTING,
    LN10,
    GradualLaw,
    HeldLevel,
    ThresholdLaw,
    after_set,
    at_least,
    check_pulse,
    deepest_of,
    deviate_exceeded_by,
    forming_cost,
    limited_conductance,
    normal,
    remembering,
    set_rate,
    wear_of,
)


class Devices(NamedTuple):
    """Properties in which the cells of an array differ for life, each an array of its shape; `lot` is uniform in [0, 1)."""

    set_factor: NDArray[np.float32]
    set_threshold: NDArray[np.float32]
    reset_deviate: NDArray[np.float32]
    forming_voltage: NDArray[np.float32]
    gate_shift: NDArray[np.float32]
    lot: NDArray[np.float32]


def draw_devices(preset: CellPreset, shape: tuple[int, int], rng: np.random.Generator) -> Devices:
    """Draw the devices of an array; they are only read afterwards."""

    def normal(mean: float, spread: float) -> NDArray[np.float32]:
        drawn = rng.standard_normal(shape, np.float32)
        drawn *= np.float32(spread)
        drawn += np.float32(mean)
        return drawn

    return Devices(
        np.exp(normal(0.0, LN10 * preset.set_device_spread)),
        normal(preset.set_threshold, preset.set_threshold_spread),
        normal(0.0, 1.0),
        normal(preset.forming_voltage, preset.forming_spread),
        # a page that is never written takes no memory
        normal(0.0, preset.gate_spread) if preset.gate_spread else zeros_by_page(shape, np.float32),
        rng.random(shape, np.float32),
    )


Index = Any  # any index of a two-dimensional array
Values = Any  # numpy scalar or array
Rows = NDArray[np.int32] | slice

LAWS: dict[str, type[GradualLaw | ThresholdLaw]] = {"gradual": GradualLaw, "threshold": ThresholdLaw}
# drawn once, only read
DEVICES = ("_set_factor", "_set_threshold", "_reset_deviate", "_forming_voltage", "_gate_shift")
VIRGIN, FORMED, STUCK_ON, STUCK_OFF = range(4)
NEVER = 1e30  # s: a cell programmed at this time has no age, so nothing relaxes
GROWS = 1.0 + 1e-3  # from which a cell grows under a pulse, of its conductance
SEEN = 1e-6  # share of the way to `maximum` that reads may disturb before caches are invalidated
Line = Literal["bit line", "source line"]
Cause = Literal["over-voltage", "deep RESET"]


@dataclass(frozen=True)
class Loss:
    """A cell that a pulse or a level has destroyed; a cell is destroyed once.

    It is for more than the damage voltage on a formed cell (over-voltage), or a RESET pulse on a cell that was deep in HRS
    already. Time in s on the cells' clock, voltage at the cell in V, and the line where it was.
    """

    time: float
    row: int
    column: int
    cause: Cause
    line: Line
    voltage: float


class CellStates(NamedTuple):
    """What cells have come to by pulses.

    Conductance after the last (S), what was drawn of its relaxation then, its age (s), and the cells' status: VIRGIN,
    FORMED, STUCK_ON or STUCK_OFF.
    """

    programmed: Values
    relaxing: Values
    age: Values
    status: Values


class CellArray:
    """State of rows x columns cells; a pulse on one costs the same in any array.

    Relaxation, retention and noise follow `clock`; `rng` draws the devices here once, and cycles and noise as they occur.

    `version` counts changes of the cells by pulses, damage or disturbing reads (not by time), `changed_at` is when the last
    of them was, s on the clock; `losses` are the cells that pulses and levels have destroyed, in the order of time.
    """

    def __init__(
        self, rows: int, columns: int, preset: CellPreset, clock: VirtualClock, rng: np.random.Generator
    ) -> None:
        self.preset, self._clock, self._rng = preset, clock, rng
        shape = (rows, columns)
        devices = draw_devices(preset, shape, rng)
        self._set_factor, self._set_threshold = devices.set_factor, devices.set_threshold
        self._reset_deviate, self._forming_voltage = devices.reset_deviate, devices.forming_voltage
        self._gate_shift = devices.gate_shift
        self._law = LAWS[preset.law](preset)
        own = preset.own
        self._own_switching = None if own is None else own.switching
        # What a law of a user's own is told of devices: name -> attribute
        self._own_devices = {name: f"_{name}" for name in DEVICE_NAMES}
        if own is not None and own.spread is not None:
            self._take_devices(own_devices(own.spread, shape, rng))
        self.cell_name: Callable[[int, int], str] = "[{}, {}]".format  # for errors
        self._set_memory = zeros_by_page(shape, np.float32)  # slow part of the draws of SET and RESET pulses
        self._reset_memory = zeros_by_page(shape, np.float32)
        self._programmed = np.full(shape, preset.unformed, np.float32)
        self._relaxing = nothing_drawn(preset, shape)  # drawn at each programming
        self._since = np.full(shape, NEVER)  # clock time from which it relaxes
        self._wear = zeros_by_page(shape, np.float32)  # in units of the endurance
        self._exposure = zeros_by_page(shape, np.float32)  # share of the way to `maximum`, as -ln(1 - share)
        self._disturbed = self._disturbed_seen = 0.0
        self._status = np.zeros(shape, np.int8)
        lot = devices.lot  # each cell is at most one of these
        self.version, self.changed_at = 0, 0.0  # they exist from the start, whenever they are drawn
        self.losses: list[Loss] = []
        self._lose(slice(None), lot < preset.stuck_on, STUCK_ON)
        self._lose(slice(None), lot > 1.0 - preset.stuck_off, STUCK_OFF)
        self._thermal = ThermalHistory(preset.retention_energy, preset.retention_temperature)
        trapped = (lot >= preset.stuck_on) & (lot < preset.stuck_on + preset.rtn_share)
        self._noise: CellNoise | OwnNoise = (
            CellNoise(trapped, preset, rng)
            if own is None or own.noise is None
            else OwnNoise(own.noise, shape, rng)
        )
        self._noise_by_level = bool(preset.noise_full) or isinstance(self._noise, OwnNoise)
        self._loss_deviate = deviate_exceeded_by(preset.deep_reset_loss)
        relaxes = preset.relaxation != 0.0 or preset.drift != 0.0
        self._relaxes = relaxes or (own is not None and own.relaxation is not None)

    def extend(self, *rows: int) -> None:
        """Append lots of so many `rows` of further cells, drawn now, one lot after the other; cells keep their state."""
        lots = [CellArray(count, self.shape[1], self.preset, self._clock, self._rng) for count in rows]
        for name, state in vars(self).items():
            if isinstance(state, np.ndarray):
                setattr(self, name, np.concatenate([state, *(getattr(lot, name) for lot in lots)]))
        self._noise.extend([lot._noise for lot in lots])  # type: ignore[misc]

    def _take_devices(self, devices: dict[str, Floats]) -> None:
        """Take what a user's own law draws of devices: in the place of the preset's, or beside it."""
        for name, values in devices.items():
            attribute = f"_{name}" if f"_{name}" in DEVICES else f"_own_{name}"
            setattr(self, attribute, values.astype(np.float32))
            if attribute not in DEVICES:
                self._own_devices[name] = attribute

    def taken(self, rows: Rows, clock: VirtualClock, rng: np.random.Generator, apart: float = 0.0) -> Self:
        """Return the cells of some different rows as an array of their own, which goes on by itself until `put` returns
        them.

        `clock` and `rng` are the new array's own, so that another thread may act on it; `apart` is the least time from one
        read of a cell to the next, and to any use after `put`, s.
        """
        some = copy(self)
        some._clock, some._rng, some.version, some.losses = clock, rng, 0, []
        for name, state in vars(self).items():
            if isinstance(state, np.ndarray):
                setattr(some, name, state[rows])
        some._noise = self._noise.taken(rows, rng, apart)
        if self.preset.own is not None:
            own, named = np.arange(self.shape[0])[rows], self.cell_name
            some.cell_name = lambda row, column: named(int(own[row]), column)
        return some

    def put(self, rows: Rows, some: CellArray) -> None:
        """Return cells that were `taken` from these rows, as they are now."""
        for name, state in vars(self).items():
            if isinstance(state, np.ndarray) and name not in DEVICES:
                state[rows] = getattr(some, name)
        self._noise.put(rows, some._noise)  # type: ignore[arg-type]
        self._disturbed = max(self._disturbed, some._disturbed)
        self._disturbed_seen = max(self._disturbed_seen, some._disturbed_seen)
        if some.losses:
            own = np.arange(self.shape[0])[rows]
            self.losses += [replace(one, row=int(own[one.row])) for one in some.losses]
        if some.version:
            self.version += some.version
            self.changed_at = max(self.changed_at, some.changed_at)

    def postpone(self, index: Index, begun: float, early: Values, late: Values) -> None:
        """Shift the history of the cells at `index` in time, where a cell's own time differs from the clock's.

        Events after clock time `begun` (s) are shifted by `late`, earlier ones by `early` (s, to later times).
        """
        since = self._since[index]
        self._since[index] = since + np.where(since >= begun, late, early)
        self._noise.postpone(index, begun, early, late)

    # --- state ---

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._programmed.shape

    @property
    def temperature(self) -> float:
        """Of the chip, K; setting it counts from now on (`ValueError` unless positive and finite)."""
        return self._thermal.temperature

    @temperature.setter
    def temperature(self, kelvin: float) -> None:
        self._thermal.change(self._clock.now, kelvin)

    def status(self, index: Index = slice(None)) -> Values:
        """VIRGIN, FORMED, STUCK_ON or STUCK_OFF of the cells at `index`."""
        return self._status[index]

    def wear(self, index: Index = slice(None)) -> Values:
        """Full cycles that the cells at `index` have gone through, each weighted by its stress."""
        return self._wear[index] * self.preset.endurance

    def conductance(self, index: Index = slice(None)) -> Floats:
        """Conductance (S) now, without read noise, of the cells at `index`."""
        return _floats(self._now(index))

    def history(self, index: Index) -> tuple[Values, Values, Values]:
        """State (S) after the last pulse, what was drawn of its relaxation then, and since when (s on the clock)."""
        return self._programmed[index], self._relaxing[index], self._since[index]

    def states(self, index: Index) -> CellStates:
        """Return what the cells at `index` have come to by their pulses."""
        age = self._clock.now - self._since[index]
        return CellStates(self._programmed[index], self._relaxing[index], age, self._status[index])

    def put_states(self, index: Index, states: CellStates) -> None:
        """Put the cells at `index` where others came by pulses; those that no pulse moves stay as they are."""
        stuck = self._status[index] >= STUCK_ON
        values = (
            states.programmed,
            states.relaxing,
            self._clock.now - states.age,
            states.status,
            np.float32(0.0),
        )
        own = self._programmed, self._relaxing, self._since, self._status, self._exposure
        for state, value in zip(own, values, strict=True):
            state[index] = np.where(stuck, state[index], value)
        self._touched()

    def _now(self, index: Index) -> Values:
        g = self._programmed[index]
        if self._disturbed > 1e-9 and (g.ndim or self._exposure[index]):
            g = g - at_least(self.preset.maximum - g, 0.0) * np.expm1(-self._exposure[index])
        try:
            return self._aged(g, self._relaxing[index], self._since[index])
        except OwnLawError as error:
            raise self._located(error, index) from error

    def _located(self, error: OwnLawError, index: Index) -> OwnLawError:
        """Return an error of a law with the name of its cell, one of those at `index`."""
        if error.number is None:
            return error
        cells = np.arange(self._status.size).reshape(self.shape)[index]
        return error.at(self.cell_name(*divmod(int(np.ravel(cells)[error.number]), self.shape[1])))

    def _aged(self, g: Values, drawn: Values, since: Values) -> Values:
        """Return what has become by now of cells that were programmed to `g` at clock time `since`."""
        p, now = self.preset, self._clock.now
        if self._relaxes:
            g = relaxed(p, g, drawn, age_at(now, since))
        if self._thermal.effective(now) > 1e-9 * p.retention_time:
            baked = np.maximum(self._thermal.effective(now) - self._thermal.effective(since), 0.0)
            g = g * np.exp(-baked / p.retention_time)
        return at_least(g, p.unformed)

    # --- reading ---

    def read(self, index: Index, aperture: float = 1e-4, voltage: float = 0.2) -> Floats:
        """Read the cells at `index` once, with noise averaged over `aperture` (s) from now on, S.

        `voltage` (V) on the bit line sets the white floor and disturbs the cell slightly; beyond the preset's
        `disturb_voltage` the caller applies a pulse. The caller advances the clock.
        """
        if not math.isfinite(voltage):
            raise ValueError(f"a read needs a finite voltage: voltage = {voltage} V")
        if not (math.isfinite(aperture) and aperture > 0.0):
            raise ValueError(f"a read needs an aperture above 0 s: aperture = {aperture} s")
        g: Values = self._now(index)
        g = _floats(g) if g.ndim else float(g)  # plain numbers for one cell, as a meter reads it
        try:
            g = g * (1.0 + self._noise.average(index, g, self._clock.now, aperture))
        except OwnLawError as error:
            raise self._located(error, index) from error
        if self.preset.white_noise:
            variance = abs(g) * white_variance(voltage, aperture, self._thermal.temperature)
            draws = self._rng.standard_normal(None if isinstance(g, float) else g.shape)
            g = g + self.preset.white_noise * variance**0.5 * draws
        if voltage < self.preset.disturb_voltage:
            self.disturb(index, voltage, aperture)
        result: Floats = np.float64(g) if isinstance(g, float) else g  # type: ignore[assignment]
        return result

    def noise_split(
        self, index: Index, window: float, shot: float, rng: np.random.Generator | None = None
    ) -> tuple[Floats, Floats]:
        """Split the noise for a batch of shots of `shot` seconds on unchanged cells, which lasts `window` seconds from now.

        The first is the conductance (S) with the noise that is constant for the batch, the second the variance (S^2) of a
        shot by noise that changes within. Thermal and shot noise are left to the circuit. It is drawn from `rng` in place
        of the cells' own generator where that is given.
        """
        g = self.conductance(index)
        frozen, variance = self._noise.for_batch(index, g, self._clock.now, window, shot, rng)
        return _floats(g * (1.0 + frozen)), _floats(g**2 * variance)

    def relative_noise(
        self, index: Index, window: float, shot: float, rng: np.random.Generator | None = None
    ) -> tuple[Floats, Floats]:
        """Relative noise of `noise_split`: deviation for the batch, and variance per shot."""
        g = self.conductance(index) if self._noise_by_level else 0.0  # it matters nowhere else
        frozen, variance = self._noise.for_batch(index, g, self._clock.now, window, shot, rng)
        return _floats(frozen), _floats(variance)

    def fast_noise(self, index: Index, window: float, shot: float) -> Floats:
        """Relative variance of a shot of `shot` s by the noise that changes within `window` s, as in `relative_noise`."""
        g = self.conductance(index) if self.preset.noise_full else 0.0
        return _floats(np.asarray(self._noise.fast_variance(index, g, window, shot)))

    def disturb(self, index: Index, voltage: float, seconds: float) -> None:
        """Hold `voltage` (V) on the bit lines of the cells for `seconds`: far below SET, with a small effect."""
        rate = set_rate(self.preset, voltage, self._set_threshold[index])
        stress = seconds * rate * (self._status[index] == FORMED)
        self._exposure[index] += stress
        self._disturbed += float(stress.max() if stress.ndim else stress)
        if self._disturbed - self._disturbed_seen > SEEN:
            self._disturbed_seen = self._disturbed
            self._touched()

    # --- pulses ---

    def set(
        self, cell: tuple[int, int], voltage: float, width: float, gate: float, *, times: int = 1,
        current: float = math.inf, level: HeldLevel | None = None,
    ) -> None:  # fmt: skip
        """A pulse of `voltage` (V) and `width` (s) on the bit line: forms a virgin cell, SETs a formed one.

        Parameters
        ----------
        times : int
            Number of pulses: one draw is made for all, the largest of as many where each would draw anew.
        current : float
            Current limit of the source, A, which reduces the voltage at the cell. Infinite for a pulse generator: within
            nanoseconds no limit acts before the lines are charged.
        level : HeldLevel, optional
            Given for a level that continues for another `width`, instead of a pulse.
        """
        check_pulse(voltage, width, gate)
        self._set(cell, voltage, width, gate, level, times, current)

    def reset(
        self, cell: tuple[int, int], voltage: float, width: float, gate: float, *, times: int = 1,
        current: float = math.inf, level: HeldLevel | None = None,
    ) -> None:  # fmt: skip
        """A pulse of `voltage` (V) on the source line: lowers the conductance gradually to the floor.

        The other parameters are those of `set`; a RESET whose current is limited too far does not begin.
        """
        check_pulse(voltage, width, gate)
        self._reset(cell, voltage, width, gate, level, times, current)

    def _left(self, index: Index, voltage: Values, current: float) -> Values:
        """Return the voltage that a source with a current limit leaves at a cell in its present state."""
        if current == math.inf:
            return voltage
        return min(voltage, current / float(self._now(index)))

    def set_cells(
        self, index: Index, voltage: Values, width: Values, gate: Values, level: HeldLevel | None = None
    ) -> None:
        """One bit-line pulse, or more of a level, on each cell at `index`; numbers, or arrays of the block's shape."""
        self._each(self._set, index, level, voltage, width, gate)

    def reset_cells(
        self, index: Index, voltage: Values, width: Values, gate: Values, level: HeldLevel | None = None
    ) -> None:
        """The same on the source lines."""
        self._each(self._reset, index, level, voltage, width, gate)

    def age(self, index: Index, cycles: float) -> None:
        """Age the cells by `cycles` further full SET and RESET cycles."""
        if not (math.isfinite(cycles) and cycles >= 0.0):
            raise ValueError(f"cells cannot be aged by cycles = {cycles}")
        self._wear[index] += cycles / self.preset.endurance

    def fix(self, index: Index, conductance: float) -> None:
        """Replace the cells at `index` by resistors of `conductance` (S), which no pulse changes."""
        self._lose(index, np.True_, STUCK_ON, conductance)

    def _each(self, act: Callable[..., None], index: Index, level: HeldLevel | None, *pulse: Values) -> None:
        check_pulse(*pulse)
        if is_whole(index):
            act(index, *pulse, level)
            return
        block = self._status[index].shape
        pulse = tuple(np.broadcast_to(value, block) if np.ndim(value) else value for value in pulse)
        for number, (piece, part) in enumerate(pieces(index, self.shape)):
            share = None if level is None else level.part(number)
            act(piece, *(value[part] if np.ndim(value) else value for value in pulse), share)

    def _set(
        self, index: Index, voltage: Values, width: Values, gate: Values, level: HeldLevel | None = None,
        times: int = 1, current: float = math.inf,
    ) -> None:  # fmt: skip
        if self._own_switching is not None:
            self._switch(index, "bit line", voltage, width, gate, level, times, current)
            return
        p, left = self.preset, self._left(index, voltage, current)
        self._overvoltage(index, left, "bit line")
        status, wear, g = self._status[index], self._wear[index], self._now(index)
        lasted = width if level is None else level.seconds + width
        forms = status == VIRGIN
        if some(forms):
            forms = forms & (left >= self._forming_voltage[index] + forming_cost(p, lasted, gate))
        redrawn = times if self._law.redraws else 1
        draw = remembering(p, self._rng, g, self._set_memory, index, redrawn)
        idle = level is None or not level.acted
        before = g
        if level is not None:
            before, draw = level.begin(g, draw)
        devices = self._set_factor[index], self._gate_shift[index]
        limit = self._law.compliance(gate, voltage, lasted, *devices, wear, draw)
        threshold = self._set_threshold[index]
        driven = left if level is None else voltage  # a limited level had another voltage before
        if current != math.inf:
            limit = np.minimum(limit, limited_conductance(p, current, driven, lasted, threshold, limit))
        progress = -np.expm1(-width * times * set_rate(p, driven, threshold))
        if p.forming_share < 1.0 and some(forms):
            scatter = np.exp(p.forming_scatter * normal(self._rng, g))
            progress = np.where(forms, np.minimum(p.forming_share * scatter, 1.0), progress)
        if level is None:
            after = after_set(self._law, g, limit, progress, draw)
        else:
            landing = after_set(self._law, before, limit, 1.0, draw)
            starved = False
            if current != math.inf:
                starved, left = limit <= before, min(voltage, current / float(before))
            after = g + np.maximum(landing - g, 0.0) * (0.0 if starved else progress)
            level.seconds = lasted
        changed = (forms | (status == FORMED)) & (after > g)
        self._status[index] = status + (forms & changed)  # VIRGIN + 1 is FORMED
        self._program(index, changed, g, after, left, wear, idle)
        lasts = True if level is not None else width > LASTING  # it remains when the cell has formed
        self._overvoltage(index, self._left(index, voltage, current) * lasts, "bit line")

    def _reset(
        self, index: Index, voltage: Values, width: Values, gate: Values, level: HeldLevel | None = None,
        times: int = 1, current: float = math.inf,
    ) -> None:  # fmt: skip
        if self._own_switching is not None:
            self._switch(index, "source line", voltage, width, gate, level, times, current)
            return
        p, left = self.preset, self._left(index, voltage, current)
        law, deviate = self._law, self._reset_deviate[index]
        limited = level is not None and current != math.inf
        if limited and law.begins(law.arriving(left, gate), self._now(index), deviate):
            left = voltage  # the cell's share of the voltage grows
        self._overvoltage(index, left, "source line")
        status, wear, g = self._status[index], self._wear[index], self._now(index)
        if times == 1:
            draw = deepest = remembering(p, self._rng, g, self._reset_memory, index)
        else:
            share = self._rng.random()
            draw, deepest = deviate_exceeded_by(share), deepest_of(times, share)
        before, lasted, idle = g, width, True
        if level is not None:  # from its beginning, as if it were one pulse
            idle, lasted = not level.acted, level.seconds + width
            before, draw = level.begin(g, draw)
            deepest, level.seconds = draw, lasted
        arriving = law.arriving(left, gate)
        after = law.after_reset(before, arriving, lasted, deviate, wear, draw, deepest, times)
        formed = (status == FORMED) & law.begins(arriving, before, deviate)
        self._program(index, formed & (after != g), g, after, left, wear, idle)
        # The deepest pulses on a cell that is already deep in HRS open it permanently.
        lost = formed & (before < p.deep_reset) & (deepest > self._loss_deviate)
        if some(lost):
            self._destroy(index, lost, STUCK_OFF, "deep RESET", "source line", left)

    def _switch(
        self, index: Index, line: Line, voltage: Values, width: Values, gate: Values,
        level: HeldLevel | None, times: int, current: float,
    ) -> None:  # fmt: skip
        """A pulse on cells that switch by a law of a user's own; forming, wear and loss are the preset's."""
        p, left, sets = self.preset, self._left(index, voltage, current), line == "bit line"
        self._overvoltage(index, left, line)
        status, wear, g = self._status[index], self._wear[index], self._now(index)
        before, lasted, idle, seed = g, width * times, True, int(self._rng.integers(1 << 63))
        forms = (status == VIRGIN) & sets
        if level is not None:  # from its beginning, as if it were one pulse
            idle, lasted = not level.acted, level.seconds + width
            before, seed = level.begin(g, seed)
            level.seconds = lasted
        if some(forms):
            forms = forms & (left >= self._forming_voltage[index] + forming_cost(p, lasted, gate))
        acting = forms | (status == FORMED)
        try:
            after = self._after(index, sets, acting, (before, left, lasted, gate), seed)
            if sets and current != math.inf:
                after = self._limited(index, after, (before, voltage, lasted, gate), current, seed)
        except OwnLawError as error:
            raise self._located(error, index) from error
        if p.forming_share < 1.0 and some(forms):
            share = np.minimum(p.forming_share * np.exp(p.forming_scatter * normal(self._rng, g)), 1.0)
            after = np.where(forms, before + share * (after - before), after)
        changed = acting & (after != g)
        self._status[index] = status + (forms & changed)
        self._program(index, changed, g, after, left, wear, idle)
        if sets:
            lasts = True if level is not None else width > LASTING
            self._overvoltage(index, self._left(index, voltage, current) * lasts, line)
        else:
            lost = acting & (before < p.deep_reset) & (normal(self._rng, g) > self._loss_deviate)
            if some(lost):
                self._destroy(index, lost, STUCK_OFF, "deep RESET", line, left)

    def _after(
        self, index: Index, sets: bool, acting: Values, pulse: tuple[Values, ...], seed: int
    ) -> Values:
        """Return what a user's own law makes of the `acting` cells: `pulse` is conductance, voltage, width, gate."""
        law, before = self._own_switching, pulse[0]
        devices = {name: getattr(self, attribute)[index] for name, attribute in self._own_devices.items()}
        devices["wear"] = self._wear[index]
        return ask(
            law, "after_set" if sets else "after_reset", before, *pulse[1:], devices, unit="S", low=0.0,
            high=most_of(law), rest=(np.random.default_rng(seed),), where=acting,
        )  # fmt: skip

    def _limited(
        self, index: Index, after: Values, pulse: tuple[Values, ...], current: float, seed: int
    ) -> Values:
        """Return where a SET of one cell stops as its source gives no more than `current` (A): it grows there no more."""
        before, voltage, width, gate = pulse
        low, high = max(float(before), self.preset.unformed), float(after)
        for _ in range(HALVINGS if high > low else 0):
            middle = math.sqrt(low * high)
            left = min(voltage, current / middle)
            grows = (
                self._after(index, True, True, (np.float64(middle), left, width, gate), seed) > middle * GROWS
            )
            low, high = (middle, high) if grows else (low, middle)
        return np.float64(low) if high < after else after

    def _program(
        self, index: Index, changed: Values, before: Values, after: Values, voltage: Values, wear: Values,
        idle: bool,
    ) -> None:  # fmt: skip
        """Set the state of the `changed` cells. Every act wears; one of a level without a change wears only once."""
        p = self.preset
        worn = wear_of(p, (after - before) * changed, voltage)
        self._wear[index] = wear + (worn if idle else worn - wear_of(p, 0.0, voltage))
        if not some(changed):
            return
        relaxing = drawn_at_programming(p, after.shape, normal(self._rng, after), self._rng)
        states = self._programmed, self._relaxing, self._since
        values: tuple[Values, ...] = after, relaxing, self._clock.now
        if p.relaxation_renewal:
            past = [state[index] for state in states]
            values = continued(p, self._aged, changed, before, past, values, self._rng)
        new = list(zip(states, values, strict=True))
        if self._disturbed:
            new.append((self._exposure, 0.0))
        put_where(new, index, changed)
        self._touched()

    def _overvoltage(self, index: Index, voltage: Values, line: Line) -> None:
        """Formed cells above the damage voltage are lost, in LRS."""
        if (voltage.max() if isinstance(voltage, np.ndarray) else voltage) > self.preset.damage_voltage:
            formed = self._status[index] == FORMED
            lost = formed & (voltage > self.preset.damage_voltage)
            if some(lost):
                self._destroy(index, lost, STUCK_ON, "over-voltage", line, voltage)

    def _destroy(
        self, index: Index, cells: Values, how: int, cause: Cause, line: Line, voltage: Values
    ) -> None:
        """Lose the `cells` (mask over those at `index`) to a pulse or level of `voltage`, and record which they are."""
        lost, volts = np.zeros(self.shape, bool), np.zeros(self.shape)
        lost[index], volts[index] = cells, voltage
        self.losses += [
            Loss(self._clock.now, row, column, cause, line, float(volts[row, column]))
            for row, column in np.argwhere(lost).tolist()
        ]
        self._lose(index, cells, how)

    def _lose(self, index: Index, cells: Values, how: int, value: float | None = None) -> None:
        """The `cells` (mask over those at `index`) end as STUCK_ON or STUCK_OFF, usually at the preset's value."""
        if not some(cells):
            return
        if value is None:
            value = self.preset.stuck_conductance if how == STUCK_ON else self.preset.unformed
        states: tuple[Values, ...] = self._status, self._programmed, self._since, self._exposure
        for state, stuck in zip(states, (how, value, NEVER, 0.0), strict=True):
            state[index] = np.where(cells, stuck, state[index])
        self._touched()

    def _touched(self) -> None:
        self.version += 1
        self.changed_at = self._clock.now


def _floats(values: Values) -> Floats:
    result: Floats = values.astype(np.float64, copy=False)
    return result
