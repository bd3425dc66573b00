"""What a procedure returns, as a run file keeps it: numbers, words, lists and mappings; the rest is refused by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from mho.errors import RunFileError

LONGEST = 4096  # numbers of an array: as text they fit beside the rest; more belong into an array or a table
DEEPEST = 20  # mappings and lists within each other


def kept_result(result: object) -> dict[str, Any]:
    """Return what a run file keeps of what `execute` returned.

    Parameters
    ----------
    result : object
        A mapping, an object with one as its `summary`, a dataclass (its `path` is the run file's, and left out), or one
        value, which is kept as ``result``. None is nothing.

    Raises
    ------
    RunFileError
        Naming the first thing in it that cannot be kept, and its type.
    """
    if result is None:
        return {}
    told = getattr(result, "summary", result)
    if dataclasses.is_dataclass(told) and not isinstance(told, type):
        told = {
            field.name: getattr(told, field.name)
            for field in dataclasses.fields(told)
            if field.name != "path"
        }
    if isinstance(told, Mapping):
        kept: dict[str, Any] = _plain(told, "result", DEEPEST)
        return kept
    return {"result": _plain(told, "result", DEEPEST)}


def _plain(value: object, name: str, depth: int) -> Any:
    """Return `value` as JSON has it; `name` is where it stands."""
    if not depth:
        raise RunFileError(
            f"what the procedure returned cannot be kept: {name} lies within too many lists; return it flat"
        )
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | bool | int | float | None):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.size <= LONGEST:
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one, f"{name}[{place}]", depth - 1) for place, one in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise RunFileError(
                    f"what the procedure returned cannot be kept: {name} has the key {key!r} of "
                    f"type {type(key).__name__}; name what it holds by text"
                )
        return {key: _plain(one, f"{name}.{key}", depth - 1) for key, one in value.items()}
    what = (
        f"an array of {value.size} {value.dtype}"
        if isinstance(value, np.ndarray)
        else f"of type {type(value).__name__}"
    )
    raise RunFileError(
        f"what the procedure returned cannot be kept: {name} is {what}; return numbers, text, lists and mappings of "
        f"them, or arrays of up to {LONGEST} real numbers, and put more into an array or a table of its layout"
    )
