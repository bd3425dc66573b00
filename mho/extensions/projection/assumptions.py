"""What a projection assumes: every parameter with its unit, value, range and source; checked at the edge."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError, nearest
from mho.toml import load_toml

Value = float | NDArray[np.float64]


@dataclass(frozen=True)
class Assumption:
    """One parameter."""

    # name, unit: SI unit; "" for a pure number
    name: str
    unit: str
    # value, low, high: the value in use, and the range that is thought possible: for the tornado and the
    # bands
    value: float
    low: float
    high: float
    source: str  # who says so
    meaning: str  # what it is, in a few words
    whole: bool = False  # whether it counts something
    # least, most: beyond them a value is refused
    least: float = 0.0
    most: float = math.inf

    def __post_init__(self) -> None:
        for named in ("value", "low", "high"):
            self._check(named, getattr(self, named))
        if not self.low <= self.value <= self.high:
            raise InputError(
                f"assumption {self.name}: value {self.value:g} lies outside its own range, low {self.low:g} to high "
                f"{self.high:g} {self.unit}; give low <= value <= high".replace(" ;", ";")
            )

    def _check(self, named: str, given: float) -> None:
        if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
            raise InputError(f"assumption {self.name}: {named} is {given!r}; give a finite number")
        if not self.least <= given <= self.most:
            bounds = f"{self.least:g} to {self.most:g}" if self.most < math.inf else f"{self.least:g} or more"
            raise InputError(
                f"assumption {self.name}: {named} {given:g} is out of range; give {bounds} {self.unit}".rstrip()
            )
        if self.whole and given != round(given):
            raise InputError(
                f"assumption {self.name}: {named} {given:g} is no whole number, and it counts something"
            )

    def at(self, value: float, source: str) -> Assumption:
        """Return it with another value, its range kept, and widened where the value lies outside it.

        Raises `InputError`: a value beyond what is possible at all.
        """
        self._check("value", value)
        return replace(self, value=value, low=min(self.low, value), high=max(self.high, value), source=source)


@dataclass(frozen=True)
class Parameters:
    """The values alone; each a number, or an array that broadcasts with the others (draws)."""

    loop_size: Value
    inv_time: Value
    mvm_time: Value
    conversion_time: Value
    bits: Value
    bits_per_cycle: Value
    slice_bits: Value
    slices_at_once: Value
    vector_slices: Value
    line_groups: Value
    cells_per_element: Value
    inv_amplifiers: Value
    amplifier_power: Value
    idle_share: Value
    conversion_energy: Value
    adding_energy: Value
    read_voltage: Value
    mean_conductance: Value
    write_pulses: Value
    pulse_time: Value
    pulse_energy: Value
    cells_at_once: Value
    cell_area: Value
    amplifier_area: Value
    converter_area: Value
    cells_per_chip: Value
    bandwidth: Value
    row_capacitance: Value
    row_conductance: Value
    cell_conductance: Value
    smallest_eigenvalue: Value
    settling_error: Value
    gpu_memory_rate: Value
    gpu_rate: Value
    gpu_power: Value
    gpu_cores: Value
    gpu_area: Value
    gpu_reached: Value
    cpu_memory_rate: Value
    cpu_rate: Value
    cpu_power: Value
    cpu_cores: Value
    core_rate: Value
    core_efficiency: Value
    gpu_fp64_rate: Value
    gpu_fp64_tensor_rate: Value
    gpu_fp64_emulated_rate: Value
    gpu_fp16_tensor_rate: Value
    gpu_fp16_bits: Value
    superchip_memory_rate: Value
    superchip_power: Value


@dataclass(frozen=True)
class Assumptions(Mapping[str, Assumption]):
    """A named, complete set of assumptions; `parameters` are its values."""

    name: str
    about: str
    each: Mapping[str, Assumption]

    def __post_init__(self) -> None:
        names = {one.name for one in fields(Parameters)}
        if names != set(self.each):
            raise InputError(f"assumptions {self.name} lack {', '.join(sorted(names ^ set(self.each)))}")

    def __getitem__(self, name: str) -> Assumption:
        return self.each[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.each)

    def __len__(self) -> int:
        return len(self.each)

    @property
    def parameters(self) -> Parameters:
        """The values in use."""
        return Parameters(**{name: one.value for name, one in self.each.items()})

    def at(self, name: str, value: float) -> Parameters:
        """Return the values in use, with one of them at `value`."""
        self.named(name)
        return replace(self.parameters, **{name: value})

    def named(self, name: str) -> Assumption:
        """Return one assumption.

        Raises `InputError`: there is none of that name; the nearest is named.
        """
        if name not in self.each:
            raise InputError(f"no assumption is called {name!r}; {nearest(name, self.each, cutoff=0.4)}")
        return self.each[name]

    def over(self, values: Mapping[str, float], source: str) -> Assumptions:
        """Return the set with other values.

        Raises `InputError`: an unknown name, or a value out of range.
        """
        changed = {name: self.named(name).at(value, source) for name, value in values.items()}
        return replace(self, each={**self.each, **changed})

    @property
    def text(self) -> str:
        """The set as the TOML that `with_file` reads."""
        return "\n".join(
            f"[{one.name}]  # {one.meaning}\nvalue = {one.value!r}\nlow = {one.low!r}\nhigh = {one.high!r}\n"
            f"source = {json.dumps(one.source)}\n"
            for one in self.values()
        )

    def with_file(self, path: Path) -> Assumptions:
        """Return the set with what a TOML file says: ``NAME = VALUE``, or a table with value, low, high and source.

        Raises `InputError`: the file cannot be read, or says what no assumption can be.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"assumptions {path} cannot be read: {getattr(error, 'strerror', error)}"
            ) from None
        changed = {}
        for name, said in load_toml(text, str(path), InputError).items():
            try:
                changed[name] = _said(self.named(name), said, path.name)
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
        return replace(self, name=f"{self.name} + {path.name}", each={**self.each, **changed})


def _said(one: Assumption, said: Any, source: str) -> Assumption:
    """Return an assumption as a file says it."""
    if not isinstance(said, dict):
        return one.at(said, source)
    unknown = sorted(set(said) - {"value", "low", "high", "source"})
    if unknown:
        raise InputError(f"assumption {one.name}: unknown key {unknown[0]!r}; write value, low, high, source")
    if not isinstance(said.get("source", source), str):
        raise InputError(f"assumption {one.name}: source is {said['source']!r}; write it as text")
    value = said.get("value", one.value)
    wide = one.at(value, said.get("source", source))
    return replace(wide, low=said.get("low", wide.low), high=said.get("high", wide.high))


def parsed(texts: list[str]) -> dict[str, float]:
    """Return values by name of texts such as ``inv_time=20e-9``.

    Raises
    ------
    InputError
        A text that is no NAME=VALUE, or whose value is no number.
    """
    numbers: dict[str, float] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise InputError(f"--set {text}: write NAME=VALUE, such as inv_time=20e-9")
        try:
            numbers[name] = float(value)
        except ValueError:
            raise InputError(
                f"--set {text}: {value!r} is no number; write it in SI units, such as 20e-9"
            ) from None
    return numbers
