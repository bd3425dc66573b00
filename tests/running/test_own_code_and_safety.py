"""Code of the user's own is not believed when it says that the bench is safe: a fresh process reads the outputs back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daily import daily
from queue_procedures import Going, Reading
from queue_runners import ROOT, SUPPORT, Desk, order, running, served_bench, unsafe_roles

from mho import run
from mho.errors import InputError, UnsafeError
from mho.instruments import Bench, open_bench
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.opening.safing import make_bench_safe
from mho.procedures import Read
from mho.procedures.stream import Ended, Message
from mho.processes import SafetyResult
from mho.running import safety_statement
from mho.running.queue import JobStatus, Lane, Order, Queue
from mho.running.runner import runner
from mho.running.safety_statement import observed_safety
from mho.running.supervisor import Report
from mho.running.trust import runs_foreign_code
from mho.runs import RunFile, Status

DRIVERS = '''
from mho.instruments.drivers.keithley2450 import Keithley2450


class Careless(Keithley2450):
    """Says that it has made itself safe, and has not; it can be asked."""

    def make_safe(self):
        pass


class Mute(Careless):
    """The same, which cannot be asked either."""

    output_enabled = None


class Careful(Keithley2450):
    """Does what its base does."""
'''


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[str, Laboratory]]:
    with served_bench(tmp_path) as served:
        yield served


def with_driver(bench: str, kind: str) -> str:
    """Put a driver of the user's own in the place of the source-measure unit's, beside the bench file."""
    path = Path(bench)
    name = f"drivers_of_{path.parent.name.replace('-', '_')}"
    (path.parent / f"{name}.py").write_text(DRIVERS, "utf-8")
    text = path.read_text("utf-8")
    assert 'driver = "keithley2450"' in text
    path.write_text(text.replace('driver = "keithley2450"', f'driver = "{name}:{kind}"', 1), "utf-8")
    return bench


def lane_of(desk: Desk) -> Lane:
    with Queue(desk.path) as queue:
        return queue.lane(desk.bench)


def carried_out(desk: Desk, one: Order) -> str:
    """Run one order from the queue; return what was said. It finished, whatever the bench."""
    (number,) = desk.add(one)
    with running(desk):
        pass
    assert desk.job(number).status is JobStatus.FINISHED
    return desk.said()


def read_of_mhos_own(bench: str) -> Order:
    return Order("read", {"rows": "0:1", "columns": "0:1"}, bench, 1)


@pytest.mark.thorough
def test_a_procedure_that_replaces_safe_is_found_out_by_the_runner(bench, tmp_path):
    path, laboratory = bench
    desk = Desk(tmp_path / "queue.sqlite", path)
    said = carried_out(desk, order(path, how="deceive"))
    assert unsafe_roles(laboratory) == set()  # the fresh process has the drivers of mho
    assert "CRITICAL: job 1: smu and pulser and board and gate of bench" in said
    assert "was left on by code of one's own" in desk.job(1).reason
    lane = lane_of(desk)
    assert not lane.unsafe
    assert lane.confirmed is not None


@pytest.mark.thorough
def test_an_honest_procedure_of_the_users_own_is_read_back_in_silence(bench, tmp_path):
    path, laboratory = bench
    desk = Desk(tmp_path / "queue.sqlite", path)
    assert carried_out(desk, order(path)) == ""
    assert desk.job(1).reason == ""
    assert unsafe_roles(laboratory) == set()
    assert lane_of(desk).confirmed is not None


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kind", "words"),
    [("Careless", "answers that an output is on"), ("Mute", "unknown: drivers_of_")],
)
def test_a_driver_whose_make_safe_is_wrong_leaves_the_queue_held(kind, words, bench, tmp_path):
    path, laboratory = bench
    desk = Desk(tmp_path / "queue.sqlite", with_driver(path, kind))
    said = carried_out(desk, read_of_mhos_own(path))
    lane = lane_of(desk)
    assert (lane.unsafe, lane.held, lane.live) == (True, True, ("smu",))
    assert words in lane.unsafe_reason
    assert words in desk.job(1).reason
    assert "CRITICAL" in said
    assert unsafe_roles(laboratory) == {"smu"}


@pytest.mark.thorough
def test_a_driver_that_can_be_asked_and_is_off_is_safe(bench, tmp_path):
    path, laboratory = bench
    desk = Desk(tmp_path / "queue.sqlite", with_driver(path, "Careful"))
    assert carried_out(desk, read_of_mhos_own(path)) == ""
    assert not lane_of(desk).held
    assert unsafe_roles(laboratory) == set()


@pytest.mark.thorough
def test_code_of_mhos_own_is_not_read_back_twice(bench, tmp_path, monkeypatch):
    path, _ = bench
    asked: list[str] = []
    monkeypatch.setattr(
        runner, "make_safe_apart", lambda bench, *more: asked.append(bench) or SafetyResult(True)
    )
    carried_out(Desk(tmp_path / "queue.sqlite", path), read_of_mhos_own(path))
    assert asked == []


@pytest.mark.thorough
@pytest.mark.parametrize(("how", "code"), [("deceive", 1), ("", 0)])
def test_mho_run_finds_it_out_as_well(how, code, bench, tmp_path):
    path, laboratory = bench
    name = ["queue_procedures:Going", how] if how else ["queue_procedures:Reading"]
    done = subprocess.run(
        [sys.executable, "-m", "mho", "run", *name, "--bench", path, "--output", str(tmp_path / "run.h5")],
        cwd=SUPPORT,
        env=os.environ | {"MHO_RUNS": str(tmp_path), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert ("fresh process, before which smu and pulser and board and gate was on" in done.stderr) is bool(
        code
    )
    assert unsafe_roles(laboratory) == set()
    with RunFile(tmp_path / "run.h5") as file:
        assert file.status is Status.FINISHED


@pytest.mark.thorough
def test_a_careless_driver_is_found_out_without_a_supervisor(bench, tmp_path, monkeypatch):
    path = with_driver(bench[0], "Careless")
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    with (
        pytest.raises(UnsafeError, match="answers that an output is on") as found,
        observed_safety(path, Report(), print, "mho.procedures:Read") as safety,
    ):
        run(Reading(), path, seed=1, output=tmp_path / "run.h5", observers=[safety])
    assert found.value.live == ("smu",)


@pytest.mark.parametrize("fails", daily([False, True], [True]))
def test_a_script_is_told_what_its_own_procedure_has_left_on(fails, bench, tmp_path, monkeypatch):
    path, laboratory = bench
    monkeypatch.setattr(Bench, "safe", Bench.safe)  # so that it is put back
    said: list[str] = []

    class Failing(Going):
        def execute(self, plan, bench, stream):
            super().execute(plan, bench, stream)
            os.chdir(os.sep)  # the bench file is named from where the run began
            raise InputError("the sample is not what it should be")

    monkeypatch.chdir(Path(path).parent)

    procedure = (Failing if fails else Going)(how="deceive")
    kind, words = (
        (InputError, "the sample is not") if fails else (UnsafeError, "was left on by code of one's own")
    )
    with pytest.raises(kind, match=words) as raised:
        run(
            procedure, Path(path).name, seed=1, output=tmp_path / "run.h5",
            observers=[lambda event: said.append(event.text) if isinstance(event, Message) else None],
        )  # fmt: skip
    assert unsafe_roles(laboratory) == set()
    assert any("was left on by code of one's own" in one for one in said) is fails
    assert any("left on by code" in one for one in getattr(raised.value, "__notes__", [])) is fails


@pytest.mark.parametrize("gone", daily(["the folder it is in", "the folder of the beginning"], 1))
def test_a_folder_that_is_gone_keeps_no_bench_from_being_read_back(gone, bench, tmp_path, monkeypatch):
    path, laboratory = bench
    monkeypatch.setattr(Bench, "safe", Bench.safe)
    begun = tmp_path / "begun"
    begun.mkdir()
    monkeypatch.chdir(begun)

    class Leaving(Going):
        def execute(self, plan, bench, stream):
            super().execute(plan, bench, stream)
            if gone == "the folder it is in":
                (tmp_path / "left").mkdir()
                os.chdir(tmp_path / "left")
            Path.cwd().rmdir()

    with pytest.raises(UnsafeError, match="was left on by code of one's own"):
        run(Leaving(how="deceive"), path, seed=1, output=tmp_path / "run.h5")
    monkeypatch.chdir(tmp_path)
    assert unsafe_roles(laboratory) == set()


@pytest.mark.thorough
def test_a_script_with_a_careless_driver_is_told(bench, tmp_path):
    path, laboratory = bench
    with pytest.raises(UnsafeError, match="answers that an output is on") as found:
        run(
            Read(rows="0:1", columns="0:1"), with_driver(path, "Careless"), seed=1, output=tmp_path / "run.h5"
        )
    assert found.value.live == ("smu",)
    assert unsafe_roles(laboratory) == {"smu"}


@pytest.mark.thorough
def test_a_script_is_read_back_once_and_only_with_code_of_its_own(bench, tmp_path, monkeypatch):
    path, _ = bench
    asked: list[str] = []
    monkeypatch.setattr(
        safety_statement,
        "make_safe_apart",
        lambda bench, folder: asked.append(bench) or SafetyResult(True, confirmed=1.0),
    )
    run(Read(rows="0:1", columns="0:1"), path, seed=1, output=tmp_path / "read.h5")
    run(Reading(), preset="ideal", seed=1, output=tmp_path / "simulated.h5")
    with pytest.raises(InputError):  # nothing was begun
        run(Going(how="refuse"), path, seed=1, output=tmp_path / "refused.h5")
    with open_bench(path) as opened:  # it stays the script's
        run(Reading(), opened, seed=1, output=tmp_path / "open.h5")
    assert asked == []
    run(Reading(), path, seed=1, output=tmp_path / "reading.h5")
    assert asked == [path]


def test_mho_bench_safe_does_not_believe_it_either(bench):
    path = with_driver(bench[0], "Mute")
    with pytest.raises(UnsafeError, match="cannot be asked; give it the property `output_enabled`"):
        make_bench_safe(path)


def test_the_twins_of_a_simulated_bench_are_read_at_their_wires(tmp_path, monkeypatch):
    monkeypatch.setattr(Bench, "safe", Bench.safe)  # so that it is put back
    ended: list[Ended] = []

    def notice(event: object) -> None:
        if isinstance(event, Ended):
            ended.append(event)

    with pytest.raises(UnsafeError, match="the simulated board and gate is still on"):
        run(Going(how="deceive"), preset="ideal", seed=1, output=tmp_path / "run.h5", observers=[notice])
    assert (ended[0].safe, ended[0].confirmed, ended[0].live) == (False, None, ("board", "gate"))
    with RunFile(tmp_path / "run.h5") as file:
        assert "still on" in file.reason


def test_which_runs_have_code_of_the_users_own(tmp_path):
    text = 'name = "x"\nchip = "reference"\n[instruments.smu]\ndriver = "{}"\n'
    for driver, own in (("keithley2450", False), ("mho.instruments.drivers.x:Y", False), ("lab:Y", True)):
        (tmp_path / "bench.toml").write_text(text.format(driver), "utf-8")
        assert runs_foreign_code("read", {}, str(tmp_path / "bench.toml")) is own
    assert runs_foreign_code("lab.py:Mine", {}, "simulated")
    assert runs_foreign_code("program", {"strategy": "lab:Halving"}, "simulated")
    assert not runs_foreign_code("program", {"strategy": "ispp"}, "simulated")


LINGERING = """
import threading, time
from mho.procedures import Read


