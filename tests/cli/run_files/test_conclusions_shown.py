"""What a run concludes is told in the same words wherever a run is shown."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from queue_runners import LIVING

import mho
from mho.cli.terminal.run_display import RunDisplay
from mho.procedures import Retention
from mho.procedures.stream import Ended
from mho.running.campaign import Campaign, carry_out
from mho.running.notifications import Notifier
from mho.running.plan import parse_plan
from mho.running.queue import JobStatus, Order, Queue
from mho.running.runner.announcements import notifying
from mho.running.runner.messages import JobChanged, JobDone, decode, encode
from mho.running.runner.outcome import JobOutcome, recorded_outcome
from mho.runs import Conclusion, Status

LINE = "64 of 64 cells unformed: nothing measured (1 warning)"
WHOLE = "finished, nothing measured: 64 of 64 cells unformed (1 warning)"
WARNING = "none of 64 cells was ever formed"
END = Conclusion("3 of 4 cells set", ("relay 3 answered late",), False, "smu is silent")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run file of a retention of which nothing was measured."""
    path = tmp_path_factory.mktemp("empty") / "retention.h5"
    mho.run(Retention(forming="no"), "arrays", seed=1, output=path)
    return path


@pytest.fixture
def copied(empty: Path, shell) -> Path:
    shell.folder.mkdir(exist_ok=True)
    target = shell.folder / "retention.h5"
    target.write_bytes(empty.read_bytes())
    return target


def test_at_the_end_of_mho_run_and_as_json(shell):
    code, out, _ = shell("run", "retention", "--forming", "no", "--bench", "arrays", "--seed", 1)
    assert code == 0
    assert out.splitlines()[0] == WHOLE
    code, out, _ = shell("run", "retention", "--forming", "no", "--bench", "arrays", "--seed", 1, "--json")
    kept = json.loads(out)["conclusion"]
    assert (kept["line"], kept["measured"], kept["unsafe"]) == ("64 of 64 cells unformed", False, "")
    assert kept["warnings"][0].startswith(WARNING)


def test_at_the_end_of_mho_solve(shell):
    code, out, _ = shell("solve", "mimo-16x16", "--bench", "arrays", "--seed", 1, "--bits", 12)
    assert code == 0
    first, second, *_ = out.splitlines()
    assert first.startswith("finished: converged, ")
    assert f" {int(float(second.split(': ')[1].split()[0]))} bits proved, " in first
    assert first.endswith(" without the chip")


def test_in_show_and_in_the_list_of_runs(shell, copied: Path):
    _, out, _ = shell("show", copied)
    text = " ".join(out.split())
    assert f"Retention of multiply[0:8, 0:8] for 10000 s {WHOLE}" in text
    assert text.count(WARNING) == 1
    _, out, _ = shell("runs")
    assert LINE in out
    (found_run,) = json.loads(shell("runs", "--where", "measured = no", "--json")[1])
    assert found_run["conclusion"]["measured"] is False
    assert json.loads(shell("runs", "--where", "measured", "--json")[1]) == []
    _, out, _ = shell("runs", "--columns", "measured,warnings,conclusion")
    assert WARNING in out
    assert LINE in out


def test_a_warning_that_only_the_conclusion_has_is_shown_too(shell, tmp_path: Path):
    from mho.runs import Layout, RunHeader, RunWriter

    with RunWriter.create(tmp_path / "a.h5", RunHeader("T", "Read", "1", {}), Layout()) as run:
        run.log("WARNING", "said meanwhile")
        run.conclude(Conclusion("done", ("said at the end",)))
    _, out, _ = shell("show", tmp_path / "a.h5")
    assert "finished: done (2 warnings)" in out
    assert out.count("said meanwhile") == out.count("said at the end") == 1


@pytest.mark.thorough
def test_in_comparisons(shell, copied: Path):
    other = shell.folder / "other.h5"
    mho.run(Retention(last=10.0, forming="no"), "arrays", seed=2, output=other)
    _, out, _ = shell("compare", copied, other)
    assert f"retention, used as far as it came: {WHOLE}" in out


@pytest.mark.thorough
def test_in_reports(shell, copied: Path, tmp_path: Path):
    pytest.importorskip("mho.extensions.report_pages")
    mho.run(Retention(last=10.0, forming="no"), "arrays", seed=2, output=shell.folder / "other.h5")
    for subject, page in ((copied, "run.html"), (shell.folder, "folder.html")):
        assert shell("report", subject, "--output", tmp_path / page)[0] == 0
        text = (tmp_path / page).read_text("utf-8")
        assert "nothing measured" in text
        assert "64 of 64 cells unformed" in text
        assert WARNING in text


