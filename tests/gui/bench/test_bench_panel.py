"""The bench panel: what the bench file says, what the shown run tells, limits and margins, and the check."""

from datetime import datetime
from pathlib import Path

import pytest
import run_samples
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTreeWidget
from queue_procedures import Reading
from queue_runners import Desk, running, served_bench
from window_steps import PATIENCE

from mho import run
from mho.gui.bench.facts import in_units, instruments_of, margin
from mho.gui.bench.panel import CONNECTION, KNOWN, NEVER, OUTPUT, UNTOLD, BenchPanel
from mho.gui.session.bench_safety import SafetyVerdict, Use
from mho.gui.session.session import Session
from mho.instruments import open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Solve
from mho.procedures.stream import Ended, Standing
from mho.running.queue import Lane
from mho.running.runner.messages import RunnerState
from mho.runs import Layout, RunFile, RunHeader, RunWriter, Status


@pytest.fixture
def panel(session: Session, qtbot) -> BenchPanel:
    panel = BenchPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: panel.source is not None, timeout=PATIENCE)
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
    assert found["smu"][1:] == ["keithley2450", "bit line", NEVER, "", ""]
    assert found["pulser"][2] == "bit line (ch 1), source line (ch 2)"
    assert ["bit line", "voltage", "", "4.6 V", ""] in rows(panel.limits)
    assert ["bit line", "pulse width", "", "10 µs", ""] in rows(panel.limits)


def below(panel: BenchPanel, role: str) -> list[str]:
    item = panel.instruments.topLevelItem(panel.instruments.roles.index(role))
    return [item.child(one).text(0) for one in range(item.childCount())]


def test_a_chuck_stands_among_the_instruments_with_its_limits() -> None:
    *_, chuck = instruments_of(load_bench_file("heated").bench)
    assert (chuck.role, chuck.driver, chuck.address, chuck.terminals) == (
        "chuck", "lakeshore336", "GPIB0::12::INSTR", "290 to 430 K",
    )  # fmt: skip


def test_a_run_tells_identities_what_was_seen_and_what_is_left(panel: BenchPanel, real_solve: Path) -> None:
    panel.session.open_run(real_solve)
    found = {row[0]: row for row in rows(panel.instruments)}
    assert found["pulser"][CONNECTION:KNOWN] == ["answered", "off"]
    assert found["board"][OUTPUT] == "SAFE"
    with RunFile(real_solve) as run:
        end = f"{run.end_time.astimezone():%H:%M:%S}"
    assert found["pulser"][KNOWN].endswith(f"{end}, after solve.h5")
    known = dict(line.split(": ", 1) for line in below(panel, "smu") if ": " in line)
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


def test_how_outputs_stand_is_shown_with_its_age_and_source(panel: BenchPanel) -> None:
    panel.session.runner = RunnerState("simulated", 1, "running", 4)
    before = datetime.now()
    panel.session.event_heard.emit(Standing({"gate": "ON, 2.5 V", "board": "PROGRAM, path READ"}, ("gate",)))
    found = {row[0]: row for row in rows(panel.instruments)}
    assert found["gate"][CONNECTION:KNOWN] == ["answers", "ON, 2.5 V"]
    assert found["gate"][KNOWN] in {
        f"{when:%H:%M:%S}, confirmed by job 4" for when in (before, datetime.now())
    }
    assert found["board"][OUTPUT] == "PROGRAM, path READ"
    assert found["smu"][CONNECTION:] == [NEVER, "", ""]
    panel.session.event_heard.emit(Ended(Status.FINISHED, "", Path("read-4.h5")))
    gate = next(row for row in rows(panel.instruments) if row[0] == "gate")
    assert gate[OUTPUT] == "off"
    assert "read-4.h5" in gate[KNOWN]


def test_a_run_on_another_bench_tells_nothing_of_this_one(
    panel: BenchPanel, tmp_path: Path, real_solve: Path
) -> None:
    other = tmp_path / "other.toml"
    text = load_bench_file("simulated").text
    other.write_text(text.replace("[limits", "# another bench\n[limits", 1), encoding="utf-8")
    run(Reading(), str(other), seed=1, output=tmp_path / "there.h5")
    panel.session.open_run(tmp_path / "there.h5")
    assert all(row[CONNECTION:] == [NEVER, "", ""] for row in rows(panel.instruments))
    assert all(row[2] == "" for row in rows(panel.limits))
    assert "other.toml" in panel.last.text()
    panel.session.open_run(real_solve)
    assert {row[CONNECTION] for row in rows(panel.instruments)} == {"answered"}
    assert panel.last.text().startswith("last: ")


