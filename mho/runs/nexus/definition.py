"""Reads a NeXus application definition: which groups, fields and attributes an entry must have, and of what kind.

The part of NXDL (NeXus manual, chapter "NeXus Definition Language") that `NXrram_array` is written in: groups, fields,
attributes, enumerations, dimensions with symbols, units, and names that stand for any name.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from mho.runs.schema import DEFINITION

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
    return Item(
        kind,
        name,
        element.get("type", "NX_CHAR"),
        _is_required(element),
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


def _is_required(element: ElementTree.Element) -> bool:
    """Return whether an item is required, as all are in an application definition that do not say otherwise."""
    waived = "true" in (element.get("optional"), element.get("recommended"))
    return not waived and element.get("minOccurs", "1") != "0"
