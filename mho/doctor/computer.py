"""Findings on the computer: whether its clock is right, whether it falls asleep, what it computes with."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from mho.doctor.findings import Ending, Finding
from mho.doctor.machine import Machine

COARSE = 0.002  # s, of the clock that waits are measured with
LIMITS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
LITTLE_MEMORY = 2e9  # bytes

NTP = "`sudo timedatectl set-ntp true`, or install chrony"
INHIBIT = "for one measurement: `systemd-inhibit --what=sleep:idle mho runner …`"


def check_clock(machine: Machine) -> Iterator[Finding]:
    """Find whether the clock is set by a server, the time zone, and how fine waits can be measured."""
    say = Ending("clock")
    zone = time.strftime("%Z (UTC%z)")
    state = {"linux": _linux_clock, "win32": _windows_clock}.get(machine.system, _mac_clock)(machine)
    if state is None:
        yield say.note(
            f"{zone}; whether it is set by a server is not known", "the times in run files are this clock's"
        )
    elif state:
        yield say.ok(f"{zone}; set by a server")
    else:
        advice = {
            "linux": NTP,
            "win32": "`w32tm /resync` as administrator; Settings, Time: set automatically",
        }
        yield say.note(
            f"{zone}; not set by a server: times in run files drift by seconds a day",
            advice.get(machine.system, "`sudo systemsetup -setusingnetworktime on`"),
        )
    step = time.get_clock_info("monotonic").resolution
    if step > COARSE:
        yield say.note(
            f"waits are measured in steps of {1e3 * step:.3g} ms", "Python 3.13 or newer has a finer clock"
        )
    else:
        yield say.ok(f"waits are measured in steps of {1e9 * step:.3g} ns")


def _linux_clock(machine: Machine) -> bool | None:
    """Return whether a server sets the clock; None where nothing tells it."""
    shown = machine.program("timedatectl", "show") or ""
    if found := re.search(r"^NTPSynchronized=(\w+)", shown, re.MULTILINE):
        return found[1] == "yes"
    tracking = machine.program("chronyc", "tracking") or ""
    if found := re.search(r"^Leap status\s*:\s*(.*)", tracking, re.MULTILINE):
        return found[1].strip() != "Not synchronised"
    return None


def _windows_clock(machine: Machine) -> bool | None:
    # In the system's language: the leap indicator is the first number, 3 without a server (RFC 5905, figure 9)
    found = re.search(r":\s*(\d)\(", machine.program("w32tm", "/query", "/status") or "")
    return None if found is None else found[1] != "3"


def _mac_clock(machine: Machine) -> bool | None:
    shown = machine.program("systemsetup", "-getusingnetworktime") or ""
    found = re.search(r"Network Time: (On|Off)", shown)
    return None if found is None else found[1] == "On"


def check_sleep(machine: Machine) -> Iterator[Finding]:
    """Find whether the machine falls asleep by itself, which would stop a measurement of a week in its first night."""
    match machine.system:
        case "linux":
            yield from _linux_sleep(machine)
        case "win32":
            yield from _windows_sleep(machine)
        case "darwin":
            yield from _mac_sleep(machine)
    say = Ending("power")
    if machine.battery() or any("Discharging" in machine.text(f"/sys/class/power_supply/{one.parent.name}/status")
            for one in machine.paths("/sys/class/power_supply/BAT*/status")):  # fmt: skip
        yield say.note("on battery", "plug it in: on battery a machine sleeps earlier, and then stops")


def _linux_sleep(machine: Machine) -> Iterator[Finding]:
    say = Ending("sleep")
    state = machine.program("systemctl", "is-enabled", "sleep.target", "suspend.target")
    if (state or "").split() == ["masked", "masked"]:
        yield say.ok("switched off (sleep.target is masked)")
        return
    schema, keys = (
        "org.gnome.settings-daemon.plugins.power",
        ("sleep-inactive-ac-type", "sleep-inactive-ac-timeout"),
    )
    kind, seconds = ((machine.program("gsettings", "get", schema, key) or "").strip(" '\n") for key in keys)
    after = int(seconds) if seconds.isdecimal() else 0
    asleep = False
    if kind and kind != "nothing" and after > 0:
        asleep = True
        yield say.wrong(
            f"the desktop sends the machine to sleep ({kind}) after {after / 60:g} min without a key",
            f"`gsettings set {schema} {keys[0]} nothing`; {INHIBIT}",
        )
    configured = [
        machine.path("/etc/systemd/logind.conf"),
        *machine.paths("/etc/systemd/logind.conf.d/*.conf"),
    ]
    text = "\n".join(machine.text(str(one.relative_to(machine.root))) for one in configured)
    actions = re.findall(r"^IdleAction=(\S+)", text, re.MULTILINE)
    if actions and actions[-1] not in ("ignore", "lock"):
        asleep = True
        yield say.wrong(
            f"logind sends the machine to sleep when it is idle (IdleAction={actions[-1]})",
            f"write IdleAction=ignore into /etc/systemd/logind.conf; {INHIBIT}",
        )
    if machine.paths("/proc/acpi/button/lid/*") and "HandleLidSwitch=ignore" not in text:
        yield say.note("a closed lid sends the machine to sleep", f"leave it open; {INHIBIT}")
    if not asleep:
        never = "nothing is set that sends it to sleep by itself"
        if not state and not kind:
            yield say.note(
                "not known: neither systemd nor GNOME answers", "see that nothing sends the machine to sleep"
            )
        else:
            yield say.ok(never)


USB_POWER = ("2a737441-1930-4402-8d77-b2bebba308a3", "48e6b7a6-50f5-4782-a5d4-53bb8f07e226")
"""Windows' group of settings of USB, and its selective suspend (powercfg has no short names for them)."""


