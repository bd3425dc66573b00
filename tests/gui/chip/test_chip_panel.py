"""The chip panel: what a user sees of the cells of a run, and does with them."""

import numpy as np
import pulse_runs
import pytest
import run_samples
from daily import daily
from pulse_runs import LINES
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from run_writers import WriterProcess
from window_steps import PATIENCE

from mho.gui import widgets
from mho.gui.chip.canvas import BAD
from mho.gui.chip.cell_history import describe
from mho.gui.chip.panel import POINT_AT_A_CELL, ChipPanel
from mho.gui.pictures import NO_CELL
from mho.gui.session.session import Session
from mho.procedures.cell_range import parse_lines

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def session(tmp_path):
    session = Session(tmp_path)
    yield session
    session.close()
    session.deleteLater()


@pytest.fixture
def panel(qtbot, session):
    panel = ChipPanel(session)
    panel.resize(1280, 800)
    qtbot.addWidget(panel)
    with qtbot.waitExposed(panel):
        panel.show()
    return panel


@pytest.fixture
def programmed(qtbot, session, panel, tmp_path):
    """The panel on a finished run."""
    run = pulse_runs.programmed(tmp_path / "run.h5")
    session.open_run(tmp_path / "run.h5")
    qtbot.waitUntil(lambda: panel.complete, timeout=PATIENCE)
    return run


@pytest.fixture
def writer(tmp_path):
    process = WriterProcess(tmp_path / "live.h5", pulse_runs.__file__)
    yield process
    process.kill()


def place(panel, row, column):
    return panel.canvas.mapFromScene(panel.canvas.scene_position(row, column))


def point(qtbot, panel, row, column):
    for near in (QPoint(1, 1), QPoint()):
        qtbot.wait(20)  # pyqtgraph takes a hundred moves a second
        qtbot.mouseMove(panel.canvas.viewport(), place(panel, row, column) + near)


def click(qtbot, panel, row, column):
    qtbot.mouseClick(panel.canvas.viewport(), LEFT, pos=place(panel, row, column))


def drag(qtbot, panel, first, last, modifier=Qt.KeyboardModifier.NoModifier):
    panel.canvas.grab()  # only what was drawn knows how wide its axes are
    qtbot.wait(1)
    view, start, end = panel.canvas.viewport(), place(panel, *first), place(panel, *last)
    qtbot.mousePress(view, LEFT, modifier, start)
    for share in (0.4, 0.8, 1.0):
        qtbot.wait(20)
        move(qtbot, view, start + (end - start) * share, modifier)
    qtbot.mouseRelease(view, LEFT, modifier, end)


def move(qtbot, view, position, modifier):
    """Move with the button down; QTest's own moves carry no modifier."""
    event = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(position), view.mapToGlobal(QPointF(position)), LEFT, LEFT, modifier
    )
    QApplication.sendEvent(view, event)


def texts(box):
    return [box.itemText(index) for index in range(box.count())]


def test_the_array_that_the_run_uses_is_shown_with_all_quantities(panel, programmed):
    assert texts(panel.array) == ["invert", "multiply"]
    assert panel.array.currentText() == "multiply"
    assert texts(panel.quantity) == [
        "conductance", "resistance", "target", "error", "pulses", "level", "age", "defects",
    ]  # fmt: skip
    pixels = panel.painter.pixels
    assert pixels.shape == (24, 40)
    used = np.zeros((24, 40), dtype=bool)
    used[np.ix_(*LINES)] = True
    np.testing.assert_array_equal(pixels != NO_CELL, used)


def test_a_pixel_is_the_cell_s_value_on_the_scale(qtbot, panel, programmed):
    place = np.ix_(*LINES)
    for quantity, values in {
        "conductance": 1e6 * programmed.conductance,
        "error": 1e6 * (programmed.conductance - programmed.target),
        "pulses": programmed.pulses,
        "age": programmed.time - programmed.touched,
    }.items():
        qtbot.keyClick(panel.quantity, Qt.Key.Key_Home)
        while panel.quantity.currentText() != quantity:
            before = panel.quantity.currentIndex()
            qtbot.keyClick(panel.quantity, Qt.Key.Key_Down)
            assert panel.quantity.currentIndex() == before + 1
        low, high = panel.painter.scale.ends
        shown = low + panel.painter.pixels[place] / (NO_CELL - 1) * (high - low)
        np.testing.assert_allclose(shown, np.clip(values, low, high), atol=(high - low) / (NO_CELL - 1))
        assert low == (-high if quantity == "error" else 0.0)


