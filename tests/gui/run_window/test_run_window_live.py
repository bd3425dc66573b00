"""The window while its file is written, left, damaged, or missing."""

import pytest
import run_samples
from window_steps import PATIENCE

from mho.errors import RunFileError


def cycles(window):
    shown = window.convergence.convergence
    return 0 if shown is None else len(shown.cycle)


@pytest.mark.thorough
def test_the_window_follows_a_run_to_its_end(qtbot, open_window, writer, tmp_path):
    writer.tell("program")
    window = open_window(tmp_path / "live.h5")
    assert window.header.status.text() == "RUNNING"
    assert window.map.picture is not None
    assert cycles(window) == 0
    assert window.convergence.labels()["forecast"] == "no forecast yet"

    writer.tell("forecast")
    qtbot.waitUntil(lambda: window.convergence.convergence.rho is not None, timeout=PATIENCE)
    assert window.convergence.labels()["forecast"] == "forecast, rho = 0.050"
    for count in (1, 2, 3):
        writer.tell("cycle")
        qtbot.waitUntil(lambda count=count: cycles(window) == count, timeout=PATIENCE)
    assert window.log.toPlainText().count("forecast: rho") == 1  # nothing is shown twice
    assert "3 cycles" in window.header.facts.text()

    writer.end("finish")
    qtbot.waitUntil(lambda: window.header.status.text() == "FINISHED", timeout=PATIENCE)
    assert cycles(window) == 3


@pytest.mark.thorough
def test_programming_fills_the_map_and_the_bar(qtbot, open_window, writer, tmp_path):
    writer.tell("plan")
    window = open_window(tmp_path / "live.h5")
    assert window.header.progress.isVisible()
    assert window.header.progress.text() == "0 of 280 cells verified"

    writer.tell("half")
    qtbot.waitUntil(lambda: window.header.progress.value() > 0, timeout=PATIENCE)
    assert 0 < window.header.progress.value() < 280
    writer.tell("program")
    qtbot.waitUntil(lambda: not window.header.progress.isVisible(), timeout=PATIENCE)
    assert "280 of 280 cells verified" in window.header.facts.text()


@pytest.mark.thorough
def test_a_user_s_map_stays_while_images_come(qtbot, open_window, writer, tmp_path):
    writer.tell("half")
    window = open_window(tmp_path / "live.h5")
    window.map.choice.setCurrentText("invert_positive_conductance")
    before = window.map.picture.values

    writer.tell("program")
    qtbot.waitUntil(lambda: (window.map.picture.values == window.map.picture.values).all(), timeout=PATIENCE)
    assert window.map.picture.name == "invert_positive_conductance"
    assert (before != before).any()  # half of it had no value before


@pytest.mark.thorough
def test_a_killed_writer_shows_as_interrupted(qtbot, open_window, writer, tmp_path):
    writer.tell("cycle")
    window = open_window(tmp_path / "live.h5")
    writer.kill()

    qtbot.waitUntil(lambda: window.header.status.text() == "INTERRUPTED", timeout=PATIENCE)
    assert window.header.reason.isVisible()
    assert cycles(window) == 1


@pytest.mark.thorough
def test_an_aborted_run_says_why(qtbot, open_window, writer, tmp_path):
    writer.tell("cycle")
    window = open_window(tmp_path / "live.h5")
    writer.end("abort")

    qtbot.waitUntil(lambda: window.header.status.text() == "ABORTED", timeout=PATIENCE)
    assert window.header.reason.text() == "Aborted: SIGTERM received"


@pytest.mark.thorough
def test_a_missing_file_is_said_and_shown_once_it_is_there(qtbot, open_window, tmp_path):
    path = tmp_path / "later.h5"
    window = open_window(path)
    assert window.message.isVisible()
    assert window.message.text() == f"there is no run file {path}; check the path"

    run_samples.whole_run(path)
    qtbot.waitUntil(lambda: window.header.status.text() == "FINISHED", timeout=PATIENCE)
    assert not window.message.isVisible()
    assert cycles(window) == 5


@pytest.mark.thorough
def test_a_file_deleted_while_open(qtbot, open_window, solved):
    window = open_window(solved)
    solved.unlink()

    qtbot.waitUntil(window.message.isVisible, timeout=PATIENCE)
    assert window.map.picture is not None  # what was shown stays


@pytest.mark.thorough
def test_a_file_damaged_while_it_is_written(qtbot, open_window, writer, tmp_path):
    path = tmp_path / "live.h5"
    writer.tell("program")
    window = open_window(path)
    writer.kill()
    path.write_bytes(path.read_bytes()[:2000])

    qtbot.waitUntil(window.message.isVisible, timeout=PATIENCE)
    assert str(path) in window.message.text()
    window.map.choice.setCurrentText("invert_positive_target")  # harms nothing
    assert window.isVisible()


def test_a_finished_file_damaged_before_another_map_is_chosen(open_window, solved, monkeypatch):
    window = open_window(solved)

    def fail(run, name):  # HDF5 has all of so small a file in memory: it would not notice
        raise RunFileError(f"run file {solved} is damaged; restore it from a copy")

    monkeypatch.setattr("mho.gui.run_window.read_picture", fail)
    window.map.choice.setCurrentText("invert_positive_target")

    assert window.message.isVisible()
    assert "damaged" in window.message.text()


def test_a_file_that_is_no_run(open_window, tmp_path):
    path = tmp_path / "notes.h5"
    path.write_text("not HDF5")
    window = open_window(path)

    assert "not an HDF5 file" in window.message.text()


def test_closing_the_window_leaves_the_file(open_window, solved):
    window = open_window(solved)
    window.close()
    window.look()  # a late look opens nothing
    assert window._follower is None
    solved.unlink()
