"""The known procedures, and creation of one from a name and values as in files and on command lines."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Hashable, Mapping
from copy import copy
from functools import cache
from importlib.metadata import entry_points
from typing import Any, cast

from mho.errors import InputError
from mho.former_names import current_name
from mho.procedures.base import Procedure, check_phases, set_parameter
from mho.procedures.origin import import_procedure, name_of
from mho.procedures.parameters import BooleanParameter, FloatParameter, IntegerParameter, Parameter
from mho.procedures.quantities import parse_quantity

log = logging.getLogger(__name__)

ENTRY_POINTS = "mho.procedures"
"""Entry-point group of a package's procedures: ``endurance = "my_lab.cells:Endurance"``."""


def packaged_procedures() -> dict[str, type[Procedure]]:
    """Return mho's own procedures, by their name in lower case."""
    import mho.procedures as procedures

    offered = [getattr(procedures, name) for name in procedures.__all__]
    kinds = [one for one in offered if isinstance(one, type) and issubclass(one, Procedure)]
    return {kind.__name__.lower(): kind for kind in kinds if kind is not Procedure}


def installed_names() -> dict[str, str]:
    """Return the procedures of installed packages (entry points): ``module:Class`` by name in lower case."""
    points = entry_points(group=ENTRY_POINTS)
    return {point.name.lower(): point.value.replace(" ", "") for point in points}


def known_procedures() -> dict[str, type[Procedure]]:
    """Return the procedures known by name: mho's own, and those of installed packages that can be loaded."""
    known = packaged_procedures()
    for name, target in installed_names().items():
        if name not in known:
            try:
                known[name] = _checked(import_procedure(target))
            except InputError as error:  # one broken package must not hide the others
                log.warning("procedure %r is not offered: %s", name, error)
    return known


def find_procedure(name: str) -> type[Procedure]:
    """Return the procedure called `name`, ``module:Class`` or ``path/file.py:Class``.

    Raises
    ------
    InputError
        When there is none, with the nearest name, or the reason why it cannot be loaded.
    """
    name = current_name(name)
    packaged = packaged_procedures().get(name.lower())
    return _checked(import_procedure(class_name(name))) if packaged is None else packaged


def class_name(name: str) -> str:
    """Return ``module:Class`` or ``path/file.py:Class``, which `find_procedure` would load for `name`; loads nothing.

    Raises
    ------
    InputError
        For a name without a colon that is known neither to mho nor to an installed package, with the nearest one.
    """
    name = current_name(name)
    if ":" in name:
        return name
    packaged = packaged_procedures()
    if (kind := packaged.get(name.lower())) is not None:
        return name_of(kind)
    installed = installed_names()
    if name.lower() in installed:
        return installed[name.lower()]
    raise InputError(f"there is no procedure {name!r}; {nearest(name, packaged | installed)}")


def _checked(kind: type[Procedure]) -> type[Procedure]:
    check_phases(cast(Hashable, kind))
    return kind


def make_procedure(name: str, values: Mapping[str, Any]) -> Procedure:
    """Create the procedure called `name` with its parameters set.

    Parameters
    ----------
    values : mapping
        By parameter; for a numeric parameter a text may have a unit (``"200mV"``).

    Raises
    ------
    InputError
        For an unknown procedure or parameter (the nearest is named), a wrong unit, or a value that the
        parameter refuses.
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


def is_required(parameter: Parameter) -> bool:
    """Return whether a parameter is required, that is, a text that is empty by default."""
    return type(parameter) is Parameter and parameter.default == ""


def plain_value(key: str, parameter: Parameter, value: Any) -> Any:
    """Convert `value` for a parameter: texts become numbers in its unit, and nothing is truncated.

    Raises
    ------
    InputError
        For a text that is no such number, and for a fraction where a whole number is required.
    """
    whole = isinstance(parameter, IntegerParameter)
    if not whole and not isinstance(parameter, FloatParameter):
        return _truth(key, value) if isinstance(parameter, BooleanParameter) else value
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
        "yes": True,
        "true": True,
        "on": True,
        "1": True,
        "no": False,
        "false": False,
        "off": False,
        "0": False,
    }
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise InputError(f"{key} is {value!r}; it is yes or no")
    return words[str(value).lower()]


def nearest(name: str, known: Mapping[str, Any]) -> str:
    """Return a hint with the `known` name nearest to the given one, or with all of them."""
    near = difflib.get_close_matches(name.lower(), known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
