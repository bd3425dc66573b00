"""The benchmark of the circuit as built, at a small size: its benches are what it says, and each row has its peer."""

from __future__ import annotations

import tomllib

import pytest

from benchmarks import circuit_conditions, settling


def test_a_bench_has_the_lines_that_were_asked_for_once() -> None:
    found = tomllib.loads(
        circuit_conditions.bench_text('amplifier = "OPA690"', "nonlinearity = 1.0", gate=1.5)
    )
    assert found["simulation"]["amplifier"] == "OPA690"
    assert found["simulation"]["nonlinearity"] == 1.0
    assert found["read"]["gate"] == 1.5
    assert found["simulation"]["preset"] == "pku"


@pytest.mark.thorough
def test_every_condition_stands_beside_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_conditions, "SYSTEMS_A_REPEAT", 1)
    monkeypatch.setattr(circuit_conditions, "FAMILIES", (("dominant", 4),))
    monkeypatch.setattr(circuit_conditions, "CORNERS", circuit_conditions.CORNERS[:2])
    monkeypatch.setattr(settling, "DRAWS_A_REPEAT", 2)
    laws, corners = (figures := circuit_conditions.run(1))[:2], figures[2:]
    assert all(figure.value != figure.peer_value for figure in laws), "the law does something"
    assert [figure.ratio for figure in corners[::2]] == [1.0, 1.0]
    assert all(figure.ratio and figure.ratio > 1.05 for figure in corners[1::2]), (
        "slow amplifiers settle later"
    )
