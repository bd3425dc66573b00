"""Response on the virtual bench: the fitted curve is the preset's, and becomes the coarse SET of a new chip map."""

from __future__ import annotations

import numpy as np
import pytest

from mho import Form, Response, run
from mho.analysis.exports import export
from mho.chip_maps.chip import load_chip_map
from mho.errors import Aborted, InputError, LimitError
from mho.instruments import open_bench
from mho.instruments.laboratory.accidents import BadCell
from mho.procedures.stream import Control, Progress
from mho.runs import RunFile, Status

DONE = -np.expm1(-100.0 / 40.0)  # share of the way to the compliance in a pulse of 100 ns
SMALL = {"rows": "0:2", "columns": "0:2", "points": 8, "repeats": 1}


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """A formed block of a chip without instruments, and where its runs go."""
    folder = tmp_path_factory.mktemp("response")
    with open_bench("arrays", seed=4) as bench:
        run(Form(rows="0:6", columns="0:8", step=0.2), bench, output=folder)
        yield bench, folder


@pytest.mark.thorough
def test_the_coarse_curve_is_the_preset_s(arrays):
    bench, folder = arrays
    preset = bench.simulated.chip.preset
    response = run(Response(rows="0:6", columns="0:8"), bench, output=folder, seed=1)
    told = response.summary
    assert told["set_slope_low"] <= DONE * preset.set_slope <= told["set_slope_high"]
    left = (1.0 - DONE) * told["before"]  # what a pulse leaves of the state before it
    offset = preset.gate_threshold - left / (DONE * preset.set_slope)
    assert told["set_offset_low"] <= offset <= told["set_offset_high"]
    assert told["set_slope_high"] - told["set_slope_low"] < 0.2 * told["set_slope"]
    assert told["top"] == pytest.approx(DONE * preset.maximum, rel=0.06)
    assert told["device_spread"] == pytest.approx(preset.set_device_spread, rel=0.4)
    assert told["cycle_spread"] == pytest.approx(preset.set_cycle_spread, rel=0.15)
    assert response.conductance.shape == response.before.shape == (3, 25, 6, 8)
    with RunFile(response.path) as file:
        table = file.table("responses")
        assert len(table["gate"]) == 48 * 75
        first = (table["row"] == 0) & (table["column"] == 0) & (table["repeat"] == 0)
        assert sorted(table["gate"][first].tolist()) == pytest.approx(response.levels.tolist(), rel=1e-6)
        assert (np.diff(table["gate"][first]) < 0.0).any()  # in a random order
        assert file.result_units["set_slope"] == "S/V"


@pytest.mark.thorough
def test_a_reset_has_the_preset_s_threshold_and_slope(arrays):
    bench, folder = arrays
    told = run(Response(rows="0:6", columns="0:8", against="V_SL"), bench, output=folder, seed=1).summary
    assert told["slope_low"] <= 2.5 <= told["slope_high"]
    assert told["threshold_low"] - 0.02 <= 0.9 <= told["threshold_high"]
    assert told["floor"] == pytest.approx(0.36e-6, rel=0.35)


@pytest.mark.thorough
def test_amplitude_and_width_have_the_preset_s_laws(arrays):
    bench, folder = arrays
    against = {"rows": "0:6", "columns": "0:8", "gate": 1.6}
    amplitude = run(Response(**against, against="V_BL", stop=1.6), bench, output=folder, seed=1).summary
    assert amplitude["top"] == pytest.approx(DONE * 28e-6, rel=0.08)  # 35 uS/V, 0.8 V above the threshold
    assert 1.0 < amplitude["threshold"] < 1.25  # cells set from 1.2 V on, sd 0.08 V
    width = run(Response(**against, against="width"), bench, output=folder, seed=1).summary
    assert width["top"] == pytest.approx(28e-6, rel=0.08)
    assert 2e-9 < width["threshold"] < 40e-9


@pytest.mark.thorough
def test_at_the_wire_it_is_the_same_curve(tmp_path):
    with open_bench(preset="ideal", seed=2) as bench:
        run(Form(rows="0:1", columns="0:2", step=0.2), bench, output=tmp_path)
        response = run(
            Response(rows="0:1", columns="0:2", points=12, repeats=1), bench, output=tmp_path, seed=1
        )
    assert response.summary["set_slope"] == pytest.approx(DONE * 35e-6, rel=0.01)
    assert response.summary["set_offset"] == pytest.approx(0.8, abs=0.01)


