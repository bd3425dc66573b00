"""The bench panel: what the bench file says, what the shown run tells, limits and margins, and the check."""

from pathlib import Path

import pytest
import run_samples
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTreeWidget

from gui.bench_facts import in_units, margin
from gui.bench_panel import BenchPanel
from gui.bench_trees import UNKNOWN
from gui.session import Session
from procedures import Solve, run
from procedures.queue import Lane
from procedures.queue.messages import RunnerState
from procedures.stream import Standing

SOON = 20_000  # ms


@pytest.fixture
def panel(session: Session, qtbot) -> BenchPanel:
    panel = BenchPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: panel.facts is not None, timeout=SOON)
    return panel


@pytest.fixture(scope="module")
def real_solve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("solve")
    (folder / "a.csv").write_text("2,0.5\n0.25,1.5\n", encoding="utf-8")
    return run(Solve(matrix=str(folder / "a.csv"), bits=8), seed=1, output=folder / "solve.h5").path


def rows(tree: QTreeWidget) -> list[list[str]]:
    items = [tree.topLevelItem(index) for index in range(tree.topLevelItemCount())]
    return [[item.text(column) for column in range(tree.columnCount())] for item in items]


def test_the_bench_file_is_shown(panel: BenchPanel) -> None:
    assert panel.name.text() == "Bench simulated, SIMULATED with cells 'pku', chip reference"
    found = {row[0]: row for row in rows(panel.instruments)}
    assert {"smu", "gate", "pulser", "daq", "board"} <= set(found)
    assert found["smu"][1:] == ["keithley2450", "bit line", UNKNOWN, ""]
    assert found["pulser"][2] == "bit line (ch 1), source line (ch 2)"
    assert ["bit line", "voltage", "", "4.6 V", ""] in rows(panel.limits)
    assert ["bit line", "pulse width", "", "10 µs", ""] in rows(panel.limits)


def test_a_run_tells_identities_what_was_seen_and_what_is_left(panel: BenchPanel, real_solve: Path) -> None:
    panel.session.open_run(real_solve)
    found = {row[0]: row for row in rows(panel.instruments)}
    assert found["pulser"][3:] == ["answered", "off"]
    assert found["board"][4] == "SAFE"
    smu = panel.instruments.topLevelItem(0)
    known = dict(smu.child(one).text(0).split(": ", 1) for one in range(smu.childCount()))
    assert "MODEL 2450" in known["identity"]
    assert known["address"].startswith("USB0::")
    limits = {(row[0], row[1]): row[2:] for row in rows(panel.limits)}
    seen, limit, left = limits["bit line", "voltage"]
    assert 2.0 < float(seen.split()[0]) < 4.6
    assert limit == "4.6 V"
    assert left == f"{100 * (1 - float(seen.split()[0]) / 4.6):.0f} %"
    assert limits["source line", "current of reads"][0] == "not measured"
    assert all(
        limits[terminal, "voltage"][0][0].isdigit() for terminal in ("source line", "word line", "vector")
    )
    assert panel.last.text().startswith("last: ")


def test_how_outputs_stand_is_shown_while_a_run_goes_on(panel: BenchPanel) -> None:
    panel.session.event_heard.emit(Standing({"gate": "ON, 2.5 V", "board": "PROGRAM, path READ"}))
    found = {row[0]: row for row in rows(panel.instruments)}
    assert found["gate"][3:] == ["answers", "ON, 2.5 V"]
    assert found["board"][4] == "PROGRAM, path READ"
    assert found["smu"][3:] == [UNKNOWN, ""]


def test_a_long_reason_never_makes_the_panel_wider(panel: BenchPanel) -> None:
    before = panel.minimumSizeHint().width()
    panel.session.lane = Lane("simulated", held=True, reason="the-smu-is-silent" * 50, unsafe=True)
    panel.session.lane_changed.emit(panel.session.lane)
    assert panel.minimumSizeHint().width() == before
    assert panel.standing.toolTip() == panel.standing.text()


def test_a_run_without_pulses_tells_nothing_of_limits(panel: BenchPanel, tmp_path: Path) -> None:
    panel.session.open_run(run_samples.other_run(tmp_path / "other.h5"))
    assert all(row[2] == "" for row in rows(panel.limits))


def test_the_check_opens_each_instrument_in_a_process_of_its_own(panel: BenchPanel, qtbot) -> None:
    said = []
    panel.session.message.connect(lambda level, text: said.append((level, text)))
    qtbot.mouseClick(panel.check, Qt.MouseButton.LeftButton)
    assert not panel.check.isEnabled()
    qtbot.waitUntil(lambda: ("INFO", "bench check: nothing is wrong") in said, timeout=3 * SOON)
    assert panel.check.isEnabled()
    found = {row[0]: row for row in rows(panel.instruments)}
    assert found["smu"][3:] == ["answers", "off"]
    smu = panel.instruments.topLevelItem(0)
    assert "errors: none in the queue" in {smu.child(one).text(0) for one in range(smu.childCount())}


def test_a_bench_that_is_not_there_is_said(panel: BenchPanel, qtbot) -> None:
    with qtbot.waitSignal(panel.session.message, timeout=SOON) as said:
        panel.session.set_bench("nowhere.toml")
    assert said.args[0] == "ERROR"
    assert "nowhere.toml" in said.args[1]
    with qtbot.waitSignal(panel.session.message, timeout=3 * SOON) as said:
        qtbot.mouseClick(panel.check, Qt.MouseButton.LeftButton)
    assert "nowhere.toml" in said.args[1]


def test_how_the_bench_stands(panel: BenchPanel) -> None:
    session = panel.session
    assert "no runner" in panel.standing.text()
    session.runner = RunnerState("simulated", 1, "running", 4)
    session.runner_changed.emit(session.runner)
    assert panel.standing.text() == "running, job 4"
    assert not panel.check.isEnabled()  # a bench is used by one at a time
    session.runner = RunnerState("simulated", 1, "idle")
    session.runner_changed.emit(session.runner)
    assert panel.standing.text() == "idle: outputs off"
    assert panel.check.isEnabled()
    session.lane = Lane("simulated", held=True, reason="the smu is silent", unsafe=True)
    session.lane_changed.emit(session.lane)
    assert panel.standing.text() == "NOT CONFIRMED SAFE: the smu is silent"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4.6, "V", "4.6 V"),
        (1e-5, "s", "10 µs"),
        (1e-3, "A", "1 mA"),
        (0.0, "V", "0 V"),
        (3e-12, "A", "0.003 nA"),
    ],
)
def test_quantities_have_handy_units(value: float, unit: str, text: str) -> None:
    assert in_units(value, unit) == text


def test_a_margin_is_a_share_of_the_limit() -> None:
    assert margin(4.0, 3.0) == "25 %"
    assert margin(float("inf"), 3.0) == ""
