"""Campaigns: every run once, whatever dies; one table; nothing repeated that is finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pyarrow.parquet
import pytest
from distributed import LocalCluster

from mho import platforms, run
from mho.errors import BenchError, InputError
from mho.procedures.stream import Started
from mho.processes import environment
from mho.running.campaign import Campaign, CampaignTask, carry_out
from mho.running.plan import parse_plan
from mho.runs import RunFile
from mho.workers import Workers, dask_workers

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

READS = """
name = "reads"
[[steps]]
procedure = "read"
parameters = { rows = "0:2", columns = "0:2" }
[[sweep]]
seed = { from = 1, to = 6 }
"""


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with dask_workers(2) as started:
        yield started


def campaign(folder: Path, text: str = READS, **options: int) -> Campaign:
    return Campaign(parse_plan(text, folder), folder, **options)


@pytest.mark.thorough
def test_every_run_has_a_file_and_a_row(tmp_path, workers):
    told: list[int] = []
    rows = campaign(tmp_path).carry_out(workers, lambda row: told.append(row["number"]))
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5, 6] == sorted(told)
    assert {row["status"] for row in rows} == {"finished"}
    for row in rows:
        with RunFile(tmp_path / row["file"]) as run:
            assert run.status == "finished"
            assert int(run.provenance["seed"]) == row["seed"] == row["number"]
            assert run.summary["mean_conductance"] == row["result.mean_conductance"]
    table = pyarrow.parquet.read_table(tmp_path / "table.parquet").to_pylist()
    assert table == rows
    assert table[0]["parameter.rows"] == "0:2"


@pytest.mark.thorough
def test_what_is_finished_is_not_repeated_and_what_was_interrupted_is(tmp_path, workers):
    first = campaign(tmp_path).carry_out(workers)
    kept, lost = tmp_path / first[0]["file"], tmp_path / first[1]["file"]
    before = kept.stat().st_mtime_ns
    lost.write_bytes(lost.read_bytes()[:100])  # as a crash may leave it
    again = campaign(tmp_path).carry_out(workers)
    assert kept.stat().st_mtime_ns == before
    assert [row["attempts"] for row in again] == [0, 1, 0, 0, 0, 0]
    assert again[1]["result.mean_conductance"] == first[1]["result.mean_conductance"]
    assert (tmp_path / "runs/000002.failed-1.h5").exists()


@pytest.mark.thorough
def test_a_run_that_fails_is_tried_again_and_reported_and_the_others_go_on(tmp_path, workers):
    text = READS.replace("seed = { from = 1, to = 6 }", 'rows = ["0:2", "0:9999", "4:6"]')
    rows = campaign(tmp_path, text, tries=3).carry_out(workers)
    assert [row["status"] for row in rows] == ["finished", "failed", "finished"]
    assert rows[1]["attempts"] == 3
    assert "row 9998 is not among them" in rows[1]["reason"]


@pytest.mark.thorough
def test_killing_a_worker_loses_nothing(tmp_path, workers):
    text = READS.replace("to = 6", "to = 16").replace("0:2", "0:8")
    killed: list[int] = []

    def kill_one(row: dict[str, object]) -> None:
        if row["number"] in (3, 9):
            there = workers._client.run(
                os.getpid
            )  # those at work: one that is just being started again is not
            killed.append(next(iter(there.values())))
            psutil.Process(killed[-1]).kill()

    rows = campaign(tmp_path, text).carry_out(workers, kill_one)
    assert len(killed) == 2
    assert [row["number"] for row in rows] == list(range(1, 17))
    assert {row["status"] for row in rows} == {"finished"}
    assert all((tmp_path / row["file"]).exists() for row in rows)


def test_a_run_without_a_seed_has_the_same_one_again(tmp_path):
    text = READS.replace("seed = { from = 1, to = 6 }", "repeats = [1, 2, 3]")
    seeds = [[task.seed for task in campaign(tmp_path, text).tasks()] for _ in range(2)]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 3


@pytest.mark.thorough
def test_a_file_that_is_being_written_is_waited_for_and_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("mho.running.campaign.LOOK", 0.02)
    task = next(campaign(tmp_path).tasks())
    with ThreadPoolExecutor(1) as pool:
        waiting: list[Future[dict[str, object]]] = []

        def begun_twice(event: object) -> None:
            if isinstance(event, Started):
                waiting.append(pool.submit(carry_out, task))
                with pytest.raises(TimeoutError):
                    waiting[0].result(timeout=0.5)

        provenance = {"fingerprint": json.dumps(task.fingerprint)}
        run(
            task.planned.make(),
            seed=task.seed,
            output=task.path,
            observers=[begun_twice],
            provenance=provenance,
        )
        row = waiting[0].result(timeout=60)
    assert row["status"] == "finished"
    assert [path.name for path in task.path.parent.iterdir()] == [task.path.name]


def left_by_another_host(task: CampaignTask, monkeypatch: pytest.MonkeyPatch, clock: float) -> None:
    """Leave the file of a run as a writer does that was killed on another host, whose clock differs by `clock` s."""
    code = (
        "import socket, sys, time\n"
        f"socket.gethostname, now = lambda: 'elsewhere', time.time\n"
        f"time.time = lambda: now() + {clock}\n"
        "from mho import Read, platforms, run\n"
        "from mho.procedures.stream import Started\n"
        "def kill(event):\n"
        "    if isinstance(event, Started): time.sleep(2.5); platforms.here.kill_this()\n"
        "run(Read(rows='0:2', columns='0:2'), output=sys.argv[1], observers=[kill])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(task.path)], env=environment(), timeout=100)
    assert platforms.here.is_kill(done.returncode)


@pytest.mark.thorough
@pytest.mark.parametrize("clock", [0.0, 3600.0, -3600.0])
def test_a_run_of_a_worker_killed_on_another_host_is_taken_up_once_its_heartbeat_stands_still(
    tmp_path, monkeypatch, clock
):
    task = next(campaign(tmp_path).tasks())
    left_by_another_host(task, monkeypatch, clock)
    monkeypatch.setattr("mho.running.campaign.LOOK", 0.05)
    monkeypatch.setattr("mho.running.campaign.HEARTBEAT_LIMIT", 0.5)
    monkeypatch.setattr("mho.runs.liveness.HEARTBEAT_LIMIT", 3.0)
    row = carry_out(task)
    assert (row["status"], row["attempts"]) == ("finished", 1)
    with RunFile(task.path.with_name("000001.failed-1.h5")) as lost:
        assert lost.status != "finished"


def test_another_plan_in_the_same_folder_is_refused(tmp_path):
    campaign(tmp_path)
    with pytest.raises(InputError, match="holds another plan"):
        campaign(tmp_path, READS + "# changed\n")


def test_a_bench_of_real_instruments_is_refused(tmp_path):
    from mho.instruments.bench_file.bench_file import load_bench_file

    text = load_bench_file("simulated").text
    start, end = text.index("\n[simulation]"), text.index("\n[instruments.smu]")
    (tmp_path / "real.toml").write_text(text[:start] + text[end:])
    with pytest.raises(InputError, match="has real instruments"):
        campaign(tmp_path, READS.replace('name = "reads"', 'name = "reads"\nbench = "real.toml"'))


def test_a_preset_that_is_not_there_is_said_before_anything_runs(tmp_path):
    with pytest.raises(BenchError, match="unknown cell preset 'pko'"):
        campaign(tmp_path / "out", READS.replace('name = "reads"', 'name = "reads"\npreset = "pko"'))
    assert not (tmp_path / "out").exists()


@pytest.mark.thorough
def test_a_scheduler_without_workers_is_said(monkeypatch):
    monkeypatch.setattr("mho.workers.FIRST_WORKER", 0.2)
    with (
        LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        pytest.raises(InputError, match=r"has no worker; start one: dask worker tcp://127"),
        dask_workers(scheduler=cluster.scheduler_address),
    ):
        pass


def test_a_scheduler_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    with pytest.raises(InputError, match="no dask scheduler answers"), dask_workers(scheduler="nonsense://x"):
        pass


@pytest.mark.thorough
def test_results_come_while_items_are_still_drawn(workers):
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for n in range(200):
            drawn.append(n)
            yield n

    for done in workers.spread(abs, items()):
        assert done.error is None
        if len(drawn) < 200:
            break
    else:
        pytest.fail("every item was drawn before the first result came")
