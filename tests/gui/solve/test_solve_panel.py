"""The panel of a solve: what it shows of real run files, and while one is written."""

import numpy as np
import pytest
import run_samples
from daily import daily
from PySide6.QtCore import Qt
from run_samples import SampleRun
from window_steps import PATIENCE

from mho import run
from mho.chip_maps.matrix_files import to_real_vector
from mho.gui.session.session import Session
from mho.gui.solve.panel import SolvePanel
from mho.gui.solve.reading import grid_of, read_compared
from mho.gui.widgets import colours
from mho.procedures import Solve
from mho.runs import Array, Column, Layout, RunFile, RunHeader, RunWriter, Table


@pytest.fixture
def session(tmp_path, qapp):
    made = Session(tmp_path)
    yield made
    made.close()


@pytest.fixture
def panel(session, qtbot):
    made = SolvePanel(session)
    qtbot.addWidget(made)
    made.resize(1000, 520)
    made.show()
    return made


def write_solve(path, matrix, exact, cycles=3, result=None, true_residual=()):
    """Write a solve of `matrix` whose solutions come nearer to `exact` by a factor of ten a cycle."""
    reference = to_real_vector(exact) if np.iscomplexobj(exact) else exact
    n = len(reference)
    achieved = np.eye(n) * 2.0
    table = Table(
        "cycles",
        (
            Column("cycle", dtype="u4"), Column("residual"), Column("relative_error"),
            *([Column("true_residual")] if len(true_residual) else []),
            Column("mvm_outputs", dtype="u8"), Column("mvm_wrong", dtype="u8"),
            Column("input", "V", shape=(n,)), Column("output", "V", shape=(n,)), Column("solution", shape=(n,)),
        ),
        "relative_error",
        "cycle",
    )  # fmt: skip
    arrays = (
        Array("matrix", matrix), Array("reference", reference), Array("matrix_achieved", achieved),
    )  # fmt: skip
    with RunWriter.create(path, RunHeader("Solve", "Solve", "1", {}), Layout((table,), (), arrays)) as run:
        for cycle in range(1, cycles + 1):
            error = 10.0**-cycle
            run.emit(
                "cycles", cycle=cycle, residual=error, relative_error=error, mvm_outputs=100, mvm_wrong=cycle,
                input=0.2 * reference, output=-0.3 * reference, solution=reference * (1.0 + error),
                **({"true_residual": true_residual[cycle - 1]} if len(true_residual) else {}),
            )  # fmt: skip
        if result is not None:
            run.set_result(result)
    return path


def tabs(panel):
    bar = panel.tabs
    return [bar.tabText(place) for place in range(bar.count()) if bar.isTabVisible(place)]


def values(item):
    return item.getOriginalDataset()[1]


@pytest.mark.thorough
def test_solution_beside_its_reference_and_what_is_between_them(session, panel, tmp_path):
    exact = np.array([0.5, -1.0, 2.0])
    session.open_run(write_solve(tmp_path / "run.h5", np.eye(3) + 0.1, exact))

    assert panel.cycle.text() == "cycle 3 of 3"
    np.testing.assert_allclose(values(panel.solution.reference), exact)
    np.testing.assert_allclose(values(panel.solution.solution), exact * 1.001)
    np.testing.assert_allclose(values(panel.solution.error), np.abs(exact) * 1e-3)
    assert tabs(panel) == ["Solution", "Expected and measured"]


CERTIFICATE = {
    "residual": 1e-9, "rhs_norm": 1.0, "inverse_norm": 2.0, "error_bound": 3.94e-8, "bits": 24.6,
}  # fmt: skip


@pytest.mark.parametrize(
    ("result", "text", "colour"),
    daily(
        [
            (
                {"converged": True, "bits_asked": 24, "bits": 24.6, "reason": "", "certificate": CERTIFICATE},
                "converged: 24.6 of 24 bits (proved bound 3.9e-08)",
                "good",
            ),
            (
                {
                    "converged": False,
                    "bits_asked": 24,
                    "bits": 5.1,
                    "reason": "the residual grew",
                    "certificate": CERTIFICATE,
                },
                "NOT converged: the residual grew",
                "bad",
            ),
            (
                {"converged": True, "bits": 24},
                "converged by the residual of the iteration; no certificate",
                "doubtful",
            ),
            ({"converged": False}, "NOT converged", "bad"),
            ({"pulses": 7}, "", None),
            (None, "", None),
        ],
        3,
    ),
)
def test_the_verdict_is_the_files_and_an_old_one_is_not_called_proved(
    session, panel, tmp_path, result, text, colour
):
    session.open_run(write_solve(tmp_path / "run.h5", np.eye(2), np.array([1.0, 2.0]), result=result))
    assert panel.verdict.isVisible() is (colour is not None)
    if colour is not None:
        assert panel.verdict.text() == text
        assert getattr(colours(), colour) in panel.verdict.styleSheet()


