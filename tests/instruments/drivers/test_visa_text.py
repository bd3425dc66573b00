"""Text over a VISA session, by the library's own calls."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pytest
from pymeasure.adapters import VISAAdapter
from pyvisa.constants import StatusCode
from pyvisa.errors import InvalidSession
from wired_twins import registered

from mho.errors import InstrumentError
from mho.instruments.drivers.keithley2450 import Keithley2450
from mho.instruments.drivers.languages.bus import ways
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.instrument import ScpiDevice

ADDRESS, NAME = "GPIB0::9::INSTR", "visa-text"
IDENTITY = "MHO,SCPI DEVICE,SIM00000,1.0"
WARNINGS = {StatusCode.success_device_not_present, StatusCode.success_max_count_read}


@pytest.fixture
def adapter() -> Iterator[VISAAdapter]:
    device = ScpiDevice(VirtualClock(), np.random.default_rng(0))
    with registered(NAME, {ADDRESS: device}):
        adapter = VISAAdapter(ADDRESS, f"{NAME}@mho", read_termination="\n", write_termination="\n")
        yield adapter
        adapter.close()


@pytest.mark.parametrize("warns", [False, True])
@pytest.mark.parametrize("chunk", [20 * 1024, len(IDENTITY) + 1, 5, 1])
def test_a_reply_arrives_whole_and_without_its_terminator(adapter, chunk, warns):
    session = adapter.connection
    session.chunk_size = chunk
    if warns:  # as every other library does, when it is not told to ignore what is no fault
        session.visalib.issue_warning_on |= WARNINGS
    send, take = ways(adapter)
    for _ in range(2):
        send("*IDN?")
        assert take() == session.query("*IDN?") == IDENTITY
    assert not session.visalib._ignore_warning_in_session[session.session]


def test_a_terminator_that_is_set_later_counts(adapter):
    send, take = ways(adapter)
    adapter.connection.read_termination = None
    send("*IDN?")
    assert take() == f"{IDENTITY}\n"
    adapter.connection.read_termination = "0\n"
    send("*IDN?")
    assert take() == IDENTITY.removesuffix("0")
    adapter.connection.read_termination = "x\n"
    send("*IDN?")
    with pytest.warns(UserWarning, match="does not end with its terminator"):
        assert take() == f"{IDENTITY}\n"


def test_a_closed_session_is_said(adapter):
    send, take = ways(adapter)
    adapter.connection.close()
    with pytest.raises(InvalidSession):
        send("*IDN?")
    with pytest.raises(InvalidSession):
        take()


def test_an_adapter_that_logs_keeps_its_log(adapter):
    adapter.log.setLevel(logging.DEBUG)
    try:
        assert ways(adapter) == (adapter.write, adapter.read)
    finally:
        adapter.log.setLevel(logging.NOTSET)


# --- the answer to a check, once it is known how this instrument words it ---


class Saying(Keithley2450):
    """A driver whose replies are given."""

    def __init__(self, *replies: str) -> None:
        self.model, self.resource, self._last, self._identity = "MODEL 2450", ADDRESS, "", ""
        self._replies = list(replies)

    def write(self, command: str, **options: object) -> None:
        self._last = command

    def receive(self) -> str:
        return self._replies.pop(0)

    def _drop_errors(self):
        return []


def test_an_error_after_many_fine_answers_is_found():
    fine = '0,"No error;0;0 0"'
    driver = Saying(fine, f"1.5;{fine}", fine, f"a;b;{fine}", '-113,"Undefined header;1;x"', fine)
    assert [driver.exchange(":A") for _ in range(4)] == ["", "1.5", "", "a;b"]
    with pytest.raises(InstrumentError, match=r"refused ':A': -113, Undefined header"):
        driver.exchange(":A")
    assert driver.exchange(":A") == ""


@pytest.mark.parametrize("reply", ['1.50,"No error;0;0 0"', '"0,"No error;0;0 0"', "", "0"])
def test_an_answer_that_only_ends_like_a_fine_one_is_not_understood(reply):
    driver = Saying('0,"No error;0;0 0"', reply)
    driver.exchange(":A")
    with pytest.raises(InstrumentError, match="not understood"):
        driver.exchange(":A")
