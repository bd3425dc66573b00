"""Whether a bench is safe: confirmed, not known, or live; since when, and from which source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mho.running.queue import Job, Lane
    from mho.running.runner import RunnerState

QUEUE_UNREAD = "its queue has not been read yet"
NEVER_READ = "nothing was read of this bench yet; Check bench looks at it"
UNKNOWN_OUTPUT = "unknown"
"""Words for an output of which nothing is known, as `mho.instruments.bench` has them."""


class SafetyVerdict(Enum):
    """The verdict on a bench's outputs."""

    SAFE = "SAFE"
    UNKNOWN = "NOT KNOWN"
    LIVE = "LIVE"
    UNSAFE = "NOT SAFE"


@dataclass(frozen=True)
class Safety:
    """The safety of a bench, and why: who confirmed it and when, what is live, or why nothing is known.

    `since` and `source` are of a bench that is safe: when that was read back, and by whom, in a word; of a live one
    `source` is the job.
    """

    verdict: SafetyVerdict
    text: str
    since: datetime | None = None
    source: str = ""

    def in_short(self, now: datetime) -> str:
        """Return the verdict with its age and source at a glance: ``SAFE 2 min, runner``."""
        age = "" if self.since is None else f" {age_text((now - self.since).total_seconds())}"
        return f"{self.verdict.value}{age}" + (f", {self.source}" if self.source else "")


@dataclass(frozen=True)
class Evidence:
    """A finding about the outputs, and its time."""

    when: datetime
    verdict: SafetyVerdict
    text: str
    source: str = ""


@dataclass(frozen=True)
class Use:
    """The processes that are known to use a bench.

    Attributes
    ----------
    taken : float or None
        When a process last locked it, Unix time, s; None where that is not known.
    holder : str
        The process that has locked it now; empty where none is known.
    lost : frozenset of int
        Numbers of the jobs that are running according to the queue, but whose runner is gone.
    """

    taken: float | None = None
    holder: str = ""
    lost: frozenset[int] = frozenset()


def use_of(bench: str) -> Callable[[Mapping[int, Job]], Use]:
    """Return what says who uses a bench, of the jobs that the queue has as begun, by number.

    On a simulated bench, or none, only the jobs count.
    """
    from mho.errors import MhoError
    from mho.instruments.bench import holder, holder_words, last_taken
    from mho.instruments.bench_file import load_bench_file
    from mho.runs.liveness import lives

    def lost(begun: Mapping[int, Job]) -> frozenset[int]:
        return frozenset(
            number
            for number, job in begun.items()
            if job.runner is None or not lives(job.runner, job.runner_birth or "")
        )

    with suppress(MhoError):  # the panels show the error
        source = load_bench_file(bench)
        if source.bench.simulation is None:  # else a real bench may have devices of the same names

            def look(begun: Mapping[int, Job]) -> Use:
                has = holder(source)
                return Use(
                    last_taken(source), "" if has is None else holder_words(has).rstrip(","), lost(begun)
                )

            return look
    return lambda begun: Use(lost=lost(begun))


_NOTHING = Evidence(datetime.min, SafetyVerdict.UNKNOWN, NEVER_READ)


