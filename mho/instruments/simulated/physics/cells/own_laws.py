"""Laws of a cell that a user brings: what each is asked, and what its answers are held to.

A law is an object with the methods of one or more of these Protocols; what it does not bring is the preset's. All
arrays are of the shape (cells,), of float64 and the law's own to change; one cell is an array of one. An answer that is
not finite, of another shape or out of its range is an `OwnLawError`, which names law, method, value and cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from mho.array_types import Floats
from mho.errors import BenchError, InstrumentError, MhoError
from mho.own_code import name_of

MOST = 1e-2  # S: no cell conducts more where its law does not say its own `maximum`
DEVICE_NAMES = ("set_factor", "set_threshold", "reset_deviate", "gate_shift")

Values = Any  # numpy scalar or array
Devices = Mapping[str, Floats]


@runtime_checkable
class SwitchingLaw(Protocol):
    """What a pulse makes of formed cells; forming, wear and loss by over-voltage are the preset's.

    An attribute `maximum` (S) of the law is the largest conductance that it may return; without one 10 mS.

    `conductance` (S), `voltage` (V, positive: on the bit line for SET, on the source line for RESET, as it arrives at the
    cell), `width` (s) and `gate` (V) are (cells,) arrays. `devices` has, by name, what differs between them, (cells,)
    each: `set_factor` (1), `set_threshold` (V), `reset_deviate` (standard normal), `gate_shift` (V), `wear` (share of the
    endurance), and what a `DeviceSpread` adds. `rng` draws what differs from pulse to pulse. A level that is held is
    asked for as one pulse of its whole width so far, each time with the same draws; many equal pulses in a train may be
    asked for as one of their total width.
    """

    def after_set(
        self, conductance: Floats, voltage: Floats, width: Floats, gate: Floats, devices: Devices,
        rng: np.random.Generator,
    ) -> Floats:  # fmt: skip
        """Return the conductance (cells,), S, after a SET pulse."""

    def after_reset(
        self, conductance: Floats, voltage: Floats, width: Floats, gate: Floats, devices: Devices,
        rng: np.random.Generator,
    ) -> Floats:  # fmt: skip
        """Return the conductance (cells,), S, after a RESET pulse."""


@runtime_checkable
class DeviceSpread(Protocol):
    """In what cells differ for life."""

    def draw_devices(self, shape: tuple[int, ...], rng: np.random.Generator) -> Mapping[str, Floats]:
        """Return arrays of `shape` by name, drawn once for cells that are made together.

        They replace the preset's of the names `set_factor`, `set_threshold`, `reset_deviate`, `gate_shift` and
        `forming_voltage` (V); others are added to the `devices` of a `SwitchingLaw`.
        """


@runtime_checkable
class Relaxation(Protocol):
    """How a cell goes on after its last pulse; retention with temperature remains the preset's."""

    def conductance_after(self, conductance: Floats, age: Floats, draw: Floats) -> Floats:
        """Return the conductance (cells,), S, at `age` (s) of cells that were programmed to `conductance` (S).

        `draw` is one standard normal number a cell, drawn at its last pulse: it is to give the same answer each time.
        """


@runtime_checkable
class ReadNoise(Protocol):
    """Noise of a reading, relative to the conductance; thermal and shot noise remain (`white_noise` of the preset)."""

    def deviation(self, conductance: Floats, aperture: float, rng: np.random.Generator) -> Floats:
        """Return the relative deviation (cells,), drawn, of readings of `conductance` (S) over `aperture` (s)."""

    def variance(self, conductance: Floats, aperture: float) -> Floats:
        """Return the variance (cells,) of that deviation: in a circuit many cells add up, and their noise is normal."""


@runtime_checkable
class Conduction(Protocol):
    """The I-V law of a cell below switching; circuits take it as a polynomial of degree 8 in the voltage."""

    def current(self, conductance: Floats, voltage: Floats, gate: float, line: str) -> Floats:
        """Return the current (cells,), A, at `voltage` (V, of either sign) between a cell's lines.

        `conductance` (S) is what a read at the preset's `rated_voltage` says; `gate` (V) is on the word line; `line` is
        the one that is driven, ``bit line`` or ``source line``.
        """


ASPECTS: dict[str, type] = {
    "switching": SwitchingLaw, "spread": DeviceSpread, "relaxation": Relaxation, "noise": ReadNoise,
    "conduction": Conduction,
}  # fmt: skip


