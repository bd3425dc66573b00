"""Named constants of a unit of the simulated 2636B, and its contact check with 1 mA (2600BS-901-01, p. 7-209)."""

from __future__ import annotations

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2636b.accuracy import OVERFLOW
from mho.instruments.simulated.keithley2636b.source import HIGH_Z, VOLTS, UnitSource
from mho.instruments.simulated.tsp.tables import Attribute, ScriptTable, TspError, choice, real

CONTACT_CURRENT = 1e-3  # A a contact check needs
CONSTANTS = {
    "OUTPUT_OFF": 0, "OUTPUT_ON": 1, "OUTPUT_HIGH_Z": 2, "OUTPUT_NORMAL": 0, "OUTPUT_ZERO": 1,
    "OUTPUT_DCAMPS": 0, "OUTPUT_DCVOLTS": 1, "AUTORANGE_OFF": 0, "AUTORANGE_ON": 1, "AUTORANGE_FOLLOW_LIMIT": 2,
    "AUTOZERO_OFF": 0, "AUTOZERO_ONCE": 1, "AUTOZERO_AUTO": 2, "FILTER_OFF": 0, "FILTER_ON": 1,
    "FILTER_MOVING_AVG": 0, "FILTER_REPEAT_AVG": 1, "FILTER_MEDIAN": 2, "REL_OFF": 0, "REL_ON": 1,
    "SENSE_LOCAL": 0, "SENSE_REMOTE": 1, "SENSE_CALA": 3, "DISABLE": 0, "ENABLE": 1, "ASYNC": 2,
    "SOURCE_IDLE": 0, "SOURCE_HOLD": 1, "DELAY_OFF": 0, "DELAY_AUTO": -1, "LIMIT_AUTO": 0,
    "SETTLE_SMOOTH": 0, "SETTLE_FAST_RANGE": 1, "SETTLE_FAST_POLARITY": 2, "SETTLE_DIRECT_IRANGE": 3,
    "SETTLE_SMOOTH_100NA": 4, "SETTLE_FAST_ALL": 128, "CONTACT_FAST": 0, "CONTACT_MEDIUM": 1, "CONTACT_SLOW": 2,
}  # fmt: skip


class ContactCheck(ScriptTable):
    """``smua.contact``."""

    def __init__(self, title: str, source: UnitSource, clock: VirtualClock) -> None:
        super().__init__(
            {"speed": Attribute(0.0, choice(0, 1, 2)), "threshold": Attribute(50.0, real(0.0, 1e3))},
            contents={"check": self._check, "r": self._resistance},
        )
        self._title, self._source, self._clock = title, source, clock

    def _require(self) -> None:
        """Refuse what the manual refuses (p. 7-209): the check passes 1 mA."""
        source = self._source.table
        if self._source.on:
            if source["limiti"] < CONTACT_CURRENT:
                raise TspError(5050, f"{self._title}: I limit too low for contact check")
        elif source["offmode"] == 2 or source["output"] == HIGH_Z:
            raise TspError(5048, f"{self._title}: Contact check not valid with HIGH-Z OUTPUT off")
        elif source["offmode"] == 0 and source["offfunc"] == VOLTS and source["offlimiti"] < CONTACT_CURRENT:
            raise TspError(5066, f"{self._title}: source.offlimiti too low for contact check")
        elif source["offmode"] == 0 and source["offfunc"] != VOLTS and source["rangei"] < CONTACT_CURRENT:
            raise TspError(5065, f"{self._title}: I range too low for contact check")

    def _check(self) -> bool | None:
        self._require()
        self._clock.advance(4e-3)
        return self._source.wired

    def _resistance(self) -> tuple[float, float]:
        self._require()
        self._clock.advance(4e-3)
        return (1.0, 1.0) if self._source.wired else (OVERFLOW, OVERFLOW)
