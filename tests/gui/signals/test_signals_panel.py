"""The panel of signals: what a user can have shown of tables, waveforms, and earlier runs."""

import csv
import re
from dataclasses import replace

import numpy as np
import pyqtgraph as pg
import pytest
import run_samples
from daily import daily
from figure_samples import write_samples
from PySide6.QtCore import QPointF, Qt
from window_steps import PATIENCE

import mho
from mho.analysis import palette
from mho.gui.pictures import NO_CELL
from mho.gui.session.session import Session
from mho.gui.signals.panel import MOST_OVERLAID, SignalsPanel
from mho.runs import Column, Figure, Layout, Map, ReferencePoints, RunFile, RunHeader, RunWriter, Table


@pytest.fixture
def session(tmp_path, qapp):
    made = Session(tmp_path)
    yield made
    made.close()


@pytest.fixture
def panel(session, qtbot):
    made = SignalsPanel(session)
    qtbot.addWidget(made)
    made.resize(1000, 520)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close_down()


def write_waveforms(path, rows=12, samples=50):
    """Write pulses as waveforms: a voltage over time a row, and its peak."""
    table = Table(
        "shots",
        (
            Column("number", dtype="u4"), Column("peak", "V"), Column("when", "s", shape=(samples,)),
            Column("voltage", "V", shape=(samples,)),
        ),
        "voltage",
        "when",
    )  # fmt: skip
    with RunWriter.create(path, RunHeader("Pulses", "Pulse", "1", {}), Layout((table,))) as run:
        for number in range(rows):
            when = np.arange(samples) * 1e-9
            run.emit(
                "shots",
                number=number,
                peak=float(number),
                when=when,
                voltage=number * np.exp(-when / 1e-8),
            )
    return path


def choices(box):
    return [box.itemText(place) for place in range(box.count())]


def curves(panel):
    return [item.getOriginalDataset() for item in panel.plot.drawn]


def choose(qtbot, box, text):
    """Choose with the arrow keys, as a user does."""
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Home)
    for _ in range(box.count()):
        if box.currentText() == text:
            return
        qtbot.keyClick(box, Qt.Key.Key_Down)
    raise AssertionError(f"{text} is not offered: {choices(box)}")


def test_the_default_table_is_shown_as_its_procedure_declared_it(session, panel, tmp_path):
    session.open_run(run_samples.other_run(tmp_path / "sweep.h5"))

    assert (panel.table.currentText(), panel.signal.currentText()) == ("points", "current")
    ((voltage, current),) = curves(panel)
    np.testing.assert_allclose(voltage, np.linspace(0.0, 1.0, 11))
    np.testing.assert_allclose(current, voltage * 1e-5)
    assert panel.plot.getAxis("left").labelUnits == "A"
    assert panel.plot.getAxis("bottom").labelUnits == "V"


def test_the_user_chooses_table_signal_and_axis(qtbot, session, panel, solved):
    session.open_run(solved)
    assert panel.table.currentText() == "cycles"
    choose(qtbot, panel.signal, "residual")
    choose(qtbot, panel.axis, "time")

    ((time, residual),) = curves(panel)
    np.testing.assert_allclose(time, np.arange(1, 6))
    np.testing.assert_allclose(residual, 0.05 ** np.arange(1, 6))
    assert "solution" in choices(panel.signal)  # a vector a row
    assert "solution" not in choices(panel.axis)


def test_waveforms_are_laid_over_one_another_the_newest_last(session, panel, tmp_path):
    session.open_run(write_waveforms(tmp_path / "run.h5"))

    shown = curves(panel)
    assert len(shown) == 8
    np.testing.assert_allclose(shown[-1][0], np.arange(50) * 1e-9)
    np.testing.assert_allclose(shown[-1][1], 11 * np.exp(-np.arange(50) / 10))
    assert choices(panel.axis) == ["sample", "when"]


def write_sweeps(path, cells=((0, 0), (0, 1), (3, 2)), ways=11):
    """Write I-V curves of some cells, one after the other, a table of several curves."""
    table = Table(
        "sweeps",
        (
            Column("sweep", dtype="u4"), Column("row", dtype="u2"), Column("column", dtype="u2"),
            Column("voltage", "V"), Column("current", "A"),
        ),
        "current",
        "voltage",
        series="sweep",
    )  # fmt: skip
    with RunWriter.create(path, RunHeader("Sweeps", "Sweep", "1", {}), Layout((table,))) as run:
        for number, (row, column) in enumerate(cells):
            for volts in np.linspace(-0.5, 0.5, ways):
                run.emit(
                    "sweeps",
                    sweep=number,
                    row=row,
                    column=column,
                    voltage=volts,
                    current=volts * 1e-5 * (number + 1),
                )
    return path


