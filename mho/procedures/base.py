"""Base class of procedures: PyMeasure's Parameters for the form, and the phases of a run."""

from __future__ import annotations

import dis
import inspect
import math
import sys
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

import numpy as np

from mho.errors import InputError, MhoError, UnknownNameError, nearest
from mho.instruments import Bench
from mho.instruments.bench_file import OPERATIONS, BenchSource, Operation
from mho.procedures.documentation import ParameterDocstring, ParameterSignature
from mho.procedures.parameters import Parameter, code_noun, own_parameters, theirs
from mho.procedures.stream import Stream
from mho.runs import Conclusion, Layout, RecordedParameter, ResultViews

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    Result = TypeVarWithDefault("Result", covariant=True, default=Any)
else:
    Result = TypeVar("Result", covariant=True)


@dataclass(frozen=True)
class Estimate:
    """Expected extent of a run.

    Attributes
    ----------
    pulses : int or None
        Programming pulses.
    seconds : float or None
        Wall time, s, as far as the procedure can estimate it.

    Examples
    --------
    >>> mho.Estimate(pulses=2000, seconds=1.5).pulses
    2000
    """

    pulses: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ProcedureResult(ResultViews):
    """Result of a procedure: its own fields, and the summary.

    A class of one's own is a frozen dataclass with ``eq=False, repr=False``, which has `units` and, of its arrays,
    `dims` by name.

    Attributes
    ----------
    summary : dict
        Numbers, text and mappings by name, as the run file and ``--json`` have them.
    path : Path or None
        The run file; None where none was kept.

    Examples
    --------
    >>> with mho.open_bench("arrays", seed=1) as bench:
    ...     reads = mho.evaluate(mho.Read(rows="0:2", columns="0:3"), bench, seed=1)
    >>> reads.conductance.shape, reads.unit("conductance"), reads.path
    ((1, 2, 3), 'S', None)
    """

    summary: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take what a pickle holds; `InputError` for one by another version of the class, which lacks something."""
        vars(self).update(state)
        parts = [("", self), *((f"{name}.", one) for name, one in state.items() if is_dataclass(one))]
        lacking = [
            f"{part}{one.name}" for part, of in parts for one in fields(of) if not hasattr(of, one.name)
        ]
        if lacking:
            raise InputError(
                f"this pickle of a {type(self).__name__} is of another version of it and lacks {', '.join(lacking)}; "
                f"open its run file instead: mho.open_run({str(state.get('path', ''))!r})"
            )


class Procedure(Generic[Result]):
    """A procedure: its class declares Parameters; then `check`, `prepare`, `layout` and `execute`, in this order.

    Each phase returns what the next ones need, so nothing is kept on the procedure in between::

        given = procedure.check()                       # reads input files; touches nothing
        plan = procedure.prepare(given, bench, rng)     # plans on this bench; sends nothing that acts
        layout = procedure.layout(plan)                 # declares the run file
        result = procedure.execute(plan, bench, stream)  # acts
        conclusion = procedure.conclude(plan, result)   # says what came of it, in one line

    Bad input is thus refused before anything is done. A short experiment implements only `execute`, and `layout` if it
    records more than its result; its plan is then None. It need not clean up: the bench makes itself safe.

    ``class Own(Procedure[OwnResult])`` says to type checkers what `execute` and `mho.run` return; it need not.

    A parameter is an attribute, and checked whenever it is set. Another public name is refused, as a misspelt parameter
    would be, unless the class has it: with a value, an annotation (``count: int``), or by setting it in its methods.
    """

    version: ClassVar[str] = "1"
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By version, what it computes otherwise from the same reads than those before it: patterns of names of the result
    (``lrs.median_low``), and of columns (``formed/low``)."""
    title: ClassVar[str] = ""
    group: ClassVar[str] = "Other"
    """Heading under which the procedure is listed."""
    leading: ClassVar[tuple[str, ...]] = ()
    """Names of the few parameters that a person sets; a form shows them first and folds the rest. () shows all."""
    needs: ClassVar[tuple[Operation, ...]] = ()
    """Operations that a bench must offer (keys of `mho.instruments.bench_file.OPERATIONS`); () where it is not known."""
    may_need: ClassVar[Mapping[Operation, str]] = {}
    """Further ones, which some parameters ask for, with the words that say when: ``"where a temperature is given"``."""
    recorded_in_use: ClassVar[tuple[str, ...]] = ()
    """Parameters that the run file has as they are `in_use` where they were given, too: settings, not a file's name."""
    cell_record: ClassVar[str] = ""
    """Table of all that is done to cells, if an interrupted run goes on with the cells as its file says that they are."""

    __signature__ = ParameterSignature()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__doc__ = cast(str, ParameterDocstring(cls.__doc__))

    def __init__(self, **parameters: Any) -> None:
        check_phases(cast(Hashable, type(self)))
        self._parameters = own_parameters(type(self))
        self._given: frozenset[str] = frozenset()  # parameters set since, which no chip's defaults replace
        for name, parameter in self._parameters.items():
            vars(self)[name] = parameter.value if parameter.is_set() else None
        for name, value in parameters.items():
            if name not in self._parameters:
                near = _near(name, self._parameters)
                raise InputError(f"{type(self).__name__} has no parameter {name!r}; {near}")
            setattr(self, name, value)

    if not TYPE_CHECKING:  # with it, type checkers would take every name

        def __setattr__(self, name, value):
            super().__setattr__(name, _checked(self, name, value))
            if name in vars(self).get("_parameters", ()):
                self._given |= {name}

    def __reduce__(self) -> tuple[Any, ...]:
        kind = type(self)
        values = {name: getattr(self, name) for name in self._parameters}
        given = {name: value for name, value in values.items() if value is not None}
        own = {name: value for name, value in vars(self).items() if name not in {*values, "_parameters"}}
        return _unpickled, (kind, self.version, given, own)

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Convert the parameters of a run of an earlier `version` of this procedure to the present ones."""
        return dict(values)

    @classmethod
    def restated_since(cls, version: str) -> tuple[str, ...]:
        """Return the patterns of what later versions than this one compute otherwise from the same reads."""
        later = (names for number, names in cls.restated.items() if int(number) > int(version or 1))
        return tuple(name for names in later for name in names)

    def check(self) -> Any:
        """Check the parameters and read the input files; return the input of `prepare` and `estimate`.

        Raises
        ------
        MhoError
            For a parameter or file that cannot be used.
        """
        return None

    def prepare(self, given: Any, bench: Bench, rng: np.random.Generator) -> Any:
        """Return the plan of the run on this bench, checked against its size and limits. Changes no output or switch."""
        return given

    def layout(self, plan: Any) -> Layout:
        """Declare the contents of the run file; without tables, maps and arrays it holds the result alone."""
        return Layout()

    def execute(self, plan: Any, bench: Bench, stream: Stream) -> Result:
        """Run the procedure and return the result, which the run file stores.

        A mapping or a dataclass of numbers, text and lists; a number with its unit is ``(value, "S")``. The `path` of a
        frozen dataclass is filled in.
        """
        raise NotImplementedError

    def conclude(self, plan: Any, result: Any) -> Conclusion | None:
        """Return what the run concludes in one line, with warnings, from what `execute` returned.

        Called when the run has finished. What was said as a warning during the run is added. None leaves it to the runner,
        which makes a line of the result's numbers, or of how much was recorded.
        """
        return None

    def in_use(self, plan: Any) -> Mapping[str, tuple[float | str, str]]:
        """Return the values used for parameters that were not given, with their origin, by name."""
        return {}

    def own_classes(self) -> Mapping[str, type]:
        """Return classes beside the procedure, by what they are; the run file keeps the source of a user's own."""
        return {}

    def describe_cells(self, plan: Any) -> str:
        """Return which arrays and cells are in use, in words."""
        return ""

    def run_title(self) -> str:
        """Return a one-line title for lists and plots."""
        return self.title or type(self).__name__

    def needed(self) -> tuple[Operation, ...]:
        """Return the operations that a run with these parameters asks for: `needs`, and of `may_need` what applies.

        A run on a bench that misses one is refused before anything is opened.
        """
        return type(self).needs

    def estimate(self, given: Any, source: BenchSource) -> Estimate:
        """Estimate the extent of a run on this bench from the result of `check`; opens nothing.

        Unknown values stay None. The queue then uses the duration of the last such run.
        """
        return Estimate()

    def form(self) -> dict[str, Parameter]:
        """Return the parameters as PyMeasure objects, for forms and command lines."""
        return dict(self._parameters)

    def parameter_values(self) -> dict[str, Any]:
        """Return the values of the parameters by name; None for what was not given."""
        return {name: getattr(self, name) for name in self._parameters}

    def recorded_parameters(self, plan: Any) -> dict[str, RecordedParameter]:
        """Return the parameters as stored in the run file; one that was not given has the value in use."""
        recorded, in_use = {}, self.in_use(plan)
        for name, parameter in self._parameters.items():
            value, origin = getattr(self, name), ""
            if value is None and name in in_use:
                value, origin = in_use[name]
            elif name in self.recorded_in_use:
                value = in_use[name][0]
            if isinstance(value, np.ndarray):
                value = f"array of shape {'x'.join(map(str, value.shape))}, {value.dtype}"
            elif isinstance(value, type):  # of one's own, in a script
                value = f"{value.__module__}:{value.__qualname__}"
            elif not isinstance(value, bool | int | float | str | None):
                value = str(value)
            unit = getattr(parameter, "units", None) or ""
            recorded[name] = RecordedParameter(value, unit, parameter.name, origin)
        return recorded