def test_logarithmic_colours_tell_apart_what_linear_ones_do_not(panel, programmed):
    values = 1e6 * programmed.conductance
    panel.log.setChecked(True)
    scale = panel.painter.scale
    assert scale.log
    assert scale.low <= np.quantile(values[values > 0.0], 0.01)
    assert scale.high >= values.max()
    low, high = scale.ends
    assert (low, high) == (np.floor(low), np.ceil(high))  # decades
    shown = low + panel.painter.pixels[np.ix_(*LINES)] / (NO_CELL - 1) * (high - low)
    known = np.log10(np.maximum(values, scale.low))
    np.testing.assert_allclose(shown, known, atol=(high - low) / (NO_CELL - 1))
    panel.quantity.setCurrentText("error")  # which has no logarithm
    assert not panel.log.isEnabled()
    assert not panel.painter.scale.log
    panel.quantity.setCurrentText("resistance")
    assert panel.painter.scale.log
    low, high = panel.painter.scale.ends
    shown = low + panel.painter.pixels[np.ix_(*LINES)] / (NO_CELL - 1) * (high - low)
    conducts = values > 0.0  # of the others no resistance is known
    wanted = np.clip(np.log10(1e3 / values[conducts]), low, high)
    np.testing.assert_allclose(shown[conducts], wanted, atol=(high - low) / (NO_CELL - 1))
    assert (panel.painter.pixels[np.ix_(*LINES)][~conducts] == NO_CELL).all()


def test_the_handles_of_the_colour_bar_set_its_limits_until_they_are_found_again(qtbot, panel, programmed):
    found, brightest = panel.painter.scale, panel.painter.pixels[np.ix_(*LINES)].max()
    bar, view = panel.canvas._bar, panel.canvas.viewport()
    centres = [line.mapToScene(line.boundingRect().center()) for line in bar.region.lines]
    handle = min(centres, key=lambda one: one.y())  # the upper one
    start = panel.canvas.mapFromScene(handle)
    end = start + QPoint(0, 40)
    qtbot.mousePress(view, LEFT, pos=start)
    for share in (0.3, 0.6, 1.0):
        qtbot.wait(20)
        move(qtbot, view, start + (end - start) * share, Qt.KeyboardModifier.NoModifier)
    qtbot.mouseRelease(view, LEFT, pos=end)
    dragged = panel.painter.scale
    assert dragged.high < found.high
    assert panel.painter.pixels[np.ix_(*LINES)].max() > brightest
    panel.quantity.setCurrentText("pulses")
    panel.quantity.setCurrentText("conductance")
    assert panel.painter.scale == dragged
    assert panel.auto.isEnabled()
    qtbot.mouseClick(panel.auto, LEFT)
    assert panel.painter.scale == found
    assert not panel.auto.isEnabled()


def test_what_is_wrong_with_cells_is_a_map_of_its_own(panel, programmed):
    panel.quantity.setCurrentText("defects")
    (bad,) = np.nonzero(panel._shown.bad["multiply"].ravel())
    assert len(bad)
    shown = panel.painter.pixels.ravel() / (NO_CELL - 1) * 3 - 0.5
    np.testing.assert_array_equal(np.flatnonzero(np.rint(shown) == 1), bad)


def test_levels_have_a_colour_each(panel, programmed):
    panel.quantity.setCurrentText("level")
    levels = np.abs(pulse_runs.LEVELS.nominal[:, None, None] - programmed.conductance).argmin(axis=0)
    low, high = panel.painter.scale.ends
    shown = low + panel.painter.pixels[np.ix_(*LINES)] / (NO_CELL - 1) * (high - low)
    np.testing.assert_array_equal(np.rint(shown), levels)


