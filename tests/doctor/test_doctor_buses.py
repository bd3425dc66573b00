"""What instruments are reached by, on machines that are given."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_machine import machine, only, verdicts
from windows_libraries import install

from mho.doctor import buses

IVI = {
    "paths": ["/usr/lib/libvisa.so"],
    "vendor": "National Instruments",
    "version": "21.0.0",
    "resources": ["GPIB0::4::INSTR"],
    "troubles": [],
}
PY = {
    "version": "0.8.1",
    "usable": ["TCPIP INSTR", "USB INSTR", "ASRL INSTR"],
    "unusable": {},
    "resources": [],
    "troubles": [],
}
KEITHLEY = {
    "idVendor": "05e6",
    "idProduct": "2450",
    "manufacturer": "Keithley Instruments",
    "product": "Model 2450",
    "serial": "04412345",
    "busnum": "1",
    "devnum": "7",
}


colons = pytest.mark.skipif(sys.platform == "win32", reason="Linux names interfaces of USB with a colon")


def usb(numbers: dict[str, str], kind: tuple[str, str] = ("fe", "03")) -> dict[str, str]:
    place = "/sys/bus/usb/devices/1-2"
    files = {f"{place}/{name}": f"{text}\n" for name, text in numbers.items()}
    return files | {
        f"{place}/1-2:1.0/bInterfaceClass": kind[0],
        f"{place}/1-2:1.0/bInterfaceSubClass": kind[1],
        "/dev/bus/usb/001/007": "",
    }


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """This user may open no node; root, as whom tests may run, always may."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)


def test_without_a_vendor_s_library_it_says_what_there_is_instead(tmp_path: Path) -> None:
    found = only(
        buses.check_visa_library(machine(tmp_path, probes={"visa_ivi": IVI | {"paths": []}})), "VISA library"
    )
    assert found.verdict == "note"
    assert 'visa = "@py"' in found.advice


def test_the_library_and_what_it_finds_are_named(tmp_path: Path) -> None:
    there = machine(tmp_path, probes={"visa_ivi": IVI | {"troubles": ["PXI: no driver"]}})
    found = list(buses.check_visa_library(there))
    assert [(one.verdict, one.found) for one in found] == [
        ("ok", "National Instruments 21.0.0, /usr/lib/libvisa.so"),
        ("note", "PXI: no driver"),
        ("ok", "GPIB0::4::INSTR"),
    ]


def test_a_library_chosen_by_the_environment_is_noted(tmp_path: Path) -> None:
    there = machine(tmp_path, probes={"visa_ivi": IVI}, environ={"PYVISA_LIBRARY": "@mho"})
    assert "PYVISA_LIBRARY=@mho" in next(iter(buses.check_visa_library(there))).found


@pytest.mark.parametrize("check", [buses.check_visa_library, buses.check_visa_py])
def test_nothing_is_listed_while_a_bench_is_in_use(check: Any, tmp_path: Path) -> None:
    """Listing addresses every place on a GPIB bus."""
    files = {"/proc/net/unix": "0: 2 0 0 2 1 5 @mho-bench/0123/77/0/1\n"}
    (found,) = check(machine(tmp_path, files=files, probes={}))
    assert found.verdict == "note"
    assert "not listed meanwhile" in found.found


@pytest.mark.parametrize(
    ("unusable", "verdict"),
    [({"USB INSTR": "no usb", "VICP INSTR": "no"}, "note"), ({"VICP INSTR": "no"}, "ok")],
)
def test_what_pyvisa_py_lacks_is_said(unusable: dict[str, str], verdict: str, tmp_path: Path) -> None:
    there = machine(tmp_path, probes={"visa_py": PY | {"unusable": unusable}})
    found = only(buses.check_visa_py(there), "PyVISA-py")
    assert found.verdict == verdict
    assert ('-m pip install "pyvisa-py[serial,usb]"' in found.advice) is (verdict == "note")


