"""Which procedures there are, and what each is asked for: known from manifests, so that none of them is imported.

A file ``manifest.json`` beside them, which ``python -m mho.cli.manifests`` writes from the classes that the entry points
in ``pyproject.toml`` name, is what help, completion, the window's list and its form read. A package may have one, too
(`mho.extension_points`); a procedure without is imported.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mho.errors import InputError, MhoError, nearest
from mho.extension_points import MANIFEST, Extension, error_text, find_offer, offers, usable_offers
from mho.former_names import current_name

if TYPE_CHECKING:  # with it, help and lists would load the instruments
    from mho.instruments.bench_file import Operation
    from mho.runs import RecordedParameter

log = logging.getLogger(__name__)

ENTRY_POINTS = "mho.procedures"
"""Entry-point group of procedures, mho's own and those of any package: ``endurance = "my_lab.cells:Endurance"``."""
NOUN = "procedure"

KINDS = {
    "BooleanParameter": "boolean", "IntegerParameter": "integer", "FloatParameter": "float",
    "ListParameter": "list", "OwnCodeParameter": "code", "Parameter": "text",
}  # fmt: skip
"""The `kind` of a `ParameterEntry`, by class of mho's parameters or PyMeasure's, whose names are the same."""
HOMES = ("mho.procedures.parameters", "pymeasure.experiment.parameters")


@dataclass(frozen=True)
class ParameterEntry:
    """What is known of a parameter; the attributes beside `kind` are those of PyMeasure's Parameters."""

    # "text", "boolean", "integer", "float", "list", or "code", a list to which one's own code adds; "other" of a class
    # of one's own
    kind: str
    name: str  # the label
    default: Any = None
    units: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    noun: str | None = None  # of code: what it is
    group_by: Any = None  # values or conditions of other parameters on which this one is shown

    @property
    def required(self) -> bool:
        """Whether it must be given, that is, a text that is empty by default."""
        return self.kind == "text" and self.default == ""


@dataclass(frozen=True)
class ProcedureEntry:
    """What is known of a procedure without its code."""

    name: str  # as `mho.procedures.catalogue.find_procedure` takes it
    target: str  # ``module:Class``, or ``path/file.py:Class``
    # title, group: what it is called, and under which heading
    title: str
    group: str
    description: str  # its docstring
    parameters: Mapping[str, ParameterEntry]  # `ParameterEntry` by name, in the order of declaration
    # as of `Procedure`: operations of a bench, and further ones with when they are asked for
    needs: tuple[Operation, ...] = ()
    may_need: Mapping[Operation, str] = field(default_factory=dict)
    leading: tuple[str, ...] = ()  # as of `Procedure`: the parameters that a form shows first
    imported: bool = False  # whether it is known from its class, which has been imported

    @property
    def line(self) -> str:
        """The first line of its description."""
        return self.description.partition("\n")[0]


@cache
def core_entries() -> Mapping[str, ProcedureEntry]:
    """Return the procedures of mho's core by name; read-only."""
    table = json.loads(Path(__file__).with_name(MANIFEST).read_text("utf-8"))["procedures"]
    return {name: _entry(name, facts) for name, facts in sorted(table.items())}


def described_entries() -> dict[str, ProcedureEntry]:
    """Return the procedures, by name, that are known without importing them; faulty ones are left out."""
    described = {
        name: entry
        for name, those in offers(ENTRY_POINTS).items()
        if len(those) == 1 and not those[0].fault and (entry := _described(those[0])) is not None
    }
    return dict(sorted((described | dict(core_entries())).items()))


def described_entry(name: str) -> ProcedureEntry | None:
    """Return what is known of the procedure called `name` without importing it; None where nothing is.

    Raises `InputError`: several packages give the name to different classes, or the package needs another mho.
    """
    name = current_name(name).lower()
    if ":" in name:
        return None
    if (core := core_entries().get(name)) is not None:
        return core
    offer = find_offer(ENTRY_POINTS, NOUN, name)
    return None if offer is None else _described(offer)


def asked_for(procedure: str, parameters: Mapping[str, RecordedParameter]) -> dict[str, RecordedParameter]:
    """Return the parameters of a run that are not as by default; of a procedure without known defaults, all given ones.

    `procedure` is the name of its class, as run files have it.
    """
    own = (one for one in described_entries().values() if one.target.rpartition(":")[2] == procedure)
    defaults = {name: one.default for entry in own for name, one in entry.parameters.items()}
    return {
        name: one
        for name, one in parameters.items()
        if not one.origin and not (name in defaults and _alike(one.value, defaults[name]))
    }


def _alike(value: object, default: object) -> bool:
    """Return whether a value in a file is a default, which it may hold as another type."""
    if isinstance(value, int | float) and isinstance(default, int | float):
        return bool(value == default)
    return str(value or "") == str(default or "")


