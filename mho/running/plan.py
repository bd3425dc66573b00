"""A plan in TOML: which procedures run, with which values, swept over what. It is data before anything runs.

.. code-block:: toml

    name = "precision of the presets"
    bench = "simulated"

    [[steps]]
    procedure = "solve"
    parameters = { matrix = "mimo-16x16.mtx", bits = 24 }

    [[sweep]]                       # the first sweep is the outermost
    preset = ["quiet", "pku"]
    [[sweep]]
    seed = { from = 1, to = 20 }
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from mho.errors import BenchError, InputError, MhoError, nearest
from mho.input_files import read_text
from mho.instruments.bench_file import BenchSource, load_bench_file, modules_beside
from mho.own_code import names_file
from mho.procedures.base import Procedure
from mho.procedures.catalogue import accepted, form_named, make_procedure, plain_value
from mho.procedures.chip_in_use import on_chip
from mho.procedures.named_code import CODE
from mho.procedures.needs import check_needs
from mho.toml import StrictModel, line_of, parse_toml

MOST_RUNS = 1_000_000
SHOWN = 5  # refusals, and numbers of runs in each, that an error names
SETTINGS = ("bench", "preset", "seed")  # keys that a sweep may vary in addition to parameters


def _one_value(value: object) -> object:
    if not isinstance(value, bool | int | float | str):
        raise ValueError(f"it is one number, text, true or false, not {value!r}"[:300])
    return value


Scalar = Annotated[bool | int | float | str, BeforeValidator(_one_value)]


class Range(StrictModel):
    """Numbers from `start` to `end`, both included: `steps` of them, or one every `by` (1 if neither is given)."""

    start: Annotated[float | int | str, Field(alias="from")]
    end: Annotated[float | int | str, Field(alias="to")]
    steps: Annotated[int, Field(ge=2, le=MOST_RUNS)] | None = None
    by: Annotated[float, Field(gt=0)] | None = None
    log: bool = False

    @model_validator(mode="after")
    def _one_way_of_counting(self) -> Range:
        if self.steps is not None and self.by is not None:
            raise ValueError("`steps` and `by` exclude each other")
        if self.log and self.steps is None:
            raise ValueError("`log` takes `steps`")
        return self

    def numbers(self, low: Any, high: Any) -> list[float | int]:
        """Return the numbers from `low` to `high`; whole ones as `int`, so that they may count things."""
        if not all(isinstance(end, int | float) and np.isfinite(end) for end in (low, high)):
            raise InputError(f"a range goes from one number to another, not from {low!r} to {high!r}")
        if self.log and min(low, high) <= 0.0:
            raise InputError("a logarithmic range stays above 0")
        if self.steps is not None:
            values = (np.geomspace if self.log else np.linspace)(low, high, self.steps)
        else:
            by = self.by or 1.0
            count = int(np.floor((high - low) / by + 1e-9)) + 1
            if not 1 <= count <= MOST_RUNS:
                raise InputError(f"from {low:g} to {high:g} by {by:g} there are {max(count, 0)} values")
            values = low + by * np.arange(count)
        return [int(n) if float(n).is_integer() else float(n) for n in values]


class Files(StrictModel):
    """Every file that a pattern finds beside the plan, in the order of their names."""

    files: str


def _kind(values: object) -> str:
    """Return which of the three below is meant, so that an error is of that one alone."""
    if not isinstance(values, dict):
        return "[list]"
    return "[range]" if values.keys() & {"from", "to", "steps", "by"} else "[files]"


_Values = Annotated[list[Scalar], Field(min_length=1), Tag("[list]")]
_Axis = Annotated[Range, Tag("[range]")] | Annotated[Files, Tag("[files]")] | _Values
Axis = dict[str, Annotated[_Axis, Discriminator(_kind)]]


class PlanStep(StrictModel):
    """One procedure with its constant values; `name` distinguishes two steps of the same procedure.

    `after` names an earlier step, whose simulated chip this one continues with. `bench`, `preset` and `seed` are the
    step's own, in place of the plan's.
    """

    procedure: str
    name: str = ""
    after: str = ""
    bench: str | None = None
    preset: str | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    parameters: dict[str, Scalar] = {}


class PlanFile(StrictModel):
    """A whole plan as its TOML file describes it."""

    name: str
    description: str = ""
    bench: str = "simulated"
    preset: str | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    steps: Annotated[list[PlanStep], Field(min_length=1)]
    sweep: list[Axis] = []


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan."""

    number: int  # from 1, in the order of the runs
    procedure: str  # as `catalogue.find_procedure` knows it
    parameters: Mapping[str, Any]  # plain values, in the parameters' units
    bench: str  # as `mho.run` takes it
    preset: str | None  # as `mho.run` takes it
    seed: int | None  # as `mho.run` takes it
    after: int | None = None  # number of the run whose simulated chip and cells this one goes on with
    point: Mapping[str, Any] = field(default_factory=dict)  # swept parameters with the values of this run

    def make(self) -> Procedure:
        """Return the procedure, its parameters set."""
        return make_procedure(self.procedure, self.parameters)


