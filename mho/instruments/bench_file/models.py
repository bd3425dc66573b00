"""The driver and the simulated twin of each model that a bench file can name.

An instrument of another model is named by its own classes: ``driver = "module:Class"``, ``twin = "module:Class"``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from mho.errors import BenchError, MhoError
from mho.former_names import current_name
from mho.instruments.roles import Instrument
from mho.instruments.simulated.ports import Device
from mho.own_code import AGREED, found_beside, import_named, installed_only, is_mhos_own, names_file


@dataclass(frozen=True)
class Model:
    """One model of instrument."""

    driver: str  # ``module:Class``
    twin: str  # ``module:Class``; without one it cannot be simulated
    # Number of independent channels; a driver with several returns each by ``channel(n)``, and a user's own driver
    # states the number in its attribute `channel_count`
    channels: int = 1
    keyword: str = ""  # for a driver that is one channel: the keyword argument that selects it

    def load_driver(self) -> Any:
        """Import the driver's class."""
        return load_class(self.driver)

    def load_twin(self) -> Any:
        """Import the simulated twin's class; raises `BenchError` when there is none."""
        if not self.twin:
            raise BenchError(
                f"driver {self.driver} has no simulated twin; name one beside it, twin = 'module:Class'"
            )
        return load_class(self.twin)


GROUP = "mho.instruments"
"""Of the entry points by which packages give names to drivers."""


def _packaged(driver: str, channels: int = 1, keyword: str = "") -> Model:
    twin = driver.replace(":", ":Simulated")
    return Model(f"mho.instruments.drivers.{driver}", f"mho.instruments.simulated.{twin}", channels, keyword)


SOURCE_METERS = {
    "keithley2450": _packaged("keithley2450:Keithley2450"),
    "keithley2400": _packaged("keithley2400:Keithley2400"),
    "keithley2602b": _packaged("keithley2636b:Keithley2602B", 2),
    "keithley2612b": _packaged("keithley2636b:Keithley2612B", 2),
    "keithley2614b": _packaged("keithley2636b:Keithley2614B", 2),
    "keithley2636b": _packaged("keithley2636b:Keithley2636B", 2),
    "agilentb1500": _packaged("agilentb1500:AgilentB1500", 10, "smu"),
    "keysightb2912a": _packaged("keysightb2912a:KeysightB2912A", 2),
}
VOLTAGE_SOURCES = {
    "yokogawags210": _packaged("yokogawags210:YokogawaGS210"),
    "ni_output": _packaged("ni_output:NIOutput"),
}
PULSE_GENERATORS = {
    "keysight33522b": _packaged("keysight33522b:Keysight33522B", 2),
    "keysight33622a": _packaged("keysight33522b:Keysight33622A", 2),
    "tektronixafg31000": _packaged("tektronixafg31000:TektronixAFG31000", 2),
}
TESTERS: dict[str, Model] = {}
BOARDS = {"array_board": _packaged("array_board:ArrayBoardDriver")}
DAQS = {  # that are opened together with others: none has a twin of its own
    name: Model("", "") for name in ("ni_daq", "keithleydaq6510", "array_board")
}
SWITCH_MATRICES = {
    "keithley707b": _packaged("keithley707b:Keithley707B"),
    "keysightb2201a": _packaged("keysightb2201a:KeysightB2201A"),
}
TEMPERATURE_CONTROLLERS = {  # with the number of their inputs and outputs
    "lakeshore335": _packaged("lakeshore335:LakeShore335", 2),
    "lakeshore336": _packaged("lakeshore335:LakeShore336", 4),
}
BESIDE = {
    **SOURCE_METERS, "yokogawags210": VOLTAGE_SOURCES["yokogawags210"], **PULSE_GENERATORS, **SWITCH_MATRICES,
    **TEMPERATURE_CONTROLLERS,
    "keithleydaq6510": _packaged("keithleydaq6510:KeithleyDAQ6510"),
}  # fmt: skip
"""Those that may stand beside the bench, wired to none of its lines."""