def _power_setting(machine: Machine, group: str, setting: str) -> int | None:
    """Return a setting of Windows' power plan on mains; None where it does not tell it."""
    shown = machine.program("powercfg", "/query", "SCHEME_CURRENT", group, setting) or ""
    # In the system's language, but the last two numbers are the settings, on mains and on battery
    numbers = re.findall(r"0x([0-9a-fA-F]{8})", shown)
    return int(numbers[-2], 16) if len(numbers) >= 2 else None


def _set_power(group: str, setting: str) -> str:
    return f"`powercfg /setacvalueindex SCHEME_CURRENT {group} {setting} 0`, `powercfg /setactive SCHEME_CURRENT`"


def _windows_sleep(machine: Machine) -> Iterator[Finding]:
    say = Ending("sleep")
    for what, setting, change in (
        ("to sleep", "STANDBYIDLE", "standby-timeout-ac"), ("into hibernation", "HIBERNATEIDLE", "hibernate-timeout-ac"),
    ):  # fmt: skip
        after = _power_setting(machine, "SUB_SLEEP", setting)  # s
        if after is None:
            yield say.note(f"whether it goes {what} is not known", f"`powercfg /change {change} 0`")
        elif after:
            yield say.wrong(
                f"it goes {what} after {after / 60:g} min without a key", f"`powercfg /change {change} 0`"
            )
        else:
            yield say.ok(f"it does not go {what} on mains")
    lid = ("SUB_BUTTONS", "LIDACTION")
    if machine.battery() is not None and _power_setting(
        machine, *lid
    ):  # a computer without a battery has no lid
        advice = f"leave it open, or {_set_power(*lid)}"
        yield say.note("a closed lid sends it to sleep, in the middle of a run too", advice)


def check_usb_power(machine: Machine) -> Iterator[Finding]:
    """Find whether Windows switches idle USB ports off: an instrument that waits for its next read may not survive it."""
    say = Ending("USB power")
    match _power_setting(machine, *USB_POWER):
        case None:
            yield say.note("whether idle USB ports are switched off is not known", _set_power(*USB_POWER))
        case 0:
            yield say.ok("idle USB ports stay on, on mains")
        case _:
            yield say.note("idle USB ports are switched off (selective suspend)", _set_power(*USB_POWER))


