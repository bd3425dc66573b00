"""How the instruments of a bench are made safe, whichever of them fails, and what is then known of their outputs."""

from __future__ import annotations

import logging

import pytest

from mho.errors import InstrumentError
from mho.instruments.bench.instruments import SAFE_ORDER, BenchInstruments, make_safe, not_confirmed
from mho.instruments.bench.output_states import UNKNOWN, OutputStates


class Fake:
    """An instrument that fails so many times to be made safe."""

    def __init__(self, role: str, called: list[str], failures: int = 0) -> None:
        self._role, self._called, self._failures = role, called, failures

    def make_safe(self) -> None:
        """Note the call."""
        self._called.append(self._role)
        if self._failures > 0:
            self._failures -= 1
            raise InstrumentError(f"{self._role} does not answer")


def bench(called: list[str], **failures: int) -> BenchInstruments:
    return BenchInstruments(**{role: Fake(role, called, failures.get(role, 0)) for role in SAFE_ORDER})  # type: ignore[arg-type]


def test_the_bit_line_goes_first_the_word_line_last_and_relays_after_all_sources() -> None:
    called: list[str] = []
    assert make_safe(bench(called).by_name()) == {}
    assert called == [
        "smu", "sink", "pulser", "daq", "tester", "board", "gate", "prober", "scope", "switch", "chuck",
    ]  # fmt: skip


def test_what_fails_once_is_tried_again_after_the_others() -> None:
    called: list[str] = []
    assert make_safe(bench(called, smu=1, switch=1, chuck=1).by_name()) == {}
    first = ["smu", "sink", "pulser", "daq", "tester", "board", "gate", "prober", "scope"]
    assert called == [*first, "smu", "switch", "switch", "chuck", "chuck"]


@pytest.mark.parametrize("source", ["smu", "sink", "pulser", "gate"])
def test_no_relay_moves_under_a_source_that_may_be_on_while_the_board_keeps_the_chip_apart(
    source: str,
) -> None:
    called: list[str] = []
    failed = make_safe(bench(called, **{source: 2}).by_name())
    assert list(failed) == [source, "switch"]
    assert "switch" not in called
    assert f"under {source} may weld" in str(failed["switch"])
    assert called[-1] == "chuck", "the heater is switched off all the same"


@pytest.mark.parametrize("source", ["smu", "sink", "pulser", "gate"])
def test_relays_open_where_the_board_failed_too(source: str) -> None:
    called: list[str] = []
    failed = make_safe(bench(called, **{source: 2, "board": 2}).by_name())
    assert set(failed) == {source, "board"}
    assert called.count("switch") == 1


def test_relays_open_where_only_a_converter_failed() -> None:
    called: list[str] = []
    assert list(make_safe(bench(called, daq=2).by_name())) == ["daq"]
    assert called.count("switch") == 1


def test_an_instrument_that_could_not_be_opened_is_one_that_is_not_safe() -> None:
    called: list[str] = []
    instruments = bench(called).by_name()
    del instruments["gate"]
    failed = make_safe(instruments, {"gate": InstrumentError("not there")})
    assert list(failed) == ["gate", "switch"]
    assert "switch" not in called


def test_what_is_not_confirmed_is_named_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        error = not_confirmed({"smu": InstrumentError("gone"), "chuck": InstrumentError("hot")})
    assert error.live == ("smu", "chuck")
    assert str(error).startswith(
        "NOT CONFIRMED SAFE: smu (gone); chuck (hot). Switch these outputs off by hand"
    )
    assert caplog.messages == ["smu is not confirmed safe: gone", "chuck is not confirmed safe: hot"]


def test_an_output_is_known_from_what_was_confirmed_and_unknown_otherwise() -> None:
    moments = iter([1.0, 2.0, 3.0])
    states = OutputStates(lambda: next(moments))
    assert states.of("smu") == UNKNOWN
    assert UNKNOWN.live
    states.note("smu", "off", "read")
    found = states.of("smu")
    assert (found.value, found.source, found.at, found.live) == ("off", "read", 1.0, False)
    states.note("board", "SAFE")
    assert not states.of("board").live
    states.note("gate", "ON, 2.5 V")
    assert states.of("gate").live
    states.forget("gate")
    assert states.of("gate") == UNKNOWN
    assert states.of("smu") == found
    states.forget()
    assert states.of("smu") == UNKNOWN


def test_while_an_output_acts_nothing_is_known_of_it() -> None:
    states = OutputStates(lambda: 0.0)
    states.note("smu", "off")

    def fail() -> None:
        assert states.of("smu") == UNKNOWN
        raise InstrumentError("lost in the middle")

    with pytest.raises(InstrumentError):
        states.during("smu", "off", fail)
    assert states.of("smu") == UNKNOWN
    assert states.during("smu", "ON, 1 V", lambda volts: 2 * volts, 3) == 6
    assert states.of("smu").value == "ON, 1 V"