def test_a_run_that_goes_on_says_nothing_of_outputs_by_how_it_found_them(
    panel: BenchPanel, tmp_path: Path, real_solve: Path
) -> None:
    going = tmp_path / "going.h5"
    with RunFile(real_solve) as run:
        header = RunHeader("going", "Solve", "1", {}, bench=run.bench, instruments=run.instruments)
        with RunWriter.create(going, header, Layout()) as writer:
            panel.session.open_run(going)
            smu = next(row for row in rows(panel.instruments) if row[0] == "smu")
            assert smu[CONNECTION:KNOWN] == ["answered", UNTOLD]
            assert "before going.h5" in smu[KNOWN]
            writer.log("INFO", "still going")


def test_a_long_reason_never_makes_the_panel_wider(panel: BenchPanel) -> None:
    before = panel.minimumSizeHint().width()
    lane = Lane("simulated", held=True, reason="the-smu-is-silent" * 50, unsafe=True)
    panel.session._take_jobs("simulated", [], lane, Use())
    assert panel.minimumSizeHint().width() == before
    assert panel.standing.toolTip() == panel.standing.text()


def test_a_run_without_pulses_tells_nothing_of_limits(panel: BenchPanel, tmp_path: Path) -> None:
    panel.session.open_run(run_samples.other_run(tmp_path / "other.h5"))
    assert all(row[2] == "" for row in rows(panel.limits))


@pytest.mark.thorough
def test_the_check_opens_each_instrument_in_a_process_of_its_own(panel: BenchPanel, qtbot) -> None:
    qtbot.mouseClick(panel.check, Qt.MouseButton.LeftButton)
    assert not panel.check.isEnabled()
    with qtbot.waitSignal(panel.session.message, timeout=PATIENCE) as said:
        pass
    assert said.args[0] == "WARNING"
    assert said.args[1].startswith("bench check: nothing wrong, 1 to note. bench, contact: ")
    assert panel.check.isEnabled()
    found = {row[0]: row for row in rows(panel.instruments)}
    assert found["smu"][CONNECTION:KNOWN] == ["answers", "off"]
    assert "errors: none in the queue" in below(panel, "smu")
    assert panel.session.safety.verdict is SafetyVerdict.SAFE
    assert panel.standing.text().startswith(
        "SAFE: smu off, gate off, pulser off, board SAFE, read by Check bench at "
    )


@pytest.mark.thorough
def test_an_output_that_somebody_left_on_is_never_shown_as_off(
    session: Session, tmp_path: Path, real_solve: Path, qtbot
) -> None:
    """The fault itself: an SMU drives 4.5 V on a bench whose runner is idle, and a run of another bench is shown."""
    desk = Desk(session.queue_path)
    with served_bench(tmp_path) as (bench, laboratory):
        desk.bench = bench
        session.set_bench(bench)
        panel = BenchPanel(session)
        qtbot.addWidget(panel)
        panel.show()
        session.start()
        smu = laboratory.devices[load_bench_file("simulated").bench.instruments.smu.address]
        smu.write(b":SOUR:VOLT 4.5;:OUTP ON\n")  # by its own knobs
        with running(desk, drain=False):
            qtbot.waitUntil(lambda: session.runner is not None and panel.source is not None, timeout=PATIENCE)
            session.open_run(real_solve)
            assert session.runner.state == "idle"
            assert session.safety.verdict is SafetyVerdict.UNKNOWN
            assert "nothing was read" in panel.standing.text()
            assert all(row[CONNECTION:] == [NEVER, "", ""] for row in rows(panel.instruments))
            with qtbot.waitSignal(session.message, timeout=PATIENCE) as said:
                qtbot.mouseClick(panel.check, Qt.MouseButton.LeftButton)
            assert said.args[0] == "ERROR"
            assert session.safety.verdict is SafetyVerdict.LIVE
            assert session.safety.text.startswith("smu: on, read by Check bench at ")
            qtbot.wait(
                2500
            )  # long enough for the ended run to be looked at again, which once wiped this away
            found = {row[0]: row for row in rows(panel.instruments)}
            assert found["smu"][CONNECTION:KNOWN] == ["answers", "on"]
            assert any(line.startswith("output: on") for line in below(panel, "smu"))
            assert session.safety.verdict is SafetyVerdict.LIVE
            smu.write(b":OUTP OFF\n")
            with qtbot.waitSignal(session.message, timeout=PATIENCE):
                qtbot.mouseClick(panel.check, Qt.MouseButton.LeftButton)
            # Unknown until it is seen that the process which checked has left the bench.
            qtbot.waitUntil(lambda: session.safety.verdict is SafetyVerdict.SAFE, timeout=PATIENCE)
            qtbot.wait(50)
            with open_bench(bench):  # a script, of which the queue knows nothing
                qtbot.waitUntil(lambda: session.safety.verdict is SafetyVerdict.UNKNOWN, timeout=PATIENCE)
                assert "this process, since " in session.safety.text
            qtbot.waitUntil(lambda: "a process took the bench at " in session.safety.text, timeout=PATIENCE)
            assert session.safety.verdict is SafetyVerdict.UNKNOWN


