"""Several values in one field: what is typed, which runs come of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtWidgets import QLineEdit
from window_steps import PATIENCE, choose, press

from mho.errors import InputError
from mho.gui.experiments.panel import ExperimentsPanel
from mho.gui.experiments.sweeps import combinations, swept
from mho.gui.session.session import Session


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 to 3 V in 5 steps", [1.0, 1.5, 2.0, 2.5, 3.0]),
        ("100 to 300 mV in 3 steps", [0.1, 0.2, 0.3]),
        ("500 mV to 1 V in 2 steps", [0.5, 1.0]),
        ("-1 to 1 in 3 steps", [-1.0, 0.0, 1.0]),
        ("1 to 1000 in 4 log steps", [1.0, 10.0, 100.0, 1000.0]),
    ],
)
def test_steps_go_from_the_first_to_the_last(text: str, values: list[float]) -> None:
    assert [float(one) for one in swept(text, "V", "volts")] == pytest.approx(values)


@given(st.floats(-10, 10), st.floats(-10, 10), st.integers(2, 50))
def test_linear_steps_are_even_and_include_their_ends(first: float, last: float, count: int) -> None:
    made = np.array(swept(f"{first:.6f} to {last:.6f} in {count} steps", "V", "volts"), float)
    np.testing.assert_allclose(made, np.linspace(round(first, 6), round(last, 6), count), atol=1e-8)


def test_values_apart_by_semicolons_are_taken_as_they_are() -> None:
    assert swept("0.5 V; 1 V;2 V", "V", "volts") == ["0.5 V", "1 V", "2 V"]
    for one in ("0.5", "0:8, 12", "only one;", "", None, True):
        assert swept(one, "", "rows") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 to 3 V in 1 step", "give 2 to"), ("1 to 3 V in 99999 steps", "give 2 to"), ("a to 3 V in 3 steps", "'a'"),
        ("0 to 3 V in 3 log steps", "same sign"), ("1 s to 3 V in 3 steps", "not a unit of its kind"),
    ],
)  # fmt: skip
def test_what_is_no_sweep_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        swept(text, "V", "volts")


def test_every_combination_is_made_the_last_field_fastest_and_never_too_many() -> None:
    assert combinations({}) == [{}]
    made = combinations({"a": ["1", "2"], "b": ["x", "y"]})
    assert [tuple(one.values()) for one in made] == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]
    with pytest.raises(InputError, match="1,600 runs"):
        combinations({"a": ["1"] * 40, "b": ["1"] * 40})


@pytest.fixture
def panel(session: Session, qtbot) -> ExperimentsPanel:
    panel = ExperimentsPanel(session)
    panel.panel = lambda title: panel
    qtbot.addWidget(panel)
    panel.resize(400, 700)
    panel.show()
    session.ensure_runner = lambda: None
    session.start()
    return panel


def fill(panel: ExperimentsPanel, name: str, text: str, qtbot) -> None:
    editor = panel.form.fields[name].editor
    assert isinstance(editor, QLineEdit)
    editor.setText(text)


def test_a_field_of_several_values_becomes_as_many_jobs(
    panel: ExperimentsPanel, session: Session, qtbot
) -> None:
    choose(panel, "iv", qtbot)
    fill(panel, "gate", "1.2 to 2 V in 5 steps", qtbot)
    fill(panel, "cycles", "1; 2", qtbot)
    qtbot.waitUntil(
        lambda: panel.estimate.text().startswith("10 runs, the first: duration"), timeout=PATIENCE
    )
    press(panel.buttons.queue, qtbot)
    qtbot.waitUntil(lambda: len(session.jobs) == 10, timeout=PATIENCE)
    wanted = [(gate, cycles) for cycles in ("1", "2") for gate in (1.2, 1.4, 1.6, 1.8, 2.0)]
    made = [(float(job.order.parameters["gate"]), job.order.parameters["cycles"]) for job in session.jobs]
    assert sorted(made, key=str) == sorted(wanted, key=str)


def test_no_job_is_made_when_one_of_the_values_is_refused(
    panel: ExperimentsPanel, session: Session, qtbot
) -> None:
    choose(panel, "iv", qtbot)
    fill(panel, "gate", "1; 2; 11", qtbot)  # 10 V at the most
    assert "11" in panel.form.problems()["gate"]
    assert not panel.buttons.queue.isEnabled()
    fill(panel, "gate", "1; 2; 9.9", qtbot)  # which this bench does not allow
    press(panel.buttons.queue, qtbot)
    qtbot.wait(1500)
    assert session.jobs == []
