"""What an error says to a program is in its class and its attributes, also where it has gone through a file or a pipe."""

from __future__ import annotations

from contextlib import closing

import pytest
from queue_runners import LIVING, order

import mho.running.runner.runner as runners
from mho import run
from mho.errors import InstrumentError, LimitError, MhoError, UnsafeError, recorded_class, recorded_name
from mho.instruments import open_bench
from mho.procedures import Read
from mho.procedures.stream import Ended, Event
from mho.processes import SafetyResult
from mho.running.notifications import occasion_of
from mho.running.queue import JobStatus, Queue
from mho.running.runner.messages import JobDone, decode, encode
from mho.running.runner.outcome import JobOutcome
from mho.running.runner.runner import Runner
from mho.running.safety_statement import SafetyObserver
from mho.runs import Status


class OwnLimit(LimitError):
    """A lab's own kind."""


class Foreign(Exception):
    """Of somebody else, who may give it any name."""


Foreign.__name__ = Foreign.__qualname__ = "LimitError"


@pytest.mark.parametrize(
    ("error", "name", "kind"),
    [
        (LimitError("4 V"), "LimitError", LimitError),
        (OwnLimit("4 V"), "LimitError", LimitError),
        (UnsafeError("smu", ("smu",)), "UnsafeError", UnsafeError),
        (ValueError("x"), "ValueError", Exception),
        (Foreign("x"), f"{__name__}.LimitError", Exception),
    ],
)
def test_the_kind_of_an_error_is_known_where_its_class_is_not(error, name, kind) -> None:
    assert recorded_name(error) == name
    assert recorded_class(name) is kind


@pytest.mark.parametrize("name", ["", "annotations", "recorded_name", "Sequence", "ErrorOfTomorrow"])
def test_a_name_that_is_no_error_of_ours_decides_nothing(name) -> None:
    assert not issubclass(recorded_class(name), MhoError)


def ended_by(error: Exception, tmp_path, monkeypatch, *, mute: bool = False) -> tuple[Ended, SafetyObserver]:
    """Let a run end by an error, on a bench whose board cannot be confirmed safe when it is `mute`."""

    def fail(*words: object) -> None:
        raise error

    monkeypatch.setattr(Read, "execute", fail)
    heard: list[Event] = []
    witness = SafetyObserver()
    with open_bench(seed=1) as bench:
        make_safe = bench.instruments.board.make_safe
        if mute:
            bench.instruments.board.make_safe = lambda: fail_to_answer()
        with pytest.raises(type(error)):
            run(Read(rows="0", columns="0"), bench, output=tmp_path, observers=[heard.append, witness])
        bench.instruments.board.make_safe = make_safe
    (ended,) = (event for event in heard if isinstance(event, Ended))
    return ended, witness


def fail_to_answer() -> None:
    raise InstrumentError("mute")


def test_a_limit_of_any_class_is_an_occasion_of_its_own(tmp_path, monkeypatch) -> None:
    ended, _ = ended_by(OwnLimit("bit line: 5 V"), tmp_path, monkeypatch)
    assert (ended.status, ended.reason) == (Status.FAILED, "OwnLimit: bit line: 5 V")
    assert occasion_of(ended.status, ended.error) == "limit"
    assert (ended.safe, ended.live, ended.unsafe_reason) == (True, (), "")
    assert occasion_of(ended.status, recorded_name(Foreign("x"))) == "failure"


def test_what_may_be_live_is_told_beside_the_error_that_ended_a_run(tmp_path, monkeypatch) -> None:
    error = LimitError("bit line: 5 V")
    ended, witness = ended_by(error, tmp_path, monkeypatch, mute=True)
    assert (ended.error, ended.safe, ended.live) == ("LimitError", False, ("board",))
    found = witness.bench_state(error)
    assert (found.safe, found.live) == (False, ("board",))
    assert "mute" in found.reason
    assert "5 V" not in found.reason


def test_what_may_be_live_goes_from_worker_to_runner_as_a_field() -> None:
    done = JobDone(Status.FAILED, "LimitError: 5 V", False, error="LimitError", live=("gate", "smu"))
    assert JobOutcome(**vars(decode(encode(done)))).live == ("gate", "smu")
    assert decode(encode(Ended(Status.FAILED, "", "a.h5", False, live=("gate",)))).live == ("gate",)
    older = b'{"kind": "JobDone", "status": "failed", "reason": "x", "safe": false}'
    assert JobOutcome(**vars(decode(older))).live == ()


def test_a_bench_that_was_refused_safe_by_its_own_error_names_its_roles() -> None:
    witness = SafetyObserver()
    witness.taken = True
    assert witness.bench_state(UnsafeError("words", live=("smu",))) == SafetyResult(False, "words", ("smu",))
    assert witness.bench_state(RuntimeError("boom")) == SafetyResult(False, "boom")


def test_what_the_worker_feared_is_kept_where_nobody_knows_more(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(
        runners, "make_safe_apart", lambda *words: SafetyResult(False, "it did not end in time")
    )
    runner = Runner(tmp_path / "queue.sqlite")
    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.add(order())
        job = queue.begin(1, run=tmp_path / "run.h5", **LIVING)
    assert job is not None
    with closing(runner._queue):
        runner._settle(job, JobOutcome(JobStatus.FAILED, "LimitError: 5 V", live=("gate", "smu")))
    with Queue(tmp_path / "queue.sqlite") as queue:
        lane = queue.lane("simulated")
    assert (lane.unsafe, lane.live, lane.unsafe_reason) == (True, ("gate", "smu"), "it did not end in time")