@pytest.mark.thorough
def test_the_verdict_of_one_run_is_not_left_over_the_next(session, panel, tmp_path):
    session.open_run(write_solve(tmp_path / "a.h5", np.eye(2), np.ones(2), result={"converged": True}))
    session.open_run(write_solve(tmp_path / "b.h5", np.eye(2), np.ones(2)))
    assert not panel.verdict.isVisible()


@pytest.mark.thorough
def test_recomputed_residuals_are_marked_where_there_are_any(session, panel, tmp_path):
    true = [np.nan, 2e-2, 3e-2]
    session.open_run(write_solve(tmp_path / "new.h5", np.eye(2), np.ones(2), true_residual=true))
    cycles, marked = panel.convergence.true_residual.getOriginalDataset()
    np.testing.assert_allclose(cycles, [2, 3])
    np.testing.assert_allclose(marked, [2e-2, 3e-2])
    legend = panel.convergence.legend
    assert legend.getLabel(panel.convergence.true_residual).text == "residual, recomputed"
    session.open_run(write_solve(tmp_path / "old.h5", np.eye(2), np.ones(2)))
    assert panel.convergence.true_residual.getOriginalDataset()[0] in (None, [])
    assert legend.getLabel(panel.convergence.true_residual) is None


@pytest.mark.thorough
def test_of_several_right_hand_sides_it_says_which_one_is_shown(qtbot, session, panel, tmp_path):
    matrix = np.array([[2.0, 0.3], [0.2, 1.5]])
    result = run(Solve(matrix=matrix, count=3, bits=12), "arrays", seed=1, output=tmp_path / "run.h5")
    session.open_run(result.path)
    rows = result.cycles
    assert panel.cycle.text() == f"right-hand side 2 of 0 to 2, cycle {rows[-1]['cycle']}"
    place = next(place for place, row in enumerate(rows) if row["rhs"] == 1)
    panel.slider.setValue(place + 1)
    assert panel.cycle.text() == "right-hand side 1 of 0 to 2, cycle 1"
    errors = [row["relative_error"] for row in rows if row["rhs"] == 1]
    np.testing.assert_allclose(panel.convergence.convergence.relative_error, errors)
    np.testing.assert_allclose(
        values(panel.solution.reference), np.linalg.solve(matrix, read_rhs(result)[:, 1])
    )


def read_rhs(result):
    with RunFile(result.path) as file:
        return file.array("rhs")


@pytest.mark.thorough
def test_the_slider_goes_back_to_an_earlier_cycle(qtbot, session, panel, tmp_path):
    exact = np.array([0.5, -1.0, 2.0])
    session.open_run(write_solve(tmp_path / "run.h5", np.eye(3) + 0.1, exact))
    qtbot.keyClick(panel.slider, Qt.Key.Key_Home)

    assert panel.cycle.text() == "cycle 1 of 3"
    np.testing.assert_allclose(values(panel.solution.solution), exact * 1.1)


@pytest.mark.thorough
def test_a_complex_solution_is_a_constellation(session, panel, tmp_path):
    exact = np.array([1.0 + 2.0j, -0.5j])
    session.open_run(write_solve(tmp_path / "run.h5", np.eye(2) * (1.0 + 1.0j), exact))

    assert "Constellation" in tabs(panel)
    assert "Field" not in tabs(panel)
    real, imaginary = panel.constellation.reference.getOriginalDataset()
    np.testing.assert_allclose(real + 1j * imaginary, exact)
    np.testing.assert_allclose(values(panel.solution.reference), [1.0, 0.0, 2.0, -0.5])


@pytest.mark.thorough
def test_a_solution_on_a_grid_is_a_field(session, panel, tmp_path):
    rows, columns = 2, 3
    line = lambda n: 2.0 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)  # noqa: E731
    matrix = np.kron(np.eye(rows), line(columns)) + np.kron(line(rows), np.eye(columns))
    exact = np.arange(6.0)
    session.open_run(write_solve(tmp_path / "run.h5", matrix, exact))

    assert "Field" in tabs(panel)
    assert panel.field.image.image.shape == (rows, columns)
    assert panel.field.image.image.ravel().argmax() == 5


@pytest.mark.parametrize(
    "matrix", [np.eye(4), np.ones((4, 4)), np.eye(6) + np.eye(6, k=1) + np.eye(6, k=3), np.zeros((3, 3))]
)
def test_other_matrices_are_no_grid(matrix):
    assert grid_of(matrix) is None