@dataclass(frozen=True)
class Plan:
    """A checked plan: its name and description, its text, and all of its runs, in order."""

    name: str
    description: str
    text: str
    runs: tuple[PlannedRun, ...]


def load_plan(path: str | Path, most: int = MOST_RUNS) -> Plan:
    """Read a plan and lay out its runs, up to `most`; relative paths in it are relative to its folder.

    `InputError` for a file that cannot be read, and for anything wrong in it: key, line and what to do.
    """
    path = Path(path)
    text = read_text(path, InputError, f"cannot read plan {path}", "; give the path of a TOML file")
    return parse_plan(text, path.parent, f"plan {path}", most)


def parse_plan(text: str, folder: Path, source: str = "plan", most: int = MOST_RUNS) -> Plan:
    """Check the text of a plan and lay out its runs; see `load_plan`."""
    return _Layout(text, folder, source).plan(most)


def check_plan_needs(plan: Plan) -> None:
    """Refuse a plan of which runs ask for operations that their bench does not offer; no bench is opened.

    What else may be wrong with a run, or a bench, is not looked at.

    Raises
    ------
    BenchError
        Which runs, their procedures, and what each misses.
    """
    refused: dict[str, list[PlannedRun]] = {}
    lacking = cache(_lacking_bench)
    for planned in plan.runs:
        source = lacking(planned.bench)
        if source is None:
            continue
        try:
            procedure = on_chip(planned.make(), source.chip_text)
        except MhoError:
            continue
        try:
            check_needs(procedure, source.bench)
        except BenchError as error:
            refused.setdefault(str(error), []).append(planned)
        except MhoError:
            continue
    if refused:
        shown = [f"{_numbers(runs)} ({runs[0].procedure}): {why}" for why, runs in refused.items()]
        more = f"; and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        raise BenchError(f"plan {plan.name!r} cannot be carried out; {'; '.join(shown[:SHOWN])}{more}")


def _lacking_bench(name: str) -> BenchSource | None:
    """Return the bench file; None of one that cannot be read."""
    try:
        return load_bench_file(name)
    except MhoError:
        return None


def _numbers(runs: Sequence[PlannedRun]) -> str:
    """Return the numbers of runs in words."""
    first = [str(one.number) for one in runs[:SHOWN]]
    if len(runs) > SHOWN:
        first.append(f"{len(runs) - SHOWN} more")
    return f"run {first[0]}" if len(first) == 1 else f"runs {', '.join(first[:-1])} and {first[-1]}"


