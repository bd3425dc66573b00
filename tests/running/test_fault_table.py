"""Whatever is killed, answers badly or too late, or misbehaves: no bench is live unsaid, and no finished run is wrong.

The whole table takes the better part of an hour: ``pytest -m slow tests/running/test_fault_table.py -s`` prints it.
"""

from __future__ import annotations

import os

import pytest
from bad_procedures import FORKING
from bad_procedures import WAYS as ALL
from fault_table import (
    BAD_KINDS,
    LATE_KINDS,
    Tally,
    kill_jobs,
    kill_runs,
    misbehave,
    misbehave_in_queue,
    spoil_replies,
)

WAYS = [how for how in ALL if hasattr(os, "fork") or how not in FORKING]


def assert_clean(tally: Tally) -> None:
    print(f"\n{tally}")
    assert not tally.unsaid, "\n".join(tally.unsaid)
    assert not tally.wrong, "\n".join(tally.wrong)


@pytest.mark.thorough
def test_some_bad_replies(tmp_path):
    assert_clean(spoil_replies(Tally("bad replies"), ["cut", "earlier", "non-ASCII"], 3, tmp_path, 2))


@pytest.mark.thorough
def test_a_late_reply(tmp_path):
    assert_clean(spoil_replies(Tally("late replies"), LATE_KINDS, 1, tmp_path, 3))


@pytest.mark.thorough
def test_some_bad_procedures(tmp_path):
    way = "fork a daemon" if "fork a daemon" in WAYS else "busy in C"
    assert_clean(misbehave(Tally("bad procedures, mho run"), [way], tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(3600)
class TestTheWholeTable:
    """Each row by itself, so that they may be run one by one."""

    def test_bad_replies(self, tmp_path):
        assert_clean(spoil_replies(Tally("bad replies"), BAD_KINDS, 48, tmp_path, 1))

    def test_late_replies(self, tmp_path):
        assert_clean(spoil_replies(Tally("late replies"), LATE_KINDS, 40, tmp_path, 1))

    def test_killed_runs(self, tmp_path):
        assert_clean(kill_runs(Tally("kills, mho run"), 30, tmp_path, 1))

    def test_killed_jobs(self, tmp_path):
        assert_clean(kill_jobs(Tally("kills, queue"), 32, tmp_path, 1))

    def test_bad_procedures(self, tmp_path):
        assert_clean(misbehave(Tally("bad procedures, mho run"), WAYS, tmp_path))

    def test_bad_procedures_in_the_queue(self, tmp_path):
        ways = [how for how in WAYS if how != "kill parent"]  # which is this test's own process
        assert_clean(misbehave_in_queue(Tally("bad procedures, queue"), ways, tmp_path))
