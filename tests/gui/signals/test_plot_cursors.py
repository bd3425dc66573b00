"""The cursors of a plot: where they stand, what they read in units, and which curve."""

import numpy as np
import pytest
import run_samples
from PySide6.QtCore import QPointF, Qt
from signal_steps import choose, curves, settle, write_field, write_points

from mho.gui.signals.cursors import slope_text
from mho.runs import RunFile


def place(panel, *places):
    for line, where in zip(panel.figure_plot.cursors.lines, places, strict=True):
        line.setValue(where)  # as dragging does


def test_cursors_read_points_their_difference_and_the_slope_in_units(qtbot, show, panel, tmp_path):
    show(run_samples.other_run(tmp_path / "sweep.h5"))
    panel.cursors.setFocus()
    qtbot.keyClick(panel.cursors, Qt.Key.Key_Space)
    place(panel, 0.21, 0.79)
    text = panel.readout.text()
    assert text.startswith("A  200 mV, 2 µA")
    assert "B  800 mV, 8 µA" in text
    assert "B − A  600 mV, 6 µA" in text
    assert text.endswith("slope  10 µA / V")
    qtbot.keyClick(panel.cursors, Qt.Key.Key_Space)
    assert panel.readout.text() == ""


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ((False, False), "slope  9 A / V"),
        ((False, True), "slope  1 V / decade"),
        ((True, False), "slope  9 A / decade"),
        ((True, True), "power  1"),
    ],
)
def test_a_slope_is_said_as_its_axes_want_it(log, says):
    b = (10.0, 10.0) if log[0] else (2.0, 10.0)
    assert slope_text((1.0, 1.0), b, ("V", "A"), log) == says


def test_there_is_no_slope_between_a_point_and_itself():
    assert slope_text((1.0, 1.0), (1.0, 1.0), ("V", "A"), (False, False)) == ""
    assert slope_text((1.0, 2.0), (3.0, 2.0), ("V", "A"), (False, True)) == ""


@pytest.mark.parametrize("log", [False, True])
def test_cursors_stand_within_the_curves(show, panel, solved, log):
    show(solved)
    panel.fields.log_x.setChecked(log)
    settle(panel)
    panel.cursors.setChecked(True)
    first, last = (np.log10([1.0, 5.0])) if log else (1.0, 5.0)
    a, b = (line.value() for line in panel.figure_plot.cursors.lines)
    assert first < a < b < last


def test_they_are_moved_into_view_where_another_axis_is_chosen(show, panel, tmp_path):
    path = write_points(
        tmp_path / "run.h5",
        {
            "time": ("s", np.arange(50.0)),
            "current": ("A", np.arange(50.0)),
            "late": ("s", 1e6 + np.arange(50.0)),
        },
    )
    show(path)
    panel.cursors.setChecked(True)
    write_field(panel, panel.fields.x_column, "late")
    assert "1 Ms" in panel.readout.text()
    panel.fields.log_x.click()
    settle(panel)
    low, high = panel.figure_plot.viewRange()[0]
    assert all(low < line.value() < high for line in panel.figure_plot.cursors.lines)


def test_a_cursor_can_be_dragged(qtbot, show, panel, tmp_path):
    show(run_samples.other_run(tmp_path / "sweep.h5"))
    panel.cursors.setChecked(True)
    view, cursor = panel.figure_plot, panel.figure_plot.cursors.lines[0]
    view.grab()  # only what was drawn knows how wide its axes are
    qtbot.wait(50)

    def spot(value):
        middle = sum(view.viewRange()[1]) / 2
        return view.mapFromScene(view.plotItem.vb.mapViewToScene(QPointF(value, middle)))

    start, end = spot(cursor.value()), spot(0.9)
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=start)
    for share in (0.5, 1.0):
        qtbot.wait(20)
        qtbot.mouseMove(view.viewport(), start + (end - start) * share)
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=end)
    assert cursor.value() == pytest.approx(0.9, abs=0.05)
    assert panel.readout.text().startswith("A  900 mV, 9 µA")


def test_a_click_on_another_curve_has_that_read_and_it_stays_read_while_rows_come(
    qtbot, show, panel, tmp_path
):
    x = np.arange(5.0)
    show(write_points(tmp_path / "run.h5", {"x": ("V", x), "one": ("A", x), "two": ("A", 2.0 * x)}))
    write_field(panel, panel.fields.y_column, "one, two")
    panel.cursors.setChecked(True)
    place(panel, 1.0, 3.0)
    assert panel.readout.text().startswith("one      A  1 V, 1 A")
    view = panel.figure_plot
    view.grab()
    qtbot.wait(50)
    spot = view.mapFromScene(view.plotItem.vb.mapViewToScene(QPointF(3.0, 6.0)))
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert panel.readout.text().startswith("two      A  1 V, 2 A")
    panel._show(anew=True)
    settle(panel)
    assert panel.readout.text().startswith("two      A  1 V, 2 A")


def test_cursors_read_declared_figures_too(show, panel, solved):
    show(solved)
    choose(panel, panel.figure, "Convergence")
    panel.cursors.setChecked(True)
    with RunFile(solved) as run:
        residual = run.column("cycles", "residual")
    place(panel, 1.0, 2.0)
    panel.figure_plot.cursors.read_curve(next(one for one in panel.drawing.marks if one.label == "residual"))
    assert f"A  1, {residual[0]:.4g}" in panel.readout.text()
    assert "/ decade" in panel.readout.text()
    choose(panel, panel.figure, "Levels wanted and read")
    assert not panel.cursors.isEnabled()
    assert len(curves(panel)) >= 0
