"""Findings are made apart from each other, bounded in time, and without what is private."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_machine import machine

from mho.doctor import Finding, Machine, examine
from mho.doctor.machine import run_probe, run_program


def good(_: Machine) -> Iterator[Finding]:
    yield Finding("good", "ok", "there")


def test_one_that_raises_or_hangs_keeps_no_other_from_its_findings(tmp_path: Path) -> None:
    release = threading.Event()

    def breaks(_: Machine) -> Iterator[Finding]:
        yield Finding("before", "ok", "this far")
        raise SystemExit("the vendor's library has had enough")

    def hangs(_: Machine) -> Iterator[Finding]:
        yield Finding("first", "ok", "found")
        release.wait()

    begun = time.monotonic()
    found = examine(
        machine(tmp_path), checks={"broken": breaks, "hanging": hangs, "good": good}, patience=0.2
    )
    release.set()
    assert time.monotonic() - begun < 60.0  # it does not wait for what never ends
    assert [(one.topic, one.verdict) for one in found] == [
        ("before", "ok"), ("broken", "note"), ("first", "ok"), ("hanging", "note"), ("good", "ok"),
    ]  # fmt: skip
    assert "SystemExit: the vendor's library has had enough" in found[1].found
    assert found[3].found == "no answer within 0.2 s"


def test_checks_run_beside_each_other(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=30.0)

    def meets(_: Machine) -> Iterator[Finding]:
        meeting.wait()
        yield Finding("met", "ok", "")

    found = examine(machine(tmp_path), checks={"a": meets, "b": meets}, patience=60.0)
    assert [one.verdict for one in found] == ["ok", "ok"]


SECRETS = {
    "/sys/{home}/data and {home}": ("~", "anna"),
    r"\\server\anna\runs": ("…", "anna"),
    "USB0::0x05E6::0x2450::04412345::INSTR, USB0::1510::9296::04412345::0::INSTR": ("0x2450::…::INSTR", "04412345"),
    "TCPIP0::10.0.0.5::5025::SOCKET": ("TCPIP0::…::5025::SOCKET", "10.0.0.5"),
    "a lock of process 123 of berta, since then": ("process 123 of …, since", "berta"),
    "no route to cryo7": ("no route to …", "cryo7"),
    "serial XY99, which is XY99": ("serial …, which is …", "XY99"),
}  # fmt: skip


@pytest.mark.parametrize("text", SECRETS)
def test_nothing_private_is_on_the_page_unless_it_is_asked_for(text: str, tmp_path: Path) -> None:
    there = machine(tmp_path)
    text, (shown, secret) = text.format(home=there.home), SECRETS[text]

    def tells(_: Machine) -> Iterator[Finding]:
        yield Finding("it", "ok", text, f"mind {text}", private=("XY99", ""))

    (full,) = examine(there, checks={"it": tells}, full=True)
    assert full.found == text
    (found,) = examine(there, checks={"it": tells})
    for words in (found.found, found.advice):
        assert shown in words
        assert secret not in words


def test_common_names_do_not_spoil_the_page(tmp_path: Path) -> None:
    def tells(_: Machine) -> Iterator[Finding]:
        yield Finding("it", "ok", "mho 0.1.0, /srv/mho/runs", "`mho bench safe lab`")

    (found,) = examine(machine(tmp_path, user="mho", host="lab"), checks={"it": tells})
    assert (found.found, found.advice) == ("mho 0.1.0, /srv/…/runs", "`mho bench safe lab`")


def test_a_program_that_is_not_there_is_no_trouble() -> None:
    assert run_program("no-such-program-of-mho") is None


def test_a_probe_that_crashes_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"it ended with 1 KeyError: 'no_such_probe'"):
        run_probe("no_such_probe")


def test_a_probe_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.doctor.machine.PROBE_WITHIN", 0.0)
    with pytest.raises(TimeoutError, match="does not answer within 0 s"):
        run_probe("visa_ivi")
