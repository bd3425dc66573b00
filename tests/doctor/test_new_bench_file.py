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
    chip_suggests,
    found_instruments,
    suggestions,
    write_new,
)
from mho.doctor.new_bench import SERVING, driver_of
from mho.errors import BenchError, BenchInUseError, InputError
from mho.instruments.bench_file import load_bench_file

ANALYSER = Wired("keithley2636b", "GPIB0::26::INSTR", 1, "analyser")
GATE = Wired("keithley2636b", "GPIB0::26::INSTR", 2, "gate")
BARE = Wired("yokogawags210", "GPIB0::5::INSTR", 1, "word_line")
METER = Wired("keithley2450", "GPIB0::4::INSTR", 1, "smu")
PULSER = Wired("keysight33522b", "GPIB0::10::INSTR", 1, "pulser")
BENCH = NewBench(
    name='the "cold" one', chip="reference", read=ANALYSER, gate=GATE, pulse=PULSER, board="ASRL3::INSTR",
    vectors=("", ""), ratings=Ratings(4.6, 1e-3, 3.3, 4.0, 1e-5),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wired"),
    [
        ("keithley2450@GPIB0::4::INSTR", METER),
        ("analyser=keithley2636b@GPIB0::26::INSTR", ANALYSER),
        ("keithley2636b:2@GPIB0::26::INSTR", replace(GATE, name="smu")),
    ],
)
def test_an_instrument_is_named_by_name_driver_channel_and_address(text: str, wired: Wired) -> None:
    assert Wired.parse(text, "read") == wired


@pytest.mark.parametrize("text", ["", "keithley2450", "@GPIB0::4::INSTR", "keithley2450@"])
def test_what_names_no_instrument_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--gate is .*; write DRIVER@ADDRESS"):
        Wired.parse(text, "gate")


@pytest.mark.parametrize(
    ("what", "driver"), [("read", "yokogawags210"), ("pulse", "keithley2450"), ("read", "my_smu")]
)
def test_an_instrument_that_does_not_do_that_is_refused_with_those_that_do(what: str, driver: str) -> None:
    with pytest.raises(
        InputError,
        match=rf"--{what} names '{driver}', .*there are (keith|keysight).*docs/benches/microcontroller",
    ):
        Wired.parse(f"{driver}@GPIB0::4::INSTR", what)


@pytest.mark.parametrize(
    ("what", "text", "said"),
    [
        ("gate", "keithley2636b:3@GPIB0::4::INSTR", "names channel 3 of a keithley2636b, which has 2"),
        ("read", "keithley2450:0@GPIB0::4::INSTR", "names channel 0 of a keithley2450, which has 1"),
        ("pulse", "keysight33522b:2@GPIB0::4::INSTR", "leave the channel out"),
    ],
)
def test_a_channel_that_is_not_there_is_refused(what: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Wired.parse(text, what)


def test_two_instruments_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="--pulse is called 'analyser', and so is --read"):
        replace(BENCH, pulse=replace(PULSER, name="analyser"))


