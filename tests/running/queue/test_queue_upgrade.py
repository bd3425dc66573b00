"""Queue files of before: taken over with all that waits in them, and what was said then is meant as it was then."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from queue_runners import Desk, eventually, running

from mho.running.queue import JobStatus, Order, Queue
from mho.running.queue.database import _REVISIONS, VERSION
from mho.runs import RunFile

TABLES = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    procedure TEXT NOT NULL, parameters TEXT NOT NULL, bench TEXT NOT NULL, seed INTEGER, preset TEXT,
    output TEXT, folder TEXT NOT NULL,
    status TEXT NOT NULL, priority INTEGER NOT NULL, position INTEGER NOT NULL, reason TEXT NOT NULL,
    run TEXT, resume_of TEXT, attempts INTEGER NOT NULL, worker INTEGER, {worker},
    added REAL NOT NULL, started REAL, ended REAL, estimate REAL, seconds REAL, pulses INTEGER{after}
) STRICT;
CREATE INDEX waiting ON jobs (bench, status, priority DESC, position);
{index}
CREATE TABLE lanes (
    bench TEXT PRIMARY KEY, held INTEGER NOT NULL, reason TEXT NOT NULL, unsafe INTEGER NOT NULL,
    on_failure TEXT NOT NULL, on_interruption TEXT NOT NULL, retries INTEGER NOT NULL{live}
) STRICT;
PRAGMA user_version = {version};
"""
OLDEST = {"worker": "worker_started REAL", "after": "", "index": "", "live": ""}
BEFORE = {
    1: OLDEST,
    2: OLDEST | {"after": ", after TEXT"},
    3: {
        "worker": "worker_birth TEXT, runner INTEGER, runner_birth TEXT",
        "after": ", after TEXT, error TEXT NOT NULL DEFAULT ''",
        "index": "CREATE INDEX finished ON jobs (bench, procedure, status, ended);",
        "live": ", unsafe_reason TEXT NOT NULL DEFAULT '', live TEXT NOT NULL DEFAULT '[]'",
    },
}
BEFORE[4] = BEFORE[3] | {
    "after": BEFORE[3]["after"] + ", force INTEGER NOT NULL DEFAULT 0",
    "index": BEFORE[3]["index"] + ";".join(_REVISIONS) + ";",
}


def made_by(version: int, path: Path, *orders: Order, status: str = "queued") -> Path:
    """Write a queue as an mho of before did."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(TABLES.format(version=version, **BEFORE[version]))
        for place, order in enumerate(orders, 1):
            row = {
                "procedure": order.procedure, "parameters": json.dumps(order.parameters), "bench": order.bench,
                "preset": order.preset, "folder": str(order.folder), "status": status, "priority": 0,
                "position": place, "reason": "", "attempts": 0, "added": 1.0,
            }  # fmt: skip
            marks = ", ".join(f":{name}" for name in row)
            connection.execute(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({marks})", row)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite"


@pytest.mark.parametrize("version", BEFORE)
def test_a_queue_of_before_is_taken_over(path, version):
    with Queue(made_by(version, path, Order("read"), Order("read", {"rows": "0:2"}))) as queue:
        first, second = queue.jobs()
        assert (first.order, second.order.parameters) == (Order("read"), {"rows": "0:2"})
        insisting = replace(Order("read"), after="#1", force=True)
        assert queue.add(insisting).order == insisting
        begun = queue.begin(1, run=Path("/runs/a.h5"), worker=1)
        assert begun is not None
        assert begun.runner == os.getpid()
        assert queue.hold_unsafe("simulated", "", "", ["smu"]) == queue.lane("simulated")
        since, changed, order = queue.changes("simulated")
        assert (len(changed), order) == (3, [1, 2, 3])
        queue.skip(2, "not wanted")
        assert [job.id for job in queue.changes("simulated", since)[1]] == [2]


@pytest.mark.parametrize("version", BEFORE)
def test_a_queue_of_before_has_the_same_tables_as_a_new_one(path, version):
    def tables(of: Path) -> dict[str, set[str]]:
        Queue(of).close()
        with closing(sqlite3.connect(of)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema ORDER BY name")]
            columns = {
                name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")} for name in names
            }
        columns["jobs"].discard("worker_started")  # is left, and read by nobody
        return columns

    assert tables(made_by(version, path)) == tables(path.with_name("new.sqlite"))


ZEROS = [
    Order("sweep", {"gate": 0.0, "rows": "0:1"}),
    Order("procedures:Sweep", {"gate": 0}),
    Order("Read", {"read_voltage": "0 V", "rows": "0:1"}),
    Order("procedures.solve:Solve", {"matrix": "a.mtx", "tolerance": 0.0}),
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.FINISHED])
def test_a_zero_that_stood_for_not_given_is_left_out(path, version, status):
    """A job that has ended may be cloned."""
    others = [Order("sweep", {"gate": 0.5}), Order("lab:Sweep", {"gate": 0.0}), Order("read", {"rows": "0"})]
    with Queue(made_by(version, path, *ZEROS, *others, status=status)) as queue:
        left = {job.id: job.order.parameters for job in queue.jobs()}
        assert left == {
            1: {"rows": "0:1"}, 2: {}, 3: {"rows": "0:1"}, 4: {"matrix": "a.mtx"},
            5: {"gate": 0.5}, 6: {"gate": 0.0}, 7: {"rows": "0"},
        }  # fmt: skip
        assert not queue.lane("simulated").held


def test_of_a_zero_whose_meaning_nobody_knows_the_queue_is_held_with_the_reason(path):
    """Version 3 of the tables was in use when its meaning changed."""
    other = replace(ZEROS[0], bench="other")
    with Queue(made_by(3, path, *ZEROS, other, Order("sweep", {"gate": 0.5}, bench="third"))) as queue:
        lane, parameters = queue.lane("simulated"), [job.order.parameters for job in queue.jobs()]
        assert lane.held
        assert lane.reason.startswith(
            "sweep with gate = 0 (job 1, 2): that once stood for a value that was not given"
        )
        assert "; solve with tolerance = 0 (job 4): " in lane.reason
        assert parameters[2] == {"rows": "0:1"}  # read at 0 V was refused then: it was not given
        assert parameters[0]["gate"] == 0.0
        assert queue.lane("other").reason.startswith("sweep with gate = 0 (job 5): ")
        assert not queue.lane("third").held


def test_a_hold_of_before_keeps_its_reason_beside_the_new_one(path):
    made_by(3, path, ZEROS[0])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO lanes VALUES ('simulated', 1, 'for tea', 1, 'skip', 'stop', 1, '', '[]')"
        )
    with Queue(path) as queue:
        lane = queue.lane("simulated")
        assert lane.reason.startswith("for tea; sweep with gate = 0 (job 1): ")
        assert (lane.unsafe, lane.policy.on_failure) == (True, "skip")


@pytest.mark.thorough
def test_a_sweep_of_before_runs_at_the_gate_of_its_bench(tmp_path):
    desk = Desk(tmp_path / "queue.sqlite")
    small = {"gate": 0.0, "rows": "0", "columns": "0", "highest": 0.2, "step": 0.1}
    made_by(2, desk.path, Order("sweep", small, preset="ideal"))
    with running(desk):
        pass
    job = eventually(lambda: desk.job(1))
    assert job.status is JobStatus.FINISHED
    with RunFile(job.run) as file:
        assert file.parameters["gate"].value > 0.0
        assert file.parameters["gate"].origin == "the bench's"