def test_errors_that_fall_by_powers_of_ten_are_shown_on_a_logarithmic_axis(qtbot, session, panel, solved):
    session.open_run(solved)

    (item,) = panel.plot.drawn
    assert panel.log_y.isChecked()
    np.testing.assert_allclose(item.getData()[1], np.log10(1.2 * 0.05 ** np.arange(1, 6)), rtol=1e-6)
    assert panel.plot.getAxis("left").labelText == "relative error"
    panel.log_y.setFocus()
    qtbot.keyClick(panel.log_y, Qt.Key.Key_Space)
    session.run_news.emit(None)
    panel._look()
    assert not panel.log_y.isChecked()  # the user's choice stays


def test_i_v_curves_are_told_apart_with_their_cells_in_the_legend(session, panel, tmp_path):
    session.open_run(write_sweeps(tmp_path / "sweeps.h5"))

    found = curves(panel)
    assert len(found) == 3
    np.testing.assert_allclose(found[2][0][:5], np.linspace(-0.5, 0.5, 11)[:5])
    np.testing.assert_allclose(found[2][1][:5], 3e-5 * np.linspace(0.5, -0.5, 11)[:5])  # magnitudes
    legend = [label.text for _, label in panel.plot.plotItem.legend.items]
    assert legend == ["[0, 0], sweep 0", "[0, 1], sweep 1", "[3, 2], sweep 2"]
    assert panel.plot.getAxis("left").labelText == "|current|"
    assert panel.log_y.isChecked()


def test_of_many_curves_the_newest_are_shown_and_none_of_them_in_part(session, panel, tmp_path):
    session.open_run(write_sweeps(tmp_path / "sweeps.h5", [(0, column) for column in range(120)]))
    panel.rows.setCurrentIndex(0)  # the newest 1000 rows: 90 sweeps and the end of another

    assert [len(voltage) for voltage, _ in curves(panel)] == [11] * 8
    panel.signal.setCurrentText("row")  # 120 sweeps over the voltage
    assert len(curves(panel)) == 8


def test_a_table_of_several_curves_may_still_be_empty(session, panel, tmp_path):
    session.open_run(write_sweeps(tmp_path / "sweeps.h5", cells=()))
    assert curves(panel) == []


def test_an_axis_that_counts_has_whole_numbers_only(session, panel, solved):
    session.open_run(solved)
    axis = panel.plot.getAxis("bottom")
    spacings = axis.tickSpacing(1.0, 3.0, 500.0)
    assert all(spacing == round(spacing) for spacing, _ in spacings)


def test_cursors_read_the_curve_with_units(qtbot, session, panel, tmp_path):
    session.open_run(run_samples.other_run(tmp_path / "sweep.h5"))
    panel.cursors.setFocus()
    qtbot.keyClick(panel.cursors, Qt.Key.Key_Space)
    for cursor, place in zip(panel.plot.cursors, (0.21, 0.79), strict=True):
        cursor.setValue(place)  # as dragging does

    text = panel.readout.text()
    assert text.startswith("A  200 mV, 2 µA")
    assert "B  800 mV, 8 µA" in text
    assert "B − A  600 mV, 6 µA" in text
    qtbot.keyClick(panel.cursors, Qt.Key.Key_Space)
    assert panel.readout.text() == ""


@pytest.mark.parametrize("log", [False, True])
def test_cursors_stand_within_the_curves(session, panel, solved, log):
    session.open_run(solved)
    panel.log_x.setChecked(log)
    panel.cursors.setChecked(True)

    first, last = (np.log10([1.0, 5.0])) if log else (1.0, 5.0)
    a, b = (cursor.value() for cursor in panel.plot.cursors)
    assert first < a < b < last


