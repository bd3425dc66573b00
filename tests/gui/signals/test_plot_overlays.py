"""Runs laid over the shown one: offered from the index, ticked, read elsewhere, named by what differs."""

import numpy as np
import pytest
import run_samples
from PySide6.QtCore import Qt
from signal_steps import choices, choose, curves, legend, settle, write_field, write_points
from window_steps import PATIENCE

from mho.gui.signals.overlays import MOST_OVERLAID, ListedRun, differing, legend_names


def listed(panel):
    return [panel.overlays.list.item(row).text() for row in range(panel.overlays.list.count())]


def tick(qtbot, panel, row):
    """Click the box of a run in the list."""
    view = panel.overlays.list
    view.setFocus()
    view.setCurrentRow(row)
    qtbot.keyClick(view, Qt.Key.Key_Space)
    settle(panel)


def write_line(folder, name, slope, **parameters):
    return write_points(
        folder / f"{name}.h5", {"voltage": ("V", np.arange(4.0)), "current": ("A", slope * np.arange(4.0))}, **parameters
    )  # fmt: skip


def test_the_runs_of_the_same_procedure_are_offered_the_newest_first_and_say_what_differs(
    qtbot, show, panel, tmp_path
):
    run_samples.other_run(tmp_path / "sweep.h5")  # of another procedure
    for number, gate in enumerate((1.2, 1.6, 2.0)):
        write_line(tmp_path, f"gate{number}", 1e-6, gate=gate, cycles=3)
    show(tmp_path / "gate1.h5")
    qtbot.waitUntil(lambda: len(listed(panel)) == 2, timeout=PATIENCE)
    assert listed(panel) == ["gate2   gate 2", "gate0   gate 1.2"]
    assert not panel.overlays.seen()


def test_a_ticked_run_is_drawn_over_it_and_the_legend_names_the_parameter_that_differs(
    qtbot, show, panel, tmp_path
):
    write_line(tmp_path, "a", 1e-6, gate=1.2, cycles=3)
    write_line(tmp_path, "b", 3e-6, gate=1.6, cycles=3)
    show(tmp_path / "a.h5")
    qtbot.waitUntil(lambda: len(listed(panel)) == 1, timeout=PATIENCE)
    tick(qtbot, panel, 0)
    assert legend(panel) == ["gate 1.2", "gate 1.6"]
    own, other = curves(panel)
    np.testing.assert_allclose(own[1], 1e-6 * np.arange(4.0))
    np.testing.assert_allclose(other[1], 3e-6 * np.arange(4.0))

    write_field(panel, panel.fields.y_column, "current / 2")  # they follow the fields
    assert curves(panel)[1][1][1] == pytest.approx(1.5e-6)
    qtbot.mouseClick(panel.overlays.clear, Qt.MouseButton.LeftButton)
    assert len(curves(panel)) == 1


def test_runs_that_nothing_tells_apart_are_named_by_their_files(qtbot, show, panel, tmp_path):
    write_line(tmp_path, "a", 1e-6, gate=1.2)
    write_line(tmp_path, "b", 3e-6, gate=1.2)
    show(tmp_path / "a.h5")
    qtbot.waitUntil(lambda: listed(panel) == ["b"], timeout=PATIENCE)
    tick(qtbot, panel, 0)
    assert legend(panel) == ["a", "b"]


def test_names_in_a_legend():
    runs = [ListedRun(path, {"gate": gate, "seed": seed, "n": "8"}) for path, gate, seed in (
        ("a", "1 V", "1"), ("b", "2 V", "2"), ("c", "2 V", "3"))]  # fmt: skip
    assert differing(runs[:2]) == ["gate", "seed"]
    assert legend_names(runs[:2]) == {"a": "gate 1 V", "b": "gate 2 V"}  # a seed is the last thing to tell


def test_earlier_runs_lie_over_this_one_and_follow_its_columns(show, panel, tmp_path):
    show(run_samples.whole_run(tmp_path / "now.h5"))
    panel.overlays.lay_over(run_samples.whole_run(tmp_path / "before.h5", cycles=3))
    assert sorted(len(x) for x, _ in curves(panel)) == [3, 5]
    choose(panel, panel.fields.y_column, "residual")
    np.testing.assert_allclose(curves(panel)[1][1], 0.05 ** np.arange(1, 4))


def test_there_is_an_end_to_laying_over(show, panel, told, tmp_path):
    for number in range(MOST_OVERLAID + 2):
        write_line(tmp_path, f"run{number}", 1e-6)
    show(tmp_path / "run0.h5")
    for number in range(1, MOST_OVERLAID + 2):
        panel.overlays.lay_over(tmp_path / f"run{number}.h5")
    assert len(panel.overlays.seen()) == MOST_OVERLAID
    assert any("untick one first" in text for _, text in told)
    assert len(curves(panel)) == MOST_OVERLAID + 1


def test_an_overlay_without_such_a_table_is_told(show, panel, told, solved, tmp_path):
    show(solved)
    panel.overlays.lay_over(run_samples.other_run(tmp_path / "sweep.h5"))
    settle(panel)
    assert any("no table 'cycles'" in text for _, text in told), told
    assert len(curves(panel)) == 1


def test_a_damaged_file_among_them_is_told_and_the_others_stay(show, panel, told, tmp_path):
    write_line(tmp_path, "a", 1e-6)
    (tmp_path / "torn.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    show(tmp_path / "a.h5")
    panel.overlays.lay_over(tmp_path / "torn.h5")
    panel.overlays.lay_over(write_line(tmp_path, "b", 2e-6))
    assert len(curves(panel)) == 2
    assert any("torn.h5" in text for _, text in told)


def test_what_is_ticked_stays_when_another_run_is_shown(qtbot, show, panel, tmp_path):
    for number in range(3):
        write_line(tmp_path, f"run{number}", 1e-6, gate=float(number))
    show(tmp_path / "run0.h5")
    panel.overlays.lay_over(tmp_path / "run2.h5")
    settle(panel)
    show(tmp_path / "run1.h5")
    qtbot.waitUntil(lambda: len(listed(panel)) == 2, timeout=PATIENCE)
    settle(panel)
    assert legend(panel) == ["gate 1", "gate 2"]
    assert choices(panel.figure)[-1] == "own plot"
