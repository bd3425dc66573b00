"""Whether a bench is safe, as far as anybody knows: confirmed, not known, or live; since when, and who says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from procedures.queue.job import Job, Lane
    from procedures.queue.messages import RunnerState

NEVER_READ = "nothing was read of this bench yet; Check bench looks at it"


class Verdict(Enum):
    """What may be said of a bench's outputs."""

    SAFE = "SAFE"
    UNKNOWN = "NOT KNOWN"
    LIVE = "LIVE"
    UNSAFE = "NOT SAFE"


@dataclass(frozen=True)
class Safety:
    """How a bench stands.

    Attributes
    ----------
    verdict : Verdict
    text : str
        Why, in one line: who confirmed it and when, what is live, or why nothing is known.
    """

    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Evidence:
    """What somebody has found of the outputs, and when."""

    when: datetime
    verdict: Verdict
    text: str


class SafetyRecord:
    """All that is heard of one bench that bears on whether it is safe, and what follows from it.

    Idle is never taken for safe: safe is what a read-back has confirmed, and only until somebody uses the bench again.
    """

    def __init__(self) -> None:
        self._lane: Lane | None = None
        self._runner: RunnerState | None = None
        self._left: Job | None = None  # was being run by a runner that is gone
        self._outputs = ""  # what a running job tells of them, and when
        self._found = Evidence(datetime.min, Verdict.UNKNOWN, NEVER_READ)  # the newest
        self._taken: datetime | None = None

    # --- what is heard ---

    def take_lane(self, lane: Lane, now: datetime) -> None:
        """Take how the queue of the bench stands."""
        if self._lane is not None and self._lane.unsafe and not lane.unsafe:
            self.confirm(now, "made safe, as the queue notes")
        self._lane = lane

    def take_jobs(self, jobs: Sequence[Job]) -> None:
        """Take the bench's jobs: an end is noted after the bench was confirmed safe, unless the lane says otherwise.

        Of a job that failed or was aborted that is not sure: it may never have come to the bench.
        """
        begun = (job for job in jobs if job.started is not None and job.ended is None)
        self._left = next((job for job in begun if job.status != "queued"), None)
        for job in jobs:
            if job.ended is not None and job.status in ("finished", "interrupted"):
                ended = datetime.fromtimestamp(job.ended)
                if ended > self._found.when:
                    self.confirm(ended, f"read back when job {job.id} had ended")

    def take_runner(self, state: RunnerState | None, now: datetime, *, gone: bool = True) -> None:
        """Take how the runner stands; None when there is none, or, not `gone`, when that is not known."""
        before, self._runner = self._runner, state
        if before is not None and before.state == "making safe":
            if state is not None and state.state != "making safe" and not state.unsafe:
                self.confirm(now, "made safe by a fresh process of the runner")
        elif state is not None and state.state == "making safe":
            self._found = Evidence(now, Verdict.UNKNOWN, "nobody has said how making it safe has ended")
        if state is None and before is not None and before.job is not None:
            last = "its runner went" if gone else "its runner was heard last"
            self._found = Evidence(now, Verdict.UNKNOWN, f"job {before.job} was being run when {last}")
        if state is not None and state.job is None:
            self._outputs = ""

    def take_event(self, event: Any, now: datetime) -> None:
        """Take what a running job tells of its outputs, and how it left them."""
        kind = type(event).__name__  # the classes are in a package that takes its time to load
        if kind == "Standing":
            on = [f"{role} {words}" for role, words in event.outputs.items() if is_live(words)]
            self._outputs = f"{', '.join(on) or 'no output on'}, set and confirmed at {clock(now)}"
        elif kind == "Ended":
            self._outputs, name = "", Path(event.path).name
            if event.safe:
                self.confirm(now, f"read back when run {name} had ended")
            else:
                self._found = Evidence(
                    now, Verdict.UNKNOWN, f"run {name} has ended, and no output was confirmed off"
                )

    def take_findings(self, findings: Sequence[Mapping[str, Any]], now: datetime) -> None:
        """Take what *Check bench* has found."""
        wrong = [one for one in findings if one["verdict"] == "wrong"]
        on = [
            f"{one['subject']}: {one['detail']}" for one in wrong if one["what"] in ("output", "mode", "safe")
        ]
        silent = [one["subject"] for one in wrong if one["what"] == "connection"]
        if on:
            self._found = Evidence(now, Verdict.LIVE, f"{', '.join(on)}, read by Check bench at {clock(now)}")
        elif silent:
            text = f"{', '.join(silent)} did not answer Check bench at {clock(now)}"
            self._found = Evidence(now, Verdict.UNKNOWN, text)
        elif any(one["what"] == "output" for one in findings):
            off = [
                f"{one['subject']} {one['detail']}" for one in findings if one["what"] in ("output", "mode")
            ]
            text = f"{', '.join(off)}, read by Check bench at {clock(now)}"
            self._found = Evidence(now, Verdict.SAFE, text)

    def take_use(self, taken: datetime | None) -> None:
        """Take when any process last took the bench for itself."""
        self._taken = taken

    def confirm(self, when: datetime, text: str) -> None:
        """Take that every output was confirmed off."""
        self._found = Evidence(when, Verdict.SAFE, f"every output off since {clock(when)}, {text}")

    # --- what follows ---

    def safety(self) -> Safety:
        """Return how the bench stands; what is worse comes first."""
        runner, lane, found = self._runner, self._lane, self._found
        outputs = f": {self._outputs}" if self._outputs else ""
        if runner is not None and runner.state == "making safe":
            return Safety(Verdict.UNSAFE, "it is being made safe, which is not confirmed yet")
        if lane is not None and lane.unsafe:
            return Safety(Verdict.UNSAFE, _unconfirmed(lane))
        if runner is not None and runner.unsafe:
            return Safety(Verdict.UNSAFE, _unconfirmed(runner))
        if runner is not None and runner.job is not None:
            return Safety(Verdict.LIVE, f"job {runner.job} {runner.state}{outputs}")
        if runner is None and self._left is not None:
            return Safety(Verdict.UNSAFE, f"job {self._left.id} was left by a runner that is gone{outputs}")
        if found.verdict is Verdict.SAFE and self._taken is not None and self._taken > found.when:
            return Safety(
                Verdict.UNKNOWN,
                f"another process took the bench at {clock(self._taken)}; before that: {found.text}",
            )
        return Safety(found.verdict, found.text)

    @property
    def outputs(self) -> str:
        """What the running job told last of its outputs, and when; empty when there is none, or it told nothing."""
        return self._outputs


