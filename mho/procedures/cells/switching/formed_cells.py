"""What an experiment needs before it switches cells: which of them have been formed, forming of others, and its pulses.

A virgin cell conducts a nanosiemens, far less than any other in its deepest RESET: what conducts more on a small current
range has been formed, however little it conducts. What the bench's record of formed cells says goes before that reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mho.array_types import Booleans, Integers
from mho.instruments import Bench, Cell, Pulse
from mho.instruments.bench_file import Operation
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.cell_procedure import CellProcedure
from mho.procedures.cells.cell_visits import CellReads, CellSurvey, VisitedCells, cells_at
from mho.procedures.cells.detection_limit import Blank, blanks_parameter, read_blanks
from mho.procedures.cells.switching.form import Form, FormPlan, pulse_table, ramped
from mho.procedures.parameters import FloatParameter, IntegerParameter, ListParameter
from mho.procedures.stream import Stream
from mho.runs import Table

OURS = "the chip map's"
PROBED = 2.0 / 3.0  # of the lowest forming voltage: SETs cells of every kind that we know


BURST = 1_000_000  # pulses, or cycles, that every generator of ours counts in one burst


def bursts(count: int) -> Iterator[int]:
    """Yield the lengths of the bursts that make up so many pulses; nothing for none."""
    while count > 0:
        yield min(count, BURST)
        count -= BURST


def pulse_parameters() -> tuple[FloatParameter[float | None], ...]:
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
    highest = round(settings.set_offset + levels[-1] / settings.set_slope, 6)
    gate = value("set_gate", bench.at_word_line(highest))
    volts = value("set_voltage", settings.set_voltage)
    pulses = FullPulses(
        Pulse("set", volts, width, gate),
        Pulse(
            "reset",
            value("reset_voltage", settings.reset_full),
            width,
            value("reset_gate", bench.at_word_line(settings.reset_gate)),
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


VIRGIN_SHARE = 0.05
"""Of what write-verify takes as formed, below which a cell may be virgin: a bound for ranges of the meter."""

VIRGIN = 5e-9  # S: above a virgin cell, below a deep RESET

RANGE, NPLC = 1e-7, 0.1  # A and power line cycles: a reading scatters by some picoamperes

AUTO, YES, NO = "auto", "yes", "no"
FORMING = "forming"  # table of the pulses that form cells before an experiment


def screening_parameters() -> tuple[ListParameter[str], IntegerParameter[int]]:
    """Return the parameters ``forming, blanks`` for a procedure's class."""
    what = "Form cells first that were never formed (auto, on simulated chips only)"
    return ListParameter(what, choices=[AUTO, YES, NO], default=AUTO), blanks_parameter()


MAY_NEED: Mapping[Operation, str] = {"pulse": "where forming = yes"}
"""What the parameters ``forming, blanks`` may ask a bench for, as of `Procedure.may_need`."""


def screening_needs(procedure: Any) -> tuple[Operation, ...]:
    """Return what the parameters ``forming, blanks`` of a procedure ask a bench for; without blanks nothing is formed.

    Blank readings are taken with the transistor off, and left out where nothing serves `gate`.
    """
    if not procedure.blanks:
        return ()
    return ("read", "pulse") if procedure.forming == YES else ("read",)


GATED: Mapping[Operation, str] = {"gate": "where a word-line voltage is given"}
"""When pulses ask for a gate, as of `Procedure.may_need`: where nothing holds a word line, they have none."""


def gate_needs(procedure: Any) -> tuple[Operation, ...]:
    """Return whether a procedure with `pulse_parameters` asks for a gate."""
    return () if procedure.set_gate is None and procedure.reset_gate is None else ("gate",)


@dataclass(frozen=True)
class ScreeningPlan:
    """What an experiment needs to know which of its cells can tell it anything."""

    array: str
    cells: CellRange
    formed_above: float  # conductance (S) of a formed cell as write-verify takes it
    # Readings of nothing; 0 for none: then a cell counts as formed that reads above `formed_above`
    blanks: int
    forming: FormPlan | None  # how cells are formed that were not; None where they are left alone

    @classmethod
    def of(cls, procedure: Any, cells: CellRange, bench: Bench, formed_above: float) -> ScreeningPlan:
        """Return those of a procedure with the parameters ``array``, ``blanks`` and ``forming``, checked against the bench.

        A bench that cannot form cells does so only where it is told to, and one without a gate takes no blank readings.

        Raises `LimitError`: the bench does not allow the pulses that form cells.
        """
        able = bench.simulated is not None and {*Form.needs} <= {*bench.file.operations()}
        forms = procedure.forming == YES or (procedure.forming == AUTO and able)
        form = Form(array=procedure.array)
        plan = form.prepare((cells, form.check()[1]), bench, np.random.default_rng(0)) if forms else None
        blanks = int(procedure.blanks) if bench.file.instruments.serves("gate") else 0
        return cls(procedure.array, cells, formed_above, blanks, plan)

    def tables(self) -> tuple[Table, ...]:
        """Return the table of forming pulses, where there may be any."""
        return () if self.forming is None else (pulse_table(FORMING, self.forming.ramp, self.cells.count),)


