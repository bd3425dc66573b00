"""Settings of an instrument: values that a command sets, a query returns and ``*RST`` restores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from mho.instruments.simulated.scpi.parameters import Choice, CommandParameter, Given

T = TypeVar("T")
Handler = TypeVar("Handler", bound=Callable[..., Any])

FUNCTION = "<function>"
"""Placeholder of a function in a header: ``:SENSe:<function>:NPLCycles``."""


def spelled(header: str, functions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each function and the header with its node, e.g. ``CURRent[:DC]``, in place of ``<function>``."""
    for function, node in functions.items():
        yield function, header.replace(FUNCTION, node)


def _kept(name: str, device: Any) -> str:
    word: str = device.__dict__[name]
    return word


class SettingBase(Generic[T]):
    """A value that a command sets, its query returns and ``*RST`` restores."""

    def __init__(self, header: str, parameter: CommandParameter[T]) -> None:
        self.header = header
        self.parameter = parameter
        self.checks: tuple[str, ...] = ()
        self.changes: tuple[str, ...] = ()

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def forms(self) -> list[tuple[str, tuple[CommandParameter[Any], ...], CommandParameter[T]]]:
        """Every header it has, what its handlers receive before the value, and the value's parameter."""
        return [(self.header, (), self.parameter)]

    def check(self, function: Handler) -> Handler:
        """Declare a method that checks (suffix and) new value before it is stored; `ScpiError` refuses it."""
        self.checks += (function.__name__,)
        return function

    def on_change(self, function: Handler) -> Handler:
        """Declare a method that is called with (suffix and) value after it was set."""
        self.changes += (function.__name__,)
        return function

    def store(self, device: Any, *arguments: Any) -> None:
        """Set the value as the command does; `arguments` are suffixes and value."""
        for check in self.checks:
            getattr(device, check)(*arguments)
        self._put(device, *arguments)
        for change in self.changes:
            getattr(device, change)(*arguments)

    def storing(self) -> Callable[..., None]:
        """Return `store`, without the detours of a kind of setting."""
        return self.store

    def answering(self, parameter: CommandParameter[Any]) -> Callable[..., str]:
        """Return `answer` for the header that has this `parameter`."""
        return self.answer

    def recall(self, device: Any, *arguments: Any) -> str:
        """Answer the query; a number's may ask for MIN, MAX or DEF."""
        *suffixes, wanted = arguments
        if wanted is None:
            return self.answer(device, *suffixes)
        return self._parameter(*suffixes).format(wanted, device)

    def answer(self, device: Any, *suffixes: Any) -> str:
        """Answer the query for the value in force."""
        return self._parameter(*suffixes).format(self._get(device, *suffixes), device)

    def _parameter(self, *suffixes: Any) -> CommandParameter[T]:
        return self.parameter

    def _put(self, device: Any, *arguments: Any) -> None:
        device.__dict__[self.name] = arguments[-1]

    def _get(self, device: Any, *suffixes: Any) -> T:
        value: T = device.__dict__[self.name]
        return value

    def restore(self, device: Any) -> None:
        """Restore the default without calling `on_change` (``*RST``)."""
        device.__dict__[self.name] = self.parameter.default


class Setting(SettingBase[T]):
    """A setting without suffix; the instance's attribute of this name is the value."""

    def storing(self) -> Callable[..., None]:
        """Return `store`, without the detour that suffixes take."""
        name, checks, changes = self.name, self.checks, self.changes

        def store(device: Any, value: Any) -> None:
            for check in checks:
                getattr(device, check)(value)
            device.__dict__[name] = value
            for change in changes:
                getattr(device, change)(value)

        return store

    def answering(self, parameter: CommandParameter[Any]) -> Callable[..., str]:
        """Return `answer`, without the detour that suffixes take."""
        name, write = self.name, parameter.format
        if isinstance(parameter, Choice) and not parameter.quoted:
            return partial(_kept, name)
        return lambda device: write(device.__dict__[name], device)

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self  # on an instance the value in its __dict__ comes first

    if TYPE_CHECKING:

        def __set__(self, instance: object, value: T) -> None: ...


class SettingOfEach(SettingBase[T]):
    """A value for each suffix, or each function, of its header; the instance's attribute is a dict by it."""

    def storing(self) -> Callable[..., None]:
        """Return `store`, for one suffix or function and its value."""
        name, checks, changes = self.name, self.checks, self.changes

        def store(device: Any, which: Any, value: Any) -> None:
            for check in checks:
                getattr(device, check)(which, value)
            device.__dict__[name][which] = value
            for change in changes:
                getattr(device, change)(which, value)

        return store

    def _put(self, device: Any, *arguments: Any) -> None:
        which, value = arguments
        device.__dict__[self.name][which] = value

    def _get(self, device: Any, *suffixes: Any) -> T:
        value: T = device.__dict__[self.name][suffixes[0]]
        return value


class IndexedSetting(SettingOfEach[T]):
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

    def restore(self, device: Any) -> None:
        """Restore the defaults without calling `on_change` (``*RST``)."""
        device.__dict__[self.name] = dict.fromkeys(self.indices, self.parameter.default)


class FunctionSetting(SettingOfEach[T]):
    """A setting for each function of a meter or source; the instance's attribute is a dict by function.

    Parameters
    ----------
    header : str
        With ``<function>`` where the function stands.
    functions : mapping of str to str
        The node of each function by its name here, e.g. ``{"CURR": "CURRent[:DC]"}``.
    parameter : CommandParameter, or mapping of str to Parameter
        Of all functions, or of each.
    """

    def __init__(
        self,
        header: str,
        functions: Mapping[str, str],
        parameter: CommandParameter[T] | Mapping[str, CommandParameter[T]],
    ) -> None:
        self._headers = dict(spelled(header, functions))
        self._parameters = (
            dict.fromkeys(functions, parameter)
            if isinstance(parameter, CommandParameter)
            else dict(parameter)
        )
        first = next(iter(functions))
        super().__init__(self._headers[first], self._parameters[first])

    @overload
    def __get__(self, instance: None, owner: type) -> FunctionSetting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> dict[str, T]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self

    @property
    def forms(self) -> list[tuple[str, tuple[CommandParameter[Any], ...], CommandParameter[T]]]:
        """Every header it has, what its handlers receive before the value, and the value's parameter."""
        return [
            (header, (Given(function),), self._parameters[function])
            for function, header in self._headers.items()
        ]

    def _parameter(self, *suffixes: Any) -> CommandParameter[T]:
        return self._parameters[suffixes[0]]

    def restore(self, device: Any) -> None:
        """Restore the defaults without calling `on_change` (``*RST``)."""
        device.__dict__[self.name] = {
            function: parameter.default for function, parameter in self._parameters.items()
        }