def test_a_missing_libusb_is_said(tmp_path: Path) -> None:
    there = machine(tmp_path, probes={"visa_py": PY | {"troubles": ["USB: No backend available"]}})
    assert "libusb" in next(one for one in buses.check_visa_py(there) if one.verdict == "note").advice


@colons
def test_an_instrument_on_usb_is_found(tmp_path: Path) -> None:
    (found,) = buses.check_usb(machine(tmp_path, files=usb(KEITHLEY)))
    assert found.verdict == "ok"
    assert found.found == "05e6:2450 Keithley Instruments Model 2450 (USBTMC), serial 04412345"
    assert found.private == ("04412345",)


@colons
@pytest.mark.parametrize(
    ("vendor", "kind", "there"),
    [("05e6", ("ff", "00"), True), ("1234", ("fe", "03"), True), ("1234", ("03", "01"), False)],
)
def test_what_is_an_instrument(vendor: str, kind: tuple[str, str], there: bool, tmp_path: Path) -> None:
    found = buses.usb_instruments(machine(tmp_path, files=usb(KEITHLEY | {"idVendor": vendor}, kind)))
    assert bool(found) is there


@colons
@pytest.mark.parametrize(("groups", "group"), [("plugdev:x:46:\n", "plugdev"), ("wheel:x:10:\n", "users")])
@pytest.mark.usefixtures("closed")
def test_a_node_that_may_not_be_opened_gets_its_udev_rule(groups: str, group: str, tmp_path: Path) -> None:
    found = only(buses.check_usb(machine(tmp_path, files=usb(KEITHLEY) | {"/etc/group": groups})), "USB")
    assert found.verdict == "wrong"
    assert "001/007 may not be opened" in found.found
    assert f'ATTR{{idVendor}}=="05e6", MODE="0660", GROUP="{group}"' in found.advice


def test_usb_of_windows_and_of_macos(tmp_path: Path) -> None:
    listing = "Instanz-ID:  USB\\VID_05E6&PID_2450\\04412345\nInstanz-ID:  USB\\VID_8087&PID_0026\\5&1A2B\n"
    there = machine(tmp_path, system="win32", programs={"pnputil": listing})
    assert [str(one) for one in buses.usb_instruments(there)] == ["05e6:2450 Keithley, serial 04412345"]
    listing = (
        '+-o Root\n  +-o Model 2450@14100000  <class IOUSBHostDevice>\n    "idProduct" = 9296\n    "idVendor" = 1510\n'
        '    "USB Serial Number" = "04412345"\n  +-o Keyboard@1\n    "idVendor" = 1452\n    "idProduct" = 1\n'
    )
    there = machine(tmp_path, system="darwin", programs={"ioreg": listing})
    assert [str(one) for one in buses.usb_instruments(there)] == [
        "05e6:2450 Keithley Model 2450, serial 04412345"
    ]


def test_serial_ports_that_may_be_opened(tmp_path: Path) -> None:
    (found,) = buses.check_serial(machine(tmp_path, files={"/dev/ttyUSB0": "", "/dev/ttyACM1": ""}))
    assert (found.verdict, found.found) == ("ok", "ttyUSB0, ttyACM1")


@pytest.mark.usefixtures("closed")
def test_a_serial_port_that_may_not_be_opened_names_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "group", lambda _: "uucp")
    there = machine(tmp_path, files={"/dev/ttyUSB0": ""}, programs={"systemctl is-active": "active\n"})
    first, second = buses.check_serial(there)
    assert first.verdict == "wrong"
    assert "usermod -aG uucp" in first.advice
    assert second.verdict == "note"
    assert "ModemManager" in second.found


SERIALCOMM = (
    "\r\nHKEY_LOCAL_MACHINE\\HARDWARE\\DEVICEMAP\\SERIALCOMM\r\n"
    "    \\Device\\VCP0    REG_SZ    COM3\r\n    \\Device\\Serial 0    REG_SZ    COM11\r\n\r\n"
)


