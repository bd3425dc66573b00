"""What a programming strategy is: the pulses that follow from verify reads, for one cell in numbers or many in arrays.

A strategy knows nothing of instruments. Its object is the state of cells on their way to their targets; `write_verify`
reads, asks `done` and `outcome`, and gives the pulses of `next_pulses`, until no cell is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.instruments import Bench, Pulse

Values = Any  # a number for one cell, an array for many

SET, RESET = 1, 2  # kinds of pulses; 0 means none yet
BY_CHIP = 3  # a cell that the chip has programmed by itself, with pulses of its own


class Outcome(IntEnum):
    """How the programming of a cell ended: in its window, or why it was given up."""

    IN_WINDOW = 0
    UNFORMED = 1
    STUCK_LOW = 2
    STUCK_HIGH = 3
    OUT_OF_PULSES = 4
    LEFT_WINDOW = 5

    @property
    def words(self) -> str:
        """The outcome in words."""
        return _WORDS[self]


_WORDS = {
    Outcome.IN_WINDOW: "in its window",
    Outcome.UNFORMED: "unformed: no forming pulse made it conduct",
    Outcome.STUCK_LOW: "stuck low: SET pulses do not raise it",
    Outcome.STUCK_HIGH: "stuck high: RESET pulses do not lower it",
    Outcome.OUT_OF_PULSES: "out of pulses or attempts: it did not land in its window",
    Outcome.LEFT_WINDOW: "left its window after it was verified there",
}


class Pulses(NamedTuple):
    """Decided pulses as numbers: kind (`SET` or `RESET`), V, s, and V on the word line, as `Pulse` has them."""

    kind: Values
    voltage: Values
    width: Values
    gate: Values


def where(condition: Values, yes: Values, no: Values) -> Values:
    """Return `yes` where the condition holds, else `no`: as `numpy.where` for arrays, a plain choice for one cell."""
    if type(condition) is bool or not isinstance(condition, np.ndarray):
        return yes if condition else no
    return np.where(condition, yes, no)


def clip(values: Values, low: float, high: float) -> Values:
    """Return values within `low` and `high`."""
    if isinstance(values, np.ndarray):
        return np.minimum(np.maximum(values, low), high)
    return min(max(values, low), high)


def take(table: tuple[float, ...], index: Values) -> Values:
    """Return the entries of a table, the last one beyond its end."""
    if isinstance(index, np.ndarray):
        return np.take(table, index, mode="clip")
    return table[min(index, len(table) - 1)]


@dataclass
class Strategy:
    """The state of cells on their way to `target`; a strategy of one's own derives from it and says `decide`.

    What `decide` keeps from pulse to pulse it assigns to attributes: numbers for one cell, arrays for many. Written with
    `where` and `clip` and operators on numbers (``&``, ``|``, comparisons; not ``~``, ``not``, ``and``, ``or``), the same
    lines decide for both.

    Attributes
    ----------
    target, low, high : float or array
        Level and the window to aim for, S.
    settings : WriteVerifySettings
        Of `settings_type`.
    memory : object
        What `new_memory` made: common to all cells of a run, None unless a strategy learns.
    pulses : int or array
        Pulses decided so far.
    formed : bool or array
        Cells that have conducted more than `formed_above` once, now or before: none of them is ever formed again.

    Examples
    --------
    >>> class Steps(mho.Strategy):
    ...     'A fixed step of the gate upwards, from wherever the cell is.'
    ...     def decide(self, conductance):
    ...         return self.set(self.settings.set_offset + 0.05 * self.pulses)
    >>> Steps.towards(5e-6, 4e-6, 6e-6, mho.load_chip_map("reference").write_verify).pulses
    0
    """

    settings_type: ClassVar[type[WriteVerifySettings]] = WriteVerifySettings
    """A strategy with settings of its own derives them from `WriteVerifySettings`."""
    pilot: ClassVar[int] = 0
    """Number of cells that go first where many are programmed at once, so that a strategy learns by them."""
    descends: ClassVar[bool] = False
    """Whether a descent of the error of products follows, see `ProductDescent`."""
    where = staticmethod(where)
    clip = staticmethod(clip)

    target: Values
    low: Values
    high: Values
    settings: WriteVerifySettings = field(default_factory=WriteVerifySettings)
    memory: Any = None
    pulses: Values = 0
    formed: Values = False
    _forming: Values = 0
    _in_a_row: Values = 0  # pulses of the last kind
    _last: Values = 0

    @classmethod
    def towards(
        cls, target: Values, low: Values, high: Values, settings: WriteVerifySettings, memory: Any = None
    ) -> Self:
        """Create the state with the inner part of the verify window `low` to `high` (S) around `target` as the aim."""
        margin = (1.0 - settings.inner) * (high - target)
        return cls(target, where(low > 0.0, low + margin, low), high - margin, settings, memory)

    @classmethod
    def descending(
        cls, target: Values, low: Values, high: Values, settings: WriteVerifySettings, memory: Any = None
    ) -> Self:
        """Create the state of cells of a descent of products: all of `low` to `high` (S) is the aim, and none is formed."""
        state = cls.towards(target, low, high, settings.model_copy(update={"inner": 1.0}), memory)
        state.formed = state.target == state.target  # they were formed before, or cannot be
        return state

    @classmethod
    def new_memory(cls, settings: WriteVerifySettings) -> Any:
        """Return what the cells of a run have in common; nothing unless a strategy learns."""
        return None

    @classmethod
    def largest_pulses(cls, settings: WriteVerifySettings) -> tuple[Pulse, ...]:
        """Return the largest pulse of each kind that a formed cell gets, which it must bear before any is sent."""
        s = settings
        return (
            Pulse("set", s.set_voltage, s.width, s.gate_range[1]),
            Pulse("reset", max(s.reset_full, s.reset_fine[1]), s.width, s.reset_gate),
        )

    @classmethod
    def check_pulses(cls, bench: Bench, settings: WriteVerifySettings) -> None:
        """Raise `LimitError` unless a bench allows the largest pulses, and the forming ones to unformed cells.

        Where the chip programs cells by itself, its own pulses count. `InputError` for what that leaves no room for: a
        descent, and lines that are verified at once.
        """
        if bench.programs:
            if cls.descends or settings.verify != "cell":
                raise InputError(
                    f"strategy {settings.strategy} with verify = {settings.verify} pulses cells from the computer, and the "
                    f"chip of bench {bench.file.name!r} programs them by itself: leave both out, or take `program` out of "
                    "`serves` of an instrument that also serves `pulse` and `gate`"
                )
            bench.check_program()
            return
        s = settings
        for pulse in cls.largest_pulses(s):
            bench.check_pulse(pulse)
        forming = Pulse("set", max(s.forming_voltages), s.forming_width, s.forming_gate)
        bench.check_pulse(forming, forming=True)

    # --- what a strategy of one's own says ---

    def decide(self, read: Values) -> Pulses:
        """Return the next pulse of each formed cell from its last verify read (S), outside its window."""
        raise NotImplementedError

    def outcome(self, read: Values) -> Values:
        """Return why a cell with the verify read `read` (S), outside its window, is given up: an `Outcome`, 0 to go on."""
        s = self.settings
        unformed = self._must_form(read) & (self._forming >= len(s.forming_voltages))
        stuck = where(self._last == SET, Outcome.STUCK_LOW, Outcome.STUCK_HIGH)
        spent = where(self.pulses >= s.max_pulses, Outcome.OUT_OF_PULSES, 0)
        return where(unformed, Outcome.UNFORMED, where(self._in_a_row >= s.futile, stuck, spent))

    def conclude(self, read: Values) -> None:
        """Take the last verify read (S) of cells that are in their window or given up; a strategy learns by it, too."""

    # --- pulses to return ---

    def raised(self, gate: Values) -> Pulses:
        """Return SET pulses with these voltages on the word line, V: one for all cells, or one for each."""
        s, one = self.settings, self._one
        return Pulses(SET * one, s.set_voltage * one, s.width * one, gate * one)

    def lowered(self, voltage: Values) -> Pulses:
        """Return RESET pulses with these voltages on the source line, V: one for all cells, or one for each."""
        s, one = self.settings, self._one
        return Pulses(RESET * one, voltage * one, s.width * one, s.reset_gate * one)

    @property
    def _one(self) -> Values:
        """Ones of the cells' shape."""
        return where(self.target == self.target, 1, 1)

    @staticmethod
    def either(condition: Values, yes: Pulses, no: Pulses) -> Pulses:
        """Return the pulses `yes` where the condition holds, else `no`."""
        return Pulses(*(where(condition, one, other) for one, other in zip(yes, no, strict=True)))

    # --- what the programmer asks ---

    @property
    def learns(self) -> bool:
        """Whether cells have something in common, which they learn by."""
        return self.memory is not None

    def of(self, cells: Integers) -> Self:
        """Return the state of some of the cells, by number."""
        some = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(some, name, value[cells])
        return some

    def put(self, cells: Integers, some: Self) -> None:
        """Take the state of some of the cells, by number, from what `of` returned of them."""
        for name, value in vars(some).items():
            if isinstance(value, np.ndarray):
                whole = getattr(self, name)
                if not isinstance(whole, np.ndarray) or whole.dtype != value.dtype:
                    whole = np.full(np.shape(self.target), whole, np.result_type(whole, value))
                    setattr(self, name, whole)
                whole[cells] = value

    def alone(self, cell: int) -> Self:
        """Return the state of one of the cells, in plain numbers."""
        one = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(one, name, value[cell].item())
        return one

    def done(self, conductance: Values) -> Values:
        """Return whether the verify read (S) lies in the window."""
        return (self.low <= conductance) & (conductance <= self.high)

    def given_up(self, conductance: Values) -> Values:
        """Return whether a cell with the verify read `conductance` (S) is given up."""
        return self.outcome(conductance) > 0

    def next_pulse(self, conductance: float) -> Pulse:
        """Decide one cell's next pulse from its last verify read (S); only while neither `done` nor `given_up`."""
        kind, voltage, width, gate = self.next_pulses(conductance)
        return Pulse("set" if kind == SET else "reset", voltage, width, gate)

    def next_pulses(self, conductance: Values) -> Pulses:
        """Decide the next pulse of each cell from its last verify read (S); a cell that has not conducted yet is formed."""
        self.formed = self.formed | (conductance >= self.settings.formed_above)
        form = self._must_form(conductance)
        every = form.all() if isinstance(form, np.ndarray) else form
        some = form.any() if isinstance(form, np.ndarray) else form
        pulses = self._forming_pulses() if every else self._decided(conductance, form, some)
        if some and not every:
            pulses = self.either(form, self._forming_pulses(), pulses)
        self._forming = self._forming + form
        self._in_a_row = where(pulses.kind == self._last, self._in_a_row + 1, 1)
        self._last = pulses.kind
        self.pulses = self.pulses + 1
        return pulses

    def _must_form(self, conductance: Values) -> Values:
        """Return whether a cell has not conducted yet: it is virgin, or its forming pulses were too weak."""
        return (self.formed < 1) & (conductance < self.settings.formed_above)

    def _forming_pulses(self) -> Pulses:
        s, one = self.settings, self._one
        voltage = take(s.forming_voltages, self._forming * one)
        return Pulses(SET * one, voltage, s.forming_width * one, s.forming_gate * one)

    def _decided(self, conductance: Values, form: Values, some: Values) -> Pulses:
        """Return what `decide` says; of cells that are formed meanwhile it keeps nothing."""
        before = dict(vars(self)) if some else {}
        pulses = self.decide(conductance)
        for name, value in vars(self).items():
            if some and value is not before.get(name, value) and name != "memory":
                setattr(self, name, where(form, before[name], value))
        return pulses


