"""The bench by hand in the window: touches by mouse, readings on the chart, and what is greyed while a job runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from window_steps import PATIENCE, press

from mho.gui.bench.by_hand import BenchByHand, StripChart
from mho.gui.bench.panel import BenchPanel
from mho.gui.session.session import Session
from mho.gui.window.main_window import MainWindow
from mho.procedures.stream import ActChanged, Row
from mho.running.queue import BY_HAND, JobStatus
from mho.runs import RunFile

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def by_hand(session: Session, qtbot) -> BenchByHand:
    panel = BenchPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1280, 300)
    panel.show()
    qtbot.waitUntil(lambda: bool(panel.by_hand.cards), timeout=PATIENCE)
    press(panel.turn, qtbot)
    return panel.by_hand


@pytest.fixture
def asked(by_hand: BenchByHand) -> list[tuple[str, dict[str, object], str]]:
    acts: list[tuple[str, dict[str, object], str]] = []
    by_hand._session.act = lambda name, values, role: acts.append((name, dict(values), role))
    return acts


@pytest.fixture
def told(by_hand: BenchByHand) -> list[str]:
    said: list[str] = []
    by_hand._session.message.connect(lambda level, text, topic: said.append(text))
    return said


def show(by_hand: BenchByHand, role: str) -> None:
    by_hand.list.setCurrentRow(list(by_hand.cards).index(role))


def test_each_instrument_has_a_card_with_what_it_serves_and_its_limits(by_hand: BenchByHand) -> None:
    assert list(by_hand.cards) == ["smu", "gate", "pulser", "daq", "board"]
    source = by_hand.cards["smu"].lines["source"]
    assert source.fields["voltage"].toolTip() == "voltage, ±4.6 V"
    assert source.fields["current_limit"].text() == "100 µA"
    assert by_hand.standing.text() == "the first touch takes the bench"
    for role, card in by_hand.cards.items():
        show(by_hand, role)
        assert card.isVisible()
        for line in card.lines.values():
            assert line.values() is not None  # what stands there first can be asked for as it is


def test_a_touch_is_asked_for_with_the_values_that_are_typed(
    by_hand: BenchByHand, asked: list, qtbot
) -> None:
    line = by_hand.cards["smu"].lines["source"]
    line.fields["voltage"].setText("150 mV")
    press(line.button, qtbot)
    assert asked == [
        ("source", {"voltage": pytest.approx(0.15), "current_limit": pytest.approx(1e-4)}, "smu")
    ]
    show(by_hand, "pulser")
    pulse = by_hand.cards["pulser"].lines["pulse"]
    pulse.fields["line"].setCurrentText("source line")
    pulse.fields["width"].setFocus()
    qtbot.keyClick(pulse.fields["width"], Qt.Key.Key_Return)  # Return in a field is as good as the button
    assert asked[-1][1]["line"] == "source line"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("7 V", "beyond -4.6 to 4.6 V"),
        ("x", "smu, source: voltage is 'x'"),
        ("3 A", "'A' is not a unit of its kind"),
    ],
)
def test_a_value_that_is_none_is_told_in_a_sentence_and_nothing_is_asked(
    by_hand: BenchByHand, asked: list, told: list[str], text: str, words: str, qtbot
) -> None:
    line = by_hand.cards["smu"].lines["source"]
    line.fields["voltage"].setText(text)
    press(line.button, qtbot)
    assert not asked
    assert words in told[-1]


def test_what_was_said_and_read_is_shown_with_its_age(by_hand: BenchByHand, session: Session, qtbot) -> None:
    card = by_hand.cards["smu"]
    assert card.said.text() == "not touched yet"
    session.act_changed.emit(ActChanged(1, "smu source", Path(), "holds 0.1 V", False))
    assert card.said.text() == "holds 0.1 V, now"
    card._when -= 100
    card.age()
    assert card.said.text() == "holds 0.1 V, 100 s ago"
    session.event_heard.emit(Row("smu", {"time": 1.0, "voltage": 0.1, "current": 2e-6}))
    assert card.said.text() == "voltage 100 mV, current 2 µA, now"
    by_hand.chart.draw()
    assert by_hand.chart.quantity.currentText() == "current (A)"
    assert by_hand.chart.last.text() == "smu 2 µA"
    session.event_heard.emit(Row("pulses", {"voltage": 1.0}))  # of a run: no reading of an instrument
    assert len(by_hand.chart.traces) == 2


def test_the_chart_draws_each_instrument_of_the_chosen_unit_within_its_span(qtbot) -> None:
    chart = StripChart()
    qtbot.addWidget(chart)
    chart.show()
    for value in (1.0, 2.0, 3.0):
        chart.take("chuck", {"temperature": "K"}, {"temperature": 300.0 + value})
        chart.take(
            "room", {"temperature": "K", "humidity": "%"}, {"temperature": 293.0, "humidity": float("nan")}
        )
    chart.draw()
    drawn = {item.name(): list(item.getData()[1]) for item in chart.plot.listDataItems()}
    assert drawn == {"chuck": [301.0, 302.0, 303.0], "room": [293.0, 293.0, 293.0]}
    assert [chart.quantity.itemText(one) for one in range(chart.quantity.count())] == ["temperature (K)"]
    chart.traces["chuck", "temperature"].times[0] -= 120.0
    chart.span.setCurrentText("1 min")
    chart._mark()
    chart.draw()
    drawn = {item.name(): list(item.getData()[1]) for item in chart.plot.listDataItems()}
    assert drawn["chuck"] == [302.0, 303.0]


def test_touches_are_kept_by_bench_and_offered_again(by_hand: BenchByHand, asked: list, qtbot) -> None:
    line = by_hand.cards["smu"].lines["source"]
    line.fields["voltage"].setText("0.3 V")
    line._with_values(line.keep_wanted.emit)
    kept = by_hand.keep()
    line.fields["voltage"].setText("1 V")
    by_hand.recall("")
    assert by_hand._favourites.count() == 0
    by_hand.recall(kept)
    button = by_hand._favourites.itemAt(0).widget()
    assert button.text() == "smu source 300 mV 100 µA"
    press(button, qtbot)
    assert asked[-1] == (
        "source",
        {"voltage": pytest.approx(0.3), "current_limit": pytest.approx(1e-4)},
        "smu",
    )
    for damaged in (
        "{",
        "[1]",
        '{"simulated": [["nobody", "source", {}], ["smu", "fly", {}]]}',
        '{"simulated": 3}',
    ):
        by_hand.recall(damaged)
        assert by_hand._favourites.count() == 0


def test_nothing_is_touched_while_a_job_has_the_bench_and_the_reason_is_said(
    by_hand: BenchByHand, session: Session, monkeypatch
) -> None:
    monkeypatch.setattr(Session, "job", property(lambda _: (4, "running")))
    session.jobs_changed.emit([])
    assert not by_hand.cards["smu"].lines["source"].isEnabled()
    assert by_hand.standing.text().startswith("job 4 has the bench")
    monkeypatch.setattr(Session, "held_by_hand", property(lambda _: True))
    session.jobs_changed.emit([])
    assert by_hand.cards["smu"].lines["source"].isEnabled()


def test_a_bench_of_arrays_says_that_it_has_no_instruments(
    by_hand: BenchByHand, session: Session, qtbot
) -> None:
    session.set_bench("arrays")
    qtbot.waitUntil(lambda: "no instruments to touch" in by_hand.standing.text(), timeout=PATIENCE)
    assert not by_hand.cards


@pytest.mark.thorough
def test_by_mouse_a_cell_is_connected_measured_and_watched_and_the_bench_ends_safe(
    open_main: Callable[..., MainWindow], tmp_path: Path, qtbot
) -> None:
    window = open_main(tmp_path)
    window.show_panel("Bench")
    panel = window.panel("Bench")
    by_hand = panel.by_hand
    qtbot.waitUntil(lambda: bool(by_hand.cards), timeout=PATIENCE)
    press(panel.turn, qtbot)
    show(by_hand, "board")
    press(by_hand.cards["board"].lines["connect"].button, qtbot)
    qtbot.waitUntil(lambda: "by READ" in by_hand.cards["board"].said.text(), timeout=PATIENCE)
    show(by_hand, "smu")
    smu = by_hand.cards["smu"]
    for name, words in (("measure", "A at"), ("source", "holds 0 V"), ("watch", "current")):
        press(smu.lines[name].button, qtbot)
        qtbot.waitUntil(lambda words=words: words in smu.said.text(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: len(by_hand.chart.traces["smu", "current"].times) > 3, timeout=PATIENCE)
    assert window.commands.light.text().startswith("LIVE")
    press(by_hand.end, qtbot)
    qtbot.waitUntil(lambda: window.commands.light.text().startswith("SAFE"), timeout=PATIENCE)
    (job,) = window.session.jobs
    assert (job.status, job.order.procedure) == (JobStatus.FINISHED, BY_HAND)
    with RunFile(job.run) as run:
        assert run.conclusion.line == "4 touches"
