"""Elements of the circuits by name, and as a run file has them: an amplifier's numbers, and classes of a user's own.

[amplifier]
name = "AD823-own"
base = "AD823"           # what is not given below is as there
numbers = { gain = 1000.0 }

[[elements]]             # as ``[[laws]]`` of a preset file
name = "my_adc.py:Coarse"
fields = { bits = 8 }
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeAlias

from mho.errors import BenchError
from mho.instruments.simulated.physics.cells.own_laws import class_name_of, fields_of
from mho.instruments.simulated.physics.cells.presets import OwnLaw, law_lines
from mho.instruments.simulated.physics.circuits.amplifiers import (
    AMPLIFIER_PRESETS,
    NUMBERS,
    AmplifierPreset,
    amplifier_preset,
)
from mho.instruments.simulated.physics.circuits.own_elements import (
    Adc,
    Amplifier,
    CircuitElements,
    Dac,
    Wires,
    elements_of,
)
from mho.own_code import AGREED, import_named
from mho.toml import StrictModel, parse_toml

GROUP = "mho.circuits"  # of entry points
NOUN = "element of a circuit"

Element: TypeAlias = str | AmplifierPreset | Amplifier | Adc | Dac | Wires | CircuitElements
"""One element: by name, or itself."""
Circuit: TypeAlias = Element | Sequence[Element]
"""What names or is elements of a circuit, as `circuit_elements` takes it."""


class AmplifierNumbers(StrictModel):
    """An amplifier that differs in some numbers from a packaged one."""

    name: str
    base: str
    numbers: dict[str, float] = {}

    def made(self) -> AmplifierPreset:
        """Return the amplifier; errors as of `AmplifierPreset.but`."""
        return amplifier_preset(self.base).but(name=self.name, **self.numbers)


class CircuitFile(StrictModel):
    """The sections of a circuit's text in a run file."""

    amplifier: AmplifierNumbers | None = None
    elements: list[OwnLaw] = []


def circuit_elements(source: Circuit) -> CircuitElements:
    """Return elements of a circuit, in place of a simulated bench's own.

    Parameters
    ----------
    source : str, object, class, or a sequence of these
        An `AmplifierPreset`, a packaged one's name among them, or an object or a class with the methods of `Amplifier`,
        `Adc`, `Dac` or `Wires`; ``module:Class``, ``path/file.py:Class`` or an entry point of the group ``mho.circuits``,
        which are one of these; or the text that a run file has of them. Of two elements of one kind the later counts.

    Returns
    -------
    CircuitElements

    Raises
    ------
    BenchError
        For an unknown name (the known ones are listed), and for what is no element.
    InputError
        For code of one's own that is not there, or cannot be loaded.

    Examples
    --------
    >>> from mho.circuits import amplifier_preset, circuit_elements
    >>> circuit_elements(amplifier_preset("AD823").but(gain=1e3)).name
    'AD823-own'
    """
    several = source if isinstance(source, list | tuple) and not hasattr(source, "_fields") else [source]
    if not several:
        raise BenchError("the circuit is an empty list; leave it out for the bench's own circuits")
    elements = elements_of([_named(one) if isinstance(one, str) else one for one in several])
    # A user has given these, so that a run in this process may make them again.
    AGREED.update(class_name_of(one) for one in elements.objects())
    return elements


def _named(source: str) -> object:
    if "\n" in source:
        return parse_circuit(source, "the circuit in the run file")
    if source in AMPLIFIER_PRESETS:
        return AMPLIFIER_PRESETS[source]
    if ":" in source:
        return import_named(source, NOUN)
    from mho.extension_points import find_offer, offers  # packages' metadata: only for other names

    offer = find_offer(GROUP, NOUN, source)
    if offer is None:
        known = ", ".join((*AMPLIFIER_PRESETS, *offers(GROUP)))
        raise BenchError(
            f"unknown circuit {source!r}; there are the amplifiers {known}, or name an element of one's own, module:Class "
            "or path/file.py:Class"
        )
    return import_named(offer.target, NOUN)


def parse_circuit(text: str, source: str) -> CircuitElements:
    """Return the elements of a circuit's text; `source` names it in errors (`BenchError`)."""
    file = parse_toml(text, CircuitFile, source, BenchError)
    amplifiers = [] if file.amplifier is None else [file.amplifier.made()]
    return elements_of([*amplifiers, *(one.made(source, NOUN) for one in file.elements)])


def circuit_text(elements: CircuitElements) -> str:
    """Return a text of elements from which they are made again."""
    lines = []
    if (amplifier := elements.preset) is not None:
        base = next(one for one in AMPLIFIER_PRESETS.values() if one.variation == amplifier.variation)
        numbers = {name: float(getattr(amplifier, name)) for name in NUMBERS}
        different = [f"{name} = {one!r}" for name, one in numbers.items() if one != getattr(base, name)]
        lines = ["[amplifier]", f"name = {json.dumps(amplifier.name)}", f'base = "{base.name}"']
        lines += [f"numbers = {{ {', '.join(different)} }}"]
    for element in elements.objects():
        lines += ["", "[[elements]]", f"name = {json.dumps(class_name_of(element))}"]
        lines += law_lines(fields_of(element), "elements")
    return "\n".join(lines) + "\n"


def circuit_code_of(text: str) -> tuple[str, ...]:
    """Return the classes of a user's own that a circuit's text would load; nothing is loaded."""
    if not text:
        return ()
    return tuple(
        one.name for one in parse_toml(text, CircuitFile, "the circuit in the run file", BenchError).elements
    )