def test_the_mouse_reads_a_cell_with_units(qtbot, panel, programmed):
    row, column = int(LINES[0][2]), int(LINES[1][1])
    point(qtbot, panel, row, column)
    text = panel.readout.text()
    value, wanted = 1e6 * programmed.conductance[2, 1], 1e6 * programmed.target[2, 1]
    assert f"multiply, row {row}, column {column}: {value:.4g} µS" in text
    assert f"target {wanted:.4g} µS" in text
    assert f"error {value - wanted:+.3g} µS" in text
    assert f"{int(programmed.pulses[2, 1])} pulses" in text
    assert "block multiply[2:7, 3:9]" in text

    point(qtbot, panel, 3, 5)
    assert "not used by this run" in panel.readout.text()
    assert panel.readout.text().endswith("known to be bad")

    qtbot.wait(20)
    qtbot.mouseMove(panel.canvas.viewport(), QPoint(3, 3))
    assert panel.readout.text() == POINT_AT_A_CELL


@pytest.mark.thorough
def test_until_a_cell_is_clicked_the_spread_over_all_cells_is_shown(qtbot, panel, programmed):
    histogram = panel.side.histogram
    used = np.isfinite(programmed.conductance)
    qtbot.waitUntil(lambda: histogram.counts.sum() == used.sum(), timeout=PATIENCE)
    assert histogram.plot.isVisible()
    assert f"multiply, conductance of {used.sum()} cells: mean " in histogram.heading.text()
    marked = sorted(line.value() for line in histogram._target_lines)
    np.testing.assert_allclose(marked, 1e6 * np.unique(programmed.target[np.isfinite(programmed.target)]))

    panel.quantity.setCurrentText("pulses")
    assert histogram.counts.sum() == np.isfinite(programmed.pulses).sum()
    assert "pulses of" in histogram.heading.text()
    assert histogram._target_lines == []

    click(qtbot, panel, int(LINES[0][0]), int(LINES[1][4]))
    assert not histogram.isVisible()
    qtbot.mouseClick(panel.history.back, Qt.MouseButton.LeftButton)
    assert histogram.isVisible()
    assert len(panel.history.history) == 0


def test_an_array_of_which_nothing_is_known_has_no_empty_plot(qtbot, panel, programmed):
    panel.array.setCurrentText("invert")
    assert panel.array.currentText() == "invert"
    assert not panel.side.histogram.plot.isVisible()
    assert "no conductance is known of any cell yet" in panel.side.histogram.heading.text()


def test_a_click_opens_the_history_of_a_cell(qtbot, panel, programmed):
    assert not panel.history.canvas.isVisible()
    row, column = int(LINES[0][0]), int(LINES[1][4])
    click(qtbot, panel, row, column)
    qtbot.waitUntil(lambda: panel.history.complete and len(panel.history.history) > 0, timeout=PATIENCE)
    assert panel.canvas.cell == (row, column)
    history = panel.history.history
    assert history.conductance[-1] == programmed.conductance[0, 4]
    assert (history.kind > 0).sum() == programmed.pulses[0, 4]
    assert panel.history.canvas.isVisible()
    assert f"row {row}, column {column}: {len(history)} pulses and reads" in panel.history.heading.text()

    qtbot.keyClick(panel.canvas, Qt.Key.Key_Down)  # to the bad row
    qtbot.keyClick(panel.canvas, Qt.Key.Key_Down)
    assert panel.canvas.cell == (row + 2, column)
    qtbot.waitUntil(lambda: panel.history.complete, timeout=PATIENCE)
    assert panel.history.history.conductance[-1] == programmed.conductance[1, 4]


