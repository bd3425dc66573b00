"""The protocol: which experiments, in which order, on which cells of the sample, with which sizes.

The same sequence serves every technology, as Stathopoulos et al. propose (Sci. Rep. 9, 19412 (2019), arXiv:1809.06659):
electroforming, I-V, switching by pulses of both polarities, the states and their retention, endurance, with the variability
from cell to cell and from cycle to cycle throughout. What depends on the technology (voltages, word lines, levels) is taken
from the chip map. What wears or disturbs cells comes late, on cells of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mho.array_types import Integers
from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.instruments.bench_file import BenchSource
from mho.procedures.cell_range import CellRange, lines_text
from mho.running.characterising.sampling import spread

SWEPT, SWEEP_STEP = 2.0, 0.05  # V: I-V loops at most, and their step
SWEPT_LEVEL = 0.8  # of the highest level, at which the gate limits a SET at DC
ROOM = 1.5  # for the current of that level at the ends of a loop
LEVELS = "levels.csv"  # the file of the digits to which the sample is programmed, beside the plan


@dataclass(frozen=True)
class Sizes:
    """How much is measured. `cells` are at least so many of the whole sample; `side` lines of each kind of a sub-sample."""

    cells: int
    side: int
    map_repeats: int
    iv_cycles: int
    response_points: int
    response_repeats: int
    switching_cycles: int
    noise_series: int
    noise_samples: int
    disturb_pulses: int
    retention: float
    endurance_cycles: int


STANDARD = Sizes(64, 4, 20, 10, 25, 5, 100, 4, 2500, 10**7, 2500.0, 10**7)
QUICK = Sizes(16, 2, 5, 3, 10, 2, 20, 1, 1000, 10**5, 30.0, 10**5)


@dataclass(frozen=True)
class ProtocolStep:
    """One experiment of the protocol."""

    name: str
    procedure: str
    why: str  # what it is for, in the plan's words
    parameters: dict[str, Any] = field(default_factory=dict)  # in SI units


def digits_of(cells: CellRange, levels: int, rng: np.random.Generator) -> Integers:
    """Return a digit for each cell, (rows, columns), all equally often and in a random order."""
    return rng.permutation(np.resize(np.arange(levels), cells.count)).reshape(cells.shape)


def protocol(
    chip: ChipMap, source: BenchSource, array: ArrayMap, cells: CellRange, sizes: Sizes
) -> tuple[ProtocolStep, ...]:
    """Return the experiments, in order, on a sample of an array's cells."""
    whole = _lines(array, cells.rows, cells.columns)
    # Cells that are swept, cycled or read for long lie between those that are worn or disturbed.
    some = _lines(array, spread(cells.rows, sizes.side), spread(cells.columns, sizes.side))
    others = _lines(array, spread(cells.rows, sizes.side, 0.5), spread(cells.columns, sizes.side, 0.5))
    digits = {"digits": LEVELS, **whole}
    return (
        ProtocolStep("contact", "contact", "which cells are connected", whole),
        ProtocolStep("form", "form", "forming voltages and yield, where cells are virgin", whole),
        ProtocolStep("map", "map", "the sample read through the DAQ", whole | {"repeats": sizes.map_repeats}),
        ProtocolStep("iv", "iv", "I-V loops: SET and RESET at DC", some | _sweep(chip, source, sizes.iv_cycles)),
        ProtocolStep(
            "response", "response", "conductance after a SET against the word line",
            some | {"points": sizes.response_points, "repeats": sizes.response_repeats},
        ),
        ProtocolStep(
            "response_reset", "response", "how far a RESET brings cells down, against the source line",
            some | {"against": "V_SL", "points": sizes.response_points, "repeats": sizes.response_repeats},
        ),
        ProtocolStep(
            "switching", "switching", "both states, from cycle to cycle and from cell to cell",
            whole | {"cycles": sizes.switching_cycles},
        ),
        ProtocolStep("program", "program", "all levels, by write-verify", digits),
        ProtocolStep(
            "noise", "noise", "read noise at these levels",
            some | {"series": sizes.noise_series, "samples": sizes.noise_samples},
        ),
        ProtocolStep("disturb", "disturb", "what reads do to cells", others | {"pulses": sizes.disturb_pulses}),
        ProtocolStep("program_again", "program", "what was disturbed, back to its level", digits),
        ProtocolStep("retention", "retention", "how levels drift and spread", whole | {"last": sizes.retention}),
        ProtocolStep(
            "endurance", "endurance", "how many cycles cells last, at the end as it wears them",
            others | {"cycles": sizes.endurance_cycles},
        ),
    )  # fmt: skip


def joined(lines: Integers) -> str:
    """Return line numbers without blanks, so that titles tell rows from columns: ``[3,70, 2,100]``."""
    return str(lines[0]) if len(lines) == 1 else lines_text(lines).replace(" ", "")


def _lines(array: ArrayMap, rows: Integers, columns: Integers) -> dict[str, Any]:
    return {"array": array.name, "rows": joined(rows), "columns": joined(columns)}


def _sweep(chip: ChipMap, source: BenchSource, cycles: int) -> dict[str, Any]:
    """Return the parameters of bipolar loops: gate and source limit the current to what the highest levels take."""
    settings, top = chip.write_verify, chip.levels.conductances[-1]
    highest, lowest = min(settings.set_voltage, SWEPT), min(settings.reset_full, SWEPT)
    limit = source.bench.limits["bit line"].current
    most = max(2.0 * ROOM * top * max(highest, lowest), source.bench.read.current_limit)
    current = float(f"{most if limit is None else min(most, limit):.2g}")
    return {
        "highest": highest,
        "lowest": -lowest,
        "step": SWEEP_STEP,
        "gate": round(settings.set_offset + SWEPT_LEVEL * top / settings.set_slope, 2),
        "gate_reset": settings.reset_gate,
        "compliance": current,
        "compliance_reset": current,
        "cycles": cycles,
    }
