"""How an instrument's vocabulary is declared, and how a program message becomes calls of its methods."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from instruments.simulated.scpi_parameters import Numeric, Parameter
from instruments.simulated.scpi_syntax import HeaderTree, parse_unit, split_units
from instruments.simulated.status import ScpiError

T = TypeVar("T")
Handler = TypeVar("Handler", bound=Callable[..., Any])


class _Leaf(NamedTuple):
    """What a header leads to."""

    function: Callable[..., Any]
    parameters: tuple[Parameter[Any], ...] = ()


class Call(NamedTuple):
    """One unit of a parsed message, ready to run."""

    function: Callable[..., str | None]
    arguments: tuple[Any, ...] = ()
    late: tuple[Parameter[Any] | None, ...] = ()  # parameters to resolve at execution, if any
    suffixes: tuple[int, ...] = ()


def command(header: str, *parameters: Parameter[Any]) -> Callable[[Handler], Handler]:
    """Make a method the handler of a command; several headers may share one method."""
    return _declare(header, False, parameters)


def query(header: str, *parameters: Parameter[Any]) -> Callable[[Handler], Handler]:
    """Make a method, which returns the reply's text, the handler of a query."""
    return _declare(header, True, parameters)


def _declare(header: str, asks: bool, parameters: tuple[Parameter[Any], ...]) -> Callable[[Handler], Handler]:
    def decorate(function: Handler) -> Handler:
        function.__dict__.setdefault("scpi_headers", []).append((header, asks, parameters))
        return function

    return decorate


class SettingBase(Generic[T]):
    """A value that a command sets, its query returns and ``*RST`` restores."""

    def __init__(self, header: str, parameter: Parameter[T]) -> None:
        self.header = header
        self.parameter = parameter
        self.checks: tuple[str, ...] = ()
        self.changes: tuple[str, ...] = ()

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def check(self, function: Handler) -> Handler:
        """Have a method see (suffix and) new value before it is stored; `ScpiError` refuses it."""
        self.checks += (function.__name__,)
        return function

    def on_change(self, function: Handler) -> Handler:
        """Have a method called with (suffix and) value after it was set."""
        self.changes += (function.__name__,)
        return function

    def store(self, device: Any, *arguments: Any) -> None:
        """Set the value as the command does; `arguments` are suffixes and value."""
        for check in self.checks:
            getattr(device, check)(*arguments)
        self._put(device, *arguments)
        for change in self.changes:
            getattr(device, change)(*arguments)

    def recall(self, device: Any, *arguments: Any) -> str:
        """Answer the query; a number's may ask for MIN, MAX or DEF."""
        *suffixes, wanted = arguments
        value = self._get(device, *suffixes) if wanted is None else wanted
        return self.parameter.format(value, device)

    def _put(self, device: Any, *arguments: Any) -> None:
        device.__dict__[self.name] = arguments[-1]

    def _get(self, device: Any, *suffixes: int) -> T:
        value: T = device.__dict__[self.name]
        return value

    def restore(self, device: Any) -> None:
        """Go back to the default without telling anyone (``*RST``)."""
        device.__dict__[self.name] = self.parameter.default


class Setting(SettingBase[T]):
    """A setting without suffix; the instance's attribute of this name is the value."""

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self  # on an instance the value in its __dict__ comes first

    if TYPE_CHECKING:

        def __set__(self, instance: object, value: T) -> None: ...


class IndexedSetting(SettingBase[T]):
    """A setting for each suffix of a ``NODE[1|2]``; the instance's attribute is a dict by suffix."""

    @overload
    def __get__(self, instance: None, owner: type) -> IndexedSetting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> dict[int, T]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        choices = [part.split("]")[0] for part in self.header.split("[") if "|" in part]
        if len(choices) != 1:
            raise ValueError(f"{self.header}: an indexed setting needs exactly one node with suffixes")
        self.indices = tuple(map(int, choices[0].split("|")))

    def _put(self, device: Any, *arguments: Any) -> None:
        index, value = arguments
        device.__dict__[self.name][index] = value

    def _get(self, device: Any, *suffixes: int) -> T:
        value: T = device.__dict__[self.name][suffixes[0]]
        return value

    def restore(self, device: Any) -> None:
        """Go back to the defaults without telling anyone (``*RST``)."""
        device.__dict__[self.name] = dict.fromkeys(self.indices, self.parameter.default)


class _Asked(Parameter[Any]):
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
    late: list[Parameter[Any] | None] = [None] * len(suffixes)
    remaining = list(texts)
    for parameter in parameters:
        if parameter.repeated:
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
    if remaining:
        raise ScpiError(-108)
    has_late = any(parameter is not None for parameter in late)
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
    """A class of devices' vocabulary, compiled once, and the messages it has parsed lately."""

    def __init__(self, device_class: type) -> None:
        tree = HeaderTree()
        self.settings: dict[str, SettingBase[Any]] = {}
        for base in reversed(device_class.__mro__):
            for name, member in vars(base).items():
                if isinstance(member, SettingBase):
                    self.settings[name] = member
                    asked = (_Asked(member.parameter),) if isinstance(member.parameter, Numeric) else ()
                    tree.add(member.header, False, _Leaf(_setter(member), (member.parameter,)))
                    tree.add(member.header, True, _Leaf(_getter(member), asked))
                else:
                    for header, asks, parameters in getattr(member, "scpi_headers", ()):
                        tree.add(header, asks, _Leaf(_method(name), parameters))
        self._find = lru_cache(4096)(tree.find)
        self._unit = lru_cache(2048)(self._compile_unit)
        self.parse: Callable[[bytes], list[Call]] = lru_cache(2048)(self.compile)

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


def _method(name: str) -> Callable[..., Any]:
    """Call by name, so that a subclass may override a handler without declaring its header again."""

    def call(device: Any, *arguments: Any) -> Any:
        return getattr(device, name)(*arguments)

    return call


def _setter(setting: SettingBase[Any]) -> Callable[..., None]:
    return setting.store


def _getter(setting: SettingBase[Any]) -> Callable[..., str]:
    if isinstance(setting.parameter, Numeric):
        return setting.recall
    return lambda device, *suffixes: setting.recall(device, *suffixes, None)