class OwnLawError(InstrumentError):
    """A law of a user's own gave an answer that no cell can have; `number` is that of the cell among those asked of."""

    def __init__(self, begin: str, end: str = "", number: int | None = None) -> None:
        super().__init__(f"{begin}{end}")
        self.begin, self.end, self.number = begin, end, number

    def at(self, cell: str) -> OwnLawError:
        """Return the same error with the name of its cell."""
        return OwnLawError(f"{self.begin} for cell {cell}", self.end)


@dataclass(frozen=True, eq=False)
class OwnLaws:
    """The laws of a user's own, by aspect; None where the preset's own law counts."""

    switching: SwitchingLaw | None = None
    spread: DeviceSpread | None = None
    relaxation: Relaxation | None = None
    noise: ReadNoise | None = None
    conduction: Conduction | None = None

    def by_aspect(self) -> dict[str, object]:
        """Return the laws that there are by aspect; one object may have several."""
        laws = {name: getattr(self, name) for name in ASPECTS}
        return {name: law for name, law in laws.items() if law is not None}

    def objects(self) -> list[object]:
        """Return each law once."""
        return list({id(law): law for law in self.by_aspect().values()}.values())

    def and_these(self, laws: Sequence[object]) -> OwnLaws:
        """Return these with further laws, which replace those of the same aspect; errors as `made`."""
        changed = self.by_aspect()
        for one in laws:
            law = made(one)
            changed |= {name: law for name, kind in ASPECTS.items() if isinstance(law, kind)}
        return OwnLaws(**changed)  # type: ignore[arg-type]

    def names(self) -> str:
        """Return the names of the laws' classes, for a sentence."""
        return " and ".join(type(law).__qualname__ for law in self.objects())


def made(law: object) -> object:
    """Return a law, made of its class where that is given; `BenchError` for what is no law."""
    if isinstance(law, type):
        kind = law
        try:
            law = kind()
        except Exception as error:
            raise BenchError(
                f"{kind.__qualname__} cannot be made without arguments: {error}; give an object"
            ) from error
    if any(isinstance(law, kind) for kind in ASPECTS.values()):
        return law
    methods = {name: [one for one in vars(kind) if not one.startswith("_")] for name, kind in ASPECTS.items()}
    needs = "; ".join(f"{name}: {' and '.join(those)}" for name, those in methods.items())
    raise BenchError(f"{type(law).__qualname__} is no law of a cell: it needs the methods of one ({needs})")


def ask(
    law: object, method: str, like: Values, *others: Values, unit: str, low: float, high: float,
    rest: Sequence[Any] = (), where: Values = True,
) -> Values:  # fmt: skip
    """Return what a law answers for cells; a number for one cell.

    Parameters
    ----------
    like : number or array
        What the method is asked with first; the answer has its shape, and it is the answer beside `where`.
    others : numbers, arrays or mappings of these
        Further arguments, one value a cell.
    unit, low, high : str, float, float
        What each value must be: finite, from `low` to `high`.
    rest : sequence
        Arguments that are not by cell.
    where : mask
        The cells that are asked of.

    Raises
    ------
    OwnLawError
        The method raised an error, or its answer is none.
    """
    shape = np.shape(like)
    result = np.array(like, np.float64).reshape(-1)
    asked = np.broadcast_to(where, shape).reshape(-1)
    if not asked.any():
        return result.reshape(shape)[()]

    def flat(value: Values) -> Any:
        if isinstance(value, Mapping):
            return {name: flat(one) for name, one in value.items()}
        return np.broadcast_to(np.asarray(value, np.float64), shape).reshape(-1)[asked]

    name = f"the cells' own {type(law).__qualname__}.{method}"
    given = result[asked]
    try:
        answer = np.asarray(getattr(law, method)(given.copy(), *map(flat, others), *rest))
    except MhoError:
        raise
    except Exception as error:  # a law of a user's own may raise anything
        raise OwnLawError(f"{name} raised {type(error).__name__}: {error}") from error
    if answer.shape != given.shape or answer.dtype.kind not in "fiu":
        raise OwnLawError(
            f"{name} returned {answer.dtype} of shape {answer.shape} for {given.size} cells; it must return floats of "
            f"shape {given.shape}"
        )
    # A NaN is wrong, too; what relaxed beyond `high` may stay there.
    wrong = ~((answer >= low) & (answer <= np.maximum(high, given)))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise OwnLawError(
            f"{name} returned {answer[first]:g} {unit}",
            f", with {given[first]:g} S; it must lie between {low:g} and {high:g} {unit}",
            int(np.flatnonzero(asked)[first]),
        )
    result[asked] = answer
    return result.reshape(shape)[()]