class SafetyRecord:
    """Collects all facts about the safety of one bench, and derives the verdict.

    Idle does not count as safe, nor does the end of a job or a user's statement: a bench is safe when a read-back has
    confirmed it, until it is used again.
    """

    def __init__(self) -> None:
        self._lane: Lane | None = None
        self._runner: RunnerState | None = None
        self._begun: Job | None = None  # is being run, as the queue has it
        self._use = Use()
        self._outputs = ""  # reports of a running job on the outputs, with their times
        self._evidence = _NOTHING  # the newest

    # --- inputs ---

    def take_lane(self, lane: Lane) -> None:
        """Store the state of the bench's queue, with its notes on the outputs and their times."""
        self._lane = lane
        if lane.confirmed is not None:
            after_a_job = lane.confirmed_by.startswith("read back when job")
            self._confirm(lane.confirmed, lane.confirmed_by, "runner" if after_a_job else "fresh process")
        if lane.acknowledged is not None:
            when = datetime.fromtimestamp(lane.acknowledged)
            text = f"taken on somebody's word at {clock(when)}; nobody has read it back since"
            self._find(Evidence(when, SafetyVerdict.UNKNOWN, text))

    def take_jobs(self, jobs: Sequence[Job], use: Use) -> None:
        """Store the bench's jobs, and the processes that use it."""
        # A worker whose runner is gone ends by itself; the end of its run does not show the state of the outputs.
        begun = (job for job in jobs if job.started is not None and (job.ended is None or job.id in use.lost))
        self._begun = next((job for job in begun if job.status != "queued"), None)
        self._use = use

    def take_runner(self, state: RunnerState | None, now: datetime, *, gone: bool = True) -> None:
        """Store the state of the runner; None when there is none or, without `gone`, when it is not known."""
        before, self._runner = self._runner, state
        if state is None and before is not None and (before.job is not None or before.state == "making safe"):
            what = (
                "the bench was being made safe" if before.job is None else f"job {before.job} was being run"
            )
            last = "its runner went" if gone else "its runner was heard last"
            self._find(Evidence(now, SafetyVerdict.UNKNOWN, f"{what} when {last}"))
        if state is not None and state.job is None:
            self._outputs = ""

    def take_event(self, event: Any, now: datetime) -> None:
        """Store a running job's report on its outputs, and the state in which it left them."""
        kind = type(event).__name__  # the classes are in a package that takes its time to load
        if kind == "Standing":
            live = event.outputs if event.live is None else event.live
            on = [f"{role} {event.outputs[role]}" for role in live if event.outputs[role] != UNKNOWN_OUTPUT]
            unknown = [role for role in live if event.outputs[role] == UNKNOWN_OUTPUT]
            known = (
                [f"{', '.join(on) or 'no output on'}, confirmed at {clock(now)}"] if on or not unknown else []
            )
            self._outputs = "; ".join([*known, *([f"{', '.join(unknown)} not known"] if unknown else [])])
        elif kind == "Ended":
            self._outputs, name = "", Path(event.path).name
            if event.confirmed is not None:
                self._confirm(event.confirmed, f"read back when run {name} had ended", "end of run")
            else:
                text = f"run {name} has ended, and no output was confirmed off"
                self._find(Evidence(now, SafetyVerdict.UNKNOWN, text))

    def take_findings(self, findings: Sequence[Mapping[str, Any]], now: datetime) -> None:
        """Store the findings of *Check bench*."""
        wrong = [one for one in findings if one["verdict"] == "wrong"]
        on = [
            f"{one.get('title') or one['subject']}: {one['detail']}"
            for one in wrong
            if one["what"] in ("output", "mode", "safe")
        ]
        silent = [_title(one) for one in wrong if one["what"] == "connection"]
        if on:
            text = f"{', '.join(on)}, read by Check bench at {clock(now)}"
            self._find(Evidence(now, SafetyVerdict.LIVE, text))
        elif silent:
            text = f"{', '.join(silent)} did not answer Check bench at {clock(now)}"
            self._find(Evidence(now, SafetyVerdict.UNKNOWN, text))
        elif any(one["what"] == "output" for one in findings):
            off = [
                f"{one.get('title') or one['subject']} {one['detail']}"
                for one in findings
                if one["what"] in ("output", "mode")
            ]
            text = f"{', '.join(off)}, read by Check bench at {clock(now)}"
            self._find(Evidence(now, SafetyVerdict.SAFE, text, "Check bench"))

    def _confirm(self, when: float, by: str, source: str) -> None:
        """Record that every output was read back as off, at a Unix time, s."""
        at = datetime.fromtimestamp(when)
        self._find(Evidence(at, SafetyVerdict.SAFE, f"every output off since {clock(at)}, {by}", source))

    def _find(self, evidence: Evidence) -> None:
        if evidence.when >= self._evidence.when:
            self._evidence = evidence

    # --- what follows ---

    def safety(self) -> Safety:
        """Return the safety of the bench; the worst evidence decides."""
        runner, lane, begun = self._runner, self._lane, self._begun
        outputs = f": {self._outputs}" if self._outputs else ""
        if runner is not None and runner.state == "making safe":
            return Safety(SafetyVerdict.UNSAFE, "it is being made safe, which is not confirmed yet")
        if lane is not None and lane.unsafe:
            return Safety(SafetyVerdict.UNSAFE, _unconfirmed(lane))
        if runner is not None and runner.unsafe:
            return Safety(SafetyVerdict.UNSAFE, _unconfirmed(runner))
        if runner is not None and runner.job is not None:
            source = f"job {runner.job}"
            return Safety(SafetyVerdict.LIVE, f"{source} {runner.state}{outputs}", source=source)
        if begun is not None and begun.id not in self._use.lost:
            unheard = "" if runner is not None else "; its runner is not heard"
            source = f"job {begun.id}"
            return Safety(SafetyVerdict.LIVE, f"{source} {begun.status}{unheard}{outputs}", source=source)
        if begun is not None and not self._safe_since(begun):
            return Safety(SafetyVerdict.UNSAFE, f"job {begun.id} was left by a runner that is gone{outputs}")
        return self._safety_without_job()

    def _safe_since(self, begun: Job) -> bool:
        """Return whether the outputs were read back after a job had begun; then that job no longer has the bench."""
        return self._evidence.verdict is SafetyVerdict.SAFE and self._evidence.when.timestamp() > (
            begun.started or 0.0
        )

    def _safety_without_job(self) -> Safety:
        """Return the last finding, unless a process has used the bench since."""
        use, evidence = self._use, self._evidence
        if evidence is _NOTHING and self._lane is None:
            return Safety(SafetyVerdict.UNKNOWN, QUEUE_UNREAD)
        if evidence.verdict in (SafetyVerdict.SAFE, SafetyVerdict.UNKNOWN) and use.holder:
            return Safety(SafetyVerdict.UNKNOWN, f"{use.holder}, has the bench; before that: {evidence.text}")
        if (
            evidence.verdict is SafetyVerdict.SAFE
            and use.taken is not None
            and use.taken > evidence.when.timestamp()
        ):
            taken = clock(datetime.fromtimestamp(use.taken))
            return Safety(
                SafetyVerdict.UNKNOWN, f"a process took the bench at {taken}; before that: {evidence.text}"
            )
        since = evidence.when if evidence.verdict is SafetyVerdict.SAFE else None
        return Safety(evidence.verdict, evidence.text, since, evidence.source)

    @property
    def outputs(self) -> str:
        """The running job's last report on its outputs, and its time; empty without a job or a report."""
        return self._outputs