def test_serial_ports_of_windows_and_what_is_at_each(tmp_path: Path) -> None:
    port = {
        "port": "COM3",
        "description": "USB Serial Port",
        "vendor": "0403",
        "product": "6001",
        "serial": "A1B2",
    }
    there = machine(
        tmp_path,
        system="win32",
        programs={r"reg query HKLM\HARDWARE\DEVICEMAP\SERIALCOMM /reg:64": SERIALCOMM},
        probes={"serial_ports": [port]},
    )
    (found,) = buses.check_serial(there)
    assert (found.verdict, found.found) == ("ok", "COM3 (USB Serial Port, 0403:6001, serial A1B2); COM11")
    assert found.private == ("A1B2",)


@pytest.mark.parametrize(("listing", "words"), [(SERIALCOMM, "COM3; COM11"), ("", "none")])
def test_without_pyserial_the_ports_of_windows_have_no_description(
    listing: str, words: str, tmp_path: Path
) -> None:
    there = machine(tmp_path, system="win32", programs={"reg query": listing}, probes={"serial_ports": None})
    (found,) = buses.check_serial(there)
    assert (found.verdict, found.found) == ("note", words)
    assert "pyserial" in found.advice


def test_drivers_of_windows_are_named_with_their_version(tmp_path: Path) -> None:
    ni = "National Instruments"
    there = install(
        tmp_path,
        ("System32/ni4882.dll", "64 bits", "23.5.0.1", ni),
        ("SysWOW64/nicaiu.dll", "32 bits", "9.3.0.0", ni),
    )
    facts = {"system": "win32", "environ": there, "probes": {"daqmx": {"version": "9.3", "devices": []}}}
    assert [one.found for one in buses.check_gpib(machine(tmp_path, **facts))] == [
        f"ni4882.dll 23.5.0.1 of {ni}, 64 bits"
    ]
    found = list(buses.check_daqmx(machine(tmp_path, **facts)))
    assert [one.verdict for one in found] == ["wrong", "note"]
    assert "of 64 bits" in found[0].advice
    there = install(tmp_path / "bare")
    (found,) = buses.check_daqmx(
        machine(tmp_path, system="win32", environ=there, probes={})
    )  # nothing is asked
    assert found.found.startswith("no nicaiu.dll")


def test_gpib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one.found for one in buses.check_gpib(machine(tmp_path))] == ["no board"]
    there = machine(tmp_path, files={"/dev/gpib0": ""})
    assert verdicts(buses.check_gpib(there)) == {"GPIB": "note"}  # without its library
    there = machine(
        tmp_path, programs={"ldconfig -p": "\tlibgpib.so.0 (libc6,x86-64) => /usr/lib/libgpib.so.0\n"}
    )
    assert [(one.verdict, one.found) for one in buses.check_gpib(there)] == [("ok", "gpib0")]
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert verdicts(buses.check_gpib(there)) == {"GPIB": "wrong"}


DEVICES = [
    {"name": "Dev1", "type": "PXIe-6363", "serial": "1F2E3D"},
    {"name": "Sim1", "type": "PXIe-6571", "serial": ""},
]


@pytest.mark.parametrize(
    ("version", "devices", "verdict", "words"),
    [
        ("", [], "ok", "no driver"),
        ("23.5.0", [], "note", "23.5.0; no device"),
        ("23.5.0", DEVICES, "ok", "23.5.0; Dev1 PXIe-6363, serial 1F2E3D; Sim1 PXIe-6571"),
    ],
)
def test_daqmx(version: str, devices: Any, verdict: str, words: str, tmp_path: Path) -> None:
    (found,) = buses.check_daqmx(
        machine(tmp_path, probes={"daqmx": {"version": version, "devices": devices}})
    )
    assert found.verdict == verdict
    assert words in found.found


@pytest.mark.parametrize("probe", ["visa_ivi", "visa_py", "daqmx"])
def test_this_machine_s_own_libraries_answer(probe: str) -> None:
    from mho.doctor.machine import run_probe

    assert {"resources", "devices"} & set(run_probe(probe))


def test_this_machine_s_own_serial_ports_are_listed() -> None:
    from mho.doctor.machine import run_probe

    assert all(one["port"] for one in run_probe("serial_ports") or ())
