"""Compares two run files: their data bit for bit, a block at a time, and the provenance of the runs.

Digital computations alone have a tolerance (`mho.runs.schema.Column.digital`): the BLAS has a kernel for each processor.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.runs.reading.opening import intact, items_of, open_run_file
from mho.runs.reading.reader import RunFile
from mho.runs.schema import DIGITAL_ATTRIBUTE

BLOCK_BYTES = 8 << 20

# Keys of a summary that differ between any two runs
OF_THE_MOMENT = ("wall_seconds", "solve_seconds", "training_seconds", "run_file")
# Ends of the names of settings that only keep an output in bounds, which older versions of mho left as they
# were
PROTECTION = (
    "voltage_protection", "limits_enabled", "limit_high", "limit_low", "voltage_limit", "output_range",
)  # fmt: skip

_SURROUNDINGS = ("mho_version", "git_commit", "git_diff", "python", "platform", "processor", "blas")

# Tolerances, relative to the largest value, of what older files and results name so
DIGITAL = {
    "residual": 1e-11, "relative_error": 1e-11, "sliced_error": 1e-11, "bits": 1e-2, "step": 1e-6, "solution": 1e-9,
    "reference": 1e-9, "matrix_achieved": 1e-9, "forecast_rho": 1e-9, "certificate": 1e-6,
    "true_residual": 1e-11, "products_off": 1e-9, "loop_slowest": 1e-9, "loop_damping": 1e-9, "shift": 1e-9,
    "joules": 1e-6, "condition": 1e-6, "measured_rho": 1e-6, "bits_a_cycle": 1e-6, "forecast_bits_a_cycle": 1e-6,
    "enob": 1e-6,
}  # fmt: skip

LARGEST_TOLERANCE = 0.05  # more than this no file may ask for
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)( [AVSsK]\b)?")

# Numbers without a unit in a sentence that differ by less than this differ only by float64's rounding
_NO_RESIDUAL = 1e-11
_RELATIVE = 1e-6  # tolerance of each digital value relative to itself, which the small ones of a column need


@dataclass(frozen=True)
class DatasetComparison:
    """One dataset, or one fact, of both runs; `difference` is empty where they are equal."""

    name: str
    difference: str = ""
    rounded: bool = False  # equal within the tolerance of digital computations, and not bit for bit
    restated: bool = False  # computed otherwise from the same data by a newer version: not compared

    @property
    def equal(self) -> bool:
        """Whether there is no difference at all."""
        return not self.difference


@dataclass(frozen=True)
class Change:
    """A difference in the provenance of two runs: a version, a package."""

    name: str
    then: str
    now: str


def compare_runs(
    first: Path,
    second: Path,
    *,
    as_far_as_first: bool = False,
    with_additions: bool = False,
    restated: Collection[str] = (),
) -> tuple[DatasetComparison, ...]:
    """Compare the data of two run files: tables, maps and arrays, result, log and settings; no wall time.

    `as_far_as_first`: the first run broke off: compare as much as it holds, and no result.
    `with_additions`: the second was made by an mho that may be newer: columns, values of the result and
        messages that only it has are additions, and no differences.
    `restated`: patterns of columns and values of the result that the second one computes otherwise from the
        same data.
    `RunFileError` where one of the files cannot be read.
    """
    with closing(open_run_file(first)) as one, closing(open_run_file(second)) as two:
        data = tuple(_data(one["entry"], two["entry"], as_far_as_first, with_additions, restated))
    with RunFile(first) as old, RunFile(second) as new:
        facts: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
            ("instruments", _measuring(old.instruments), _measuring(new.instruments)),
            ("cells", {"": old.cells}, {"": new.cells}),
        ]
        if old.formed and not as_far_as_first:
            facts += [("formed cells", {"": old.formed}, {"": new.formed})]
        if not as_far_as_first:
            facts += [
                ("instruments afterwards", _measuring(old.settings_after), _measuring(new.settings_after))
            ]
            then, now = _messages(old), _messages(new)
            before, after = _lasting(old.summary), _lasting(new.summary)
            if with_additions:
                now, after = _without_additions(then, now), _shared(before, after)
            data += (
                _compare_values("log", _numbered(then), _numbered(now)),
                _compare_values(
                    "outcome", *({"status": one.status, "reason": one.reason} for one in (old, new))
                ),
                _compare_values("result", _stated(before, restated), _stated(after, restated)),
            )
            if before != _stated(before, restated):
                data += (DatasetComparison("result, intervals and what follows from them", restated=True),)
    return data + tuple(DatasetComparison(name, _mappings_differ(then, now)) for name, then, now in facts)


def compare_surroundings(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[Change, ...]:
    """Compare the provenance of two runs: version, code, Python, platform, and each package."""
    changes = [
        Change(name, then.get(name, ""), now.get(name, ""))
        for name in _SURROUNDINGS
        if then.get(name, "") != now.get(name, "")
    ]
    before, after = (
        dict(line.split("==", 1) for line in one.get("packages", "").splitlines() if "==" in line)
        for one in (then, now)
    )
    changes += [
        Change(name, before.get(name, ""), after.get(name, ""))
        for name in sorted(before.keys() | after.keys(), key=str.lower)
        if before.get(name) != after.get(name)
    ]
    return tuple(changes)


def _data(
    one: h5py.Group, two: h5py.Group, as_far: bool, additions: bool, restated: Collection[str]
) -> Iterator[DatasetComparison]:
    old, new = (dict(_datasets(entry)) for entry in (one, two))
    if additions:
        new = {name: dataset for name, dataset in new.items() if name in old}
    for name in dict.fromkeys((*old, *new)):
        if _is_of(name, restated):
            yield DatasetComparison(name, restated=True)
        elif name not in old or name not in new:
            yield DatasetComparison(name, f"only in the {'second' if name not in old else 'first'} run")
        else:
            difference = _datasets_differ(old[name], new[name], as_far)
            tolerance = _tolerance(name, old[name]) if difference else 0.0
            within = bool(tolerance) and not _datasets_differ(old[name], new[name], as_far, tolerance)
            yield DatasetComparison(name, "" if within else difference, within)


def _datasets(entry: h5py.Group) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield every dataset of tables, maps and arrays."""
    names: list[str] = []
    with intact(Path(entry.file.filename)):
        groups = [(name, item) for name, item in items_of(entry) if isinstance(item, h5py.Group)]
        plots = [name for name, item in groups if item.attrs.get("NX_class") == "NXdata"]
        for group in (*plots, "maps", "arrays"):
            entry[group].visit(lambda name, group=group: names.append(f"{group}/{name}"))
        for name in names:
            item = entry[name]
            if isinstance(item, h5py.Dataset):
                # In schema 1 an array was a dataset by itself.
                yield name.removesuffix("/value") if name.startswith("arrays/") else name, item


