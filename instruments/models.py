"""Which driver, and which simulated twin, stand behind a model's name in a bench file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Model:
    """One model of instrument.

    Attributes
    ----------
    driver, twin : str
        ``module:class`` below `instruments.drivers` and `instruments.simulated`.
    channels : int
        How many independent channels it has; a driver with several gives each by ``channel(n)``.
    keyword : str
        Where a driver is one channel instead: the keyword that says which.
    """

    driver: str
    twin: str
    channels: int = 1
    keyword: str = ""

    def load_driver(self) -> Any:
        """Import the driver's class."""
        return _load("instruments.drivers", self.driver)

    def load_twin(self) -> Any:
        """Import the simulated twin's class."""
        return _load("instruments.simulated", self.twin)


SOURCE_METERS = {
    "keithley2450": Model("keithley2450:Keithley2450", "keithley2450:SimulatedKeithley2450"),
    "keithley2636b": Model("keithley2636b:Keithley2636B", "keithley2636b:SimulatedKeithley2636B", 2),
    "agilentb1500": Model("agilentb1500:AgilentB1500", "agilentb1500:SimulatedAgilentB1500", 10, "smu"),
    "keysightb2912a": Model("keysightb2912a:KeysightB2912A", "keysightb2912a:SimulatedKeysightB2912A", 2),
}
PULSE_GENERATORS = {
    "keysight33522b": Model("keysight33522b:Keysight33522B", "keysight33522b:SimulatedKeysight33522B", 2),
    "keysight33622a": Model("keysight33622a:Keysight33622A", "keysight33622a:SimulatedKeysight33622A", 2),
    "tektronixafg31000": Model(
        "tektronixafg31000:TektronixAFG31000", "tektronixafg31000:SimulatedTektronixAFG31000", 2
    ),
}
SWITCH_MATRICES = {"keithley707b": Model("keithley707b:Keithley707B", "keithley707b:SimulatedKeithley707B")}


def _load(package: str, path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(f"{package}.{module}"), name)
