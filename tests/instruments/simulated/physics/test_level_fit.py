"""Which levels cells of a preset do not hold is said from their laws, and drawn cells bear it out."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from mho.instruments.simulated import CELL_PRESETS, levels_not_held

PKU = CELL_PRESETS["pku"]
NOMINAL = np.array([0.37e-6, 5e-6, 20e-6, 35e-6])


def said(preset, tolerance=1.2e-6, nominal=NOMINAL) -> str:
    return levels_not_held(preset, nominal, nominal - tolerance, nominal + tolerance)


@pytest.mark.parametrize("name", ["ideal", "quiet", "pku", "relaxing"])
def test_cells_of_the_reference_chip_hold_its_levels(name):
    assert said(CELL_PRESETS[name]) == ""


def test_a_level_beyond_the_end_of_set_is_named():
    text = said(PKU, nominal=np.array([0.37e-6, 30e-6, 180e-6]))
    assert text == "100% of them cannot be SET to 180 +- 1.2 uS: SET ends near 60 uS"


@pytest.mark.parametrize(("spread", "share"), [(1.0, 0.69), (2.0, 0.6)])
def test_a_level_below_the_floor_is_named_with_the_share_of_cells_whose_floor_is_above(spread, share):
    high = 6.2e-6
    floor = high * math.exp(
        0.5
    )  # Phi(0.5) of a lognormal floor of spread 1 are above `high`, Phi(0.25) of spread 2
    text = said(replace(PKU, floor=floor, floor_device_spread=spread, floor_spread=0.0))
    assert f"{share:.0%} of them cannot be RESET to 5 +- 1.2 uS: RESET ends near 10.2 uS" in text


def test_cells_that_move_further_than_half_their_window_leave_it():
    # Tukey's h of 0 is a normal draw: P(|z| > 1/2) = 0.617
    moving = replace(
        PKU, relaxation=2.4e-6 / math.log1p(1.0), relaxation_time=1.0, relaxation_tail=0.0, drift=0.0
    )
    found = re.fullmatch(r"(\d+)% of them leave .* uS within 1 s", said(moving))
    assert found is not None
    assert 59 <= int(found[1]) <= 65  # the worst of three levels
    assert said(moving, tolerance=2.4e-6) == ""


def test_the_foundry_s_cells_fit_their_own_levels_and_not_those_of_others():
    own = np.array([6e-6, 60e-6, 120e-6, 180e-6])
    assert said(CELL_PRESETS["stanford"], 5e-6, own) == ""
    assert "56% of them cannot be RESET to 5" in said(CELL_PRESETS["stanford"])
