"""The pulses of a full SET and a full RESET, as parameters of a procedure and on one bench, and bursts of pulses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from mho.instruments import Bench, Cell, Pulse
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.cell_procedure import CellProcedure
from mho.procedures.parameters import FloatParameter

OURS = "the chip map's"
PROBED = 2.0 / 3.0  # of the lowest forming voltage: SETs cells of every kind that we know


BURST = 1_000_000  # pulses, or cycles, that every generator of ours counts in one burst


def bursts(count: int) -> Iterator[int]:
    """Yield the lengths of the bursts that make up so many pulses; nothing for none."""
    while count > 0:
        yield min(count, BURST)
        count -= BURST


def pulse_parameters() -> tuple[FloatParameter, ...]:
    """Return the parameters ``set_voltage, set_gate, reset_voltage, reset_gate, width`` for a procedure's class."""
    volts = partial(FloatParameter, units="V", minimum=0.01, maximum=10.0)
    return (
        volts("SET voltage, the chip map's unless given"),
        volts("Word line in a SET, for the highest level unless given"),
        volts("RESET voltage, the chip map's full one unless given"),
        volts("Word line in a RESET, the chip map's unless given"),
        FloatParameter("Pulse width, the chip map's unless given", units="s", minimum=1e-9, maximum=1.0),
    )


@dataclass(frozen=True)
class FullPulses:
    """A SET to the highest level and a RESET to HRS."""

    set: Pulse
    reset: Pulse
    probe: Pulse  # A SET far below forming, which shows whether a cell in HRS was ever formed, and forms none
    # Conductance (S) of a cell that conducts: one below it after the probe was never formed, or is stuck
    formed_above: float
    middle: float  # between the two states, S

    def in_use(self) -> Mapping[str, tuple[float | str, str]]:
        """Return the values of the parameters, with their origin, for `Procedure.in_use`."""
        return {
            "set_voltage": (self.set.voltage, OURS), "set_gate": (self.set.gate, OURS),
            "reset_voltage": (self.reset.voltage, OURS), "reset_gate": (self.reset.gate, OURS),
            "width": (self.set.width, OURS),
        }  # fmt: skip


def prepared_pulses(procedure: CellProcedure, cells: CellRange, bench: Bench) -> FullPulses:
    """Return the pulses of a procedure with `pulse_parameters`, and check the cells, the pulses and reads of them.

    Raises `ChipMapError` or `LimitError`: nothing has been sent.
    """
    chip, value = procedure.readable_chip(bench, cells), procedure.value_or
    settings, levels = chip.write_verify, chip.levels.conductances
    width = value("width", settings.width)
    gate = value("set_gate", round(settings.set_offset + levels[-1] / settings.set_slope, 6))
    volts = value("set_voltage", settings.set_voltage)
    pulses = FullPulses(
        Pulse("set", volts, width, gate),
        Pulse(
            "reset",
            value("reset_voltage", settings.reset_full),
            width,
            value("reset_gate", settings.reset_gate),
        ),
        Pulse("set", min(volts, PROBED * settings.forming_voltages[0]), width, gate),
        settings.formed_above,
        0.5 * levels[-1],
    )
    for pulse in (pulses.set, pulses.reset, pulses.probe):
        bench.check_pulse(pulse)
    return pulses


def conducts(bench: Bench, cell: Cell, pulses: FullPulses) -> bool:
    """Return whether a cell conducts, if need be after a SET that forms no cell."""
    if bench.read(cell) > pulses.formed_above:
        return True
    bench.pulse(cell, pulses.probe)
    return bench.read(cell) > pulses.formed_above


def dark_message(dark: int, cells: int) -> str:
    """Return what a run says of cells that were never formed, or do not conduct after a SET."""
    some = "none of the cells conducts" if dark == cells else f"{dark} of {cells} cells do not conduct"
    return f"{some}: they were never formed, or are stuck; they are left out: form them first"