def test_the_history_is_read_with_the_mouse(qtbot, panel, programmed):
    click(qtbot, panel, int(LINES[0][0]), int(LINES[1][4]))
    view = panel.history
    qtbot.waitUntil(lambda: view.complete and view.canvas.isVisible(), timeout=PATIENCE)
    view.against.setCurrentText("over time")
    qtbot.wait(50)
    plot = view.canvas.getItem(0, 0)
    spot = plot.vb.mapViewToScene(QPointF(view.history.time[0], 1e6 * view.history.conductance[0]))
    for near in (QPoint(2, 2), QPoint()):
        qtbot.wait(20)
        qtbot.mouseMove(view.canvas.viewport(), view.canvas.mapFromScene(spot) + near)
    assert view.readout.text() == describe(view.history[0])


def test_a_cell_that_was_left_alone_says_so(qtbot, panel, programmed):
    panel.whole.click()
    click(qtbot, panel, 20, 20)
    qtbot.waitUntil(lambda: "left this cell alone" in panel.history.heading.text(), timeout=PATIENCE)
    assert not panel.history.canvas.isVisible()


def test_a_double_click_zooms_to_a_cell(qtbot, panel, programmed):
    panel.whole.click()
    before = panel.canvas.box.viewRect().height()
    click(qtbot, panel, 10, 20)
    spot = place(panel, 10, 20)
    qtbot.mouseDClick(panel.canvas.viewport(), LEFT, pos=spot)
    qtbot.mouseRelease(panel.canvas.viewport(), LEFT, pos=spot)
    assert panel.canvas.cell == (10, 20)
    assert panel.canvas.box.viewRect().height() < before
    assert panel.canvas.box.viewRect().center().y() == pytest.approx(10.0, abs=0.5)


def test_dragging_selects_cells_for_the_form(qtbot, session, panel, programmed):
    panel.whole.click()
    with qtbot.waitSignal(session.cells_selected, timeout=PATIENCE) as told:
        drag(qtbot, panel, (2, 4), (9, 12))
    assert told.args == ["multiply", "2:10", "4:13"]
    assert panel.bar.text.text() == "72 cells selected: rows 2:10, columns 4:13"

    with qtbot.waitSignal(session.cells_selected, timeout=PATIENCE) as told:
        drag(qtbot, panel, (20, 30), (21, 31), Qt.KeyboardModifier.ControlModifier)
    assert told.args == ["multiply", "2:10, 20:22", "4:13, 30:32"]
    assert panel.bar.selection.count == 76
    rows, columns = (parse_lines(text, "lines") for text in told.args[1:])
    assert len(rows) * len(columns) == panel.bar.selection.crossings

    with qtbot.waitSignal(session.cells_selected, timeout=PATIENCE):
        drag(qtbot, panel, (15, 25), (23, 39), Qt.KeyboardModifier.ShiftModifier)
    assert panel.bar.selection.count == 72


def test_dragging_moves_the_view_when_asked_to(qtbot, session, panel, programmed):
    panel.move_view.click()
    before = panel.canvas.box.viewRect()
    drag(qtbot, panel, (2, 3), (5, 6))
    assert panel.bar.selection.count == 0
    assert panel.canvas.box.viewRect().topLeft() != before.topLeft()


def choose(panel, text):
    next(action for action in panel.bar.menu.actions() if action.text() == text).trigger()


def test_cells_are_selected_by_what_is_known_of_them(panel, programmed):
    choose(panel, "Cells outside their window")
    outside = np.abs(programmed.conductance - programmed.target) > 1.2e-6
    zero = programmed.target == pulse_runs.LEVELS.nominal[0]
    outside[zero] = programmed.conductance[zero] > 0.6e-6
    np.testing.assert_array_equal(panel.bar.selection.mask[np.ix_(*LINES)], outside)
    assert panel.bar.selection.count == outside.sum() > 0

    choose(panel, "Known bad cells")
    assert panel.bar.selection.rows == "3, 20:22"
    choose(panel, "The other cells")
    assert panel.bar.selection.count == 24 * 40 - 3
    choose(panel, "No cell")
    assert panel.bar.selection.count == 0


