"""What may be said of a bench from what was heard of it: the newest finding counts, and what is not known is said so."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gui.bench_safety import SafetyRecord, Verdict, clock
from procedures.queue import Job, JobStatus, Lane, Order
from procedures.queue.messages import RunnerState

NOW = datetime.now()
LATER, EARLIER = NOW + timedelta(seconds=10), NOW - timedelta(seconds=10)


def job(status: JobStatus, ended: datetime | None = NOW, number: int = 4) -> Job:
    end = None if ended is None else ended.timestamp()
    return Job(
        number, Order("read", folder=Path("/")), status, 0, 1, "", None, None, 1, None, None, None, None,
        added=1.0, started=2.0, ended=end, estimate=None, seconds=None, pulses=None,
    )  # fmt: skip


def finding(subject: str, what: str, verdict: str, detail: str) -> dict[str, str]:
    return {"subject": subject, "what": what, "verdict": verdict, "detail": detail, "advice": ""}


OFF = [finding("smu", "connection", "ok", "answers"), finding("smu", "output", "ok", "off")]
ON = [finding("smu", "output", "wrong", "on"), finding("gate", "output", "ok", "off")]
SILENT = [finding("gate", "connection", "wrong", "no reply")]


@pytest.fixture
def record() -> SafetyRecord:
    return SafetyRecord()


def verdict(record: SafetyRecord) -> Verdict:
    return record.safety().verdict


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (JobStatus.FINISHED, Verdict.SAFE),
        (JobStatus.INTERRUPTED, Verdict.SAFE),  # a runner has made the bench safe before it noted that
        (JobStatus.FAILED, Verdict.UNKNOWN),  # it may never have come to the bench
        (JobStatus.ABORTED, Verdict.UNKNOWN),
        (JobStatus.SKIPPED, Verdict.UNKNOWN),
    ],
)
def test_a_window_that_is_opened_goes_by_what_the_queue_has_noted(record, status, expected) -> None:
    record.take_lane(Lane("simulated"), NOW)
    record.take_jobs([job(status)])
    assert verdict(record) is expected
    record.take_lane(Lane("simulated", reason="gate is on", unsafe=True), NOW)
    assert verdict(record) is Verdict.UNSAFE


def test_a_job_whose_end_nobody_has_noted_leaves_the_bench_unsafe(record) -> None:
    record.take_jobs([job(JobStatus.FINISHED, EARLIER, 3), job(JobStatus.INTERRUPTED, None)])
    assert verdict(record) is Verdict.UNSAFE
    assert record.safety().text == "job 4 was left by a runner that is gone"


@pytest.mark.parametrize("findings", [ON, SILENT])
def test_a_check_is_not_overridden_by_a_job_that_ended_before_it(record, findings) -> None:
    record.take_jobs([job(JobStatus.FINISHED)])
    record.take_findings(findings, LATER)
    expected = Verdict.LIVE if findings is ON else Verdict.UNKNOWN
    assert verdict(record) is expected
    record.take_jobs([job(JobStatus.FINISHED)])  # as with every change of the queue
    record.take_runner(RunnerState("simulated", 1, "idle"), LATER)
    assert verdict(record) is expected
    record.take_findings(OFF, LATER)
    assert record.safety().text == f"smu off, read by Check bench at {clock(LATER)}"
    assert verdict(record) is Verdict.SAFE


def test_whoever_takes_the_bench_afterwards_makes_it_unknown(record) -> None:
    record.take_findings(OFF, NOW)
    record.take_use(EARLIER)
    assert verdict(record) is Verdict.SAFE
    record.take_use(LATER)
    assert verdict(record) is Verdict.UNKNOWN
    assert clock(LATER) in record.safety().text


def test_a_runner_that_goes_while_it_makes_safe_has_confirmed_nothing(record) -> None:
    record.take_findings(OFF, EARLIER)
    record.take_runner(RunnerState("simulated", 1, "making safe"), NOW)
    record.take_runner(None, NOW)
    assert verdict(record) is Verdict.UNKNOWN


def test_a_time_of_another_day_has_its_date() -> None:
    assert clock(datetime(2020, 1, 2, 3, 4, 5)) == "2020-01-02 03:04:05"
    assert clock(NOW) == f"{NOW:%H:%M:%S}"
