"""Tables of a simulated TSP instrument for its scripts: constants, functions, attributes and readings.

2600BS-901-01, ``format.data``, ``format.byteorder`` and ``format.asciiprecision``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.tsp.lua import Sandbox, Value

TOO_BIG, TOO_SMALL, WRONG_TYPE, ILLEGAL = 1101, 1102, -104, -224


class TspError(Exception):
    """Raised to refuse a value or a command: an error number, and optionally a text."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


Check = Callable[[Any], Any]
Refuse = Callable[[TspError], None]


@dataclass(frozen=True)
class Attribute:
    """A setting that scripts read and write.

    `check` returns the value to store, or raises `TspError`; `changed` is called with it after it is stored.
    """

    default: Value
    check: Check
    changed: Callable[[Any], None] | None = None


def real(minimum: float = -math.inf, maximum: float = math.inf) -> Check:
    """Accept numbers, and text that is one, within limits."""

    def check(value: object) -> float:
        number = as_number(value)
        if not number <= maximum:  # not a number is too big as well
            raise TspError(TOO_BIG)
        if number < minimum:
            raise TspError(TOO_SMALL)
        return number

    return check


def whole(minimum: float, maximum: float) -> Check:
    """Accept whole numbers within limits; fractions are cut off, as Lua's C interface does (?)."""
    within = real(minimum, maximum)
    return lambda value: float(math.trunc(within(value)))


def choice(*choices: float) -> Check:
    """Accept one of some numbers."""
    within = real(min(choices), max(choices))

    def check(value: object) -> float:
        number: float = within(value)
        if number not in choices:
            raise TspError(ILLEGAL)
        return number

    return check


def text(value: object) -> str:
    """Accept text."""
    if not isinstance(value, str):
        raise TspError(WRONG_TYPE)
    return value


def flag(value: object) -> bool:
    """Accept true and false."""
    if not isinstance(value, bool):
        raise TspError(WRONG_TYPE)
    return value


def as_number(value: object) -> float:
    """Return a number as Lua's C interface would; raises `TspError` when it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise TspError(WRONG_TYPE)


class ScriptTable:
    """One of the instrument's tables, such as ``smua.source``.

    Values live here and are mirrored into Lua, so that reading an attribute stays in Lua. `contents` are constants,
    functions of Python and further tables; `readings` are attributes that are computed when they are read; `item` is what a
    numeric index returns, None where there is nothing.
    """

    def __init__(
        self, attributes: Mapping[Any, Attribute] | None = None, *,
        contents: Mapping[str, Any] | None = None, readings: Mapping[str, Callable[[], Any]] | None = None,
        item: Callable[[int], Any] | None = None,
    ) -> None:  # fmt: skip
        self._attributes = dict(attributes or {})
        self._contents = dict(contents or {})
        self._readings = dict(readings or {})
        self._item = item
        self._values: dict[str, Any] = {name: each.default for name, each in self._attributes.items()}
        self._mirror: Any = None
        self._refuse: Refuse | None = None
        self._bound_to: Sandbox | None = None
        self._lua: Any = None

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def include(self, name: str, content: Any) -> None:
        """Add a constant, a function or a group, before a script sees this one."""
        self._contents[name] = content

    def store(self, name: str, value: Value) -> None:
        """Store a value without a check or a notification."""
        self._values[name] = value
        if self._mirror is not None:
            self._mirror[name] = value

    def assign(self, name: str, value: object) -> None:
        """Set an attribute as a script does; raises `TspError` for a value that it does not take."""
        attribute = self._attributes[name]
        self.store(name, attribute.check(value))
        if attribute.changed is not None:
            attribute.changed(self._values[name])

    def restore(self) -> None:
        """Restore the defaults of this group's attributes, and of the groups in it, without notification."""
        for name, attribute in self._attributes.items():
            self.store(name, attribute.default)
        for content in self._contents.values():
            if isinstance(content, ScriptTable):
                content.restore()

    def bind(self, sandbox: Sandbox, refuse: Refuse) -> Any:
        """Return the Lua table of this group, created once per Lua state."""
        if self._bound_to is sandbox:
            return self._lua
        self._bound_to, self._refuse = sandbox, refuse
        contents = {name: bound(content, sandbox, refuse) for name, content in self._contents.items()}
        get = self._get if self._readings or self._item else None
        self._lua, self._mirror = sandbox.proxy(
            {**contents, **self._values}, self._attributes, self._readings, get, self._set, self
        )
        return self._lua

    def _get(self, key: object) -> Any:
        try:
            if isinstance(key, str) and key in self._readings:
                return self._readings[key]()
            if isinstance(key, int | float) and self._item is not None:
                return self._item(int(key)) if math.isfinite(key) else None
        except TspError as error:
            self._refused(error)
        return None

    def _set(self, name: str, value: object) -> None:
        try:
            self.assign(name, value)
        except TspError as error:
            self._refused(error)

    def _refused(self, error: TspError) -> None:
        if self._refuse is not None:
            self._refuse(error)


