"""Pausing, going on and stopping from another thread, at every operation of the bench; and where a run comes from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from queue_procedures import CELL, Reading
from queue_runners import eventually

from mho import run
from mho.errors import Aborted
from mho.instruments import Bench, open_bench
from mho.procedures.stream import Control, Ended, Message, Paused, Resumed, Row, Stream
from mho.runs import RunFile, Status


class Steps(Reading):
    """Reads without ever asking whether to stop, and does what the test wants in between."""

    def __init__(self, between: Callable[[int], None]) -> None:
        super().__init__()
        self.between = between

    def execute(self, plan: None, bench: Bench, stream: Stream) -> None:
        for number in range(5):
            stream.emit("reads", time=float(number), conductance=bench.read(CELL))
            self.between(number)


@pytest.fixture
def bench():
    with open_bench(preset="ideal", seed=1) as opened:
        yield opened


def rows(events: list[object]) -> int:
    return sum(isinstance(event, Row) for event in events)


def test_an_abort_acts_before_the_next_operation_even_if_the_procedure_never_asks(bench, tmp_path):
    control, events = Control(), []
    steps = Steps(lambda number: control.abort("enough") if number == 2 else None)
    before = bench.checkpoint
    with pytest.raises(Aborted, match="enough"):
        run(steps, bench, output=tmp_path / "a.h5", observers=[events.append], control=control)
    assert rows(events) == 3
    assert bench.checkpoint is before
    assert events[-1] == Ended(Status.ABORTED, "enough", tmp_path / "a.h5")
    bench.read(CELL)  # the run's end is not the bench's


def test_the_first_reason_counts():
    control = Control()
    control.abort("first")
    control.abort("second")
    with pytest.raises(Aborted, match="first"):
        control.check()


@pytest.mark.parametrize(
    ("lost", "status"), [(True, Status.INTERRUPTED), (False, Status.ABORTED)], ids=["lost", "wanted"]
)
def test_what_is_broken_off_is_called_as_what_stops_at_a_safe_point(bench, tmp_path, lost, status):
    control = Control()

    def sleep(number: int) -> None:  # as a thread beside it does after a while
        control.abort("the runner is gone", lost=lost)
        raise KeyboardInterrupt(control.reason)

    with pytest.raises(KeyboardInterrupt):
        run(Steps(sleep), bench, output=tmp_path / "a.h5", control=control)
    with RunFile(tmp_path / "a.h5") as file:
        assert (file.status, file.reason) == (status, "the runner is gone")


class Watched(Control):
    """Counts how often the run looks whether it is to pause, or to stay paused."""

    looks = 0

    @property
    def pausing(self) -> bool:
        self.looks += 1
        return self._pausing

    @pausing.setter
    def pausing(self, value: bool) -> None:
        self._pausing = value


def test_during_a_pause_the_outputs_idle_and_then_the_run_goes_on(bench, tmp_path):
    control, events, seen = Watched(), [], []
    twin = bench.laboratory.devices[bench.file.instruments.smu.address]

    def resume() -> None:
        eventually(lambda: any(isinstance(event, Paused) for event in events))
        looks = control.looks
        eventually(lambda: control.looks >= looks + 5)  # it stays paused
        seen.append((rows(events), twin.level, bench.laboratory.board.path))
        control.pausing = False

    thread = threading.Thread(target=resume)
    thread.start()

    def between(number: int) -> None:
        control.pausing |= number == 1

    run(Steps(between), bench, output=tmp_path / "a.h5", observers=[events.append], control=control)
    thread.join()
    assert seen == [(2, 0.0, "OPEN")]
    assert rows(events) == 5
    assert [type(e) for e in events if isinstance(e, Paused | Resumed)] == [Paused, Resumed]
    with RunFile(tmp_path / "a.h5") as file:
        assert [entry.message for entry in file.log()] == ["paused, outputs idle", "going on after the pause"]


def test_a_paused_run_can_be_aborted(bench, tmp_path):
    control, events = Control(), []

    def observe(event: object) -> None:
        events.append(event)
        if isinstance(event, Paused):
            threading.Timer(0.05, control.abort, ["no more"]).start()

    control.pausing = True
    with pytest.raises(Aborted, match="no more"):
        run(Steps(lambda _: None), bench, output=tmp_path / "a.h5", observers=[observe], control=control)
    assert rows(events) == 0
    assert not any(isinstance(event, Resumed) for event in events)
    assert not [e for e in events if isinstance(e, Message) and e.level == "CRITICAL"]


def test_a_run_says_where_it_comes_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = tmp_path / "old.h5"
    procedure = Reading()
    before = dict(vars(procedure))
    run(procedure, "simulated", seed=3, output="a.h5", resume_of=old, provenance={"lab": "B12"})
    assert vars(procedure) == before  # what it takes up is handed to it, and nothing is written into it
    with RunFile("a.h5") as file:
        found = file.provenance
        assert [entry.message for entry in file.log()] == ["taking up old.h5"]
    assert found["procedure"] == "queue_procedures:Reading"
    assert (found["bench"], found["folder"]) == ("simulated", str(tmp_path))
    assert (found["resume_of"], found["lab"]) == (str(old), "B12")


def test_a_bench_that_was_open_already_has_no_name(bench, tmp_path):
    run(Reading(), bench, output=Path(tmp_path / "a.h5"))
    with RunFile(tmp_path / "a.h5") as file:
        assert "bench" not in file.provenance
