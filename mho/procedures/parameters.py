"""PyMeasure's Parameters, and the base class of objects that declare some; only this module imports `pymeasure.experiment`.

That package imports pandas and pint for its CSV results and units. They load more slowly than everything else here
together, and procedures do not use them. Its module of parameters needs neither, so it is imported without running the
package's ``__init__``.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any

from mho.extension_points import find_offer

PACKAGE = "pymeasure.experiment"

if PACKAGE not in sys.modules:
    spec = find_spec(PACKAGE)
    assert spec is not None
    sys.modules[PACKAGE] = module_from_spec(spec)  # not executed: it only provides the path of its modules
    try:
        import_module(f"{PACKAGE}.parameters")
    finally:
        del sys.modules[PACKAGE]  # a later import of the package loads all of it, with the same classes

from pymeasure.experiment.parameters import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
)

__all__ = [
    "BooleanParameter", "FloatParameter", "IntegerParameter", "ListParameter", "OwnCodeParameter", "Parameter",
    "code_noun", "own_parameters",
]  # fmt: skip


class OwnCodeParameter(ListParameter):
    """One of the `choices`, or a class of one's own: itself, ``module:Class``, ``path/file.py:Class`` or an entry point.

    `noun`: what it is: "refinement"; entry points are of the group ``mho.refinements``.
    """

    def __init__(self, name: str, noun: str, **facts: Any) -> None:
        super().__init__(name, **facts)
        self.noun = noun

    def convert(self, value: Any) -> Any:
        """Return a class and its name as they are, and what is neither as a choice."""
        if isinstance(value, type) or (isinstance(value, str) and self._names_code(value)):
            return value
        return super().convert(value)

    def _names_code(self, value: str) -> bool:
        return ":" in value or (
            value not in map(str, self.choices)
            and find_offer(f"mho.{self.noun}s", self.noun, value) is not None
        )


def code_noun(parameter: Parameter) -> str:
    """Return what a parameter may name beside its choices: "refinement"; "" for one that names no code."""
    return str(getattr(parameter, "noun", ""))


def own_parameters(kind: type) -> dict[str, Parameter]:
    """Return Parameters of one's own of those that a class declares, in that order, those of a base class first."""
    return {
        name: deepcopy(parameter)
        for base in reversed(kind.__mro__)
        for name, parameter in vars(base).items()
        if isinstance(parameter, Parameter) and getattr(kind, name, None) is parameter
    }
