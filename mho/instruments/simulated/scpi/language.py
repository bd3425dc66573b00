"""Declaration of an instrument's commands, and conversion of a program message to calls of its methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from mho.instruments.simulated.scpi.parameters import CommandParameter, Given, Numeric
from mho.instruments.simulated.scpi.settings import (
    FunctionSetting,
    IndexedSetting,
    Setting,
    SettingBase,
    spelled,
)
from mho.instruments.simulated.scpi.status import ScpiError
from mho.instruments.simulated.scpi.syntax import HeaderTree, parse_unit, split_units

__all__ = [
    "Call", "FunctionSetting", "IndexedSetting", "Language", "Setting", "SettingBase", "command", "query", "resolve",
]  # fmt: skip

KEPT = 4096  # messages that are known as they come

Handler = TypeVar("Handler", bound=Callable[..., Any])
Declared = CommandParameter[Any] | Mapping[str, CommandParameter[Any]]
"""A parameter, or one for each function of a header."""


class _Leaf(NamedTuple):
    """The handler of a header."""

    function: Callable[..., Any]
    parameters: tuple[CommandParameter[Any], ...] = ()


class Call(NamedTuple):
    """One unit of a parsed message, ready to run."""

    function: Callable[..., str | None]
    arguments: tuple[Any, ...] = ()
    late: tuple[CommandParameter[Any] | None, ...] = ()  # parameters to resolve at execution, if any
    suffixes: tuple[int, ...] = ()


def command(
    header: str, *parameters: Declared, functions: Mapping[str, str] | None = None
) -> Callable[[Handler], Handler]:
    """Declare a method as the handler of a command; several headers may share one method.

    With `functions` the command exists for each: its node replaces ``<function>`` in the header, and the method
    receives its name first.
    """
    return _declare(header, False, parameters, functions)


def query(
    header: str, *parameters: Declared, functions: Mapping[str, str] | None = None
) -> Callable[[Handler], Handler]:
    """Declare a method, which returns the reply's text, as the handler of a query; otherwise as `command`."""
    return _declare(header, True, parameters, functions)


def _declare(
    header: str, asks: bool, parameters: tuple[Declared, ...], functions: Mapping[str, str] | None
) -> Callable[[Handler], Handler]:
    entries: list[tuple[str, bool, tuple[Declared, ...]]] = [(header, asks, parameters)]
    if functions is not None:
        entries = [
            (
                form,
                asks,
                (Given(function), *(p[function] if isinstance(p, Mapping) else p for p in parameters)),
            )
            for function, form in spelled(header, functions)
        ]

    def decorate(function: Handler) -> Handler:
        function.__dict__.setdefault("scpi_headers", []).extend(entries)
        return function

    return decorate


class _Asked(CommandParameter[Any]):
    """The optional ``MIN|MAX|DEF`` after a numeric setting's question mark."""

    default = None
    required = False

    def __init__(self, numeric: Numeric) -> None:
        self._numeric = numeric
        self.depends = numeric.depends

    def parse(self, text: str) -> Any:
        if not text.isalpha():
            raise ScpiError(-108)
        return self._numeric.parse(text)

    def resolve(self, value: Any, device: Any, suffixes: tuple[int, ...]) -> Any:
        return None if value is None else self._numeric.resolve(value, device, suffixes)


def _refuse(error: ScpiError) -> Call:
    def refuse(device: Any) -> None:
        raise error

    return Call(refuse)


def _bind(leaf: _Leaf, suffixes: tuple[int, ...], texts: tuple[str, ...]) -> Call:
    """Read the parameters of one unit."""
    parameters = leaf.parameters
    values: list[Any] = []
    late: list[CommandParameter[Any] | None] = [None] * len(suffixes)
    remaining, has_late = list(texts), False
    for parameter in parameters:
        if parameter.given:
            values.append(parameter.default)
        elif parameter.repeated:  # takes all that remain
            if parameter.required and not remaining:
                raise ScpiError(-109)
            values.append([parameter.parse(text) for text in remaining])
            remaining = []
        elif remaining:
            values.append(parameter.parse(remaining.pop(0)))
        elif parameter.required:
            raise ScpiError(-109)
        else:
            values.append(parameter.default)
        late.append(parameter if parameter.depends else None)
        has_late = has_late or late[-1] is not None
    if remaining:
        raise ScpiError(-108)
    return Call(leaf.function, (*suffixes, *values), tuple(late) if has_late else (), suffixes)


def resolve(call: Call, device: Any) -> list[Any]:
    """Return a call's arguments, with those parameters resolved whose limits depend on `device`."""
    arguments: list[Any] = []
    for parameter, value in zip(call.late, call.arguments, strict=True):
        if parameter is None:
            arguments.append(value)
        elif parameter.repeated:
            arguments.append([parameter.resolve(item, device, call.suffixes) for item in value])
        else:
            arguments.append(parameter.resolve(value, device, call.suffixes))
    return arguments


class Language:
    """The compiled commands of a class of devices, with a cache of parsed messages."""

    def __init__(self, device_class: type) -> None:
        tree = HeaderTree()
        self.settings: dict[str, SettingBase[Any]] = {}
        for base in reversed(device_class.__mro__):
            for name, member in vars(base).items():
                if isinstance(member, SettingBase):
                    self.settings[name] = member
                    for header, given, parameter in member.forms:
                        asked = (_Asked(parameter),) if isinstance(parameter, Numeric) else ()
                        tree.add(header, False, _Leaf(member.storing(), (*given, parameter)))
                        tree.add(header, True, _Leaf(_getter(member, parameter), (*given, *asked)))
                else:
                    for header, asks, parameters in getattr(member, "scpi_headers", ()):
                        # As the class has it: an override need not declare the header again.
                        tree.add(header, asks, _Leaf(getattr(device_class, name), parameters))
        self._find = lru_cache(4096)(tree.find)
        self._unit = lru_cache(2048)(self._compile_unit)
        self.parse: Callable[[bytes], list[Call]] = lru_cache(2048)(self.compile)
        self.known: dict[bytes, list[Call]] = {}

    def understood(self, line: bytes) -> list[Call]:
        """Parse one program message with its line feed, and find it in `known` when it comes again.

        (A look-up in a dict takes a fifth of the time of `parse`, and messages come by the hundred thousand.)
        """
        if len(self.known) >= KEPT:
            self.known.clear()
        calls = self.known[line] = self.parse(line.strip())
        return calls

    def compile(self, message: bytes) -> list[Call]:
        """Parse one program message, without terminator, into calls; errors become calls that raise."""
        try:
            units = split_units(message.decode("latin-1"))
        except ScpiError as error:
            return [_refuse(error)]
        calls: list[Call] = []
        path = ""
        for unit in units:
            cached = self._unit if len(unit) < 200 else self._compile_unit
            call, path = cached(unit, path)
            calls.append(call)
        return calls

    def _compile_unit(self, text: str, path: str) -> tuple[Call, str]:
        """Parse one unit that follows a header in `path`; returns the path for the next one as well."""
        try:
            unit = parse_unit(text)
            header = unit.header
            if header[0] != "*":
                if header[0] != ":":
                    header = path + header
                path = header[: header.rindex(":") + 1] if ":" in header else ""
            leaf, suffixes = self._find(header, unit.query)
            return _bind(leaf, suffixes, unit.parameters), path
        except ScpiError as error:
            return _refuse(error), path


def _getter(setting: SettingBase[Any], parameter: CommandParameter[Any]) -> Callable[..., str]:
    return setting.recall if isinstance(parameter, Numeric) else setting.answering(parameter)