def _unpickled(
    kind: type[Procedure], version: str, values: Mapping[str, Any], own: Mapping[str, Any]
) -> Procedure:
    """Return a procedure as its pickle has it; `InputError` where its class does not take these parameters any more."""
    procedure = kind(**(values if version == kind.version else kind.from_version(version, values)))
    vars(procedure).update(own)
    return procedure


PHASES: Mapping[str, tuple[str, ...]] = {
    "check": (), "prepare": ("given", "bench", "rng"), "layout": ("plan",),
    "execute": ("plan", "bench", "stream"), "conclude": ("plan", "result"), "in_use": ("plan",),
    "describe_cells": ("plan",), "run_title": (), "needed": (), "estimate": ("given", "source"),
    "recorded_parameters": ("plan",),
}  # fmt: skip
"""Arguments of each method of a procedure, without `self`."""


def _checked(procedure: Procedure, name: str, value: Any) -> Any:
    """Return the value that an attribute takes; raises `InputError` for one, or a name, that is refused."""
    parameters = vars(procedure).get("_parameters", {})
    if name in parameters:
        optional = parameters[name].default is None
        return None if value is None and optional else set_parameter(parameters[name], name, value)
    if not (
        name.startswith("_")
        or name in _own_names(cast(Hashable, type(procedure)))
        or hasattr(procedure, name)
    ):
        raise UnknownNameError(
            f"{type(procedure).__name__} has no parameter {name!r}; {_near(name, parameters)} (an attribute of your own is "
            f"declared in the class: {name}: int)"
        )
    return value


