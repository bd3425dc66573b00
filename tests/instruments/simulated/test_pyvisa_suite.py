"""PyVISA's own tests for message based resources and resource managers, on our backend instead of a vendor's.

They talk to an instrument that sends back what it has received between RECEIVE and SEND.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from pyvisa.rname import ResourceName
from pyvisa.shell import VisaShell
from pyvisa.testsuite.keysight_assisted_tests import RESOURCE_ADDRESSES, copy_func
from pyvisa.testsuite.keysight_assisted_tests.messagebased_resource_utils import (
    EventAwareMessagebasedResourceTestCaseMixin,
    LockableMessagedBasedResourceTestCaseMixin,
    MessagebasedResourceTestCase,
)
from pyvisa.testsuite.keysight_assisted_tests.test_resource_manager import TestResourceManager as ManagerCase

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack

pytestmark = pytest.mark.slow  # PyVISA's own suite waits in real time

RACK = "pyvisa-suite"
RECEIVE, SEND = (b"RECEIVE\n", b"RCVSLOWSRQ\n"), (b"SEND\n", b"SENDSLOWSRQ\n")


class Echo:
    """A `Device` that sends back what it has received, and may request service when it does."""

    def __init__(self) -> None:
        self.stream = False
        self.service_requests = 0
        self.clear()

    def write(self, data: bytes, end: bool = True) -> None:
        self._input += data
        for order in RECEIVE:
            if self._input.endswith(order):
                self._input = b""
        for order in SEND:
            if self._input.endswith(order):
                self._output, self._input = self._input.removesuffix(order), b""
                if b"SRQ" in order:
                    self.service_requests += 1
        if self._input.strip() == b"*IDN?":
            self._output, self._input = b"MHO,ECHO,0,0\n", b""

    def read(self) -> bytes:
        output, self._output = self._output, b""
        return output

    def status_byte(self) -> int:
        return 0x10 if self._output else 0

    def clear(self) -> None:
        self._input = self._output = b""

    def trigger(self) -> None:
        raise AssertionError("nobody triggers here")

    def push_error(self, code: int, detail: str = "") -> None:
        """Be told that a message came before the reply to the last one was read."""


@pytest.fixture(autouse=True)
def _rack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    names = map(ResourceName.from_string, RESOURCE_ADDRESSES.values())
    echoes = {str(name): Echo() for name in names}
    register_rack(RACK, SimpleNamespace(clock=VirtualClock(), devices=echoes))
    monkeypatch.setenv("PYVISA_LIBRARY", f"{RACK}@mho")
    yield
    unregister_rack(RACK)


class Patient:
    """Without the tests of PyVISA's own delays, which only take time."""

    test_delay_in_query_ascii = None
    test_instrument_wide_delay_in_query_binary = None
    test_delay_args_in_query_binary = None
    test_no_delay_args_in_query_binary = None


class TestInstr(
    Patient,
    LockableMessagedBasedResourceTestCaseMixin,
    EventAwareMessagebasedResourceTestCaseMixin,
    MessagebasedResourceTestCase,
):
    RESOURCE_TYPE = "TCPIP::INSTR"
    MINIMAL_TIMEOUT = 0

    def compare_user_handle(self, one: object, other: object) -> bool:
        """No C library wraps it: it comes back as it was given."""
        return one == other


class TestSocket(Patient, MessagebasedResourceTestCase):
    RESOURCE_TYPE = "TCPIP::SOCKET"
    MINIMAL_TIMEOUT = 0

    # As in the original: they need the END that a socket does not have.
    test_write_raw_read_bytes = pytest.mark.xfail(
        copy_func(MessagebasedResourceTestCase.test_write_raw_read_bytes)
    )
    test_write_read = pytest.mark.xfail(copy_func(MessagebasedResourceTestCase.test_write_read))


# The original's mark skips it wherever the vendor's simulator is missing.
TestManager = type(
    "TestManager",
    (),
    {k: v for k, v in vars(ManagerCase).items() if k not in ("pytestmark", "__dict__", "__weakref__")},
)


KINDS = (
    "USB0::0x05E6::0x2450::SIM00001::INSTR", "ASRL3::INSTR", "TCPIP0::192.168.1.5::5025::SOCKET",
    "TCPIP0::scope.local::inst0::INSTR", "GPIB0::24::INSTR",
)  # fmt: skip


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[str], str]]:
    register_rack("shell", SimpleNamespace(clock=VirtualClock(), devices={name: Echo() for name in KINDS}))
    opened = VisaShell("shell@mho")

    def run(line: str) -> str:
        opened.onecmd(line)
        return capsys.readouterr().out

    yield run
    unregister_rack("shell")


def test_the_shell_lists_opens_asks_and_closes(shell):
    listed = shell("list")
    assert all(name in listed for name in KINDS if name.endswith("INSTR"))
    assert "has been opened" in shell(f"open {KINDS[0]}")
    assert "Response: MHO,ECHO,0,0" in shell("query *IDN?")
    shell("write *IDN?")
    assert "MHO,ECHO,0,0" in shell("read")
    assert "VI_ERROR_TMO" in shell("read")
    assert "Done" in shell("timeout 500")
    assert "500" in shell("timeout")
    assert "Done" in shell("termchar LF CRLF")
    assert "Termchar read: LF write: CRLF" in shell("termchar")
    assert "has been closed" in shell("close")


@pytest.mark.parametrize("name", KINDS)
def test_the_shell_shows_every_attribute_of_every_kind_of_resource(shell, name):
    shell(f"open {name}")
    shown = shell("attr")
    assert "VI_ATTR_RSRC_NAME" in shown
    assert "VI_ERROR" not in shown
