"""Running a procedure: one file whatever happens, its reason in it, and a safe bench behind it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daily import daily
from pymeasure.experiment import FloatParameter, IntegerParameter
from repository import ROOT

from mho import run
from mho.errors import Aborted, BenchError, InputError, InstrumentError, LimitError, RunFileError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.simulated.faults import Fault
from mho.procedures import Procedure, Solve
from mho.procedures.stream import Ended, MakingSafe, Message, Progress, Row, Standing, Started, Stream
from mho.runs import Array, Column, Layout, RunFile, RunHeader, RunWriter, Status, Table, new_run_path
from mho.runs.writing import writer

MATRIX = str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx")
CELL = Cell("multiply", 0, 0)
FORM = Pulse("set", 4.0, 1e-6, 1.6)


@dataclass(frozen=True)
class Result:
    value: float
    path: Path = Path()
    summary: dict[str, Any] = field(default_factory=dict)


class Visit(Procedure):
    """Forms and reads one cell, and then does what the test wants."""

    title = "Visit a cell"
    repeats = IntegerParameter("Repeats", minimum=1, maximum=10, default=2)
    level = FloatParameter("Level", units="S", minimum=0.0, maximum=1e-3, default=1e-5)

    def __init__(
        self, then: Callable[[Bench, Stream], None] = lambda bench, stream: None, **values: Any
    ) -> None:
        super().__init__(**values)
        self.then = then
        self.calls: list[str] = []

    def check(self) -> None:
        self.calls.append("check")

    def prepare(self, given: None, bench: Bench, rng: np.random.Generator) -> None:
        self.calls.append("prepare")

    def layout(self, plan: None) -> Layout:
        self.calls.append("layout")
        reads = Table("reads", (Column("time", "s"), Column("conductance", "S")), "conductance", "time")
        return Layout((reads,), arrays=(Array("last", np.full(1, np.nan), "S"),), default="reads")

    def execute(self, plan: None, bench: Bench, stream: Stream) -> Result:
        self.calls.append("execute")
        bench.pulse(CELL, FORM)
        for number in range(self.repeats):
            stream.check()
            stream.emit("reads", time=bench.now(), conductance=bench.read(CELL))
            stream.progress("reading", number + 1, self.repeats)
        self.then(bench, stream)
        value = bench.read(CELL)
        stream.set_array("last", np.array([value]))
        return Result(value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def only_file(folder: Path) -> Path:
    (path,) = folder.glob("*.h5")
    assert [p for p in folder.iterdir() if p != path] == []
    return path


def outcome(path: Path) -> tuple[Status, str]:
    with RunFile(path) as file:
        return file.status, file.reason


def raising(error: BaseException) -> Callable[[Bench, Stream], None]:
    def then(bench: Bench, stream: Stream) -> None:
        raise error

    return then


RAISED = 2 + raising.__code__.co_firstlineno
"""The line in which `raising` raises."""


def is_safe(bench: Bench) -> bool:
    entries, devices = bench.file.instruments, bench.laboratory.devices
    levels = []
    for address, query in (
        (entries.smu.address, b":OUTP?\n"), (entries.gate.address, b":OUTP?\n"),
        (entries.pulser.address, b":OUTP1?\n"), (entries.pulser.address, b":OUTP2?\n"),
    ):  # fmt: skip
        devices[address].write(query)
        levels.append(devices[address].read())
    return levels == [b"0\n"] * 4 and bench.laboratory.board.mode == "SAFE"


# --- a good run ---


def test_a_run_ends_finished_with_its_data_and_its_path(folder):
    procedure = Visit(repeats=3)
    result = run(procedure, preset="ideal", seed=4, output=folder)
    assert procedure.calls == ["check", "prepare", "layout", "execute"]
    assert result.path == only_file(folder)
    assert result.summary["run_file"] == str(result.path)
    with RunFile(result.path) as file:
        assert (file.status, file.reason) == (Status.FINISHED, "")
        assert (file.title, file.procedure) == ("Visit a cell", "Visit")
        assert len(file.table("reads")["conductance"]) == 3
        assert file.array("last")[0] == result.value
        assert file.parameters["level"].unit == "S"
        assert file.parameters["repeats"].value == 3
        assert 'name = "simulated"' in file.bench
        assert 'name = "reference"' in file.chip
        assert file.provenance["seed"] == "4"
        assert set(file.instruments) == {"smu", "gate", "pulser", "daq", "board"}
        assert file.settings_after["board"]["mode"] == "SAFE"
        assert file.summary["run_file"] == str(result.path)


def test_observers_see_everything_in_order(folder):
    events = []
    run(Visit(lambda bench, stream: stream.say("done")), seed=1, output=folder, observers=[events.append])
    kinds = [type(event) for event in events]
    assert kinds == [Started, Row, Progress, Standing, Row, Progress, Message, MakingSafe, Ended]
    assert (events[0].title, events[0].path) == ("Visit a cell", only_file(folder))
    assert events[-1].status is Status.FINISHED


def test_an_observer_that_fails_does_not_harm_the_run(folder, caplog):
    def faint(event: object) -> None:
        raise RuntimeError("the window is gone")

    seen = []
    run(Visit(), seed=1, output=folder, observers=[faint, seen.append])
    assert outcome(only_file(folder)) == (Status.FINISHED, "")
    assert len(seen) == 8
    assert caplog.text.count("an observer failed") == 1


def test_the_same_seed_is_the_same_run(folder):
    first, same, other = (run(Visit(), seed=seed, output=folder / str(i)) for i, seed in enumerate((7, 7, 8)))
    assert first.value == same.value != other.value


def test_without_a_seed_a_fresh_one_is_kept_in_the_file(folder):
    seeds = set()
    for name in ("a", "b"):
        with RunFile(run(Visit(), output=folder / name).path) as file:
            seeds.add(file.provenance["seed"])
    assert len(seeds) == 2


def test_an_open_bench_is_made_safe_and_stays_open(folder):
    with open_bench(preset="ideal", seed=1) as bench:
        run(Visit(), bench, output=folder)
        assert is_safe(bench)
        assert bench.read(CELL) > 1e-6


def test_runs_land_in_the_folder_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MHO_RUNS", str(tmp_path / "here"))
    assert run(Visit(), seed=1).path.parent == tmp_path / "here"


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (
            RuntimeError("boom"),
            Status.FAILED,
            f"RuntimeError: boom (test_execution.py, line {RAISED}, in then)",
        ),
        (InstrumentError("no answer"), Status.FAILED, "InstrumentError: no answer"),
        (KeyboardInterrupt(), Status.ABORTED, "interrupted from the keyboard"),
        (Aborted("enough"), Status.ABORTED, "enough"),
    ],
)
def test_every_exception_ends_with_its_reason_in_the_file_and_a_safe_bench(folder, error, status, reason):
    events = []
    with open_bench(seed=1) as bench:
        with pytest.raises(type(error)) as caught:
            run(Visit(raising(error)), bench, output=folder, observers=[events.append])
        assert is_safe(bench)
    assert caught.value is error
    path = only_file(folder)
    assert outcome(path) == (status, reason)
    kind = type(error).__name__ if status is Status.FAILED else ""
    assert events[-1] == Ended(status, reason, path, error=kind)
    with RunFile(path) as file:
        assert len(file.table("reads")["time"]) == 2
        assert file.settings_after["board"]["mode"] == "SAFE"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_at_the_next_safe_point(folder, number):
    before = signal.getsignal(number)

    def signalled(bench: Bench, stream: Stream) -> None:
        signal.raise_signal(number)
        bench.read(CELL)  # not cut short
        stream.check()

    with open_bench(seed=1) as bench:
        with pytest.raises(Aborted, match=f"{number.name} received"):
            run(Visit(signalled), bench, output=folder)
        assert is_safe(bench)
    assert outcome(only_file(folder)) == (Status.ABORTED, f"{number.name} received")
    assert signal.getsignal(number) is before


def test_a_signal_before_the_run_leaves_no_file(folder):
    class Slow(Visit):
        def prepare(self, given: None, bench: Bench, rng: np.random.Generator) -> None:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Aborted, match="SIGTERM received"):
        run(Slow(), seed=1, output=folder)
    assert not folder.exists()


def test_a_second_ctrl_c_does_not_wait(folder):
    def twice(bench: Bench, stream: Stream) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(Visit(twice), seed=1, output=folder)
    assert outcome(only_file(folder))[0] is Status.ABORTED


@pytest.mark.parametrize("kind", ["timeout", "disconnect"])
@pytest.mark.parametrize("role", daily(["smu", "pulser", "board"], ["smu"]))
def test_a_fault_in_the_middle_of_programming_ends_the_run_with_its_reason(folder, kind, role):
    said = []
    with open_bench(seed=1) as bench:
        address = getattr(bench.file.instruments, role).address
        bench.laboratory.faults.append(
            Fault(address, kind, after=150, times=1 if kind == "timeout" else 10**6)
        )
        called = []
        for name, instrument in bench.instruments.by_name().items():

            def step(name=name, make_safe=instrument.make_safe):
                called.append(name)
                make_safe()

            instrument.make_safe = step
        with pytest.raises(InstrumentError, match=address):
            run(Solve(matrix=MATRIX, bits=12), bench, output=folder, observers=[said.append])
        again = [] if kind == "timeout" else [role]  # what failed is tried once more, after the others
        assert called == ["smu", "pulser", "daq", "board", "gate", *again]
        bench.laboratory.faults.clear()
    status, reason = outcome(only_file(folder))
    assert status is Status.FAILED
    assert reason.startswith(("InstrumentError: ", "InstrumentTimeoutError: "))
    assert address in reason
    loud = [e.text for e in said if isinstance(e, Message) and e.level == "CRITICAL"]
    if kind == "timeout":
        assert loud == []  # made safe, and confirmed
    else:
        (text,) = loud
        assert text.startswith(f"NOT CONFIRMED SAFE: {role} (")
        with RunFile(only_file(folder)) as file:
            assert any(entry.level == "CRITICAL" and text[:80] in entry.message for entry in file.log())
    with RunFile(only_file(folder)) as file:
        assert len(file.table("pulses")["row"]) > 20  # what had been measured is kept


def test_a_run_whose_bench_is_not_confirmed_safe_has_failed(folder):
    with open_bench(seed=1) as bench:
        make_safe = bench.instruments.board.make_safe
        bench.instruments.board.make_safe = raising_make_safe = lambda: (_ for _ in ()).throw(
            InstrumentError("mute")
        )
        with pytest.raises(BenchError, match=r"NOT CONFIRMED SAFE: board \(mute\)"):
            run(Visit(), bench, output=folder)
        assert bench.instruments.board.make_safe is raising_make_safe
        bench.instruments.board.make_safe = make_safe
    status, reason = outcome(only_file(folder))
    assert (status, reason[:38]) == (Status.FAILED, "UnsafeError: NOT CONFIRMED SAFE: board")


# --- what is refused before anything happens ---


def test_bad_input_leaves_no_file_and_opens_no_bench(folder, monkeypatch):
    class Refusing(Visit):
        def check(self) -> None:
            raise InputError("no")

    monkeypatch.setattr("mho.running.phases.open_bench", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(InputError):
        run(Refusing(), output=folder)
    assert not folder.exists()


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_cannot_be_is_refused(folder, seed):
    with pytest.raises(InputError, match=f"seed is {seed}; it must be a whole number from 0"):
        run(Visit(), seed=seed, output=folder)
    assert not folder.exists() or not list(folder.iterdir())


def test_a_plan_that_fails_leaves_no_file_and_changes_no_output(folder):
    class Misplanned(Visit):
        def prepare(self, given: None, bench: Bench, rng: np.random.Generator) -> None:
            raise LimitError("too much")

    with open_bench(seed=1) as bench:
        now = bench.now()
        with pytest.raises(LimitError):
            run(Misplanned(), bench, output=folder)
        assert bench.now() == now
    assert not folder.exists()


def test_a_file_in_the_way_is_never_overwritten(tmp_path):
    path = tmp_path / "mine.h5"
    path.write_text("precious")
    with pytest.raises(RunFileError, match="exists already"):
        run(Visit(), output=path)
    assert path.read_text() == "precious"


def test_a_run_takes_the_next_name_where_another_began_in_the_same_second(tmp_path, monkeypatch):
    moment, create = datetime(2026, 11, 25, 12, 3, 1), RunWriter.create
    monkeypatch.setattr(writer, "new_run_path", partial(new_run_path, now=moment))

    def create_second(path: Path, header: RunHeader, layout: Layout) -> RunWriter:
        monkeypatch.setattr(RunWriter, "create", create)
        create(path, header, layout).finish(Status.FINISHED)  # another process
        return create(path, header, layout)

    monkeypatch.setattr(RunWriter, "create", create_second)
    assert run(Visit(), output=tmp_path, seed=1).path == tmp_path / "20261125-120301-visit-2.h5"
    assert len(list(tmp_path.iterdir())) == 2


def test_an_unknown_or_impossible_parameter_is_named():
    with pytest.raises(InputError, match=r"Visit has no parameter 'repeat'; did you mean 'repeats'"):
        Visit(repeat=3)
    with pytest.raises(InputError, match=r"repeats is 11; it must be a whole number from 1 to 10"):
        Visit(repeats=11)
    with pytest.raises(InputError, match=r"level is 'high'; it must be a number from 0 to 0\.001"):
        Visit(level="high")


def test_a_procedure_s_form_is_its_parameters():
    form = Visit(repeats=4).form()
    assert (form["repeats"].value, form["level"].units) == (4, "S")
