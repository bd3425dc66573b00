"""Driver of an NI PXIe-6571 at a row of devices: a pin at each bit line, one at their common source line.

It calls `nidigital` (NI-Digital Pattern Driver). Reads are by the pins' parametric units (PPMU), pulses by a pattern, whose
time set has 10 ns and more. A RESET is a positive pulse at the source line, for a pin goes to -2 V only. Numbers are of the
PXIe-6570/6571 specifications, from memory where marked (?).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mho.errors import InstrumentError, LimitError
from mho.instruments.roles import Cell, Reading

HERE = Path(__file__).parent
SOURCE = "SL"  # the pin at the common source line, in the pin map
TIMING = "mho_pulse"  # the time set, and the pattern
FORCE = -2.0, 6.0  # V, of a pin
RANGES = 2e-6, 32e-6, 128e-6, 2e-3, 32e-3  # A, of a PPMU: it limits at them, and nowhere else
APERTURE = 4e-6, 65e-3  # s (?)
PERIOD = 10e-9, 40e-6  # s, of a vector (?); the longest a pulse is at one vector
VECTORS = 65535  # of one pulse, and pulses of one burst (?): what a sequencer register holds
SETTLED = 200e-6  # s, from a new level of a PPMU to its measurement (?)
END = 0.98  # share of a PPMU's range from which it limits


class DigitalPattern:
    """The instrument; serves `select`, `read`, `sweep` and `pulse`.

    `address`: resource name, ``PXI1Slot4``; as in the pin map.
    `library`: what stands for `nidigital` on a simulated bench.
    `rows`: number of devices; their pins are ``BL0``, ``BL1``, … in the pin map.
    `pin_map`, `pattern`: files beside this one; NI's Digital Pattern Editor compiles the second from its source.
    """

    edge = 2e-9  # s (?)

    def __init__(
        self, address: str, library: Any = None, *, rows: int = 8,
        pin_map: str = "digital_pattern.pinmap", pattern: str = "digital_pattern.digipat",
    ) -> None:  # fmt: skip
        if library is None:
            import nidigital as library  # needs NI's runtime
        self._ni, self._address = library, address
        self._lines = [f"BL{row}" for row in range(rows)]
        self._row, self._range, self._aperture, self._limit = 0, RANGES[2], 2e-3, RANGES[2]
        self._resting = False  # whether all pins are known to be at 0 V, by their PPMUs
        try:
            self._session: Any = library.Session(address)
        except self._errors as error:
            raise InstrumentError(f"the PXIe-6571 {address} cannot be opened: {error}") from error
        try:
            self._do(self._load, str(HERE / pin_map), str(HERE / pattern))
        except BaseException:
            self.close()
            raise

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        # What nidigital raises: of its own, for a wrong value, and where NI's runtime is not installed
        return self._ni.errors.Error, ValueError, OSError

    def _do(self, act: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return act(*arguments)
        except self._errors as error:
            self._resting = False
            raise InstrumentError(f"the PXIe-6571 {self._address}: {error}") from error

    def _load(self, pin_map: str, pattern: str) -> None:
        """Load pins and pattern, and set the edges; no pin moves."""
        self._session.load_pin_map(pin_map)
        self._session.create_time_set(TIMING)
        self._session.load_pattern(pattern)
        self._pins().termination_mode = self._ni.TerminationMode.HIGH_Z

    def _pins(self, *names: str) -> Any:
        return self._session.pins[list(names) or [*self._lines, SOURCE]]

    # --- what every instrument does ---

    def identify(self) -> str:
        """Return model, serial number and firmware."""
        session = self._session
        names = "instrument_model", "serial_number", "instrument_firmware_revision"
        return ", ".join(str(self._do(getattr, session, name)) for name in names)

    def settings(self) -> dict[str, str]:
        """Return what run files keep of it."""
        return {"current_range": f"{self._range:g} A", "aperture": f"{self._aperture:g} s"}

    @property
    def output_enabled(self) -> bool:
        """Whether a pin is connected."""
        functions = [
            self._do(lambda pin: pin.selected_function, self._pins(name)) for name in [*self._lines, SOURCE]
        ]
        return any(one != self._ni.SelectedFunction.DISCONNECT for one in functions)

    def make_safe(self) -> None:
        """End a pattern, take all pins to 0 V, and disconnect them by their relays, read back."""
        with suppress(InstrumentError):  # nothing ran
            self._do(self._session.abort)
        try:
            self._do(self._rest)
        finally:
            self._resting = False
            self._do(self._set, "selected_function", self._ni.SelectedFunction.DISCONNECT)
        if self.output_enabled:
            raise InstrumentError(
                f"the PXIe-6571 {self._address} still has a pin connected; take its cable off"
            )

    def close(self) -> None:
        """Release the instrument; its pins stay as they are."""
        with suppress(*self._errors):
            self._session.close()

    # --- operations ---

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Take range and aperture of reads; `LimitError` for what a PPMU does not do.

        It limits at its ranges only: a current above `current_limit` is told as limited, and flows up to the range.
        """
        aperture = nplc / 50.0
        span = next((one for one in RANGES if one >= current_range * (1.0 - 1e-9)), None)
        if span is None:
            raise LimitError(f"a PPMU reads {RANGES[-1]:g} A at most, not {current_range:g} A")
        if not APERTURE[0] <= aperture <= APERTURE[1]:
            raise LimitError(
                f"nplc of {nplc:g} is an aperture of {aperture:g} s, and a PPMU has {APERTURE[0]:g} to {APERTURE[1]:g} s"
            )
        self._range, self._aperture = span, aperture
        self._limit = min(current_limit, END * span)
        self._resting = False

    def select(self, cell: Cell) -> None:
        """Take the device of what comes next; all pins are at 0 V."""
        self._row = cell.row
        self._do(self._rest)

    def read(self, voltage: float) -> Reading:
        """Measure once at `voltage` (V); all other pins are at 0 V."""
        return self.sweep([voltage])[0]

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Measure at each of `voltages` (V) after `delay` (s); the pin returns to 0 V."""
        for volts in voltages:
            self._check_level(volts)
        self._do(self._rest)
        try:
            return [self._do(self._measured, volts, delay) for volts in voltages]
        finally:
            self._resting = False
            self._do(self._rest)

    def _measured(self, volts: float, delay: float) -> Reading:
        pin = self._pins(self._lines[self._row])
        pin.ppmu_voltage_level = volts
        pin.ppmu_source()
        self._wait(SETTLED + delay)
        (current,) = pin.ppmu_measure(self._ni.PPMUMeasurementType.CURRENT)
        if abs(current) >= self._limit:
            return Reading(volts, math.copysign(self._limit, current), True)
        return Reading(volts, current, False)

    def _wait(self, seconds: float) -> None:
        getattr(self._ni, "wait", time.sleep)(seconds)  # a simulated library has its own time

    def check_shape(self, *, voltage: float, width: float, count: int) -> None:
        """Raise `LimitError` for pulses that the pins cannot drive; nothing is sent."""
        self._check_level(abs(voltage))
        longest = PERIOD[1] * VECTORS
        if not PERIOD[0] <= width <= longest:
            raise LimitError(f"pulse width of {width:g} s: a pattern here has {PERIOD[0]:g} to {longest:g} s")

    @staticmethod
    def _check_level(volts: float) -> None:
        if not FORCE[0] <= volts <= FORCE[1]:
            raise LimitError(f"{volts:g} V: a pin of a PXIe-6571 has {FORCE[0]:g} V to {FORCE[1]:g} V")

    def pulse(self, voltage: float, width: float, count: int = 1) -> None:
        """Apply `count` pulses of `voltage` (V) and `width` (s), each followed by a vector of 0 V.

        A negative one is a positive one at the source line. Pins of other devices are off: high impedance.
        """
        self.check_shape(voltage=voltage, width=width, count=count)
        self._do(self._rest)
        line = self._lines[self._row]
        driven = line if voltage >= 0.0 else SOURCE
        try:
            self._do(self._strike, line, driven, abs(voltage), width, count)
        finally:
            self._resting = False
            self._do(self._rest)

    def _strike(self, line: str, driven: str, volts: float, width: float, count: int) -> None:
        ni, session = self._ni, self._session
        others = [name for name in self._lines if name != line]
        if others:
            self._pins(*others).selected_function = ni.SelectedFunction.OFF
        vectors = math.ceil(width / PERIOD[1] * (1.0 - 1e-9))
        period = width / vectors
        session.configure_time_set_period(TIMING, period)
        pin = self._pins(driven)
        pin.configure_time_set_drive_edges(TIMING, ni.DriveFormat.NR, 0.0, 0.0, period, period)
        pin.configure_voltage_levels(0.0, volts, 0.0, volts, 0.0)  # low and high; the rest is for comparators
        pin.write_static(ni.WriteStaticPinState.ZERO)
        pin.selected_function = ni.SelectedFunction.DIGITAL
        session.write_sequencer_register(ni.SequencerRegister.REGISTER1, vectors)
        for start in range(0, count, VECTORS):
            session.write_sequencer_register(ni.SequencerRegister.REGISTER0, min(VECTORS, count - start))
            # Only the pin with the digital function follows the pattern: the others stay with their PPMU, or off.
            session.burst_pattern(TIMING, select_digital_function=False)

    def _rest(self) -> None:
        """Bring all pins to 0 V by their PPMUs; does nothing where they are there."""
        if self._resting:
            return
        ni, pins = self._ni, self._pins()
        pins.ppmu_output_function = ni.PPMUOutputFunction.VOLTAGE
        pins.ppmu_current_limit_range = self._range
        self._pins(SOURCE).ppmu_current_limit_range = RANGES[-1]  # it takes what flows, and holds 0 V
        pins.ppmu_aperture_time_units = ni.PPMUApertureTimeUnits.SECONDS
        pins.ppmu_aperture_time = self._aperture
        pins.ppmu_voltage_level = 0.0
        pins.ppmu_source()  # which selects the PPMU
        self._resting = True

    def _set(self, name: str, value: Any) -> None:
        setattr(self._pins(), name, value)
