"""Elements of the circuits that a user brings: the Protocols, which of them an object has, what answers are held to.

An element is an object with the methods of one or more of these Protocols; what it does not bring is the bench's. An answer
that is not finite, of another shape or out of its range is an `OwnCircuitError`, which names element, method and value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.errors import BenchError, InstrumentError, MhoError
from mho.foreign_arrays import is_masked_array
from mho.instruments.simulated.physics.cells.own_laws import made
from mho.instruments.simulated.physics.circuits.amplifiers import (
    AMPLIFIER_PRESETS,
    APART,
    NUMBERS,
    AmplifierBank,
    AmplifierPreset,
    amplifier_preset,
)
from mho.instruments.simulated.physics.wires import WireModel

CircuitMode: TypeAlias = Literal["INVERT", "MULTIPLY"]


@runtime_checkable
class Amplifier(Protocol):
    """The operational amplifiers: what each of them has of its own.

    An attribute `base` of the class names the type of amplifier that all else is of, one of `AMPLIFIER_PRESETS`; without
    one it is the bench's.

    Examples
    --------
    >>> class Weak:
    ...     def draw_amplifiers(self, count, mode, rng):
    ...         return {"gain": 300.0 * np.exp(0.3 * rng.standard_normal(count))}
    >>> isinstance(Weak(), mho.circuits.Amplifier), mho.circuits.circuit_elements(Weak).name
    (True, 'Weak')
    """

    def draw_amplifiers(
        self, count: int, mode: CircuitMode, rng: np.random.Generator
    ) -> Mapping[str, Floats]:
        """Return arrays (count,) by name, drawn once for all amplifiers of a mode.

        They replace those of the type that are called `gain` (open loop, at DC, above 0), `offset` (V, of the input: of
        this amplifier, not a standard deviation), `noise` (V/rtHz, of the input), `bias_current` (A) and `swing` (V, the
        largest output). Number k is the amplifier of row k in INVERT, of column k in MULTIPLY, counted within the block.
        """


@runtime_checkable
class Adc(Protocol):
    """The converters behind the outputs, of INVERT and of MULTIPLY.

    Examples
    --------
    >>> class Millivolts:
    ...     def sampled(self, volts, mode, rng):
    ...         return np.round(volts, 3)
    >>> with mho.open_bench("arrays", circuit=Millivolts, seed=1) as bench:
    ...     bench.simulated.elements.name
    'Millivolts'
    """

    def sampled(self, volts: Floats, mode: CircuitMode, rng: np.random.Generator) -> Floats:
        """Return what is read (samples, channels), V, at outputs of `volts` (samples, channels)."""


@runtime_checkable
class Dac(Protocol):
    """The converters in front of the inputs, of INVERT and of MULTIPLY.

    Examples
    --------
    >>> class Late:
    ...     def driven(self, volts, mode):
    ...         return 0.999 * volts
    >>> isinstance(Late(), mho.circuits.Dac)
    True
    """

    def driven(self, volts: Floats, mode: CircuitMode) -> Floats:
        """Return the voltages (samples, channels) that are put out for `volts`; each time the same ones."""


@runtime_checkable
class Wires(Protocol):
    """The wires of an array between the ends of its lines and the cells of a block.

    Examples
    --------
    >>> class Perfect:
    ...     def transfer(self, conductance, rows, columns, wire_resistance):
    ...         return conductance
    >>> isinstance(Perfect(), mho.circuits.Wires)
    True
    """

    def transfer(
        self, conductance: Floats, rows: Integers, columns: Integers, wire_resistance: float
    ) -> Floats:
        """Return the conductances (blocks, R, C), S, that the ends of the lines see in place of the cells'.

        That of row i and column j is the current out of column end j per volt at row end i, all other ends at 0 V.
        `conductance` (blocks, R, C), S, are the cells'; `rows` (blocks, R) and `columns` (blocks, C) the places of the
        lines along the wires that cross them, from 0 at the driven end; `wire_resistance` the chip map's, ohm between
        neighbouring cells.
        """


ELEMENTS: dict[str, type] = {"amplifier": Amplifier, "adc": Adc, "dac": Dac, "wires": Wires}
OTHERWISE = ", or is an amplifier of amplifier_preset(...).but(...)"
MOST_VOLTS = 100.0  # V, of what a converter may answer
MOST_SIEMENS = 1.0  # S, between two ends of lines


class OwnCircuitError(InstrumentError):
    """An element of a user's own gave an answer that no circuit can have."""


