"""The protocol of a characterisation, and its plan as a file: which cells and steps, and what the bench refuses of them.

The sequence is that of Stathopoulos et al. (Sci. Rep. 9, 19412 (2019), arXiv:1809.06659); voltages, word lines and levels
are the chip map's. What wears or disturbs cells comes late, on cells of its own. The sample is the crossings of one line of
each of equal stretches: both ends of every line, and so all lengths of wire, are in it.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mho.array_types import Integers
from mho.chip_maps import ArrayMap, ChipMap, parse_chip_map
from mho.errors import InputError, MhoError, os_errors_as
from mho.input_files import bench_key
from mho.instruments import open_bench
from mho.instruments.bench_file import BenchSource
from mho.instruments.opening import open_rehearsal
from mho.procedures import CellRange, check_inside, check_needs, lines_text, load_conditions, make_procedure
from mho.toml import toml_value


def stratified(lines: Integers, count: int, rng: np.random.Generator) -> Integers:
    """Return a line of each of `count` stretches of `lines`, as equal as can be, ascending; all where there are fewer.

    `lines` (n,): ascending line numbers.
    """
    stretches = np.array_split(lines, min(count, len(lines)))
    return np.array([rng.choice(stretch) for stretch in stretches], dtype=np.int64)


def sample_cells(array: ArrayMap, count: int, rng: np.random.Generator) -> CellRange:
    """Return at least `count` cells (or all) at the crossings of rows and columns, as many of one as of the other.

    Lines that the chip map knows to be bad are left out.

    `InputError` for no cell, or an array of bad lines.
    """
    if count < 1:
        raise InputError(f"{count} cells are no sample; take at least 1")
    rows = np.setdiff1d(np.arange(array.rows), array.bad_rows)
    columns = np.setdiff1d(np.arange(array.columns), array.bad_columns)
    if not len(rows) or not len(columns):
        raise InputError(f"the chip map says of all lines of array {array.name!r} that they are bad")
    side = min(math.isqrt(count - 1) + 1, len(rows), len(columns))
    more = -(-count // side)
    sides = (side, more) if len(columns) >= len(rows) else (more, side)
    return CellRange(stratified(rows, sides[0], rng), stratified(columns, sides[1], rng))


def spread(lines: Integers, most: int, offset: float = 0.0) -> Integers:
    """Return `most` of some lines, evenly spread (all where there are fewer).

    `offset`: from 0 to 1, in their distance. Where lines are twice as many as wanted, 0 and 0.5 have none in
    common.
    """
    count = min(most, len(lines))
    places = np.floor((np.arange(count) + offset) * len(lines) / count).astype(np.int64)
    return lines[places]


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
        "highest": highest, "lowest": -lowest, "step": SWEEP_STEP,
        "gate": round(settings.set_offset + SWEPT_LEVEL * top / settings.set_slope, 2),
        "gate_reset": settings.reset_gate, "compliance": current, "compliance_reset": current,
        "cycles": cycles,
    }  # fmt: skip


PLAN = "plan.toml"


@dataclass(frozen=True)
class CharacterisationRequest:
    """What is to be characterised."""

    bench: str = "simulated"  # as `mho.run` takes it
    preset: str | None = None  # as `mho.run` takes it
    seed: int | None = None  # of the simulated cells, and of the sample
    array: str = ""  # of the chip; the first that multiplies where it is empty
    cells: int | None = None  # of the sample, at least; as many as the sizes say without
    rows: str = ""  # lines instead of a sample, as experiments take them; with `columns`, or none
    columns: str = ""
    quick: bool = False  # minutes of bench time instead of an hour


@dataclass(frozen=True)
class Planned:
    """A plan, ready to be written."""

    text: str  # TOML
    digits: Integers  # levels of the sample, for the file beside the plan
    cells: CellRange
    left_out: tuple[tuple[str, str], ...]  # steps that the bench refuses, with its reason


def plan_protocol(request: CharacterisationRequest) -> Planned:
    """Plan the protocol; every step is checked on the bench's twins, and nothing is sent to the bench itself.

    `MhoError` for a bench, preset, array or lines that there are not, or a bench that refuses every step.
    """
    source = load_conditions(request.bench, request.preset, request.seed)
    chip = parse_chip_map(source.chip_text, f"chip map {source.bench.chip}")
    array = chip.array(request.array or (*chip.arrays_for("multiply"), *chip.arrays)[0].name)
    sizes = QUICK if request.quick else STANDARD
    seed = secrets.randbits(32) if request.seed is None else request.seed
    rng = np.random.default_rng([seed, 2])
    if bool(request.rows) != bool(request.columns):
        raise InputError("rows and columns go together: give both, or neither for a sample of the array")
    if request.rows:
        if request.cells is not None:
            raise InputError("rows and columns say which cells; leave out the number of cells")
        given = CellRange.parse(request.rows, request.columns)
        cells = CellRange(np.sort(given.rows), np.sort(given.columns))
        check_inside(array, cells)
    else:
        cells = sample_cells(array, sizes.cells if request.cells is None else request.cells, rng)
    digits = digits_of(cells, len(chip.levels.conductances), rng)
    steps = protocol(chip, source, array, cells, sizes)
    left_out = _refused(steps, digits, source, request, seed)
    remaining = tuple(step for step in steps if step.name not in left_out)
    if not remaining:
        raise InputError(f"bench {request.bench} allows no step: {next(iter(left_out.values()))}")
    how = (
        f"{request.rows} x {request.columns}"
        if request.rows
        else f"{cells.count} cells, one line of each stretch, seed {seed}"
    )
    title = f"characterise {array.name} of {chip.name}"
    text = _toml(title, f"Sample: {how}.", request, seed, remaining, left_out)
    return Planned(text, digits, cells, tuple(left_out.items()))


def write_plan(planned: Planned, folder: Path) -> Path:
    """Write a plan and its digits into a folder that has none, and return its path."""
    path = folder / PLAN
    with os_errors_as(InputError, f"{folder} cannot be used", "; choose another output"):
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise InputError(
                f"{path} exists already; `mho characterise {folder}` goes on with it, or choose another output"
            )
        np.savetxt(folder / LEVELS, planned.digits, fmt="%d", delimiter=",")
        path.write_text(planned.text, "utf-8")
    return path


def _refused(
    steps: Sequence[ProtocolStep],
    digits: Integers,
    source: BenchSource,
    request: CharacterisationRequest,
    seed: int,
) -> dict[str, str]:
    """Return the steps that the bench refuses, with the reason; they are prepared on twins of its instruments."""
    refused: dict[str, str] = {}
    if source.bench.simulation is not None:
        twins = open_bench(request.bench, preset=request.preset, seed=seed)
    else:
        twins = open_rehearsal(source, seed=seed)
    with twins as bench:
        for step in steps:
            values = step.parameters | ({"digits": digits} if step.procedure == "program" else {})
            try:
                procedure = make_procedure(step.procedure, values)
                given = procedure.check()
                check_needs(procedure, source.bench)
                plan = procedure.prepare(given, bench, np.random.default_rng(0))
                procedure.layout(plan)
            except MhoError as error:
                refused[step.name] = str(error)
    return refused


def _toml(
    title: str,
    how: str,
    request: CharacterisationRequest,
    seed: int,
    steps: Sequence[ProtocolStep],
    left_out: dict[str, str],
) -> str:
    """Return the plan as TOML."""
    description = " ".join([how, *(f"Left out: {name} ({reason})." for name, reason in left_out.items())])
    preset = request.preset and bench_key(request.preset)  # a preset may be a file, too
    head = {
        "name": title, "description": description, "bench": bench_key(request.bench), "preset": preset,
        "seed": seed,
    }  # fmt: skip
    lines = [
        "# Written by `mho characterise`; `mho characterise FOLDER` carries it out, also after changes here."
    ]
    lines += [f"{key} = {toml_value(value)}" for key, value in head.items() if value is not None]
    before = ""
    for step in steps:
        lines += ["", f"# {step.why}", "[[steps]]"]
        lines += [f"procedure = {toml_value(step.procedure)}", f"name = {toml_value(step.name)}"]
        if before:
            lines.append(f"after = {toml_value(before)}")
        pairs = ", ".join(f"{key} = {toml_value(value)}" for key, value in step.parameters.items())
        lines.append(f"parameters = {{ {pairs} }}")
        before = step.name
    return "\n".join([*lines, ""])