def test_a_cursor_can_be_dragged(qtbot, session, panel, tmp_path):
    session.open_run(run_samples.other_run(tmp_path / "sweep.h5"))
    panel.cursors.setChecked(True)
    view, cursor = panel.plot, panel.plot.cursors[0]
    view.grab()  # only what was drawn knows how wide its axes are
    qtbot.wait(50)

    def place(value):
        middle = sum(view.viewRange()[1]) / 2
        return view.mapFromScene(view.plotItem.vb.mapViewToScene(QPointF(value, middle)))

    start, end = place(cursor.value()), place(0.9)
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=start)
    for share in (0.5, 1.0):
        qtbot.wait(20)
        qtbot.mouseMove(view.viewport(), start + (end - start) * share)
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=end)

    assert cursor.value() == pytest.approx(0.9, abs=0.05)


@pytest.mark.thorough
def test_rows_appear_as_they_come(qtbot, session, panel, writer, tmp_path):
    writer.tell("cycle")
    session.open_run(tmp_path / "live.h5")
    assert len(curves(panel)[0][0]) == 1
    writer.tell("cycle")
    qtbot.waitUntil(lambda: len(curves(panel)[0][0]) == 2, timeout=PATIENCE)


@pytest.mark.thorough
def test_earlier_runs_lie_over_this_one_and_follow_its_columns(qtbot, session, panel, tmp_path):
    session.open_run(run_samples.whole_run(tmp_path / "now.h5"))
    panel.overlays.lay_over(run_samples.whole_run(tmp_path / "before.h5", cycles=3))
    qtbot.waitUntil(lambda: len(curves(panel)) == 2, timeout=PATIENCE)
    assert sorted(len(x) for x, _ in curves(panel)) == [3, 5]

    choose(qtbot, panel.signal, "residual")
    qtbot.waitUntil(lambda: len(curves(panel)) == 2, timeout=PATIENCE)
    np.testing.assert_allclose(curves(panel)[1][1], 0.05 ** np.arange(1, 4))

    panel.overlays.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert len(curves(panel)) == 1
    panel.overlays.list.setCurrentRow(0)
    qtbot.mouseClick(panel.overlays.remove, Qt.MouseButton.LeftButton)
    assert panel.overlays.list.count() == 0


def test_there_is_an_end_to_laying_over(session, panel, solved, tmp_path):
    told = []
    session.message.connect(lambda level, text: told.append(text))
    session.open_run(solved)
    for number in range(MOST_OVERLAID + 1):
        panel.overlays.lay_over(tmp_path / f"{number}.h5")

    assert panel.overlays.list.count() == MOST_OVERLAID
    assert not panel.overlays.add.isEnabled()
    assert any("remove one first" in text for text in told)


def test_an_overlay_without_such_a_table_is_told(qtbot, session, panel, solved, tmp_path):
    told = []
    session.message.connect(lambda level, text: told.append(text))
    session.open_run(solved)
    panel.overlays.lay_over(run_samples.other_run(tmp_path / "sweep.h5"))

    qtbot.waitUntil(lambda: bool(told), timeout=PATIENCE)
    assert "no table 'cycles'" in told[0]


def test_a_long_table_is_read_at_its_end_only(qtbot, session, panel, tmp_path):
    table = Table("points", (Column("time", "s"), Column("current", "A")), "current", "time")
    with RunWriter.create(tmp_path / "run.h5", RunHeader("Long", "Long", "1", {}), Layout((table,))) as run:
        run.emit_block("points", {"time": np.arange(50_000.0), "current": np.ones(50_000)})
    session.open_run(tmp_path / "run.h5")

    ((time, _),) = curves(panel)
    assert (time[0], time[-1]) == (40_000.0, 49_999.0)
    choose(qtbot, panel.rows, "newest 1 000 rows")
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


def drawn(panel):
    return [item.getOriginalDataset() for item in panel.figure_plot.drawn]


@pytest.mark.thorough
def test_the_first_declared_figure_is_shown_and_grows(qtbot, session, panel, tmp_path):
    with begin(tmp_path / "run.h5", DRIFT, SPREAD) as writer:
        session.open_run(writer.path)
        assert choices(panel.figure) == ["Drift of a cell", "spread", "columns of a table"]
        assert panel.figure_plot.plotItem.titleLabel.text == "Drift of a cell, no rows yet"
        assert panel.table.isHidden()
        emit(writer, 1e-6, -2e-6)
        qtbot.waitUntil(lambda: len(drawn(panel)) == 1, timeout=PATIENCE)
        ((time, current),) = drawn(panel)
        np.testing.assert_array_equal(time, [0.0, 1.0])
        np.testing.assert_array_equal(current, [1e-6, 2e-6])
        assert panel.figure_plot.getAxis("left").labelText == "|current|"
        assert panel.figure_plot.getAxis("left").logMode