def outputs(panel: BenchPanel) -> dict[str, str]:
    return {row[0]: row[OUTPUT] for row in rows(panel.instruments)}


def test_what_a_fresh_process_has_read_stands_in_the_table_after_a_stop(panel: BenchPanel) -> None:
    session, now = panel.session, datetime.now().timestamp()
    live = Standing({"smu": "ON, 0.2 V", "gate": "unknown", "board": "MULTIPLY"}, ("smu", "gate", "board"))
    session.event_heard.emit(live)
    found = {row[0]: row for row in rows(panel.instruments)}
    assert found["smu"][OUTPUT] == "ON, 0.2 V"
    assert found["smu"][KNOWN].endswith(", confirmed by a job")
    assert found["gate"][KNOWN].endswith(", not confirmed by a job")
    stopped = Lane("simulated", held=True, reason="emergency stop", unsafe=True, live=("gate",))
    session._take_jobs("simulated", [], stopped, Use())
    assert (outputs(panel)["smu"], outputs(panel)["gate"]) == ("ON, 0.2 V", "may be on")
    safe = Lane("simulated", held=True, confirmed=now + 1.0, confirmed_by="made safe by a fresh process")
    session._take_jobs("simulated", [], safe, Use())
    assert (outputs(panel)["smu"], outputs(panel)["gate"], outputs(panel)["board"]) == ("off", "off", "SAFE")
    known = next(row[KNOWN] for row in rows(panel.instruments) if row[0] == "smu")
    assert known.endswith(", made safe by a fresh process")


def test_a_served_bench_is_called_by_its_file(session: Session, tmp_path: Path, qtbot) -> None:
    with served_bench(tmp_path) as (bench, _):
        session.set_bench(bench)
        panel = BenchPanel(session)
        qtbot.addWidget(panel)
        qtbot.waitUntil(lambda: panel.source is not None, timeout=PATIENCE)
        assert panel.name.text() == "Bench served.toml ('simulated'), chip reference"


def test_a_bench_that_is_not_there_is_said(panel: BenchPanel, qtbot) -> None:
    with qtbot.waitSignal(panel.session.message, timeout=PATIENCE) as said:
        panel.session.set_bench("nowhere.toml")
    assert said.args[0] == "ERROR"
    assert "nowhere.toml" in said.args[1]
    with qtbot.waitSignal(panel.session.message, timeout=PATIENCE) as said:
        qtbot.mouseClick(panel.check, Qt.MouseButton.LeftButton)
    assert "nowhere.toml" in said.args[1]


def test_a_bench_is_checked_while_no_job_has_it(panel: BenchPanel) -> None:
    session = panel.session
    for state, free in (("running", False), ("idle", True), ("making safe", False)):
        session.runner = RunnerState("simulated", 1, state, 4 if state == "running" else None)
        session.runner_changed.emit(session.runner)
        assert panel.check.isEnabled() is free


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
