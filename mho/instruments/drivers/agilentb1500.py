"""An SMU of an Agilent B1500, through PyMeasure's driver of the mainframe, as a source-measure unit of a bench.

B1500A/B1505A Programming Guide, B1500-90010, edition 11. Used from PyMeasure 0.16: modules, output, forcing, converters,
learning. Added, as PyMeasure lacks them: read-back of limits, list sweeps from the program memory (``ST``, ``END``,
``DO``), reading of data (its `read_data` needs a pandas older than 3), and a check that empties the error queue, whose rest
would be attributed to the next command. The messages of a reading go directly to PyMeasure's adapter: its instruments
intercept every attribute, which nearly doubled the time of a reading.

(?) from memory, to be checked on hardware: the resolution of ``PA``, that integration by time goes from 2 us to
20 ms, and that a stored program may measure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from pymeasure.adapters import Adapter
from pymeasure.instruments.agilent.agilentB1500 import AgilentB1500 as Mainframe
from pyvisa import VisaIOError
from pyvisa.constants import StatusCode
from pyvisa.errors import InvalidSession

from mho.errors import InstrumentError, InstrumentTimeoutError, LimitError, MhoError
from mho.instruments.drivers.languages.scpi import Span, one_of, within
from mho.instruments.roles import Reading

LIMITED, OVERFLOWED = 8, 1  # bits of a datum's status, in format 21
INVALID = 199e99
_DATUM = re.compile(r"(\d{3})([A-J])([VI])([+-]\d+\.\d+E[+-]\d+)\s*\Z")
LOST = (VisaIOError, InvalidSession, ConnectionError)  # not OSError, which reports an error in the queue
_ERROR = re.compile(r'([+-]?\d+),"(.*)"')


class _Datum(NamedTuple):
    value: float
    status: int


VOLTAGE = {
    kind: Span(-volts, volts, "source voltage", "V")
    for kind, volts in (("HRSMU", 100.0), ("MPSMU", 100.0), ("HPSMU", 200.0), ("MCSMU", 30.0))
}
CURRENT_LIMIT = {
    kind: Span(1e-12, amperes, "current limit", "A")
    for kind, amperes in (("HRSMU", 0.1), ("MPSMU", 0.1), ("HPSMU", 1.0), ("MCSMU", 1.0))
}
NPLC = Span(1e-4, 100.0, "integration time", "power line cycles")
TIME = Span(2e-6, 20e-3, "integration time", "s")
DELAY = Span(0.0, 99.9999, "delay", "s")
DELAY_STEP = 1e-4  # s
LIST_SIZE = 2500
PROGRAM = 2000  # number of the stored program: the last one, which is the least likely to be in use
AUTO = 0  # source range


class AgilentB1500:
    """One SMU of a B1500 as `mho.instruments.roles.SourceMeter`: volts out, amperes in.

    Opening it changes nothing on it: no output, no setting.

    `address`, `visa_library`, `timeout`: as for `BusInstrument`.
    `smu`: number of the SMU, counted from 1 in the order of the slots.
    `line_frequency`: power line frequency, Hz, which cannot be queried.
    `InstrumentError` when it cannot be opened, another model answers, or it has no such SMU.
    """

    delay_step = DELAY_STEP  # s, of the delays of a sweep

    VOLTAGE, CURRENT_LIMIT = VOLTAGE["HPSMU"], CURRENT_LIMIT["HPSMU"]  # the maxima over all modules
    model = "B1500A"

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, smu: int = 1, line_frequency: float = 50.0,
        timeout: float = 5.0,
    ) -> None:  # fmt: skip
        self.line_frequency = line_frequency
        self._limit: float | None = None
        self._range_index = AUTO
        self._aperture = 2.0  # s, the longest possible one, until `configure` sets it
        self.resource = str(getattr(address, "resource_name", None) or address)
        self._title = f"B1500 at {self.resource}"
        options: dict[str, Any] = {}
        if isinstance(address, str):
            options = {"visa_library": visa_library, "timeout": int(timeout * 1e3)}
        try:
            self.mainframe = Mainframe(address, **options)
        except (VisaIOError, OSError, ValueError) as error:
            raise InstrumentError(f"{self._title} cannot be opened: {error}") from error
        self._adapter: Adapter = self.mainframe.adapter
        try:
            self._verify_model()
            with self._reported("ERRX?"):  # left by an earlier program, not by our first command
                self.found_errors = tuple(self._take_errors())
            self._choose(smu)
        except InstrumentError:
            self.close()
            raise

    def _verify_model(self) -> None:
        identity = self.identify()
        if "B1500" not in identity:
            raise InstrumentError(
                f"{self._title}: expected a B1500, but {identity!r} answered; check the address"
            )

    def identify(self) -> str:
        """Return the mainframe's reply to ``*IDN?``."""
        with self._reported("*IDN?"):
            return self._ask("*IDN?").strip()

    def close(self) -> None:
        """Release the connection; no output changes."""
        self._adapter.close()

    def interrupt(self) -> None:
        """Send a device clear, which ends unfinished lines and discards unread data."""
        with self._reported("device clear"):
            self._adapter.connection.clear()

    @contextmanager
    def _reported(self, command: str) -> Iterator[None]:
        """Convert errors to `InstrumentError` with the command."""
        try:
            yield
        except MhoError:  # of a block within this one; `InputError` and time-outs are errors of Python, too
            raise
        except LOST as error:
            late = isinstance(error, VisaIOError) and error.error_code == StatusCode.error_timeout
            raise (InstrumentTimeoutError if late else InstrumentError)(
                f"{self._title}: {command!r} failed: {error}{self._reason(error)}; check cable and address"
            ) from error
        except OSError as error:  # raised by PyMeasure and `_check_errors` for an error in the queue
            self._drop_errors()
            raise InstrumentError(f"{self._title} refused {command!r}: {error}") from error
        except (AttributeError, IndexError, KeyError, NotImplementedError, ValueError) as error:
            raise InstrumentError(f"{self._title}: {command!r} was not understood: {error}") from error

    def _reason(self, error: Exception) -> str:
        """Query the errors of an instrument that has not answered."""
        if not isinstance(error, VisaIOError):
            return ""
        try:
            self._adapter.connection.clear()
            errors = self._take_errors()
        except LOST:
            return ""
        return f"; the instrument says {errors[0]}" if errors else ""

    def _drop_errors(self) -> None:
        """Empty the error queue, so that the next check concerns the next command."""
        with self._reported("ERRX?"):
            self._take_errors()

    def _take_errors(self) -> list[str]:
        """Empty the error queue and return its entries."""
        errors = []
        for _ in range(100):
            match = _ERROR.match(self._ask("ERRX?"))
            if match is None or int(match[1]) == 0:
                break
            errors.append(f"{match[1]}, {match[2]}")
        return errors

    def _ask(self, query: str) -> str:
        self._adapter.write(query)
        reply: str = self._adapter.read()
        return reply

    def _check_errors(self) -> None:
        """Raise `OSError` with the oldest error in the queue, if there is one, as PyMeasure's check does."""
        reply = self._ask("ERRX?")
        match = _ERROR.match(reply)
        if match is None:
            raise ValueError(f"answered {reply!r}")
        if int(match[1]) != 0:
            raise OSError(f"Agilent B1500 Error {match[1]}: {match[2]}")

    def _do(self, *commands: str) -> None:
        """Send commands, one per line, and check for errors after the last."""
        with self._reported(commands[-1]):
            for command in commands:
                self._adapter.write(command)
            self._check_errors()

    def _receive(self, channel: int, kind: str) -> _Datum:
        reply: str = self._adapter.read()
        match = _DATUM.match(reply)
        if match is None or match[2] != "ABCDEFGHIJ"[channel - 1] or match[3] != kind:
            raise ValueError(f"answered {reply!r}")
        return _Datum(float(match[4]), int(match[1]))

    def _receive_reading(self, channel: int) -> Reading:
        """Receive the results of ``TI`` and ``TV`` on a channel."""
        current, voltage = self._receive(channel, "I"), self._receive(channel, "V")
        valid = not current.status & OVERFLOWED and abs(current.value) < INVALID
        tripped = bool((current.status | voltage.status) & LIMITED)
        return Reading(voltage.value, current.value if valid else math.nan, tripped)

    @contextmanager
    def _patience(self, seconds: float) -> Iterator[None]:
        """Extend the timeout of replies by `seconds`."""
        connection = self._adapter.connection
        usual = connection.timeout
        if not isinstance(usual, int | float):  # a transcript instead of a connection
            yield
            return
        connection.timeout = usual + 1e3 * seconds
        try:
            yield
        finally:
            connection.timeout = usual

    def _choose(self, number: int) -> None:
        with self._reported("UNT?"):
            self.mainframe.initialize_all_smus()
        smus = dict(getattr(self.mainframe, "smus", {}))
        self.smu = smus[one_of(number, tuple(smus), f"SMU of {self._title}")]
        self._slot = int(self.smu.id)
        self._title = f"SMU {number} of {self._title}"
        one_of(self.smu.type, tuple(VOLTAGE), f"module of {self._title}")
        self.voltage_span, self.limit_span = VOLTAGE[self.smu.type], CURRENT_LIMIT[self.smu.type]

    # --- settings ---

    def _learned(self) -> list[str] | None:
        """Return what the SMU forces (range, volts, limit …), or None when its output is off."""
        with self._reported(f"*LRN? {self._slot}"):
            answer: dict[str, Any] = self.mainframe.query_learn(self._slot)
            is_off = any(name.startswith("CL") for name in answer)
            return None if is_off else list(answer[f"DV{self._slot}"])

    @property
    def output_enabled(self) -> bool:
        """Whether the output is on, as the instrument reports it."""
        return self._learned() is not None

    @property
    def current_limit(self) -> float | None:
        """The compliance (A) as the instrument reports it; None while the output is off."""
        learned = self._learned()
        return None if learned is None else float(learned[2])

    def _force(self, voltage: float) -> None:
        if self._limit is None:
            raise InstrumentError(f"{self._title}: configure it before it sources")
        with self._reported(f"DV {self._slot},{AUTO},{voltage},{self._limit}"):
            self.smu.force("Voltage", AUTO, float(voltage), self._limit)

    def _check_limit(self) -> None:
        """Compare the reported limit with the requested one."""
        actual = self.current_limit
        if self._limit is None or actual is None or not abs(actual - self._limit) <= 1e-3 * self._limit:
            self._switch_off()
            raise InstrumentError(
                f"{self._title} set a current limit of {actual} A instead of {self._limit} A; its output is off, "
                "choose another limit"
            )

    # --- roles.SourceMeter ---

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Prepare sourcing volts and measuring amperes, as every source meter; above 1 NPLC a whole number of them.

        A B1500 takes a limit only together with a level, and only while the output is on: with the output off
        the limit is set, read back and compared by `enable`.
        """
        within(current_limit, self.limit_span)
        index = self._measurement_range(current_range)
        mode, coefficient = self._integration(nplc)
        with self._reported("FMT 21"):
            self.mainframe.data_format(21)
        with self._reported("AAD"):
            self.smu.adc_type = "HSADC"
        with self._reported(f"AIT 0,{mode},{coefficient}"):
            self.mainframe.adc_setup("HSADC", mode, coefficient)
        self._limit, self._range_index = float(current_limit), index
        self._aperture = nplc / self.line_frequency
        learned = self._learned()
        if learned is not None:
            self._force(float(learned[1]))
            self._check_limit()

    def _measurement_range(self, current: float) -> int:
        """Return the index of the smallest fixed range that holds `current` (A): 11 is 1 nA, one decade per step."""
        within(current, self.limit_span)
        index = 20 + math.ceil(math.log10(current) - 1e-9)
        while True:
            try:
                return int(self.smu.current_ranging.meas(-index).index)
            except ValueError:
                index += 1
            if index > 20:
                raise LimitError(f"{self._title} has no measurement range for {current:g} A; choose less")

    def _integration(self, nplc: float) -> tuple[str, str]:
        """Return mode and coefficient of the high-speed converter: by time up to 1 NPLC, then by cycles."""
        within(nplc, NPLC)
        if nplc <= 1.0:
            return "TIME", f"{within(nplc / self.line_frequency, TIME):.9e}"
        if nplc != round(nplc):
            raise LimitError(
                f"{self._title} integrates whole power line cycles above 1, not {nplc:g}; "
                f"choose {math.floor(nplc)} or {math.ceil(nplc)}"
            )
        return "PLC", str(round(nplc))

    def enable(self) -> None:
        """Switch the output on at 0 V; the limit is read back and compared."""
        if self._limit is None:
            raise InstrumentError(f"{self._title}: configure it before its output is switched on")
        with self._reported(f"CN {self._slot}"):
            self.smu.enable()
            self._check_errors()
        self._force(0.0)
        self._check_limit()

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V) until the next command; raises `LimitError` beyond the module's range."""
        within(voltage, self.voltage_span)
        self._force(voltage)

    def read(self, voltage: float) -> Reading:
        """Step to `voltage` (V), measure once, return to 0 V: one message."""
        within(voltage, self.voltage_span)
        message = ";".join([*self._point(voltage), self._level(0.0)])
        with self._reported(message):
            self._adapter.write(message)
            reading = self._receive_reading(self._slot)
            self._check_errors()
        return reading

    def _level(self, voltage: float) -> str:
        if self._limit is None:
            raise InstrumentError(f"{self._title}: configure it before it measures")
        return f"DV {self._slot},{AUTO},{voltage:.9e},{self._limit:.9e}"

    def _point(self, voltage: float, delay: float = 0.0) -> list[str]:
        """Return the commands of one point: level, wait, current and voltage measurement."""
        pause = [f"PA {delay:.4f}"] if delay else []
        return [
            self._level(voltage), *pause, f"TI {self._slot},{self._range_index}", f"TV {self._slot},{AUTO}",
        ]  # fmt: skip

    def check_sweep(self, voltages: Sequence[float], delay: float) -> None:
        """Raise when a sweep through `voltages` (V) with `delay` (s) per point is not possible; nothing is sent."""
        if not 1 <= len(voltages) <= LIST_SIZE:
            raise InstrumentError(f"{self._title}: a sweep has 1 to {LIST_SIZE} levels, not {len(voltages)}")
        for voltage in voltages:
            within(voltage, self.voltage_span)
        within(delay, DELAY)
        if abs(delay - round(delay / DELAY_STEP) * DELAY_STEP) > 1e-9:
            raise LimitError(f"delay {delay:g} s is no multiple of {DELAY_STEP:g} s; choose one that is")

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Run a list of at most 2500 levels (V) from the program memory, ending at 0 V; output as before.

        The instrument times it, with `delay` (s, a multiple of 0.1 ms) at each level before its measurement.
        """
        self.check_sweep(voltages, delay)
        was_on = self.output_enabled
        lines = [";".join(self._point(voltage, delay)) for voltage in voltages]
        try:
            if not was_on:
                self.enable()
            self._do(f"ST {PROGRAM}", *lines, "END", "BC")
            with self._patience(len(voltages) * (delay + 2.0 * self._aperture + 0.05)):
                readings = self._run(len(voltages))
        except BaseException as error:
            with suppress(MhoError):  # what broke it off is told, and nothing in its place
                if not isinstance(error, Exception):
                    self.interrupt()  # a signal came in the midst of a message or a reply
                self._end_sweep(was_on)
            raise
        self._end_sweep(was_on)
        return readings

    def _end_sweep(self, was_on: bool) -> None:
        self._do(self._level(0.0), f"SCR {PROGRAM}")
        if not was_on:
            self._switch_off()

    def _run(self, count: int) -> list[Reading]:
        command = f"DO {PROGRAM}"
        with self._reported(command):
            self._adapter.write(command)
            readings = [self._receive_reading(self._slot) for _ in range(count)]
            self._check_errors()
        return readings

    # --- roles.Instrument ---

    def settings(self) -> dict[str, str]:
        """Return module, slot, the forced values and the configuration, as text."""
        learned = self._learned()
        return {
            "module": str(self.smu.type), "slot": str(self._slot),
            "forced": "off" if learned is None else ",".join(learned),
            "measurement_range_index": str(self._range_index), "aperture": f"{self._aperture:g}",
        }  # fmt: skip

    def make_safe(self) -> None:
        """Take the SMU to 0 V and off, confirmed by query or `InstrumentError`; other modules are not changed."""
        try:
            self.interrupt()
            self._drop_errors()
            self._do("AB", f"DZ {self._slot}")
        finally:
            self._switch_off()
        if self.output_enabled:
            raise InstrumentError(f"{self._title} still has its output on; switch it off by hand")

    def _switch_off(self) -> None:
        with self._reported(f"CL {self._slot}"):
            self.smu.disable()
            self._check_errors()
