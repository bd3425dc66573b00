"""The jobs of a plan on real instruments have one chip: what one learns of its cells, the next ones know."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from queue_runners import SUPPORT, Desk, order, running, served_bench

from mho import run
from mho.errors import QueueError
from mho.procedures import Read
from mho.procedures.chip_in_use import formed_cells_of
from mho.running.queue import JobStatus, Order, Queue, checked_all, expect, orders_of_plan
from mho.running.queue.job import Policy, Reaction
from mho.running.queue.orders import runs_on_chip
from mho.runs import RunFile

PLAN = """
name = "one chip"
bench = {bench}

[[steps]]
procedure = "queue_procedures:Reading"
parameters = {{ seconds = 0.3 }}

[[steps]]
procedure = "queue_procedures:Going"
parameters = {{ how = "fail" }}

[[steps]]
procedure = "read"
name = "other cells"
parameters = {{ rows = "8:10", columns = "8:10" }}
"""


def formed_in(path: Path) -> np.ndarray:
    with RunFile(path) as run:
        (one,) = formed_cells_of(run) or (None,)
    return np.argwhere(one.mask).tolist() if one is not None else []


@pytest.mark.thorough
def test_a_plan_on_real_instruments_keeps_what_it_learns_of_the_chip(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))  # for the workers
    with served_bench(tmp_path) as (bench, _):
        (tmp_path / "plan.toml").write_text(PLAN.format(bench=json.dumps(bench)), "utf-8")
        orders = orders_of_plan(tmp_path / "plan.toml")
        assert [one.after for one in orders] == [None, "@1", "@2"]
        desk = Desk(tmp_path / "queue.sqlite", bench)
        with Queue(desk.path) as queue:
            jobs = queue.add_all(checked_all(orders, queue))
            queue.set_policy(bench, Policy(on_failure=Reaction.SKIP))
        assert [job.order.after for job in jobs] == [None, "#1", "#2"]
        with running(desk):
            pass
        ended = [desk.job(job.id) for job in jobs]
        assert [job.status for job in ended] == [JobStatus.FINISHED, JobStatus.FAILED, JobStatus.FINISHED]
        assert formed_in(ended[0].run) == [[0, 0]]
        assert formed_in(ended[2].run) == [[0, 0]]  # of which it has read none itself


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run file that can be read."""
    folder = tmp_path_factory.mktemp("whole")
    return run(Read(rows="0:1", columns="0:1"), seed=1, output=folder / "run.h5").path


