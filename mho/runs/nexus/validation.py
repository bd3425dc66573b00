"""Checks whether an HDF5 file follows the NeXus definition `NXrram_array`: one sentence for each deviation.

The definition is read from its NXDL (NeXus manual, chapter "NeXus Definition Language"), as far as `NXrram_array` uses it.
What it does not speak of is allowed; the signal of an NXdata must be one of its fields, with as many axes as dimensions.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from mho.errors import RunFileError
from mho.runs.reading import intact, items_of, open_hdf5
from mho.runs.schema import DEFINITION, DEFINITION_VERSION
from mho.runs.units import factor_between

FILE = f"{DEFINITION}.nxdl.xml"
_SPACE = "{http://definition.nexusformat.org/nxdl/3.1}"

Kind = Literal["group", "field", "attribute"]


@dataclass(frozen=True)
class Item:
    """A group, field or attribute as the definition asks for it."""

    kind: Kind
    name: str  # "" for any name that no sibling has
    type: str  # the class of a group, the type of a field or an attribute
    required: bool  # a file without it does not follow the definition
    units: str = ""  # a category (``NX_TIME``) or a unit of the kind that is asked for; "" where nothing is
    values: tuple[str, ...] = ()  # the words allowed; none for any
    rank: int | None = None  # number of dimensions; None for any
    # what the lengths are called, by dimension from 0: a number, or a symbol that has one value in a group
    dimensions: tuple[tuple[int, str], ...] = ()
    doc: str = ""  # what it is, one line
    members: tuple[Item, ...] = ()

    def of_kind(self, kind: Kind) -> tuple[Item, ...]:
        """Return the members of one kind."""
        return tuple(one for one in self.members if one.kind == kind)


@cache
def definition_text() -> str:
    """Return the NXDL of `NXrram_array`."""
    return files(__package__).joinpath(FILE).read_text("utf-8")


@cache
def entry_definition() -> Item:
    """Return what `NXrram_array` asks of an entry."""
    (entry,) = ElementTree.fromstring(definition_text()).findall(f"{_SPACE}group")
    return _item(entry)


def _item(element: ElementTree.Element) -> Item:
    kind: Kind = element.tag.removeprefix(_SPACE)  # type: ignore[assignment]
    name = "" if element.get("nameType") == "any" else element.get("name", "")
    dimensions = element.find(f"{_SPACE}dimensions")
    rank = "" if dimensions is None else dimensions.get("rank", "")
    waived = "true" in (element.get("optional"), element.get("recommended"))
    return Item(
        kind,
        name,
        element.get("type", "NX_CHAR"),
        # As all are in an application definition that do not say otherwise
        not waived and element.get("minOccurs", "1") != "0",
        element.get("units", ""),
        tuple(one.get("value", "") for one in element.findall(f"{_SPACE}enumeration/{_SPACE}item")),
        int(rank) if rank.isdecimal() else None,
        tuple(
            (int(one.get("index", "1")) - 1, one.get("value", ""))
            for one in (dimensions if dimensions is not None else ())
            if one.tag == f"{_SPACE}dim"
        ),
        " ".join(element.findtext(f"{_SPACE}doc", "").split()),
        tuple(
            _item(one) for one in element if one.tag.removeprefix(_SPACE) in ("group", "field", "attribute")
        ),
    )


# A unit of each category of units that definitions here use
CATEGORIES = {
    "NX_TIME": "s", "NX_VOLTAGE": "V", "NX_CURRENT": "A", "NX_TEMPERATURE": "K", "NX_FREQUENCY": "Hz",
    "NX_LENGTH": "m", "NX_ENERGY": "J", "NX_POWER": "W", "NX_CHARGE": "C", "NX_UNITLESS": "", "NX_DIMENSIONLESS": "",
}  # fmt: skip

# Kinds of numpy types that fit a type of NeXus; S stands for text of any length
KINDS = {
    "NX_CHAR": "S", "NX_DATE_TIME": "S", "ISO8601": "S", "NX_INT": "iu", "NX_UINT": "iu", "NX_POSINT": "iu",
    "NX_FLOAT": "f", "NX_BOOLEAN": "b", "NX_COMPLEX": "c", "NX_NUMBER": "biufc", "NX_CHAR_OR_NUMBER": "Sbiufc",
}  # fmt: skip

WORDS = {
    "S": "text", "i": "integers", "u": "integers", "f": "floats", "b": "truth values", "c": "complex numbers",
}  # fmt: skip

LONGEST_TEXT = 1 << 16  # bytes of a text that is compared with words, or read as a time


@dataclass(frozen=True)
class Conformance:
    """What a file has to do with the definition.

    Attributes
    ----------
    deviations : tuple of str
        One sentence each; none where the file follows the definition.
    """

    path: Path
    deviations: tuple[str, ...] = ()

    @property
    def conforms(self) -> bool:
        """Whether the file follows the definition."""
        return not self.deviations


def check_conformance(path: str | os.PathLike[str]) -> Conformance:
    """Compare the file at `path` with `NXrram_array`; it is not changed, and need not be one of mho's.

    A file that cannot be read deviates, too; no error is raised.
    """
    path = Path(path)
    try:
        with closing(open_hdf5(path)) as file, intact(path):
            return Conformance(path, tuple(_deviations(file)))
    except RunFileError as error:
        return Conformance(path, (str(error),))


def follows(entry: h5py.Group) -> bool:
    """Return whether an entry is as the definition asks, though it may not say that it follows it."""
    return all(
        one.startswith(f"{entry.name}/definition is missing") for one in _group(entry, entry_definition())
    )


def _deviations(file: h5py.File) -> Iterator[str]:
    entries = [item for _, item in items_of(file) if _class_of(item) == "NXentry"]
    ours = [entry for entry in entries if _text(entry.get("definition")) == DEFINITION]
    if not entries:
        yield f"the file has no group of class NXentry; the definition describes one as {DEFINITION}"
    elif not ours:
        names = ", ".join(entry.name for entry in entries)
        yield f"no entry says definition = {DEFINITION}; there {'is' if len(entries) == 1 else 'are'} {names}"
    for entry in ours:
        yield from _group(entry, entry_definition())
        version = str(_attribute(entry["definition"], "version") or DEFINITION_VERSION)
        if version.partition(".")[0] != DEFINITION_VERSION.partition(".")[0]:
            yield (
                f"{entry.name} follows version {version} of {DEFINITION}, this mho knows {DEFINITION_VERSION}; update mho"
            )


def _group(group: h5py.Group, definition: Item) -> Iterator[str]:
    """Yield how a group differs from what is wanted of it, members and attributes included."""
    yield from _attributes(group, definition)
    named = {one.name: one for one in definition.members if one.name and one.kind != "attribute"}
    lengths: dict[str, tuple[int, str]] = {}
    items = dict(items_of(group))
    for name, asked in named.items():
        if asked.required and name not in items:
            yield f"{group.name.rstrip('/')}/{name} is missing; the definition requires it: {asked.doc}"
    for name, item in items.items():
        one = named.get(name) or _for_any_name(item, definition)
        if one is None:
            continue
        if isinstance(item, h5py.Group) != (one.kind == "group"):
            what = "field" if one.kind == "group" else "group"
            yield f"{item.name} is a {what}, where a {one.kind} is expected: {one.doc}"
        elif isinstance(item, h5py.Group):
            if _class_of(item) != one.type:
                found_class = (
                    f"has the class {_class_of(item)}" if _class_of(item) else "has no attribute NX_class"
                )
                yield f"{item.name} {found_class}; {one.type} is expected: {one.doc}"
            else:
                yield from _group(item, one)
        else:
            yield from _field(item, one, lengths)
    for one in definition.of_kind("group"):
        if not one.name and one.required and not any(_class_of(item) == one.type for item in items.values()):
            yield f"{group.name} has no group of class {one.type}; the definition requires one: {one.doc}"
    if definition.type == "NXdata":
        yield from _plot(group)


def _for_any_name(item: Any, definition: Item) -> Item | None:
    """Return what the definition says of members of this kind that it does not name."""
    kind = "group" if isinstance(item, h5py.Group) else "field"
    of_any_name = [one for one in definition.members if one.kind == kind and not one.name]
    return next((one for one in of_any_name if kind == "field" or one.type == _class_of(item)), None)


def _field(field: h5py.Dataset, definition: Item, lengths: dict[str, tuple[int, str]]) -> Iterator[str]:
    """Yield how a field differs; `lengths` are those of the symbols that its neighbours have set, and by whom."""
    kind = _kind(field)
    if kind not in KINDS.get(definition.type, kind):
        yield f"{field.name} holds {WORDS.get(kind, str(field.dtype))}, not {definition.type}: {definition.doc}"
        return
    yield from _attributes(field, definition)
    yield from _unit(field, definition)
    yield from _shape(field, definition, lengths)
    if definition.values and _text(field) not in definition.values:
        yield f"{field.name} is {_text(field)!r}, not one of {', '.join(definition.values)}"
    if definition.type in ("NX_DATE_TIME", "ISO8601"):
        text = _text(field)
        if (text or definition.required) and not _is_time(text):
            yield f"{field.name} is {text!r}, no time as ISO 8601 has it (2026-03-09T07:05:01+01:00)"


def _unit(field: h5py.Dataset, definition: Item) -> Iterator[str]:
    if not definition.units:
        return
    unit = _attribute(field, "units")
    asked = None if definition.units == "NX_ANY" else CATEGORIES.get(definition.units, definition.units)
    if unit is None:
        kind = "" if asked is None else f" of the kind of {asked!r}"
        yield f"{field.name} has no attribute units; the definition requires one{kind}: {definition.doc}"
    elif not isinstance(unit, str):
        yield f"{field.name} has an attribute units that is no text"
    elif asked is not None and factor_between(unit, asked) is None:
        yield f"{field.name} has the unit {unit!r}, which is not of the kind of {asked!r}: {definition.doc}"


def _shape(field: h5py.Dataset, definition: Item, lengths: dict[str, tuple[int, str]]) -> Iterator[str]:
    shape = field.shape or ()
    least = max((index for index, _ in definition.dimensions), default=-1) + 1
    if len(shape) < least or (definition.rank is not None and len(shape) != definition.rank):
        many = (
            f"{definition.rank} dimensions" if definition.rank is not None else f"{least} or more dimensions"
        )
        yield f"{field.name} has the shape {shape}, where {many} are expected: {definition.doc}"
        return
    for index, length in definition.dimensions:
        if length.isdecimal():
            known, by = int(length), "the definition"
        else:
            known, by = lengths.setdefault(length, (shape[index], field.name))
        if shape[index] != known:
            yield f"{field.name} has {shape[index]} along dimension {index + 1}, and {by} has {known} ({length})"


def _attributes(item: h5py.HLObject, definition: Item) -> Iterator[str]:
    for one in definition.of_kind("attribute"):
        value = _attribute(item, one.name)
        if value is None:
            if one.required:
                yield f"{item.name} has no attribute {one.name}; the definition requires it: {one.doc}"
        elif not all(isinstance(part, str) for part in np.ravel(value).tolist()):
            yield f"{item.name} has an attribute {one.name} that is no text: {one.doc}"
        elif one.values and str(value) not in one.values:
            yield f"{item.name} has the attribute {one.name} = {str(value)!r}, not one of {', '.join(one.values)}"


def _plot(group: h5py.Group) -> Iterator[str]:
    """Yield where an NXdata breaks NeXus's own rules for plots."""
    signal = _attribute(group, "signal")
    if not isinstance(signal, str):
        return
    drawn = group.get(signal)
    if not isinstance(drawn, h5py.Dataset):
        yield f"{group.name} has the attribute signal = {signal!r}, which is none of its fields"
        return
    axes = [str(axis) for axis in np.ravel(_attribute(group, "axes") or []).tolist()]
    if axes and len(axes) != drawn.ndim:
        yield f"{group.name} has {len(axes)} axes for the {drawn.ndim} dimensions of its signal {signal}"
    for axis in axes:
        if axis != "." and axis not in group:
            yield f"{group.name} has the axis {axis!r}, which is none of its fields"


def _class_of(item: Any) -> str:
    return str(_attribute(item, "NX_class") or "") if isinstance(item, h5py.Group) else ""


def _attribute(item: h5py.HLObject, name: str) -> Any:
    """Return an attribute, its texts as `str` whatever type they are stored in, several as a list; None without one."""
    value = item.attrs.get(name)
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in value]
    return value


def _kind(field: h5py.Dataset) -> str:
    """Return numpy's letter for the kind of a field's type, S for text of any length."""
    return "S" if h5py.check_string_dtype(field.dtype) is not None else str(field.dtype.kind)


def _text(field: Any) -> str:
    """Return the text of a field of one element; "" of anything else."""
    if not isinstance(field, h5py.Dataset) or _kind(field) != "S" or field.size != 1:
        return ""
    if field.dtype.itemsize > LONGEST_TEXT:
        return ""
    value = np.ravel(field[()])[0]
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