def offered_names() -> set[str]:
    """Return the names of all procedures that mho or a package offers, faulty ones too."""
    return {*core_entries(), *offers(ENTRY_POINTS)}


def entry_of(name: str) -> ProcedureEntry:
    """Return what is known of the procedure called `name`, or by ``module:Class`` or ``path/file.py:Class``.

    Raises `InputError` as `class_name`, or when one that has no manifest cannot be loaded.
    """
    if (described := described_entry(name)) is not None:
        return described
    from mho.procedures.origin import import_procedure  # large: only where nothing else is known

    kind = import_procedure(class_name(name))
    try:
        return describe(name, kind)
    except MhoError:
        raise
    except (Exception, SystemExit) as error:  # of a package's class
        raise InputError(f"procedure {name!r} cannot be used: {error_text(error)}") from error


def known_entries() -> dict[str, ProcedureEntry]:
    """Return the procedures known by name: mho's own, and those of installed packages that can be loaded.

    Of others, and of a name that several give, the log says why they are not offered, and by what they can be named.
    """
    known = dict(core_entries())
    former = (name for name in offers(ENTRY_POINTS) if current_name(name) != name)
    for name, offer in usable_offers(ENTRY_POINTS, NOUN, [*known, *former]).items():
        try:
            known[name] = _described(offer) or entry_of(name)
        except MhoError as error:  # one broken package must not hide the others
            log.warning("procedure %r is not offered: %s", name, error)
    return known


def _described(offer: Extension) -> ProcedureEntry | None:
    try:
        return _entry(offer.name, offer.facts) if offer.facts else None
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        log.warning("what the manifest of %s says of %r is not used: %s", offer.package, offer.name, error)
        return None


def _entry(name: str, facts: Mapping[str, Any]) -> ProcedureEntry:
    parameters = {
        key: ParameterEntry(**given | {"choices": tuple(given.get("choices", ()))})
        for key, given in facts["parameters"].items()
    }
    texts = [facts["title"], facts["group"], facts["description"], *(one.name for one in parameters.values())]
    numbers = [
        limit for one in parameters.values() for limit in (one.minimum, one.maximum) if limit is not None
    ]
    if not all(key.isidentifier() for key in parameters):
        raise ValueError("parameters have names of Python")
    if not {one.kind for one in parameters.values()} <= {*KINDS.values(), "other"}:
        raise ValueError(f"kinds of parameters are {', '.join(KINDS.values())} and other")
    if not all(isinstance(limit, int | float) for limit in numbers):
        raise TypeError("limits are numbers")
    needs, may_need = tuple(facts.get("needs", ())), dict(facts.get("may_need", {}))
    leading = tuple(facts.get("leading", ()))
    texts += [*needs, *may_need, *may_need.values(), *leading]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("title, group, description, names of parameters and operations are texts")
    lists = {"parameters": parameters, "needs": needs, "may_need": may_need, "leading": leading}
    return ProcedureEntry(name, **{**facts, **lists})


def describe(name: str, kind: Any) -> ProcedureEntry:
    """Return the entry of the procedure `kind`, which is called `name`."""
    return ProcedureEntry(
        name, f"{kind.__module__}:{kind.__qualname__}", kind.title or kind.__name__, kind.group,
        inspect.cleandoc(getattr(vars(kind).get("__doc__"), "text", kind.__doc__) or ""),
        {key: _describe_parameter(parameter) for key, parameter in kind().form().items()}, tuple(kind.needs),
        dict(kind.may_need), tuple(kind.leading), imported=True,
    )  # fmt: skip


def _describe_parameter(parameter: Any) -> ParameterEntry:
    declared = type(parameter)
    kind = KINDS.get(declared.__qualname__, "other") if declared.__module__ in HOMES else "other"
    facts = {key: getattr(parameter, key, None) for key in ("default", "units", "minimum", "maximum")}
    choices = tuple(getattr(parameter, "choices", None) or ())
    noun = getattr(parameter, "noun", None)
    return ParameterEntry(
        kind, parameter.name, choices=choices, noun=noun, group_by=parameter.group_by or None, **facts
    )


def class_name(name: str) -> str:
    """Return ``module:Class`` or ``path/file.py:Class``, which `find_procedure` would load for `name`; loads nothing.

    Raises `InputError` for a name without a colon that is known neither to mho nor to an installed package, with the
    nearest one.
    """
    name = current_name(name)
    if ":" in name:
        return name
    if (core := core_entries().get(name.lower())) is not None:
        return core.target
    if (offer := find_offer(ENTRY_POINTS, NOUN, name)) is not None:
        return offer.target
    raise InputError(f"there is no procedure {name!r}; {nearest(name, offered_names())}")
