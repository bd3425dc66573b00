"""Plots that are kept with what is said of runs: offered for every run of the procedure, renamed, removed."""

import os

import numpy as np
import pytest
import run_samples
from PySide6.QtWidgets import QInputDialog
from signal_steps import choices, choose, curves, settle, write_field, write_points
from window_steps import PATIENCE

from mho.errors import InputError, RunFileError
from mho.gui.session.session import Session
from mho.gui.signals.panel import SignalsPanel
from mho.runs.index import RunIndex, read_card

OWN = "own plot"


@pytest.fixture
def points(tmp_path):
    x = np.arange(1.0, 6.0)
    return [
        write_points(tmp_path / f"{name}.h5", {"x": ("V", x), "y": ("A", factor * x)})
        for name, factor in (("one", 1.0), ("two", 2.0))
    ]


@pytest.fixture
def keep(qtbot, show, panel, points):
    """Keep a plot of the first run by a name."""

    def kept(name):
        show(points[0])
        write_field(panel, panel.fields.y_column, "y / x")
        panel.keep_as(name)
        qtbot.waitUntil(lambda: f"{name} (kept)" in choices(panel.figure), timeout=PATIENCE)
        settle(panel)

    return kept


def test_a_kept_plot_is_offered_for_every_run_of_the_procedure_and_for_no_other(
    qtbot, show, panel, points, keep, tmp_path
):
    keep("conductance")
    assert panel.figure.currentText() == "conductance (kept)"
    show(points[1])  # another run shows it too
    qtbot.waitUntil(lambda: panel.figure.currentText() == "conductance (kept)", timeout=PATIENCE)
    ((_, ratio),) = curves(panel)
    np.testing.assert_allclose(ratio, 2.0)
    show(run_samples.other_run(tmp_path / "sweep.h5"))
    qtbot.wait(300)
    assert choices(panel.figure)[-1] == OWN
    assert "conductance (kept)" not in choices(panel.figure)


def test_it_is_there_after_a_restart(qtbot, qapp, panel, points, keep, tmp_path):
    keep("conductance")
    with RunIndex(tmp_path) as index:
        index.rebuild()  # which is made from the files alone
        assert list(index.annotations.plots("Points")) == ["conductance"]
    session = Session(tmp_path)
    again = SignalsPanel(session)
    qtbot.addWidget(again)
    again.show()
    session.open_run(points[1])
    qtbot.waitUntil(lambda: "conductance (kept)" in choices(again.figure), timeout=PATIENCE)
    choose(again, again.figure, "conductance (kept)")
    ((_, ratio),) = curves(again)
    np.testing.assert_allclose(ratio, 2.0)
    again.close_down()
    session.close()


def test_it_is_renamed_and_removed_by_the_menu(qtbot, monkeypatch, panel, keep):
    keep("conductance")
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("G", True))
    panel.rename_action.trigger()
    qtbot.waitUntil(lambda: panel.figure.currentText() == "G (kept)", timeout=PATIENCE)
    assert "conductance (kept)" not in choices(panel.figure)
    panel.remove_action.trigger()
    qtbot.waitUntil(lambda: "G (kept)" not in choices(panel.figure), timeout=PATIENCE)
    settle(panel)
    assert panel.figure.currentText() == OWN
    assert not panel.remove_action.isEnabled()


def test_keeping_is_asked_for_a_name_and_can_be_cancelled(qtbot, monkeypatch, show, panel, points):
    show(points[0])
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("never", False))
    panel.keep_action.trigger()
    qtbot.wait(100)
    assert choices(panel.figure)[-1] == OWN
    assert not any("never" in one for one in choices(panel.figure))


def test_a_name_that_is_none_is_refused_in_a_sentence(qtbot, show, panel, told, points):
    show(points[0])
    panel.keep_as("   ")
    qtbot.waitUntil(lambda: bool(told), timeout=PATIENCE)
    assert "letters that can be seen" in told[-1][1]


def test_a_kept_plot_that_cannot_be_read_is_told_and_the_others_are_offered(
    qtbot, session, panel, told, keep, points
):
    keep("good")
    with RunIndex(session.folder) as index:
        index.annotations.keep_plot("Points", "bad", "{}")
    session.open_run(points[1])
    qtbot.waitUntil(lambda: any("plot bad" in text for _, text in told), timeout=PATIENCE)
    assert "good (kept)" in choices(panel.figure)


# --- in the index ---


def test_plots_of_an_index(points, tmp_path):
    with RunIndex(tmp_path) as index:
        notes = index.annotations
        notes.keep_plot("Points", "b", "2", read_card(points[0]).facts.run_id)
        notes.keep_plot("Points", "A", "1")
        notes.keep_plot("Other", "c", "3")
        assert list(notes.plots("Points").items()) == [("A", "1"), ("b", "2")]
        notes.keep_plot("Points", "b", "4")
        assert notes.plots("Points")["b"] == "4"
        with pytest.raises(InputError, match="already"):
            notes.rename_plot("Points", "b", "A")
        with pytest.raises(InputError, match="no plot 'z'"):
            notes.rename_plot("Points", "z", "y")
        notes.rename_plot("Points", "b", "d")
        notes.remove_plot("Points", "A")
        notes.remove_plot("Points", "A")
        assert list(notes.plots("Points")) == ["d"]
        with pytest.raises(InputError, match="1 to 80 letters"):
            notes.keep_plot("Points", "x" * 81, "1")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_nothing_is_kept_in_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with RunIndex(tmp_path) as index, pytest.raises(RunFileError, match="cannot be written"):
        index.annotations.keep_plot("Points", "a", "1")
    tmp_path.chmod(0o700)
