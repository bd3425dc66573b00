"""Base class of procedures: PyMeasure's Parameters for the form, and the phases of a run."""

from __future__ import annotations

import inspect
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource
from mho.procedures.parameters import IntegerParameter, Parameter, own_parameters
from mho.procedures.stream import Stream
from mho.runs import Conclusion, Layout, RecordedParameter, ResultViews


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


class Procedure:
    """A procedure: its class declares Parameters; then `check`, `prepare`, `layout` and `execute`, in this order.

    Each phase returns what the next ones need, so nothing is kept on the procedure in between::

        given = procedure.check()                       # reads input files; touches nothing
        plan = procedure.prepare(given, bench, rng)     # plans on this bench; sends nothing that acts
        layout = procedure.layout(plan)                 # declares the run file
        result = procedure.execute(plan, bench, stream)  # acts
        conclusion = procedure.conclude(plan, result)   # says what came of it, in one line

    Bad input is thus refused before anything is done. A short experiment implements only `layout` and `execute`; its
    plan is then None. It need not clean up: the bench makes itself safe.
    """

    version: ClassVar[str] = "1"
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By version, what it computes otherwise from the same reads than those before it: patterns of names of the result
    (``lrs.median_low``), and of columns (``formed/low``)."""
    title: ClassVar[str] = ""
    group: ClassVar[str] = "Other"
    """Heading under which the procedure is listed."""
    recorded_in_use: ClassVar[tuple[str, ...]] = ()
    """Parameters that the run file has as they are `in_use` where they were given, too: settings, not a file's name."""
    cell_record: ClassVar[str] = ""
    """Table of all that is done to cells, if an interrupted run goes on with the cells as its file says that they are."""

    def __init__(self, **parameters: Any) -> None:
        check_phases(cast(Hashable, type(self)))
        self._parameters = own_parameters(type(self))
        for name, parameter in self._parameters.items():
            setattr(self, name, parameter.value if parameter.is_set() else None)
        for name, value in parameters.items():
            if name not in self._parameters:
                known = ", ".join(self._parameters)
                raise InputError(f"{type(self).__name__} has no parameter {name!r}; it has {known}")
            if value is not None or self._parameters[name].default is not None:
                setattr(self, name, set_parameter(self._parameters[name], name, value))

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
        """Declare the contents of the run file."""
        raise NotImplementedError

    def execute(self, plan: Any, bench: Bench, stream: Stream) -> Any:
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

    def estimate(self, given: Any, source: BenchSource) -> Estimate:
        """Estimate the extent of a run on this bench from the result of `check`; opens nothing.

        Unknown values stay None. The queue then uses the duration of the last such run.
        """
        return Estimate()

    def form(self) -> dict[str, Parameter]:
        """Return the parameters as PyMeasure objects, for forms and command lines."""
        return dict(self._parameters)

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
            elif not isinstance(value, bool | int | float | str | None):
                value = str(value)
            unit = getattr(parameter, "units", None) or ""
            recorded[name] = RecordedParameter(value, unit, parameter.name, origin)
        return recorded


PHASES: Mapping[str, tuple[str, ...]] = {
    "check": (), "prepare": ("given", "bench", "rng"), "layout": ("plan",),
    "execute": ("plan", "bench", "stream"), "conclude": ("plan", "result"), "in_use": ("plan",),
    "describe_cells": ("plan",), "run_title": (), "estimate": ("given", "source"),
    "recorded_parameters": ("plan",),
}  # fmt: skip
"""Arguments of each method of a procedure, without `self`."""


@cache
def check_phases(kind: Any) -> None:
    """Raise `InputError` when a method of a procedure does not accept its arguments."""
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


def set_parameter(parameter: Parameter, name: str, value: Any) -> Any:
    """Set a parameter and return its value as converted by the parameter.

    Raises `InputError` for a value that it refuses or would round, or that is not a number.
    """
    try:
        parameter.value = value
        taken = parameter.value
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} is {value!r}; it must be {_allowed(parameter)}") from None
    if isinstance(taken, float) and not math.isfinite(taken):
        raise InputError(f"{name} is {value!r}; it must be {_allowed(parameter)}")
    if isinstance(parameter, IntegerParameter) and isinstance(value, float) and taken != value:
        raise InputError(
            f"{name} is {value!r}; it must be {_allowed(parameter)}"
        )  # PyMeasure would truncate it
    return taken


def _allowed(parameter: Parameter) -> str:
    """Return the allowed values of a parameter, in words."""
    if getattr(parameter, "choices", None):
        return "one of " + ", ".join(map(str, parameter.choices))
    if not hasattr(parameter, "minimum"):
        return "given"
    kind = "a whole number" if isinstance(parameter, IntegerParameter) else "a number"
    return f"{kind} from {parameter.minimum:g} to {parameter.maximum:g}"
