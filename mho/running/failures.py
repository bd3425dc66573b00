"""Description of an error that ended a run: its class, its text, and where in a user's own code it was raised."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from traceback import FrameSummary, extract_tb

from mho.errors import MhoError

_INSTALLED = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_OF_OTHERS = tuple(f"{place}{os.sep}" for place in (Path(__file__).resolve().parents[1], *_INSTALLED))
"""Folders of code that is not the user's own: mho's, Python's, what is installed."""

MOST = 30  # steps of a trace that are kept, innermost last


def failure_reason(error: BaseException) -> str:
    """Return one sentence with the reason why a run or a job failed.

    For an error that mho raises this is its text. For any other one, which is a bug, file and line follow.
    """
    text = f"{type(error).__name__}: {error}"
    steps = _steps(error)
    if isinstance(error, MhoError) or not steps:
        return text
    return f"{text} ({_in_words((_own(steps) or steps)[-1])})"


def failure_trace(error: BaseException) -> str:
    """Return the steps of the user's own code in an error's traceback, the innermost last; "" when there are none.

    Without the steps through mho, which say nothing to a user; but all of them where the flaw is mho's own. Files are
    named without their folders, so that the same run leaves the same log elsewhere.
    """
    steps = _steps(error)
    shown = _own(steps) or ([] if isinstance(error, MhoError) else steps)
    lines = [f"  {_in_words(step)}: {step.line}" for step in shown[-MOST:]]
    return "\n".join([f"{type(error).__name__}: {error}", *lines]) if lines else ""


def _steps(error: BaseException) -> list[FrameSummary]:
    return list(extract_tb(error.__traceback__))


def _own(steps: list[FrameSummary]) -> list[FrameSummary]:
    return [step for step in steps if not os.path.abspath(step.filename).startswith(_OF_OTHERS)]


def _in_words(step: FrameSummary) -> str:
    return f"{os.path.basename(step.filename)}, line {step.lineno}, in {step.name}"
