"""A bench file is written of what is wired where: whole, never over another, and good for its twins."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from fake_machine import machine

from mho.doctor import (
    NewBench,
    Ratings,
    Wired,
    bench_text,
    check_on_twins,
    chip_bears,
    found_instruments,
    suggestions,
    write_new,
)
from mho.errors import BenchError, BenchInUseError, InputError
from mho.instruments.bench_file import load_bench_file

BENCH = NewBench(
    name='the "cold" one', chip="reference", read=Wired("keithley2636b", "GPIB0::26::INSTR"),
    gate=Wired("keithley2636b", "GPIB0::26::INSTR", 2), pulse=Wired("keysight33522b", "GPIB0::10::INSTR"),
    board="ASRL3::INSTR", ratings=Ratings(4.6, 3.3, 4.0, 1e-3, 1e-5),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wired"),
    [
        ("keithley2450@GPIB0::4::INSTR", Wired("keithley2450", "GPIB0::4::INSTR")),
        ("keithley2636b:2@GPIB0::26::INSTR", Wired("keithley2636b", "GPIB0::26::INSTR", 2)),
        ("my_lab.smu:Smu@USB0::1::2::3::INSTR", Wired("my_lab.smu:Smu", "USB0::1::2::3::INSTR")),
    ],
)
def test_an_instrument_is_named_by_driver_channel_and_address(text: str, wired: Wired) -> None:
    assert Wired.parse(text, "--read") == wired


@pytest.mark.parametrize("text", ["", "keithley2450", "@GPIB0::4::INSTR", "keithley2450@"])
def test_what_names_no_instrument_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--gate is .*; write DRIVER@ADDRESS"):
        Wired.parse(text, "--gate")


@pytest.mark.parametrize("vectors", [("", ""), ("Dev1/ao0:3", "Dev1/ai0:7")])
def test_the_file_says_what_was_given(vectors: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    write_new(path, bench_text(replace(BENCH, outputs=vectors[0], inputs=vectors[1], visa="@py")))
    bench = load_bench_file(str(path)).bench
    tools, limits = bench.instruments, bench.terminal_limits().terminals
    assert (bench.name, bench.visa, bench.simulation) == ('the "cold" one', "@py", None)
    assert (tools.smu.channel, tools.gate.channel, tools.gate.address) == (1, 2, "GPIB0::26::INSTR")
    assert (tools.daq.outputs, tools.daq.inputs) == vectors
    assert limits["bit line"].voltage == 4.6
    assert limits["source line"].pulse_width == 1e-5
    assert limits["word line"].current == 1e-3


def test_it_is_well_on_its_twins_and_leaves_nothing_behind(tmp_path: Path) -> None:
    report = check_on_twins(replace(BENCH, outputs="Dev1/ao0:3", inputs="Dev1/ai0:7"), tmp_path / "lab.toml")
    assert report.ok
    assert {one.subject for one in report.findings} == {"bench", "smu", "gate", "pulser", "daq", "board"}
    assert list(tmp_path.iterdir()) == []


def test_what_a_bench_file_refuses_is_said_of_the_file_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no such driver here") as caught:
        check_on_twins(replace(BENCH, read=Wired("keithley9999", "GPIB0::4::INSTR")), tmp_path / "lab.toml")
    assert f"bench file {tmp_path / 'lab.toml'}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_is_there_stays(links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "lab.toml"
    write_new(path, "first")
    with pytest.raises(InputError, match=r"lab\.toml is there already, and stays as it is"):
        write_new(path, "second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file"):
        write_new(tmp_path / "nowhere" / "lab.toml", "")


def test_what_instruments_say_they_are_suggests_what_they_serve() -> None:
    identities = {
        "GPIB0::9::INSTR": "ACME,SCOPE,1,2",
        "GPIB0::10::INSTR": "Agilent Technologies,33522B,MY1,5.03",
        "GPIB0::26::INSTR": "Keithley Instruments Inc., Model 2636B, 1, 3.2.2",
        "USB0::1::2::3::INSTR": "KEITHLEY INSTRUMENTS,MODEL 2450,3,1.7.12b",
    }
    assert suggestions(identities) == {
        "read": "keithley2636b:1@GPIB0::26::INSTR", "gate": "keithley2636b:2@GPIB0::26::INSTR",
        "pulse": "keysight33522b@GPIB0::10::INSTR",
    }  # fmt: skip
    assert suggestions({}) == {}


def test_a_chip_map_says_what_its_cells_bear() -> None:
    assert chip_bears("reference") == {"bit_line": 5.0, "source_line": 4.0, "word_line": 4.5, "current": 2e-3}


def test_the_library_is_the_vendor_s_where_there_is_one(tmp_path: Path) -> None:
    probes = {"visa_ivi": {"paths": ["x"], "resources": ["A"]}, "visa_py": {"resources": ["B"]}}
    assert found_instruments(machine(tmp_path, probes=probes)) == ("", ["A"])
    probes["visa_ivi"] = {"paths": [], "resources": []}
    assert found_instruments(machine(tmp_path, probes=probes)) == ("@py", ["B"])


def test_nothing_is_listed_while_a_bench_is_in_use(tmp_path: Path) -> None:
    files = {"/proc/net/unix": "0: 2 0 0 2 1 5 @mho-bench/0123/77/0/1\n"}
    with pytest.raises(BenchInUseError, match="not listed meanwhile"):
        found_instruments(machine(tmp_path, files=files, probes={}))