UPDATES = r"HKLM\SOFTWARE\Microsoft\WindowsUpdate\UX\Settings"
POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate"
WAITING = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update"
ACTIVE_HOURS = (8, 17)  # of a Windows that was not told others
ASKS_FIRST = (2, 3)  # AUOptions: tell before loading, or before installing
RESTARTS_ALONE = 4  # AUOptions: installs at a fixed time


def check_updates(machine: Machine) -> Iterator[Finding]:
    """Find whether Windows may restart for an update in the middle of a run, which no program can forbid."""
    say = Ending("updates")
    settings, policy = machine.registry(UPDATES), machine.registry(POLICY)
    automatic = machine.registry(rf"{POLICY}\AU")
    options = automatic.get("AUOptions")
    stays = automatic.get("NoAutoRebootWithLoggedOnUsers") == 1 and options == RESTARTS_ALONE
    if automatic.get("NoAutoUpdate") == 1 or options in ASKS_FIRST:
        yield say.ok("no restart without being asked for, by a policy of this computer")
        return
    if "RebootRequired" in machine.registry(WAITING):
        yield say.wrong(
            "an update waits for a restart", "restart the computer before a measurement that lasts"
        )
        return
    if stays:
        yield say.ok("no restart while somebody is logged in, by a policy of this computer")
        return
    until = str(settings.get("PauseUpdatesExpiryTime", ""))
    with suppress(ValueError, TypeError):  # not set, or without a time zone
        if datetime.fromisoformat(until) > datetime.now(UTC):
            yield say.ok(f"paused until {until}")
            return
    hours = policy if policy.get("SetActiveHours") == 1 else settings
    begin, end = (
        hours.get(f"ActiveHours{name}", hour)
        for name, hour in zip(("Start", "End"), ACTIVE_HOURS, strict=True)
    )
    yield say.note(
        f"Windows may restart for an update outside its active hours ({begin}:00 to {end}:00), in the middle of a run too",
        "Settings, Windows Update: pause updates for as long as a measurement lasts",
    )


def _mac_sleep(machine: Machine) -> Iterator[Finding]:
    say = Ending("sleep")
    shown = machine.program("pmset", "-g") or ""
    found = re.search(r"^\s*sleep\s+(\d+)", shown, re.MULTILINE)
    if found is None:
        yield say.note("not known", "`caffeinate -i mho runner …` keeps it awake for one measurement")
    elif int(found[1]):
        advice = "`sudo pmset -c sleep 0`; for one measurement: `caffeinate -i mho runner …`"
        yield say.wrong(f"it goes to sleep after {found[1]} min without a key", advice)
    else:
        yield say.ok("it does not go to sleep")


def check_computing(machine: Machine) -> Iterator[Finding]:
    """Find processors, memory, and how many threads linear algebra takes of them."""
    import numpy as np
    import psutil

    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    load = 0.0
    with suppress(OSError, RuntimeError):  # Windows' counters may be switched off
        load = psutil.getloadavg()[0]
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"].get("name", "not known")
    limits = [f"{name}={machine.environ[name]}" for name in LIMITS if machine.environ.get(name)]
    say = Ending("processor")
    what = f"{usable} of {cores} cores, load {load:.1f}; BLAS {blas}, {', '.join(limits) or 'as many threads as cores'}"
    if load > usable and not limits:
        advice = "it is busy: `OPENBLAS_NUM_THREADS=1` keeps threads from waiting for each other"
        yield say.note(what, advice)
    else:
        yield say.ok(what)
    memory = psutil.virtual_memory()
    say = Ending("memory")
    what = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"
    most = machine.text("/sys/fs/cgroup/memory.max")
    if most.isdecimal():
        what += f", at most {int(most) / 1e9:.1f} GB for this container"
    if memory.available < LITTLE_MEMORY:
        yield say.note(what, "end other programs before a large array or the window")
    else:
        yield say.ok(what)