def test_a_mask_file_selects(session, panel, programmed, tmp_path):
    said = []
    session.message.connect(lambda level, text: said.append((level, text)))
    mask = np.zeros((24, 40), dtype=int)
    mask[7, 8] = 1
    np.save(tmp_path / "mask.npy", mask)
    panel.bar.take_mask(str(tmp_path / "mask.npy"))
    assert panel.bar.text.text() == "1 cell selected: rows 7, columns 8"
    np.save(tmp_path / "mask.npy", mask[:3])
    panel.bar.take_mask(str(tmp_path / "mask.npy"))
    assert said[-1][0] == "ERROR"
    assert "3 x 40 cells, the array 24 x 40" in said[-1][1]
    assert panel.bar.selection.count == 1


def test_known_bad_cells_are_hatched(qtbot, panel, programmed):
    assert (panel.canvas.marks & BAD).sum() == 3 * BAD
    panel.canvas.show_cells((1, 6), (2, 8))
    qtbot.wait(50)
    image = panel.canvas.viewport().grab().toImage()
    centre, cell = place(panel, 3, 5), place(panel, 4, 5).y() - place(panel, 3, 5).y()
    reach = range(-cell // 3, cell // 3)
    colours = {image.pixelColor(centre + QPoint(x, y)).name() for x in reach for y in reach}
    assert "#ffffff" in colours  # white between dark lines
    assert min(int(colour[1:3], 16) for colour in colours) < 60


def test_without_a_run_the_chip_of_the_bench_is_there_to_choose_cells(qtbot, session, panel):
    qtbot.waitUntil(lambda: panel.array.count() == 3, timeout=PATIENCE)
    assert panel.array.currentText() == "multiply"
    panel.array.setCurrentText("invert_negative")
    places = []

    def settled() -> bool:  # the axes take their room
        places.append(place(panel, 0, 0))
        return len(places) > 5 and len(set(map(str, places[-5:]))) == 1

    qtbot.waitUntil(settled, timeout=PATIENCE)
    with qtbot.waitSignal(session.cells_selected, timeout=PATIENCE) as told:
        drag(qtbot, panel, (0, 0), (31, 31))
    assert told.args == ["invert_negative", "0:32", "0:32"]
    click(qtbot, panel, 3, 3)
    assert not panel.history.canvas.isVisible()


def test_a_bench_that_is_not_there_is_said(qtbot, session, panel):
    session.set_bench("missing.toml")
    qtbot.waitUntil(lambda: "missing.toml" in panel.readout.text(), timeout=PATIENCE)
    assert not panel.array.isEnabled()


@pytest.mark.parametrize(
    "make", daily([run_samples.whole_run, run_samples.other_run, run_samples.empty_run], 2)
)
def test_runs_of_other_procedures(qtbot, session, panel, tmp_path, make):
    session.open_run(make(tmp_path / "run.h5"))
    qtbot.waitUntil(lambda: panel.complete, timeout=PATIENCE)
    if panel.grid is not None:
        click(qtbot, panel, 1, 1)
        assert not panel.history.canvas.isVisible()


@pytest.mark.thorough
def test_pulses_are_shown_as_they_come(qtbot, session, panel, writer, tmp_path):
    writer.tell("pulse")
    session.open_run(tmp_path / "live.h5")
    told = pulse_runs.PulseRun(tmp_path / "same.h5")  # the same seed
    told.pulse()
    for _ in range(3):

        def shown():
            return np.array_equal(panel.grid.conductance[np.ix_(*LINES)], told.conductance, equal_nan=True)

        qtbot.waitUntil(shown, timeout=PATIENCE)
        writer.tell("pulse")
        told.pulse()
    told.finish()


@pytest.mark.thorough
def test_the_history_of_a_cell_grows_while_it_is_watched(qtbot, session, panel, writer, tmp_path):
    writer.tell("pulse")
    session.open_run(tmp_path / "live.h5")
    qtbot.waitUntil(lambda: panel.complete, timeout=PATIENCE)
    click(qtbot, panel, int(LINES[0][0]), int(LINES[1][1]))
    qtbot.waitUntil(lambda: len(panel.history.history) > 0, timeout=PATIENCE)
    before = len(panel.history.history)
    for _ in range(4):
        writer.tell("pulse")
    qtbot.waitUntil(lambda: len(panel.history.history) > before + 3, timeout=PATIENCE)
    assert (np.diff(panel.history.history.time) > 0).all()


@pytest.mark.thorough
def test_the_panel_rests_when_the_run_is_over(qtbot, session, panel, writer, tmp_path):
    writer.tell("pulse")
    session.open_run(tmp_path / "live.h5")
    assert panel._timer.isActive()
    writer.end("finish")
    qtbot.waitUntil(lambda: not panel._timer.isActive(), timeout=PATIENCE)


@pytest.mark.thorough
def test_a_file_damaged_while_it_is_shown_leaves_the_panel_alive(qtbot, session, panel, writer, tmp_path):
    writer.tell("pulse")
    session.open_run(tmp_path / "live.h5")
    qtbot.waitUntil(lambda: panel.complete, timeout=PATIENCE)
    said = []
    session.message.connect(lambda level, text: said.append(text))
    writer.kill()
    path = tmp_path / "live.h5"
    path.write_bytes(path.read_bytes()[:2000])
    qtbot.waitUntil(lambda: bool(said), timeout=PATIENCE)
    click(qtbot, panel, 3, 4)
    panel.quantity.setCurrentText("pulses")
    assert panel.isVisible()


def test_another_run_takes_its_place(qtbot, session, panel, programmed, tmp_path):
    click(qtbot, panel, int(LINES[0][0]), int(LINES[1][0]))
    session.open_run(run_samples.whole_run(tmp_path / "solved.h5"))
    qtbot.waitUntil(lambda: panel.complete, timeout=PATIENCE)
    assert texts(panel.array) == ["invert_positive", "invert_negative", "multiply"]
    assert np.isfinite(panel.grid.conductance).any()
    assert panel.bar.selection.count == 0
    session.close_run()
    qtbot.waitUntil(lambda: panel.array.count() == 3, timeout=PATIENCE)
    assert np.isnan(panel.grid.conductance).all()


def test_everything_has_room_in_a_small_dock(panel):
    assert panel.minimumSizeHint().width() <= 760
    assert panel.minimumSizeHint().height() <= 420


def test_map_and_history_follow_the_theme(qtbot, panel, programmed):
    click(qtbot, panel, int(LINES[0][0]), int(LINES[1][4]))
    try:
        for choice, wanted in (("dark", widgets.DARK), ("light", widgets.LIGHT)):
            widgets.choose(choice)
            qtbot.wait(20)
            for canvas in (panel.canvas, panel.history.canvas):
                assert canvas.backgroundBrush().color().name().upper() == wanted.ground.upper()
    finally:
        widgets.choose("system")


LOST = {
    "lost_by_pulses": 2,
    "lost_cells": [
        {"array": array, "row": 4, "column": 6, "cause": "over-voltage", "stress": "4.5 V on the bit line"}
        for array in ("multiply", "gone")  # a file may name what the chip does not have
    ],
}


def test_cells_that_the_run_destroyed_are_hatched_and_said_once_it_has_ended(qtbot, session, panel, tmp_path):
    run = pulse_runs.PulseRun(tmp_path / "run.h5")
    run.pulse()
    run.image()
    run.writer.flush()
    session.open_run(tmp_path / "run.h5")
    qtbot.waitUntil(lambda: panel.images_shown, timeout=PATIENCE)
    assert not panel.canvas.marks[4, 6] & BAD
    run.writer.set_result(LOST)
    run.finish()
    qtbot.waitUntil(lambda: bool(panel.canvas.marks[4, 6] & BAD), timeout=PATIENCE)
    assert (panel.canvas.marks & BAD).sum() == 4 * BAD
    point(qtbot, panel, 4, 6)
    qtbot.waitUntil(lambda: "row 4, column 6" in panel.readout.text(), timeout=PATIENCE)
    assert "destroyed by this run's own pulses (over-voltage, 4.5 V on the bit line)" in panel.readout.text()
    assert "known to be bad" not in panel.readout.text()
    session.open_run(tmp_path / "run.h5")  # and when it is opened afterwards
    qtbot.waitUntil(lambda: bool(panel.canvas.marks[4, 6] & BAD), timeout=PATIENCE)
