"""The pulses of a full SET and a full RESET, as parameters of a procedure and on one bench."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mho.chip_maps.chip import ChipMap
from mho.instruments import Bench, Pulse
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.chip_in_use import chip_of
from mho.procedures.parameters import FloatParameter

OURS = "the chip map's"
PROBED = 2.0 / 3.0  # of the lowest forming voltage: SETs cells of every kind that we know


def pulse_parameters() -> tuple[FloatParameter, ...]:
    """Return the parameters ``set_voltage, set_gate, reset_voltage, reset_gate, width`` for a procedure's class."""
    return (
        FloatParameter("SET voltage, the chip map's unless given", units="V", minimum=0.01, maximum=10.0),
        FloatParameter(
            "Word line in a SET, for the highest level unless given", units="V", minimum=0.01, maximum=10.0
        ),
        FloatParameter(
            "RESET voltage, the chip map's full one unless given", units="V", minimum=0.01, maximum=10.0
        ),
        FloatParameter(
            "Word line in a RESET, the chip map's unless given", units="V", minimum=0.01, maximum=10.0
        ),
        FloatParameter("Pulse width, the chip map's unless given", units="s", minimum=1e-9, maximum=1.0),
    )


@dataclass(frozen=True)
class FullPulses:
    """A SET to the highest level and a RESET to HRS.

    Attributes
    ----------
    probe : Pulse
        A SET far below forming, which shows whether a cell in HRS was ever formed, and forms none.
    formed_above : float
        Conductance (S) of a cell that conducts: one that does not reach it by the probe was never formed, or is stuck.
    middle : float
        Between the two states, S.
    """

    set: Pulse
    reset: Pulse
    probe: Pulse
    formed_above: float
    middle: float

    def in_use(self) -> Mapping[str, tuple[float | str, str]]:
        """Return the values of the parameters, with their origin, for `Procedure.in_use`."""
        return {
            "set_voltage": (self.set.voltage, OURS),
            "set_gate": (self.set.gate, OURS),
            "reset_voltage": (self.reset.voltage, OURS),
            "reset_gate": (self.reset.gate, OURS),
            "width": (self.set.width, OURS),
        }


def full_pulses(procedure: Any, chip: ChipMap) -> FullPulses:
    """Return the pulses that a procedure with `pulse_parameters` asks for; nothing is checked yet."""
    settings, levels = chip.write_verify, chip.levels.conductances

    def given(name: str, default: float) -> float:
        value = getattr(procedure, name)
        return default if value is None else float(value)

    width = given("width", settings.width)
    gate = given("set_gate", round(settings.set_offset + levels[-1] / settings.set_slope, 6))
    volts = given("set_voltage", settings.set_voltage)
    probed = min(volts, PROBED * settings.forming_voltages[0])
    reset_gate = given("reset_gate", settings.reset_gate)
    return FullPulses(
        Pulse("set", volts, width, gate),
        Pulse("reset", given("reset_voltage", settings.reset_full), width, reset_gate),
        Pulse("set", probed, width, gate),
        settings.formed_above,
        0.5 * levels[-1],
    )


def prepared_pulses(procedure: Any, cells: CellRange, bench: Bench) -> FullPulses:
    """Return the pulses after checking that the array has these cells and that the bench allows pulses and reads.

    Raises
    ------
    ChipMapError, LimitError
        Nothing has been sent.
    """
    chip = chip_of(bench)
    check_inside(chip.array(procedure.array), cells)
    bench.check_read()
    pulses = full_pulses(procedure, chip)
    for pulse in (pulses.set, pulses.reset, pulses.probe):
        bench.check_pulse(pulse)
    return pulses


def unformed_message(unformed: int, cells: int) -> str:
    """Return what a run says of cells that were never formed, or do not conduct after a SET."""
    some = (
        "none of the cells conducts" if unformed == cells else f"{unformed} of {cells} cells do not conduct"
    )
    return f"{some}: they were never formed, or are stuck; they are left out: form them first"