@pytest.mark.thorough
def test_a_response_becomes_a_new_chip_map_that_is_the_old_one_but_for_the_curve(arrays, tmp_path):
    bench, folder = arrays
    response = run(Response(rows="0:6", columns="0:8", width=200e-9, points=12), bench, output=folder, seed=2)
    new = export(response.path, "chip-map", tmp_path / "mine.toml")
    written, before = load_chip_map(new), load_chip_map("segmented")
    assert written.write_verify.set_slope == pytest.approx(response.summary["set_slope"], rel=1e-3)
    assert written.write_verify.set_offset == pytest.approx(response.summary["set_offset"], rel=1e-3)
    assert written.write_verify.width == 200e-9  # the curve holds for these pulses
    changed = before.write_verify.model_copy(
        update={name: getattr(written.write_verify, name) for name in ("set_slope", "set_offset", "width")}
    )
    assert written == before.model_copy(update={"write_verify": changed})
    with pytest.raises(InputError, match="exists already"):
        export(response.path, "chip-map", tmp_path / "mine.toml")


@pytest.mark.thorough
def test_virgin_cells_are_left_out_and_stuck_ones_do_not_count(tmp_path):
    said = []
    with open_bench(preset="ideal", seed=3) as bench:
        run(Form(rows="0:2", columns="0:2", step=0.2), bench, output=tmp_path)
        BadCell(20e-6, ("multiply", 0, 1))(bench.laboratory)
        response = run(
            Response(rows="0:3", columns="0:2", points=8, repeats=1, forming="no"),
            bench,
            output=tmp_path,
            seed=1,
            observers=[said.append],
        )
        virgin = bench.laboratory.chip.cells["multiply"].status((2, 0))
    told = response.summary
    assert (told["cells"], told["virgin"], told["stuck"], told["cells_fitted"]) == (6, 2, 1, 3)
    assert np.isnan(response.conductance[:, :, 2]).all()
    assert np.isfinite(response.conductance[:, :, :2]).all()
    assert virgin == 0  # no pulse has reached it
    texts = [event.text for event in said if hasattr(event, "text")]
    assert any("2 of 6 cells were never formed" in text and "mho run form" in text for text in texts)
    assert any("1 cell without a response" in text for text in texts)


def test_a_virgin_chip_is_told_to_be_formed_first_and_no_pulse_is_sent(tmp_path):
    said = []
    with open_bench(seed=1) as bench:
        response = run(Response(**SMALL, forming="no"), bench, output=tmp_path, observers=[said.append])
        assert bench.laboratory.monitor.pulses == 0
    assert (response.curve, response.summary["cells_fitted"]) == (None, 0)
    texts = [event.text for event in said if hasattr(event, "text")]
    assert (
        "none of 4 cells was ever formed: nothing was measured; form them first: mho run form --array multiply "
        "--rows 0:2 --columns 0:2, then go on; or give forming = yes"
    ) in texts
    assert not any("do not respond" in text for text in texts)


def test_a_run_that_is_broken_off_keeps_its_responses(tmp_path):
    control = Control()

    def stop(event):
        if isinstance(event, Progress) and event.stage == "pulsing":
            control.abort("enough")

    with open_bench(preset="ideal", seed=1) as bench:
        run(Form(rows="0:3", columns="0:3", step=0.2), bench, output=tmp_path)
        with pytest.raises(Aborted):
            run(
                Response(rows="0:3", columns="0:3", points=12),
                bench, output=tmp_path / "broken.h5", observers=[stop], control=control,
            )  # fmt: skip
    with RunFile(tmp_path / "broken.h5") as file:
        assert file.status is Status.ABORTED
        assert 36 <= file.length("responses") < 9 * 36


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"start": 2.0, "stop": 1.0}, InputError, "start is 2 and stop is 1: turn them round"),
        ({"start": 2.7}, InputError, "does not rise: give both ends"),
        ({"gate": 1.5}, InputError, "gate is given, and V_WL is varied"),
        ({"against": "width", "start": 1.0}, InputError, "start is given, and width is varied"),
        ({"against": "V_BL", "shortest": 1e-8}, InputError, "shortest is given, and V_BL is varied"),
        ({"against": "V_BL", "stop": 5.0}, LimitError, "bit line: voltage of 5 V"),
        ({"against": "V_SL", "stop": 4.0}, LimitError, "source line: voltage of 4 V"),
        ({"stop": 4.5}, LimitError, "word line: voltage of 4.5 V"),
        ({"against": "width", "longest": 1e-3}, LimitError, "pulse width of 0.001 s"),
        ({"rows": "0:1024", "columns": "0:1024"}, InputError, "pulses are more than the 20,000,000 of a run"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_a_file_exists(given, error, said, tmp_path):
    with pytest.raises(error, match=said):
        run(Response(**given), seed=1, output=tmp_path)
    assert not list(tmp_path.iterdir())
