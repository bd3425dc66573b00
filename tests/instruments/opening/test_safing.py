"""`mho bench safe`: whatever a crash has left on goes off, whichever instruments can be reached, and is read back."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import nidaqmx
import numpy as np
import pytest
from daily import daily

from mho.errors import BenchError, BenchInUseError, UnsafeError
from mho.instruments.bench.locking import lock_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.opening import safing
from mho.instruments.opening.opening import open_bench
from mho.instruments.opening.safing import Confirmation, confirm_bench_safe, make_bench_safe
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack

pytestmark = pytest.mark.usefixtures("own_locks")

BENCHES = resources.files("mho.instruments") / "benches"
SOURCES = {
    "smu": b":SOUR:VOLT 0.3;:OUTP ON\n",
    "gate": b":SOUR:VOLT 1.0;:OUTP ON\n",
    "pulser": b":SOUR2:VOLT:HIGH 2;:OUTP1 ON;:OUTP2 ON\n",
    "board": b":MODE MULT\n",
}


def left_on(lab: Laboratory) -> None:
    """Leave everything on, as a crash does."""
    entries = load_bench_file("simulated").bench.instruments
    for role, message in SOURCES.items():
        lab.devices[getattr(entries, role).address].write(message)
    with nidaqmx.Task() as task:
        task.ao_channels.add_ao_voltage_chan("PXI1Slot2/ao3")
        task.write(0.5)


def on(lab: Laboratory) -> set[str]:
    entries = load_bench_file("simulated").bench.instruments
    smu, gate, pulser = (lab.devices[getattr(entries, role).address] for role in ("smu", "gate", "pulser"))
    standing = {
        "smu": smu.output_on or smu.level != 0.0,
        "gate": gate.output_on or gate.level != 0.0,
        "pulser": any(pulser.output_on.values()),
        "board": lab.board.mode != "SAFE",
        "daq": np.abs(lab.daq.levels(entries.daq.outputs)).max() > 5e-3,
    }
    return {role for role, is_on in standing.items() if is_on}


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    """Twins that a bench file of real instruments finds behind ``safing@mho``."""
    laboratory = Laboratory(load_bench_file("simulated"), preset="ideal", seed=1)
    register_rack("safing", laboratory)
    with laboratory.daq_session():
        left_on(laboratory)
        assert on(laboratory) == {*SOURCES, "daq"}
        yield laboratory
    unregister_rack("safing")


@pytest.fixture
def real(tmp_path: Path) -> str:
    text = (BENCHES / "simulated.toml").read_text("utf-8")
    start, end = text.index("\n[simulation]"), text.index("[instruments.smu]")
    path = tmp_path / "real.toml"
    path.write_text(f'visa = "safing@mho"\n{text[:start]}\n{text[end:]}', encoding="utf-8")
    return str(path)


def test_everything_goes_off_bit_line_first_word_line_last(lab, real):
    said = make_bench_safe(real)
    assert on(lab) == set()
    assert list(said) == ["smu", "pulser", "daq", "board", "gate"]
    assert "MODEL 2450" in said["smu"]


def test_what_was_on_is_said_of_those_that_answer(lab, real, monkeypatch):
    assert confirm_bench_safe(real).left_on == ("smu", "pulser", "board", "gate")
    assert confirm_bench_safe(real).left_on == ()
    left_on(lab)

    def ask(role: str, instrument: object) -> bool:
        if role == "smu":
            raise BenchError("no answer")
        return True

    monkeypatch.setattr(safing, "read_back", ask)
    assert "smu" not in confirm_bench_safe(real).left_on
    assert on(lab) == set()


@pytest.mark.parametrize("role", SOURCES)
def test_one_that_cannot_be_reached_keeps_no_other_from_going_off(lab, real, role):
    address = getattr(load_bench_file(real).bench.instruments, role).address
    lab.faults.append(Fault(address, "disconnect", times=10**6))
    with pytest.raises(UnsafeError, match=f"NOT CONFIRMED SAFE: {role} .*{address}") as told:
        make_bench_safe(real)
    assert "by hand" in str(told.value)
    assert told.value.live == (role,)  # what is decided by: never the words
    assert on(lab) == {role}


def test_a_daq_that_is_gone_keeps_no_other_from_going_off(lab, real):
    lab.daq.unplug("Dev1")
    with pytest.raises(BenchError, match="NOT CONFIRMED SAFE: daq"):
        make_bench_safe(real)
    assert on(lab) <= {"daq"}


def test_what_goes_wrong_once_is_tried_again(lab, real):
    address = load_bench_file(real).bench.instruments.gate.address
    fault = Fault(address, "refusal", match=b":OUTP OFF", code=-113)
    lab.faults.append(fault)
    make_bench_safe(real)
    assert fault.seen >= 2
    assert on(lab) == set()


def test_a_signal_waits_until_it_is_done(lab, real):
    seen: list[set[str]] = []
    lab.faults.append(
        Fault("", "accident", after=9, accident=lambda rack: signal.raise_signal(signal.SIGTERM))
    )
    previous = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(on(lab)))
    try:
        make_bench_safe(real)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert seen == [set()]


def test_a_bench_in_use_is_left_to_who_has_it(lab, real):
    with lock_bench(load_bench_file(real)), pytest.raises(BenchInUseError, match="in use"):
        make_bench_safe(real)
    assert on(lab) == {*SOURCES, "daq"}
    make_bench_safe(real)
    with open_bench(real):  # no lock is left behind
        pass


def test_a_fresh_process_waits_for_who_was_killed_to_let_go_of_the_bench(lab, real, monkeypatch, capsys):
    with lock_bench(load_bench_file(real)) as held:
        making = threading.Thread(target=copy_context().run, args=(safing.main, [real]))
        making.start()
        making.join(0.3)
        assert making.is_alive()
        assert on(lab) == {*SOURCES, "daq"}
        held.close()
        making.join()
    assert on(lab) == set()
    assert json.loads(capsys.readouterr().out)["safe"]
    monkeypatch.setattr(safing, "FREE_WITHIN", 0.1)
    with lock_bench(load_bench_file(real)):
        safing.main([real])
    said = json.loads(capsys.readouterr().out)
    assert not said["safe"]
    assert "is in use: this process" in said["reason"]


@pytest.mark.parametrize("name", daily([Path(entry.name).stem for entry in BENCHES.iterdir()], 4))
def test_every_packaged_bench_is_made_safe_as_a_bench_is(name):
    with open_bench(name, seed=1) as bench:
        assert list(make_bench_safe(name)) == list(bench.instruments.by_name())


def test_the_command_says_who_is_safe(shell):
    code, told, _ = shell("bench", "safe", "switched")
    assert code == 0
    assert [line.split()[:2] for line in told.splitlines()] == [
        [role, "safe"] for role in ("smu", "pulser", "daq", "board", "gate", "switch")
    ]


# --- what is answered, without a bench ---


class Source:
    """An instrument whose output stays as it was where `deaf`, and that cannot be asked for it where `mute`."""

    def __init__(self, on: bool, deaf: bool = False, mute: bool = False) -> None:
        self.on, self.deaf, self.closed = on, deaf, False
        self.output_enabled = None if mute else on

    def make_safe(self) -> None:
        self.on = self.on and self.deaf
        if self.output_enabled is not None:
            self.output_enabled = self.on

    def identify(self) -> str:
        return f"a source that is {'on' if self.on else 'off'}"

    def close(self) -> None:
        self.closed = True


OWN, FOREIGN = "mho.instruments.drivers.keithley2450:Keithley2450", "mine:Driver"


@pytest.mark.parametrize(
    ("driver", "source", "says"),
    [
        (
            FOREIGN,
            Source(on=True, deaf=True),
            "mine:Driver says that it made it safe, and answers that an output",
        ),
        (FOREIGN, Source(on=True, mute=True), "unknown: mine:Driver cannot be asked; give it the property"),
        (FOREIGN, Source(on=True), ""),
        (OWN, Source(on=True, deaf=True), ""),
        ("keithley2450", Source(on=True, deaf=True), ""),
    ],
)
def test_a_driver_of_one_s_own_is_believed_when_it_answers_that_no_output_is_on(
    driver, source, says, monkeypatch
):
    meter, chuck = source, Source(on=False)
    drivers = {"smu": driver, "chuck": OWN}
    instruments = SimpleNamespace(entry=lambda role: SimpleNamespace(driver=drivers[role]), title=str)
    monkeypatch.setattr(
        safing,
        "load_bench_file",
        lambda name: SimpleNamespace(bench=SimpleNamespace(instruments=instruments)),
    )

    @contextmanager
    def openers(source):
        yield {"chuck": lambda: chuck, "smu": lambda: meter}, None

    monkeypatch.setattr(safing, "bench_openers", openers)
    monkeypatch.setattr(safing, "time", SimpleNamespace(time=lambda: 12.5))
    before = ("smu",) if meter.output_enabled else ()
    if says:
        with pytest.raises(UnsafeError, match=says) as told:
            confirm_bench_safe("bench")
        assert (told.value.live, told.value.left_on) == (("smu",), before)
    else:
        done = confirm_bench_safe("bench")
        assert (done.at, done.left_on, list(done.identities)) == (12.5, before, ["smu", "chuck"])
        assert done.identities["chuck"] == "a source that is off"
    assert meter.closed
    assert chuck.closed


def test_a_driver_of_one_s_own_that_fails_when_it_is_asked_is_named_and_the_others_are_asked(monkeypatch):
    def ask(role, instrument):
        if role == "smu":
            raise BenchError("no answer")
        return role == "gate"

    monkeypatch.setattr(safing, "read_back", ask)
    entries = dict.fromkeys(("smu", "pulser", "gate"), SimpleNamespace(driver=FOREIGN))
    source = SimpleNamespace(bench=SimpleNamespace(instruments=SimpleNamespace(entry=entries.get)))
    found = safing._disbelieved(source, entries)
    assert list(found) == ["smu", "gate"]
    assert str(found["smu"]) == "no answer"
    assert safing._disbelieved(source, {}) == {}


UNSAFE = UnsafeError("not safe", live=("smu", "gate"), left_on=("smu",))


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        (Confirmation({}, 3.5, ("smu",)), (True, "", [], 3.5, ["smu"])),
        (UNSAFE, (False, "not safe", ["smu", "gate"], None, ["smu"])),
        (BenchError("no such bench"), (False, "no such bench", [], None, [])),
        (OSError(), (False, "OSError", [], None, [])),
        (ValueError("a bug"), (False, "ValueError: a bug", [], None, [])),
    ],
)
def test_a_fresh_process_answers_whatever_happens(outcome, answer, monkeypatch, capsys, caplog):
    ended: list[tuple[object, ...]] = []
    logs: list[dict[str, object]] = []

    def confirm(name):
        assert (name, len(ended)) == ("bench", 1)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(safing, "confirm_bench_safe", confirm)
    monkeypatch.setattr(safing, "end_whole", lambda *given: ended.append(given))
    monkeypatch.setattr(logging, "basicConfig", lambda **options: logs.append(options))
    safing.main(["bench", "17", "mark"])
    answers = json.loads(capsys.readouterr().out)
    assert tuple(answers[key] for key in ("safe", "reason", "live", "confirmed", "left_on")) == answer
    assert ended == [(17, "mark")]
    assert [one["stream"] for one in logs] == [sys.stderr]  # what is printed is the answer alone
    assert ("bench bench was not made safe" in caplog.text) == isinstance(outcome, ValueError)
    if isinstance(outcome, Confirmation):
        monkeypatch.setattr(safing, "end_whole", lambda *given: pytest.fail("nobody is to be ended"))
        safing.main(["bench"])


def test_a_bench_in_use_is_waited_for_five_seconds_and_looked_at_often(monkeypatch):
    passed = [0.0]

    def sleep(seconds):
        assert 0.0 < seconds < 0.2
        passed.append(passed[-1] + seconds)

    def confirm(name):
        raise BenchInUseError("in use")

    monkeypatch.setattr(safing, "confirm_bench_safe", confirm)
    monkeypatch.setattr(safing, "time", SimpleNamespace(monotonic=lambda: passed[-1], sleep=sleep))
    with pytest.raises(BenchInUseError):
        safing._made_safe_in_time("bench")
    assert 5.0 <= passed[-1] < 5.1
    monkeypatch.setattr(safing, "FREE_WITHIN", 0.0)  # which is over at once
    passed[:] = [1.0]
    with pytest.raises(BenchInUseError):
        safing._made_safe_in_time("bench")
    assert passed == [1.0]
