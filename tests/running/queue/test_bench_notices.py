"""A command beside the queue makes a bench safe that the queue warns of, and tells the queue what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.errors import UnsafeError
from mho.processes import SafetyResult
from mho.running.queue import Order, Queue, bench_notices
from mho.running.queue.bench_notices import ensure_safe, tell_queue
from mho.running.queue.store import queue_path

BENCH = "simulated"


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    monkeypatch.setattr(bench_notices, "make_safe_apart", lambda bench: pytest.fail("made safe"))
    with Queue(queue_path()) as queue:
        yield queue


def safing(monkeypatch: pytest.MonkeyPatch, found: SafetyResult) -> list[str]:
    benches: list[str] = []
    monkeypatch.setattr(bench_notices, "make_safe_apart", lambda bench: benches.append(bench) or found)
    return benches


def test_without_a_queue_there_is_nobody_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    assert (ensure_safe(BENCH), tell_queue(BENCH, SafetyResult(True, confirmed=1.0))) == ("", "")
    assert not list(tmp_path.iterdir())


def test_a_bench_that_nothing_is_said_of_is_left_alone(queue: Queue):
    assert ensure_safe(BENCH) == ""
    assert tell_queue(BENCH, SafetyResult(True, confirmed=5.0)) == ""
    assert queue.lane(BENCH).confirmed == 5.0


def test_a_bench_that_the_queue_warns_of_is_made_safe_first(queue: Queue, monkeypatch: pytest.MonkeyPatch):
    queue.hold_unsafe(BENCH, "held", "no answer", ["smu"])
    benches = safing(monkeypatch, SafetyResult(True, confirmed=7.0))
    assert ensure_safe(BENCH) == (
        "bench simulated was not confirmed safe, and was made safe by a fresh process first; "
        "the queue warns of it no more"
    )
    lane = queue.lane(BENCH)
    assert (benches, lane.unsafe, lane.confirmed) == ([BENCH], False, 7.0)
    assert ensure_safe(BENCH) == ""
    assert benches == [BENCH]


@pytest.mark.parametrize(("live", "said"), [(("daq",), ("daq",)), ((), ("smu",))])
def test_nothing_begins_on_a_bench_that_cannot_be_made_safe(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, live: tuple[str, ...], said: tuple[str, ...]
):
    queue.hold_unsafe(BENCH, "held", "no answer", ["smu"])
    safing(monkeypatch, SafetyResult(False, "still no answer", live))
    with pytest.raises(
        UnsafeError, match=r"still no answer.* Nothing was begun; .*`mho bench safe simulated`"
    ) as refused:
        ensure_safe(BENCH)
    assert refused.value.live == said
    assert queue.lane(BENCH).unsafe


def test_a_job_that_lost_its_worker_is_ended_whole_and_its_bench_made_safe(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
):
    job = queue.add(Order("read", {}, BENCH))
    queue.begin(job.id, run=None, worker=1, worker_birth="long ago")
    ended: list[object] = []
    monkeypatch.setattr(bench_notices, "end_whole", lambda *family: ended.append(family))
    benches = safing(monkeypatch, SafetyResult(True, confirmed=7.0))
    assert (
        ensure_safe(BENCH)
        == "bench simulated was not confirmed safe, and was made safe by a fresh process first"
    )
    assert (benches, len(ended)) == ([BENCH], 1)


def test_what_cannot_be_confirmed_holds_the_queue(queue: Queue):
    assert tell_queue(BENCH, SafetyResult(False, "no answer", ("smu",))) == "its queue is held"
    lane = queue.lane(BENCH)
    assert (lane.held, lane.unsafe, lane.unsafe_reason, lane.live) == (True, True, "no answer", ("smu",))
    assert lane.reason == "bench simulated is not confirmed safe: no answer"


def test_a_queue_that_cannot_be_read_keeps_nobody_from_the_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    queue_path().write_bytes(b"no database" * 500)
    assert ensure_safe(BENCH) == ""
    assert tell_queue(BENCH, SafetyResult(True, confirmed=1.0)).startswith("the queue was not told: ")
