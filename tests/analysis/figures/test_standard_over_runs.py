"""The standard figures over runs: each is drawn of the runs of its procedure, whose results hold its numbers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from formed_cells import bench_with
from matplotlib.axes import Axes

import mho
from mho.analysis.figures.over_runs.standard_set import RUNS_FIGURES
from mho.procedures import Invert, Program, Retention, Solve

pytestmark = pytest.mark.thorough

ZUO = "zuo2025-4x4"
DIGITS = np.random.default_rng(1).integers(0, 8, (6, 6))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return folders of three runs each, by what they vary."""
    made = {name: tmp_path_factory.mktemp(name) for name in ("solve", "invert", "program", "retention")}
    for seed, condition, kelvin in ((1, 2, 440.0), (2, 10, 455.0), (3, 40, 470.0)):
        for name, procedure in (
            ("solve", Solve(matrix=ZUO, bits=12)),
            ("invert", Invert(conditions=str(condition), vectors=2)),
            ("program", Program(digits=DIGITS, strategy=("ispp", "fppv", "asap")[seed - 1])),
        ):
            mho.run(procedure, "arrays", seed=seed, output=made[name] / f"{seed}.h5")
        with bench_with(np.full((3, 3), 5), "arrays", "ideal") as bench:
            bake = Retention(rows="0:3", columns="0:3", last=1e4, per_decade=3, temperature=kelvin)
            mho.run(bake, bench, seed=seed, output=made["retention"] / f"{seed}.h5")
    return made


@pytest.mark.parametrize(
    ("name", "of", "x", "y"),
    [
        ("cycles_by_rho", "solve", "forecast_rho", "cycles_to_goal"),
        ("pulses_by_bits", "solve", None, "pulses"),
        ("bits_a_cycle_by_forecast", "solve", "forecast_bits_a_cycle", "bits_a_cycle"),
        ("mean_error_by_condition", "invert", "condition", "mean_error"),
        ("settling_by_lambda_min", "invert", "lambda_min", "settling_time"),
        ("yield_by_pulses", "program", "pulses_per_cell", "yield"),
        ("loss_rate_by_temperature", "retention", "temperature", "loss_rate"),
    ],
)
def test_it_has_a_point_a_run(name: str, of: str, x: str | None, y: str, folders: dict[str, Path]) -> None:
    results = []
    for path in sorted(folders[of].glob("*.h5")):
        with mho.open_run(path) as run:
            results.append(run.summary)
    sheet = mho.draw(folders[of], figure=name)
    axes = sheet.findobj(Axes)[0]
    points = [line.get_xydata() for line in axes.lines]
    drawn = np.concatenate([one for one in points if len(one)])
    for result in results:
        near = np.isclose(drawn[:, 1], result[y], rtol=1e-6)
        if x is not None:
            near &= np.isclose(drawn[:, 0], result[x], rtol=1e-6)
        assert near.any() or name == "pulses_by_bits"  # of one number of bits, the median alone is drawn
    assert len(drawn)


def test_all_are_tried() -> None:
    assert {one.name for one in RUNS_FIGURES} == {
        "cycles_by_rho", "pulses_by_bits", "bits_a_cycle_by_forecast", "mean_error_by_condition",
        "settling_by_lambda_min", "yield_by_pulses", "loss_rate_by_temperature",
    }  # fmt: skip


def test_the_energy_of_a_bake_is_that_of_the_preset(folders: dict[str, Path]) -> None:
    sheet = mho.draw(folders["retention"], figure="loss_rate_by_temperature")
    told = " ".join(text.get_text() for text in sheet.findobj(lambda one: hasattr(one, "get_text")))
    found = re.search(r"Ea ([\d.]+) \(([\d.]+) to ([\d.]+)\) eV", told)
    assert found is not None, told
    value, low, high = map(float, found.groups())
    assert low < 2.25 < high
    assert value == pytest.approx(2.25, rel=0.02)
