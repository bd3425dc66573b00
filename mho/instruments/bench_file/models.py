"""The driver and the simulated twin of each model that a bench file can name.

An instrument of another model is named by its own classes: ``driver = "module:Class"``, ``twin = "module:Class"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from mho.errors import BenchError
from mho.former_names import current_name
from mho.instruments.roles import Instrument
from mho.instruments.simulated.ports import Device
from mho.own_code import AGREED, installed_only, is_mhos_own


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


def _packaged(driver: str, channels: int = 1, keyword: str = "") -> Model:
    twin = driver.replace(":", ":Simulated")
    return Model(f"mho.instruments.drivers.{driver}", f"mho.instruments.simulated.{twin}", channels, keyword)


SOURCE_METERS = {
    "keithley2450": _packaged("keithley2450:Keithley2450"),
    "keithley2602b": _packaged("keithley2636b:Keithley2602B", 2),
    "keithley2612b": _packaged("keithley2636b:Keithley2612B", 2),
    "keithley2614b": _packaged("keithley2636b:Keithley2614B", 2),
    "keithley2636b": _packaged("keithley2636b:Keithley2636B", 2),
    "agilentb1500": _packaged("agilentb1500:AgilentB1500", 10, "smu"),
    "keysightb2912a": _packaged("keysightb2912a:KeysightB2912A", 2),
}
PULSE_GENERATORS = {
    "keysight33522b": _packaged("keysight33522b:Keysight33522B", 2),
    "keysight33622a": _packaged("keysight33522b:Keysight33622A", 2),
    "tektronixafg31000": _packaged("tektronixafg31000:TektronixAFG31000", 2),
}
SWITCH_MATRICES = {"keithley707b": _packaged("keithley707b:Keithley707B")}
TEMPERATURE_CONTROLLERS = {  # with the number of their inputs and outputs
    "lakeshore335": _packaged("lakeshore335:LakeShore335", 2),
    "lakeshore336": _packaged("lakeshore335:LakeShore336", 4),
}


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
    if ":" not in name:
        raise ValueError(
            f"no such driver here; there are {', '.join(models)}, and one of your own is 'module:Class'"
        )
    kind = load_class(name)
    _check_class(name, kind, role if _channels(kind) == 1 else ChannelledInstrument, role.__name__)
    AGREED.add(name)
    return name


def check_twin(name: str) -> str:
    """Return `name` when it is ``module:Class`` of a simulated instrument; raises `ValueError`."""
    _check_class(name, load_class(name), Device, "simulated instrument")
    AGREED.add(name)
    return name


def load_class(path: str) -> Any:
    """Import what ``module:Class`` names.

    `ValueError` when there is no such module or class, or its module cannot be imported; with the reason.
    """
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
    methods = [
        method for base in protocol.__mro__ for method, it in vars(base).items()
        if callable(it) and not method.startswith("_")
    ]  # fmt: skip
    missing = [method for method in methods if not callable(getattr(kind, method, None))]
    if missing:
        raise ValueError(f"{name} is no {what}: give it {', '.join(missing)}")
