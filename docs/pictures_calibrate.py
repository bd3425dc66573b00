"""Makes the picture of the tutorial on a chip's twin: a chip of hidden parameters, calibrated and held to its runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from mho import run
from mho.extensions.calibration import (
    as_preset_file,
    calibrate,
    check_runs,
    read_records,
    save_checks,
    told_beyond_pulses,
    transitions_of,
)
from mho.instruments.simulated import CELL_PRESETS
from mho.procedures import Form, Noise, Program, Response, Retention, Switching

BENCH, SEED, CHIPS = "stanford-arrays", 1, 99
CELLS = {"rows": "0:8", "columns": "0:8"}
HIDDEN = """
name = "hidden"
base = "stanford"

[parameters]
set_slope = 400e-6
gate_threshold = 1.62
gate_spread = 0.045
gate_cycle_spread = 0.026
maximum = 178e-6
reset_threshold = 1.45
reset_threshold_spread = 0.19
floor = 9.2e-6
forming_voltage = 3.02
forming_spread = 0.19
stuck_on = 0.01
read_noise = 0.006
rtn_share = 0.12
relaxation = 1.2e-6
"""


def measure(folder: Path) -> dict[str, Path]:
    """Do the experiments of the page on a chip with the hidden parameters; return their files by name."""
    digits = np.random.default_rng(4).integers(0, 4, (16, 16))
    whole = {"rows": "0:16", "columns": "0:16"}
    steps = {
        "form": Form(**CELLS),
        "set": Response(**CELLS, repeats=2),
        "reset": Response(**CELLS, against="V_SL", repeats=2),
        "width": Response(**CELLS, against="width", points=8, repeats=2, gate=2.6),
        "cycles": Switching(**CELLS, cycles=20),
        "noise": Noise(rows="0:4", columns="0:8", series=2),
        "program": Program(digits=digits),
        "retention": Retention(**whole, last=1e5),
        "hot": Retention(**whole, last=1e5, temperature=430.0),
    }
    paths: dict[str, Path] = {}
    before: dict[str, object] = {"preset": HIDDEN}
    for number, (name, procedure) in enumerate(steps.items()):
        run(procedure, BENCH, seed=SEED + number, output=folder / f"{name}.h5", **before)
        paths[name] = folder / f"{name}.h5"
        before = {"after": paths[name]}
    return paths


def draw_checks(folder: Path, pictures: Path) -> None:
    """Measure, calibrate, and draw what was measured beside what the twin's chips do."""
    paths = measure(folder)
    held_out = [paths.pop("program")]
    runs, preset = list(paths.values()), asdict(CELL_PRESETS["stanford"])
    columns = read_records(runs).columns
    told = told_beyond_pulses(runs, transitions_of(columns, preset), preset, held_out)
    about = preset | {one.name: one.value for one in told.estimates}
    found = calibrate(transitions_of(columns, about), "stanford", about)
    text = as_preset_file(found, "mychip", [one.name for one in runs], told.estimates)
    checks = check_runs(runs, text, CHIPS, held_out=held_out)
    save_checks(checks, f"mychip: measured beside {CHIPS} drawn chips", pictures / "calibrate-checks.png")