class _Layout:
    """Expands one plan; has its text, so that an error can name the line."""

    def __init__(self, text: str, folder: Path, source: str) -> None:
        self._text, self._folder, self._source = text, folder, source
        self._file = parse_toml(text, PlanFile, source, InputError)
        self._known: dict[tuple[int, str, str], Any] = {}

    @contextmanager
    def _at(self, *path: str | int) -> Iterator[None]:
        """Prefix an error raised inside with file, key and line."""
        try:
            yield
        except MhoError as error:
            line = line_of(self._text, path)
            place = f" (line {line})" if line else ""
            raise InputError(f"{self._source}: {'.'.join(map(str, path))}{place}: {error}") from None

    def plan(self, most: int) -> Plan:
        self._names = [self._name(step) for step in self._file.steps]
        self._forms = [self._form(number, step) for number, step in enumerate(self._file.steps)]
        self._given = [
            {key: self._located(value) for key, value in step.parameters.items()} for step in self._file.steps
        ]
        self._settings = [self._settings_of(step) for step in self._file.steps]
        self._grounds = [self._ground(number, step) for number, step in enumerate(self._file.steps)]
        axes = [self._axis(number, axis) for number, axis in enumerate(self._file.sweep)]
        count = len(self._forms) * int(np.prod([len(points) for points in axes], dtype=float))
        if count > most:
            allowed = "a plan may have" if most == MOST_RUNS else "that are taken here"
            raise InputError(f"{self._source}: {count} runs are more than the {most} {allowed}")
        return Plan(self._file.name, self._file.description, self._text, tuple(self._runs(axes)))

    def _settings_of(self, step: PlanStep) -> dict[str, Any]:
        """Return bench, preset and seed of a step: its own, or those of the plan."""
        own = {key: getattr(step, key) for key in SETTINGS}
        return {
            key: self._located(getattr(self._file, key) if value is None else value)
            for key, value in own.items()
        }

    def _runs(self, axes: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[PlannedRun]:
        numbers = itertools.count(1)
        for points in itertools.product(*axes):
            point = {key: value for part in points for key, value in part.items()}
            for number, step in enumerate(self._file.steps):
                yield self._run(next(numbers), number, step, point)

    def _run(self, number: int, place: int, step: PlanStep, point: Mapping[str, Any]) -> PlannedRun:
        form = self._forms[place]
        values = dict(self._given[place])
        settings = dict(self._settings[place])
        mine: dict[str, Any] = {}
        for key, value in point.items():
            owner, _, parameter = key.rpartition(".")
            if owner and owner not in (step.name, step.procedure):
                continue
            if parameter in form:
                values[parameter] = mine[key] = value
            if parameter in SETTINGS:
                settings[parameter] = mine[key] = value
        if settings["seed"] is not None and "seed" in form:
            values.setdefault("seed", settings["seed"])
        with self._at("steps", place):
            plain = {key: self._plain(place, key, value) for key, value in values.items()}
        ground, after = self._grounds[place], None
        if ground is not None:
            settings["preset"], after = None, number - place + ground
        return PlannedRun(number, self._names[place], plain, **settings, after=after, point=mine)

    def _plain(self, place: int, key: str, value: Any) -> Any:
        """Return a value as converted by a procedure; cached, as runs of a sweep share most values."""
        known = (place, key, repr(value))
        if known not in self._known:
            self._known[known] = plain = accepted(self._forms[place][key], key, value)
            if key in CODE and isinstance(plain, str) and ":" in plain:  # now, and not after half of the runs
                with modules_beside(self._folder):
                    CODE[key].find(plain)
        return self._known[known]

    def _ground(self, number: int, step: PlanStep) -> int | None:
        """Return the index of the step whose chip this one continues with; None for a fresh chip."""
        if not step.after:
            return None
        earlier = self._file.steps[:number]
        for place in reversed(range(number)):
            if step.after in (earlier[place].name, earlier[place].procedure):
                return place
        with self._at("steps", number, "after"):
            known = {one.name or one.procedure: one for one in earlier}
            hint = nearest(step.after, known) if known else "it is the first"
            raise InputError(f"no step before this one is called {step.after!r}; {hint}")

    def _name(self, step: PlanStep) -> str:
        """Return the name of a step's procedure; ``path/file.py:Class`` is relative to the plan's folder."""
        if not names_file(step.procedure):
            return step.procedure if ":" in step.procedure else step.procedure.lower()
        path, _, kind = step.procedure.rpartition(":")
        return f"{(self._folder / path).resolve()}:{kind}"

    def _form(self, number: int, step: PlanStep) -> Mapping[str, Any]:
        with self._at("steps", number, "procedure"), modules_beside(self._folder):
            form = form_named(self._names[number])
        for key in step.parameters:
            if key not in form:
                with self._at("steps", number, "parameters", key):
                    raise InputError(f"{step.procedure} has no parameter {key!r}; {nearest(key, form)}")
        return form

    def _axis(self, number: int, axis: Axis) -> list[dict[str, Any]]:
        columns: dict[str, list[Any]] = {}
        for key, values in axis.items():
            with self._at("sweep", number, key):
                columns[key] = self._values(key, values, *self._owner(key))
        lengths = {key: len(column) for key, column in columns.items()}
        if len(set(lengths.values())) > 1:
            with self._at("sweep", number):
                lengths_text = ", ".join(f"{key} has {length}" for key, length in lengths.items())
                raise InputError(
                    f"what one sweep varies moves together, so it has the same length: {lengths_text}"
                )
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _owner(self, key: str) -> tuple[str, Any]:
        """Procedure and parameter that `key` names; no parameter for a setting of the run."""
        owner, _, name = key.rpartition(".")
        steps = [
            (step.procedure, form)
            for step, form in zip(self._file.steps, self._forms, strict=True)
            if not owner or owner in (step.name, step.procedure)
        ]
        if not steps:
            owners = {step.name or step.procedure: step for step in self._file.steps}
            raise InputError(f"there is no step {owner!r}; {nearest(owner, owners)}")
        for procedure, form in steps:
            if name in form:
                return procedure, form[name]
        if name in SETTINGS:
            return "", None
        every = {one: one for _, form in steps for one in (*form, *SETTINGS)}
        raise InputError(f"no step has a parameter {name!r}; {nearest(name, every)}")

    def _values(self, key: str, values: Any, procedure: str, parameter: Any) -> list[Any]:
        name = key.rpartition(".")[2]
        if isinstance(values, Files):
            result = sorted(str(path.resolve()) for path in self._folder.glob(values.files))
            if not result:
                raise InputError(f"no file matches {values.files!r} in {self._folder}")
            return result
        if isinstance(values, Range):
            low, high = (
                plain_value(name, parameter, end) if parameter is not None else end
                for end in (values.start, values.end)
            )
            values = values.numbers(low, high)
        if parameter is None:
            if name == "seed" and any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for v in values):
                raise InputError("a seed is a whole number from 0")
            return [self._located(value) for value in values]
        return [accepted(parameter, name, self._located(value)) for value in values]

    def _located(self, value: Any) -> Any:
        return located(value, self._folder)


def located(value: Any, folder: Path) -> Any:
    """Return a value; a text that names a file in `folder`, or a class in one, with the absolute path."""
    if isinstance(value, str) and value and len(value) < 1024:
        file, colon, kind = value.rpartition(":") if names_file(value) else (value, "", "")
        if (folder / file).is_file():
            return f"{(folder / file).resolve()}{colon}{kind}"
    return value
