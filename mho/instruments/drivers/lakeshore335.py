"""Lake Shore 335 and 336 temperature controllers: take the stage under the chip to a temperature and tell what it is.

Model 335 User's Manual, 119-055, section 6.4.1: `*ESR?` and `*IDN?` p. 108, `RAMP` p. 122, `SRDG?` and `TLIMIT` p. 125;
message flow p. 105; events section 6.2.5. Model 336 User's Manual, 119-048, section 6.6.1, has the same commands. (?) marks
facts to be checked on hardware: that an output's range 0 takes its current off at once, and that the reply to several
queries in one message is one line with semicolons. There is no error queue: `*ESR?` behind every command in the same
message tells whether it was refused.

The lab has set up sensor, curve, PID and heater at the instrument; the driver checks the loop, and changes none of these.
"""

from __future__ import annotations

import math
import re
import time
from typing import Any, ClassVar

from pymeasure.adapters import Adapter
from pyvisa.constants import Parity, StopBits
from pyvisa.resources import SerialInstrument

from mho.errors import InstrumentError
from mho.instruments.drivers.languages.bus import BusInstrument, ReportedError
from mho.instruments.drivers.languages.scpi import Span, one_of, whole, within

TEMPERATURE = Span(1.0, 1505.0, "temperature", "K")
RATE = Span(0.1, 100.0, "ramp", "K/min")
RANGE = Span(1, 3, "heater range")
# fixed, section 6.3
USB = {"baud_rate": 57600, "data_bits": 7, "parity": Parity.odd, "stop_bits": StopBits.one}
PAUSE = 0.05  # s that a serial line rests after a message (p. 105)

ERRORS = {4: "query error", 16: "execution error", 32: "command error"}  # bits of the event register
READING = {
    1: "invalid reading", 2: "old reading", 16: "temperature underrange", 32: "temperature overrange",
    64: "sensor units zero", 128: "sensor units overrange",
}  # fmt: skip
HEATER = {1: "open load", 2: "short"}
CLOSED_LOOP, KELVIN = 1, 1
_EVENTS = re.compile(r"(?:\A|;)\s*\+?(\d{1,3})\s*\Z")


