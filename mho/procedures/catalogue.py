"""The known procedures, and creation of one from a name and values as in files and on command lines."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from copy import copy
from functools import cache
from typing import Any, cast

from mho.errors import InputError, nearest
from mho.procedures.base import Procedure, check_phases, set_parameter
from mho.procedures.manifest import ParameterEntry, ProcedureEntry, class_name, entry_of
from mho.procedures.origin import import_procedure
from mho.procedures.parameters import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    OwnCodeParameter,
    Parameter,
    theirs,
)
from mho.procedures.quantities import parse_quantity

KINDS: Mapping[str, type[Parameter]] = {
    "boolean": BooleanParameter, "integer": IntegerParameter, "float": FloatParameter, "list": ListParameter,
    "code": OwnCodeParameter, "text": Parameter,
}  # fmt: skip
"""The classes of parameters, by the `kind` of a `ParameterEntry`."""


def find_procedure(name: str) -> type[Procedure]:
    """Return the procedure called `name`, ``module:Class`` or ``path/file.py:Class``.

    Raises `InputError` when there is none, with the nearest name, or the reason why it cannot be loaded.
    """
    kind = import_procedure(class_name(name))
    check_phases(cast(Hashable, kind))
    return kind


def make_procedure(name: str, values: Mapping[str, Any]) -> Procedure:
    """Create the procedure called `name` with its parameters set.

    `values`: by parameter; for a numeric parameter a text may have a unit (``"200mV"``). Raises `InputError` for an
    unknown procedure or parameter (the nearest is named), a wrong unit, or a value that the parameter refuses.
    """
    kind = find_procedure(name)
    form = form_of(kind)
    for key in values:
        if key not in form:
            raise InputError(f"{name} has no parameter {key!r}; {nearest(key, form)}")
    return kind(**{key: plain_value(key, form[key], value) for key, value in values.items()})


def form_of(kind: type[Procedure]) -> Mapping[str, Parameter]:
    """Return the parameters of a procedure by name, read-only; cached, as creating them takes a millisecond."""
    return _form(cast(Hashable, kind))


@cache
def _form(kind: Any) -> Mapping[str, Parameter]:
    form: Mapping[str, Parameter] = kind().form()
    return form


def form_named(name: str) -> Mapping[str, Parameter]:
    """Return the parameters of the procedure called `name`, read-only; where a manifest has them nothing is imported."""
    return parameters_of(entry_of(name))


def parameters_of(entry: ProcedureEntry) -> Mapping[str, Parameter]:
    """Return the parameters of a procedure, read-only; where a manifest has them nothing is imported."""
    if entry.imported:
        return form_of(import_procedure(entry.target))
    return {key: _parameter_of(one) for key, one in entry.parameters.items()}


def _parameter_of(entry: ParameterEntry) -> Parameter:
    facts = {
        key: value
        for key in ("default", "units", "minimum", "maximum", "choices", "noun")
        if (value := getattr(entry, key)) not in (None, ())
    }
    return KINDS[entry.kind](entry.name, **facts)


def plain_value(key: str, parameter: Parameter, value: Any) -> Any:
    """Convert `value` for a parameter: texts become numbers in its unit, and nothing is truncated.

    Raises `InputError` for a text that is no such number, and for a fraction where a whole number is required.
    """
    whole = isinstance(parameter, theirs.IntegerParameter)
    if not whole and not isinstance(parameter, theirs.FloatParameter):
        return _truth(key, value) if isinstance(parameter, theirs.BooleanParameter) else value
    if isinstance(value, str):
        value = parse_quantity(value, getattr(parameter, "units", None) or "", key)
    if whole and isinstance(value, float):  # PyMeasure would truncate 12.7 to 12
        if not value.is_integer():
            raise InputError(f"{key} is {value:g}; it is a whole number")
        value = int(value)
    return value


def accepted(parameter: Parameter, key: str, value: Any) -> Any:
    """Return the value of a procedure's parameter after setting it to `value`; errors as `make_procedure`."""
    one = copy(parameter)
    return set_parameter(one, key, plain_value(key, one, value))


def _truth(key: str, value: Any) -> bool:
    words = {
        "yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False,
        "0": False,
    }  # fmt: skip
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise InputError(f"{key} is {value!r}; it is yes or no")
    return words[str(value).lower()]