@dataclass(frozen=True)
class InertTable:
    """A table (of the front panel) whose entries can all be called, written and read back, to no effect.

    `values` and the names of `functions` are there from the beginning.
    """

    values: Mapping[str, Any]
    functions: tuple[str, ...] = ()


def bound(content: Any, sandbox: Sandbox, refuse: Refuse) -> Any:
    """Return the Lua counterpart of a constant, a function, a list, a panel or a group."""
    if isinstance(content, ScriptTable):
        return content.bind(sandbox, refuse)
    if isinstance(content, InertTable):
        values = {name: bound(value, sandbox, refuse) for name, value in content.values.items()}
        return sandbox.panel(values, content.functions)
    if isinstance(content, list):
        return sandbox.array([bound(item, sandbox, refuse) for item in content])
    if callable(content):
        return sandbox.function(_refusing(content, refuse), _arity(content))
    return content


def _refusing(function: Callable[..., Any], refuse: Refuse) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except TspError as error:
            refuse(error)
            return None

    return call


def _arity(function: Callable[..., Any]) -> int:
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind == parameter.VAR_POSITIONAL for parameter in parameters):
        return 12  # more buffers or numbers than anyone prints at once
    return len(parameters)


ASCII, REAL32, REAL64 = 1.0, 2.0, 3.0
BIG_ENDIAN, LITTLE_ENDIAN = 0.0, 1.0
CONSTANTS = {
    "ASCII": ASCII, "REAL32": REAL32, "SREAL": REAL32, "REAL64": REAL64, "REAL": REAL64, "DREAL": REAL64,
    "NORMAL": BIG_ENDIAN, "BIGENDIAN": BIG_ENDIAN, "NETWORK": BIG_ENDIAN,
    "SWAPPED": LITTLE_ENDIAN, "LITTLEENDIAN": LITTLE_ENDIAN,
}  # fmt: skip
MISSING = 9.91e37  # printed for a missing reading


class Format(ScriptTable):
    """The ``format`` table, and numbers by it: text of a set precision, or indefinite blocks of reals (2600BS-901-01).

    `precision_changed` is called with the number of significant digits for ``print``.
    """

    def __init__(self, precision_changed: Callable[[int], None]) -> None:
        self._precision_changed = precision_changed
        super().__init__(
            {
                "data": Attribute(ASCII, choice(ASCII, REAL32, REAL64)),
                "byteorder": Attribute(LITTLE_ENDIAN, choice(BIG_ENDIAN, LITTLE_ENDIAN)),
                "asciiprecision": Attribute(6.0, whole(1, 16), self._changed),
            },
            contents=CONSTANTS,
        )

    def _changed(self, digits: float) -> None:
        self._precision_changed(int(digits))

    def restore(self) -> None:
        """Return to the defaults."""
        super().restore()
        self._changed(self["asciiprecision"])

    @property
    def precision(self) -> int:
        """Significant digits of a printed number."""
        return int(self["asciiprecision"])

    def reply(self, values: NDArray[np.float64] | Sequence[float]) -> bytes:
        """Write numbers as ``printnumber`` and ``printbuffer`` reply them, with the terminator.

        Text is separated by a comma and a space; binary is ``#0``, the numbers and a line feed.
        """
        if self["data"] == ASCII:
            return format_reals(values, self.precision).encode("ascii") + b"\n"
        order = "<" if self["byteorder"] == LITTLE_ENDIAN else ">"
        width = "f4" if self["data"] == REAL32 else "f8"
        with np.errstate(over="ignore"):
            block = np.asarray(values, dtype=np.float64).astype(order + width).tobytes()
        return b"#0" + block + b"\n"


def format_reals(values: NDArray[np.float64] | Sequence[float], precision: int) -> str:
    """Write numbers in scientific notation with `precision` significant digits."""
    pattern = f"%.{precision - 1}e"
    return ", ".join([pattern % value for value in np.asarray(values, dtype=np.float64).tolist()])
