"""A refresh reads a programmed block, and writes only the cells that left their windows, on both benches."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cell_records import cell_record
from daily import daily
from numpy.testing import assert_array_equal

from mho import plot, run
from mho.chip_maps.chip import load_chip_map, read_chip_text
from mho.errors import ChipMapError, InputError
from mho.instruments import open_bench
from mho.instruments.bench_file import load_bench_file
from mho.procedures import Program, Read, Refresh
from mho.runs import RunFile

DIGITS = np.random.default_rng(2).integers(0, 8, (9, 7))
DAY = 86400.0


@pytest.fixture(scope="module", params=daily(["simulated", "arrays"], ["arrays"]))
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A block of cells that move, programmed, and refreshed after a day."""
    folder = tmp_path_factory.mktemp("day")
    with open_bench(request.param, preset="relaxing", seed=3) as bench:
        programmed = run(Program(digits=DIGITS, row=2, column=4), bench, seed=3, output=folder / "program.h5")
        refreshed = run(Refresh(of=programmed.path, wait=DAY), bench, seed=4, output=folder / "refresh.h5")
    return SimpleNamespace(programmed=programmed, refreshed=refreshed, folder=folder)


def table(path: Path, name: str) -> dict[str, np.ndarray]:
    with RunFile(path) as file:
        return file.table(name)


def test_only_cells_outside_their_window_are_written(day):
    result, levels = day.refreshed, _levels(day.refreshed.path)
    inside = levels.inside(result.before, DIGITS)
    assert 5 < (~inside).sum() < DIGITS.size
    assert not result.pulses[inside].any()
    assert_array_equal(result.after[inside], result.before[inside])
    record = cell_record(result.path)
    assert record.needless == record.unread == 0
    assert record.verified == DIGITS.size - result.failed
    assert record.reads == result.summary["reads"] >= DIGITS.size + (~inside).sum()


def test_it_records_what_moved_and_what_it_wrote(day):
    result, levels = day.refreshed, _levels(day.refreshed.path)
    outside = ~levels.inside(result.before, DIGITS)
    moved = result.before - day.programmed.achieved
    with RunFile(result.path) as file:
        assert_array_equal(file.map("multiply_before"), result.before)
        assert_array_equal(file.map("multiply_moved"), moved)
        assert_array_equal(file.array("digits"), DIGITS)
        assert file.map_axes("multiply_moved")[0].tolist() == list(range(2, 11))
        assert {figure.name for figure in file.figures} >= {"before", "levels", "moved", "moved_map"}
    left = table(result.path, "left")
    assert_array_equal(left["row"] - 2, np.nonzero(outside)[0])
    assert_array_equal(left["column"] - 4, np.nonzero(outside)[1])
    assert_array_equal(left["before"], result.before[outside])
    assert_array_equal(left["programmed"], day.programmed.achieved[outside])
    assert_array_equal(left["after"], result.after[outside])
    assert_array_equal(left["pulses"], result.pulses[outside])
    summary = result.summary
    assert summary["in_window_before"] == DIGITS.size - outside.sum()
    assert summary["in_window_after"] == DIGITS.size - result.failed
    assert summary["moved_mean"] == pytest.approx(moved.mean())
    assert summary["moved_deviation"] == pytest.approx(moved.std())
    assert abs(summary["moved_largest"]) == np.abs(moved).max()
    assert summary["virtual_seconds"] > DAY


@pytest.mark.thorough
def test_its_figures_are_drawn(day):
    picture = day.folder / "refresh.png"
    plot([day.refreshed.path], picture)
    assert picture.stat().st_size > 10_000


@pytest.mark.thorough
def test_a_refresh_is_refreshed_in_turn_and_its_chip_can_be_gone_on_with(tmp_path):
    first = run(Program(digits=DIGITS), "arrays", preset="relaxing", seed=3, output=tmp_path / "0.h5")
    with RunFile(first.path) as file:
        assert file.provenance["seed"] == "3"
    one = run(Refresh(of=first.path, wait=DAY), "arrays", after=first.path, output=tmp_path / "1.h5")
    two = run(Refresh(of=one.path, wait=DAY), "arrays", after=one.path, output=tmp_path / "2.h5")
    with RunFile(two.path) as file:
        np.testing.assert_allclose(file.map("multiply_moved"), two.before - one.after)
    digits = run(Refresh(digits=DIGITS), "arrays", after=two.path, output=tmp_path / "3.h5")
    assert "moved_mean" not in digits.summary
    assert digits.summary["in_window_before"] > 0.8 * DIGITS.size


@pytest.mark.thorough
def test_cells_that_stay_are_read_once_and_not_written(tmp_path):
    first = run(Program(digits=DIGITS), "arrays", preset="ideal", seed=3, output=tmp_path / "0.h5")
    result = run(Refresh(of=first.path, wait=DAY), "arrays", after=first.path, output=tmp_path / "1.h5")
    assert result.summary["reads"] == DIGITS.size
    assert result.summary["pulses"] == result.summary["repaired"] == 0
    assert len(table(result.path, "left")["row"]) == 0


