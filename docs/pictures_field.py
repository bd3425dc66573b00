"""Makes the pictures of the page on the figures of the field, as wide as a journal's column, each of a run as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import mho
from mho.analysis.figures.sheet import draw_alone
from mho.analysis.figures.values.figures_of_run import figure_of
from mho.instruments import Bench
from mho.procedures import (
    IV,
    Endurance,
    Invert,
    Multiply,
    Noise,
    Procedure,
    Program,
    Refresh,
    Retention,
    Solve,
)

SEED, DAY = 1, 86400.0
COLUMN = (3.35, 2.5)  # inches: 85 mm
DOTS = 120
BLOCK = {"rows": "0:16", "columns": "0:16"}
LEVELS = 1 + np.arange(256).reshape(16, 16) % 7
PICTURES = {
    "program": ("levels", "level_shares", "inside", "pulses_by_level", "errors", "error_correlation"),
    "refresh": ("confusion_before",),
    "iv": ("current_voltage", "set_voltage"),
    "endurance": ("endurance",),
    "retention": ("drift",),
    "noise": ("spectra", "read_levels"),
    "multiply": ("measured_over_expected", "error_by_active_lines", "enob_by_active_lines", "wrong_by_active_lines"),
    "invert": ("error_by_condition", "settling_time"),
    "solve": ("convergence", "bits_by_cycle"),
}  # fmt: skip
"""Figures that are drawn of each run."""


def draw_field(folder: Path, pictures: Path) -> None:
    """Carry the experiments out, with run files in `folder`, and draw their figures into `pictures`."""
    for name, path in _runs(folder).items():
        with mho.open_run(path) as run:
            for figure in PICTURES[name]:
                sheet = draw_alone(run, figure_of(run, figure), COLUMN, DOTS, 1 << 20)
                picture = pictures / f"field-{name}-{figure.replace('_', '-')}.png"
                sheet.savefig(picture, metadata={"Software": None})


def _runs(folder: Path) -> dict[str, Path]:
    """Return a run file of each experiment."""
    digits = np.random.default_rng(SEED).integers(0, 8, (32, 32))
    dense = np.random.default_rng(SEED).standard_normal((6, 32))
    with mho.open_bench("arrays", preset="relaxing", seed=SEED) as bench:
        program = _run(Program(digits=digits, passes=0), bench, folder, "program")
        paths = {
            "program": program,
            "refresh": _run(Refresh(of=str(program), wait=DAY), bench, folder, "refresh"),
        }
    loops = IV(
        rows="0:2", columns="0:2", highest=2.0, lowest=-1.6, gate=1.8, gate_reset=2.8, cycles=8, step=0.02
    )
    of_cells: dict[str, tuple[str, str, Procedure]] = {
        "iv": ("simulated", "pku", loops),
        "endurance": ("arrays", "pku", Endurance(cycles=10**8)),
        "retention": ("arrays", "quiet", Retention(**BLOCK, last=1e6)),
        "noise": ("simulated", "relaxing", Noise(rows="0, 2", columns="1, 4", series=2)),
    }
    for name, (bench_name, preset, procedure) in of_cells.items():
        with mho.open_bench(bench_name, preset=preset, seed=SEED) as bench:
            _run(Program(digits=LEVELS, passes=0), bench, folder, f"{name}-program")
            paths[name] = _run(procedure, bench, folder, name)
    np.save(folder / "dense.npy", dense)
    of_matrices: dict[str, Procedure] = {
        "multiply": Multiply(matrix=str(folder / "dense.npy")),
        "invert": Invert(conditions="2, 5, 10, 30, 100", vectors=16, seed=SEED),
        "solve": Solve(matrix=str(Path("data", "matrices", "mimo-16x16.mtx")), bits=24),
    }
    for name, procedure in of_matrices.items():
        with mho.open_bench("arrays", seed=SEED) as bench:
            paths[name] = _run(procedure, bench, folder, name)
    return paths


def _run(procedure: Procedure, bench: Bench, folder: Path, name: str) -> Path:
    path: Path = mho.run(procedure, bench, seed=SEED, output=folder / f"{name}.h5").path
    return path
