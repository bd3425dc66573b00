"""Runs in which one cause of error is made much larger than all others, one for each cause that can be.

The matrix is one whose entries are levels of the cells, with its diagonal in resistors, so that without such a cause its
answers are wrong by little. Amplifiers and resistors that no bench file names are put beside those that come with mho as
long as a run and its budget take.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

import numpy as np

from mho.instruments.arrays import Cause
from mho.instruments.bench_file import read_bench_texts
from mho.instruments.laboratory import block_circuits
from mho.instruments.simulated import CELL_PRESETS, preset_text
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.circuits.amplifiers import AMPLIFIER_PRESETS
from mho.procedures import Invert
from mho.running import run

MATRIX = (
    (7.0, 1.75, -0.5, 0.75),
    (-1.0, 7.0, 1.25, -1.75),
    (0.5, -1.5, 7.0, 1.0),
    (1.25, 0.75, -1.75, 7.0),
)


def _on_levels(size: int) -> tuple[tuple[float, ...], ...]:
    """Return a larger matrix of the same kind."""
    digits = np.random.default_rng(0).integers(-7, 8, (size, size))
    digits[0, 1] = 7
    matrix = 0.25 * np.where(np.eye(size) > 0, 7 * size, digits)
    return tuple(map(tuple, matrix.tolist()))


AD823 = AMPLIFIER_PRESETS["AD823"]
AMPLIFIERS = {
    "AD823 of gain 50": replace(AD823, gain=50.0),
    "AD823 of 20 mV": replace(AD823, offset=20e-3),
}


@dataclass(frozen=True)
class Dominated:
    """How one cause is made large.

    Attributes
    ----------
    bench, chip : dict
        Texts of the bench file and of the chip map, and what they are replaced by.
    preset : CellPreset
    resistors : float
        Relative error of the board's resistors.
    matrix : tuple
    wait : float
        From programming to the inversions, s.
    """

    bench: dict[str, str] = field(default_factory=dict)
    chip: dict[str, str] = field(default_factory=dict)
    preset: CellPreset = CELL_PRESETS["ideal"]
    resistors: float = block_circuits.RESISTORS
    matrix: tuple[tuple[float, ...], ...] = MATRIX
    wait: float = 0.0


def _amplifier(name: str) -> dict[str, str]:
    return {'amplifier = "AD823"': f'amplifier = "{name}"'}


DOMINATED: dict[Cause, Dominated] = {
    "quantisation": Dominated(
        chip={
            "conductances = [0.37e-6, 5e-6, 10e-6, 15e-6, 20e-6, 25e-6, 30e-6, 35e-6]": (
                "conductances = [0.37e-6, 12e-6, 23e-6, 35e-6]"
            )
        }
    ),
    "programming": Dominated(chip={"tolerance = 1.2e-6": "tolerance = 2.4e-6"}, preset=CELL_PRESETS["pku"]),
    "stuck cells": Dominated(bench={"[simulation]": "[simulation]\nstuck = 0.2"}),
    "relaxation": Dominated(
        preset=replace(
            CELL_PRESETS["relaxing"],
            name="relaxing twice",
            relaxation=2.0 * CELL_PRESETS["relaxing"].relaxation,
        ),
        wait=1e6,
    ),
    "read noise": Dominated(preset=replace(CELL_PRESETS["ideal"], name="noisy", read_noise=0.3)),
    "wires": Dominated(chip={"wire_resistance = 1.73": "wire_resistance = 300.0"}, matrix=_on_levels(12)),
    "gain": Dominated(bench=_amplifier("AD823 of gain 50")),
    "resistors": Dominated(resistors=0.1),
    "converters": Dominated(bench={"[simulation]": "[simulation]\ninverse_bits = 3"}),
}
"""Not the offset: the bench plays 0 V with every batch of vectors and subtracts the answer."""

BOARD_NOISE = Dominated(bench={"[simulation]": "[simulation]\nreadout_noise = 5e-7"})
"""The board's readings fluctuate, 0.5 uA at 0.2 V: write-verify is misled, and the answers are wrong by what it left."""

OFFSET = Dominated(bench=_amplifier("AD823 of 20 mV"))


@contextmanager
def dominated_run(name: str, how: Dominated, folder: Path, seed: int = 5) -> Iterator[Path]:
    """Make a run in which a cause is large, and yield its file, while the bench's parts are there."""
    texts = dict(zip(("bench", "chip"), read_bench_texts("arrays"), strict=True))
    for which, changes in (("bench", how.bench), ("chip", how.chip)):
        for old, new in changes.items():
            assert old in texts[which], old
            texts[which] = texts[which].replace(old, new)
    stem = name.replace(" ", "-")
    chip, bench, matrix = (folder / f"{stem}{end}" for end in ("-chip.toml", ".toml", ".csv"))
    chip.write_text(texts["chip"])
    bench.write_text(texts["bench"].replace('chip = "segmented"', f'chip = "{chip.name}"'))
    np.savetxt(matrix, np.array(how.matrix), delimiter=",")
    preset = how.preset.name
    if preset not in CELL_PRESETS:
        (folder / f"{stem}-cells.toml").write_text(preset_text(how.preset))
        preset = str(folder / f"{stem}-cells.toml")
    procedure = Invert(
        matrix=str(matrix), vectors=4, scales=8, steps=0, encoding="differential", wait=how.wait
    )
    with (
        mock.patch.dict(AMPLIFIER_PRESETS, AMPLIFIERS),
        mock.patch.object(block_circuits, "RESISTORS", how.resistors),
    ):
        output = folder / f"{stem}.h5"
        run(procedure, str(bench), seed=seed, preset=preset, output=output)
        yield output
