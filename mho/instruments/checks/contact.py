"""The contact check: a known resistor in a cell's place, read at 50 and 100 mV with at most 10 uA.

The slope between the two readings is the conductance, so that offsets do not matter. (The `contact.check()` of a
2600 takes 1 mA: not for cells.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from mho.instruments.bench_file.bench_file import BenchFile, CheckSettings
from mho.instruments.roles import ArrayBoard, Cell, Reading, SourceMeter, SwitchMatrix

VOLTAGES = (0.05, 0.1)  # V
CURRENT = 10e-6  # A
FAR = 10.0  # ratio to the resistor, either way, beyond which contact resistance is no explanation


class Contact(StrEnum):
    """Possible results of a contact check."""

    OK = "ok"
    OPEN = "open"
    SHORT = "short"
    OFF = "off"


def classify_contact(readings: Sequence[Reading], resistor: float, tolerance: float) -> tuple[Contact, float]:
    """Classify a resistor from two readings of it.

    Parameters
    ----------
    readings : sequence of Reading
        At two voltages.
    resistor : float
        Nominal value, ohm.
    tolerance : float
        Relative deviation that is accepted.

    Returns
    -------
    contact : Contact
    resistance : float
        As measured, ohm; 0 where a reading ran into its limit, infinite where nothing flows.
    """
    if any(reading.tripped or not math.isfinite(reading.current) for reading in readings):
        return Contact.SHORT, 0.0
    (v1, i1), (v2, i2) = ((reading.voltage, reading.current) for reading in readings)
    resistance = (v2 - v1) / (i2 - i1) if i2 > i1 else math.inf
    if resistance > FAR * resistor or not resistance > 0.0:
        return Contact.OPEN, math.inf if resistance <= 0.0 else resistance
    if resistance < resistor / FAR:
        return Contact.SHORT, resistance
    right = abs(resistance / resistor - 1.0) <= tolerance
    return Contact.OK if right else Contact.OFF, resistance


def read_contact(
    bench: BenchFile,
    check: CheckSettings,
    smu: SourceMeter,
    gate: SourceMeter | None,
    board: ArrayBoard | None,
    switch: SwitchMatrix | None = None,
) -> list[Reading]:
    """Take the two readings. The caller has checked that all outputs are off, and makes everything safe afterwards.

    Word line, board and switch matrix are not used when the resistor is not in a cell's place.

    Raises
    ------
    LimitError
        When the bench's limits do not allow the readings; nothing is sent.
    InstrumentError
        When an instrument refuses or does not answer.
    """
    limits, read = bench.terminal_limits(), bench.read
    limits.check_level("bit line", max(VOLTAGES))
    limits.check_current("bit line", CURRENT)
    smu.configure(current_limit=CURRENT, current_range=CURRENT, nplc=1.0)
    if check.cell is None or gate is None or board is None:
        smu.enable()
        return [smu.read(volts) for volts in VOLTAGES]
    limits.check_level("word line", read.gate)
    limits.check_current("word line", read.current_limit)
    gate.configure(current_limit=read.current_limit, current_range=read.current_range, nplc=read.nplc)
    board.set_mode("PROGRAM")
    board.select(Cell(*check.cell))
    if switch is not None and bench.instruments.switch is not None:
        switch.open_all()
        switch.close_paths(sorted(bench.instruments.switch.crosspoints()["READ"]))
    gate.enable()
    gate.hold(read.gate)  # word line first, and off last
    smu.enable()
    board.route("READ")
    return [smu.read(volts) for volts in VOLTAGES]
