"""What a run file keeps of a run's end: the result as numbers, text, lists and mappings, or the error in words."""

from __future__ import annotations

import dataclasses
import os
import sysconfig
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from traceback import FrameSummary, extract_tb
from typing import Any

import numpy as np

from mho.errors import MhoError, RunFileError
from mho.instruments.bench import PulseDamage

_INSTALLED = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
# Folders of code that is not the user's own: mho's, Python's, what is installed
_OF_OTHERS = tuple(f"{place}{os.sep}" for place in (Path(__file__).resolve().parents[1], *_INSTALLED))
MOST = 30  # steps of a trace that are kept, innermost last


def failure_reason(error: BaseException) -> str:
    """Return one sentence with the reason why a run or a job failed.

    For an error that mho raises this is its text. For any other one, which is a bug, file and line follow.
    """
    text = f"{type(error).__name__}: {error}"
    steps = _steps(error)
    if isinstance(error, MhoError) or not steps:
        return text
    return f"{text} ({_in_words((_own(steps) or steps)[-1])})"


def failure_trace(error: BaseException) -> str:
    """Return the steps of the user's own code in an error's traceback, the innermost last; "" when there are none.

    Without the steps through mho, which say nothing to a user; but all of them where the flaw is mho's own. Files are
    named without their folders, so that the same run leaves the same log elsewhere.
    """
    steps = _steps(error)
    shown = _own(steps) or ([] if isinstance(error, MhoError) else steps)
    lines = [f"  {_in_words(step)}: {step.line}" for step in shown[-MOST:]]
    return "\n".join([f"{type(error).__name__}: {error}", *lines]) if lines else ""


def _steps(error: BaseException) -> list[FrameSummary]:
    return list(extract_tb(error.__traceback__))


def _own(steps: list[FrameSummary]) -> list[FrameSummary]:
    return [step for step in steps if not os.path.abspath(step.filename).startswith(_OF_OTHERS)]


def _in_words(step: FrameSummary) -> str:
    return f"{os.path.basename(step.filename)}, line {step.lineno}, in {step.name}"


LONGEST = 4096  # numbers of an array: as text they fit beside the rest; more belong into an array or a table
DEEPEST = 20  # mappings and lists within each other
LISTED = 200  # cells that are listed one by one: a result has 64 KiB
NAMED = 5  # and in a sentence


@dataclasses.dataclass(frozen=True)
class StoredResult:
    """A result as a run file has it."""

    values: dict[str, Any]  # numbers, text, None, lists and mappings of them, by name
    units: dict[str, str]  # of those that have one, by name; what lies in a mapping is ``NAME.KEY``


def stored_result(result: object) -> StoredResult:
    """Return what a run file keeps of what `execute` returned.

    `result`: a mapping, a dataclass (its `path` is the run file's, and left out), a named tuple, or one value, kept
        as ``result``; None is nothing. A number or an array with a unit is a pair, ``(3e-6, "S")``. Of an
        object with a mapping as its `summary` that is kept, with the units that its `units` gives by name.
    `RunFileError` naming the first thing in it that cannot be kept, and its type.
    """
    if result is None:
        return StoredResult({}, {})
    summary = getattr(result, "summary", result)
    if dataclasses.is_dataclass(summary) and not isinstance(summary, type):
        summary = {
            field.name: getattr(summary, field.name)
            for field in dataclasses.fields(summary)
            if field.name != "path"
        }
    elif isinstance(summary, tuple) and hasattr(summary, "_asdict"):
        summary = summary._asdict()
    units: dict[str, str] = {}
    if isinstance(summary, Mapping):
        values: dict[str, Any] = _plain(summary, "", units, DEEPEST)
    else:
        values = {"result": _plain(summary, "result", units, DEEPEST)}
    if summary is not result:
        of_result: Mapping[str, str] = getattr(result, "units", {})  # of its arrays, too
        units |= {name: unit for name, unit in of_result.items() if name.partition(".")[0] in values}
    return StoredResult(values, units)


def _plain(value: object, name: str, units: dict[str, str], depth: int) -> Any:
    """Return `value` as JSON has it, and put its unit into `units`; `name` is where it stands."""
    if not depth:
        raise _refusal(name, "lies within too many lists; return it flat")
    match value:
        case (quantity, str(unit)) if isinstance(value, tuple) and _is_numeric(quantity):
            units[name] = unit
            return _plain(quantity, name, units, depth)
        case np.generic():
            return _plain(value.item(), name, units, depth)
        case str() | bool() | int() | float() | None:
            return value
        case np.ndarray() if value.dtype.kind in "biuf" and value.size <= LONGEST:
            return value.tolist()
        case list() | tuple():
            return [_plain(one, f"{name}[{place}]", units, depth - 1) for place, one in enumerate(value)]
        case Mapping():
            return {key: _plain(one, _below(name, key), units, depth - 1) for key, one in value.items()}
    what = (
        f"an array of {value.size} {value.dtype}"
        if isinstance(value, np.ndarray)
        else f"of type {type(value).__name__}"
    )
    raise _refusal(
        name,
        f"is {what}; return numbers, text, lists and mappings of them, or arrays of up to {LONGEST} real numbers, and "
        "put more into an array or a table of its layout",
    )


def _is_numeric(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "iuf"
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _below(name: str, key: object) -> str:
    """Return the name of what a mapping holds under `key`."""
    if not isinstance(key, str):
        raise _refusal(name, f"has the key {key!r} of type {type(key).__name__}; name what it holds by text")
    return f"{name}.{key}" if name else key


def _refusal(name: str, why: str) -> RunFileError:
    where = name if name in ("", "result") else f"result.{name}"
    return RunFileError(f"what the procedure returned cannot be kept: {where or 'result'} {why}")


def losses(damage: PulseDamage) -> dict[str, Any]:
    """Return what a run's result says of the cells that its own pulses destroyed; nothing of a run without pulses.

    ``lost_by_pulses`` is their number. Where it is not 0, ``lost_by`` counts them by cause, and ``lost_cells`` lists
    the first `LISTED` of them. ``beyond_ratings`` counts real cells that had more than they bear by the chip map and were
    not found stuck since; it is left out where there are none.
    """
    lost = damage.lost()
    if not (damage.acted or lost or damage.stressed()):
        return {}
    said: dict[str, Any] = {"lost_by_pulses": len(lost)}
    if lost:
        said["lost_by"] = dict(Counter(one.cause for one in lost))
        said["lost_cells"] = [
            {**one.cell._asdict(), "cause": one.cause, "stress": one.stress} for one in lost[:LISTED]
        ]
    if beyond := {one.cell for one in damage.stressed()} - {one.cell for one in lost}:
        said["beyond_ratings"] = len(beyond)
    return said


def losses_in_words(damage: PulseDamage) -> str:
    """Return a sentence on the cells that a run's own pulses destroyed, and on those that they may have; "" for none."""
    lost = damage.lost()
    known = {one.cell for one in lost}
    beyond = [one for one in damage.stressed() if one.cell not in known]
    sentences = []
    for cells, what in (
        (lost, "destroyed by this run's own pulses"),
        (beyond, "given more than a cell bears by the chip map, and may be damaged"),
    ):
        if cells:
            causes = ", ".join(f"{name} {n}" for name, n in Counter(one.cause for one in cells).items())
            named = ", ".join(map(str, cells[:NAMED])) + (" and others" if len(cells) > NAMED else "")
            was = "cell was" if len(cells) == 1 else "cells were"
            sentences.append(f"{len(cells)} {was} {what} ({causes}): {named}")
    return "; ".join(sentences)