class FewStates:
    """The states of a few cells, decided one by one in plain numbers; what `write_verify` asks of a `Strategy`."""

    learns = True

    def __init__(self, states: Sequence[Strategy]) -> None:
        self._states = states

    def of(self, cells: Integers) -> FewStates:
        """Return the states of some of the cells."""
        return FewStates([self._states[number] for number in cells])

    def done(self, read: Floats) -> Booleans:
        """Return which verify reads (S) lie in their windows."""
        return np.array([state.done(g) for state, g in zip(self._states, read.tolist(), strict=True)])

    def outcome(self, read: Floats) -> Integers:
        """Return why cells are given up, as `Strategy.outcome`."""
        return np.array([state.outcome(g) for state, g in zip(self._states, read.tolist(), strict=True)])

    def conclude(self, read: Floats) -> None:
        """Take the last verify reads (S)."""
        for state, g in zip(self._states, read.tolist(), strict=True):
            state.conclude(g)

    def next_pulses(self, read: Floats) -> Pulses:
        """Decide the next pulse of each."""
        each = [state.next_pulses(g) for state, g in zip(self._states, read.tolist(), strict=True)]
        return Pulses(*map(np.array, zip(*each, strict=True)))


Step = Callable[[Integers, Pulses | None], Floats]
"""Gives cells, by number, these pulses, if any, and returns their verify reads after them, S."""

