"""A runner asks the computer to stay awake from the first job until none is left; a campaign as long as it lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mho import platforms
from mho.running.campaign import Campaign
from mho.running.plan import parse_plan
from mho.running.runner.runner import Runner


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens, in order."""
    told: list[str] = []

    @contextmanager
    def kept_awake(reason: str) -> Iterator[str]:
        told.append(reason)
        yield "refused"
        told.append("may sleep")

    monkeypatch.setattr(platforms.here, "kept_awake", kept_awake)
    return told


def test_a_runner_asks_once_for_the_jobs_that_follow_each_other(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Runner(tmp_path / "queue.sqlite")
    jobs: list[Any] = ["first", "second", None, None, "third"]

    def attend() -> None:
        said.append("idle")

    def carry_out(job: str) -> None:
        said.append(job)
        if job == "third":
            runner._ending = "enough"

    monkeypatch.setattr(runner, "_start_spare", lambda: None)
    monkeypatch.setattr(runner, "_next", lambda: jobs.pop(0))
    monkeypatch.setattr(runner, "_attend", attend)
    monkeypatch.setattr(runner, "_carry_out", carry_out)
    runner.serve()
    asked = "jobs of the queue on bench simulated"
    assert said == [asked, "first", "second", "may sleep", "idle", "idle", asked, "third", "may sleep"]


def test_a_campaign_asks_for_as_long_as_it_lasts(said: list[str], tmp_path: Path) -> None:
    class Workers:
        def spread(self, act: Any, tasks: Any) -> Iterator[Any]:
            said.append("spread")
            yield from ()

    plan = parse_plan(
        'name = "reads"\n[[steps]]\nprocedure = "read"\nparameters = { rows = "0:2", columns = "0:2" }\n',
        tmp_path,
    )
    Campaign(plan, tmp_path).carry_out(Workers())
    assert said == ["a campaign of runs", "spread", "may sleep"]
