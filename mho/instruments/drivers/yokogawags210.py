"""Yokogawa GS210 and GS211 (GS200 family), bare voltage sources: hold a gate, and measure nothing.

GS200 DC Voltage/Current Source User's Manual, IM GS210-01EN; pages where given. The option /MON, a meter, is not needed and
not used. (?) marks facts to be checked on hardware: that a change of the function switches the output off, that the limiter
is rounded to its steps of 1 mA, and that the output may glitch where the range changes.

A level has a fixed range: the smallest that holds the highest voltage of its bench, so that no level of the bench can go
beyond it, and no relay moves between two levels.
"""

from __future__ import annotations

import math
from typing import Any

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.languages.scpi import (
    ScpiInstrument,
    Span,
    choice,
    control,
    one_of,
    switch,
    within,
)

VOLTAGE = Span(-32.0, 32.0, "source voltage", "V")
CURRENT_LIMIT = Span(1e-3, 0.2, "current limit", "A")  # p. 13-12
RANGES = {0.01: 0.012, 0.1: 0.12, 1.0: 1.2, 10.0: 12.0, 30.0: 32.0}  # V, the highest level of each
SOURCE_RANGE = Span(0.01, 30.0, "source range", "V")
PROTECTED = Span(0.0, math.inf, "highest voltage", "V")
# While a program is edited a level goes into it, and not to the output (p. 13-12); without one this may be an error (?).
LEAVE_PROGRAM = ":PROG:EDIT:END;*CLS"
LIMITING = 1 << 10 | 1 << 11  # LLO and LHI in the condition register (p. 13-30)


class YokogawaGS210(ScpiInstrument):
    """A GS210 or a GS211 as `mho.instruments.roles.VoltageSource`.

    `address`, `visa_library`, `timeout`, `connection`: as for `BusInstrument`.
    `voltage_range`: its fixed range: 0.01, 0.1, 1, 10 or 30 V. Without it `protect` chooses one, and without that it is
        10 V.
    """

    VOLTAGE, CURRENT_LIMIT = VOLTAGE, CURRENT_LIMIT

    model = "GS21"
    recorded = ("source_function", "source_range", "source_level", "current_limit", "output_enabled")

    source_function = choice(
        ":SOUR:FUNC", "Control what is sourced: ``VOLT`` or ``CURR``; a change switches the output off (?).",
        ("VOLT", "CURR"),
    )  # fmt: skip
    source_range = control(
        ":SOUR:RANG", "Control the source range, V: the smallest that includes the value.", SOURCE_RANGE
    )
    source_level = control(":SOUR:LEV", "Control the source level on the present range, V.", VOLTAGE)
    current_limit = control(
        ":SOUR:PROT:CURR", "Control the current limiter, A, in steps of 1 mA (p. 13-12).", CURRENT_LIMIT
    )
    current_limit_tripped = Instrument.measurement(
        ":STAT:COND?", "Get whether the limiter acts right now (p. 13-30).",
        cast=int, get_process=lambda bits: bool(bits & LIMITING),
    )  # fmt: skip
    output_enabled = switch(":OUTP", "Control whether the output is on.")

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, voltage_range: float | None = None,
        timeout: float = 5.0, **connection: Any,
    ) -> None:  # fmt: skip
        chosen = None if voltage_range is None else one_of(voltage_range, tuple(RANGES), "voltage range")
        self._fixed = chosen is not None
        self._choose(chosen or 10.0)
        super().__init__(address, visa_library, timeout=timeout, **connection)

    @property
    def voltage_range(self) -> float:
        """The range on which this bench's levels are, V; `configure` sets it."""
        return self._range

    def _choose(self, span: float) -> None:
        self._range = span
        self._levels = Span(-RANGES[span], RANGES[span], f"level (range {span:g} V)", "V")

    def protect(self, voltage: float) -> None:
        """Choose the smallest range that holds `voltage` (V), the highest of this bench; `configure` sets it.

        A range that the driver was opened with stays.
        """
        within(voltage, PROTECTED)
        if not self._fixed:
            self._choose(next((span for span, most in RANGES.items() if voltage <= most), 30.0))

    # --- roles.VoltageSource ---

    def configure(self, *, current_limit: float) -> None:
        """Prepare sourcing volts on the range chosen; the output keeps its state where it sources volts already.

        `current_limit`: A, from 1 mA in steps of 1 mA; read back and compared.
        `LimitError` for one that it cannot keep, `InstrumentError` when it refuses, or reports another range or limit.
        A range that is not the one chosen is set at 0 V.
        """
        try:
            within(current_limit, CURRENT_LIMIT)
        except LimitError as error:
            raise LimitError(
                f"{self._title}: {error}; it is this source's own limit, not that of the instrument that reads"
            ) from None
        self.exchange(LEAVE_PROGRAM)
        if self.source_function != "VOLT":
            self.exchange(":OUTP OFF;:SOUR:FUNC VOLT")
        if self.source_range != self._range:
            self.exchange(f":SOUR:LEV 0;:SOUR:RANG {self._range:.9e}")
        self.current_limit = current_limit
        for name, unit, wanted in (("source_range", "V", self._range), ("current_limit", "A", current_limit)):
            actual = getattr(self, name)
            if not abs(actual - wanted) <= 1e-3 * wanted:
                raise InstrumentError(
                    f"{self._title} set a {name.replace('_', ' ')} of {actual:g} {unit} instead of {wanted:g} {unit}; "
                    "a current limit has steps of 1 mA, a range is one of its own: choose another"
                )

    def enable(self) -> None:
        """Switch the output on at 0 V."""
        self.exchange(":SOUR:LEV 0;:OUTP ON")

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V) until the next command; raises `LimitError` beyond the range."""
        within(voltage, self._levels)
        self.exchange(f":SOUR:LEV {voltage:.9e}")

    def make_safe(self) -> None:
        """Set 0 V and switch the output off; raises `InstrumentError` unless confirmed by query."""
        try:
            self.interrupt()
            self.exchange(f"{LEAVE_PROGRAM};:SOUR:LEV 0")
        finally:
            self.output_enabled = False
        if self.output_enabled:
            raise InstrumentError(f"{self._title} still has its output on; switch it off by hand")