@dataclass(frozen=True)
class Screening:
    """What is known of the cells before an experiment."""

    formed: Booleans  # (rows, columns): which have been formed, and can be measured
    formed_now: int  # how many of them were formed just now
    # What a reading as the bench reads shows of nothing, S; None where that was not measured
    blank: Blank | None
    tried: bool = False  # whether the others have just had the whole forming ramp

    @property
    def unformed(self) -> int:
        """How many were never formed."""
        return int((~self.formed).sum())

    def least(self, looks: int | None = None, reads: float = 1.0) -> float:
        """Return the least conductance (S) that a mean of `reads` tells from nothing, one look a cell unless given."""
        return -np.inf if self.blank is None else self.blank.limit(looks or self.formed.size, reads)

    def counts(self) -> dict[str, int]:
        """Return the numbers for a result."""
        return {"unformed": self.unformed, "formed_first": self.formed_now}


def screen_cells(
    plan: ScreeningPlan, bench: Bench, stream: Stream, voltage: float | None = None
) -> Screening:
    """Find out which cells were formed, form the others where that is wanted, and measure what a reading shows of nothing.

    `voltage`: at which the experiment reads, V; as the bench reads without it.
    """
    cells = plan.cells
    rows, columns = cells.positions()
    formed = formed_cells(bench, stream, plan.array, (rows, columns), VIRGIN)
    formed |= bench.forming.formed(plan.array, rows, columns)
    formed_now = 0
    if plan.forming is not None and not formed.all():
        dark = np.flatnonzero(~formed)
        formed[dark] = _form(plan.forming, bench, stream, plan.array, (rows[dark], columns[dark]))
        formed_now = int(formed[dark].sum())
        stream.say(
            f"{len(dark)} of {cells.count} cells were never formed; {formed_now} of them were formed first (forming = no "
            "leaves them alone)"
        )
    blank = read_blanks(bench, cells_at(plan.array, rows, columns), plan.blanks, voltage)
    return Screening(formed.reshape(cells.shape), formed_now, blank, plan.forming is not None)


def _form(
    plan: FormPlan, bench: Bench, stream: Stream, array: str, cells: tuple[Integers, Integers]
) -> Booleans:
    """Form cells; return which conduct."""
    formed = np.zeros(len(cells[0]), dtype=bool)
    survey = CellSurvey(bench, stream, array, cells, FORMING, 0.5 * len(plan.volts))
    for part, (by, _, before) in survey.visit("forming", lambda visited: ramped(visited, plan)):
        formed[part] = before | (by >= 0)
    return formed & bench.forming.formed(array, *cells)


def formed_cells(
    bench: Bench, stream: Stream, array: str, cells: tuple[Integers, Integers], above: float
) -> Booleans:
    """Return which cells, given by rows and columns, have been formed; each is read once, and nothing is recorded.

    `above`: conductance (S) above which a cell is not virgin.
    """

    def read(visited: VisitedCells) -> CellReads:
        return visited.read(np.arange(visited.count), bench.file.read.voltage)

    formed = np.zeros(len(cells[0]), dtype=bool)
    span = min(RANGE, bench.file.read.current_range)
    with bench.metering(current_limit=span, current_range=span, nplc=NPLC):
        for part, reads in CellSurvey(bench, stream, array, cells, "").visit("reading", read):
            formed[part] = reads.limited | ~(reads.conductance < above)
    return formed


def form_first(array: str, rows: str, columns: str) -> str:
    """Return what to do about virgin cells, for a message."""
    return f"form them first: mho run form --array {array} --rows {rows} --columns {columns}"


def unformed_message(procedure: Any, unformed: int, cells: int, *, tried: bool) -> str:
    """Return what the run of a procedure with the parameter ``forming`` says of cells that were never formed.

    `tried` tells whether the run has just given them the whole forming ramp.
    """
    of_cells = f"--array {procedure.array} --rows {procedure.rows} --columns {procedure.columns}"
    advice = (
        f"the whole forming ramp did not form them; whether they are open says mho run contact {of_cells}"
        if tried
        else f"{form_first(procedure.array, procedure.rows, procedure.columns)}, then go on; or give forming = yes"
    )
    some = f"none of {cells} cells was" if unformed == cells else f"{unformed} of {cells} cells were never"
    left = "ever formed: nothing was measured" if unformed == cells else "formed and are left out"
    return f"{some} {left}; {advice}"


def unformed_reads(unformed: int, cells: int, formed_above: float) -> str:
    """Return what a run without blanks says of cells that read as cells do which were never formed."""
    some = "all cells" if unformed == cells else f"{unformed} of {cells} cells"
    return (
        f"{some} read below {1e6 * formed_above:g} µS: they were never formed, or are too deep in HRS; they are left out "
        "of the result: form or program them first"
    )


def warn_left_out(
    procedure: Any, stream: Stream, screening: Screening | None, cells: int, unformed: int, below: int = 0,
    *, without_blanks: str = "",
) -> None:  # fmt: skip
    """Say how many of the cells are left out: unformed, or `below` the noise; `without_blanks` where no blank tells."""
    if screening is None:
        if unformed:
            stream.say(without_blanks, "WARNING")
        return
    if unformed:
        stream.say(unformed_message(procedure, unformed, cells, tried=screening.tried), "WARNING")
    if below:
        stream.say(
            f"{below} of {cells} cells were formed and read below {1e9 * screening.least():.3g} nS, which readings do not "
            "tell from nothing: they are left out; read longer (`nplc`), or on a smaller `current_range` of the bench "
            "file's [read]",
            "WARNING",
        )
