"""The window on a run file: what it shows of a finished run, and what a user can do in it."""

import re
from dataclasses import replace

import numpy as np
import run_samples
from destroyed_cells import SENTENCE, destroying_run
from PySide6.QtCore import Qt
from run_samples import LEVELS, SampleRun


def parameters(window):
    table = window.parameters
    return {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount())}


def hover(qtbot, window, row, column):
    """Put the mouse on the middle of a cell, given by its place in the image."""
    qtbot.wait(20)  # pyqtgraph takes a hundred moves a second
    view = window.map.canvas
    qtbot.mouseMove(view.viewport(), view.mapFromScene(window.map.scene_position(row, column)))


def test_a_finished_solve(open_window, solved):
    window = open_window(solved)

    assert window.header.title.text() == "Solve [bold]4x4[/bold]"
    assert window.header.status.text() == "FINISHED"
    assert window.header.simulated.isVisible()
    assert window.header.simulated.text() == "SIMULATED"
    assert not window.header.progress.isVisible()
    assert not window.message.isVisible()
    assert "280 of 280 cells verified" in window.header.facts.text()
    assert "5 cycles" in window.header.facts.text()
    assert parameters(window)["Precision"] == "24 bit"
    assert parameters(window)["Chip"] == "reference"
    assert "WARNING: 3 cells could not be brought into their verify window" in window.log.toPlainText()


def test_cells_that_the_run_destroyed(open_window, tmp_path):
    window = open_window(destroying_run(tmp_path))

    assert f"WARNING: {SENTENCE}" in window.log.toPlainText()
    assert SENTENCE in window.header.reason.text()


def test_convergence_beside_ideal_and_forecast(open_window, solved):
    plot = open_window(solved).convergence

    cycle, error = plot.relative_error.getOriginalDataset()
    np.testing.assert_allclose(cycle, range(6))
    np.testing.assert_allclose(error[1:], 1.2 * 0.05 ** np.arange(1, 6))
    cycle, ideal = plot.ideal.getOriginalDataset()
    np.testing.assert_allclose(ideal, 8.0**-cycle)
    cycle, forecast = plot.forecast.getOriginalDataset()
    np.testing.assert_allclose(forecast, 0.05**cycle)
    (low, high) = plot.viewRange()[1]
    assert low < np.log10(2.0**-24) < np.log10(error.min()) + 1.0
    assert high > 0.0
    assert plot.labels()["forecast"] == "forecast, rho = 0.050"


def test_the_same_solve_without_the_chip_is_drawn_as_far_as_it_is_known(open_window, solved):
    plot = open_window(solved).convergence
    assert plot.without_chip.getOriginalDataset()[0] is None
    unaided = np.array([0.5, 0.2, 0.1, 0.05, 0.01, 1e-3, 1e-5, 1e-8])
    plot.show_convergence(replace(plot.convergence, without_chip=unaided))
    cycle, error = plot.without_chip.getOriginalDataset()
    np.testing.assert_allclose(cycle, range(9))
    np.testing.assert_allclose(error[1:], unaided)
    assert plot.viewRange()[0][1] >= 8.0
    plot.show_convergence(replace(plot.convergence, without_chip=None))
    assert plot.without_chip.getOriginalDataset()[0] is None


def test_the_largest_conductance_map_comes_first(open_window, solved):
    view = open_window(solved).map
    cells = run_samples.sample_cells()[1]

    assert view.choice.currentText() == "multiply_conductance"
    np.testing.assert_allclose(view.picture.values, 1e6 * cells.achieved)
    assert view.picture.unit == "µS"


def test_the_user_chooses_another_map(qtbot, open_window, solved):
    view = open_window(solved).map
    names = [view.choice.itemText(index) for index in range(view.choice.count())]
    assert "multiply_error" in names

    view.choice.setFocus()
    while view.choice.currentText() != "multiply_error":
        before = view.choice.currentIndex()
        qtbot.keyClick(view.choice, Qt.Key.Key_Down)
        assert view.choice.currentIndex() == before + 1

    cells = run_samples.sample_cells()[1]
    assert view.picture.name == "multiply_error"
    assert view.picture.signed
    np.testing.assert_allclose(view.picture.values, 1e6 * (cells.achieved - cells.target))
    low, high = view.picture.limits
    assert low == -high


def test_the_mouse_reads_a_cell_by_its_physical_lines(qtbot, open_window, solved):
    window = open_window(solved)
    cells = run_samples.sample_cells()[1]

    hover(qtbot, window, 5, 7)  # the sixth row is line 6: line 3 is bad
    value = 1e6 * cells.achieved[5, 7]
    assert window.map.readout.text() == f"row 6, column 7: {value:.4g} µS"

    hover(qtbot, window, 11, 19)
    assert window.map.readout.text() == "row 12, column 19: no value"

    hover(qtbot, window, -2, 5)
    assert window.map.readout.text() == "point at a cell to read it"


def test_the_read_out_follows_the_map_under_a_resting_mouse(qtbot, open_window, solved):
    window = open_window(solved)
    hover(qtbot, window, 0, 0)
    window.map.choice.setCurrentText("multiply_target")

    # The colour bar of another map may be wider and move the image by a cell under the mouse that rests.
    row, column = map(int, re.match(r"row (\d), column (\d): ", window.map.readout.text()).groups())
    assert (row, column) in {(0, 0), (0, 1), (1, 0), (1, 1)}
    target = 1e6 * LEVELS.nominal[run_samples.sample_cells()[1].digits[row, column]]
    assert window.map.readout.text().endswith(f": {target:.4g} µS")


def test_another_procedure_s_run(open_window, tmp_path):
    window = open_window(run_samples.other_run(tmp_path / "sweep.h5"))

    assert not window.header.simulated.isVisible()
    assert window.map.choice.currentText() == "heat"
    assert window.map.picture.unit == "K"
    assert window.convergence.convergence is None
    assert window.convergence.labels() == {}


def test_a_run_without_anything(open_window, tmp_path):
    window = open_window(run_samples.empty_run(tmp_path / "empty.h5"))

    assert window.header.status.text() == "FINISHED"
    assert not window.map.choice.isEnabled()


def test_a_run_that_failed_says_why(open_window, tmp_path):
    window = open_window(run_samples.failed_run(tmp_path / "run.h5"))

    assert window.header.status.text() == "FAILED"
    assert window.header.reason.text() == "ValueError: boom"


def test_a_diverging_run_and_one_that_hit_zero_can_be_drawn(open_window, tmp_path):
    with SampleRun(tmp_path / "run.h5") as run:
        run.plan()
        for shrink in (1.5, 0.0, np.nan):
            run.cycle(shrink)
        run.writer.set_result({"forecast_rho": float("inf")})
    window = open_window(tmp_path / "run.h5")

    assert window.convergence.viewRange()[1][1] > np.log10(1.5)


def test_everything_has_room_at_1280_by_800(open_window, solved):
    window = open_window(solved)

    assert (window.width(), window.height()) == (1280, 800)
    assert window.minimumSizeHint().width() <= 1280
    assert window.minimumSizeHint().height() <= 800
    for widget in (window.map.canvas, window.convergence):
        assert widget.width() > 500
        assert widget.height() > 350
    for widget in (window.log, window.parameters):
        assert widget.height() > 120
