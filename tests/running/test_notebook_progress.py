"""A run in a notebook: bars while it goes on, at most four a second, then the run; and nothing outside a notebook."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import mho
from mho.procedures.stream import Ended, Message, Progress, Started
from mho.running.execution import INTERVAL, NotebookPage, NotebookProgress, notebook_observers
from mho.runs import Status


class Cell:
    """What IPython shows below a cell."""

    def __init__(self) -> None:
        self.shown: list[NotebookPage] = []

    def display(self, shown: NotebookPage, display_id: bool = True) -> Cell:
        self.shown.append(shown)
        return self

    def update(self, shown: NotebookPage) -> None:
        self.shown.append(shown)

    @property
    def page(self) -> str:
        return self.shown[-1]._repr_html_()


@pytest.fixture
def cell() -> Cell:
    return Cell()


def test_bars_are_drawn_at_most_four_times_a_second_and_the_last_one_always(cell):
    now = [0.0]
    progress = NotebookProgress(cell.display, lambda: now[0])
    progress(Started("Solve <b>4x4</b>", Path("run.h5")))
    for done in range(101):
        now[0] += INTERVAL / 8
        progress(Progress("program", done, 100, {"pulses": 3.0 * done}))
    assert len(cell.shown) == 1 + 12 + 1
    assert "Solve &lt;b&gt;4x4&lt;/b&gt;" in cell.page
    assert "<progress value='100' max='100'></progress> 100 of 100, 300 pulses" in cell.page
    assert repr(cell.shown[-1]) == "Solve <b>4x4</b>: program 100 of 100"


def test_warnings_stay_and_an_unreadable_run_is_said(cell, tmp_path):
    progress = NotebookProgress(cell.display)
    progress(Started("A run", tmp_path / "gone.h5"))
    progress(Message("INFO", "fine"))
    progress(Message("WARNING", "the <lamp> is off"))
    progress(
        Ended(Status.FAILED, "no light", tmp_path / "gone.h5", safe=False, unsafe_reason="the smu is on")
    )
    assert "fine" not in cell.page
    assert "the &lt;lamp&gt; is off" in cell.page
    assert "the smu is on" in cell.page
    assert "A run: failed: no light" in cell.page


def test_outside_a_notebook_there_is_nothing(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert notebook_observers() == ()
    terminal = ModuleType("IPython")
    terminal.get_ipython = lambda: SimpleNamespace()  # IPython in a terminal has no kernel
    monkeypatch.setitem(sys.modules, "IPython", terminal)
    assert notebook_observers() == ()


@pytest.mark.thorough
def test_a_run_in_a_notebook_ends_as_the_run_and_returns_what_it_always_does(cell, tmp_path, monkeypatch):
    kernel, shown = ModuleType("IPython"), ModuleType("IPython.display")
    kernel.version_info = (9, 0)  # which Matplotlib asks for
    kernel.get_ipython = lambda: SimpleNamespace(kernel=object())
    shown.display = cell.display
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    found = mho.solve(np.eye(2) + 0.1, bits=8, bench="arrays", seed=1, output=tmp_path / "run.h5")
    assert found.converged
    assert "<progress" in "".join(one._repr_html_() for one in cell.shown[:-1])
    assert "finished" in cell.page
    assert "run.h5" in cell.page