def test_inversion_expected_and_measured(tmp_path):
    exact = np.array([0.5, -1.0, 2.0])
    with RunFile(write_solve(tmp_path / "run.h5", np.eye(3), exact)) as run:
        checked = read_compared(run)

    assert checked.unit == "V"
    np.testing.assert_allclose(checked.measured, -0.3 * exact)
    np.testing.assert_allclose(checked.expected, checked.measured)  # the factor between them is fitted


@pytest.mark.thorough
def test_inversion_is_checked_when_somebody_looks(qtbot, session, panel, tmp_path):
    session.open_run(write_solve(tmp_path / "run.h5", np.eye(3), np.array([0.5, -1.0, 2.0])))
    bar = panel.tabs.tabBar()
    qtbot.mouseClick(
        bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(panel.tabs.indexOf(panel.check)).center()
    )

    np.testing.assert_allclose(values(panel.check.points), [-0.15, 0.3, -0.6])
    assert "INV, last cycle: 3 values" in panel.check.against.plotItem.titleLabel.text


@pytest.mark.thorough
def test_any_table_with_expected_and_measured_is_shown(session, panel, tmp_path):
    table = Table("products", (Column("expected", "A"), Column("measured", "A")), "measured", "expected")
    with RunWriter.create(tmp_path / "run.h5", RunHeader("MVM", "MVM", "1", {}), Layout((table,))) as run:
        for number in range(5):
            run.emit("products", expected=number * 1e-6, measured=number * 1.1e-6)
    session.open_run(tmp_path / "run.h5")
    panel.tabs.setCurrentWidget(panel.check)

    np.testing.assert_allclose(panel.check.points.getOriginalDataset()[0], np.arange(5) * 1e-6)
    assert panel.check.against.getAxis("left").labelUnits == "A"


@pytest.mark.thorough
def test_wrong_integers_are_counted_by_cycle(session, panel, tmp_path):
    session.open_run(write_solve(tmp_path / "run.h5", np.eye(3), np.ones(3)))

    np.testing.assert_allclose(panel.check.wrong.opts["height"], [1, 2, 3])
    assert "6 of 300" in panel.check.counts.plotItem.titleLabel.text


@pytest.mark.thorough
def test_cycles_appear_as_they_come(qtbot, session, panel, writer, tmp_path):
    writer.tell("forecast")
    session.open_run(tmp_path / "live.h5")
    assert panel.cycle.text() == "no cycle yet"
    for count in (1, 2):
        writer.tell("cycle")
        qtbot.waitUntil(lambda n=count: panel.cycle.text() == f"cycle {n} of {n}", timeout=PATIENCE)
    assert len(panel.convergence.convergence.cycle) == 2

    qtbot.keyClick(panel.slider, Qt.Key.Key_Home)
    writer.tell("cycle")
    qtbot.waitUntil(lambda: panel.cycle.text() == "cycle 1 of 3", timeout=PATIENCE)  # the user's choice stays


@pytest.mark.thorough
def test_a_panel_that_was_hidden_catches_up(qtbot, session, panel, writer, tmp_path):
    writer.tell("cycle")
    session.open_run(tmp_path / "live.h5")
    panel.hide()
    writer.tell("cycle")
    with qtbot.waitSignal(session.run_news, timeout=PATIENCE, check_params_cb=lambda news: news.convergence):
        pass
    assert panel.cycle.text() == "cycle 1 of 1"
    panel.show()
    assert panel.cycle.text() == "cycle 2 of 2"
    assert len(panel.convergence.convergence.cycle) == 2


def test_a_panel_made_later_shows_the_run_that_is_open(qtbot, session, tmp_path):
    session.open_run(run_samples.whole_run(tmp_path / "run.h5"))
    panel = SolvePanel(session)
    qtbot.addWidget(panel)

    assert len(panel.convergence.convergence.cycle) == 5


def test_a_run_without_cycles_and_no_run(session, panel, tmp_path):
    session.open_run(run_samples.other_run(tmp_path / "run.h5"))
    assert panel.convergence.convergence is None
    assert not panel.slider.isEnabled()
    session.close_run()
    assert panel.cycle.text() == "no cycle yet"


@pytest.mark.thorough
def test_solutions_that_diverged_to_no_number_can_be_shown(session, panel, tmp_path):
    with SampleRun(tmp_path / "run.h5") as run:
        run.cycle(np.nan)
    session.open_run(tmp_path / "run.h5")

    assert panel.cycle.text() == "cycle 1 of 1"


def test_it_has_room_in_a_dock_of_a_small_window(panel):
    assert panel.minimumSizeHint().width() <= 900
    assert panel.minimumSizeHint().height() <= 420