class LakeShore335(BusInstrument):
    """A 335 as `mho.instruments.roles.TemperatureController`.

    `address`, `visa_library`, `timeout`, `connection`: as for `BusInstrument`.
    `output`: the output with the stage's heater.
    `input`: the input with the stage's sensor.
    `heater_range`: range with which it heats: 1 low, 2 medium, 3 high.
    """

    model = "MODEL335"
    INPUTS: ClassVar[str] = "AB"
    CHECK = ";*ESR?"
    recorded = ("kelvin", "setpoint", "output_enabled", "ramp", "mode", "temperature_limit")

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, output: int = 1, input: str = "A",
        heater_range: int = 3, **connection: Any,
    ) -> None:  # fmt: skip
        self._output = int(whole(output, Span(1, len(self.INPUTS), "output")))
        self._input = str(one_of(input, tuple(self.INPUTS), "input"))
        self._range = int(whole(heater_range, RANGE if self._output <= 2 else Span(1, 1, "heater range")))
        self._free = 0.0  # when a serial line may be used again, by a clock that is fine on Windows, too
        super().__init__(address, visa_library, asrl=USB, **connection)

    # --- messages ---

    def _rest(self) -> None:
        """Leave a serial line to rest after what went before."""
        if isinstance(self.adapter.connection, SerialInstrument):
            time.sleep(max(0.0, self._free - time.perf_counter()))

    def ask(self, command: str, query_delay: float | None = None) -> str:
        """Send a query and return its reply."""
        self._rest()
        return super().ask(command, query_delay)

    def receive(self) -> str:
        """Receive a reply without its terminator."""
        reply = super().receive().rstrip("\r")
        self._free = time.perf_counter() + PAUSE
        return reply

    def exchange(self, command: str) -> str:
        """Send a message with a check of the event register at its end, and return the replies before it."""
        self._rest()
        return super().exchange(command)

    def _error_in(self, reply: str) -> ReportedError | None:
        match = _EVENTS.search(reply)
        if match is None:
            return None
        events = int(match[1])
        bits = [bit for bit in ERRORS if events & bit]
        return ReportedError(sum(bits), _words(events, ERRORS), reply[: match.start()])

    def _ask_numbers(self, query: str, count: int) -> list[float]:
        reply = self.exchange(query)
        try:
            numbers = [float(text) for text in re.split("[;,]", reply)]
        except ValueError:
            numbers = []
        if len(numbers) != count:
            raise InstrumentError(f"{self._title} answered {reply!r} to {query!r}: not understood")
        return numbers

    # --- roles.TemperatureController ---

    def temperature(self) -> float:
        """Return the temperature of the stage, K; raises `InstrumentError` for no valid one, or a fault of the heater."""
        query = f"KRDG? {self._input};RDGST? {self._input};HTRST? {self._output}"
        kelvin, status, heater = self._ask_numbers(query, 3)
        if status:
            raise InstrumentError(
                f"{self._title}: the sensor at input {self._input} gives no valid reading "
                f"({_words(int(status), READING)}); check the sensor and its cable"
            )
        if heater:
            fault = HEATER.get(int(heater), f"error {heater:g}")
            raise InstrumentError(
                f"{self._title}: the heater at output {self._output} has a fault ({fault}); check the heater and its cable"
            )
        return kelvin

    def ramp_to(self, kelvin: float, rate: float) -> None:
        """Heat from the present temperature to `kelvin` (K) at `rate` (K/min); return while it ramps.

        The setpoint begins at the present temperature, so that the heater does not begin at full power. Raises `LimitError`
        before anything is sent, `InstrumentError` when sensor, heater or loop are not as they must be, or it does not
        confirm.
        """
        within(kelvin, TEMPERATURE)
        within(rate, RATE)
        self.check_loop()
        now = min(max(self.temperature(), TEMPERATURE.minimum), TEMPERATURE.maximum)
        self.exchange(f"RAMP {self._output},0,{rate:.1f}")
        self.exchange(f"SETP {self._output},{now:.3f}")
        self.exchange(f"RANGE {self._output},{self._range}")
        self.exchange(f"RAMP {self._output},1,{rate:.1f}")
        self.exchange(f"SETP {self._output},{kelvin:.3f}")
        (heater,) = self._ask_numbers(f"RANGE? {self._output}", 1)
        ramps, speed = self._ask_numbers(f"RAMP? {self._output}", 2)
        if heater != self._range or not ramps or not math.isclose(speed, rate, abs_tol=0.051):
            raise InstrumentError(
                f"{self._title} confirms heater range {heater:g} and a ramp of {speed if ramps else 0:g} K/min where range "
                f"{self._range} and {rate:g} K/min were set; look at its front panel"
            )

    def check_loop(self) -> None:
        """Check that setpoints are in kelvin and the output is regulated by the input; raises `InstrumentError`."""
        *_, units = self._ask_numbers(f"INTYPE? {self._input}", 5)
        if units != KELVIN:
            raise InstrumentError(
                f"{self._title}: input {self._input} has other units than kelvin, in which the setpoint would be taken; "
                "choose kelvin as its preferred units at the front panel"
            )
        mode, source, _ = self._ask_numbers(f"OUTMODE? {self._output}", 3)
        if (mode, source) != (CLOSED_LOOP, 1 + self.INPUTS.index(self._input)):
            raise InstrumentError(
                f"{self._title}: output {self._output} is not in closed loop (PID) with input {self._input}; set it so at "
                "the front panel, or correct `output` and `input` in the bench file"
            )

    def protect(self, kelvin: float) -> None:
        """Let the instrument switch all its heaters off by itself above `kelvin` (K, rounded up), read back."""
        limit = math.ceil(within(kelvin, TEMPERATURE))
        self.exchange(f"TLIMIT {self._input},{limit}")
        (read,) = self._ask_numbers(f"TLIMIT? {self._input}", 1)
        if read != limit:
            raise InstrumentError(
                f"{self._title} confirms a temperature limit of {read:g} K where {limit} K was set; look at its front panel"
            )

    def make_safe(self) -> None:
        """Switch the heater off; raises `InstrumentError` when that cannot be confirmed."""
        self.interrupt()
        self._drop_errors()
        self.exchange(f"RANGE {self._output},0")
        if self.output_enabled:
            raise InstrumentError(
                f"{self._title} still has the heater at output {self._output} on; switch it off by hand"
            )

    # --- what run files keep ---

    @property
    def kelvin(self) -> float:
        """Measure the temperature, K; 0 without a valid reading."""
        return self._ask_numbers(f"KRDG? {self._input}", 1)[0]

    @property
    def setpoint(self) -> float:
        """Get where the setpoint is, K."""
        return self._ask_numbers(f"SETP? {self._output}", 1)[0]

    @property
    def output_enabled(self) -> bool:
        """Get whether the heater is on."""
        return self._ask_numbers(f"RANGE? {self._output}", 1)[0] != 0.0

    @property
    def ramp(self) -> str:
        """Get whether setpoints ramp, and the rate, K/min."""
        return self.exchange(f"RAMP? {self._output}")

    @property
    def mode(self) -> str:
        """Get control mode, number of the input, and whether it stays on after a power cut."""
        return self.exchange(f"OUTMODE? {self._output}")

    @property
    def temperature_limit(self) -> float:
        """Get the temperature above which all heaters go off, K; 0 is none."""
        return self._ask_numbers(f"TLIMIT? {self._input}", 1)[0]


class LakeShore336(LakeShore335):
    """A 336, of four inputs and outputs, of which 3 and 4 are on or off; constructed as a 335."""

    model = "MODEL336"
    INPUTS = "ABCD"


def _words(bits: int, names: dict[int, str]) -> str:
    """Name the bits that are set."""
    return ", ".join(name for bit, name in names.items() if bits & bit) or f"status {bits}"