def _title(finding: Mapping[str, Any]) -> str:
    """Return what the bench file calls the instrument of a finding."""
    return str(finding.get("title") or finding["subject"])


def _unconfirmed(standing: Lane | RunnerState) -> str:
    """Return which outputs of a bench are not confirmed safe, and why."""
    why = f" ({standing.unsafe_reason})" if standing.unsafe_reason else ""
    return f"not confirmed: {', '.join(standing.live) or 'any output'} may be live{why}"


def safety_topic(bench: str) -> str:
    """Return the topic of the messages that a bench is not confirmed safe; they are withdrawn once it is."""
    return f"safety of {bench}"


def hold_topic(bench: str) -> str:
    """Return the topic of the messages that a bench's queue is held; they are withdrawn once it is not."""
    return f"hold of {bench}"


def age_text(seconds: float) -> str:
    """Return an age in one unit, as whoever looks at a light wants it: ``now``, ``2 min``, ``3 h``, ``5 d``."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "now"


def clock(when: datetime) -> str:
    """Return a time of today as ``14:03:12``, any other with its date."""
    return f"{when:%H:%M:%S}" if when.date() == datetime.now().date() else f"{when:%Y-%m-%d %H:%M:%S}"


def say_runner_gone(before: RunnerState, outputs: str, waiting: int) -> tuple[str, str]:
    """Return level and text of the message when a runner with the last state `before` is gone.

    `outputs` is the known state of the outputs of its job, `waiting` the number of jobs that will not be started now.
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
