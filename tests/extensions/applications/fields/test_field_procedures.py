"""Poisson, Diffusion and Junction, down to the run file: on whole arrays, and at the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications import Diffusion, Junction, Poisson
from mho.extensions.applications.fields.poisson import PRESETS
from mho.running import run
from mho.runs import RunFile


def ran(procedure: Any, folder: Path, bench: str = "arrays") -> tuple[dict[str, Any], RunFile]:
    path = folder / "run.h5"
    run(procedure, bench, seed=2, output=path)
    file = RunFile(path)
    return file.summary, file


@pytest.mark.thorough
@pytest.mark.parametrize("arrangement", sorted(PRESETS))
def test_poisson_finds_every_arrangement(arrangement: str, tmp_path: Path) -> None:
    result, file = ran(Poisson(arrangement=arrangement, size=5), tmp_path)
    with file:
        assert result["converged"]
        assert result["error_to_digital"] < 2.0**-22
        assert result["digital_error_to_closed_form"] == pytest.approx(
            result["error_to_closed_form"], abs=1e-6
        )
        assert {figure.name for figure in file.figures} >= {
            "field_lines",
            "potential",
            "field",
            "streamlines",
        }
        assert len(file.table("streamlines")["line"]) > 20


@pytest.mark.thorough
def test_poisson_takes_charges_from_a_file(tmp_path: Path) -> None:
    source = np.zeros((4, 4))
    source[1, 2] = 16.0
    np.save(tmp_path / "charges.npy", source)
    result, file = ran(Poisson(source=str(tmp_path / "charges.npy"), size=30), tmp_path)
    with file:
        assert result["unknowns"] == 16
        assert result["error_to_closed_form"] < 2.0**-22
        assert "charges.npy" in file.title


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 33}, "1089 unknowns, and 1024 are the most"),
        ({"source": np.ones((3, 4))}, "give a square array"),
        ({"source": np.zeros((3, 3))}, "zero everywhere"),
        ({"source": np.ones((3, 3)) * 1j}, "complex"),
        ({"source": np.full((3, 3), np.nan)}, "nan"),
        ({"source": np.ones((40, 40))}, "1600 unknowns"),
    ],
)
def test_poisson_refuses_what_it_cannot_take(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Poisson(**given).check()


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["Crank-Nicolson", "Euler"])
def test_diffusion_follows_the_digital_steps(scheme: str, tmp_path: Path) -> None:
    result, file = ran(Diffusion(start="gaussian", size=5, scheme=scheme, steps=4, step=2e-3), tmp_path)
    with file:
        assert result["converged"]
        assert result["error_to_digital"] < 2.0**-20
        assert result["error_to_closed_form"] == pytest.approx(
            result["digital_error_to_closed_form"], rel=1e-4
        )
        peaks = file.table("steps")["peak"]
        assert (np.diff(peaks) < 0.0).all()
        assert file.map_length("concentration") == 5
        strip = file.map("moments")
        np.testing.assert_array_equal(strip[:, :5], file.map("concentration", 0))
        np.testing.assert_array_equal(strip[:, -5:], file.map("concentration"))
        assert np.isnan(strip).sum() == 3 * 5


@pytest.mark.thorough
def test_diffusion_of_an_own_field_has_no_closed_form(tmp_path: Path) -> None:
    result, file = ran(Diffusion(field=np.eye(4), steps=2), tmp_path)
    with file:
        assert "error_to_closed_form" not in result
        assert result["error_to_digital"] < 2.0**-20


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 40}, "1600 unknowns"),
        ({"step": 1e9}, r"everything spreads over"),
        ({"field": np.zeros((3, 3))}, "zero everywhere"),
        ({"field": np.ones((1, 1))}, "one number"),
        ({"field": np.ones((2, 3))}, "not square"),
    ],
)
def test_diffusion_refuses_what_it_cannot_take(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Diffusion(**given).check()


@pytest.mark.thorough
@pytest.mark.parametrize("jacobian", ["anew", "held"])
def test_junction_finds_built_in_potential_and_field(jacobian: str, tmp_path: Path) -> None:
    result, file = ran(Junction(acceptors=1e23, donors=1e23, points=20, jacobian=jacobian, bits=20), tmp_path)
    with file:
        assert result["converged"]
        assert result["matrices"] == (result["steps"] if jacobian == "anew" else 1)
        assert result["error_to_digital"] < 2.0**-18
        assert abs(result["built_in_error"]) < 2e-3
        assert result["error_to_closed_form"] < 0.01
        table = file.table("junction")
        np.testing.assert_allclose(table["electrons"] * table["holes"], 9.4e31, rtol=0.01)
        assert (np.diff(file.table("newton")["error"][:3]) < 0.0).all()


@pytest.mark.thorough
def test_junction_says_when_it_has_not_settled(tmp_path: Path) -> None:
    result, file = ran(Junction(donors=1e23, points=16, max_steps=1), tmp_path)
    with file:
        assert not result["converged"]
        assert any("has not settled after 1 steps" in entry.message for entry in file.log())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"donors": -1e22}, "donors is -1e.22 m.-3: the doping of the n side"),
        ({"acceptors": 0.0}, "acceptors is 0 m.-3"),
        ({"length": 1e-7}, "no neutral ends"),
        ({"temperature": 600.0, "donors": 1e20}, "above the intrinsic density"),
    ],
)
def test_junction_refuses_what_is_none(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Junction(**given).check()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "procedure",
    [
        Poisson(arrangement="dipole", size=2, bits=9),
        Diffusion(start="sine", size=2, steps=1, bits=9),
        Junction(acceptors=1e23, donors=1e23, points=8, max_steps=1, jacobian="held", bits=9),
    ],
    ids=["diffusion", "junction", "poisson"],
)
def test_at_the_wire_answers_have_their_bits(procedure: Any, tmp_path: Path) -> None:
    result, file = ran(procedure, tmp_path, "simulated")
    with file:
        assert result.get("systems_short_of_bits", 0) == result.get("steps_short_of_bits", 0) == 0
        assert result["error_to_digital"] < 0.5 if isinstance(procedure, Junction) else 2.0**-7
        assert result["pulses"] > 0
