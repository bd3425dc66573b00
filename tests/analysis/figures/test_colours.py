"""The colours of curves differ for the colour-blind too, and show on white.

Dichromats see as Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
Deficiency" (2009), table 1 at severity 1, in linear RGB; distances are those of CIELAB (1976).
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mho.analysis import palette
from mho.array_types import Floats

VISIONS = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)
APART = 15.0  # a difference of 2.3 is just seen, of fields side by side; thin lines need more


def linear(colours: tuple[str, ...]) -> Floats:
    """Return colours as linear RGB, (n, 3)."""
    every = np.array([[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in colours]) / 255.0
    return np.where(every <= 0.04045, every / 12.92, ((every + 0.055) / 1.055) ** 2.4)


def lab(colours: Floats) -> Floats:
    """Return linear RGB as CIELAB."""
    x, y, z = np.cbrt(np.maximum(colours @ TO_XYZ.T / WHITE, 0.008856)).T
    return np.stack((116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)), axis=1)


@pytest.mark.parametrize("vision", sorted(VISIONS))
def test_curves_have_colours_that_everybody_tells_apart(vision: str) -> None:
    seen = lab(np.clip(linear(palette.SERIES) @ VISIONS[vision].T, 0.0, 1.0))
    for one, other in itertools.combinations(range(len(seen)), 2):
        distance = float(np.linalg.norm(seen[one] - seen[other]))
        assert distance > APART, (palette.SERIES[one], palette.SERIES[other])


def test_curves_show_on_white() -> None:
    luminance = linear(palette.SERIES) @ TO_XYZ[1]
    assert (1.05 / (luminance + 0.05)).min() > 2.0


@pytest.mark.parametrize("vision", sorted(VISIONS))
def test_signs_and_window_are_told_apart(vision: str) -> None:
    pairs = (palette.DIVERGING[1], palette.DIVERGING[-2]), (palette.INSIDE, palette.OUTSIDE)
    for pair in pairs:
        one, other = lab(np.clip(linear(pair) @ VISIONS[vision].T, 0.0, 1.0))
        assert float(np.linalg.norm(one - other)) > 2.0 * APART