MHOS_OWN = frozenset().union(
    SOURCE_METERS,
    VOLTAGE_SOURCES,
    PULSE_GENERATORS,
    TESTERS,
    BOARDS,
    DAQS,
    SWITCH_MATRICES,
    TEMPERATURE_CONTROLLERS,
)
"""The names of drivers that are mho's own; one that an installed package gives goes after them."""


class ChannelledInstrument(Instrument, Protocol):
    """An instrument each of whose channels can fill a role."""

    def channel(self, number: int) -> Any:
        """Return a channel, counted from 1, as a separate instrument."""


def find_model(models: Mapping[str, Model], driver: str, twin: str) -> Model:
    """Return the model of a checked entry of a bench file: one of `models`, or the user's own."""
    if driver in models:
        return models[driver]
    return Model(driver, twin, _channels(load_class(driver)))


def check_driver(models: Mapping[str, Model], role: type, name: str) -> str:
    """Return `name` when it is one of `models`, or a ``module:Class`` that can fill `role`; raises `ValueError`."""
    if name in models:
        return name
    try:
        name = own_driver(name)
    except ValueError as error:
        there = (
            f"there are {', '.join(models)}, and one of your own is" if models else "give one of your own,"
        )
        offered = "".join(f", {one} of {package}" for one, package in offered_drivers().items())
        also = f"; installed packages offer {offered[2:]}" if offered else ""
        raise ValueError(f"{error}; {there} 'module:Class' or 'path/file.py:Class'{also}") from None
    kind = load_class(name)
    _check_class(name, kind, role if _channels(kind) == 1 else ChannelledInstrument, role.__name__)
    AGREED.add(name)
    return name


def own_driver(name: str) -> str:
    """Return the class, as ``module:Class`` or with its file's whole path, that a driver of one's own names.

    A name without a class is an entry point of the group ``mho.instruments``, of an installed package. `ValueError` where
    there is none, or several packages give it.
    """
    if ":" in name:
        return found_beside(name) if names_file(name) else name
    from mho.extension_points import find_offer  # packages' metadata: only for names that are none of mho's

    try:
        offer = find_offer(GROUP, "driver", name)
    except MhoError as error:
        raise ValueError(str(error)) from None
    if offer is None:
        raise ValueError("no such driver here")
    return offer.target


def is_offered(name: str) -> bool:
    """Return whether an installed package gives this name to a driver, be it usable or not."""
    from mho.extension_points import offers

    return name.lower() in offers(GROUP)


def offered_class(name: str) -> str:
    """Return the class that an installed package's driver of this name is; "" for mho's own names, and for none."""
    if name in MHOS_OWN:
        return ""
    try:
        return own_driver(name)
    except ValueError:
        return ""


def offered_drivers() -> dict[str, str]:
    """Return the drivers that installed packages offer, by name, with their packages."""
    from mho.extension_points import usable_offers

    return {name: offer.package for name, offer in usable_offers(GROUP, "driver").items()}


def twin_of(driver: Any) -> str:
    """Return the twin that a driver's class names in its attribute `twin`, ``module:Class``; "" where it names none."""
    named = getattr(driver, "twin", "")
    return named if isinstance(named, str) else ""


def check_twin(name: str, driver: Any) -> str:
    """Return `name` when it is ``module:Class`` of a simulated instrument for a driver's class; raises `ValueError`.

    The twin of a driver that takes a `library` stands for that library, whose functions are not known here.
    """
    name = found_beside(name) if names_file(name) else name
    kind = load_class(name, "twin")
    if not takes_library(driver):
        _check_class(name, kind, Device, "simulated instrument")
    AGREED.add(name)
    return name


def takes_library(driver: Any) -> bool:
    """Return whether a driver calls a vendor's library: its class then takes, as `library`, what stands for that library.

    Such an instrument is simulated at the functions of the library, not at VISA's messages.
    """
    return "library" in inspect.signature(driver).parameters


