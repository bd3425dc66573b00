"""The panel of signals: tables, waveforms and declared figures, live, saved as they are seen."""

import csv
import re
from dataclasses import replace

import numpy as np
import pyqtgraph as pg
import pytest
import run_samples
from daily import daily
from figure_samples import write_samples
from PySide6.QtCore import Qt
from signal_steps import choices, choose, curves, legend, settle, write_sweeps, write_waveforms
from window_steps import PATIENCE

import mho
from mho.analysis import palette
from mho.gui.pictures import NO_CELL
from mho.runs import Column, Figure, Layout, Map, ReferencePoints, RunFile, RunHeader, RunWriter, Table


def test_the_default_table_is_shown_as_its_procedure_declared_it(show, panel, tmp_path):
    show(run_samples.other_run(tmp_path / "sweep.h5"))
    fields = panel.fields
    assert (fields.table.currentText(), fields.y_column.currentText()) == ("points", "current")
    ((voltage, current),) = curves(panel)
    np.testing.assert_allclose(voltage, np.linspace(0.0, 1.0, 11))
    np.testing.assert_allclose(current, voltage * 1e-5)
    assert panel.figure_plot.getAxis("left").labelUnits == "A"
    assert panel.figure_plot.getAxis("bottom").labelUnits == "V"


def test_the_user_chooses_table_and_columns(show, panel, solved):
    show(solved)
    assert panel.fields.table.currentText() == "cycles"
    choose(panel, panel.fields.y_column, "residual")
    choose(panel, panel.fields.x_column, "time")
    ((time, residual),) = curves(panel)
    np.testing.assert_allclose(time, np.arange(1, 6))
    np.testing.assert_allclose(residual, 0.05 ** np.arange(1, 6))
    assert "solution" in choices(panel.fields.y_column)  # a vector a row


def test_waveforms_are_laid_over_one_another_the_newest_last(show, panel, tmp_path):
    show(write_waveforms(tmp_path / "run.h5"))
    drawn = curves(panel)
    assert len(drawn) == 8
    np.testing.assert_allclose(drawn[-1][0], np.arange(50) * 1e-9)
    np.testing.assert_allclose(drawn[-1][1], 11 * np.exp(-np.arange(50) / 10))


def test_errors_that_fall_by_powers_of_ten_begin_on_a_logarithmic_axis(qtbot, session, show, panel, solved):
    show(solved)
    (item,) = panel.figure_plot.drawn
    assert panel.fields.log_y.isChecked()
    np.testing.assert_allclose(item.getData()[1], np.log10(1.2 * 0.05 ** np.arange(1, 6)), rtol=1e-6)
    assert panel.figure_plot.getAxis("left").labelText == "relative error"
    panel.fields.log_y.setFocus()
    qtbot.keyClick(panel.fields.log_y, Qt.Key.Key_Space)
    settle(panel)
    session.run_news.emit(None)
    settle(panel)
    assert not panel.fields.log_y.isChecked()  # the user's choice stays
    assert not panel.figure_plot.log[1]


def test_i_v_curves_are_told_apart_with_their_cells_in_the_legend(show, panel, tmp_path):
    show(write_sweeps(tmp_path / "sweeps.h5"))
    found = curves(panel)
    assert len(found) == 3
    np.testing.assert_allclose(found[2][0][:5], np.linspace(-0.5, 0.5, 11)[:5])
    np.testing.assert_allclose(found[2][1][:5], 3e-5 * np.linspace(0.5, -0.5, 11)[:5])  # magnitudes
    assert legend(panel) == ["[0, 0], sweep 0", "[0, 1], sweep 1", "[3, 2], sweep 2"]
    assert panel.figure_plot.getAxis("left").labelText == "|current|"
    assert panel.fields.log_y.isChecked()


def test_of_many_curves_the_newest_are_shown_and_the_others_are_told(show, panel, tmp_path):
    show(write_sweeps(tmp_path / "sweeps.h5", [(0, column) for column in range(120)]))
    choose(panel, panel.rows, "newest 1 000 rows")
    assert len(curves(panel)) == 91
    assert "newest 1000 of 1320 rows, 91 curves" in panel.figure_plot.plotItem.titleLabel.text


def test_a_table_of_several_curves_may_still_be_empty(show, panel, tmp_path):
    show(write_sweeps(tmp_path / "sweeps.h5", cells=()))
    assert curves(panel) == []
    assert panel.figure_plot.plotItem.titleLabel.text == "no rows yet"


