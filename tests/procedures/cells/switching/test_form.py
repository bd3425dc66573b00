"""Forming: each cell's voltage against the chip's own, the yield, what conducted before, what is refused or broken off."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily
from numpy.testing import assert_allclose, assert_array_equal

from mho import Form, run
from mho.errors import Aborted, BenchError, ChipMapError, InputError, LimitError
from mho.instruments import open_bench
from mho.instruments.laboratory.accidents import BadCell
from mho.procedures.cells.switching.form import CONDUCTED, FORMED, NOT_FORMED, OVER
from mho.procedures.stream import Control, Progress
from mho.runs import RunFile, Status

BLOCK = {"rows": "0:5", "columns": "0:4"}


def own_voltages(bench, rows=5, columns=4):
    """Forming voltages of the chip's cells themselves."""
    if hasattr(bench.laboratory, "lines"):
        return np.array(
            bench.laboratory.chip.cells["multiply"]._forming_voltage[:rows, :columns], dtype=float
        )
    cells, index = bench.simulated.chip.at("multiply", np.arange(rows), np.arange(columns))
    return np.array(cells._forming_voltage[index], dtype=float)


@pytest.mark.parametrize("name", daily(["simulated", "arrays"], ["arrays"]))
def test_a_ramp_brackets_each_cell_s_own_forming_voltage(name, tmp_path):
    with open_bench(name, seed=3) as bench:
        formed = run(Form(**BLOCK, step=0.1), bench, output=tmp_path)
        own = own_voltages(bench)
    assert (formed.state == FORMED).all()
    assert (own <= formed.voltage + 1e-6).all()
    assert (own > formed.voltage - 0.1 - 1e-6).all()
    assert formed.summary["yield"] == 1.0
    assert formed.summary["pulses"] == round(((formed.voltage - 2.0) / 0.1 + 1).sum())
    with RunFile(formed.path) as file:
        pulses = file.table("pulses")
        assert len(pulses["pulse"]) == formed.summary["pulses"] + 20
        assert_array_equal(file.map("multiply_forming_voltage"), formed.voltage)
        last = {
            (r, c): g for r, c, g in zip(pulses["row"], pulses["column"], pulses["conductance"], strict=True)
        }
        assert_array_equal([[last[r, c] for c in range(4)] for r in range(5)], formed.conductance)
        share = file.table("formed")["share"]
        assert share[-1] == 1.0
        assert (np.diff(share) >= 0.0).all()


def test_the_distribution_is_the_preset_s(tmp_path):
    formed = run(Form(rows="0:48", columns="0:48"), "arrays", seed=1, output=tmp_path)
    told = formed.summary
    assert told["normal_mean_low"] <= 3.15 <= told["normal_mean_high"]
    assert told["normal_sd_low"] <= 0.25 <= told["normal_sd_high"]
    assert told["median_low"] <= 3.15 <= told["median_high"]
    assert told["upper_quartile_low"] <= 3.15 + 0.6745 * 0.25 <= told["upper_quartile_high"]
    assert told["better_fit"] == "normal"
    assert told["normal_mean_high"] - told["normal_mean_low"] < 0.03


@pytest.mark.thorough
def test_a_ramped_word_line_forms_where_enough_of_the_voltage_arrives(tmp_path):
    """Below 1.6 V half a volt of the bit line is lost for each volt of gate; the bit line is at 3.3 V."""
    with open_bench(seed=5) as bench:
        formed = run(Form(**BLOCK, ramp="word line", start=0.9, stop=2.0), bench, output=tmp_path)
        own = own_voltages(bench)
    needed = np.maximum(1.6 - (3.3 - own) / 0.5, 0.9)
    formable = own <= 3.3
    assert_array_equal(formed.state != NOT_FORMED, formable)
    assert (formed.voltage[formable] >= needed[formable] - 1e-6).all()
    assert (formed.voltage[formable] <= needed[formable] + 0.05 + 1e-6).all()
    assert 0 < formed.summary["not_formed"] < 20
    assert formed.summary["yield"] == formable.mean()