def test_a_histogram_and_images_are_drawn_too(qtbot, session, panel, tmp_path):
    with begin(tmp_path / "run.h5", SPREAD, HEAT) as writer:
        emit(writer, 1.0, 1.0, 3.0)
        writer.snapshot("heat", np.arange(12.0).reshape(3, 4))
    session.open_run(tmp_path / "run.h5")
    ((edges, counts),) = drawn(panel)
    np.testing.assert_array_equal(edges, [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_array_equal(counts, [2, 0, 1])

    choose(qtbot, panel.figure, "heat")
    assert panel.shown.currentWidget() is panel.images
    (picture,) = panel.images.pictures
    np.testing.assert_array_equal(picture.values, np.arange(12.0).reshape(3, 4))


def test_all_numbers_of_an_image_s_scale_are_seen(qtbot, session, panel, tmp_path):
    with begin(tmp_path / "run.h5", HEAT) as writer:
        writer.snapshot("heat", np.arange(12.0).reshape(3, 4) * -1.5e7)
    session.open_run(tmp_path / "run.h5")
    choose(qtbot, panel.figure, "heat")
    (bar,) = [one for one in panel.images.ci.items if isinstance(one, pg.ColorBarItem)]
    for _ in range(2):  # the first measures them
        panel.images.grab()
        qtbot.wait(1)
    assert 40 < bar.axis.textWidth < bar.axis.width()


def test_a_plane_has_equal_axes_and_published_points_and_a_picture_is_grey(qtbot, session, panel, tmp_path):
    points = (ReferencePoints((0.0, 1.0), (2.0, 3.0), "published"),)
    plane = Figure("plane", kind="scatter", table="points", x="time", y="current", equal=True, points=points)
    with begin(tmp_path / "run.h5", plane, replace(HEAT, colours="grey"), DRIFT) as writer:
        emit(writer, 1.0, 4.0)
        writer.snapshot("heat", np.arange(12.0).reshape(3, 4))
    session.open_run(tmp_path / "run.h5")
    view = panel.figure_plot.plotItem.getViewBox()
    published, own = drawn(panel)
    assert (published[1].tolist(), own[1].tolist()) == ([2.0, 3.0], [1.0, 4.0])
    assert view.state["aspectLocked"]
    choose(qtbot, panel.figure, "heat")
    (image,) = [
        item
        for item in panel.images.scene().items()
        if isinstance(item, pg.ImageItem) and item.image.ndim == 2 and item.image.shape == (3, 4)
    ]
    assert (np.ptp(image.lut, axis=1)[:NO_CELL] == 0).all()
    choose(qtbot, panel.figure, "Drift of a cell")
    assert not view.state["aspectLocked"]


@pytest.mark.thorough
def test_levels_that_are_misread_and_shares_with_intervals_are_drawn_too(qtbot, session, panel, tmp_path):
    session.open_run(write_samples(tmp_path / "run.h5"))
    choose(qtbot, panel.figure, "Levels wanted and read")
    (picture,) = panel.images.pictures
    assert picture.name == "2 of 256 misread"
    texts = [item for item in panel.images.scene().items() if isinstance(item, pg.TextItem)]
    assert sum(int(text.toPlainText()) for text in texts) == 256
    assert picture.values[3, 6] == pytest.approx(1 / 36)  # one of the cells of level 3 is read as 6

    choose(qtbot, panel.figure, "Bit error rate")
    whiskers, curve, *others = panel.figure_plot.drawn
    _, share = curve.getOriginalDataset()
    np.testing.assert_allclose(share, 0.14, atol=1e-3)
    _, ends = whiskers.getOriginalDataset()
    assert (ends[::2] < share).all()
    assert (ends[1::2] > share).all()
    assert any(one.opts["symbol"] == "t" for one in others)  # no error was found at the last

    choose(qtbot, panel.figure, "Correlation of errors between cells, less each level's median")
    legend = [label.text for _, label in panel.figure_plot.plotItem.legend.items]
    assert legend == ["along rows", "along columns", "95 % of maps without any"]


def test_the_user_may_choose_columns_of_a_run_that_declares_figures(qtbot, session, panel, tmp_path):
    with begin(tmp_path / "run.h5", DRIFT) as writer:
        emit(writer, 1.0, 3.0)
    session.open_run(tmp_path / "run.h5")
    choose(qtbot, panel.figure, "columns of a table")
    assert not panel.table.isHidden()
    assert panel.minimumSizeHint().width() < 1100  # in a window of 1280 with no scrolling, longer names too
    assert panel.shown.currentWidget() is panel.plot
    ((_, current),) = curves(panel)
    np.testing.assert_array_equal(current, [1.0, 3.0])


def test_a_run_from_before_there_were_figures_offers_what_it_would_have(qtbot, session, panel, solved):
    session.open_run(solved)
    assert choices(panel.figure) == [
        "Convergence", "Levels of the programmed cells", "Conductance errors", "Wrong integers by cycle",
        "Pulses per cell", "Cumulative share of the cells, by level", "Levels wanted and read",
        "Share of the cells inside their window", "Share of the cells finished, by pulses and level",
        "Correlation of errors between cells, less each level's median", "columns of a table",
    ]  # fmt: skip
    choose(qtbot, panel.figure, "Convergence")
    legend = [label.text for _, label in panel.figure_plot.plotItem.legend.items]
    assert legend == ["3 bits a cycle", "forecast, rho = 0.05", "residual", "relative error"]


@pytest.mark.thorough
def test_the_same_figure_of_earlier_runs_lies_over_it_in_the_colours_of_the_list(
    qtbot, session, panel, tmp_path
):
    for name in ("now", "before", "without"):
        with begin(tmp_path / f"{name}.h5", DRIFT) as writer:
            emit(writer, 1.0, 3.0)
    session.open_run(tmp_path / "now.h5")
    panel.overlays.lay_over(tmp_path / "before.h5")
    panel.overlays.lay_over(tmp_path / "without.h5")
    qtbot.waitUntil(lambda: len(drawn(panel)) == 3, timeout=PATIENCE)
    panel.overlays.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    colours = [item.opts["pen"].color().name().upper() for item in panel.figure_plot.drawn]
    assert colours == [palette.SERIES[0], palette.SERIES[2]]


def test_small_numbers_without_a_unit_are_written_as_they_are(session, panel, tmp_path):
    table = Table("points", (Column("number"), Column("share")))
    with RunWriter.create(tmp_path / "run.h5", RunHeader("Small", "Small", "1", {}), Layout((table,))) as run:
        run.emit_block("points", {"number": np.arange(5.0), "share": 1e-4 * np.arange(-2.0, 3.0)})
    session.open_run(tmp_path / "run.h5")
    panel._show()  # once more, now that the axis is at its place
    axis = panel.plot.getAxis("left")
    assert axis.autoSIPrefixScale == 1.0


def test_runs_with_nothing_to_show(session, panel, tmp_path):
    session.open_run(run_samples.empty_run(tmp_path / "empty.h5"))
    assert panel.plot.plotItem.titleLabel.text == "this run has no table of numbers"
    session.close_run()
    assert panel.plot.plotItem.titleLabel.text == "no run is shown"
    assert curves(panel) == []


@pytest.mark.parametrize("kind", daily(["scatter", "lines", "steps", "errorbars"], 1))
def test_a_curve_of_which_no_point_can_be_shown_is_left_out_and_the_window_lives(
    kind, qtbot, session, panel, tmp_path
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
    session.open_run(path)
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
def test_a_figure_is_saved_at_the_width_of_a_column(panel, session, swept_run, tmp_path, suffix, qtbot):
    session.open_run(swept_run)
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
    panel, session, swept_run, tmp_path, qtbot
):
    other = tmp_path / "other.h5"
    mho.run(mho.IV(rows="3", columns="0"), "arrays", seed=2, output=other)
    session.open_run(swept_run)
    panel.overlays.lay_over(other)
    qtbot.waitUntil(lambda: len(list(panel.overlays.checked())) == 1, timeout=PATIENCE)
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


def test_columns_of_the_users_choice_are_saved_as_seen(panel, session, tmp_path, qtbot):
    session.open_run(write_waveforms(tmp_path / "run.h5"))
    choose(qtbot, panel.signal, "peak")
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
