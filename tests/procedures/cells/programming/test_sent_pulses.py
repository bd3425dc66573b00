"""Pulses that are announced before they are sent: what the record does not hold of them is sent and not confirmed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.procedures.cells.programming.record import (
    PULSES,
    SENT,
    SentPulses,
    most_at_once,
    not_confirmed,
    sent_pulses,
)
from mho.procedures.cells.programming.strategies.literature import Asap, Gdp
from mho.procedures.cells.programming.strategy import RESET, SET, Pulses
from mho.procedures.stream import Stream
from mho.runs import Layout, RunFile, RunHeader, RunWriter

ROW = {
    "time": 1.0,
    "array": 0,
    "row": 3,
    "column": 4,
    "voltage": 3.0,
    "width": 1e-7,
    "gate": 1.5,
    "conductance": 1e-5,
}
FIRST, THIRD = Pulses(SET, 3.0, 1e-7, 1.5), Pulses(RESET, 2.0, 1e-7, 2.8)


@contextmanager
def run(path: Path, most: int = 1, number: int = 0) -> Iterator[tuple[Stream, SentPulses]]:
    layout = Layout((PULSES,), arrays=(sent_pulses(most),), default="pulses")
    with RunWriter.create(path, RunHeader("program", "Program", "1", {}), layout) as writer:
        stream = Stream(writer)
        yield stream, SentPulses(stream, most, number)


def lost(path: Path) -> dict[str, np.ndarray]:
    with RunFile(path) as file:
        return not_confirmed(file, file.table("pulses"))


def one(number: int) -> np.ndarray:
    return np.array([number])


def test_a_pulse_with_its_row_is_confirmed(tmp_path):
    with run(tmp_path / "a.h5") as (stream, sent):
        stream.record("pulses", kind=0, **ROW)
        sent.announce(1.0, 0, one(3), one(4), FIRST)
        stream.record("pulses", kind=SET, **ROW)
    assert len(lost(tmp_path / "a.h5")["kind"]) == 0


def test_a_pulse_without_a_row_is_taken_over_with_all_that_is_known_of_it(tmp_path):
    with run(tmp_path / "a.h5", number=1) as (stream, sent):
        stream.record("pulses", kind=SET, **ROW)
        sent.announce(1.0, 0, one(3), one(4), FIRST)
        stream.record("pulses", kind=SET, **ROW)
        sent.announce(2.5, 1, one(5), one(6), THIRD)
    found = {name: values.tolist() for name, values in lost(tmp_path / "a.h5").items()}
    assert np.isnan(found.pop("conductance")).all()
    assert found == {
        "time": [2.5], "array": [1], "row": [5], "column": [6], "kind": [RESET],
        "voltage": [2.0], "width": [pytest.approx(1e-7)], "gate": [pytest.approx(2.8)],
    }  # fmt: skip


def test_the_pulses_of_a_group_are_lost_together(tmp_path):
    with run(tmp_path / "a.h5", most=4) as (_, sent):
        group = Pulses(*(np.full(3, value) for value in FIRST))
        sent.announce(1.0, 0, np.full(3, 2), np.arange(3), group)
    assert lost(tmp_path / "a.h5")["column"].tolist() == [0, 1, 2]


def test_what_is_announced_is_on_the_disk_before_the_pulse_is_sent(tmp_path):
    with run(tmp_path / "a.h5") as (_, sent), RunFile(tmp_path / "a.h5") as file:
        sent.announce(1.0, 0, one(3), one(4), FIRST)
        file.refresh()
        assert file.array(SENT)[0, 0] == 1


def test_a_group_is_a_line_of_the_block_at_most():
    place = Placement("multiply", np.arange(3), np.arange(8))
    assert most_at_once(WriteVerifySettings(), Asap, place) == 1
    assert most_at_once(WriteVerifySettings(verify="row"), Asap, place) == 8


def test_a_descent_sends_the_pulses_of_a_batch_between_its_products():
    small = Placement("multiply", np.arange(3), np.arange(8))
    large = Placement("multiply", np.arange(32), np.arange(32))
    assert most_at_once(WriteVerifySettings(), Gdp, small) == 1
    assert most_at_once(WriteVerifySettings(), Gdp, large) == 10
    assert most_at_once(WriteVerifySettings(verify="row"), Gdp, large) == 32