@pytest.mark.thorough
def test_the_gate_limits_what_forming_leaves_and_too_much_is_over_formed(tmp_path):
    left = {}
    for gate in (1.3, 1.6, 3.5):
        with open_bench("arrays", preset="ideal", seed=1) as bench:
            formed = run(Form(rows="0:2", columns="0:2", gate=gate), bench, output=tmp_path)
        left[gate] = formed.conductance.mean()
        assert (formed.state == (OVER if gate == 3.5 else FORMED)).all()
    assert_allclose([left[1.3], left[1.6]], [17.5e-6, 28e-6], rtol=0.02)  # 35 uS/V above 0.8 V


def test_cells_that_conduct_are_left_alone(tmp_path):
    with open_bench(preset="ideal", seed=1) as bench:
        BadCell(10e-3, ("multiply", 0, 1))(bench.laboratory)  # in compliance, which ends no run here
        first = run(Form(rows="0:2", columns="0:2", step=0.2), bench, output=tmp_path)
        said = []
        again = run(Form(rows="0:2", columns="0:2"), bench, output=tmp_path, observers=[said.append])
    assert_array_equal(first.state, [[FORMED, CONDUCTED], [FORMED, FORMED]])
    assert (again.state == CONDUCTED).all()
    assert (again.summary["pulses"], again.summary["yield"]) == (0, None)
    assert any("conducted more than 2e-08 A before the ramp" in getattr(one, "text", "") for one in said)


def test_a_run_that_is_broken_off_keeps_every_pulse(tmp_path):
    control = Control()

    def stop(event):
        if isinstance(event, Progress) and event.stage == "forming" and event.done >= 1:
            control.abort("enough")

    with open_bench(seed=1) as bench, pytest.raises(Aborted):
        run(Form(**BLOCK), bench, output=tmp_path / "broken.h5", observers=[stop], control=control)
    with RunFile(tmp_path / "broken.h5") as file:
        assert file.status is Status.ABORTED
        cells = set(
            zip(file.column("pulses", "row").tolist(), file.column("pulses", "column").tolist(), strict=True)
        )
        voltage = file.map("multiply_forming_voltage")
        assert 0 < np.isfinite(voltage).sum() <= len(cells) < 20


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"rows": "0:9999"}, ChipMapError, "row 9998 is not among them"),
        ({"start": 4.0, "stop": 3.0}, InputError, "from 4 V to 3 V does not rise"),
        ({"step": 0.001}, InputError, "has 2501 pulses, and 1000 is the most"),
        ({"stop": 5.0}, LimitError, "bit line: voltage of 5 V exceeds the limit of 4.6 V"),
        ({"gate": 4.5}, LimitError, "word line: voltage of 4.5 V"),
        ({"gate": 0.84}, InputError, "gate is 0.84 V, below the 0.85 V of the chip map"),
        ({"width": 1e-3}, LimitError, "pulse width of 0.001 s"),
        ({"voltage": 3.0}, InputError, "voltage is given, and the bit line is ramped"),
        ({"ramp": "word line", "gate": 1.6}, InputError, "gate is given, and the word line is ramped"),
        ({"threshold": 2e-4}, InputError, "reads are limited to 0.0001 A"),
        ({"rows": "0:1024", "columns": "0:1024"}, InputError, "may take 53,477,376, more than"),
    ],
)
def test_what_cannot_be_formed_is_refused_before_a_file_exists(given, error, said, tmp_path):
    with pytest.raises(error, match=said):
        run(Form(**given), seed=1, output=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", daily(["simulated", "arrays"], ["arrays"]))
def test_a_threshold_that_noise_exceeds_is_refused_before_a_pulse(name, tmp_path):
    block = {"rows": "0:4", "columns": "0:4", "step": 0.2}
    with open_bench(name, seed=1) as bench:
        with pytest.raises(BenchError, match="noise would pass for a formed cell; let threshold be"):
            run(Form(**block, threshold=1e-9), bench, output=tmp_path)
        assert not bench.forming.mask("multiply").any()
        formed = run(Form(**block, threshold=1.9e-8), bench, output=tmp_path)
    assert formed.summary["formed"] + formed.summary["over_formed"] == 16
    assert formed.summary["median"] > 2.0


def test_a_run_of_before_takes_no_blanks():
    assert Form.from_version("2", {"threshold": 1e-9})["blanks"] == 0
