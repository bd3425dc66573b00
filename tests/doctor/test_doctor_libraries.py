"""Vendors' DLLs on Windows: read from their headers, never loaded."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from fake_machine import machine, only, verdicts
from hypothesis import given
from hypothesis import strategies as st
from windows_libraries import dll, install

from mho.doctor import libraries
from mho.doctor.libraries import Library, library_of, read_library

KEYSIGHT, NI = "Keysight Technologies", "National Instruments"
BUILT = dll("64 bits", "20.1.26913.0", KEYSIGHT)


@pytest.mark.parametrize("processor", ["32 bits", "64 bits", "64 bits of ARM"])
@pytest.mark.parametrize(
    ("version", "company"), [("3.0.1.2", "Ag & Söhne"), ("65535.1.0.9", ""), ("", NI), ("", "")]
)
def test_a_dll_tells_its_processor_version_and_maker(processor: str, version: str, company: str) -> None:
    assert library_of(dll(processor, version, company)) == Library(processor, version, company)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: BUILT[:0x80] + b"NE" + tail))
def test_what_is_no_dll_is_refused_in_a_sentence_and_nothing_else_is_raised(data: bytes) -> None:
    with pytest.raises(ValueError, match="it is no library of Windows"):
        library_of(data)


@given(st.integers(0, len(BUILT) - 1), st.integers(0, 255), st.integers(0x90, len(BUILT)))
def test_a_damaged_dll_keeps_what_can_be_read(place: int, byte: int, length: int) -> None:
    data = bytearray(BUILT)
    data[place] = byte
    try:
        found = library_of(bytes(data[:length]))
    except ValueError:
        assert place < 0x84  # where its header is, and how that begins
    else:
        assert found.processor == "64 bits" or 0x84 <= place < 0x86 or place in range(0x3C, 0x40)


def test_a_dll_for_another_processor_is_told_by_its_number() -> None:
    data = bytearray(BUILT)
    data[0x84:0x86] = b"\x00\x02"
    assert library_of(bytes(data)).processor == "a processor of number 0x0200"


def test_what_is_not_there_or_empty_is_no_library(tmp_path: Path) -> None:
    (tmp_path / "empty.dll").touch()
    (tmp_path / "text.dll").write_text("no library", "utf-8")
    for name in ("empty.dll", "text.dll", "missing.dll", "."):
        assert read_library(tmp_path / name) is None


@pytest.mark.skipif(sys.platform != "win32", reason="reads this Windows' own libraries")
def test_a_dll_of_windows_itself_is_read() -> None:
    found = read_library(Path(os.environ["SYSTEMROOT"], "System32", "kernel32.dll"))
    assert found is not None
    assert found.processor.startswith("64 bits")
    assert found.version.count(".") == 3


def test_the_library_of_the_wgfmu_is_found_beside_that_of_32_bits(tmp_path: Path) -> None:
    there = install(
        tmp_path,
        ("SysWOW64/wgfmu.dll", "32 bits", "3.0.0.0", KEYSIGHT),
        ("System32/wgfmu.dll", "64 bits", "3.0.1.0", KEYSIGHT),
    )
    (found,) = libraries.check_wgfmu(machine(tmp_path, system="win32", environ=there))
    assert (found.verdict, found.found) == ("ok", f"wgfmu.dll 3.0.1.0 of {KEYSIGHT}, 64 bits")


@pytest.mark.parametrize(
    ("python", "place", "processor", "verdict"),
    [
        ("win-amd64", "SysWOW64", "32 bits", "wrong"),
        ("win-amd64", "System32", "32 bits", "wrong"),  # copied there by hand
        ("win-arm64", "System32", "64 bits", "wrong"),
        ("win-arm64", "System32", "64 bits of ARM", "ok"),
        ("win32", "SysWOW64", "32 bits", "ok"),
    ],
)
def test_a_library_that_this_python_cannot_load_is_wrong(
    python: str, place: str, processor: str, verdict: str, tmp_path: Path
) -> None:
    there = install(tmp_path, (f"{place}/wgfmu.dll", processor, "2.1.0.0", ""))
    (found,) = libraries.check_wgfmu(machine(tmp_path, system="win32", python=python, environ=there))
    assert found.verdict == verdict
    assert f"wgfmu.dll 2.1.0.0, {processor}" in found.found
    if verdict == "wrong":
        assert f"in {place}: a Python of {libraries.OF_PYTHON[python]} cannot load it" in found.found
        assert "A.03.00 or newer" in found.advice


def test_without_a_vendor_s_library_it_says_who_needs_it(tmp_path: Path) -> None:
    there = machine(tmp_path, system="win32", environ=install(tmp_path))
    (found,) = libraries.check_wgfmu(there)
    assert (found.verdict, found.found) == ("ok", "no wgfmu.dll; only a B1530A needs it")
    (found,) = libraries.check_visa(there)
    assert '"@py"' in found.found


NI_VISA = [
    ("System32/visa64.dll", "64 bits", "5.20.0.0", NI),
    ("System32/nivisa64.dll", "64 bits", "23.5.0.1", NI),
]
IO_LIBRARIES = [
    ("System32/ktvisa32.dll", "64 bits", "18.3.1.0", KEYSIGHT),
    ("System32/agvisa32.dll", "64 bits", "18.3.1.0", KEYSIGHT),
]


def test_of_one_vendor_s_visa_it_is_said_that_it_is_the_primary_one(tmp_path: Path) -> None:
    found = list(libraries.check_visa(machine(tmp_path, system="win32", environ=install(tmp_path, *NI_VISA))))
    assert set(verdicts(found).values()) == {"ok"}
    assert only(found, "primary VISA").found == NI


@pytest.mark.parametrize(
    ("shared", "words"),
    [(NI, f"{NI}; installed"), ("IVI Foundation, Inc.", "said above, under VISA library")],
)
def test_of_two_vendors_the_primary_one_is_told_and_how_to_take_the_other(
    shared: str, words: str, tmp_path: Path
) -> None:
    there = install(tmp_path, *NI_VISA, *IO_LIBRARIES, ("System32/visa64.dll", "64 bits", "7.2.0.0", shared))
    found = only(libraries.check_visa(machine(tmp_path, system="win32", environ=there)), "primary VISA")
    assert found.verdict == "note"
    assert words in found.found
    assert "NI-VISA, Keysight IO Libraries." in found.found
    assert "ktvisa32.dll" in found.advice


def test_a_visa_of_32_bits_alone_is_wrong(tmp_path: Path) -> None:
    there = install(tmp_path, ("SysWOW64/visa32.dll", "32 bits", "5.20.0.0", NI))
    found = list(libraries.check_visa(machine(tmp_path, system="win32", environ=there)))
    assert verdicts(found) == {"VISA DLLs": "wrong"}
