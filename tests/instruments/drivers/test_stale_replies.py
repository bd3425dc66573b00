"""A reply that comes too late, or twice, or garbled, is never taken for the answer to another question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_replies import BAD, BadReply
from daily import daily
from queue_runners import served_bench

from mho.errors import InstrumentError, MhoError
from mho.instruments import Bench, Cell, open_bench
from mho.instruments.laboratory.laboratory import Laboratory

CELL = Cell("multiply", 0, 0)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Bench, Laboratory]]:
    with served_bench(tmp_path) as (path, laboratory), open_bench(path) as bench:
        bench.read(CELL)
        bench.instruments.smu.adapter.connection.timeout = 300  # ms; the twin is not far
        yield bench, laboratory


def smu_of(laboratory: Laboratory) -> object:
    return next(device for name, device in laboratory.devices.items() if "SIM00001" in name)


@pytest.mark.thorough
def test_a_late_reply_is_not_the_answer_to_the_next_question(served):
    bench, laboratory = served
    smu = bench.instruments.smu
    usual = smu.identify()
    late = BadReply(smu_of(laboratory), "late")
    with pytest.raises(InstrumentError, match=r"failed: .*TMO"):
        smu.ask(":SOUR:VOLT?")
    assert late.struck
    assert smu.identify() == usual
    assert float(smu.ask(":SOUR:VOLT:RANG?")) > 0.0
    assert smu.identify() == usual


@pytest.mark.thorough
def test_a_reply_that_was_left_unread_ends_the_run_that_may_have_taken_it(served):
    """Every later one is one behind; what they look like does not tell, the question at the end does."""
    bench, laboratory = served
    smu = bench.instruments.smu
    smu.ask(":SOUR:VOLT?")
    doubled = BadReply(smu_of(laboratory), "earlier")
    smu.ask(":SOUR:VOLT?")
    assert doubled.struck
    bench.safe()
    with pytest.raises(InstrumentError, match=r"is out of step: .* came where it was not asked for"):
        bench.identities()
    assert bench.identities()  # said once; from there on question and answer belong together


@pytest.mark.parametrize("kind", daily(sorted(BAD.keys() - {"earlier"}), 2))
def test_a_bad_reply_to_a_reading_is_an_error_that_names_the_instrument(served, kind):
    bench, laboratory = served
    spoiled = BadReply(smu_of(laboratory), kind)
    with pytest.raises(MhoError) as raised:
        bench.read(CELL)
    assert spoiled.struck
    assert "2450" in str(raised.value) or kind == "out of range"
    bench.safe()
    assert bench.read(CELL) < 1e-5


def test_a_reply_that_is_left_behind_by_an_interruption_is_cleared_away(served, monkeypatch):
    bench, _ = served
    smu = bench.instruments.smu

    def interrupted() -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(smu, "_take", interrupted)
        with pytest.raises(KeyboardInterrupt):
            smu.ask(":SOUR:VOLT?")
    assert "2450" in smu.identify()