def test_in_tables_and_exports(shell, copied: Path, tmp_path: Path):
    assert shell("table", copied, "--output", tmp_path / "t.csv")[0] == 0
    assert LINE in (tmp_path / "t.csv").read_text("utf-8")
    assert shell("export", copied, "--to", "csv", "--output", tmp_path / "csv")[0] == 0
    text = "".join(path.read_text("utf-8") for path in (tmp_path / "csv").rglob("*.csv"))
    assert LINE in text
    assert WARNING in text


def test_in_the_queue(shell, copied: Path):
    with Queue(shell.folder / "queue.sqlite") as queue:
        job = queue.add(Order("retention", bench="arrays"))
        queue.begin(job.id, run=copied, **LIVING)
        outcome = recorded_outcome(copied, "its worker crashed")
        assert outcome.conclusion is not None
        ended = queue.end(job.id, outcome.status, outcome.reason, conclusion=outcome.conclusion)
        assert ended.outcome == LINE
        assert queue.job(job.id) == ended
    _, out, _ = shell("queue", "list")
    assert LINE in out
    _, out, _ = shell("queue", "show", 1)
    assert LINE in out
    assert WARNING in out
    (kept,) = json.loads(shell("queue", "list", "--json")[1])["jobs"]
    assert kept["conclusion"]["measured"] is False


def test_a_job_that_is_run_again_has_no_line_of_the_attempt_before(tmp_path: Path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        job = queue.add(Order("read"))
        queue.begin(job.id, run=None, **LIVING)
        queue.end(job.id, JobStatus.FINISHED, "", conclusion=END)
        again = queue.add(Order("read"))
        queue.begin(again.id, run=None, **LIVING)
        assert queue.job(again.id).conclusion is None


def test_a_queue_of_an_older_version_keeps_its_jobs(tmp_path: Path):
    import sqlite3

    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.add(Order("read"))
    with closing(sqlite3.connect(tmp_path / "queue.sqlite")) as store, store:
        for column in ("conclusion", "labels"):
            store.execute(f"ALTER TABLE jobs DROP COLUMN {column}")
        store.execute("PRAGMA user_version = 5")
    with Queue(tmp_path / "queue.sqlite") as queue:
        (job,) = queue.jobs()
        assert (job.conclusion, job.outcome) == (None, "")


def test_from_a_worker_to_its_runner():
    done = JobDone(Status.FINISHED, "", False, conclusion=END)
    assert decode(encode(done)) == done
    assert JobOutcome(**vars(done)).conclusion == END
    ended = Ended(Status.FINISHED, "", Path("a.h5"), conclusion=END)
    assert decode(encode(ended)) == ended


class Sent(Notifier):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self._occasions = ("finish", "failure", "limit")
        self.messages: list[tuple[str, str]] = []

    def send(self, title: str, body: str, occasion: object) -> None:
        self.messages.append((title, body))


def test_in_notifications_of_runs_and_of_jobs(tmp_path: Path):
    sent = Sent()
    sent.ended(Ended(Status.FINISHED, "", Path("a.h5"), conclusion=replace(END, unsafe="")))
    with Queue(tmp_path / "queue.sqlite") as queue:
        job = queue.add(Order("read"))
        queue.begin(job.id, run=Path("a.h5"), **LIVING)
        ended = queue.end(job.id, JobStatus.FINISHED, "", conclusion=END)
    notifying(sent)(JobChanged(ended))
    line = "3 of 4 cells set: nothing measured"
    assert sent.messages == [
        ("mho: a finished, nothing measured", f"{line} (1 warning)\nrelay 3 answered late\na.h5"),
        (
            "mho: job 1 finished, nothing measured",
            f"{line}; bench NOT confirmed safe (1 warning)\n{ended.run}",
        ),
    ]


@pytest.mark.thorough
def test_in_the_table_of_a_campaign(tmp_path: Path):
    plan = parse_plan(
        'name = "p"\nbench = "arrays"\n[[steps]]\nprocedure = "retention"\nparameters = { forming = "no" }\n'
        "[[sweep]]\nseed = [1, 2]\n",
        tmp_path,
    )
    rows = [carry_out(task) for task in Campaign(plan, tmp_path).tasks()]
    assert [row["conclusion"] for row in rows] == [LINE, LINE]


def test_the_display_remembers_the_end_also_where_it_is_quiet():
    display = RunDisplay(quiet=True)
    display.observe(Ended(Status.FINISHED, "", Path("a.h5"), conclusion=END))
    assert display.ended is not None
    assert display.ended.conclusion == END


def test_a_file_of_an_older_version_is_shown_as_before(shell, copied: Path):
    with h5py.File(copied, "r+") as file:
        file.attrs["mho_schema"] = 4
        del file["entry/conclusion"]
    _, out, _ = shell("show", copied)
    assert "Retention of multiply[0:8, 0:8] for 10000 s  finished\n" in "\n".join(
        line.rstrip() for line in out.splitlines()
    )
