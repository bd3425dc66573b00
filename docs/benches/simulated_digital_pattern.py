"""Twin of a PXIe-6571 as its driver sees it: stands for the module `nidigital`, with a session, its enums and its errors.

A pin is driven by its PPMU, by a pattern while that runs, or by nothing. What flows in a device follows from the pins at
both its ends.
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.ports import CellsPort

# Values as in nidigital 1.5
SelectedFunction = Enum("SelectedFunction", {"DIGITAL": 1100, "PPMU": 1101, "OFF": 1102, "DISCONNECT": 1103})
PPMUMeasurementType = Enum("PPMUMeasurementType", {"CURRENT": 2400, "VOLTAGE": 2401})
PPMUOutputFunction = Enum("PPMUOutputFunction", {"VOLTAGE": 1300, "CURRENT": 1301})
PPMUApertureTimeUnits = Enum("PPMUApertureTimeUnits", {"SECONDS": 2100})
TerminationMode = Enum("TerminationMode", {"ACTIVE_LOAD": 1200, "VTERM": 1201, "HIGH_Z": 1202})
DriveFormat = Enum("DriveFormat", {"NR": 1500, "RL": 1501, "RH": 1502, "SBC": 1503})
WriteStaticPinState = Enum("WriteStaticPinState", {"ZERO": 0, "ONE": 1, "X": 5})
SequencerRegister = Enum("SequencerRegister", {f"REGISTER{n}": f"reg{n}" for n in range(16)})

NOISE = 2e-4  # of a range: sd of a measurement of the shortest aperture (?)
ACCURACY = 2e-3  # sd of the gain of a PPMU's current (?)
APERTURE = 4e-6  # s
BANK = 8  # pins that share one measuring circuit, one after the other
RANGES = 2e-6, 32e-6, 128e-6, 2e-3, 32e-3  # A


class Error(Exception):
    """Base of what nidigital raises."""


class DriverError(Error):
    """An error of the driver, with its code."""

    def __init__(self, code: int, description: str) -> None:
        self.code, self.description = code, description
        super().__init__(f"{code}: {description}")


class Pin:
    """One pin: its function, levels, and settings of its PPMU."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.selected_function = SelectedFunction.DISCONNECT
        self.termination_mode = TerminationMode.HIGH_Z
        self.ppmu_output_function = PPMUOutputFunction.VOLTAGE
        self.ppmu_voltage_level = self.forced = 0.0
        self.ppmu_current_limit_range = RANGES[-1]
        self.ppmu_aperture_time_units, self.ppmu_aperture_time = PPMUApertureTimeUnits.SECONDS, APERTURE
        self.low, self.high, self.state = 0.0, 3.3, WriteStaticPinState.ZERO
        self.gain = 1.0 + ACCURACY * float(rng.standard_normal())

    def level(self, pulsing: bool = False) -> float | None:
        """Return the voltage at the pin, V; None where nothing drives it."""
        if self.selected_function is SelectedFunction.PPMU:
            return self.forced
        if self.selected_function is SelectedFunction.DIGITAL:
            return self.high if pulsing or self.state is WriteStaticPinState.ONE else self.low
        return None


