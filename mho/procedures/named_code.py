"""Code that a parameter names: a strategy, a refinement, an encoding, a preconditioning; mho's, a package's, one's own.

A parameter of one of the names in `CODE` has a known name, ``module:Class``, ``path/file.py:Class``, the name of an entry
point of a package, or in a script the class itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from mho.errors import InputError, nearest
from mho.extension_points import find_offer, usable_offers
from mho.own_code import check_kind, import_own, name_of

_STRATEGIES = "mho.procedures.cells.programming.strategies"


@dataclass(frozen=True)
class CodeKind:
    """One kind of code.

    Attributes
    ----------
    noun : str
        What it is, for errors.
    group : str
        Entry-point group: ``halving = "my_lab.programming:Halving"``.
    base : str
        ``module:Class`` that it derives from, or whose methods it has.
    known : mapping
        mho's own, ``module:Class`` by name: each is imported when it is used.
    """

    noun: str
    group: str
    base: str
    known: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Return the names of mho's own and of those of installed packages."""
        return sorted({*self.known, *usable_offers(self.group, self.noun, self.known)})

    def target(self, name: str) -> str:
        """Return ``module:Class`` or ``path/file.py:Class``, which `find` would load for `name`; loads nothing.

        Raises `InputError` for a name without a colon that nothing is known of, with the nearest.
        """
        if ":" in name:
            return name
        if name.lower() in self.known:
            return self.known[name.lower()]
        if (offer := find_offer(self.group, self.noun, name)) is not None:
            return offer.target
        raise InputError(
            f"there is no {self.noun} {name!r}, and one of your own is written module:Class or path/file.py:Class; "
            f"{nearest(name, self.names())}"
        )

    def find(self, named: str | type) -> type[Any]:
        """Return the class that is named, or given.

        Raises `InputError` when there is none, it cannot be loaded, or it is of another kind, with the reason.
        """
        place, _, name = self.base.partition(":")
        base = getattr(import_module(place), name)
        if isinstance(named, str):
            return import_own(self.target(named), base, self.noun)
        check_kind(named, name_of(named), base, self.noun)
        return named


CODE: Mapping[str, CodeKind] = {
    "strategy": CodeKind(
        "strategy", "mho.strategies", "mho.procedures.cells.programming.strategy:Strategy",
        {
            "asap": f"{_STRATEGIES}.literature:Asap", "fppv": f"{_STRATEGIES}.literature:Fppv",
            "gdp": f"{_STRATEGIES}.literature:Gdp", "ispp": f"{_STRATEGIES}.literature:Ispp",
            "model": f"{_STRATEGIES}.model:Model",
        },
    ),
    "method": CodeKind(
        "refinement", "mho.refinements", "mho.procedures.equations.algorithms.refinement:Refinement"
    ),
    "encoding": CodeKind("encoding", "mho.encodings", "mho.chip_maps.inverse_encoding:Encoding"),
    "preconditioning": CodeKind(
        "preconditioning", "mho.preconditionings", "mho.chip_maps.preconditioning:OwnPreconditioning"
    ),
}  # fmt: skip
"""The kinds of code by the name of the parameter."""


def target_of(parameter: str, value: object) -> str:
    """Return ``module:Class`` of the code that a parameter names; "" where it names none, or one of its fixed choices."""
    kind = CODE.get(parameter)
    if kind is None or not value:
        return ""
    if isinstance(value, type):
        return name_of(value)
    text = str(value)
    if ":" in text or kind.known or find_offer(kind.group, kind.noun, text) is not None:
        return kind.target(text)
    return ""


def code_named(values: Mapping[str, object]) -> dict[str, str]:
    """Return ``module:Class`` of all code that parameters name, by parameter; loads nothing."""
    return {name: target for name in CODE if (target := target_of(name, values.get(name)))}
