"""The known procedures, and creation of one from a name and values as in files and on command lines.

``python -m mho.procedures.catalogue`` writes the manifests of mho's own anew, see `mho.procedures.manifest`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Hashable, Mapping
from copy import copy
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, cast

from mho.errors import InputError
from mho.procedures.base import Procedure, check_phases, set_parameter
from mho.procedures.manifest import (
    ENTRY_POINTS,
    FILE,
    ParameterEntry,
    ProcedureEntry,
    class_name,
    describe,
    entry_of,
    nearest,
    packaged_entries,
)
from mho.procedures.origin import import_procedure
from mho.procedures.parameters import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
)
from mho.procedures.quantities import parse_quantity
from mho.processes import CHECKOUT
from mho.toml import load_toml

KINDS: Mapping[str, type[Parameter]] = {
    "boolean": BooleanParameter,
    "integer": IntegerParameter,
    "float": FloatParameter,
    "list": ListParameter,
    "text": Parameter,
}
"""PyMeasure's Parameters, by the `kind` of a `ParameterEntry`."""


def find_procedure(name: str) -> type[Procedure]:
    """Return the procedure called `name`, ``module:Class`` or ``path/file.py:Class``.

    Raises
    ------
    InputError
        When there is none, with the nearest name, or the reason why it cannot be loaded.
    """
    kind = import_procedure(class_name(name))
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


def form_named(name: str) -> Mapping[str, Parameter]:
    """Return the parameters of the procedure called `name`, read-only; of mho's own nothing is imported."""
    return parameters_of(entry_of(name))


def parameters_of(entry: ProcedureEntry) -> Mapping[str, Parameter]:
    """Return the parameters of a procedure, read-only; of mho's own nothing is imported."""
    if packaged_entries().get(entry.name) is not entry:
        return form_of(import_procedure(entry.target))
    return {key: _parameter_of(one) for key, one in entry.parameters.items()}


def _parameter_of(entry: ParameterEntry) -> Parameter:
    facts = {
        key: value
        for key in ("default", "units", "minimum", "maximum", "choices")
        if (value := getattr(entry, key)) not in (None, ())
    }
    return KINDS[entry.kind](entry.name, **facts)


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


def manifests() -> dict[Path, str]:
    """Return the texts of mho's manifests by path, from the classes that the entry points of this checkout name."""
    project = load_toml((CHECKOUT / "pyproject.toml").read_text("utf-8"), "pyproject.toml", InputError)
    rooms: dict[Path, dict[str, Any]] = {}
    for name, target in sorted(project["project"]["entry-points"][ENTRY_POINTS].items()):
        facts = asdict(describe(name, import_procedure(target)))
        room = Path(__file__).with_name(facts["target"].split(".")[2])
        parameters = {key: _stated(one) for key, one in facts["parameters"].items()}
        del facts["name"]
        rooms.setdefault(room / FILE, {})[name] = facts | {"parameters": parameters}
    return {path: _in_lines(room) for path, room in rooms.items()}


def _in_lines(room: Mapping[str, Any]) -> str:
    """Return JSON with a parameter a line."""
    text = json.dumps(room, indent=1, ensure_ascii=False)
    return re.sub(r"\{[^{}]*\}", lambda inner: re.sub(r"\n *", " ", inner[0]), text) + "\n"


def _stated(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value is not None and value != ()}


def main() -> None:
    """Write the manifests of this checkout anew, and print their paths."""
    for path, text in manifests().items():
        path.write_text(text, "utf-8")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
