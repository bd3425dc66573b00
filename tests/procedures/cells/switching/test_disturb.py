"""Stress by reads and half-select: what the twin's cells do, by level; counts at which they leave their windows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from daily import daily
from formed_cells import bench_with

from mho import run
from mho.errors import ChipMapError, InputError, LimitError
from mho.instruments import open_bench
from mho.procedures import Disturb
from mho.procedures.cells.switching.disturb import by_level, counts_to_leave
from mho.runs import RunFile

COUNTS = np.array([0, 1, 10, 100])


def test_a_cell_leaves_at_its_first_read_outside_or_never():
    inside = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [1, 0, 0, 1], [1, 0, 0, 1]], dtype=bool)
    assert counts_to_leave(COUNTS, inside).tolist() == [math.inf, 10.0, 0.0, 1.0]


def test_each_level_tells_its_median_and_its_worst_cell_and_leaves_out_those_outside_before():
    inside = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 0]], dtype=bool)
    conductance = np.outer([0.0, 1.0, 2.0, 4.0], [1e-6, -3e-6, 0.5e-6, 0.1e-6]) + 5e-6
    found = by_level(COUNTS, conductance, np.array([1, 1, 1, 1]), inside)["level_1"]
    assert (found["cells"], found["outside_at_start"]) == (4, 1)
    assert (found["worst_leaves"], found["median_leaves"]) == (10.0, 100.0)
    assert found["largest_change"] == pytest.approx(-12e-6)
    assert found["change"] == pytest.approx(1.2e-6)
    inside[:, :3] = True
    assert by_level(COUNTS, conductance, np.ones(4, int), inside)["level_1"]["worst_leaves"] is None
    assert by_level(COUNTS, conductance, np.full(4, -1), inside) == {}


STRESSES = [
    ({"stress": "read", "pulses": 10**6}, ()),
    ({"stress": "set", "share": "V/2", "word_line": "off"}, ()),
    ({"stress": "reset", "share": "V/2", "word_line": "off"}, ()),
    ({"stress": "set", "share": "V/2"}, (1, 4)),  # 1.5 V is above the SET threshold of 1.2 V
    ({"stress": "reset", "share": "V/2"}, (1, 4, 7)),  # and above that of RESET, 0.9 V
    ({"stress": "set", "share": "V/3", "pulses": 3}, ()),  # 1.0 V: e**-6.7 of the rate of a SET
]


@pytest.mark.parametrize("name", daily(["simulated", "arrays"], ["arrays"]))
@pytest.mark.parametrize(("given", "levels_that_leave"), daily(STRESSES, STRESSES[2:5]))
def test_a_stress_moves_cells_where_its_voltage_and_word_line_let_it(
    name, given, levels_that_leave, tmp_path
):
    with bench_with([[1, 4, 7]], name, "ideal") as bench:
        procedure = Disturb(rows="0", columns="0:3", **({"pulses": 20} | given))
        disturbed = run(procedure, bench, seed=1, output=tmp_path)
    summary = disturbed.summary
    left = tuple(level for level in (1, 4, 7) if summary[f"level_{level}"]["worst_leaves"] is not None)
    assert left == levels_that_leave
    sign = 1.0 if given["stress"] == "set" else -1.0
    for level in left:
        assert sign * summary[f"level_{level}"]["change"] > 1.2e-6
    with RunFile(disturbed.path) as file:
        table = file.table("disturb")
        assert sorted(set(table["level"])) == [1, 4, 7]
        for column in range(3):
            of = table["column"] == column
            since = table["conductance"][of] - table["conductance"][of][0]
            np.testing.assert_allclose(table["change"][of], since)
        assert file.map("multiply_leaves").shape == (1, 3)


def test_far_below_its_threshold_a_set_takes_the_pulses_that_its_rate_says(tmp_path):
    """The rate is exp((V - 1.2 V)/0.03 V)/40 ns: 1.0 V and 100 ns are 3.2e-3 of the way to the compliance a pulse."""
    with bench_with([[1]], "simulated", "ideal") as bench:
        procedure = Disturb(rows="0", columns="0", stress="set", share="V/3", pulses=1000, per_decade=20)
        disturbed = run(procedure, bench, seed=1, output=tmp_path)
    start, top = disturbed.conductance[0, 0, 0], 35e-6
    share = -math.log(1.0 - (6.2e-6 - start) / (top - start))
    expected = share / (math.exp(-0.2 / 0.03) / 40e-9 * 100e-9)
    assert disturbed.leaves[0, 0] == pytest.approx(expected, rel=0.2)


def test_cells_that_were_never_formed_are_left_out_and_it_is_said(tmp_path):
    with bench_with([[3]], "arrays") as bench:
        disturbed = run(
            Disturb(rows="0", columns="0:2", pulses=5, forming="no"), bench, seed=1, output=tmp_path
        )
    assert disturbed.digits.tolist() == [[3, -1]]
    with RunFile(disturbed.path) as file:
        table = file.table("disturb")
        assert not (table["column"] == 1).any()  # no stress
        assert any("1 of 2 cells were never formed" in entry.message for entry in file.log())


@pytest.mark.parametrize(
    ("procedure", "error", "said"),
    [
        (Disturb(rows="0:2000"), ChipMapError, "row 1999"),
        (Disturb(stress="set", share="V", set_voltage=4.8), LimitError, "bit line: voltage of 4.8 V"),
    ],
)
def test_what_cannot_be_done_is_refused(procedure, error, said, tmp_path):
    with open_bench(seed=1) as bench, pytest.raises(error, match=said):
        run(procedure, bench, output=tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_pulse_is_refused():
    with pytest.raises(InputError, match="pulses is 0"):
        Disturb(pulses=0)
