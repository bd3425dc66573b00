"""Laws of a cell that a user brings: the Protocols, which of them an object has, and what makes it again.

A law is an object with the methods of one or more of these Protocols; what it does not bring is the preset's. All
arrays are of the shape (cells,), of float64 and the law's own to change; one cell is an array of one. What answers are held
to is in `own_answers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mho.errors import BenchError
from mho.own_code import name_of

if TYPE_CHECKING:  # a preset is named without it: help is there at once
    import numpy as np

    from mho.array_types import Floats

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

    Examples
    --------
    >>> class Steps:
    ...     def after_set(self, conductance, voltage, width, gate, devices, rng):
    ...         return np.where(voltage > devices["set_threshold"], 10e-6 * gate, conductance)
    ...     def after_reset(self, conductance, voltage, width, gate, devices, rng):
    ...         return conductance * np.exp(-1e6 * voltage * width)
    >>> mho.cell_preset("quiet").but(Steps).name, isinstance(Steps(), mho.cells.SwitchingLaw)
    ('quiet-Steps', True)
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
    """In what cells differ for life.

    Examples
    --------
    >>> class Alike:
    ...     def draw_devices(self, shape, rng):
    ...         return {"set_threshold": np.full(shape, 1.2)}
    >>> mho.cell_preset("quiet").but(Alike).name, isinstance(Alike(), mho.cells.DeviceSpread)
    ('quiet-Alike', True)
    """

    def draw_devices(self, shape: tuple[int, ...], rng: np.random.Generator) -> Mapping[str, Floats]:
        """Return arrays of `shape` by name, drawn once for cells that are made together.

        They replace the preset's of the names `set_factor`, `set_threshold`, `reset_deviate`, `gate_shift` and
        `forming_voltage` (V); others are added to the `devices` of a `SwitchingLaw`.
        """


@runtime_checkable
class Relaxation(Protocol):
    """How a cell goes on after its last pulse; retention with temperature remains the preset's.

    Examples
    --------
    >>> class Halving:
    ...     def conductance_after(self, conductance, age, draw):
    ...         return np.where(age > 3600.0, 0.5, 1.0) * conductance
    >>> mho.cell_preset("quiet").but(Halving).name, isinstance(Halving(), mho.cells.Relaxation)
    ('quiet-Halving', True)
    """

    def conductance_after(self, conductance: Floats, age: Floats, draw: Floats) -> Floats:
        """Return the conductance (cells,), S, at `age` (s) of cells that were programmed to `conductance` (S).

        `draw` is one standard normal number a cell, drawn at its last pulse: it is to give the same answer each time.
        """


@runtime_checkable
class ReadNoise(Protocol):
    """Noise of a reading, relative to the conductance; thermal and shot noise remain (`white_noise` of the preset).

    Examples
    --------
    >>> class Tenth:
    ...     def deviation(self, conductance, aperture, rng):
    ...         return 0.1 * rng.standard_normal(conductance.shape)
    ...     def variance(self, conductance, aperture):
    ...         return np.full_like(conductance, 0.01)
    >>> mho.cell_preset("quiet").but(Tenth).name, isinstance(Tenth(), mho.cells.ReadNoise)
    ('quiet-Tenth', True)
    """

    def deviation(self, conductance: Floats, aperture: float, rng: np.random.Generator) -> Floats:
        """Return the relative deviation (cells,), drawn, of readings of `conductance` (S) over `aperture` (s)."""

    def variance(self, conductance: Floats, aperture: float) -> Floats:
        """Return the variance (cells,) of that deviation: in a circuit many cells add up, and their noise is normal."""


@runtime_checkable
class Conduction(Protocol):
    """The I-V law of a cell below switching; circuits take it as a polynomial of degree 8 in the voltage.

    Examples
    --------
    >>> class Cubic:
    ...     def current(self, conductance, voltage, gate, line):
    ...         return conductance * voltage * (1.0 + voltage**2)
    >>> mho.cell_preset("quiet").but(Cubic).name, isinstance(Cubic(), mho.cells.Conduction)
    ('quiet-Cubic', True)
    """

    def current(self, conductance: Floats, voltage: Floats, gate: float, line: str) -> Floats:
        """Return the current (cells,), A, at `voltage` (V, of either sign) between a cell's lines.

        `conductance` (S) is what a read at the preset's `rated_voltage` says; `gate` (V) is on the word line; `line` is
        the one that is driven, ``bit line`` or ``source line``.
        """


ASPECTS: dict[str, type] = {
    "switching": SwitchingLaw, "spread": DeviceSpread, "relaxation": Relaxation, "noise": ReadNoise,
    "conduction": Conduction,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class OwnLaws:
    """The laws of a user's own, by aspect; None where the preset's own law counts.

    Two are equal where their laws are of the same classes, made of the same numbers.
    """

    switching: SwitchingLaw | None = None
    spread: DeviceSpread | None = None
    relaxation: Relaxation | None = None
    noise: ReadNoise | None = None
    conduction: Conduction | None = None

    def __eq__(self, other: object) -> bool:
        """Return whether the other has the same laws."""
        return isinstance(other, OwnLaws) and self._made_of() == other._made_of()

    def __hash__(self) -> int:
        """Return the hash of what the laws are made of."""
        return hash(self._made_of())

    def _made_of(self) -> tuple[tuple[str, type, object], ...]:
        """Return by aspect the class of the law, and what made it, or itself where that is not known."""
        return tuple((name, type(law), _made_of(law)) for name, law in self.by_aspect().items())

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


def made(
    own: object, protocols: Mapping[str, type] = ASPECTS, noun: str = "law of a cell", otherwise: str = ""
) -> object:
    """Return what a user brings, made of its class where that is given.

    `protocols`: those of which it has one, by name; `noun`: what it is, and `otherwise` what else it might be, for errors.
    `BenchError` for what is none.
    """
    if isinstance(own, type):
        kind = own
        try:
            own = kind()
        except Exception as error:
            raise BenchError(
                f"{kind.__qualname__} cannot be made without arguments ({type(error).__name__}: {error}); give an object"
            ) from error
    methods = {
        name: [one for one in vars(kind) if not one.startswith("_")] for name, kind in protocols.items()
    }
    mine = [name for name, kind in protocols.items() if isinstance(own, kind)]
    for name in mine:
        for one in methods[name]:
            if not callable(getattr(own, one)):
                raise BenchError(
                    f"{type(own).__qualname__}.{one} is {getattr(own, one)!r} and no method; {name} is called"
                )
    if mine:
        return own
    needs = "; ".join(f"{name}: {' and '.join(those)}" for name, those in methods.items())
    raise BenchError(
        f"{type(own).__qualname__} is no {noun}: it needs the methods of one ({needs}){otherwise}"
    )


# --- as a preset file has them ---


def fields_of(law: object) -> dict[str, float | int | bool | str] | None:
    """Return the numbers and words that make a law again, by name; None where it cannot be made of these."""
    if is_dataclass(law):
        values = {one.name: getattr(law, one.name) for one in fields(law) if one.init}
        values = {
            name: one.item() if getattr(one, "shape", None) == () else one for name, one in values.items()
        }
        return values if all(isinstance(one, float | int | str) for one in values.values()) else None
    try:  # as pickle would make it: a function, what that is given, what is set
        reduced: Any = law.__reduce_ex__(2)
    except Exception:  # it may refuse
        return None
    plain = isinstance(reduced, tuple) and reduced[1] == (type(law),) and not reduced[2]
    return {} if plain else None


def _made_of(law: object) -> object:
    """Return numbers and words of a law and of its class, to compare; its id where it is made of more than these."""
    own = fields_of(law)
    if own is None or getattr(law, "__dict__", {}).keys() - own.keys():
        return id(law)
    shared = {name: value for kind in reversed(type(law).__mro__) for name, value in vars(kind).items()}
    shared = {name: value for name, value in shared.items() if isinstance(value, float | int | str)}
    return tuple(sorted((shared | own).items()))


def class_name_of(law: object) -> str:
    """Return the name by which a law's class is loaded again."""
    return name_of(type(law))
