"""A session by hand: acts one after another on one chip, each a run of its own, in a job like any other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from queue_runners import Desk, eventually, running

import mho
from mho.errors import Aborted, InputError, QueueError
from mho.procedures.stream import ActChanged, ActWanted, Control, Event, Paused, Resumed, Row
from mho.running.by_hand import ByHand
from mho.running.continuing import rerun
from mho.running.queue import BY_HAND, JobStatus, Order
from mho.runs import RunFile, Status

CELL = {"array": "multiply", "rows": "3", "columns": "4"}


@contextmanager
def session(
    folder: Path, bench: str = "simulated", **parameters: float
) -> Iterator[tuple[Control, list[Event]]]:
    """Hold a bench by hand in a thread of its own, until the end is wanted or the block is left."""
    control, heard = Control(), []
    errors: list[BaseException] = []

    def hold() -> None:
        try:
            mho.run(
                ByHand(**parameters), bench, seed=1, output=folder, observers=[heard.append], control=control
            )
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield control, heard
    finally:
        control.acts.put(ActWanted())
        thread.join(60)
    if errors:
        raise errors[0]


def over(heard: list[Event]) -> list[ActChanged]:
    return [one for one in heard if isinstance(one, ActChanged) and one.outcome]


def done(control: Control, heard: list[Event], procedure: str, **parameters: object) -> ActChanged:
    """Have an act carried out, and return how it ended."""
    before = len(over(heard))
    control.acts.put(ActWanted(procedure, CELL | parameters))
    eventually(lambda: len(over(heard)) > before)
    return over(heard)[-1]


def test_acts_go_on_with_one_chip_and_each_has_a_run_file_that_can_be_repeated(tmp_path: Path) -> None:
    with session(tmp_path) as (control, heard):
        formed = done(control, heard, "form")
        low = done(control, heard, "pulses", kind="reset")
        high = done(control, heard, "pulses", kind="set")
        level = done(control, heard, "program", digits="5")
        read = done(control, heard, "read")
    acts = [formed, low, high, level, read]
    assert not any(act.failed for act in acts)
    assert [act.number for act in acts] == [1, 2, 3, 4, 5]
    assert "1 of 1 cell formed" in formed.outcome
    with RunFile(low.path) as run, RunFile(high.path) as next_run:
        left, found = run.column("reads", "conductance")[-1], next_run.column("reads", "conductance")[0]
        assert found == pytest.approx(left, rel=0.3, abs=1e-6)
        assert next_run.column("reads", "conductance")[-1] > 5 * found
        assert Path(next_run.provenance["after"]) == low.path.resolve()
    with RunFile(read.path) as run:
        assert run.summary["mean_conductance"] == pytest.approx(25e-6, rel=0.1)  # level 5
    (own,) = tmp_path.glob("*byhand*.h5")
    with RunFile(own) as run:
        assert (run.status, run.summary["acts"]) == (Status.FINISHED, 5)
        assert run.column("acts", "number").tolist() == [1, 2, 3, 4, 5]
        assert any(read.path.name in entry.message for entry in run.log())


@pytest.mark.thorough
def test_the_run_file_of_an_act_is_repeated_bit_for_bit(tmp_path: Path) -> None:
    with session(tmp_path) as (control, heard):
        done(control, heard, "form")
        read = done(control, heard, "read")
    again = rerun(read.path, output=tmp_path / "again.h5")
    assert again.equal


def test_a_session_is_not_repeated_and_nothing_goes_on_from_it_but_from_its_acts(tmp_path: Path) -> None:
    with session(tmp_path, "arrays") as (control, heard):
        act = done(control, heard, "read")
    (own,) = tmp_path.glob("*byhand*.h5")
    with pytest.raises(InputError, match="the run file of its last act"):
        rerun(own, output=tmp_path / "again.h5")
    with pytest.raises(InputError, match="the run file of its last act"):
        mho.run(mho.Read(), after=own, output=tmp_path / "next.h5")
    mho.run(mho.Read(rows="0", columns="0"), "arrays", after=act.path, output=tmp_path / "next.h5")


def test_an_act_that_is_refused_is_said_and_the_session_goes_on(tmp_path: Path) -> None:
    with session(tmp_path, "arrays") as (control, heard):
        for procedure, parameters, words in (
            ("read", {"rows": "4000"}, "row 4000 is not among them"),
            ("raed", {}, "no procedure 'raed'"),
            ("read", {"repeats": "none"}, "repeats"),
            (BY_HAND, {}, "no act of a session by hand"),
        ):
            act = done(control, heard, procedure, **parameters)
            assert act.failed
            assert words in act.outcome
        assert not done(control, heard, "read").failed
    (own,) = tmp_path.glob("*byhand*.h5")
    with RunFile(own) as run:
        assert run.column("acts", "failed").tolist() == [1, 1, 1, 1, 0]


def touched(control: Control, heard: list[Event], role: str, name: str, **values: object) -> ActChanged:
    """Have an instrument touched, and return what that came to."""
    before = len(over(heard))
    control.acts.put(ActWanted(name, values, role))
    eventually(lambda: len(over(heard)) > before)
    return over(heard)[-1]


def rows(heard: list[Event], table: str) -> list[dict[str, float]]:
    return [one.values for one in heard if isinstance(one, Row) and one.table == table]


def test_touches_and_readings_are_in_the_run_file_of_the_session_beside_its_acts(tmp_path: Path) -> None:
    with session(tmp_path, "heated") as (control, heard):
        assert not done(control, heard, "form").failed
        connected = touched(control, heard, "board", "connect", array="multiply", row=3.0, column=4.0)
        held = touched(control, heard, "smu", "source", voltage=0.1)
        assert not connected.failed
        assert held.outcome == "holds 0.1 V, at most 0.0001 A"
        assert held.path == Path()  # no run file of its own
        refused = touched(control, heard, "smu", "source", voltage=9.0)
        assert refused.failed
        touched(control, heard, "chuck", "heat", temperature=310.0)
        touched(control, heard, "chuck", "watch", every=0.1)
        touched(control, heard, "smu", "watch", every=0.1)
        # The virtual bench's time goes on, or it would stay cold.
        eventually(
            lambda: rows(heard, "chuck")[-1]["temperature"] > rows(heard, "chuck")[0]["temperature"] + 0.1
        )
        touched(control, heard, "chuck", "watch", every=0.0)
        read = done(control, heard, "read")
        assert not read.failed
    (own,) = tmp_path.glob("*byhand*.h5")
    with RunFile(own) as run:
        assert run.conclusion.line == "2 acts, 7 touches, 1 failed"
        assert run.column("touches", "failed").tolist() == [0, 0, 1, 0, 0, 0, 0]
        log = [entry.message for entry in run.log()]
        assert any("smu source (voltage 0.1): holds 0.1 V" in line for line in log)
        assert any("smu source (voltage 9.0): smu, source: voltage is 9 V, beyond" in line for line in log)
        kelvin, when = run.column("chuck", "temperature"), run.column("chuck", "time")
        assert run.units("chuck")["temperature"] == "K"
        assert kelvin[-1] > kelvin[0] + 0.05
        assert (when[1:] >= when[:-1]).all()
        assert run.column("smu", "current")[0] > 1e-7
    with RunFile(read.path) as run:
        assert "touches by hand" in " ".join(map(str, run.provenance.values()))
    with pytest.raises(InputError, match="touches by hand"):
        rerun(read.path, output=tmp_path / "again.h5")


def test_after_a_pause_no_cell_is_connected_and_nothing_is_held(tmp_path: Path) -> None:
    with session(tmp_path) as (control, heard):
        done(control, heard, "form")
        touched(control, heard, "board", "connect", array="multiply", row=3.0, column=4.0)
        touched(control, heard, "smu", "source", voltage=0.2)
        held = rows(heard, "smu")
        touched(control, heard, "smu", "measure", voltage=0.2)
        control.pausing = True
        eventually(lambda: any(isinstance(one, Paused) for one in heard))
        control.pausing = False
        eventually(lambda: any(isinstance(one, Resumed) for one in heard))
        touched(control, heard, "smu", "measure", voltage=0.2)
        before, after = rows(heard, "smu")[len(held) :]
        pulse = touched(control, heard, "pulser", "pulse")
    assert before["current"] > 1e-6
    assert abs(after["current"]) < 0.02 * before["current"]
    assert "no cell is connected" in pulse.outcome


def test_a_session_of_acts_alone_keeps_the_virtual_time(tmp_path: Path) -> None:
    with session(tmp_path) as (control, heard):
        touched(control, heard, "smu", "look")
        done(control, heard, "form")
        time.sleep(0.5)
        read = done(control, heard, "read")
    assert rerun(read.path, output=tmp_path / "again.h5").equal  # a look changes nothing


def test_a_session_ends_by_itself_when_nobody_wants_anything(tmp_path: Path) -> None:
    result = mho.run(ByHand(idle=1.0), "arrays", seed=1, output=tmp_path)
    assert result["acts"] == 0


def test_an_abort_ends_the_session_and_the_act(tmp_path: Path) -> None:
    with pytest.raises(Aborted, match="enough"), session(tmp_path) as (control, heard):  # noqa: PT012
        control.acts.put(ActWanted("read", CELL | {"repeats": 100_000}))
        eventually(lambda: any(isinstance(one, ActChanged) for one in heard))
        control.abort("enough")
    (act,) = [path for path in tmp_path.glob("*.h5") if "byhand" not in path.name]
    with RunFile(act) as run:
        assert run.status is Status.ABORTED


def by_hand(desk: Desk, **parameters: float) -> Order:
    return Order(BY_HAND, parameters, desk.bench, folder=desk.path.parent)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "queue.sqlite", "arrays")


def test_the_runner_passes_acts_to_the_session_and_to_nothing_else(desk: Desk, own_locks: Callable) -> None:
    with running(desk, drain=False):
        (number,) = desk.add(by_hand(desk))
        desk.wait_begun(number)
        desk.client.act("read", CELL)
        eventually(lambda: over(desk.heard))
        assert desk.client.status().job == number  # it stays open
        desk.client.end_by_hand()
        job = desk.wait(number, JobStatus.FINISHED)
        assert job.conclusion is not None
        assert job.conclusion.line == "1 act"
        with pytest.raises(QueueError, match="no session by hand is open"):
            desk.client.act("read", CELL)
    assert over(desk.heard)[0].path.exists()