def most_of(law: object) -> float:
    """Return the largest conductance (S) that a switching law may return."""
    return float(getattr(law, "maximum", MOST))


def own_devices(law: DeviceSpread, shape: tuple[int, ...], rng: np.random.Generator) -> dict[str, Floats]:
    """Return what a law of a user's own draws of devices; `OwnLawError` for what is no array of `shape`."""
    name = f"the cells' own {type(law).__qualname__}.draw_devices"
    try:
        drawn = dict(law.draw_devices(shape, rng))
    except Exception as error:
        raise OwnLawError(f"{name} raised {type(error).__name__}: {error}") from error
    devices = {}
    for what, values in drawn.items():
        array = np.asarray(values)
        if array.shape != shape or array.dtype.kind not in "fiu":
            raise OwnLawError(
                f"{name} returned {what!r} of shape {array.shape}; it must be floats of shape {shape}"
            )
        if not np.isfinite(array).all():
            raise OwnLawError(
                f"{name} returned {array[~np.isfinite(array)][0]} as {what!r}; it must be finite"
            )
        devices[str(what)] = array.astype(np.float64)
    return devices


class OwnNoise:
    """The noise of cells by a law of a user's own, in the place of `noise.CellNoise`: it remembers nothing."""

    def __init__(self, law: ReadNoise, shape: tuple[int, int], rng: np.random.Generator) -> None:
        self._law, self._shape, self._rng = law, shape, rng

    def extend(self, lots: Sequence[Any]) -> None:
        """Append the cells of `lots`."""
        self._shape = (self._shape[0] + sum(lot._shape[0] for lot in lots), self._shape[1])

    def taken(self, rows: Any, rng: np.random.Generator, apart: float) -> Self:
        """Return the noise of the cells of some rows, as `CellArray.taken`."""
        some = copy(self)
        some._rng, some._shape = rng, (len(np.arange(self._shape[0])[rows]), self._shape[1])
        return some

    def put(self, rows: Any, some: Any) -> None:
        """Return the noise of cells that was `taken`."""

    def postpone(self, index: Any, begun: float, early: Values, late: Values) -> None:
        """Shift the stored times of the cells, of which there are none."""

    def average(self, index: Any, conductance: Values, now: float, aperture: float) -> Values:
        """Mean deviation (relative) of cells at `conductance` (S) over `aperture` seconds."""
        return self._ask("deviation", conductance, -1.0, aperture, self._rng)

    def frozen(
        self, index: Any, conductance: Values, now: float, window: float,
        rng: np.random.Generator | None = None,
    ) -> Values:  # fmt: skip
        """Relative deviation that is constant for `window` seconds: none."""
        return np.zeros(np.shape(conductance))

    def fast_variance(self, index: Any, conductance: Values, window: float, shot: float) -> Values:
        """Relative variance of a mean over `shot` seconds."""
        return self._ask("variance", conductance, 0.0, shot)

    LIMIT: ClassVar[float] = 1e3  # of a relative deviation

    def _ask(self, method: str, conductance: Values, low: float, *rest: Any) -> Values:
        zeros = np.asarray(conductance)
        return ask(self._law, method, zeros, unit="(relative)", low=low, high=self.LIMIT, rest=rest)


# --- as a preset file has them ---


def fields_of(law: object) -> dict[str, float | int | bool | str] | None:
    """Return the numbers and words that make a law again, by name; None where it cannot be made of these."""
    if is_dataclass(law):
        values = {one.name: getattr(law, one.name) for one in fields(law) if one.init}
        values = {name: one.item() if isinstance(one, np.generic) else one for name, one in values.items()}
        return values if all(isinstance(one, float | int | str) for one in values.values()) else None
    return None if getattr(law, "__dict__", None) else {}


def class_name_of(law: object) -> str:
    """Return the name by which a law's class is loaded again."""
    return name_of(type(law))