def test_which_runs_are_asked_and_that_none_is_waited_for(whole, tmp_path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        for number, ending in enumerate(("finished", "finished", "failed", None), 1):
            after = f"#{number - 1}" if number > 1 else None
            job = queue.add(Order("read", {}, "lab.toml", 1, after=after))
            if ending is not None:
                path = tmp_path / f"{number}.h5"
                shutil.copy(whole, path)
                queue.begin(job.id, run=path, worker=1, worker_birth="")
                queue.end(job.id, JobStatus(ending), "")
        last = Order("read", {}, "lab.toml", 1, after="#4")
        assert runs_on_chip(last, queue) == (tmp_path / "3.h5", tmp_path / "2.h5")
        (tmp_path / "3.h5").write_bytes(b"cut short")  # by the kill that ended it
        assert runs_on_chip(last, queue) == (tmp_path / "2.h5",)
        (tmp_path / "3.h5").unlink()
        assert runs_on_chip(last, queue) == (tmp_path / "2.h5",)
        assert runs_on_chip(Order("read", {}, "lab.toml", 1), queue) == ()


def test_on_real_instruments_a_job_is_after_a_job_and_not_after_a_file(tmp_path):
    with served_bench(tmp_path) as (bench, _), Queue(tmp_path / "queue.sqlite") as queue:
        first = queue.add(expect(order(bench), queue).order)
        expected = expect(Order("read", {"rows": "0:1"}, bench, 1, after=f"#{first.id}"), queue)
        second, seconds = expected.order, expected.seconds
        assert second.after == f"#{first.id}"
        alone = expect(Order("read", {"rows": "0:1"}, bench, 1), queue).seconds
        assert seconds == alone  # nothing is repeated
        (tmp_path / "run.h5").touch()
        with pytest.raises(QueueError, match="real instruments, whose chip is as it is"):
            expect(Order("read", {"rows": "0:1"}, bench, 1, after=str(tmp_path / "run.h5")), queue)
        for after in ("@1", "@7x"):
            with pytest.raises(QueueError, match="names no job and no run file"):
                expect(Order("read", {"rows": "0:1"}, bench, 1, after=after), queue)
        for one in (bench, "simulated"):
            with pytest.raises(QueueError, match="there is no job"):
                expect(Order("read", {"rows": "0:1"}, one, 1, after=f"#{10**30}"), queue)
        elsewhere = queue.add(Order("read", {}, "simulated", 1))
        with pytest.raises(QueueError, match=r'is for bench simulated, .* needs --after ""'):
            expect(Order("read", {"rows": "0:1"}, bench, 1, after=f"#{elsewhere.id}"), queue)


@pytest.mark.parametrize("real", [True, False])
def test_no_job_goes_on_from_itself(tmp_path, real):
    with served_bench(tmp_path) as (served, _), Queue(tmp_path / "queue.sqlite") as queue:
        bench = served if real else "simulated"
        for after in (None, "#1", "#2"):
            queue.add(Order("read", {"rows": "0:1"}, bench, 1, after=after))
        for number, after, told in ((1, "#3", "#3, which goes on from it"), (3, "#3", "itself")):
            edited = expect(replace(queue.job(number).order, after=after), queue).order
            with pytest.raises(QueueError, match=f"^job {number} cannot go on from {told}; name another"):
                queue.edit(number, edited)
        assert [job.order.after for job in queue.jobs()] == [None, "#1", "#2"]
        edited = expect(replace(queue.job(3).order, after="#1"), queue).order
        assert queue.edit(3, edited).order.after == "#1"
        edited = expect(replace(queue.job(2).order, after="#3"), queue).order  # a later one, but no ring
        assert queue.edit(2, edited).order.after == "#3"


def test_a_ring_of_an_earlier_mho_is_gone_round_once(whole, tmp_path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        for number, after in ((1, "#2"), (2, "#1")):
            queue.add(Order("read", {}, "lab.toml", 1, after=after))
            queue.begin(number, run=tmp_path / f"{number}.h5", worker=1, worker_birth="")
            queue.end(number, JobStatus.FAILED, "")
            shutil.copy(whole, tmp_path / f"{number}.h5")
        last = queue.add(Order("read", {}, "lab.toml", 1, after="#2"))
        assert runs_on_chip(last.order, queue) == (tmp_path / "2.h5", tmp_path / "1.h5")
        assert queue.edit(last.id, replace(last.order, seed=2)).order.seed == 2


def test_a_job_that_was_changed_to_another_bench_tells_nothing_of_the_chip(tmp_path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        first = queue.add(Order("read", {}, "lab.toml", 1))
        second = queue.add(Order("read", {}, "lab.toml", 1, after=f"#{first.id}"))
        queue.edit(first.id, replace(first.order, bench="simulated"))
        queue.begin(first.id, run=tmp_path / "1.h5", worker=1, worker_birth="")
        queue.end(first.id, JobStatus.FINISHED, "")
        (tmp_path / "1.h5").touch()
        assert runs_on_chip(second.order, queue) == ()


def test_a_job_before_that_was_removed_is_missed_on_a_simulated_bench_only(tmp_path):
    with served_bench(tmp_path) as (bench, _), Queue(tmp_path / "queue.sqlite") as queue:
        gone = queue.add(Order("read", {}, bench, 1))
        waiting = queue.add(Order("read", {"rows": "0:1"}, bench, 1, after=f"#{gone.id}"))
        queue.remove(gone.id)
        assert expect(waiting.order, queue).order.after == f"#{gone.id}"
        assert runs_on_chip(waiting.order, queue) == ()
        with pytest.raises(QueueError, match="there is no job 1 "):
            expect(replace(waiting.order, bench="simulated"), queue)
        for never in ("#0", "#3"):
            with pytest.raises(QueueError, match=f"there is no job {never[1:]} "):
                expect(replace(waiting.order, after=never), queue)
