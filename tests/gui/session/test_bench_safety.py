"""What may be said of a bench from what was heard of it: the newest finding counts, and what is not known is said so."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mho.gui.session.bench_safety import Safety, SafetyRecord, SafetyVerdict, Use, clock
from mho.procedures.stream import Ended, Standing
from mho.running.queue import Job, JobStatus, Lane, Order
from mho.running.runner.messages import RunnerState
from mho.runs import Status

NOW = datetime.now()
LATER, EARLIER = NOW + timedelta(seconds=10), NOW - timedelta(seconds=10)
LOST = frozenset({4})


def job(status: JobStatus, ended: datetime | None = NOW, number: int = 4) -> Job:
    end = None if ended is None else ended.timestamp()
    return Job(
        number, Order("read", folder=Path("/")), status, 0, 1, "", None, None, 1, None, None, None, None,
        added=1.0, started=(NOW - timedelta(hours=1)).timestamp(), ended=end, estimate=None, seconds=None, pulses=None,
    )  # fmt: skip


def confirmed(when: datetime, by: str = "made safe by a fresh process") -> Lane:
    return Lane("simulated", confirmed=when.timestamp(), confirmed_by=by)


def finding(subject: str, what: str, verdict: str, detail: str) -> dict[str, str]:
    return {"subject": subject, "what": what, "verdict": verdict, "detail": detail, "advice": ""}


OFF = [finding("smu", "connection", "ok", "answers"), finding("smu", "output", "ok", "off")]
ON = [finding("smu", "output", "wrong", "on"), finding("gate", "output", "ok", "off")]
SILENT = [finding("gate", "connection", "wrong", "no reply")]


@pytest.fixture
def record() -> SafetyRecord:
    return SafetyRecord()


def verdict(record: SafetyRecord) -> SafetyVerdict:
    return record.safety().verdict


@pytest.mark.parametrize("status", JobStatus)
def test_how_a_job_ended_says_nothing_of_its_bench(record, status) -> None:
    ended = None if status in ("queued", "running", "paused") else NOW
    record.take_jobs([job(status, ended)], Use())
    record.take_lane(Lane("simulated"))
    assert verdict(record) is not SafetyVerdict.SAFE


def test_a_window_that_is_opened_goes_by_what_the_queue_has_noted(record) -> None:
    record.take_lane(confirmed(NOW, "read back when job 4 had ended"))
    record.take_jobs([job(JobStatus.FINISHED)], Use())
    assert record.safety().text == f"every output off since {clock(NOW)}, read back when job 4 had ended"
    assert verdict(record) is SafetyVerdict.SAFE
    record.take_lane(Lane("simulated", reason="gate is on", unsafe=True))
    assert verdict(record) is SafetyVerdict.UNSAFE


def test_a_window_that_has_not_read_the_queue_says_that(record) -> None:
    assert record.safety() == Safety(SafetyVerdict.UNKNOWN, "its queue has not been read yet")
    record.take_lane(Lane("simulated"))
    assert record.safety().text.startswith("nothing was read of this bench yet")


@pytest.mark.parametrize(
    ("outputs", "live", "words"),
    [
        ({"smu": "ON, 0.2 V", "gate": "off"}, ("smu",), "smu ON, 0.2 V, confirmed at {}"),
        ({"smu": "off", "gate": "off"}, (), "no output on, confirmed at {}"),
        ({"smu": "unknown", "gate": "unknown"}, ("smu", "gate"), "smu, gate not known"),
        ({"smu": "unknown", "gate": "ON, 2 V"}, None, "gate ON, 2 V, confirmed at {}; smu not known"),
    ],
)
def test_what_is_not_known_of_an_output_is_not_called_confirmed(record, outputs, live, words) -> None:
    record.take_event(Standing(outputs, live), NOW)
    assert record.outputs == words.format(clock(NOW))


@pytest.mark.parametrize("fresh", [False, True])
def test_what_is_taken_on_a_word_is_never_safe(record, fresh) -> None:
    if not fresh:  # the window has seen it all
        record.take_lane(replace(confirmed(EARLIER), unsafe=True))
        assert verdict(record) is SafetyVerdict.UNSAFE
    word = replace(confirmed(EARLIER), acknowledged=NOW.timestamp())
    record.take_lane(word)
    record.take_jobs([job(JobStatus.INTERRUPTED)], Use())
    record.take_runner(RunnerState("simulated", 1, "idle"), LATER)
    assert verdict(record) is SafetyVerdict.UNKNOWN
    assert record.safety().text.startswith(f"taken on somebody's word at {clock(NOW)}")
    record.take_lane(replace(word, confirmed=LATER.timestamp()))
    assert verdict(record) is SafetyVerdict.SAFE


def test_a_job_of_which_its_runner_says_nothing_is_live_all_the_same(record) -> None:
    record.take_lane(confirmed(EARLIER))
    record.take_runner(RunnerState("simulated", 1, "idle"), EARLIER)
    assert verdict(record) is SafetyVerdict.SAFE
    record.take_jobs([job(JobStatus.RUNNING, None)], Use(taken=NOW.timestamp(), holder="process 7 of anna"))
    assert record.safety() == Safety(SafetyVerdict.LIVE, "job 4 running", source="job 4")


def test_a_runner_that_gives_no_seat_is_not_taken_for_gone(record) -> None:
    record.take_jobs([job(JobStatus.RUNNING, None)], Use())
    assert record.safety() == Safety(
        SafetyVerdict.LIVE, "job 4 running; its runner is not heard", source="job 4"
    )


@pytest.mark.parametrize("ended", [None, NOW], ids=["killed, too", "has ended its run by itself"])
def test_a_job_whose_end_nobody_has_noted_leaves_the_bench_unsafe_until_it_is_read_back(
    record, ended
) -> None:
    left, lost = [job(JobStatus.FINISHED, EARLIER, 3), job(JobStatus.INTERRUPTED, ended)], Use(lost=LOST)
    record.take_lane(confirmed(NOW - timedelta(days=1)))  # before the job began
    record.take_jobs(left, lost)
    assert record.safety() == Safety(SafetyVerdict.UNSAFE, "job 4 was left by a runner that is gone")
    record.take_lane(confirmed(NOW))
    assert verdict(record) is SafetyVerdict.SAFE
    record.take_jobs(left, replace(lost, taken=LATER.timestamp()))
    assert verdict(record) is SafetyVerdict.UNKNOWN
    record.take_jobs(left, replace(lost, taken=LATER.timestamp(), holder="process 7 of anna"))
    assert verdict(record) is SafetyVerdict.UNKNOWN
    assert "process 7 of anna, has the bench" in record.safety().text


def test_whoever_has_the_bench_now_is_named_however_new_the_evidence(record) -> None:
    """It may have taken the bench before the last job was settled."""
    record.take_lane(confirmed(NOW))
    use = Use(taken=EARLIER.timestamp())
    record.take_jobs([job(JobStatus.FINISHED)], use)
    assert verdict(record) is SafetyVerdict.SAFE
    record.take_jobs([job(JobStatus.FINISHED)], replace(use, holder="process 7 of anna"))
    assert verdict(record) is SafetyVerdict.UNKNOWN
    assert record.safety().text.startswith("process 7 of anna, has the bench; before that: every output off")


def test_evidence_is_as_old_as_its_read_back(record) -> None:
    ended = Ended(Status.FINISHED, "", Path("a.h5"), confirmed=EARLIER.timestamp())
    record.take_jobs([], Use(taken=NOW.timestamp()))
    record.take_event(ended, LATER)
    assert verdict(record) is SafetyVerdict.UNKNOWN
    record.take_event(replace(ended, confirmed=LATER.timestamp()), LATER)
    assert verdict(record) is SafetyVerdict.SAFE
    record.take_event(replace(ended, confirmed=None), LATER)
    assert verdict(record) is SafetyVerdict.UNKNOWN


@pytest.mark.parametrize("findings", [ON, SILENT])
def test_a_check_is_not_overridden_by_a_job_that_ended_before_it(record, findings) -> None:
    record.take_lane(confirmed(NOW))
    record.take_findings(findings, LATER)
    expected = SafetyVerdict.LIVE if findings is ON else SafetyVerdict.UNKNOWN
    assert verdict(record) is expected
    record.take_lane(confirmed(NOW))  # as with every change of the queue
    record.take_jobs([job(JobStatus.FINISHED)], Use())
    record.take_runner(RunnerState("simulated", 1, "idle"), LATER)
    assert verdict(record) is expected
    record.take_findings(OFF, LATER)
    assert record.safety().text == f"smu off, read by Check bench at {clock(LATER)}"
    assert verdict(record) is SafetyVerdict.SAFE


def test_whoever_takes_the_bench_afterwards_makes_it_unknown(record) -> None:
    record.take_findings(OFF, NOW)
    record.take_jobs([], Use(taken=EARLIER.timestamp()))
    assert verdict(record) is SafetyVerdict.SAFE
    record.take_jobs([], Use(taken=LATER.timestamp()))
    assert verdict(record) is SafetyVerdict.UNKNOWN
    assert clock(LATER) in record.safety().text


def test_a_runner_that_goes_while_it_makes_safe_has_confirmed_nothing(record) -> None:
    record.take_findings(OFF, EARLIER)
    record.take_runner(RunnerState("simulated", 1, "making safe"), NOW)
    record.take_runner(None, NOW)
    assert verdict(record) is SafetyVerdict.UNKNOWN


def test_a_time_of_another_day_has_its_date() -> None:
    assert clock(datetime(2020, 1, 2, 3, 4, 5)) == "2020-01-02 03:04:05"
    now = datetime.now()  # of this day also where the module was read before midnight
    assert clock(now) == f"{now:%H:%M:%S}"