@dataclass(frozen=True, eq=False)
class CircuitElements:
    """The elements of a user's own in the circuits of a simulated bench; None where the bench's own counts.

    Attributes
    ----------
    preset : AmplifierPreset or None
        Type of all amplifiers.
    amplifier : Amplifier or None
        Says in what they differ.
    adc, dac : Adc or None, Dac or None
    wires : Wires or None

    Examples
    --------
    >>> elements = mho.circuits.circuit_elements("OPA690")
    >>> elements.preset.name, elements.adc
    ('OPA690', None)
    """

    preset: AmplifierPreset | None = None
    amplifier: Amplifier | None = None
    adc: Adc | None = None
    dac: Dac | None = None
    wires: Wires | None = None

    def by_kind(self) -> dict[str, object]:
        """Return the elements that there are, but for `preset`, by kind; one object may be several."""
        return {name: one for name in ELEMENTS if (one := getattr(self, name)) is not None}

    def objects(self) -> list[object]:
        """Return each element once."""
        return list({id(one): one for one in self.by_kind().values()}.values())

    @property
    def name(self) -> str:
        """The names of amplifier and classes, for a sentence."""
        named = [] if self.preset is None else [self.preset.name]
        return " and ".join([*named, *(type(one).__qualname__ for one in self.objects())])

    def and_this(self, element: object) -> CircuitElements:
        """Return these with one more, which replaces those of the same kind; `BenchError` for what is no element."""
        if isinstance(element, CircuitElements):
            own: dict[str, Any] = element.by_kind()
            return replace(self, **own, preset=element.preset or self.preset)
        if isinstance(element, AmplifierPreset):
            return replace(self, preset=_checked(element))
        one = made(element, ELEMENTS, "element of a circuit", OTHERWISE)
        changed: dict[str, Any] = {
            name: one for name, protocol in ELEMENTS.items() if isinstance(one, protocol)
        }
        if "amplifier" in changed and self.preset is None and (base := getattr(one, "base", None)):
            changed["preset"] = amplifier_preset(str(base))
        return replace(self, **changed)

    # --- as a bench asks them ---

    def bank(self, bank: AmplifierBank, mode: CircuitMode, rng: np.random.Generator) -> AmplifierBank:
        """Return amplifiers with what they have of their own; errors as of the Protocols."""
        if self.amplifier is None:
            return bank
        apart = _drawn(self.amplifier, len(bank.offsets), mode, rng)
        offsets = apart.pop("offset", bank.offsets)
        return replace(bank, offsets=offsets, apart=apart)

    def sampled(self, volts: Floats, inverts: bool, rng: np.random.Generator) -> Floats:
        """Return what the own ADC reads; errors as of the Protocols."""
        return _ask(
            self.adc, "sampled", volts, _mode(inverts), rng, unit="V", low=-MOST_VOLTS, high=MOST_VOLTS
        )

    def driven(self, volts: Floats, inverts: bool) -> Floats:
        """Return what the own DAC puts out; errors as of the Protocols."""
        return _ask(self.dac, "driven", volts, _mode(inverts), unit="V", low=-MOST_VOLTS, high=MOST_VOLTS)

    def wire_model(self) -> WireModel | None:
        """Return the own wires as a chip takes them; None without."""
        return None if self.wires is None else partial(_transfer, self.wires)


def _mode(inverts: bool) -> CircuitMode:
    return "INVERT" if inverts else "MULTIPLY"


def _transfer(law: Wires, conductance: Floats, rows: Integers, columns: Integers, ohms: float) -> Floats:
    return _ask(
        law, "transfer", conductance, rows.copy(), columns.copy(), ohms, unit="S", low=0.0, high=MOST_SIEMENS
    )


