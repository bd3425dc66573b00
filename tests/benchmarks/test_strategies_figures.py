"""The benchmark of strategies counts what it says, on few cells."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import strategies
from mho.instruments.bench_file import load_bench_file


@pytest.mark.thorough
def test_strategies_are_compared_on_the_same_chips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategies, "SIDE", 6)
    figures = {figure.name: figure for figure in strategies._compared("pku", (1, 2))}
    assert list(figures) == [f"pku, {name}: pulses a cell" for name in ("ispp", "fppv", "asap", "model")]
    assert figures["pku, asap: pulses a cell"].met
    ours = figures["pku, model: pulses a cell"]
    assert ours.peer_name == "asap"
    assert ours.value < figures["pku, ispp: pulses a cell"].value
    detail = ours.detail
    assert float(str(detail["reads"]).split()[0]) > float(str(detail["pulses"]).split()[0])
    assert detail["chips"] == 2
    assert float(str(detail["inside after 1 day, %"]).split()[0]) <= 100.0


def test_the_response_is_that_of_the_preset() -> None:
    gates, levels = strategies.measured_response(load_bench_file("arrays"), "ideal")
    expected = np.clip(35e-6 * (np.array(gates) - 0.8), 0.36e-6, 60e-6)
    # A pulse of 100 ns goes 92 % of the way from the RESET state.
    assert np.allclose(levels, 0.36e-6 + 0.918 * (expected - 0.36e-6), rtol=0.03, atol=0.3e-6)


@pytest.mark.thorough
def test_hadamard_patterns_take_a_fraction_of_the_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategies, "AVERAGED", 32)
    monkeypatch.setattr(strategies, "PATTERNS", 32)
    figure = strategies._hadamard((1, 2))
    assert figure.value < 0.25 * figure.peer_value
    single, averaged = (
        float(str(figure.detail[f"share in window, %, {way}"]).split()[0])
        for way in ("single reads", "averaged")
    )
    assert single < averaged - 10.0


def test_an_interval_is_that_of_students_distribution() -> None:
    assert strategies._interval([1.0, 2.0, 3.0]) == "2 +- 2.5"


@pytest.mark.thorough
def test_a_descent_is_compared_at_as_many_pulses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategies, "LINES", 16)
    figure = strategies._descended("relaxing", (1, 2))
    for peer in strategies.PEERS:
        assert figure.detail[f"of the error of {peer}, median"] < 0.9
        ways = (f"gdp at the pulses of {peer}", peer)
        pulses = [float(str(figure.detail[f"pulses, {way}"]).split()[0]) for way in ways]
        assert pulses[0] <= pulses[1]