class Pins:
    """Some pins of a session: what is set, or called, is for each of them."""

    def __init__(self, session: SimulatedSession, names: list[str]) -> None:
        vars(self).update(_session=session, _names=names)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in SETTINGS:
            raise AttributeError(f"{name!r} is no setting of pins here")
        self._session.check(name, value)
        for pin in self._mine():
            setattr(pin, name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in SETTINGS:
            raise AttributeError(name)
        return getattr(self._mine()[0], name)

    def _mine(self) -> list[Pin]:
        self._session.ask()
        return [self._session.pin[name] for name in self._names]

    def ppmu_source(self) -> None:
        """Force what is set, by the PPMUs."""
        for pin in self._mine():
            pin.selected_function, pin.forced = SelectedFunction.PPMU, pin.ppmu_voltage_level

    def ppmu_measure(self, measurement_type: PPMUMeasurementType) -> list[float]:
        """Return currents (A) out of the pins, one after the other."""
        self._mine()
        return [self._session.current(name) for name in self._names]

    def configure_voltage_levels(self, vil: float, vih: float, vol: float, voh: float, vterm: float) -> None:
        """Set what the drivers put out."""
        for volts in (vil, vih, vol, voh, vterm):
            self._session.check("ppmu_voltage_level", volts)
        for pin in self._mine():
            pin.low, pin.high = vil, vih

    def write_static(self, state: WriteStaticPinState) -> None:
        """Set the state of the drivers until a pattern runs."""
        for pin in self._mine():
            pin.state = state

    def configure_time_set_drive_edges(
        self, time_set_name: str, format: DriveFormat, drive_on_edge: float, drive_data_edge: float,
        drive_return_edge: float, drive_off_edge: float,
    ) -> None:  # fmt: skip
        """Take the edges, which are at the ends of a vector here."""
        self._mine()
        self._session.period_of(time_set_name)


SETTINGS = frozenset(
    {"selected_function", "termination_mode", "ppmu_output_function", "ppmu_voltage_level", "ppmu_current_limit_range",
     "ppmu_aperture_time_units", "ppmu_aperture_time"}
)  # fmt: skip


class SimulatedSession:
    """One session of the driver."""

    instrument_model, instrument_firmware_revision = "NI PXIe-6571", "simulated"

    def __init__(
        self, library: SimulatedDigitalPattern, resource_name: str, id_query: bool = False, reset_device: bool = False,
        options: Any = MappingProxyType({}), *, grpc_options: Any = None,
    ) -> None:  # fmt: skip
        self._library, self.pin, self.serial_number = library, library.pin, library.serial
        self._periods: dict[str, float] = {}
        self._registers: dict[SequencerRegister, int] = {}
        self._loaded, self._mapped, self._closed = False, False, False

    @property
    def pins(self) -> Any:
        """Pins by their names in the pin map."""
        if not self._mapped:
            raise DriverError(-1074118625, "A pin map must be loaded before pins can be named.")
        return NamedPins(self)

    def ask(self) -> None:
        """Raise what the driver raises when it has been closed, or a fault is injected."""
        fault, self._library.fault = self._library.fault, ""
        if fault or self._closed:
            raise DriverError(-1074130544, fault or "The session handle is not valid.")

    def check(self, name: str, value: Any) -> None:
        """Raise what the driver raises for a value that it does not take."""
        wrong = {
            "ppmu_voltage_level": lambda: not -2.0 <= value <= 6.0,
            "ppmu_current_limit_range": lambda: value not in RANGES,
            "ppmu_aperture_time": lambda: not APERTURE <= value <= 65e-3,
        }
        if name in wrong and wrong[name]():
            raise DriverError(-1074135024, f"Invalid value {value!r} for property or parameter {name}.")

    def load_pin_map(self, file_path: str) -> None:
        """Take the names of the pins; the twin has those of its options."""
        self.ask()
        self._mapped = True

    def load_pattern(self, file_path: str) -> None:
        """Take the pattern, which the twin knows."""
        self.ask()
        self._loaded = True

    def create_time_set(self, name: str) -> None:
        """Add a time set."""
        self.ask()
        self._periods[name] = 1e-6

    def period_of(self, name: str) -> float:
        """Return the period of a time set, s."""
        if name not in self._periods:
            raise DriverError(-1074118647, f"Time set {name} does not exist.")
        return self._periods[name]

    def configure_time_set_period(self, time_set_name: str, period: float) -> None:
        """Set the length of a vector, s."""
        self.ask()
        self.period_of(time_set_name)
        if not 10e-9 * (1 - 1e-9) <= period <= 40e-6 * (1 + 1e-9):
            raise DriverError(-1074135024, f"Invalid value {period!r} for property or parameter period.")
        self._periods[time_set_name] = period

    def write_sequencer_register(self, reg: SequencerRegister, value: int) -> None:
        """Set a register."""
        self.ask()
        if not 0 <= value <= 65535:
            raise DriverError(-1074135024, f"Invalid value {value!r} for property or parameter value.")
        self._registers[reg] = value

    def burst_pattern(
        self, start_label: str, select_digital_function: bool = True, wait_until_done: bool = True, timeout: float = 10.0
    ) -> dict[int, bool]:  # fmt: skip
        """Play the pattern: reg0 times reg1 vectors high and one low, on pins with the digital function."""
        self.ask()
        period, library = self.period_of(start_label), self._library
        if not self._loaded:
            raise DriverError(-1074118648, f"Pattern {start_label} does not exist.")
        if select_digital_function:
            for pin in self.pin.values():
                pin.selected_function = SelectedFunction.DIGITAL
        count, vectors = (self._registers[SequencerRegister[f"REGISTER{n}"]] for n in (0, 1))
        source = self.pin["SL"].level(pulsing=True)
        for row in range(library.rows):
            volts = self.pin[f"BL{row}"].level(pulsing=True)
            if volts is not None and source is not None and volts != source:
                library.cells.pulse((library.array, row, 0), volts - source, vectors * period, count)
        library.clock.advance(count * (vectors + 1) * period)
        return {0: True}

    def current(self, name: str) -> float:
        """Return the current (A) out of a pin, as its PPMU measures it."""
        library, pin = self._library, self.pin[name]
        volts, source = pin.level(), self.pin["SL"].level()
        amperes, aperture = 0.0, pin.ppmu_aperture_time
        if name != "SL" and volts is not None and source is not None:
            amperes = library.cells.read((library.array, int(name[2:]), 0), volts - source, aperture)
        library.clock.advance(aperture)
        span = pin.ppmu_current_limit_range
        noise = NOISE * span * (APERTURE / aperture) ** 0.5 * float(library.rng.standard_normal())
        return float(np.clip(amperes * pin.gain + noise, -span, span))

    def abort(self) -> None:
        """End a pattern; none runs, for a burst here returns when it is over."""
        self.ask()

    def close(self) -> None:
        """End the session; pins stay as they are."""
        self._closed = True


class NamedPins:
    """`session.pins[...]`: one name, or several."""

    def __init__(self, session: SimulatedSession) -> None:
        self._session = session

    def __getitem__(self, names: str | list[str]) -> Pins:
        chosen = [names] if isinstance(names, str) else list(names)
        for name in chosen:
            if name not in self._session.pin:
                raise DriverError(-1074118629, f"Pin {name} is not in the pin map.")
        return Pins(self._session, chosen)


class SimulatedDigitalPattern:
    """The instrument at a row of devices, in place of the module `nidigital`."""

    SelectedFunction, PPMUMeasurementType = SelectedFunction, PPMUMeasurementType
    PPMUOutputFunction, PPMUApertureTimeUnits = PPMUOutputFunction, PPMUApertureTimeUnits
    TerminationMode, DriveFormat = TerminationMode, DriveFormat
    WriteStaticPinState, SequencerRegister = WriteStaticPinState, SequencerRegister
    errors = SimpleNamespace(Error=Error, DriverError=DriverError)

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, cells: CellsPort, *, serial: str = "SIM00008",
        rows: int = 8, array: str = "device",
    ) -> None:  # fmt: skip
        self.clock, self.rng, self.cells, self.serial = clock, rng, cells, serial
        self.rows, self.array, self.fault = rows, array, ""
        self.pin = {name: Pin(rng) for name in [*(f"BL{row}" for row in range(rows)), "SL"]}
        self.Session = partial(SimulatedSession, self)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def push_error(self, code: int, detail: str = "") -> None:
        """Let the next call fail."""
        self.fault = f"{code} {detail}".strip()
