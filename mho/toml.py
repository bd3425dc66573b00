"""TOML text in, a checked pydantic model out; an error names the file, the key and the line. And values with units."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from mho.errors import MhoError, nearest

Model = TypeVar("Model", bound=BaseModel)

# Levels of tables and arrays within each other that are read; the deepest of mho's own files has five
DEEPEST = 50
# Strings, comments and brackets of TOML (v1.0.0)
_MARKS = re.compile(
    r'''"""(?:[^\\]|\\.)*?"""|'{3}.*?'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|#[^\n]*|[][{}]''', re.DOTALL
)

# What tomllib says of a backslash in double quotes that is none of TOML's own
_OF_A_BACKSLASH = ("Unescaped '\\' in a string", "Invalid hex value")

PREFIXES = {
    "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9,
}  # fmt: skip
_QUANTITY = re.compile(r"\s*(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>\S*)\s*")


class StrictModel(BaseModel):
    """A file's section: unknown keys are typos, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def load_toml(text: str, source: str, error: type[MhoError]) -> dict[str, Any]:
    """Return what a TOML text holds.

    `MhoError` of the class `error`: `source` is no TOML, nested deeper than `DEEPEST`, or has a number beyond
    all reading.
    """
    too_deep = f"{source} is nested deeper than {DEEPEST} levels; no file of mho's is, so it is not read"
    if _brackets(text) > DEEPEST:  # before reading, which calls itself for each
        raise error(too_deep)
    try:
        result = tomllib.loads(text)
    except ValueError as flaw:
        advice = "; write a text that has a backslash, as a path of Windows, in single quotes"
        advice = advice if str(flaw).startswith(_OF_A_BACKSLASH) else ""
        raise error(f"{source} is not valid TOML: {flaw}{advice}") from None
    if _depth(result) > DEEPEST:
        raise error(too_deep)
    return result


def toml_value(value: object) -> str:
    """Return a truth value, a number, a list or tuple of such, or anything else as a text, as TOML has it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return int.__repr__(value)
        case float():
            return float.__repr__(value)
        case list() | tuple():
            return f"[{', '.join(map(toml_value, value))}]"
    # JSON's texts are TOML's basic strings but for U+007F, which no file of TOML holds as it is
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def in_unit(unit: str) -> Callable[[Any], Any]:
    """Return a function that turns a text into a number in `unit`, which may stand behind it with any SI prefix.

    What is no text it returns as it is. It raises `ValueError` for another text, or another unit.
    """

    def number(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = _QUANTITY.fullmatch(value)
        prefix = None if match is None else match["unit"].removesuffix(unit)
        if match is None or prefix not in PREFIXES or match["unit"] not in ("", f"{prefix}{unit}"):
            raise ValueError(f"{value!r} is no number in {unit}; write it as 0.5 or as '500 m{unit}'")
        power = PREFIXES[prefix] if match["unit"] else 0
        mantissa, _, exponent = match["number"].lower().partition("e")
        return float(f"{mantissa}e{int(exponent or 0) + power}")  # as it would be read when written so

    return number


def _brackets(text: str) -> int:
    """Return how many brackets and braces at most are open at once, those in strings and comments aside."""
    open_now = deepest = 0
    for mark in _MARKS.finditer(text):
        open_now = max(0, open_now + {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark[0], 0))
        deepest = max(deepest, open_now)
    return deepest


def _depth(value: Any) -> int:
    """Return how many tables and arrays lie within each other, as far as `DEEPEST` and one more."""
    level, depth = [value], 0
    while depth <= DEEPEST and (level := [one for one in level if isinstance(one, dict | list)]):
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


def parse_toml(text: str, model: type[Model], source: str, error: type[MhoError]) -> Model:
    """Check `text` against `model`.

    `MhoError` of the class `error`, for the first thing that is wrong: file, key, line and what to do.
    """
    result = load_toml(text, source, error)
    try:
        return model.model_validate(result)
    except ValidationError as problems:
        errors = problems.errors(include_url=False)
        # An unknown key explains a missing one, so it goes first.
        problem: Any = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        # In brackets are pydantic's mark on a dict's key, and the kinds of what may be of several.
        path = tuple(part for part in problem["loc"] if not str(part).startswith("["))
        key = ".".join(str(part) for part in path) or "the file"
        line = line_of(text, path)
        place = f" (line {line})" if line else ""
        what = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            what = "unknown key" + _suggestion(str(path[-1]), problems, model, problem["loc"])
        elif problem["type"] == "missing":
            what = "this key is missing"
        else:
            # A validator's own sentence names its values; a whole table repeated after it would bury it.
            own = problem["type"] == "value_error" or isinstance(problem["input"], dict)
            what = what if own else f"{what}, not {problem['input']!r}"[:300]
        raise error(f"{source}: {key}{place}: {what}") from None


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """Line number (from 1) where the key at `path` stands, or its table, or None."""
    table: list[str] = []
    counts: dict[str, int] = {}
    best: int | None = None
    keys = [str(part) for part in path]
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        header = re.match(r"\[\[?\s*(.+?)\s*\]?\]\s*(#.*)?$", stripped)
        if header and stripped.startswith("["):
            table = [part.strip().strip("\"'") for part in re.findall(r'"[^"]*"|\'[^\']*\'|[^.]+', header[1])]
            if stripped.startswith("[["):
                name = ".".join(table)
                counts[name] = counts.get(name, -1) + 1
                table = [*table, str(counts[name])]
            if table and table == keys[: len(table)]:
                best = number
            continue
        key = re.match(r"(\"[^\"]*\"|'[^']*'|[\w.-]+)\s*=", stripped)
        if key:
            here = [*table, *(part.strip("\"'") for part in key[1].split("."))]
            if here == keys[: len(here)] and len(here) > len(table):
                return number
    return best


def _suggestion(
    key: str, problems: ValidationError, model: type[BaseModel], path: Sequence[str | int]
) -> str:
    missing = [
        str(e["loc"][-1]) for e in problems.errors() if e["type"] == "missing" and e["loc"][:-1] == path[:-1]
    ]
    # A key that is missing was probably meant; else any key of that section may have been.
    hint = nearest(key, missing, otherwise="") or nearest(key, _fields_at(model, path[:-1]), otherwise="")
    return f"; {hint}" if hint else ""


def _fields_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Keys of the section at `path`; rows of tuples and keys of dicts lead to the model they hold."""
    for step in path:
        field = model.model_fields.get(str(step))
        if field is not None:
            model = next(iter(_models_in(field.annotation)), model)
        elif (one := model.model_fields.get("root")) is not None and str(step).startswith("["):
            kind = str(step).strip("[]")
            models = [each for each in _models_in(one.annotation) if "kind" in each.model_fields]
            of_kind = (each for each in models if kind in get_args(each.model_fields["kind"].annotation))
            model = next(of_kind, model)
    return [name for name in model.model_fields if name != "root"]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
