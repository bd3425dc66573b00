"""What every procedure is: PyMeasure's Parameters for its form, our phases for its life."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

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

    `check` needs nothing and touches nothing; `prepare` sees the bench but sends nothing that changes an
    output; `layout` declares the run file; only then `execute` acts. So bad input never leaves anything
    half-done. The bench makes itself safe.
    """

    version: ClassVar[str] = "1"
    title: ClassVar[str] = ""
    group: ClassVar[str] = "Other"
    """Under which heading it is offered."""
    resume_from: Path | None = None
    """The run file of an attempt that did not come to its end; a procedure may take from it what was done."""

    def __init__(self, **parameters: Any) -> None:
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

    def check(self) -> None:
        """Check the parameters and read the input files.

        Raises
        ------
        MhoError
            For anything that cannot be used as given.
        """

    def prepare(self, bench: Bench, rng: np.random.Generator) -> None:
        """Plan the run on this bench: what fits, where, within which limits. Sends nothing that acts."""

    def in_use(self) -> Mapping[str, tuple[float | str, str]]:
        """Say, after `prepare`, what is used for parameters that were not given: value, and whose it is, by name."""
        return {}

    def layout(self) -> Layout:
        """Declare what the run file will hold."""
        raise NotImplementedError

    def describe_cells(self) -> str:
        """Say which arrays and cells are in use."""
        return ""

    def run_title(self) -> str:
        """One line for lists and plots."""
        return self.title or type(self).__name__

    def execute(self, bench: Bench, stream: Stream) -> Any:
        """Do it, and return the result; a frozen dataclass with a `path` gets the run file's filled in."""
        raise NotImplementedError

    def estimate(self, source: BenchSource) -> Estimate:
        """Say beforehand how much a run on this bench will be, after `check`; opens nothing.

        What cannot be told stays None. The queue then goes by how long such a run took the last time.
        """
        return Estimate()

    def form(self) -> dict[str, Parameter]:
        """The parameters as PyMeasure objects, for forms and command lines."""
        return dict(self._parameters)

    def recorded_parameters(self) -> dict[str, RecordedParameter]:
        """The parameters as the run file keeps them; one that was not given with the value in use."""
        recorded, in_use = {}, self.in_use()
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