def test_an_axis_that_counts_has_whole_numbers_only(show, panel, solved):
    show(solved)
    spacings = panel.figure_plot.getAxis("bottom").tickSpacing(1.0, 3.0, 500.0)
    assert all(spacing == round(spacing) for spacing, _ in spacings)


@pytest.mark.thorough
def test_rows_appear_as_they_come(qtbot, show, panel, writer, tmp_path):
    writer.tell("cycle")
    show(tmp_path / "live.h5")
    assert len(curves(panel)[0][0]) == 1
    writer.tell("cycle")
    qtbot.waitUntil(lambda: len(curves(panel)[0][0]) == 2, timeout=PATIENCE)


def test_a_long_table_is_read_at_its_end_only(show, panel, tmp_path):
    table = Table("points", (Column("time", "s"), Column("current", "A")), "current", "time")
    with RunWriter.create(tmp_path / "run.h5", RunHeader("Long", "Long", "1", {}), Layout((table,))) as run:
        run.emit_block("points", {"time": np.arange(50_000.0), "current": np.ones(50_000)})
    show(tmp_path / "run.h5")
    ((time, _),) = curves(panel)
    assert (time[0], time[-1]) == (40_000.0, 49_999.0)
    choose(panel, panel.rows, "newest 1 000 rows")
    assert len(curves(panel)[0][0]) == 1000


# --- figures ---


DRIFT = Figure("drift", table="points", x="time", y="current", y_scale="log", title="Drift of a cell")
SPREAD = Figure("spread", kind="histogram", table="points", x="current")
HEAT = Figure("heat", map="heat")


def begin(path, *figures):
    """Begin a run of a procedure that declares figures."""
    table = Table("points", (Column("time", "s"), Column("current", "A")))
    image = Map("heat", "K", np.arange(3), np.arange(4))
    layout = Layout((table,), (image,), figures=figures)
    return RunWriter.create(path, RunHeader("Drift", "Drift", "1", {}), layout)


def emit(writer, *currents):
    for place, current in enumerate(currents):
        writer.emit("points", time=float(place), current=current)
    writer.flush()


@pytest.mark.thorough
def test_the_first_declared_figure_is_shown_and_grows(show, qtbot, session, panel, tmp_path):
    with begin(tmp_path / "run.h5", DRIFT, SPREAD) as writer:
        show(writer.path)
        assert choices(panel.figure) == ["Drift of a cell", "spread", "own plot"]
        assert panel.figure_plot.plotItem.titleLabel.text == "no rows yet"
        assert panel.fields.isHidden()
        emit(writer, 1e-6, -2e-6)
        qtbot.waitUntil(lambda: len(curves(panel)) == 1, timeout=PATIENCE)
        ((time, current),) = curves(panel)
        np.testing.assert_array_equal(time, [0.0, 1.0])
        np.testing.assert_array_equal(current, [1e-6, 2e-6])
        assert panel.figure_plot.getAxis("left").labelText == "|current|"
        assert panel.figure_plot.getAxis("left").logMode