class Lingering(Read):
    \"\"\"Leaves a thread that goes on.\"\"\"

    def execute(self, plan, bench, stream):
        threading.Thread(target=time.sleep, args=(600.0,), name="poller").start()
        return super().execute(plan, bench, stream)
"""


@pytest.mark.thorough
def test_a_run_whose_procedure_has_left_a_thread_returns_and_says_so(bench, tmp_path):
    path, laboratory = bench
    (tmp_path / "lab.py").write_text(LINGERING, "utf-8")
    command = [
        "run",
        "lab.py:Lingering",
        "--rows",
        "0:1",
        "--columns",
        "0:1",
        "--output",
        str(tmp_path / "run.h5"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "mho", *command, "--bench", path],
        cwd=tmp_path,
        env=os.environ | {"MHO_RUNS": str(tmp_path), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100.0,
    )
    assert done.returncode == 0, done.stderr
    assert "poller, a thread of the procedure, still runs: it ends with this process" in done.stderr
    assert "a thread that the run had left could use its bench, and was ended" in done.stderr
    assert unsafe_roles(laboratory) == set()


@pytest.mark.thorough
def test_a_job_whose_procedure_has_left_a_thread_ends(bench, tmp_path):
    path, laboratory = bench
    (tmp_path / "lab.py").write_text(LINGERING, "utf-8")
    desk = Desk(tmp_path / "queue.sqlite", path)
    said = carried_out(
        desk, Order("lab.py:Lingering", {"rows": "0:1", "columns": "0:1"}, path, 1, folder=tmp_path)
    )
    assert "was made safe by a fresh process" in said
    assert "did not end in time" not in said
    assert unsafe_roles(laboratory) == set()