def _unconfirmed(standing: Lane | RunnerState) -> str:
    """Say which outputs of a bench are not confirmed safe, and why."""
    why = f" ({standing.unsafe_reason})" if standing.unsafe_reason else ""
    return f"not confirmed: {', '.join(standing.live) or 'any output'} may be live{why}"


def is_live(words: str) -> bool:
    """Tell whether an output stands otherwise than off, in the words of `instruments.Bench.standing`."""
    return not words.startswith(("off", "SAFE", "0 V"))


def clock(when: datetime) -> str:
    """Return a time of today as ``14:03:12``, any other with its date."""
    return f"{when:%H:%M:%S}" if when.date() == datetime.now().date() else f"{when:%Y-%m-%d %H:%M:%S}"


def say_runner_gone(before: RunnerState, outputs: str, waiting: int) -> tuple[str, str]:
    """Return level and text of what is to be said when a runner is gone that stood as `before`.

    Parameters
    ----------
    before : RunnerState
    outputs : str
        What is known of the outputs of its job.
    waiting : int
        Jobs that nobody will begin now.
    """
    gone = f"the runner of bench {before.bench} (process {before.pid}) is gone"
    if before.job is None and before.state != "making safe":
        return "WARNING" if waiting else "INFO", f"{gone}; {waiting} job{'' if waiting == 1 else 's'} waiting"
    what = "the bench was being made safe" if before.job is None else f"job {before.job} was {before.state}"
    known = f"its outputs: {outputs}" if outputs else "nothing is known of its outputs"
    return "CRITICAL", (
        f"{gone} while {what}. The bench is NOT confirmed safe; {known}. Start a runner, which settles this and makes "
        "the bench safe, or press STOP"
    )