@cache
def _own_names(kind: Any) -> frozenset[str]:
    """Return the names of attributes that a class annotates or that its methods set: those that type checkers know."""
    bases = [base for base in kind.__mro__ if base not in (Procedure, Generic, object)]
    codes = [one.__code__ for base in bases for one in vars(base).values() if inspect.isfunction(one)]
    stored = {
        step.argval for code in codes for step in dis.get_instructions(code) if step.opname == "STORE_ATTR"
    }
    return frozenset(stored.union(*map(_annotations, bases)))


def _annotations(kind: type) -> Mapping[str, Any]:
    """Return the annotations of a class by name; a name within one may be known to type checkers only."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations

        return get_annotations(kind, format=Format.STRING)
    return inspect.get_annotations(kind)


def _near(name: str, parameters: Mapping[str, Any]) -> str:
    """Return the hint for a name that is none of the parameters."""
    return nearest(name, parameters, otherwise=f"it has {', '.join(parameters) or 'none'}")


@cache
def check_phases(kind: Any) -> None:
    """Raise `InputError` when a method of a procedure does not accept its arguments, or its needs are no operations."""
    _check_declared_needs(kind)
    for name, arguments in PHASES.items():
        method = inspect.signature(getattr(kind, name))
        try:
            method.bind(None, *arguments)
        except TypeError:
            taken, signature = ", ".join(method.parameters), ", ".join(("self", *arguments))
            raise InputError(
                f"{kind.__qualname__}.{name} takes ({taken}), and mho calls it with other arguments: write "
                f"def {name}({signature}), for each phase is handed what the one before returned"
            ) from None


def _check_declared_needs(kind: Any) -> None:
    for name in ("needs", "may_need"):
        declared = getattr(kind, name)
        if not (isinstance(declared, tuple | Mapping) and all(isinstance(one, str) for one in declared)):
            raise InputError(
                f'{kind.__qualname__}.{name} is {declared!r}; give names of operations: needs = ("read", "pulse"), '
                'may_need = {"temperature": "where a temperature is given"}'
            )
        for one in declared:
            if one not in OPERATIONS:
                raise InputError(
                    f"{kind.__qualname__}.{name} has {one!r}, which is no operation of a bench; {nearest(one, OPERATIONS)}"
                )


def set_parameter(parameter: Parameter, name: str, value: Any) -> Any:
    """Set a parameter and return its value as converted by the parameter.

    Raises `InputError` for a value that it refuses or would round, or that is not a number.
    """
    try:
        parameter.value = value
        taken = parameter.value
    except MhoError:  # of a parameter of the user's own, with its own words
        raise
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} is {value!r}; it must be {_allowed(parameter)}") from None
    if isinstance(taken, float) and not math.isfinite(taken):
        raise InputError(f"{name} is {value!r}; it must be {_allowed(parameter)}")
    if isinstance(parameter, theirs.IntegerParameter) and isinstance(value, float) and taken != value:
        raise InputError(
            f"{name} is {value!r}; it must be {_allowed(parameter)}"
        )  # PyMeasure would truncate it
    return taken


def _allowed(parameter: Parameter) -> str:
    """Return the allowed values of a parameter, in words."""
    if getattr(parameter, "choices", None):
        own = (
            f"; or a {noun} of your own, module:Class or path/file.py:Class"
            if (noun := code_noun(parameter))
            else ""
        )
        return "one of " + ", ".join(map(str, parameter.choices)) + own
    if not hasattr(parameter, "minimum"):
        return "given"
    kind = "a whole number" if isinstance(parameter, theirs.IntegerParameter) else "a number"
    return f"{kind} from {parameter.minimum:g} to {parameter.maximum:g}"
