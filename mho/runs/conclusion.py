"""What a run concludes: one line and its warnings, as its file keeps them and as every surface shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

LINE_BYTES = 1024  # room of a run file for the line, and for why the bench was left in doubt
WARNING_BYTES = 512
# A warning is cut to so many bytes, and so many different ones are kept; all of them are in the log
MOST_WARNINGS = 32
WARNINGS_BYTES = 128 * 1024  # room of a run file for all of them, as JSON
NOTHING_MEASURED = "nothing measured"


class Status(StrEnum):
    """The status of a run, the same word wherever a run or its job is shown.

    INTERRUPTED means that the run ended unexpectedly. A reader reports it when the file says that the run is running and
    its writer is gone. `recover` writes it, and so does a run that has lost its runner.
    """

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"


GOING_ON = (Status.RUNNING, Status.PAUSED)
"""A writer has the file; unless it is gone, which makes it INTERRUPTED."""


@dataclass(frozen=True)
class Conclusion:
    """What a run concludes, declared by its procedure (`mho.procedures.Procedure.conclude`).

    Attributes
    ----------
    line : str
        What came of the run, one line without a full stop: ``converged, 25 bits proved``. Where nothing was measured, why:
        ``64 of 64 cells unformed``. Empty for a run that did not finish; its reason stands there.
    warnings : tuple of str
        What bears on the result: what the procedure says here, and every warning that it said during the run.
    measured : bool
        Whether the run measured anything at all.
    unsafe : str
        Why the bench was not confirmed safe at the end; empty where it was.

    Examples
    --------
    >>> mho.Conclusion("window 12.3", ("3 cells unformed",)).measured
    True
    """

    line: str = ""
    warnings: tuple[str, ...] = field(default=())
    measured: bool = True
    unsafe: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "line", " ".join(self.line.split()))
        object.__setattr__(self, "warnings", tuple(" ".join(one.split()) for one in self.warnings))

    @property
    def text(self) -> str:
        """The line; with the words that nothing was measured, where that is so."""
        if self.measured:
            return self.line
        return f"{self.line}: {NOTHING_MEASURED}" if self.line else NOTHING_MEASURED


def status_words(status: Status | str, conclusion: Conclusion | None) -> str:
    """Return the status of a run in words: ``failed``, ``finished``, ``finished, nothing measured``."""
    nothing = status == Status.FINISHED and conclusion is not None and not conclusion.measured
    return f"{status}, {NOTHING_MEASURED}" if nothing else str(status)


def outcome_line(
    status: Status | str, reason: str, conclusion: Conclusion | None, *, named: bool = True
) -> str:
    """Return the outcome of a run as every surface shows it, in one line.

    ``finished: converged, 25 bits proved``, ``finished, nothing measured: 64 of 64 cells unformed (1 warning)``, ``failed:
    LimitError: ...``; of a run that goes on, its status.

    Parameters
    ----------
    status : Status or str
    reason : str
        Why it failed or was stopped; empty otherwise.
    conclusion : Conclusion or None
        None for the file of an older mho.
    named : bool
        With the status; without it the line stands beside the status: ``64 of 64 cells unformed: nothing measured``.
    """
    conclusion = conclusion or Conclusion()
    finished = status == Status.FINISHED
    text = " ".join((conclusion.line if finished else reason).split())
    if named:
        word = status_words(status, conclusion)
        text = f"{word}: {text}" if text else word
    elif finished:
        text = conclusion.text
    if conclusion.unsafe and conclusion.unsafe not in reason:
        text = f"{text}; bench NOT confirmed safe" if text else "bench NOT confirmed safe"
    if count := len(conclusion.warnings):
        warnings = f"({count} warning{'s' * (count > 1)})"
        text = f"{text} {warnings}" if text else warnings
    return text
