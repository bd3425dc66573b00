"""Cells that write-verify gave up are told apart by where they lie and by what they had."""

from __future__ import annotations

import numpy as np

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.defects import CLASSES
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.procedures.cells.programming.failed_cells import classify, given_up

LEVELS, SETTINGS = load_chip_map("reference").level_scale(), WriteVerifySettings()
#                 in window, none read, too high, too low, silent after forming, silent later, after all pulses
READS = np.array([20.5e-6, np.nan, 60e-6, 3e-6, 1e-9, 1e-9, 22e-6])
PULSES = np.array([4, 0, 30, 30, 7, 30, 200])
DIGITS = np.full(7, 4)


def test_each_failed_cell_has_its_class():
    names = [CLASSES[code] for code in classify(READS, DIGITS, PULSES, LEVELS, SETTINGS)]
    assert names == ["good", "good", "stuck on", "stuck off", "unformed", "stuck off", "unsteady"]


def test_a_cell_is_given_up_only_after_its_pulses():
    assert given_up(READS, DIGITS, PULSES, LEVELS, SETTINGS).tolist() == [0, 0, 1, 1, 1, 1, 1]
    assert not given_up(READS, DIGITS, np.full(7, 6), LEVELS, SETTINGS).any()
