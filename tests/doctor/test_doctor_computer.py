"""Clock, sleep, display and Python, on machines that are given."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_machine import machine, only, verdicts

from mho.doctor import computer, display, installation


@pytest.mark.parametrize(
    ("system", "programs", "verdict", "words"),
    [
        ("linux", {"timedatectl": "NTP=yes\nNTPSynchronized=yes\n"}, "ok", "set by a server"),
        ("linux", {"timedatectl": "NTP=no\nNTPSynchronized=no\n"}, "note", "not set by a server"),
        ("linux", {"chronyc": "Leap status     : Normal\n"}, "ok", "set by a server"),
        ("linux", {"chronyc": "Leap status     : Not synchronised\n"}, "note", "not set by a server"),
        ("linux", {}, "note", "is not known"),
        ("win32", {"w32tm": "Sprungindikator: 0(keine Warnung)\nStratum: 3 (x)\n"}, "ok", "set by a server"),
        ("win32", {"w32tm": "Leap Indicator: 3(not synchronized)\n"}, "note", "not set by a server"),
        ("darwin", {"systemsetup": "Network Time: Off\n"}, "note", "not set by a server"),
        ("darwin", {"systemsetup": "You need administrator access\n"}, "note", "is not known"),
    ],
)
def test_the_clock(
    system: str, programs: Mapping[str, str], verdict: str, words: str, tmp_path: Path
) -> None:
    first = next(iter(computer.check_clock(machine(tmp_path, system=system, programs=programs))))
    assert first.verdict == verdict
    assert words in first.found


GNOME = {
    "systemctl is-enabled": "static\nstatic\n",
    "gsettings get org.gnome.settings-daemon.plugins.power sleep-inactive-ac-type": "'suspend'\n",
    "gsettings get org.gnome.settings-daemon.plugins.power sleep-inactive-ac-timeout": "900\n",
}
AWAKE = GNOME | {
    "gsettings get org.gnome.settings-daemon.plugins.power sleep-inactive-ac-type": "'nothing'\n"
}
NEVER = GNOME | {"gsettings get org.gnome.settings-daemon.plugins.power sleep-inactive-ac-timeout": "0\n"}
WINDOWS = "Possible: 0x00000001\nMains: 0x00000708\nBattery: 0x00000384\n"


@pytest.mark.parametrize(
    ("system", "programs", "verdict", "advice"),
    [
        ("linux", GNOME, "wrong", "gsettings set"),
        ("linux", AWAKE, "ok", ""),
        ("linux", NEVER, "ok", ""),
        ("linux", GNOME | {"systemctl is-enabled": "masked\nmasked\n"}, "ok", ""),
        ("linux", {}, "note", "see that nothing"),
        ("win32", {"powercfg": WINDOWS}, "wrong", "powercfg /change standby-timeout-ac 0"),
        ("win32", {"powercfg": WINDOWS.replace("708", "000")}, "ok", ""),
        ("win32", {}, "note", "powercfg"),
        (
            "darwin",
            {"pmset": "System-wide:\n sleep                10 (sleep prevented by x)\n"},
            "wrong",
            "pmset -c sleep 0",
        ),
        ("darwin", {"pmset": " disksleep 10\n sleep                0\n"}, "ok", ""),
        ("darwin", {}, "note", "caffeinate"),
    ],
)
def test_a_machine_that_falls_asleep_is_wrong_and_told_how_not_to(
    system: str, programs: Mapping[str, str], verdict: str, advice: str, tmp_path: Path
) -> None:
    found = list(computer.check_sleep(machine(tmp_path, system=system, programs=programs)))
    assert verdicts(found) == {"sleep": verdict}
    assert advice in found[0].advice


@pytest.mark.parametrize(
    ("text", "verdict"), [("IdleAction=suspend\n", "wrong"), ("IdleAction=ignore\n", "ok")]
)
def test_logind_and_its_files_beside(text: str, verdict: str, tmp_path: Path) -> None:
    files = {"/etc/systemd/logind.conf": "#IdleAction=x\n", "/etc/systemd/logind.conf.d/lab.conf": text}
    there = machine(tmp_path, files=files, programs=AWAKE)
    assert verdicts(computer.check_sleep(there))["sleep"] == verdict


def test_a_lid_and_a_battery_are_noted(tmp_path: Path) -> None:
    files = {"/proc/acpi/button/lid/LID0": "", "/sys/class/power_supply/BAT0/status": "Discharging\n"}
    found = verdicts(computer.check_sleep(machine(tmp_path, files=files, programs=AWAKE)))
    assert found == {"sleep": "note", "power": "note"}


def test_threads_are_spoken_of_on_a_busy_machine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    monkeypatch.setattr(psutil, "getloadavg", lambda: (1e3, 0.0, 0.0))
    busy = only(computer.check_computing(machine(tmp_path)), "processor")
    assert "OPENBLAS_NUM_THREADS=1" in busy.advice
    limited = machine(tmp_path, environ={"OMP_NUM_THREADS": "1"})
    assert verdicts(computer.check_computing(limited))["processor"] == "ok"


def test_without_a_load_the_processor_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    def refuse() -> None:
        raise RuntimeError("Performance counters may be disabled")

    monkeypatch.setattr(psutil, "getloadavg", refuse)
    assert verdicts(computer.check_computing(machine(tmp_path)))["processor"] == "ok"


def test_a_container_s_memory_is_told(tmp_path: Path) -> None:
    found = only(
        computer.check_computing(machine(tmp_path, files={"/sys/fs/cgroup/memory.max": "4000000000\n"})),
        "memory",
    )
    assert "at most 4.0 GB" in found.found


LID = "powercfg /query SCHEME_CURRENT SUB_BUTTONS LIDACTION"


@pytest.mark.parametrize(
    ("battery", "action", "verdict"),
    [(False, "1", "note"), (True, "1", "note"), (False, "0", "ok"), (None, "1", "ok")],
)
def test_the_lid_and_the_battery_of_a_windows(
    battery: bool | None, action: str, verdict: str, tmp_path: Path
) -> None:
    programs = {LID: f"AC: 0x0000000{action}\nDC: 0x00000001\n", "powercfg": WINDOWS.replace("708", "000")}
    there = machine(tmp_path, system="win32", programs=programs, battery=lambda: battery)
    found = verdicts(computer.check_sleep(there))
    assert found == {"sleep": verdict} | ({"power": "note"} if battery else {})


@pytest.mark.parametrize(
    ("programs", "verdict", "words"),
    [
        ({"powercfg": "Netzbetrieb: 0x00000001\nAkku: 0x00000000\n"}, "note", "switched off"),
        ({"powercfg": "Netzbetrieb: 0x00000000\nAkku: 0x00000001\n"}, "ok", "stay on"),
        ({"powercfg": "Die Einstellung gibt es nicht.\n"}, "note", "not known"),
        ({}, "note", "not known"),
    ],
)
def test_ports_of_usb_that_windows_switches_off(
    programs: Mapping[str, str], verdict: str, words: str, tmp_path: Path
) -> None:
    (found,) = computer.check_usb_power(machine(tmp_path, system="win32", programs=programs))
    assert found.verdict == verdict
    assert words in found.found
    assert ("powercfg /setacvalueindex" in found.advice) is (verdict == "note")


def values(**values: int | str) -> str:
    lines = (
        f"    {name}    {f'REG_DWORD    {value:#x}' if isinstance(value, int) else f'REG_SZ    {value}'}\r\n"
        for name, value in values.items()
    )
    return "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\X\r\n" + "".join(lines)


SETTINGS, POLICY, RULES, WAITING = (
    f"reg query {key} /reg:64"
    for key in (computer.UPDATES, computer.POLICY, rf"{computer.POLICY}\AU", computer.WAITING)
)
PENDING = {WAITING: "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\X\\Auto Update\\RebootRequired\r\n"}
HOURS = {SETTINGS: values(ActiveHoursStart=6, ActiveHoursEnd=23)}


@pytest.mark.parametrize(
    ("programs", "verdict", "words"),
    [
        ({}, "note", "(8:00 to 17:00)"),
        (HOURS, "note", "(6:00 to 23:00)"),
        (
            HOURS | {POLICY: values(SetActiveHours=1, ActiveHoursStart=7, ActiveHoursEnd=1)},
            "note",
            "(7:00 to 1:00)",
        ),
        (
            HOURS | {POLICY: values(SetActiveHours=0, ActiveHoursStart=7, ActiveHoursEnd=1)},
            "note",
            "(6:00 to 23:00)",
        ),
        (PENDING, "wrong", "waits for a restart"),
        ({SETTINGS: values(PauseUpdatesExpiryTime="2999-01-01T00:00:00Z")}, "ok", "paused until 2999"),
        ({SETTINGS: values(PauseUpdatesExpiryTime="2020-01-01T00:00:00Z")}, "note", "(8:00 to 17:00)"),
        ({SETTINGS: values(PauseUpdatesExpiryTime="soon")}, "note", "(8:00 to 17:00)"),
        (PENDING | {RULES: values(NoAutoUpdate=1)}, "ok", "without being asked"),
        ({RULES: values(NoAutoUpdate=0)}, "note", "(8:00"),
        ({RULES: values(AUOptions=3)}, "ok", "without being asked"),
        ({RULES: values(AUOptions=4)}, "note", "(8:00"),
        ({RULES: values(AUOptions=4, NoAutoRebootWithLoggedOnUsers=1)}, "ok", "while somebody is logged in"),
        ({RULES: values(NoAutoRebootWithLoggedOnUsers=1)}, "note", "(8:00"),
    ],
)
def test_whether_windows_restarts_for_an_update(
    programs: Mapping[str, str], verdict: str, words: str, tmp_path: Path
) -> None:
    (found,) = computer.check_updates(machine(tmp_path, system="win32", programs=programs))
    assert found.verdict == verdict
    assert words in found.found


@pytest.mark.parametrize(("encoding", "verdict"), [("utf-8", "ok"), ("cp1252", "note"), ("cp65001x", "note")])
def test_the_console_of_windows(encoding: str, verdict: str, tmp_path: Path) -> None:
    there = machine(
        tmp_path, system="win32", encoding=encoding, programs={"chcp": "Aktive Codepage: 850.\r\n"}
    )
    (found,) = display.check_console(there)
    assert (found.verdict, encoding in found.found) == (verdict, True)
    assert found.found.startswith("code page 850; ")
    assert ("PYTHONUTF8" in found.advice) is (verdict == "note")


QT = {"version": "6.11.3", "trouble": "", "offscreen": ""}


@pytest.mark.parametrize(
    ("answer", "facts", "verdict", "words"),
    [
        (QT, {"environ": {"DISPLAY": ":0"}}, "ok", "DISPLAY=:0"),
        (QT, {}, "note", "no display"),
        (QT, {"system": "win32"}, "ok", "the desktop"),
        (
            QT | {"trouble": "libxcb-cursor.so.0 missing; apt install libxcb-cursor0"},
            {"environ": {"DISPLAY": ":0"}},
            "wrong",
            "libxcb-cursor0",
        ),
        (
            QT | {"trouble": "libEGL.so.1 missing", "offscreen": "libEGL.so.1: cannot open"},
            {},
            "note",
            "libEGL.so.1 missing",
        ),
    ],
)
def test_the_window(answer: Any, facts: Any, verdict: str, words: str, tmp_path: Path) -> None:
    (found,) = display.check_display(machine(tmp_path, probes={"qt": answer}, **facts))
    assert found.verdict == verdict
    assert words in found.found


installed = pytest.mark.skipif(
    not installation.mho_version(), reason="mho runs from a folder here, and is not installed"
)


@installed
def test_the_python_and_the_packages_of_the_tests_are_those_that_mho_asks_for(tmp_path: Path) -> None:
    there = machine(tmp_path)
    assert verdicts(installation.check_python(there))["Python"] == "ok"
    found = list(installation.check_packages(there))
    assert {one.verdict for one in found} == {"ok"}
    assert "numpy 2" in only(found, "packages").found
    assert "optimise" in only(found, "extras").found.split(", ")


@installed
def test_a_package_that_is_missing_or_too_old_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, here = installation._version, {"numpy": "1.26.4", "pint": ""}
    monkeypatch.setattr(installation, "_version", lambda name: here.get(name, version(name)))
    wrong = [one for one in installation.check_packages(machine(tmp_path)) if one.verdict == "wrong"]
    assert [one.found for one in wrong] == [
        "numpy 1.26.4, mho asks for >=2.0",
        "pint is missing, mho asks for >=0.24",
    ]
    assert '-m pip install "numpy>=2.0"' in wrong[0].advice


@installed
def test_an_old_python_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version", lambda: "3.9.18")
    (found,) = installation.check_python(machine(tmp_path))
    assert found.verdict == "wrong"
    assert ">=3.11" in found.advice


def test_an_mho_that_is_not_installed_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_version", lambda name: "")
    (found,) = installation.check_mho(machine(tmp_path))
    assert found.verdict == "note"
    assert "pip install -e" in found.advice
    assert verdicts(installation.check_packages(machine(tmp_path))) == {"packages": "note"}
    monkeypatch.delattr("importlib.metadata.metadata")  # there is none
    assert verdicts(installation.check_python(machine(tmp_path))) == {"Python": "ok"}


@installed
def test_another_mho_on_the_path_is_noted(tmp_path: Path) -> None:
    other = tmp_path / "bin" / ("mho.exe" if sys.platform == "win32" else "mho")
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    found = list(installation.check_mho(machine(tmp_path, environ={"PATH": str(other.parent)})))
    assert "of another environment" in found[-1].found
    assert (
        "of another environment"
        not in list(installation.check_mho(machine(tmp_path, environ={"PATH": ""})))[-1].found
    )
