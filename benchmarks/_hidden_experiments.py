"""Chips with hidden parameters beyond pulses, the experiments that tell them, and what their run files told."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks._hidden_presets import hidden
from mho import run
from mho.extensions.calibration import GatheredEvidence, read_records, told_beyond_pulses, transitions_of
from mho.extensions.calibration.experiments import ParameterEstimate
from mho.extensions.calibration.experiments.evidence import BOLTZMANN
from mho.instruments.simulated import CELL_PRESETS
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.procedures import Form, Noise, Program, Retention

BENCH, BASE = "stanford-arrays", "stanford"
KINDS = {
    "forming_voltage": "volts",
    "forming_spread": "log",
    "read_noise": "log",
    "rtn_share": "logit",
    "rtn_noise": "log",
    "relaxation": "log",
    "drift": "log",
    "retention_time": "log",
}
LINES, LAST, OVENS = "0:16", 1e5, (420.0, 440.0)  # rows and columns; s; K


@dataclass(frozen=True)
class Interval:
    """What was told of one parameter of one chip, SI, and the truth."""

    name: str
    low: float
    high: float
    truth: float

    @property
    def held(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


def told_of_hidden(seed: int) -> list[Interval]:
    """Form, read, program and bake a chip of hidden parameters; return what its run files tell beyond pulses."""
    base = CELL_PRESETS[BASE]
    truth = hidden(base, KINDS, np.random.default_rng(seed))
    lines = [f"{name} = {getattr(truth, name)!r}" for name in KINDS]
    text = "\n".join(['name = "hidden"', f'base = "{BASE}"', "", "[parameters]", *lines, ""])
    with TemporaryDirectory() as own:
        told = _told(Path(own), text, seed)
    return [Interval(one.name, one.low, one.high, _true(truth, one)) for one in told.estimates]


def _true(truth: CellPreset, one: ParameterEstimate) -> float:
    """Return the true value of what was estimated: of a retention time that at the temperature of the rate."""
    value = float(getattr(truth, one.name))
    kelvin = one.beside.get("retention_temperature", truth.retention_temperature)
    inverse = 1.0 / kelvin - 1.0 / truth.retention_temperature
    return (
        value * math.exp(truth.retention_energy / BOLTZMANN * inverse)
        if one.name == "retention_time"
        else value
    )


def _told(folder: Path, preset: str, seed: int) -> GatheredEvidence:
    """Do the experiments, one after the other on one chip."""
    digits = np.random.default_rng(seed).integers(0, 4, (16, 16))
    whole = {"rows": LINES, "columns": LINES}
    steps = [
        Form(**whole),
        Program(digits=digits),
        Retention(**whole, last=LAST),
        *(Retention(**whole, last=LAST, temperature=kelvin) for kelvin in OVENS),
        Noise(rows="0:5", columns="0:8", series=2),  # it takes longest: those after it repeat what was before
    ]
    paths: list[Path] = []
    for number, step in enumerate(steps):
        begun = {"after": paths[-1]} if paths else {"preset": preset}
        path = folder / f"{number}.h5"
        run(step, BENCH, seed=seed + 1 + number, output=path, **begun)
        paths.append(path)
    base = asdict(CELL_PRESETS[BASE])
    return told_beyond_pulses(paths, transitions_of(read_records(paths).columns, base), base)
