"""The plan of a characterisation as a file: which cells, which steps, what the bench refuses of them and why."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mho.array_types import Integers
from mho.chip_maps.chip import parse_chip_map
from mho.errors import InputError, MhoError
from mho.input_files import bench_key
from mho.instruments import Bench, open_bench
from mho.instruments.bench_file import BenchSource
from mho.instruments.opening import open_rehearsal
from mho.procedures.catalogue import make_procedure
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.conditions import load_conditions
from mho.running.characterising.protocol import (
    LEVELS,
    QUICK,
    STANDARD,
    ProtocolStep,
    digits_of,
    protocol,
    sample_cells,
)

PLAN = "plan.toml"


@dataclass(frozen=True)
class CharacterisationRequest:
    """What is to be characterised."""

    # bench, preset, seed: as `mho.run` takes them; the seed draws the sample, too
    bench: str = "simulated"
    preset: str | None = None
    seed: int | None = None
    array: str = ""  # of the chip; the first that multiplies where it is empty
    cells: int | None = None  # of the sample, at least; as many as the sizes say without
    # rows, columns: lines instead of a sample, as experiments take them; both or none
    rows: str = ""
    columns: str = ""
    quick: bool = False  # minutes of bench time instead of an hour


@dataclass(frozen=True)
class Planned:
    """A plan, ready to be written."""

    text: str  # TOML
    digits: Integers  # levels of the sample, for the file beside the plan
    cells: CellRange
    left_out: tuple[tuple[str, str], ...]  # steps that the bench refuses, with its reason


def plan_protocol(wanted: CharacterisationRequest) -> Planned:
    """Plan the protocol; every step is checked on the bench's twins, and nothing is sent to the bench itself.

    `MhoError` for a bench, preset, array or lines that there are not, or a bench that refuses every step.
    """
    source = load_conditions(wanted.bench, wanted.preset, wanted.seed)
    chip = parse_chip_map(source.chip_text, f"chip map {source.bench.chip}")
    array = chip.array(wanted.array or (*chip.arrays_for("multiply"), *chip.arrays)[0].name)
    sizes = QUICK if wanted.quick else STANDARD
    seed = secrets.randbits(32) if wanted.seed is None else wanted.seed
    rng = np.random.default_rng([seed, 2])
    if bool(wanted.rows) != bool(wanted.columns):
        raise InputError("rows and columns go together: give both, or neither for a sample of the array")
    if wanted.rows:
        if wanted.cells is not None:
            raise InputError("rows and columns say which cells; leave out the number of cells")
        given = CellRange.parse(wanted.rows, wanted.columns)
        cells = CellRange(np.sort(given.rows), np.sort(given.columns))
        check_inside(array, cells)
    else:
        cells = sample_cells(array, sizes.cells if wanted.cells is None else wanted.cells, rng)
    digits = digits_of(cells, len(chip.levels.conductances), rng)
    steps = protocol(chip, source, array, cells, sizes)
    left_out = _refused(steps, digits, source, wanted, seed)
    kept = tuple(step for step in steps if step.name not in left_out)
    if not kept:
        raise InputError(f"bench {wanted.bench} allows no step: {next(iter(left_out.values()))}")
    how = (
        f"{wanted.rows} x {wanted.columns}"
        if wanted.rows
        else f"{cells.count} cells, one line of each stretch, seed {seed}"
    )
    title = f"characterise {array.name} of {chip.name}"
    text = _toml(title, f"Sample: {how}.", wanted, seed, kept, left_out)
    return Planned(text, digits, cells, tuple(left_out.items()))


def write_plan(planned: Planned, folder: Path) -> Path:
    """Write a plan and its digits into a folder that has none, and return its path."""
    path = folder / PLAN
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise InputError(
                f"{path} exists already; `mho characterise {folder}` goes on with it, or choose another --output"
            )
        np.savetxt(folder / LEVELS, planned.digits, fmt="%d", delimiter=",")
        path.write_text(planned.text, "utf-8")
    except OSError as error:
        raise InputError(f"{folder} cannot be used: {error.strerror}; choose another --output") from None
    return path


def _refused(
    steps: Sequence[ProtocolStep],
    digits: Integers,
    source: BenchSource,
    wanted: CharacterisationRequest,
    seed: int,
) -> dict[str, str]:
    """Return the steps that the bench refuses, with the reason; they are prepared on twins of its instruments."""
    refused: dict[str, str] = {}
    with _twins(source, wanted, seed) as bench:
        for step in steps:
            values = step.parameters | ({"digits": digits} if step.procedure == "program" else {})
            try:
                procedure = make_procedure(step.procedure, values)
                plan = procedure.prepare(procedure.check(), bench, np.random.default_rng(0))
                procedure.layout(plan)
            except MhoError as error:
                refused[step.name] = str(error)
    return refused


def _twins(source: BenchSource, wanted: CharacterisationRequest, seed: int) -> Bench:
    if source.bench.simulation is not None:
        return open_bench(wanted.bench, preset=wanted.preset, seed=seed)
    return open_rehearsal(source, seed=seed)


def _toml(
    title: str,
    how: str,
    wanted: CharacterisationRequest,
    seed: int,
    steps: Sequence[ProtocolStep],
    left_out: dict[str, str],
) -> str:
    """Return the plan as TOML; basic strings are JSON's."""
    description = " ".join([how, *(f"Left out: {name} ({reason})." for name, reason in left_out.items())])
    preset = wanted.preset and bench_key(wanted.preset)  # a preset may be a file, too
    head = {
        "name": title,
        "description": description,
        "bench": bench_key(wanted.bench),
        "preset": preset,
        "seed": seed,
    }
    lines = [
        "# Written by `mho characterise`; `mho characterise FOLDER` carries it out, also after changes here."
    ]
    lines += [f"{key} = {_value(value)}" for key, value in head.items() if value is not None]
    before = ""
    for step in steps:
        lines += [
            "",
            f"# {step.why}",
            "[[steps]]",
            f"procedure = {_value(step.procedure)}",
            f"name = {_value(step.name)}",
        ]
        if before:
            lines.append(f"after = {_value(before)}")
        pairs = ", ".join(f"{key} = {_value(value)}" for key, value in step.parameters.items())
        lines.append(f"parameters = {{ {pairs} }}")
        before = step.name
    return "\n".join([*lines, ""])


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
