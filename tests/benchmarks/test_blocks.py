"""The benchmark of block inversion: the exponent it prints, and that it measures what it says, at small sizes."""

from __future__ import annotations

import math

import pytest

from benchmarks import blocks


@pytest.mark.parametrize("power", [1.0, 1.585, 3.0])
def test_the_exponent_of_a_power_is_found_above_a_leaf(power):
    measured = {n: 3.0 * n**power for n in (64, 128, 512)} | {16: 1e9, 32: 0.1}
    assert blocks.fitted_exponent(measured) == pytest.approx(power)
    assert math.isnan(blocks.fitted_exponent({16: 1.0, 64: 2.0}))


def test_all_figures_of_a_family_are_measured(monkeypatch):
    monkeypatch.setattr(blocks, "SIZES", (16, 64, 128))
    figures = blocks.run(1)
    assert len(figures) == 3 * len(blocks.FAMILIES)
    assert all(figure.value > 0.0 for figure in figures)
    applied = next(figure for figure in figures if figure.name.startswith("one application"))
    assert (applied.detail["INV"], applied.detail["MVM"], applied.detail["loops"]) == (9, 14, 4)
