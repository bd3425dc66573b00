"""What every procedure is: PyMeasure's Parameters for its form, our phases for its life."""

from __future__ import annotations

import inspect
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, cast

import numpy as np

from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource
from mho.procedures.parameters import IntegerParameter, Parameter, Parametrised
from mho.procedures.stream import Stream
from mho.runs import Layout, RecordedParameter


@dataclass(frozen=True)
class Estimate:
    """How much a run will be.

    Attributes
    ----------
    pulses : int or None
        Programming pulses.
    seconds : float or None
        Wall time, s, as far as the procedure can tell by itself.
    """

    pulses: int | None = None
    seconds: float | None = None


class Procedure(Parametrised):
    """A procedure: parameters, then `check`, `prepare`, `layout` and `execute`, in this order.

    Each phase returns what the next ones need, so nothing is kept on the procedure in between::

        given = procedure.check()                       # reads input files; touches nothing
        plan = procedure.prepare(given, bench, rng)     # plans on this bench; sends nothing that acts
        layout = procedure.layout(plan)                 # declares the run file
        result = procedure.execute(plan, bench, stream)  # acts

    So bad input never leaves anything half-done. A short experiment writes `layout` and `execute` alone; its plan is then
    None. It need not clean up: the bench makes itself safe.
    """

    version: ClassVar[str] = "1"
    title: ClassVar[str] = ""
    group: ClassVar[str] = "Other"
    """Under which heading it is offered."""

    def __init__(self, **parameters: Any) -> None:
        check_phases(cast(Hashable, type(self)))
        super().__init__()
        for name, value in parameters.items():
            if name not in self._parameters:
                known = ", ".join(self._parameters)
                raise InputError(f"{type(self).__name__} has no parameter {name!r}; it has {known}")
            if value is not None or self._parameters[name].default is not None:
                setattr(self, name, set_parameter(self._parameters[name], name, value))

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a run of an earlier `version` of this procedure, as they are understood now."""
        return dict(values)

    def check(self) -> Any:
        """Check the parameters and read the input files; return what `prepare` and `estimate` are given.

        Raises
        ------
        MhoError
            For anything that cannot be used as given.
        """
        return None

    def prepare(self, given: Any, bench: Bench, rng: np.random.Generator) -> Any:
        """Return the plan of the run on this bench: what fits, where, within which limits. Sends nothing that acts."""
        return given

    def layout(self, plan: Any) -> Layout:
        """Declare what the run file will hold."""
        raise NotImplementedError

    def execute(self, plan: Any, bench: Bench, stream: Stream) -> Any:
        """Do it, and return the result, which the run file keeps.

        A mapping or a dataclass of numbers, text and lists; a number with its unit is ``(value, "S")``. The `path` of a
        frozen dataclass is filled in.
        """
        raise NotImplementedError

    def in_use(self, plan: Any) -> Mapping[str, tuple[float | str, str]]:
        """Say what is used for parameters that were not given: value, and whose it is, by name."""
        return {}

    def describe_cells(self, plan: Any) -> str:
        """Say which arrays and cells are in use."""
        return ""

    def run_title(self) -> str:
        """One line for lists and plots."""
        return self.title or type(self).__name__

    def estimate(self, given: Any, source: BenchSource) -> Estimate:
        """Say beforehand how much a run on this bench will be, from what `check` returned; opens nothing.

        What cannot be told stays None. The queue then goes by how long such a run took the last time.
        """
        return Estimate()

    def form(self) -> dict[str, Parameter]:
        """The parameters as PyMeasure objects, for forms and command lines."""
        return dict(self._parameters)

    def recorded_parameters(self, plan: Any) -> dict[str, RecordedParameter]:
        """The parameters as the run file keeps them; one that was not given with the value in use."""
        recorded, in_use = {}, self.in_use(plan)
        for name, parameter in self._parameters.items():
            value, origin = getattr(self, name), ""
            if value is None and name in in_use:
                value, origin = in_use[name]
            if isinstance(value, np.ndarray):
                value = f"array of shape {'x'.join(map(str, value.shape))}, {value.dtype}"
            elif not isinstance(value, bool | int | float | str | None):
                value = str(value)
            unit = getattr(parameter, "units", None) or ""
            recorded[name] = RecordedParameter(value, unit, parameter.name, origin)
        return recorded


PHASES: Mapping[str, tuple[str, ...]] = {
    "check": (),
    "prepare": ("given", "bench", "rng"),
    "layout": ("plan",),
    "execute": ("plan", "bench", "stream"),
    "in_use": ("plan",),
    "describe_cells": ("plan",),
    "run_title": (),
    "estimate": ("given", "source"),
    "recorded_parameters": ("plan",),
}
"""What each method of a procedure is called with, besides the procedure."""


@cache
def check_phases(kind: Any) -> None:
    """Raise `InputError` when a method of a procedure does not take what it will be called with."""
    for name, arguments in PHASES.items():
        method = inspect.signature(getattr(kind, name))
        try:
            method.bind(None, *arguments)
        except TypeError:
            taken, wanted = ", ".join(method.parameters), ", ".join(("self", *arguments))
            raise InputError(
                f"{kind.__qualname__}.{name} takes ({taken}), and mho calls it with other arguments: write "
                f"def {name}({wanted}), for each phase is handed what the one before returned"
            ) from None


def set_parameter(parameter: Parameter, name: str, value: Any) -> Any:
    """Give a parameter a value and return what it makes of it.

    Raises
    ------
    InputError
        For what it refuses, would round, or is no number.
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
        )  # PyMeasure would cut it down
    return taken


def _allowed(parameter: Parameter) -> str:
    """What a parameter may be, in words."""
    if getattr(parameter, "choices", None):
        return "one of " + ", ".join(map(str, parameter.choices))
    if not hasattr(parameter, "minimum"):
        return "given"
    kind = "a whole number" if isinstance(parameter, IntegerParameter) else "a number"
    return f"{kind} from {parameter.minimum:g} to {parameter.maximum:g}"
