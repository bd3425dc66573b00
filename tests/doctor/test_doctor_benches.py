"""Who uses a bench, what waits for it, and the firmware of its instruments: on benches of served twins."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest
from fake_machine import machine, only, verdicts
from queue_runners import Desk, eventually, order, running, served_bench

from mho import platforms
from mho.doctor import Machine, benches, buses, examine
from mho.doctor.machine import run_probe
from mho.instruments.bench import locking
from mho.instruments.bench_file import load_bench_file
from mho.running.queue import Queue

linux = pytest.mark.skipif(sys.platform != "linux", reason="names of sockets are Linux's")
GPIB = {"paths": ["libvisa.so"], "vendor": "V", "version": "1.0.0", "troubles": []}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "runs" / "queue.sqlite")


def test_without_a_queue_none_is_made(tmp_path: Path) -> None:
    there = machine(tmp_path)
    assert verdicts(benches.check_queue(there)) == {"queue": "ok"}
    assert verdicts(benches.check_locks(there)) == {"locks": "ok"}
    assert not there.runs.exists()


def test_jobs_without_a_runner_are_noted(desk: Desk, tmp_path: Path) -> None:
    desk.add(order(), order())
    (found,) = benches.check_queue(machine(tmp_path))
    assert (found.verdict, found.found) == ("note", "bench simulated: 2 jobs wait, no runner")
    assert "mho runner --bench simulated" in found.advice


def test_a_held_and_an_unsafe_queue(desk: Desk, tmp_path: Path) -> None:
    desk.add(order())
    desk.change(lambda queue: queue.hold("simulated", "somebody is at the probe"))
    (found,) = benches.check_queue(machine(tmp_path))
    assert found.verdict == "note"
    assert "somebody is at the probe" in found.found
    desk.change(lambda queue: queue.hold_unsafe("simulated", "held", "the smu does not answer", ["smu"]))
    (found,) = benches.check_queue(machine(tmp_path))
    assert found.verdict == "wrong"
    assert "the smu does not answer" in found.found
    assert found.advice == "`mho bench safe simulated`"


def test_a_runner_that_is_there_is_found(desk: Desk, tmp_path: Path) -> None:
    with Queue(desk.path) as queue:
        queue.touch("simulated")
    with running(desk, drain=False):
        eventually(lambda: "no runner" not in next(iter(benches.check_queue(machine(tmp_path)))).found)
        (found,) = benches.check_queue(machine(tmp_path))
    assert (found.verdict, found.found) == ("ok", "bench simulated: 0 jobs wait, the runner is idle")


@linux
@pytest.mark.usefixtures("own_locks")
def test_who_uses_a_bench_is_found_and_whether_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served_bench(tmp_path) as (bench, _):
        there = machine(tmp_path, bench=bench)
        assert f"bench {bench} is free" in next(iter(benches.check_locks(there))).found
        with locking.lock_bench(load_bench_file(bench)):
            first = next(iter(benches.check_locks(there)))
            assert first.verdict == "note"
            assert "is in use by process" in first.found
            monkeypatch.setattr(psutil.Process, "status", lambda _: psutil.STATUS_STOPPED)
            first = next(iter(benches.check_locks(there)))
            assert first.verdict == "wrong"
            assert f"`mho bench safe {bench}`" in first.advice
            assert "not asked" in only(benches.check_instruments(there), "instruments").found
        assert "is free, last used" in next(iter(benches.check_locks(there))).found


@linux
def test_any_bench_in_use_is_seen() -> None:
    release = platforms.here.take_lock("a-test-of-the-doctor", locking.this_process())
    try:
        assert buses.is_measuring(Machine())
    finally:
        release()


def test_a_wrong_bench_file_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = 3\n")
    there = machine(tmp_path, bench=str(path))
    found = [*benches.check_locks(there), *benches.check_instruments(there)]
    assert [one.topic for one in found if one.verdict == "wrong"] == ["locks"]
    assert "mine.toml" in found[0].found


def test_no_instrument_is_asked_unless_somebody_wants_it(tmp_path: Path) -> None:
    (found,) = benches.check_instruments(machine(tmp_path, probes={}))
    assert "not asked" in found.found
    (found,) = benches.check_instruments(machine(tmp_path, probes={}, bench="simulated"))
    assert "nothing to ask" in found.found


@pytest.mark.usefixtures("own_locks")
def test_the_firmware_of_a_bench_s_instruments(tmp_path: Path) -> None:
    with served_bench(tmp_path) as (bench, _):
        there = machine(
            tmp_path, bench=bench, probes={"identify": lambda *words: run_probe("identify", *words)}
        )
        found = examine(there, checks={"instruments": benches.check_instruments})
    assert {one.verdict for one in found} == {"ok"}
    assert len(found) == len(set(load_bench_file("simulated").bench.instruments.addresses()))
    assert "TCPIP0::…::" in found[0].found
    assert "KEITHLEY INSTRUMENTS MODEL 2450, serial …, firmware " in found[0].found


def test_all_that_are_found_are_asked_but_for_serial_ports_and_what_hangs_keeps_none_from_its_turn(
    tmp_path: Path,
) -> None:
    asked = []

    def identify(library: str, address: str) -> dict[str, dict[str, str]]:
        asked.append((library, address))
        if address == "GPIB0::4::INSTR":
            raise TimeoutError("it does not answer within 15 s")
        if address == "GPIB0::5::INSTR":
            return {address: {"identity": "MODEL 7"}}
        return {address: {"identity": "ACME,SMU-1,0,2.1"}}

    resources = ["ASRL3::INSTR", "GPIB0::4::INSTR", "GPIB0::5::INSTR", "GPIB0::6::INSTR"]
    probes = {"visa_ivi": GPIB | {"resources": resources}, "identify": identify}
    found = list(benches.check_instruments(machine(tmp_path, ask=True, probes=probes)))
    assert asked == [("@ivi", address) for address in resources[1:]]
    assert [one.verdict for one in found] == ["wrong", "note", "ok"]
    assert found[2].found == "GPIB0::6::INSTR: ACME SMU-1, serial 0, firmware 2.1"
    assert found[2].private == ()


def test_without_a_vendor_s_library_those_of_pyvisa_py_are_asked(tmp_path: Path) -> None:
    probes = {"visa_ivi": GPIB | {"paths": []}, "visa_py": {"resources": ["ASRL1::INSTR"]}}
    (found,) = benches.check_instruments(machine(tmp_path, ask=True, probes=probes))
    assert "none on USB, GPIB and PXI to ask" in found.found


def test_none_is_asked_while_a_bench_is_in_use(tmp_path: Path) -> None:
    files = {"/proc/net/unix": "0: 2 0 0 2 1 5 @mho-bench/0123/77/0/1\n"}
    (found,) = benches.check_instruments(machine(tmp_path, ask=True, files=files, probes={}))
    assert found.verdict == "note"