@pytest.mark.parametrize("vectors", [("", ""), ("Dev1/ao0:3", "Dev1/ai0:7")])
def test_the_file_says_what_was_given(vectors: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    write_new(path, bench_text(replace(BENCH, vectors=vectors, visa="@py")))
    bench = load_bench_file(str(path)).bench
    tools, limits = bench.instruments, bench.terminal_limits().terminals
    assert (bench.name, bench.visa, bench.simulation) == ('the "cold" one', "@py", None)
    assert (tools.smu.channel, tools.gate.channel, tools.gate.address) == (1, 2, "GPIB0::26::INSTR")
    assert (tools.daq.outputs, tools.daq.inputs) == vectors
    assert limits["bit line"].voltage == 4.6
    assert limits["source line"].pulse_width == 1e-5
    assert limits["word line"].current == 1e-3


ONE_DEVICE = replace(BENCH, chip="device", board="", vectors=None)
COMBINATIONS = {
    "two channels of one unit": (
        replace(ONE_DEVICE, pulse=ANALYSER, ratings=Ratings(4.6, 1e-3, None, 4.0, 1e-2)),
        {"select", "read", "sweep", "pulse", "gate"},
        {"bit line", "word line"},
    ),
    "channels the other way round": (
        replace(
            ONE_DEVICE, read=replace(ANALYSER, channel=2), gate=replace(GATE, channel=1), pulse=None,
            ratings=Ratings(4.6, 1e-3, None, 4.0),
        ),
        {"select", "read", "sweep", "gate"},
        {"bit line", "word line"},
    ),
    "no gate": (
        replace(ONE_DEVICE, read=METER, gate=None, pulse=METER, ratings=Ratings(4.6, 1e-3, None, None, 1e-2)),
        {"select", "read", "sweep", "pulse"},
        {"bit line"},
    ),
    "a bare source, and a generator behind a bias tee": (
        replace(
            ONE_DEVICE, read=METER, gate=BARE, bias_tee=True, ratings=Ratings(4.6, 1e-4, None, 4.0, 1e-2)
        ),
        {"select", "read", "sweep", "gate", "pulse", "waveform"},
        {"bit line", "word line"},
    ),
    "a board without pulses and vectors": (
        replace(
            BENCH, read=METER, gate=BARE, pulse=None, vectors=None, ratings=Ratings(4.6, 1e-3, None, 4.0)
        ),
        {"select", "read", "sweep", "gate"},
        {"bit line", "word line"},
    ),
    "everything": (
        replace(BENCH, vectors=("Dev1/ao0:3", "Dev1/ai0:7")),
        {"select", "read", "sweep", "gate", "pulse", "waveform", "multiply", "invert"},
        {"bit line", "source line", "word line", "vector"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("bench", "operations", "limited"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_a_bench_does_what_was_asked_and_is_well_on_its_twins(
    bench: NewBench, operations: set[str], limited: set[str], tmp_path: Path
) -> None:
    path = tmp_path / "lab.toml"
    report = check_on_twins(bench, path)
    assert report.ok, report
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
    write_new(path, bench_text(bench))
    written = load_bench_file(str(path)).bench
    assert set(written.operations()) == operations
    assert set(written.limits) == limited
    assert written.instruments.smu.channel == bench.read.channel


def test_a_bare_source_limits_to_no_less_than_it_can(tmp_path: Path) -> None:
    bench, _, _ = COMBINATIONS["a bare source, and a generator behind a bias tee"]
    path = tmp_path / "lab.toml"
    write_new(path, bench_text(bench))  # 100 uA through the cell; a GS210 limits to 1 mA and more
    written = load_bench_file(str(path)).bench
    assert (written.gate_current, written.limits["bit line"].current) == (1e-3, 1e-4)
    assert written.instruments.name_of("gate") == "word_line"


def test_what_a_bench_file_refuses_is_said_of_the_file_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no channel 3") as caught:
        check_on_twins(replace(BENCH, read=replace(ANALYSER, channel=3)), tmp_path / "lab.toml")
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
    found = {
        "read": "keithley2636b:1@GPIB0::26::INSTR", "gate": "keithley2636b:2@GPIB0::26::INSTR",
        "pulse": "keysight33522b@GPIB0::10::INSTR",
    }  # fmt: skip
    assert suggestions(identities) == found
    bare = {"GPIB0::5::INSTR": "YOKOGAWA,GS211,1,2.02"}
    assert suggestions(identities | bare) == found | {"gate": "yokogawags210@GPIB0::5::INSTR"}
    assert suggestions({}) == {}


def test_every_packaged_source_is_known_by_the_model_that_it_expects() -> None:
    for models in SERVING.values():
        for driver, model in models.items():
            assert driver_of(f"maker,{model.load_driver().model},1,2") == driver


def test_a_chip_map_suggests_limits() -> None:
    bears = {"bit_line": 5.0, "source_line": 4.0, "word_line": 4.5, "current": 2e-3}
    assert chip_suggests("reference") == pytest.approx(bears | {"pulse_width": 1e-5})
    assert chip_suggests("device") == pytest.approx(bears | {"pulse_width": 1e-2})


def test_the_library_is_the_vendor_s_where_there_is_one(tmp_path: Path) -> None:
    probes = {"visa_ivi": {"paths": ["x"], "resources": ["A"]}, "visa_py": {"resources": ["B"]}}
    assert found_instruments(machine(tmp_path, probes=probes)) == ("", ["A"])
    probes["visa_ivi"] = {"paths": [], "resources": []}
    assert found_instruments(machine(tmp_path, probes=probes)) == ("@py", ["B"])


def test_nothing_is_listed_while_a_bench_is_in_use(tmp_path: Path) -> None:
    files = {"/proc/net/unix": "0: 2 0 0 2 1 5 @mho-bench/0123/77/0/1\n"}
    with pytest.raises(BenchInUseError, match="not listed meanwhile"):
        found_instruments(machine(tmp_path, files=files, probes={}))
