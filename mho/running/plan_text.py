"""The text of a plan from its runs: the inverse of `mho.running.plan`, as short as it finds.

Runs that are a few steps over and over become these steps with sweeps, nested where the values are; any others become a
step each. What is written is read back before it is returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mho.errors import InputError
from mho.running.plan import SETTINGS, PlannedRun, parse_plan
from mho.toml import toml_value

Columns = dict[str, list[Any]]
"""The values that a step's keys take over the runs of the step, in their order."""


def plan_text(name: str, description: str, runs: Sequence[PlannedRun], folder: Path) -> str:
    """Return the text of a plan in `folder` that has these runs, numbered from 1; files in `folder` by relative paths.

    `InputError` for no runs, and for a run that no plan can describe.
    """
    if not runs:
        raise InputError("a plan has at least one run; add one first")
    period = next(period for period in _divisors(len(runs)) if _repeats(runs, period))
    for length in (period, len(runs)):
        text = "\n".join(_lines(name, description, runs, length, folder))
        if (differing := _first_difference(text, runs, folder)) is None:
            return text
    assert differing is not None
    raise InputError(f"run {differing.number} ({differing.procedure}) cannot be written into a plan as it is")


def _first_difference(text: str, runs: Sequence[PlannedRun], folder: Path) -> PlannedRun | None:
    """Return the first of the runs that a text does not read back as it is; None when all are the same."""
    read = map(_facts, parse_plan(text, folder).runs)
    return next((run for run in runs if _facts(run) != next(read, None)), None)


def _facts(run: PlannedRun) -> tuple[Any, ...]:
    values = {key: (type(value), value) for key, value in run.parameters.items()}
    return run.procedure, values, run.bench, run.preset, run.seed, run.after


def _divisors(count: int) -> Iterator[int]:
    return (number for number in range(1, count + 1) if count % number == 0)


def _repeats(runs: Sequence[PlannedRun], period: int) -> bool:
    """Return whether the runs are the same `period` steps over and over, but for their values."""

    def shape(run: PlannedRun) -> tuple[Any, ...]:
        before = None if run.after is None else run.number - run.after
        return run.procedure, {*run.parameters}, run.seed is None, run.preset is None, before

    steps = [shape(run) for run in runs[:period]]
    outside = any(
        run.after is not None and run.number - run.after > place for place, run in enumerate(runs[:period])
    )
    return not outside and all(shape(run) == steps[place % period] for place, run in enumerate(runs))


def _lines(
    name: str, description: str, runs: Sequence[PlannedRun], period: int, folder: Path
) -> Iterator[str]:
    """Yield the lines of a plan of `period` steps."""
    shared = {
        key: value for key in SETTINGS if (value := _constant(getattr(run, key) for run in runs)) is not None
    }
    yield f"name = {toml_value(name)}"
    if description:
        yield f"description = {toml_value(description)}"
    yield from (f"{key} = {_text(value, folder)}" for key, value in shared.items())
    names = _step_names(runs[:period])
    swept: Columns = {}
    for place in range(period):
        mine, step = runs[place::period], runs[place]
        parameters, sweeps = _split({key: [run.parameters[key] for run in mine] for key in step.parameters})
        settings, varied = _split(
            {
                key: [getattr(run, key) for run in mine]
                for key in SETTINGS
                if key not in shared and getattr(step, key) is not None
            }
        )
        yield "\n[[steps]]"
        yield f"procedure = {toml_value(step.procedure)}"
        if names[place] != step.procedure:
            yield f"name = {toml_value(names[place])}"
        if step.after is not None:
            yield f"after = {toml_value(names[step.after - 1])}"
        yield from (f"{key} = {_text(value, folder)}" for key, value in settings.items())
        if parameters:
            yield f"parameters = {{ {', '.join(f'{key} = {_text(one, folder)}' for key, one in parameters.items())} }}"
        own = "" if period == 1 else f"{names[place]}."
        swept |= {_key(f"{own}{key}"): values for key, values in (sweeps | varied).items()}
    repeats = len(runs) // period
    if not swept and repeats > 1:  # runs without a seed, say, that are all the same
        swept = {"bench": [runs[0].bench] * repeats}
    for axis in nested(swept):
        yield "\n[[sweep]]"
        yield from (
            f"{key} = [{', '.join(_text(one, folder) for one in values)}]" for key, values in axis.items()
        )
    yield ""


def _key(key: str) -> str:
    """Return a key as TOML has it."""
    return key if key.isascii() and key.replace("_", "").isalnum() else toml_value(key)


def _step_names(steps: Sequence[PlannedRun]) -> list[str]:
    """Return a name for each step: its procedure, or with its number where that is there twice or is a path."""
    procedures = [step.procedure for step in steps]
    return [
        procedure if procedures.count(procedure) == 1 and procedure.isidentifier() else f"run-{place}"
        for place, procedure in enumerate(procedures, 1)
    ]


def _constant(values: Iterable[Any]) -> Any:
    """Return the value that all are; None where they differ."""
    first, *others = values
    return first if all(one == first for one in others) else None


def _split(columns: Columns) -> tuple[dict[str, Any], Columns]:
    """Return the values of the keys that have one alone, and the columns of the others."""
    constants = {key: values[0] for key, values in columns.items() if _constant(values) is not None}
    return constants, {key: values for key, values in columns.items() if key not in constants}


def nested(columns: Columns) -> list[Columns]:
    """Split columns of one length into sweeps, the outermost first, whose product they are; without columns none."""
    if not columns:
        return []
    count = len(next(iter(columns.values())))
    for inner in reversed([one for one in _divisors(count) if 1 < one < count]):
        outer = {
            key: values[::inner]
            for key, values in columns.items()
            if values == [value for value in values[::inner] for _ in range(inner)]
        }
        rest = {
            key: values[:inner]
            for key, values in columns.items()
            if key not in outer and values == values[:inner] * (count // inner)
        }
        if rest and outer and len(outer) + len(rest) == len(columns):
            return [*nested(outer), *nested(rest)]
    return [columns]


def _text(value: Any, folder: Path) -> str:
    """Return a value as TOML has it; the path of a file in `folder` relative to it."""
    if isinstance(value, str) and value and Path(value).is_absolute() and Path(value).is_file():
        path, home = Path(value), folder.resolve()
        value = path.relative_to(home).as_posix() if path.is_relative_to(home) else value
    return toml_value(value)