def _ask(
    element: object, method: str, given: Floats, *others: Any, unit: str, low: float, high: float
) -> Floats:
    """Return what an element answers, float64 in the shape of `given`, which it gets a copy of."""
    name = f"the circuit's own {type(element).__qualname__}.{method}"
    answer = _array(_called(element, method, np.array(given, np.float64), *others), f"{name} returned")
    if answer.shape != given.shape or answer.dtype.kind not in "fiu":
        raise OwnCircuitError(
            f"{name} returned {answer.dtype} of shape {answer.shape}; it must return floats of shape {given.shape}"
        )
    wrong = ~((answer >= low) & (answer <= high))
    if wrong.any():
        where = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise OwnCircuitError(
            f"{name} returned {answer[where]:g} {unit} at {list(where)}, with {given[where]:g} {unit} given; it must lie "
            f"between {low:g} and {high:g} {unit}"
        )
    return np.array(answer, np.float64)  # the element may keep its own


def _array(answer: Any, name: str) -> NDArray[Any]:
    """Return an answer as an array; `name` says whose it is, in errors."""
    if is_masked_array(answer):
        raise OwnCircuitError(f"{name} a masked array, which hides values; it must return all of them")
    try:
        return np.asarray(answer)
    except Exception as error:  # each library has its own
        raise OwnCircuitError(f"{name} no array of numbers: {error}") from error


def _called(element: object, method: str, *arguments: Any) -> Any:
    try:
        return getattr(element, method)(*arguments)
    except MhoError:
        raise
    except Exception as error:  # a user's own code may raise anything
        name = f"the circuit's own {type(element).__qualname__}.{method}"
        raise OwnCircuitError(f"{name} raised {type(error).__name__}: {error}") from error


def _drawn(law: Amplifier, count: int, mode: CircuitMode, rng: np.random.Generator) -> dict[str, Floats]:
    name = f"the circuit's own {type(law).__qualname__}.draw_amplifiers"
    drawn = _called(law, "draw_amplifiers", count, mode, rng)
    if not isinstance(drawn, Mapping):
        raise OwnCircuitError(f"{name} returned {type(drawn).__name__}; it must return arrays by name")
    numbers = {}
    for what, values in drawn.items():
        if what not in APART:
            raise OwnCircuitError(f"{name} returned {what!r}; amplifiers differ in {', '.join(APART)}")
        array = _array(values, f"{name} returned {what!r}:")
        if array.shape != (count,) or array.dtype.kind not in "fiu":
            raise OwnCircuitError(
                f"{name} returned {what!r} as {array.dtype} of shape {array.shape}; it must be floats of shape ({count},)"
            )
        unit, low, high = NUMBERS[what]
        low = -high if what == "offset" else low
        wrong = ~((array >= low) & (array <= high))
        if wrong.any():
            first = int(np.argmax(wrong))
            raise OwnCircuitError(
                f"{name} returned {what} {f'{array[first]:g} {unit}'.rstrip()} for amplifier {first} in {mode}; it must "
                f"lie between {low:g} and {f'{high:g} {unit}'.rstrip()}"
            )
        numbers[str(what)] = np.array(array, np.float64)
    return numbers


def _checked(preset: AmplifierPreset) -> AmplifierPreset:
    """Return a type of amplifier that a run file can have: one whose corners are those of a packaged one."""
    if all(preset.variation != one.variation for one in AMPLIFIER_PRESETS.values()):
        raise BenchError(
            f"amplifier {preset.name!r} has corners of its own, which a run file does not have; make it of a packaged one, "
            "as amplifier_preset('AD823').but(gain=1e3)"
        )
    return replace(
        preset.but(name=preset.name, **{one: getattr(preset, one) for one in NUMBERS}), offset_shift=0.0
    )


def elements_of(sources: Sequence[object]) -> CircuitElements:
    """Return the elements that several objects are, later before earlier ones; errors as `CircuitElements.and_this`."""
    elements = CircuitElements()
    for one in sources:
        elements = elements.and_this(one)
    return elements