def _tolerance(name: str, dataset: h5py.Dataset) -> float:
    """Return the tolerance that a dataset declares, or else the one for its name; 0 is bit for bit."""
    if dataset.dtype.kind not in "fc":
        return 0.0
    with intact(Path(dataset.file.filename)):
        said = dataset.attrs.get(DIGITAL_ATTRIBUTE)
    group, _, last = name.rpartition("/")
    named = DIGITAL.get(last, 0.0) if group in ("cycles", "arrays", "matrices") else 0.0
    return min(named if said is None else float(said), LARGEST_TOLERANCE)


def _datasets_differ(old: h5py.Dataset, new: h5py.Dataset, as_far: bool, tolerance: float = 0.0) -> str:
    if old.dtype != new.dtype or old.shape[1:] != new.shape[1:]:
        return f"{old.dtype} {old.shape} and {new.dtype} {new.shape}"
    may_lack = as_far and old.name.startswith("/entry/arrays/") and old.dtype.kind in "fc"
    if may_lack and np.isnan(_block(old, ())).all():  # the run broke off before it filled this array
        return ""
    if not old.shape:
        return _values_differ(_block(old, ()), _block(new, ()), 0, tolerance)
    common = min(len(old), len(new))
    rows = max(1, BLOCK_BYTES // max(1, old.dtype.itemsize * int(np.prod(old.shape[1:]))))
    for start in range(0, common, rows):
        stop = min(start + rows, common)
        difference = _values_differ(
            _block(old, np.s_[start:stop]), _block(new, np.s_[start:stop]), start, tolerance
        )
        if difference:
            return difference
    if len(old) != len(new) and not (as_far and len(old) <= len(new)):
        return f"{len(old)} rows and {len(new)}"
    return ""


def _block(dataset: h5py.Dataset, place: Any) -> NDArray[Any]:
    with intact(Path(dataset.file.filename)):
        return np.atleast_1d(np.asarray(dataset[place]))


def _values_differ(old: NDArray[Any], new: NDArray[Any], start: int, tolerance: float) -> str:
    """Return where and how two blocks of one type and shape first differ; "" when they are equal or near enough."""
    if old.tobytes() == new.tobytes():
        return ""
    differ = (old != new) & ~((old != old) & (new != new))  # two NaN are no difference
    if tolerance:
        finite = np.abs(old[np.isfinite(old)])
        near = tolerance * (float(finite.max()) if finite.size else 0.0)
        differ &= ~np.isclose(new, old, rtol=_RELATIVE, atol=near)
    place = np.argwhere(differ)
    if not len(place) and tolerance:
        return ""
    if not len(place):
        return "the same numbers with other bits (signs of 0, or kinds of NaN)"
    first = tuple(place[0])
    where = ", ".join(str(part) for part in (first[0] + start, *first[1:]))
    return f"from [{where}] on: {old[first]!s} and {new[first]!s}"


def _messages(run: RunFile) -> list[str]:
    return [f"{entry.level} {entry.message}" for entry in run.log()]


def _without_additions(then: list[str], now: list[str]) -> list[str]:
    """Return messages without those that only the second run has, between the ones that both have, but for numbers."""
    before, after = ([_NUMBER.sub(r"0\2", one) for one in messages] for messages in (then, now))
    remaining: list[str] = []
    for what, _, _, first, last in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        remaining += [] if what == "insert" else now[first:last]
    return remaining


def _numbered(messages: list[str]) -> dict[str, str]:
    return {str(number): message for number, message in enumerate(messages)}


def _lasting(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what does not differ between any two runs, within mappings too, as in a forecast."""
    return {
        name: _lasting(value) if isinstance(value, Mapping) else value
        for name, value in summary.items()
        if name not in OF_THE_MOMENT
    }


def _is_of(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _stated(values: Any, restated: Collection[str], within: str = "") -> Any:
    """Return values by name, within mappings and lists too, without those whose dotted name is restated."""
    match values:
        case Mapping():
            return {
                name: _stated(value, restated, f"{within}{name}.")
                for name, value in values.items()
                if not _is_of(f"{within}{name}", restated)
            }
        case list():
            return [_stated(value, restated, within) for value in values]
    return values


def _shared(then: Any, now: Any) -> Any:
    """Return of the second run's result what the first run's has names for, within mappings and lists too."""
    match then, now:
        case Mapping(), Mapping():
            return {name: _shared(then[name], value) for name, value in now.items() if name in then}
        case list(), list() if len(then) == len(now):
            return [_shared(one, other) for one, other in zip(then, now, strict=True)]
    return now


def _measuring(instruments: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return the settings that a value may depend on, by instrument."""
    return {
        name: {key: text for key, text in settings.items() if not key.endswith(PROTECTION)}
        for name, settings in instruments.items()
    }


def _compare_values(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> DatasetComparison:
    """Compare values or sentences of two runs; results of digital computations within their tolerance.

    That is values by the names in `DIGITAL`, and in sentences every number that is no integer.
    """
    exact = _mappings_differ(then, now)
    near = _near(then, now, 0.0)
    return DatasetComparison(name, "" if near else exact, bool(exact) and near)


def _near(then: Any, now: Any, tolerance: float) -> bool:
    match then, now:
        case Mapping(), Mapping():
            return then.keys() == now.keys() and all(
                _near(value, now[name], DIGITAL.get(name, tolerance)) for name, value in then.items()
            )
        case list(), list():
            return len(then) == len(now) and all(
                _near(one, other, tolerance) for one, other in zip(then, now, strict=True)
            )
        case float(), float() if tolerance:
            return bool(np.isclose(now, then, rtol=max(_RELATIVE, tolerance), atol=tolerance, equal_nan=True))
        case str(), str():
            return then == now or _sentences_near(then, now)
    return json.dumps(then) == json.dumps(now)


def _sentences_near(then: str, now: str) -> bool:
    """Return whether two sentences differ only in the last shown digit of numbers that are no integers."""
    old, new = _NUMBER.findall(then), _NUMBER.findall(now)
    if _NUMBER.sub(r"0\2", then) != _NUMBER.sub(r"0\2", now):
        return False
    return all(
        one == other
        or abs(float(one) - float(other)) <= max(1.5 * _last_digit(one), 0.0 if unit else _NO_RESIDUAL)
        for (one, unit), (other, _) in zip(old, new, strict=True)
    )


def _last_digit(number: str) -> float:
    """Return what one unit of the last digit shown is worth; of an integer nothing, it is to be the same."""
    digits, _, exponent = number.lower().partition("e")
    decimals = len(digits.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals) if decimals or exponent else -math.inf


def _mappings_differ(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    for name in dict.fromkeys((*then, *now)):
        old, new = (json.dumps(one.get(name), sort_keys=True) for one in (then, now))
        if old != new:
            return f"{name}: {old[:60]} and {new[:60]}".removeprefix(": ")
    return ""