@pytest.mark.thorough
def test_without_a_pass_no_cell_is_read_again_after_its_last_pulse(tmp_path):
    first = run(Program(digits=DIGITS), "arrays", preset="relaxing", seed=3, output=tmp_path / "0.h5")
    given = {"of": first.path, "wait": DAY}
    once = run(Refresh(**given, passes=0), "arrays", after=first.path, output=tmp_path / "1.h5").summary
    twice = run(Refresh(**given), "arrays", after=first.path, output=tmp_path / "2.h5").summary
    assert once["in_window_before"] == twice["in_window_before"]
    left = DIGITS.size - once["in_window_before"]
    assert once["reads"] == DIGITS.size + left + once["pulses"]
    assert twice["reads"] >= DIGITS.size + 2 * left + twice["pulses"]


@pytest.mark.thorough
def test_what_cannot_be_refreshed_is_refused(tmp_path):
    first = run(Program(digits=DIGITS), "arrays", seed=3, output=tmp_path / "0.h5").path
    read = run(Read(), "arrays", seed=3, output=tmp_path / "read.h5").path

    def refused(
        message: str, bench: str = "arrays", kind: type[Exception] = InputError, **given: object
    ) -> None:
        with pytest.raises(kind, match=message):
            run(Refresh(**given), bench, seed=1, output=tmp_path / f"{len(list(tmp_path.iterdir()))}.h5")

    refused("and has neither; give one")
    refused("and has both; give one", of=first, digits=DIGITS)
    refused(r"read\.h5 \(Read\) did not program a block of digits", of=read)
    refused("on chip 'segmented', and this bench holds chip 'reference'", bench="simulated", of=first)
    refused(
        f"{(DIGITS > 0).sum()} of the {(DIGITS > 0).sum()} cells that are to conduct are unformed .*--after RUN\\.h5",
        of=first,
    )
    refused("has 1024 rows, 0 to 1023; row 1028 is not", kind=ChipMapError, digits=DIGITS, row=1020)
    refused(r"digit \d is outside 0\.\.7", kind=ChipMapError, digits=DIGITS + 2)


def test_levels_that_changed_since_are_refused(tmp_path):
    first = run(Program(digits=DIGITS), "arrays", seed=3, output=tmp_path / "0.h5").path
    text = read_chip_text("segmented").replace("0.37e-6, 5e-6", "0.40e-6, 5e-6")
    (tmp_path / "chip.toml").write_text(text, "utf-8")
    bench = load_bench_file("arrays").text.replace('chip = "segmented"', 'chip = "chip.toml"')
    (tmp_path / "bench.toml").write_text(bench, "utf-8")
    with pytest.raises(ChipMapError, match="with other levels than its chip map has now"):
        run(Refresh(of=first), str(tmp_path / "bench.toml"), seed=1, output=tmp_path / "1.h5")


def _levels(path: Path):
    from mho.analysis.reports import read_chip

    with RunFile(path) as file:
        return read_chip(file).level_scale()


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_rows_are_read_at_once_where_that_is_how_cells_are_verified(name, tmp_path):
    rows = {"write_verify": "verify=row"}
    with open_bench(name, preset="relaxing", seed=3) as bench:
        first = run(Program(digits=DIGITS, **rows), bench, seed=3, output=tmp_path / "0.h5")
        result = run(Refresh(of=first.path, wait=DAY, **rows), bench, seed=4, output=tmp_path / "1.h5")
    inside = _levels(result.path).inside(result.before, DIGITS)
    assert 5 < (~inside).sum() < DIGITS.size
    assert not result.pulses[inside].any()
    assert cell_record(result.path).verified == DIGITS.size - result.failed


@pytest.mark.thorough
def test_repaired_is_what_came_back_and_not_what_was_pulsed(tmp_path):
    """Of cells that most pulses destroy, refreshing pulses many and brings none back."""
    frail = 'name = "frail"\nbase = "pku"\n[parameters]\ndamage_voltage = 2.15\n'
    digits = np.random.default_rng(1).integers(0, 8, (8, 8))
    first, again = tmp_path / "program.h5", tmp_path / "refresh.h5"
    run(Program(digits=digits, strategy="fppv"), "arrays", preset=frail, seed=3, output=first)
    result = run(Refresh(of=str(first), wait=86400.0), "arrays", after=first, output=again)
    levels = load_chip_map(load_bench_file("arrays").bench.chip).level_scale()
    before, after = levels.inside(result.before, digits), levels.inside(result.after, digits)
    assert (result.pulses > 0).sum() > 10
    assert result.summary["repaired"] == (~before & after & (result.pulses > 0)).sum() < 5
