"""Which procedures there are, and what each is asked for: known from manifests, so that none of them is imported.

Each room of procedures has a file ``manifest.json``, which ``python -m mho.procedures.catalogue`` writes from the classes
that the entry points in ``pyproject.toml`` name. Help, completion, the window's list and its form read it. A procedure
of another package has none: it is imported.
"""

from __future__ import annotations

import difflib
import inspect
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mho.errors import InputError
from mho.former_names import current_name

log = logging.getLogger(__name__)

ENTRY_POINTS = "mho.procedures"
"""Entry-point group of procedures, mho's own and those of any package: ``endurance = "my_lab.cells:Endurance"``."""
OWN = "mho."
FILE = "manifest.json"

KINDS = {
    "pymeasure.experiment.parameters:BooleanParameter": "boolean",
    "pymeasure.experiment.parameters:IntegerParameter": "integer",
    "pymeasure.experiment.parameters:FloatParameter": "float",
    "pymeasure.experiment.parameters:ListParameter": "list",
    "pymeasure.experiment.parameters:Parameter": "text",
}
"""The `kind` of a `ParameterEntry`, by class."""


@dataclass(frozen=True)
class ParameterEntry:
    """What is known of a parameter; the attributes beside `kind` are those of PyMeasure's Parameters.

    Attributes
    ----------
    kind : str
        "text", "boolean", "integer", "float" or "list"; "other" of a class that is none of PyMeasure's.
    name : str
        The label.
    default, minimum, maximum : object
    units : str or None
    choices : sequence
    group_by : mapping
        Values or conditions of other parameters on which this one is shown.
    """

    kind: str
    name: str
    default: Any = None
    units: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    group_by: Any = None

    @property
    def required(self) -> bool:
        """Whether it must be given, that is, a text that is empty by default."""
        return self.kind == "text" and self.default == ""


@dataclass(frozen=True)
class ProcedureEntry:
    """What is known of a procedure without its code.

    Attributes
    ----------
    name : str
        As `mho.procedures.catalogue.find_procedure` takes it.
    target : str
        ``module:Class``, or ``path/file.py:Class``.
    title, group : str
        What it is called, and under which heading.
    description : str
        Its docstring.
    parameters : mapping
        `ParameterEntry` by name, in the order of declaration.
    """

    name: str
    target: str
    title: str
    group: str
    description: str
    parameters: Mapping[str, ParameterEntry]

    @property
    def line(self) -> str:
        """The first line of its description."""
        return self.description.partition("\n")[0]


@cache
def packaged_entries() -> Mapping[str, ProcedureEntry]:
    """Return mho's own procedures by name, those of a room that is not there left out; read-only."""
    files = sorted(Path(__file__).parent.glob(f"*/{FILE}"))
    tables = [json.loads(path.read_text("utf-8")) for path in files]
    return {
        name: _entry(name, facts) for name, facts in sorted(one for table in tables for one in table.items())
    }


def packaged_entry(name: str) -> ProcedureEntry | None:
    """Return what is known of mho's own procedure called `name`; None for any other."""
    return packaged_entries().get(current_name(name).lower())


def installed_names() -> dict[str, tuple[str, ...]]:
    """Return the procedures of installed packages (entry points) by name in lower case.

    Each is ``module:Class``; several where packages give one name to different classes.
    """
    targets: dict[str, set[str]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        targets.setdefault(point.name.lower(), set()).add(point.value.replace(" ", ""))
    return {name: tuple(sorted(those)) for name, those in targets.items()}


def entry_of(name: str) -> ProcedureEntry:
    """Return what is known of the procedure called `name`, or by ``module:Class`` or ``path/file.py:Class``.

    Raises
    ------
    InputError
        As `class_name`, or when one that has no manifest cannot be loaded.
    """
    if (packaged := packaged_entry(name)) is not None:
        return packaged
    from mho.procedures.origin import import_procedure  # large: only where nothing else is known

    return describe(name, import_procedure(class_name(name)))


def known_entries() -> dict[str, ProcedureEntry]:
    """Return the procedures known by name: mho's own, and those of installed packages that can be loaded.

    Of others, and of a name that several give, the log says why they are not offered, and by what they can be named.
    """
    known = dict(packaged_entries())
    for name, targets in sorted(installed_names().items()):
        if name in known:
            others = [one for one in targets if not one.startswith(OWN)]
            if others:
                log.warning("mho's own procedure %r is offered, not %s: name it so", name, ", ".join(others))
            continue
        try:
            known[name] = entry_of(name)
        except InputError as error:  # one broken package must not hide the others
            log.warning("procedure %r is not offered: %s", name, error)
    return known


def _entry(name: str, facts: dict[str, Any]) -> ProcedureEntry:
    parameters = {
        key: ParameterEntry(**given | {"choices": tuple(given.get("choices", ()))})
        for key, given in facts.pop("parameters").items()
    }
    return ProcedureEntry(name, parameters=parameters, **facts)


def describe(name: str, kind: Any) -> ProcedureEntry:
    """Return the entry of the procedure `kind`, which is called `name`."""
    return ProcedureEntry(
        name,
        f"{kind.__module__}:{kind.__qualname__}",
        kind.title or kind.__name__,
        kind.group,
        inspect.cleandoc(kind.__doc__ or ""),
        {key: _describe_parameter(parameter) for key, parameter in kind().form().items()},
    )


def _describe_parameter(parameter: Any) -> ParameterEntry:
    kind = KINDS.get(f"{type(parameter).__module__}:{type(parameter).__qualname__}", "other")
    facts = {key: getattr(parameter, key, None) for key in ("default", "units", "minimum", "maximum")}
    choices = tuple(getattr(parameter, "choices", None) or ())
    return ParameterEntry(kind, parameter.name, choices=choices, group_by=parameter.group_by or None, **facts)


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
    if (entry := packaged_entry(name)) is not None:
        return entry.target
    installed = installed_names()
    targets = installed.get(name.lower(), ())
    if len(targets) > 1:
        raise InputError(f"several packages have a procedure {name!r}; name one as {' or '.join(targets)}")
    if targets:
        return targets[0]
    raise InputError(f"there is no procedure {name!r}; {nearest(name, {**packaged_entries(), **installed})}")


def nearest(name: str, known: Mapping[str, Any]) -> str:
    """Return a hint with the `known` name nearest to the given one, or with all of them."""
    near = difflib.get_close_matches(name.lower(), known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