def test_a_histogram_and_images_are_drawn_too(show, qtbot, session, panel, tmp_path):
    with begin(tmp_path / "run.h5", SPREAD, HEAT) as writer:
        emit(writer, 1.0, 1.0, 3.0)
        writer.snapshot("heat", np.arange(12.0).reshape(3, 4))
    show(tmp_path / "run.h5")
    ((edges, counts),) = curves(panel)
    np.testing.assert_array_equal(edges, [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_array_equal(counts, [2, 0, 1])

    choose(panel, panel.figure, "heat")
    assert panel.shown.currentWidget() is panel.images
    (picture,) = panel.images.pictures
    np.testing.assert_array_equal(picture.values, np.arange(12.0).reshape(3, 4))


def test_all_numbers_of_an_image_s_scale_are_seen(show, qtbot, session, panel, tmp_path):
    with begin(tmp_path / "run.h5", HEAT) as writer:
        writer.snapshot("heat", np.arange(12.0).reshape(3, 4) * -1.5e7)
    show(tmp_path / "run.h5")
    choose(panel, panel.figure, "heat")
    (bar,) = [one for one in panel.images.ci.items if isinstance(one, pg.ColorBarItem)]
    for _ in range(2):  # the first measures them
        panel.images.grab()
        qtbot.wait(1)
    assert 40 < bar.axis.textWidth < bar.axis.width()


def test_a_plane_has_equal_axes_and_published_points_and_a_picture_is_grey(
    show, qtbot, session, panel, tmp_path
):
    points = (ReferencePoints((0.0, 1.0), (2.0, 3.0), "published"),)
    plane = Figure("plane", kind="scatter", table="points", x="time", y="current", equal=True, points=points)
    with begin(tmp_path / "run.h5", plane, replace(HEAT, colours="grey"), DRIFT) as writer:
        emit(writer, 1.0, 4.0)
        writer.snapshot("heat", np.arange(12.0).reshape(3, 4))
    show(tmp_path / "run.h5")
    view = panel.figure_plot.plotItem.getViewBox()
    published, own = curves(panel)
    assert (published[1].tolist(), own[1].tolist()) == ([2.0, 3.0], [1.0, 4.0])
    assert view.state["aspectLocked"]
    choose(panel, panel.figure, "heat")
    (image,) = [
        item
        for item in panel.images.scene().items()
        if isinstance(item, pg.ImageItem) and item.image.ndim == 2 and item.image.shape == (3, 4)
    ]
    assert (np.ptp(image.lut, axis=1)[:NO_CELL] == 0).all()
    choose(panel, panel.figure, "Drift of a cell")
    assert not view.state["aspectLocked"]


@pytest.mark.thorough
def test_levels_that_are_misread_and_shares_with_intervals_are_drawn_too(
    show, qtbot, session, panel, tmp_path
):
    show(write_samples(tmp_path / "run.h5"))
    choose(panel, panel.figure, "Levels wanted and read")
    (picture,) = panel.images.pictures
    assert picture.name == "2 of 256 misread"
    texts = [item for item in panel.images.scene().items() if isinstance(item, pg.TextItem)]
    assert sum(int(text.toPlainText()) for text in texts) == 256
    assert picture.values[3, 6] == pytest.approx(1 / 36)  # one of the cells of level 3 is read as 6

    choose(panel, panel.figure, "Bit error rate")
    whiskers, curve, *others = panel.figure_plot.drawn
    _, share = curve.getOriginalDataset()
    np.testing.assert_allclose(share, 0.14, atol=1e-3)
    _, ends = whiskers.getOriginalDataset()
    assert (ends[::2] < share).all()
    assert (ends[1::2] > share).all()
    assert any(one.opts["symbol"] == "t" for one in others)  # no error was found at the last

    choose(panel, panel.figure, "Correlation of errors between cells, less each level's median")
    assert legend(panel) == ["along rows", "along columns", "95 % of maps without any"]


def test_the_user_may_choose_columns_of_a_run_that_declares_figures(show, qtbot, session, panel, tmp_path):
    with begin(tmp_path / "run.h5", DRIFT) as writer:
        emit(writer, 1.0, 3.0)
    show(tmp_path / "run.h5")
    choose(panel, panel.figure, "own plot")
    assert not panel.fields.isHidden()
    assert panel.minimumSizeHint().width() < 1100  # in a window of 1280 with no scrolling, longer names too
    assert panel.shown.currentWidget() is panel.figure_plot
    ((_, current),) = curves(panel)
    np.testing.assert_array_equal(current, [1.0, 3.0])


def test_a_run_from_before_there_were_figures_offers_what_it_would_have(show, qtbot, session, panel, solved):
    show(solved)
    assert choices(panel.figure) == [
        "Convergence", "Levels of the programmed cells", "Conductance errors", "Wrong integers by cycle",
        "Pulses per cell", "Cumulative share of the cells, by level", "Levels wanted and read",
        "Share of the cells inside their window", "Share of the cells finished, by pulses and level",
        "Correlation of errors between cells, less each level's median", "own plot",
    ]  # fmt: skip
    choose(panel, panel.figure, "Convergence")
    assert legend(panel) == ["3 bits a cycle", "forecast, rho = 0.05", "residual", "relative error"]


@pytest.mark.thorough
def test_the_same_figure_of_earlier_runs_lies_over_it_in_the_colours_of_the_list(
    show, qtbot, session, panel, tmp_path
):
    for name in ("now", "before", "without"):
        with begin(tmp_path / f"{name}.h5", DRIFT) as writer:
            emit(writer, 1.0, 3.0)
    show(tmp_path / "now.h5")
    panel.overlays.lay_over(tmp_path / "before.h5")
    panel.overlays.lay_over(tmp_path / "without.h5")
    qtbot.waitUntil(lambda: len(curves(panel)) == 3, timeout=PATIENCE)
    (before,) = panel.overlays.list.findItems("before", Qt.MatchFlag.MatchStartsWith)
    before.setCheckState(Qt.CheckState.Unchecked)
    settle(panel)
    colours = [item.opts["pen"].color().name().upper() for item in panel.figure_plot.drawn]
    assert colours == [palette.SERIES[0], palette.SERIES[2]]


def test_small_numbers_without_a_unit_are_written_as_they_are(show, session, panel, tmp_path):
    table = Table("points", (Column("number"), Column("share")))
    with RunWriter.create(tmp_path / "run.h5", RunHeader("Small", "Small", "1", {}), Layout((table,))) as run:
        run.emit_block("points", {"number": np.arange(5.0), "share": 1e-4 * np.arange(-2.0, 3.0)})
    show(tmp_path / "run.h5")
    panel._show(anew=True)  # once more, now that the axis is at its place
    settle(panel)
    axis = panel.figure_plot.getAxis("left")
    assert axis.autoSIPrefixScale == 1.0


def test_runs_with_nothing_to_show(show, session, panel, tmp_path):
    show(run_samples.empty_run(tmp_path / "empty.h5"))
    assert panel.figure_plot.plotItem.titleLabel.text == "this run has no table of numbers"
    session.close_run()
    settle(panel)
    assert panel.figure_plot.plotItem.titleLabel.text == "no run is shown"
    assert curves(panel) == []


@pytest.mark.parametrize("kind", daily(["scatter", "lines", "steps", "errorbars"], 1))
def test_a_curve_of_which_no_point_can_be_shown_is_left_out_and_the_window_lives(
    show, kind, qtbot, session, panel, tmp_path
):
    columns = (Column("ramped", "V"), Column("share"), Column("fit"))
    layout = Layout(
        (Table("formed", columns, "share", "ramped"),),
        figures=(Figure("formed", kind=kind, table="formed", x="ramped", y=("share", "fit"), y_scale="log"),),
    )
    path = tmp_path / "none.h5"
    with RunWriter.create(path, RunHeader("Form", "Form", "1", {}), layout) as run:
        for volts in (2.0, 2.5, 3.0):
            run.emit("formed", ramped=volts, share=volts / 3.0, fit=np.nan)  # too few cells for a fit
    show(path)
    qtbot.wait(100)  # exceptions while it is painted fail the test
    shown = [item.getOriginalDataset()[1] for item in panel.figure_plot.drawn]
    assert shown
    assert all(np.isfinite(values).any() for values in shown)


@pytest.fixture
def swept_run(tmp_path):
    path = tmp_path / "iv.h5"
    mho.run(mho.IV(rows="0", columns="0:2"), "arrays", seed=1, output=path)
    return path


@pytest.mark.parametrize("suffix", daily(["pdf", "svg", "png"], 1))
def test_a_figure_is_saved_at_the_width_of_a_column(show, panel, session, swept_run, tmp_path, suffix, qtbot):
    show(swept_run)
    said = []
    session.message.connect(lambda level, text, _: said.append((level, text)))
    panel.picture_width.setCurrentText("column, 85 mm")
    target = tmp_path / f"figure.{suffix}"
    panel.save_as(target)
    qtbot.waitUntil(lambda: bool(said), timeout=PATIENCE)
    assert said == [("INFO", f"saved as {target}")]
    assert target.stat().st_size > 1000
    if suffix == "svg":
        (width,) = re.findall(r'<svg[^>]* width="([\d.]+)pt"', target.read_text("utf-8"))
        assert float(width) == pytest.approx(85.0 / 25.4 * 72.0, abs=1.0)


def test_the_numbers_of_a_figure_are_saved_with_those_of_the_runs_over_it(
    show, panel, session, swept_run, tmp_path, qtbot
):
    other = tmp_path / "other.h5"
    mho.run(mho.IV(rows="3", columns="0"), "arrays", seed=2, output=other)
    show(swept_run)
    panel.overlays.lay_over(other)
    settle(panel)
    panel.save_as(tmp_path / "numbers.csv")
    qtbot.waitUntil((tmp_path / "numbers.csv").exists, timeout=PATIENCE)
    with (tmp_path / "numbers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["run"] for row in rows} == {"iv", "other"}
    with RunFile(swept_run) as run:
        voltage, current = (np.sort(np.abs(run.column("sweeps", name))) for name in ("voltage", "current"))
    mine = [row for row in rows if row["run"] == "iv"]
    assert max(float(row["x"]) for row in mine) == pytest.approx(voltage[-1])
    assert max(float(row["y"]) for row in mine if row["y"]) == pytest.approx(current[-1])


def test_columns_of_the_users_choice_are_saved_as_seen(show, panel, session, tmp_path, qtbot):
    show(write_waveforms(tmp_path / "run.h5"))
    choose(panel, panel.fields.y_column, "peak")
    said = []
    session.message.connect(lambda level, text, _: said.append((level, text)))
    panel.save_as(tmp_path / "peak.csv")
    qtbot.waitUntil((tmp_path / "peak.csv").exists, timeout=PATIENCE)
    with (tmp_path / "peak.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["y"]) for row in rows] == list(range(12))
    panel.save_as(tmp_path / "no-folder" / "peak.csv")
    qtbot.waitUntil(lambda: len(said) == 2, timeout=PATIENCE)
    assert said[1][0] == "ERROR"
    assert "cannot be written" in said[1][1]


def test_all_rows_of_a_long_table_are_seen_thinned_and_no_outlier_is_lost(show, panel, tmp_path):
    count = 1_500_000
    current = np.ones(count)
    current[777_777] = 5.0
    table = Table("points", (Column("time", "s"), Column("current", "A")), "current", "time")
    with RunWriter.create(tmp_path / "run.h5", RunHeader("Long", "Long", "1", {}), Layout((table,))) as run:
        run.emit_block("points", {"time": np.arange(float(count)), "current": current})
    show(tmp_path / "run.h5")
    choose(panel, panel.rows, "all rows")
    ((time, shown),) = curves(panel)
    assert len(time) <= 20_000
    assert time[0] < 300.0
    assert time[-1] > count - 300.0
    assert time[np.argmax(shown)] == 777_777
    assert "lowest and highest of every" in panel.figure_plot.plotItem.titleLabel.text


@pytest.mark.parametrize("log", [False, True])
def test_a_picture_is_saved_as_it_is_seen_where_the_user_has_moved_the_view(
    show, panel, monkeypatch, told, tmp_path, qtbot, log
):
    import mho.analysis.figures.sheet as sheet

    show(run_samples.other_run(tmp_path / "sweep.h5"))
    panel.fields.log_x.setChecked(log)
    settle(panel)
    saved, save = [], sheet.save
    monkeypatch.setattr(
        sheet, "save", lambda drawn, *rest, **more: [saved.append(drawn), save(drawn, *rest, **more)]
    )
    low, high = (-0.5, -0.1) if log else (0.2, 0.6)
    panel.figure_plot.setXRange(low, high, padding=0.0)
    panel.figure_plot.setYRange(1e-6, 5e-6, padding=0.0)
    panel.save_as(tmp_path / "seen.png")
    qtbot.waitUntil(lambda: bool(told), timeout=PATIENCE)
    (axes,) = saved[0].axes
    assert axes.get_xlim() == pytest.approx((10.0**low, 10.0**high) if log else (low, high))
    assert axes.get_ylim() == pytest.approx((1.0, 5.0))  # in µA
    assert (tmp_path / "seen.png").stat().st_size > 1000


def test_an_own_plot_is_saved_with_its_fit_and_the_runs_over_it(show, panel, told, tmp_path, qtbot):
    show(write_sweeps(tmp_path / "one.h5"))
    panel.overlays.lay_over(write_sweeps(tmp_path / "two.h5"))
    settle(panel)
    choose(panel, panel.fields.by, "one curve")
    choose(panel, panel.fields.fit, "linear")
    panel.picture_width.setCurrentIndex(2)
    panel.save_as(tmp_path / "own.svg")
    qtbot.waitUntil(lambda: bool(told), timeout=PATIENCE)
    text = (tmp_path / "own.svg").read_text("utf-8")
    assert ">one: " in text
    assert ">two: " in text
    assert "current| (µA)" in text
    assert ">fit: one: at 0" in text
    panel.save_as(tmp_path / "own.gif")
    qtbot.waitUntil(lambda: len(told) == 2, timeout=PATIENCE)
    assert told[1] == ("ERROR", told[1][1])
    assert "name one ending in .png, .svg or .pdf" in told[1][1]


def test_the_picture_is_copied(show, panel, told, tmp_path, qtbot):
    from PySide6.QtGui import QGuiApplication

    show(run_samples.other_run(tmp_path / "sweep.h5"))
    qtbot.mouseClick(panel.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().pixmap().width() == panel.shown.width()
    assert told == [("INFO", "the picture is in the clipboard")]
