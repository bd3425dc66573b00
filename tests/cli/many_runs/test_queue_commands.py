"""`mho queue` as people use it: what it shows, what it refuses, and that the queue on the disk is as it says."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from queue_procedures import Reading
from queue_runners import SUPPORT, Desk, eventually, order, running, served_bench
from rich.console import Console

from mho import run
from mho.cli.main import main
from mho.cli.many_runs.queue import MOST_WAITING
from mho.cli.many_runs.runner import RunnerDisplay
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures.stream import Message
from mho.running.queue import Job, JobStatus, Queue, Reaction
from mho.running.queue.orders import START
from mho.running.runner.announcements import notifying
from mho.running.runner.messages import JobChanged, RunnerState
from mho.running.runner.server import WATCHERS
from mho.runs import RunFile


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "runs" / "queue.sqlite")


@pytest.fixture
def shell(desk, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "a.npy", np.array([[0.8, 0.2], [0.1, 0.7]]))
    monkeypatch.setenv("MHO_RUNS", str(desk.path.parent))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def type_(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mho", "queue", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(supervised=False)
        return (int(left.value.code or 0), *capsys.readouterr())

    return type_


@pytest.fixture
def json_of(shell):
    def read(*words: object):
        code, out, err = shell(*words, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return read


def test_a_job_is_added_shown_changed_moved_and_taken_out(shell, json_of, desk, tmp_path):
    assert shell("add", "solve", "a.npy", "--bits", "8", "--seed", 4, "--priority", 2)[:2] == (0, "job 1\n")
    second = json_of("add", "solve", "a.npy", "--preset", "ideal")
    assert (second["id"], second["status"], second["preset"]) == (2, "queued", "ideal")
    shown = json_of("show", 1)
    assert shown["parameters"] == {"matrix": "a.npy", "bits": 8, "seed": 4}
    assert (shown["seed"], shown["priority"], shown["folder"]) == (4, 2, str(tmp_path))
    assert json_of("edit", 1, "--bits", "6", "--priority", 0)["parameters"]["bits"] == 6
    assert shell("move", 2, 1)[0] == 0
    assert [job["id"] for job in json_of("list")["jobs"]] == [2, 1]
    assert json_of("clone", 1)["parameters"] == {"matrix": "a.npy", "bits": 6, "seed": 4}
    shell("abort", 2)
    assert [(j["id"], j["status"]) for j in json_of("list", "--status", "skipped")["jobs"]] == [
        (2, "skipped")
    ]
    assert shell("clear")[1] == "1 job forgotten\n"
    assert shell("remove", 3)[0] == 0
    code, out, _ = shell("list")
    assert code == 0
    assert re.search(r"1 +queued +solve .*matrix=a\.npy", out)


def test_the_queue_is_held_and_released_without_a_runner(shell, json_of, desk):
    shell("add", "solve", "a.npy")
    assert shell("pause") == (0, "", "")
    assert "the queue of simulated is held: paused by hand" in shell("list")[1]
    assert shell("resume")[0] == 0
    assert "held" not in shell("list")[1]


@pytest.mark.thorough
def test_without_a_runner_stop_makes_the_bench_safe_and_says_so(shell, desk):
    assert shell("stop") == (
        0,
        "emergency stop: no runner was there; bench simulated is safe, the queue is held\n",
        "",
    )
    lane = desk.change(lambda queue: queue.lane("simulated"))
    assert (lane.held, lane.reason, lane.unsafe) == (True, "emergency stop", False)
    assert shell("stop", "--bench", "moon")[0] == 2


def test_what_is_not_safe_comes_first_and_stays_until_it_is_safe_or_acknowledged(shell, json_of, desk):
    shell("add", "solve", "a.npy")
    desk.change(lambda queue: queue.hold_unsafe("simulated", "unsafe", "no [answer]", ["gate", "smu"]))
    desk.change(lambda queue: queue.hold("simulated", "job 1 (solve): it failed, and the policy is to stop"))
    warning = "NOT CONFIRMED SAFE: bench simulated, gate and smu may be live (no [answer])"
    for words in (["list"], ["policy"]):
        lines = shell(*words)[1].splitlines()
        assert lines[0] == f"{warning}; `mho bench safe simulated` makes it safe"
    shell("resume")
    shell("clear", "--waiting")
    (lane,) = json_of("list")["benches"]
    assert (lane["unsafe"], lane["live"], lane["unsafe_reason"]) == (True, ["gate", "smu"], "no [answer]")
    assert shell("acknowledge")[1] == f"taken on your word, no longer said: {warning}\n"
    said = shell("list")[1].replace("\n", " ")
    assert "SAFE" not in said
    assert said.startswith("bench simulated is taken for safe on somebody's word at ")
    (lane,) = json_of("list")["benches"]
    assert (lane["unsafe"], lane["confirmed"]) == (False, None)
    assert datetime.fromisoformat(lane["acknowledged"]) <= datetime.now().astimezone()
    code, _, err = shell("acknowledge")
    assert (code, err) == (2, "mho: nothing of bench simulated waits to be confirmed safe\n")


def test_bench_safe_tells_the_queue(shell, desk, monkeypatch, capsys):
    desk.change(lambda queue: queue.hold_unsafe("simulated", "unsafe", "no answer", ["gate"]))
    monkeypatch.setattr(sys, "argv", ["mho", "bench", "safe"])
    with pytest.raises(SystemExit):
        main()
    assert "the queue warns of it no more" in capsys.readouterr().out
    before = desk.change(lambda queue: queue.lane("simulated"))
    assert not before.unsafe
    assert before.confirmed_by == "made safe by a fresh process"
    with pytest.raises(SystemExit):
        main()  # a bench of which nothing was feared
    assert "warns" not in capsys.readouterr().out
    assert desk.change(lambda queue: queue.lane("simulated")).confirmed > before.confirmed


def test_a_long_queue_is_shown_in_part(shell, json_of, desk):
    desk.change(lambda queue: queue.add_all([(order(), 1.0)] * (MOST_WAITING + 7)))
    out = shell("list")[1]
    assert out.count("queue_procedures:Reading") == MOST_WAITING
    assert "and 7 more: --all shows them" in out
    assert f"{MOST_WAITING + 7} jobs wait for simulated: about {MOST_WAITING + 7} s expected" in out
    assert shell("list", "--all")[1].count("queue_procedures:Reading") == MOST_WAITING + 7
    assert len(json_of("list")["jobs"]) == MOST_WAITING + 7


@pytest.mark.thorough
def test_a_job_may_insist_on_limits_and_goes_on_insisting(shell, json_of, desk, tmp_path):
    bench = tmp_path / "bold.toml"
    bench.write_text(load_bench_file("simulated").text.replace("voltage = 4.6 ", "voltage = 46 "), "utf-8")
    read = ("add", "read", "--rows", "0", "--columns", "0", "--bench", bench)
    code, _, told = shell(*read)
    assert code == 2
    assert "46 V is beyond" in told
    assert json_of(*read, "--force")["force"] is True
    assert shell("edit", 1, "--rows", "0:2")[0] == 0  # what insists stays so
    assert json_of("clone", 1)["force"] is True
    assert re.search(r"(?m)^force +True", shell("show", 1)[1])
    assert shell("edit", 2, "--no-force")[0] == 2
    assert json_of("edit", 2, "--no-force", "--bench", "simulated")["force"] is False
    assert "force" not in shell("show", 2)[1]
    desk.bench = str(bench)
    with running(desk):
        pass
    done = desk.job(1)
    assert done.status is JobStatus.FINISHED, done.reason
    assert shell("clone", done.run)[0] == 2
    assert json_of("clone", done.run, "--force")["force"] is True


def test_the_policy_is_set_in_parts(shell, json_of):
    assert json_of("policy", "--on-failure", "retry", "--retries", 3)["on_failure"] == "retry"
    lane = json_of("policy", "--on-interruption", "resume")
    assert (lane["on_failure"], lane["on_interruption"], lane["retries"]) == ("retry", "resume", 3)


@pytest.mark.thorough
def test_a_job_goes_on_with_the_chip_that_another_job_or_run_left(shell, json_of, desk, tmp_path):
    (tmp_path / "digits.csv").write_text("1,5,7\n")
    shell("add", "program", "digits.csv", "--seed", 4)
    cells = ("--rows", "0", "--columns", "0:3")
    assert json_of("add", "read", *cells, "--after", "#1")["after"] == "#1"
    assert json_of("add", "read", *cells, "--after", 2)["after"] == "#2"
    with running(desk):
        pass
    jobs = [desk.job(number) for number in (1, 2, 3)]
    assert [job.status for job in jobs] == [JobStatus.FINISHED] * 3
    with RunFile(jobs[2].run) as file:
        assert file.provenance["after"] == str(jobs[1].run)
        np.testing.assert_allclose(file.map("multiply_conductance"), [[5e-6, 25e-6, 35e-6]], atol=1.5e-6)
    assert json_of("add", "read", *cells, "--after", jobs[0].run)["after"] == str(jobs[0].run)
    assert json_of("clone", jobs[2].run)["after"] == str(jobs[1].run)
    assert json_of("edit", 4, "--after", 3)["after"] == "#3"


@pytest.mark.parametrize("real", daily([True, False], [False]))
def test_a_job_is_not_put_after_itself_and_leaves_its_ground(shell, json_of, desk, tmp_path, real):
    with served_bench(tmp_path) as (served, _):
        bench = served if real else "simulated"
        assert json_of("add", "read", "--rows", 0, "--bench", bench, "--after", "")["after"] is None
        assert json_of("add", "read", "--rows", 0, "--bench", bench, "--after", "#1")["after"] == "#1"
        ring = 'which goes on from it; name another, or none by --after ""\n'
        assert shell("edit", 1, "--after", "#2") == (2, "", f"mho: job 1 cannot go on from #2, {ring}")
        assert "job 2 cannot go on from itself" in shell("edit", 2, "--after", 2)[2]
        if real:
            told = f'job 1 is for bench {bench}, and so is a job after it; one for another bench needs --after ""'
            assert shell("edit", 2, "--bench", "simulated") == (2, "", f"mho: {told}\n")
            moved = json_of("edit", 2, "--bench", "simulated", "--after", "")
            assert (moved["bench"], moved["after"]) == ("simulated", None)
        else:
            assert json_of("edit", 2, "--after", "")["after"] is None


@pytest.mark.thorough
def test_a_job_whose_ground_failed_fails_and_says_so(shell, desk, tmp_path):
    (tmp_path / "digits.csv").write_text("1\n")
    shell("policy", "--on-failure", "skip")
    shell("add", "program", "digits.csv")
    shell("add", "read", "--after", 1)
    shell("abort", 1)
    with running(desk):
        pass
    job = desk.job(2)
    assert job.status is JobStatus.FAILED
    assert "job 1, whose chip this one goes on with, is skipped" in job.reason


@pytest.mark.parametrize(
    ("words", "told"),
    daily(
        [
            (
                ["add", "read", "--after", "gone.h5"],
                "there is no run file gone.h5 to go on from; name one, or #5",
            ),
            (["add", "read", "--after", "#9"], "there is no job 9"),
            (["add", "read", "--after", "a.npy", "--preset", "pku"], "leave out --preset pku"),
            (["add", "slove", "a.npy"], "there is no procedure 'slove'; did you mean 'solve'?"),
            (["add", "solve"], "missing argument 'matrix'; `mho queue add solve --help` says more"),
            (["add", "solve", "b.npy"], "b.npy"),
            (["add", "solve", "a.npy", "--bits", "99"], "bits is 99; it must be a whole number from 3"),
            (["add", "solve", "a.npy", "--bench", "moon"], "cannot read bench 'moon'"),
            (["add", "solve", "a.npy", "--preset", "pko"], "unknown cell preset 'pko'; there are ideal"),
            (["add", "read", "--seed", "-3"], "seed is -3; it must be a whole number from 0"),
            (["pause", "--bench", "moon"], "cannot read bench 'moon'"),
            (["resume", "--bench", "moon"], "cannot read bench 'moon'"),
            (["policy", "--bench", "moon"], "cannot read bench 'moon'"),
            (["list", "--bench", "moon"], "cannot read bench 'moon'"),
            (["add", "nowhere:Procedure"], "there is no procedure 'nowhere:Procedure'"),
            (["show", "7"], "there is no job 7"),
            (["move", "7", "1"], "there is no job 7"),
            (["clone", "gone.h5"], "there is no run file gone.h5"),
            (["abort"], "no runner serves bench 'simulated'"),
            (["watch"], "no runner serves bench 'simulated'"),
        ],
        10,
    ),
)
def test_what_cannot_be_done_is_said_in_one_line(shell, words, told, desk):
    code, out, err = shell(*words)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("mho: ")
    assert told in line
    with Queue(desk.path) as queue:
        assert queue.jobs() == []


def test_the_runs_of_a_plan_are_added_together_or_not_at_all(shell, json_of, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'name = "p"\n[[steps]]\nprocedure = "solve"\nparameters = { matrix = "a.npy" }\n[[sweep]]\nbits = [4, 5, 6]\n',
        "utf-8",
    )
    assert [job["parameters"]["bits"] for job in json_of("add", plan, "--priority", 1)] == [4, 5, 6]
    assert {job["priority"] for job in json_of("list")["jobs"]} == {1}
    plan.write_text(plan.read_text("utf-8").replace("[4, 5, 6]", "[4, 99]"), "utf-8")
    code, _, err = shell("add", plan)
    assert code == 2
    assert "99" in err
    assert len(json_of("list")["jobs"]) == 3


def test_trouble_and_ends_are_told_elsewhere():
    sent = []

    class Sender:
        def send(self, title: str, body: str, occasion: str) -> None:
            sent.append((title, occasion))

    tell = notifying(Sender())
    job = Job(
        3, order(), JobStatus.FINISHED, 0, 1, "", Path("a.h5"), None, 1, None, None, None, None, 0.0, 0.0, 1.0, None, None,
        None,
    )  # fmt: skip
    for status, error in (
        (JobStatus.RUNNING, ""),
        (JobStatus.FINISHED, ""),
        (JobStatus.FAILED, "LimitError"),
        (JobStatus.INTERRUPTED, ""),
        (JobStatus.ABORTED, ""),
    ):
        tell(JobChanged(replace(job, status=status, reason="LimitError: no", error=error)))
    tell(Message("WARNING", "hm"))
    tell(Message("CRITICAL", "not safe", unsafe=True))
    assert sent == [
        ("mho: job 3 finished", "finish"),
        ("mho: job 3 failed", "limit"),
        ("mho: job 3 interrupted", "failure"),
        ("mho: the queue is held", "failure"),
    ]


def test_an_estimate_counts_the_start_and_comes_from_the_last_run_of_its_kind(json_of, desk, tmp_path):
    first = json_of("add", "solve", "a.npy", "--bits", "3")
    assert START < first["estimate"] < START + 2.0  # nothing is known of this bench's pace yet
    with Queue(desk.path) as queue:
        queue.begin(first["id"], run=tmp_path / "a.h5", worker=1)
        queue.end(first["id"], JobStatus.FINISHED, "", seconds=50.0, pulses=100)
    second = json_of("add", "solve", "a.npy", "--bits", "3")
    assert second["estimate"] == pytest.approx(50.0)  # as it took, with a start that took nothing
    third = json_of("add", "solve", "a.npy", "--bits", "4")
    assert third["estimate"] == pytest.approx(50.0, rel=0.2)  # nearly as many pulses, at half a second each


def test_what_is_not_known_is_listed_as_unknown(shell, desk):
    desk.add(order())
    out = shell("list")[1]
    assert re.search(r"1 +queued .* unknown", out)
    assert "1 job waits for simulated: how long is unknown" in out


@pytest.mark.thorough
def test_a_run_of_the_past_is_cloned(json_of, desk, tmp_path, monkeypatch):
    monkeypatch.chdir(SUPPORT)
    run(Reading(seconds=0.01), "simulated", seed=6, preset="ideal", output=tmp_path / "old.h5")
    job = json_of("clone", tmp_path / "old.h5", "--trust")
    monkeypatch.chdir(tmp_path)
    assert (job["procedure"], job["parameters"]["seconds"]) == ("queue_procedures:Reading", 0.01)
    assert (job["seed"], job["preset"], job["folder"]) == (6, "ideal", str(SUPPORT))
    with running(desk):
        pass
    with RunFile(desk.job(job["id"]).run) as file, RunFile(tmp_path / "old.h5") as old:
        assert file.parameters == old.parameters
        assert file.column("reads", "conductance")[0] == old.column("reads", "conductance")[0]


@pytest.mark.thorough
def test_commands_reach_the_runner(shell, desk, tmp_path):
    (number,) = desk.add(order(seconds=600))
    with running(desk):
        desk.wait_begun(number)
        assert shell("pause") == (0, "", "")
        desk.wait(number, JobStatus.PAUSED)
        assert shell("resume") == (0, "", "")
        assert shell("abort", number) == (0, "", "")
    assert desk.job(number).status is JobStatus.ABORTED
    assert desk.change(lambda queue: queue.lane("simulated")).policy.on_failure is Reaction.STOP


@pytest.mark.thorough
def test_the_list_says_how_far_a_job_is_and_what_is_still_to_come(shell, desk, tmp_path):
    first, _ = desk.add(order(seconds=600), order(repeats=1))
    assert "no runner serves simulated; begin with `mho runner --bench simulated`" in shell("list")[1]
    with running(desk):
        desk.wait_begun(first)
        eventually(lambda: re.search(r"1 +running .* \d+ of \d+", shell("list")[1]))
        out = shell("list")[1]
        assert "1 job waits for simulated: " in out
        assert "no runner" not in out
        shell("abort", first)


@pytest.mark.thorough
def test_one_watcher_too_many_is_told_that_a_runner_serves_the_bench(shell, desk):
    desk.add(order())
    desk.change(lambda queue: queue.hold("simulated", "for tea"))
    with running(desk, drain=False), ExitStack() as stack:
        eventually(lambda: "no runner" not in shell("list")[1])
        for _ in range(WATCHERS):
            stack.enter_context(desk.client.watch()).receive(5.0)
        code, _, told = shell("watch")
        assert code == 2
        assert f"a runner serves this bench (process {os.getpid()}), but all 64 seats" in told
        assert "runner" not in shell("list")[1]  # which says so when there is none, or it does not answer


def test_a_job_that_a_killed_runner_left_is_listed_as_such(shell, desk):
    (number,) = desk.add(order(seconds=600))
    desk.change(lambda queue: queue.begin(number, run=None, worker=1))
    assert "left by a runner that is gone" in shell("list")[1]


def test_several_runs_do_not_go_into_one_file(shell, tmp_path):
    (tmp_path / "plan.toml").write_text(
        'name = "p"\n[[steps]]\nprocedure = "read"\n[[sweep]]\nseed = [1, 2]\n'
    )
    code, _, err = shell("add", "plan.toml", "--output", "one.h5")
    assert (code, err) == (2, "mho: --output one.h5 is one file, and the plan has 2 runs; name a folder\n")


def test_a_display_begins_with_how_the_runner_stands_and_says_nothing_twice():
    heard = io.StringIO()
    display = RunnerDisplay(Console(file=heard, width=200))
    state = RunnerState("simulated", 1, "running", 7, False, "", "reading", 3, 50, 9.0)
    held = replace(state, state="idle", job=None, held=True, reason="job 7 (read): it failed: no ℧")
    display.observe(state)
    display.observe(Message("ERROR", f"the queue of simulated is held: {held.reason}"))
    display.observe(held)
    display.observe(state)
    display.observe(replace(state, unsafe=True, live=("smu",), unsafe_reason="mute"))
    display.observe(replace(held, unsafe=True, live=("smu",), unsafe_reason="mute"))
    display.observe(replace(state, held=True, reason=held.reason))
    assert heard.getvalue().splitlines() == [
        "the runner of simulated is running at job 7, reading 3 of 50",
        "the queue of simulated is held: job 7 (read): it failed: no ℧",
        "the queue goes on",
        "NOT CONFIRMED SAFE: bench simulated, smu may be live (mute)",
        "held: job 7 (read): it failed: no ℧",
        "bench simulated is confirmed safe",
    ]


def test_a_runner_for_no_bench_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mho", "runner", "--bench", "moon"])
    with pytest.raises(SystemExit) as left:
        main(supervised=False)
    assert left.value.code == 2
    assert "cannot read bench 'moon'" in capsys.readouterr().err


def test_a_job_is_shown_with_what_is_not_safe_of_its_bench(shell, desk):
    assert shell("add", "read")[0] == 0
    assert "may be live" not in shell("show", 1)[1]
    desk.change(lambda queue: queue.hold_unsafe("simulated", "it is live", "smu did not answer", ("smu",)))
    out = shell("show", 1)[1]
    assert "bench simulated, smu may be live (smu did not answer)" in out.splitlines()[0]
    assert "the queue of simulated is held: it is live" in out


@pytest.mark.thorough
def test_what_the_bench_cannot_carry_out_is_refused_with_a_bench_that_can(shell, tmp_path):
    code, _, err = shell("add", "pagerank")
    assert code == 2
    assert "takes 2 loops of up to 17 x 17" in err
    assert "it can be carried out on the bench arrays or " in err
    assert shell("add", "pagerank", "--bench", "arrays")[:2] == (0, "job 1\n")
    code, _, err = shell("edit", 1, "--bench", "simulated")
    assert code == 2
    assert "takes 2 loops" in err
    plan = tmp_path / "plan.toml"
    plan.write_text('name = "p"\nbench = "simulated"\n[[steps]]\nprocedure = "pagerank"\n', "utf-8")
    code, _, err = shell("add", plan)
    assert code == 2
    assert "takes 2 loops" in err


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_job_is_one_line_at_any_width(shell, desk, monkeypatch, width):
    desk.change(lambda queue: queue.add_all([(order(), 1.0)] * 3))
    monkeypatch.setenv("COLUMNS", str(width))
    heading, *lines = shell("list")[1].splitlines()
    assert heading.split()[:3] == ["job", "status", "procedure"]
    assert [line.split()[:2] for line in lines[:3]] == [[str(number), "queued"] for number in (1, 2, 3)]
    assert lines[3].startswith("3 jobs wait")
    assert all(len(line) <= width for line in lines[:3])
