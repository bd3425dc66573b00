"""The eleven usual kinds of measurement: which columns each needs, and the table, map and figures that a run file gets.

Names, units and figures are those that the procedure of the same verb declares (`mho.procedures`), so that what draws,
calibrates or compares its runs takes an imported one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mho.runs import Column, Figure

# One of them tells a conductance; a current beside a voltage
CONDUCTANCE = ("conductance", "resistance", "current")


@dataclass(frozen=True)
class Measurement:
    """A kind of measurement."""

    name: str  # as ``--type`` has it: the verb of the procedure
    title: str  # what it is, in words
    procedure: str  # the procedure whose runs look alike; empty for none
    table: str
    table_title: str
    # Of the table, by name; those that the foreign table does not tell are left out
    columns: tuple[Column, ...]
    needed: tuple[tuple[str, ...], ...]  # meanings of which one each must be there
    takes: tuple[str, ...]  # further meanings that go into the table
    counts: str  # what the number in a wide table's names counts, where the name does not say
    # axis, signal, series: as of `mho.runs.Table`
    axis: str
    signal: str
    series: str = ""
    figures: tuple[Figure, ...] = ()  # those that can be drawn from the table alone
    map_title: str = ""  # of the map of conductances; empty for none

    @property
    def meanings(self) -> frozenset[str]:
        """All meanings that go into the table."""
        return frozenset(one for some in self.needed for one in some) | frozenset(self.takes)

    def missing(self, there: Collection[str]) -> tuple[tuple[str, ...], ...]:
        """Return the needs that meanings which are `there` do not fill."""
        lacking = [some for some in self.needed if not set(some) & set(there)]
        alone = "current" in there and not {"conductance", "resistance", "voltage", "read_voltage"} & set(
            there
        )
        if alone and CONDUCTANCE in self.needed:
            lacking.append(("voltage",))
        return tuple(lacking)


ROW, COLUMN = Column("row", dtype="u4"), Column("column", dtype="u4")
PLACE = ("row", "column", "cell")
TIME = Column("time", "s")
LIMITED = Column("limited", dtype="u1", description="1 where the point was in compliance")
G = Column("conductance", "S")
CELL = ("row", "column")

IV = Measurement(
    "iv", "I-V sweeps", "IV", "sweeps", "I-V curves",
    (
        TIME, Column("sweep", dtype="u4", description="number of the sweep"), ROW, COLUMN,
        Column("voltage", "V", description="bit-line voltage"), Column("current", "A", description="current"), LIMITED,
    ),
    (("voltage",), ("current", "resistance", "conductance")),
    (*PLACE, "time", "sweep", "cycle", "limited"), "sweep", "voltage", "current", "sweep",
    (
        Figure(
            "current_voltage", table="sweeps", x="voltage", y="current", by=CELL, y_scale="log", title="I-V curves by cell",
        ),
    ),
)  # fmt: skip

ENDURANCE = Measurement(
    "endurance", "endurance: both states by cycle", "Endurance", "endurance", "every read",
    (
        TIME, ROW, COLUMN, Column("cycles", dtype="u8", description="cycles done, the read's own included"),
        Column("state", dtype="u1", description="0 LRS, after a SET; 1 HRS, after a RESET"), G,
    ),
    (("cycle",), CONDUCTANCE), (*PLACE, "time", "state", "voltage", "read_voltage"), "cell", "cycles",
    "conductance", "",
    (
        Figure("endurance", kind="errorbars", table="endurance", x="cycles", y="conductance", by="state",
               x_scale="log", y_scale="log", title="LRS (0) and HRS (1): median and quartiles of all cells"),
        Figure("cells", table="endurance", x="cycles", y="conductance", by=(*CELL, "state"), x_scale="log",
               y_scale="log", title="LRS and HRS by cell"),
    ),
)  # fmt: skip

RETENTION = Measurement(
    "retention", "retention: conductance over time", "Retention", "reads", "every read",
    (TIME, Column("repeat", dtype="u4"), ROW, COLUMN, G, Column("temperature", "K")),
    (("time",), CONDUCTANCE), (*PLACE, "voltage", "read_voltage", "temperature"), "cell", "time", "conductance", "",
    (Figure("reads", table="reads", x="time", y="conductance", by=CELL, x_scale="log", title="Reads by cell"),),
    "conductance",
)  # fmt: skip

FORM = Measurement(
    "form", "forming: a rising voltage until the cell conducts", "Form", "pulses", "every pulse and the read after it",
    (
        TIME, ROW, COLUMN, Column("pulse", dtype="u2", description="number in the ramp"),
        Column("ramped", "V", dtype="f4", description="level of the ramp"),
        Column("voltage", "V", dtype="f4", description="at the bit line"), Column("width", "s", dtype="f4"),
        Column("gate", "V", dtype="f4", description="word-line voltage"), Column("current", "A"), LIMITED, G,
    ),
    (("voltage",), CONDUCTANCE), (*PLACE, "time", "pulse", "width", "gate", "limited", "read_voltage"), "cell",
    "ramped", "conductance", "",
    (
        Figure(
            "conductance_by_voltage", table="pulses", x="ramped", y="conductance", by=CELL, y_scale="log",
            title="Conductance along the ramp, by cell",
        ),
    ),
)  # fmt: skip

RESPONSE = Measurement(
    "response", "response to pulses", "Response", "responses", "conductance after each pulse",
    (
        TIME, ROW, COLUMN, Column("repeat", dtype="u4"), Column("pulse", dtype="u4", description="number of the pulse"),
        Column("kind", dtype="u1", description="0 read only, 1 SET, 2 RESET"),
        Column("voltage", "V", dtype="f4", description="at the line of the pulse"), Column("width", "s", dtype="f4"),
        Column("gate", "V", dtype="f4", description="word-line voltage of the pulse"),
        Column("before", "S", description="conductance before the pulse"),
        Column("conductance", "S", description="conductance after the pulse"), LIMITED,
    ),
    (("pulse", "gate", "before", "before_resistance"), CONDUCTANCE),
    (
        *PLACE, "time", "voltage", "width", "kind", "sweep", "cycle", "limited", "pulse", "gate", "before",
        "before_resistance", "read_voltage",
    ),
    "sweep", "pulse", "conductance", "",
)  # fmt: skip

NOISE = Measurement(
    "noise", "noise: reads in a row", "Noise", "series", "every read",
    (TIME, ROW, COLUMN, Column("number", dtype="u2", description="of the series"), G),
    (("time",), CONDUCTANCE), (*PLACE, "voltage", "sweep", "read_voltage"), "cell", "time", "conductance", "",
    (Figure("series", kind="scatter", table="series", x="time", y="conductance", by=CELL, title="Reads in a row by cell"),),
)  # fmt: skip

READS = Measurement(
    "reads", "reads of cells: a map", "Read", "reads", "reads", (ROW, COLUMN, G), (("row",), ("column",), CONDUCTANCE),
    ("voltage", "time", "kind", "width", "gate", "current", "resistance", "target", "read_voltage"), "",
    "time", "conductance", "", (), "last read",
)  # fmt: skip

PROGRAM = Measurement(
    "program", "write-verify: every pulse and the read after it", "Program", "pulses", "every pulse and every verify read",
    (
        TIME, ROW, COLUMN, Column("kind", dtype="u1", description="0 read only, 1 SET or forming, 2 RESET"),
        Column("voltage", "V", dtype="f4", description="amplitude at the driven line"), Column("width", "s", dtype="f4"),
        Column("gate", "V", dtype="f4", description="word-line voltage"),
        Column("conductance", "S", description="verify read after the pulse"),
        Column("target", "S", description="wanted conductance"),
    ),
    (("kind",), ("row", "cell"), ("conductance", "resistance")),
    (*PLACE, "time", "voltage", "width", "gate", "target", "target_resistance"), "", "time", "conductance", "", (),
    "conductance",
)  # fmt: skip

BER = Measurement(
    "ber", "bit error rate", "", "ber", "bit error rate",
    (
        Column("snr", "dB", description="signal-to-noise ratio"), Column("ber", description="bit error rate"),
        Column("errors", dtype="u8", description="wrong bits"), Column("bits", dtype="u8", description="all bits"),
        Column("sweep", dtype="u4", description="number of the curve"),
    ),
    (("snr",), ("ber", "errors")), ("bits", "sweep"), "sweep", "snr", "ber", "sweep",
    (Figure("ber", table="ber", x="snr", y="ber", y_scale="log", title="Bit error rate"),),
)  # fmt: skip

SWITCHING = Measurement(
    "switching", "SET and RESET voltages by cycle", "IV", "loops", "what was extracted of each loop",
    (
        Column("cycle", dtype="u4"), ROW, COLUMN, Column("v_set", "V"), Column("v_reset", "V"),
        Column("lrs", "S", description="at low voltage, after the positive half"),
        Column("hrs", "S", description="at low voltage, after the negative half"),
        Column("window", description="lrs / hrs"),
    ),
    (("v_set", "v_reset"),), (*PLACE, "cycle", "lrs", "hrs", "lrs_resistance", "hrs_resistance"), "", "cycle", "v_set", "",
    (
        Figure("set_voltage", kind="distribution", table="loops", x="v_set", y_scale="probability"),
        Figure("reset_voltage", kind="distribution", table="loops", x="v_reset", y_scale="probability"),
        Figure(
            "states", kind="errorbars", table="loops", x="cycle", y=("lrs", "hrs"), y_scale="log",
            title="Both states at low voltage, by cycle",
        ),
        Figure("window", kind="distribution", table="loops", x="window", x_scale="log", title="On/off window"),
    ),
)  # fmt: skip

LEVELS = Measurement(
    "levels", "levels: mean and standard deviation of each", "", "levels", "mean and standard deviation of each level",
    (
        Column("level", dtype="u4"), Column("target", "S", description="wanted conductance"),
        Column("mean", "S", description="1 / mean resistance, where the table has resistances"),
        Column("deviation", "S", description="standard deviation; of resistances to first order"),
        Column("low", "S", description="mean less deviation"), Column("high", "S", description="mean and deviation"),
        Column("count", dtype="u8", description="reads of the level"),
    ),
    (("level", "target", "target_resistance"), ("mean", "mean_resistance"), ("deviation", "deviation_resistance")),
    ("count", "level", "target", "target_resistance"), "", "level", "mean", "",
    (
        Figure(
            "levels", table="levels", x="level", y=("mean", "low", "high"), title="Levels: mean, and mean \u00b1 deviation",
        ),
        Figure(
            "levels_by_target", table="levels", x="target", y=("mean", "low", "high"),
            title="Mean, and mean \u00b1 deviation, by target",
        ),
        Figure(
            "deviations", kind="scatter", table="levels", x="mean", y="deviation", title="Standard deviation by level",
        ),
    ),
)  # fmt: skip

MEASUREMENTS = {
    one.name: one
    for one in (IV, ENDURANCE, RETENTION, FORM, RESPONSE, NOISE, READS, PROGRAM, BER, SWITCHING, LEVELS)
}
