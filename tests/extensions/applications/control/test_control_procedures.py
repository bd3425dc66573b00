"""Kalman, Arm and PowerFlow, down to the run file: on whole arrays, and at the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications import Arm, Kalman, Portfolio, PowerFlow
from mho.extensions.applications.control.kalman import GAINS
from mho.running import run
from mho.runs import RunFile


def ran(procedure: Any, folder: Path, bench: str = "arrays") -> tuple[dict[str, Any], RunFile]:
    path = folder / "run.h5"
    run(procedure, bench, seed=2, output=path)
    file = RunFile(path)
    return file.summary, file


@pytest.mark.thorough
@pytest.mark.parametrize("gain", sorted(GAINS))
def test_filter_on_the_chip_is_the_digital_one(gain: str, tmp_path: Path) -> None:
    result, file = ran(
        Kalman(track="random", tracks=3, steps=12, sensors=2, gap=2, gain=gain, bits=20), tmp_path
    )
    with file:
        assert result["converged"]
        assert result["error_to_digital"] < 1e-5
        assert result["gaps"] == 2
        assert result["estimate_rms"] == pytest.approx(result["digital_rms"], rel=1e-4)
        assert result["estimate_rms"] < result["measured_rms"]
        assert result["matrices"] == (10 if gain == "every step" else 1)
        assert np.isnan(file.table("steps")["nis"]).sum() == 2
        assert any("2 of 12 steps have no measurement" in entry.message for entry in file.log())


@pytest.mark.thorough
def test_filter_takes_measurements_from_a_file_with_gaps(tmp_path: Path) -> None:
    rows = [f"{10 * k},{5 * k}" if k not in (4, 5) else "," for k in range(10)]
    (tmp_path / "walk.csv").write_text("x,y\n" + "\n".join(rows))
    result, file = ran(Kalman(track=str(tmp_path / "walk.csv"), noise=1.0, acceleration=0.1), tmp_path)
    with file:
        assert (result["steps"], result["gaps"]) == (10, 2)
        assert "estimate_rms" not in result
        path = file.table("path")
        last = path["estimate"][np.isfinite(path["estimate"])][-1]
        assert last == pytest.approx(45.0, abs=2.0)


@pytest.mark.thorough
def test_filter_whose_model_does_not_fit_says_so(tmp_path: Path) -> None:
    result, file = ran(Kalman(track="turn", tracks=4, sensors=1, gap=0, gain="steady", bits=12), tmp_path)
    with file:
        assert not result["nis_consistent"]
        assert any("innovations are larger than the filter expects" in entry.message for entry in file.log())


def test_made_track_whose_gap_leaves_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="a gap of 9 steps leaves 1 of 10"):
        Kalman(steps=10, gap=9).check()
    with pytest.raises(InputError, match="give one of random, turn, rocket"):
        Kalman(track="loop").check()


@pytest.mark.thorough
@pytest.mark.parametrize("matrix", ["anew", "held"])
@pytest.mark.parametrize("arm", ["planar", "ur5"])
def test_tip_follows_its_path(arm: str, matrix: str, tmp_path: Path) -> None:
    result, file = ran(Arm(arm=arm, matrix=matrix, radius=0.1, steps=16, damping=0.1), tmp_path)
    with file:
        assert result["converged"]
        assert result["error_to_digital"] < 1e-4
        assert result["largest_distance"] < 0.02
        assert result["points_missed"] == 0
        assert result["matrices"] <= 16
        assert (result["matrices"] < 8) == (matrix == "held")
        assert len(file.table("angles")["angle"]) == 6 * 16


@pytest.mark.thorough
def test_points_out_of_reach_are_said_and_come_near(tmp_path: Path) -> None:
    targets = np.tile([0.0, 1.5], (25, 1))
    result, file = ran(Arm(path=targets, matrix="held", joints=3), tmp_path)
    with file:
        assert (result["points_beyond_reach"], result["points_missed"]) == (25, 25)
        assert any(
            "25 of 25 points lie beyond the arm's reach of 1 m" in entry.message for entry in file.log()
        )
        assert file.table("steps")["distance"][-1] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"path": "spiral"}, "there is no path 'spiral'"),
        ({"path": np.ones((4, 3))}, "points or more of 2 real coordinates"),
        ({"path": np.ones((4, 2)), "arm": "ur5"}, "points or more of 3 real coordinates"),
        ({"path": np.ones((1, 2))}, "two points or more"),
    ],
)
def test_arm_refuses_paths_that_do_not_fit(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Arm(**given).check()


@pytest.mark.thorough
def test_flows_of_the_ieee14_network(tmp_path: Path) -> None:
    result, file = ran(PowerFlow(scenarios=3), tmp_path)
    with file:
        assert result["converged"]
        assert result["error_to_digital"] < 2.0**-22
        flows = file.table("flows")
        np.testing.assert_allclose(flows["flow"][:2], [147.84e6, 71.16e6], atol=5e3)  # MATPOWER's rundcpf
        assert result["splitting_lines"] == ["7-8"]
        assert any("line 7-8 cuts off bus 8" in entry.message for entry in file.log())
        assert len(file.table("scenarios")["flow"]) == 3 * 20
        after = file.map("flow_after_outage")
        assert np.isnan(after[:, 13]).all()
        np.testing.assert_allclose(
            after[0, 1], 219e6, rtol=1e-6
        )  # all that leaves bus 1 takes the other line


@pytest.mark.thorough
def test_power_flow_alone_needs_neither_scenarios_nor_outages(tmp_path: Path) -> None:
    result, file = ran(PowerFlow(scenarios=0, outages=False), tmp_path)
    with file:
        assert result["answered"] == 1
        assert {figure.name for figure in file.figures} == {"grid", "flows", "angles"}


@pytest.mark.thorough
def test_portfolios_lie_on_the_closed_form_s_frontier(tmp_path: Path) -> None:
    result, file = ran(Portfolio(assets=4, points=5), tmp_path)
    with file:
        assert result["converged"]
        assert result["error_to_closed_form"] < 1e-6
        assert result["budget_error"] < 1e-6
        assert len(file.table("weights")["weight"]) == 4 * 5


@pytest.mark.thorough
def test_portfolio_takes_returns_from_a_file(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "daily.csv", np.random.default_rng(1).normal(1e-3, 1e-2, (30, 3)), delimiter=",")
    result, file = ran(Portfolio(returns=str(tmp_path / "daily.csv"), points=3), tmp_path)
    with file:
        assert (result["assets"], result["answered"]) == (3, 3)
        assert "daily.csv" in file.title


@pytest.mark.parametrize(
    ("returns", "said"),
    [
        (np.ones((4, 3)), "4 days of 3 assets"),
        (np.ones((9, 3)), "asset 0, counted from 0, never moves"),
        (np.full((9, 2), np.nan), "nan"),
    ],
)
def test_portfolio_refuses_returns_that_are_none(returns: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Portfolio(returns=returns).check()


def test_unknown_network_is_refused() -> None:
    with pytest.raises(InputError, match="give ieee14, or a case file"):
        PowerFlow(network="ieee57").check()


CASE = """mpc.baseMVA = 100;
mpc.bus = [1 3 0; 2 1 50; 3 1 30];
mpc.gen = [1 80 0 0 0 1 100 1];
mpc.branch = [1 2 0 0.1 0 0 0 0 0 0 1; 2 3 0 0.1 0 0 0 0 0 0 1; 1 3 0 0.2 0 0 0 0 0 0 1];
"""


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["arm", "kalman", "powerflow"])
def test_at_the_wire_answers_have_their_bits(name: str, tmp_path: Path) -> None:
    (tmp_path / "three.m").write_text(CASE)
    procedure = {
        "arm": Arm(joints=2, steps=2, matrix="held", leaf=2, bits=9),
        "kalman": Kalman(sensors=1, tracks=1, steps=5, gap=0, gain="steady", bits=9),
        "powerflow": PowerFlow(network=str(tmp_path / "three.m"), scenarios=0, outages=False, bits=9),
    }[name]
    result, file = ran(procedure, tmp_path, "simulated")
    with file:
        assert result["converged"]
        assert result["error_to_digital"] < 2.0**-6
        assert result["pulses"] > 0
