"""Reads that were interrupted on hardware (served twins, known by sockets alone) go on where they stood."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mho import run
from mho.errors import Aborted, InputError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.serving import Server, served_text, write_served
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.procedures import Read
from mho.procedures.stream import Control
from mho.runs import RunFile

INTERVAL = 0.3  # s


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[str]:
    source = load_bench_file("switched")
    with Server(Laboratory(stand_in(source), preset="ideal", seed=1), 0) as server:
        write_served(tmp_path / "served.toml", served_text(source, server.endpoints))
        yield str(tmp_path / "served.toml")


def reads(**changed: object) -> Read:
    return Read(**({"rows": "0:2", "columns": "1, 0", "repeats": 4, "interval": INTERVAL} | changed))


def broken_off(procedure: Read, bench: str, path: Path, images: int) -> None:
    """Run until so many images are there."""
    control = Control()

    def look(event: object) -> None:
        with RunFile(path) as file:
            if len(file.map_times("multiply_conductance")) >= images:
                control.abort("enough")

    with pytest.raises(Aborted):
        run(procedure, bench, seed=1, output=path, observers=[look], control=control)


@pytest.mark.thorough
@pytest.mark.parametrize("samples", [1, 3])
def test_whole_repeats_are_taken_over_and_the_others_follow_in_time(bench, tmp_path, samples, monkeypatch):
    monkeypatch.setattr("mho.procedures.stream.PACE", 0.0)
    broken_off(reads(samples=samples), bench, tmp_path / "1.h5", 2)
    with RunFile(tmp_path / "1.h5") as file:
        before, done = file.table("reads"), len(file.map_times("multiply_conductance"))
    taken = done * 4 * samples
    whole = run(reads(samples=samples), bench, output=tmp_path / "2.h5", resume_of=tmp_path / "1.h5")
    with RunFile(whole.path) as file:
        table, images = file.table("reads"), file.map_times("multiply_conductance")
        assert any(f"{done} of 4 repeats are taken over" in entry.message for entry in file.log())
        for name, values in before.items():
            np.testing.assert_array_equal(table[name][:taken], values[:taken])
        assert table["repeat"].tolist() == np.repeat(range(4), 4 * samples).tolist()
        assert (np.diff(table["time"]) >= 0.0).all()
        assert len(images) == 4
        assert (np.diff(images) >= 0.9 * INTERVAL).all()
        np.testing.assert_allclose(file.map("multiply_conductance", 0), whole.conductance[0][:, ::-1])
        zero = file.array("clock_zero")
    with RunFile(tmp_path / "1.h5") as file:  # so that a second interruption is taken up as well as the first
        np.testing.assert_allclose(zero, file.array("clock_zero"), atol=1e-3)
    assert np.isfinite(whole.conductance).all()
    assert np.isfinite(whole.deviation).all() == (samples > 1)


@pytest.mark.thorough
def test_an_attempt_at_something_else_is_not_taken_up(bench, tmp_path):
    first = run(reads(repeats=1), bench, output=tmp_path / "1.h5")
    with pytest.raises(InputError, match=r"1\.h5 cannot be taken up: its repeats is 1, not 4; take the same"):
        run(reads(), bench, output=tmp_path / "2.h5", resume_of=first.path)


@pytest.mark.thorough
def test_an_attempt_without_a_whole_repeat_begins_anew(bench, tmp_path):
    broken_off(reads(interval=0.0), bench, tmp_path / "1.h5", 0)
    whole = run(reads(interval=0.0), bench, output=tmp_path / "2.h5", resume_of=tmp_path / "1.h5")
    with RunFile(whole.path) as file:
        assert file.length("reads") == 16


def test_on_a_simulated_bench_the_chip_is_another_one_and_all_is_read_again(tmp_path):
    first = run(Read(rows="0", repeats=2), seed=1, output=tmp_path / "1.h5")
    again = run(Read(rows="0", repeats=2), seed=2, output=tmp_path / "2.h5", resume_of=first.path)
    assert not np.array_equal(again.conductance, first.conductance)
