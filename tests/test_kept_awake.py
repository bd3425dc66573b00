"""The computer is asked to stay awake, by each system's own means; a refusal ends nothing."""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mho import platforms

PATIENCE = 60.0  # s
linux = pytest.mark.skipif(sys.platform != "linux", reason="logind is of Linux")


@linux
def test_logind_keeps_the_computer_awake_as_long_as_the_block_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from system_bus import SystemBus

    bus = SystemBus(tmp_path / "bus")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    monkeypatch.setattr("mho.platforms.posix.AWAKE_WITHIN", PATIENCE)
    with platforms.here.kept_awake("a run of Söhne") as refusal:
        assert refusal == ""
        assert not bus.ended.is_set()
    assert bus.ended.wait(PATIENCE)
    for words in (
        "org.freedesktop.login1",
        "Inhibit",
        "shutdown:sleep:idle",
        "mho",
        "a run of Söhne",
        "block",
    ):
        assert words.encode() + b"\0" in bus.heard
    with pytest.raises(ZeroDivisionError), platforms.here.kept_awake(""):  # the bus is gone
        raise ZeroDivisionError


@linux
@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("org.freedesktop.DBus.Error.AccessDenied", "logind refuses"),
        ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "logind refuses"),
        ("org.freedesktop.DBus.Error.ServiceUnknown", ""),
    ],
)
def test_a_refusal_is_told_and_a_system_without_logind_is_not_spoken_of(
    error: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from system_bus import SystemBus

    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", SystemBus(tmp_path / "bus", error).address)
    monkeypatch.setattr("mho.platforms.posix.AWAKE_WITHIN", PATIENCE)
    with platforms.here.kept_awake("a run") as refusal:
        assert refusal == words


@linux
@pytest.mark.parametrize("address", ["", "unix:path=/nowhere/bus", "tcp:host=localhost"])
def test_without_a_system_bus_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    with platforms.here.kept_awake("a run") as refusal:
        assert refusal == ""


@pytest.mark.skipif(sys.platform != "win32", reason="a call of Windows")
def test_windows_keeps_awake_and_takes_it_back() -> None:
    with platforms.here.kept_awake("outer") as outer, platforms.here.kept_awake("inner") as inner:
        assert (outer, inner) == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="macOS is a POSIX system")
@pytest.mark.parametrize(("code", "refusal"), [(0, ""), (0xE00002C2, "macOS refuses (0xe00002c2)")])
def test_macos_is_asked_by_its_own_library(code: int, refusal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not run on macOS: what is called there, with which words."""
    from mho.platforms.posix import MacOS

    calls: list[tuple[Any, ...]] = []

    def library(path: str) -> Any:
        def text(_: Any, words: bytes, encoding: int) -> int:
            calls.append(("text", words, encoding))
            return len(calls)

        def create(*arguments: Any) -> int:
            calls.append(
                ("create", *(one.value for one in arguments[::2] if hasattr(one, "value")), arguments[1])
            )
            return code

        return SimpleNamespace(
            CFStringCreateWithCString=text, IOPMAssertionCreateWithName=create,
            IOPMAssertionRelease=lambda number: calls.append(("release",)),
        )  # fmt: skip

    monkeypatch.setattr(ctypes, "CDLL", library)
    # The type of a result is set on the function of a library, which a closure takes, too
    with MacOS().kept_awake("a run") as said:
        assert said == refusal
        assert ("release",) not in calls
    assert calls[:3] == [
        ("text", b"PreventUserIdleSystemSleep", 0x08000100),
        ("text", b"a run", 0x08000100),
        ("create", 1, 2, 255),
    ]
    assert (("release",) in calls) is (code == 0)


def test_the_clocks_of_this_computer_go_on_and_tell_how_long_it_slept() -> None:
    going, standing = platforms.here.clocks()
    time.sleep(0.05)
    later, awake = platforms.here.clocks()
    assert later >= going
    assert awake >= standing
    assert later - going == pytest.approx(awake - standing, abs=1.0)  # it has not slept meanwhile
