"""Run files with the same made-up numbers always, one for each kind of figure that papers of this field show."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mho import Band, Column, Figure, Layout, Map, ReferenceLine, Table
from mho.analysis.figures.values.figures_of_run import refinement_figures
from mho.runs import RunHeader, RunWriter
from mho.runs.standard_figures import programming_figures

SIDE = 16
STEP = 5e-6  # S, from level to level
WINDOWS = [(-np.inf, 6e-7), *((STEP * k - 1.2e-6, STEP * k + 1.2e-6) for k in range(1, 8))]

CURVES = {
    "current_voltage": Figure(
        "current_voltage", table="sweeps", x="voltage", y="current", by=("row", "column"), y_scale="log",
        title="I-V curves by cell",
    ),
    "set_voltage": Figure(
        "set_voltage", kind="distribution", table="sets", x="v_set", by="polarity", y_scale="probability",
        title="SET and RESET voltages",
    ),
    "retention": Figure(
        "retention", kind="errorbars", table="reads", x="elapsed", y="conductance", by="level", x_scale="log",
        fit="log-time line", lines=(ReferenceLine(8.8e-6, label="lowest of level 2"),), title="Retention by level",
    ),
    "spectra": Figure(
        "spectra", table="spectra", x="frequency", y="density", by="level", x_scale="log", y_scale="log",
        lines=(ReferenceLine(1e-4, power=-1.0, label="1/f"),), title="Noise",
    ),
    "bit_error_rate": Figure(
        "bit_error_rate", kind="share", table="errors", x="snr", y=("errors", "bits"), by="cycle", y_scale="log",
        title="Bit error rate",
    ),
    "convergence": refinement_figures(24)[0],
}  # fmt: skip

CELL = (Column("row", dtype="u2"), Column("column", dtype="u2"))
COUNTS = (Column("errors", dtype="u8"), Column("bits", dtype="u8"))
TABLES = (
    Table("sweeps", (*CELL, Column("voltage", "V"), Column("current", "A"))),
    Table("sets", (Column("v_set", "V"), Column("polarity", dtype="i1"))),
    Table("reads", (Column("elapsed", "s"), Column("level", dtype="u1"), Column("conductance", "S"))),
    Table("spectra", (Column("frequency", "Hz"), Column("level", dtype="u1"), Column("density", "1/Hz"))),
    Table("errors", (Column("snr", "dB"), Column("cycle", dtype="u1"), *COUNTS)),
    Table("cycles", (Column("cycle", dtype="u4"), Column("residual"), Column("relative_error"))),
)  # fmt: skip


def write_samples(path: Path) -> Path:
    """Write a run with a table of each experiment and the maps of a programmed array, and its figures."""
    lines = np.arange(SIDE)
    maps = tuple(
        Map(f"array_{name}", unit, lines, lines)
        for name, unit in (("conductance", "S"), ("target", "S"), ("pulses", ""))
    )
    figures = (*CURVES.values(), *programming_figures(["array"], WINDOWS))
    layout = Layout(TABLES, maps, figures=figures)
    with RunWriter.create(path, RunHeader("Samples", "Samples", "1", {}), layout) as run:
        for name, rows in _rows().items():
            run.emit_block(name, rows)
        for name, image in _images().items():
            run.snapshot(f"array_{name}", image, 0.0)
        run.set_result({"forecast_rho": 0.07})
    return path


def bands() -> tuple[Band, ...]:
    """Return the windows of the levels."""
    return tuple(
        Band(low if np.isfinite(low) else None, high, str(number))
        for number, (low, high) in enumerate(WINDOWS)
    )


def _images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    digits = rng.integers(0, 8, (SIDE, SIDE))
    target = np.where(digits, STEP * digits, 3.7e-7)
    tilt = 3e-7 * np.cos(2.0 * np.pi * np.arange(SIDE) / 8.0)  # errors that go with the column
    errors = np.where(digits, 4e-7 * rng.standard_normal(target.shape) + tilt, 0.0)
    errors[2, 3], errors[9, 12] = 1.5e-5, -7e-6
    pulses = np.where(digits, 1 + rng.poisson(2.0 + digits), 0).astype(float)
    return {"conductance": target + errors, "target": target, "pulses": pulses}


def _rows() -> dict[str, dict[str, np.ndarray]]:
    rng = np.random.default_rng(2)
    sweep = np.concatenate([np.linspace(0, 2, 41), np.linspace(2, -2, 81), np.linspace(-2, 0, 41)])
    cells = [(0, 0), (0, 1), (1, 0)]
    on = np.zeros(len(sweep), bool)
    on[30:110] = True  # from SET to RESET
    currents = [sweep * np.where(on, 3e-5 * (1 + 0.2 * number), 2e-7 * (1 + number)) for number in range(3)]
    times = np.repeat(10.0 ** np.arange(6), 40)
    elapsed = np.tile(times, 3)
    level = np.repeat([1, 2, 3], len(times))
    drift = -2e-7 * level * np.log10(elapsed)
    frequency = np.geomspace(1.0, 1e3, 25)
    snr = np.tile(np.arange(0.0, 16.0, 2.0), 2)
    cycle = np.repeat([1, 3], 8)
    rate = np.where(cycle == 1, 0.14, 0.25 * 10.0 ** (-snr / 5.0))
    bits = np.full(len(snr), 4096)
    errors = np.rint(rate * bits).astype(np.int64)
    errors[-1] = 0
    steps = np.arange(1, 8)
    return {
        "sweeps": {
            "row": np.repeat([row for row, _ in cells], len(sweep)),
            "column": np.repeat([column for _, column in cells], len(sweep)),
            "voltage": np.tile(sweep, 3),
            "current": np.concatenate(currents),
        },
        "sets": {
            "v_set": np.concatenate([0.82 + 0.05 * rng.standard_normal(80), -0.94 + 0.04 * rng.standard_normal(80)]),
            "polarity": np.repeat([1, -1], 80).astype(np.int8),
        },
        "reads": {
            "elapsed": elapsed,
            "level": level,
            "conductance": STEP * level + drift + 2e-7 * rng.standard_normal(len(elapsed)),
        },
        "spectra": {
            "frequency": np.tile(frequency, 2),
            "level": np.repeat([1, 2], 25),
            "density": np.concatenate([3e-4 / frequency, 3e-5 / frequency + 1e-7]),
        },
        "errors": {"snr": snr, "cycle": cycle, "errors": errors, "bits": bits},
        "cycles": {"cycle": steps, "residual": 1.3 * 0.06**steps, "relative_error": 0.05**steps},
    }  # fmt: skip