BATCH = 0.01  # of a tile's cells that get a pulse between products: with more, many are left half-way
FEW = 3  # number of cells up to which deciding one by one is faster: mostly the stuck ones


def batch_of(cells: int) -> int:
    """Return how many of so many cells get a pulse between two batches of products, in a descent of their error."""
    return max(1, round(BATCH * cells))


def write_verify_cell(state: Strategy, step: Callable[[Pulses | None], float]) -> tuple[float, Outcome]:
    """Pulse and read one cell, as `write_verify`, until it is in its window or given up; return its last read (S), outcome.

    In plain numbers: arrays of one make a run at the simulated wire longer by a quarter.
    """
    read = step(None)
    while not (state.done(read) or state.outcome(read)):
        read = step(state.next_pulses(read))
    state.conclude(read)
    return read, Outcome(0 if state.done(read) else state.outcome(read))


def write_verify(
    cells: Strategy, count: int, step: Step, few: int = FEW
) -> tuple[Floats, Integers, Integers]:
    """Pulse and read cells until each is in its window or given up: a group, or all of an array.

    `cells`: of `count` cells. `step`: see `Step`. `few`: number of cells that are left from which on they are decided
    one by one; they then learn one from the other. Returns `achieved`, `pulses`, `outcome` (count,): last reads, S;
    numbers of pulses; `Outcome`.
    """
    which, pulses = np.arange(count), np.zeros(count, np.int64)
    outcome = np.full(count, Outcome.IN_WINDOW, np.int64)
    read = step(which, None)
    achieved, state = read.copy(), cast(Strategy | FewStates, cells)
    while True:
        outside = ~state.done(read)
        lost = np.where(outside, state.outcome(read), Outcome.IN_WINDOW)
        going = outside & (lost == Outcome.IN_WINDOW)
        if not going.all():
            outcome[which] = lost
            if state.learns:
                state.of(np.flatnonzero(~going)).conclude(read[~going])
            remaining = np.flatnonzero(going)  # numbers are taken several times faster than a mask
            if not remaining.size:
                return achieved, pulses, outcome
            which, read, state = which[remaining], read[remaining], state.of(remaining)
            if len(which) <= few and isinstance(state, Strategy):
                state = FewStates([state.alone(number) for number in range(len(which))])
        decided = state.next_pulses(read)
        read = achieved[which] = step(which, decided)
        pulses[which] += 1