def load_class(path: str, noun: str = "driver") -> Any:
    """Import what ``module:Class`` or ``path/file.py:Class`` names.

    `ValueError` when there is no such module or class, or its module cannot be imported; with the reason.
    """
    if names_file(path):
        try:
            own = import_named(path, noun)
        except MhoError as error:
            raise ValueError(str(error)) from None
        if not isinstance(own, type):
            raise ValueError(f"{path} is no class")
        return own
    module, colon, name = current_name(path).partition(":")
    if not (module and colon and name):
        raise ValueError(f"{path!r} names no class; write 'module:Class'")
    try:
        with installed_only() if is_mhos_own(current_name(path)) else nullcontext():
            namespace = import_module(module)
            kind = getattr(namespace, name, None)  # which may import, too
    except Exception as error:  # importing a user's module may raise anything
        raise ValueError(f"module {module!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(kind, type):
        raise ValueError(f"module {module!r} ({namespace.__file__}) has no class {name!r}")
    return kind


def _channels(driver: Any) -> int:
    return int(getattr(driver, "channel_count", 1))


def _check_class(name: str, kind: type, protocol: type, what: str) -> None:
    if missing := lacking(kind, protocol):
        raise ValueError(f"{name} is no {what}: give it {', '.join(missing)}")


def lacking(kind: type, *protocols: type) -> list[str]:
    """Return what a class does not have of Protocols: methods as they are called, ``read(voltage)``, and attributes.

    A method of the same name that does not take these arguments does not count: that of another library.
    """
    declared = {
        name: member for protocol in protocols for base in protocol.__mro__ for name, member in vars(base).items()
        if (inspect.isfunction(member) and not name.startswith("_")) or isinstance(member, property)
    }  # fmt: skip
    return [
        _called(name, member) if inspect.isfunction(member) else name
        for name, member in declared.items()
        if not (_takes(kind, name, member) if inspect.isfunction(member) else can_be_asked(kind, name))
    ]


def can_be_asked(kind: type, name: str) -> bool:
    """Return whether objects of a class may have an attribute, or a method without arguments, of this name.

    What a class makes up on demand, or sets by name in its methods, is not known before; it counts.
    """
    found = inspect.getattr_static(kind, name, None)
    if inspect.isfunction(found):
        try:
            inspect.signature(found).bind(None)
        except TypeError:
            return False
    if found is not None or hasattr(kind, name):
        return True
    own = [member for base in kind.__mro__[:-1] for member in vars(base).items()]
    if any(one in ("__getattr__", "__getattribute__") for one, _ in own):
        return True
    return any(inspect.isfunction(method) and name in method.__code__.co_names for _, method in own)


def _called(name: str, method: Callable[..., Any]) -> str:
    parameters = inspect.signature(method).parameters.values()
    arguments = [
        one.name for one in parameters
        if one.name != "self" and not (one.kind is one.KEYWORD_ONLY and one.default is not one.empty)
    ]  # fmt: skip
    return f"{name}({', '.join(arguments)})"


def _takes(kind: type, name: str, declared: Callable[..., Any]) -> bool:
    """Return whether the method of a class can be called as the declared one is: its arguments by position, or by name."""
    method = getattr(kind, name, None)
    if not callable(method):
        return False
    parameters = [one for one in inspect.signature(declared).parameters.values() if one.name != "self"]
    # What the bench may leave out by its name, it does: a class need not know of it.
    by_name = {
        one.name: None for one in parameters if one.kind is one.KEYWORD_ONLY and one.default is one.empty
    }
    by_place = [one for one in parameters if one.kind is not one.KEYWORD_ONLY]
    try:
        inspect.signature(method).bind(None, *by_place, **by_name)
    except (TypeError, ValueError):
        return not inspect.isfunction(method)  # of one that is none of Python's own, nothing is known
    return True
