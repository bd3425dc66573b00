"""Contact test on the virtual bench: virgin, formed, shorted, leaky cells and broken lines are told apart."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily
from numpy.testing import assert_array_equal

from mho import Contact, Form, run
from mho.errors import ChipMapError, InputError, LimitError
from mho.instruments import open_bench
from mho.instruments.bench_file import load_bench_file
from mho.instruments.laboratory.accidents import BadCell, BrokenLineAccident, LeakySelector
from mho.procedures import Switching
from mho.procedures.cells.reading.contact import GOOD, LEAKY, OPEN, SHORT, UNFORMED
from mho.runs import RunFile

BLOCK = {"rows": "0:6", "columns": "0:5"}


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_virgin_and_formed_cells_are_told_apart(name, tmp_path):
    with open_bench(name, seed=1) as bench:
        virgin = run(Contact(**BLOCK), bench, output=tmp_path)
        run(Form(rows="0:3", columns="0:5", step=0.2), bench, output=tmp_path)
        half = run(Contact(**BLOCK), bench, output=tmp_path)
    assert (virgin.classes == UNFORMED).all()
    assert virgin.summary["open_told_from_unformed"]
    assert np.median(virgin.conductance) == pytest.approx(1e-9, rel=0.1)
    assert (half.classes[:3] == GOOD).all()
    assert (half.classes[3:] == UNFORMED).all()
    assert half.summary["good_share"] == 0.5
    assert half.lines == ()


def test_everything_that_can_be_wrong_is_told_for_what_it_is(tmp_path):
    said = []
    with open_bench(preset="ideal", seed=1) as bench:
        run(Form(**BLOCK, step=0.2), bench, output=tmp_path)
        for accident in (
            BadCell(10e-3, ("multiply", 0, 0)),
            LeakySelector(1e-7, ("multiply", 1, 1)),
            BrokenLineAccident("multiply", "column", 3),
            BrokenLineAccident("multiply", "row", 4, first=1),
        ):
            accident(bench.laboratory)
        found = run(Contact(**BLOCK), bench, output=tmp_path, observers=[said.append])
    expected = np.full((6, 5), GOOD)
    expected[0, 0], expected[1, 1], expected[:, 3], expected[4, 1:] = SHORT, LEAKY, OPEN, OPEN
    assert_array_equal(found.classes, expected)
    assert found.summary["lines"] == [
        "column 3 (source line) is open",
        "row 4 (bit line) is open from column 1 to 4",
    ]
    assert (found.summary["open"], found.summary["open_alone"], found.summary["short_alone"]) == (9, 0, 1)
    assert found.summary["largest_leakage"] == pytest.approx(1e-7, rel=0.01)
    texts = [event.text for event in said if hasattr(event, "text")]
    assert "column 3 (source line) is open" in texts
    with RunFile(found.path) as file:
        assert_array_equal(file.map("multiply_contact"), expected)
        state = file.column("reads", "state")
        assert (state == 0).sum() == (state == 1).sum() == 30
        assert (state == 2).sum() == 30 - 9  # open cells are not read again


def test_a_chip_that_is_not_connected_is_no_matter_of_cells(tmp_path):
    said = []
    with open_bench(preset="ideal", seed=1) as bench:
        for row in range(2):
            BrokenLineAccident("multiply", "row", row)(bench.laboratory)
        run(Contact(rows="0:2", columns="0:5"), bench, output=tmp_path, observers=[said.append])
    texts = [event.text for event in said if hasattr(event, "text")]
    assert any(text.startswith("all 10 cells are open: this is no matter of cells") for text in texts)
    assert not any("bit line" in text for text in texts)


def test_a_meter_that_is_too_coarse_says_so_and_calls_nothing_open(tmp_path):
    said = []
    found = run(
        Contact(**BLOCK, current_range=1e-4, nplc=0.01), seed=1, output=tmp_path, observers=[said.append]
    )
    assert not found.summary["open_told_from_unformed"]
    assert found.summary["open"] == 0
    assert any(
        "open and unformed cells cannot be told apart here" in getattr(one, "text", "") for one in said
    )


def test_the_meter_is_as_the_bench_wants_it_afterwards(tmp_path):
    with open_bench(preset="ideal", seed=1) as bench:
        run(Contact(rows="0", columns="0"), bench, output=tmp_path)
        run(Form(rows="0", columns="0"), bench, output=tmp_path)
        assert bench.instruments.smu.current_range == pytest.approx(1e-4)
        assert bench.instruments.smu.current_limit == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"columns": "0:5000"}, ChipMapError, "column 4999 is not among them"),
        ({"open_below": 1e-6}, InputError, "do not ascend"),
        ({"gate_off": 3.0}, InputError, "the transistor is on at the higher one"),
        ({"gate_on": 5.0}, LimitError, "word line: voltage of 5 V"),
        ({"current_range": 1e-9}, InputError, "choose a larger range"),
        ({"current_range": 0.5}, LimitError, "bit line: current of 0.5 A"),
    ],
)
def test_what_cannot_be_tested_is_refused_before_a_file_exists(given, error, said, tmp_path):
    with pytest.raises(error, match=said):
        run(Contact(**given), seed=1, output=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("formed_above", "span"), daily([("0.1e-6", 1e-7), ("20e-6", 1e-6)], [("20e-6", 1e-6)])
)
def test_the_first_range_holds_what_a_virgin_cell_of_the_chip_may_take(formed_above, span, tmp_path):
    source = load_bench_file("stanford")
    chip = source.chip_text.replace("formed_above = 0.1e-6", f"formed_above = {formed_above}")
    (tmp_path / "chip.toml").write_text(chip, "utf-8")
    bench = tmp_path / "bench.toml"
    bench.write_text(source.text.replace('chip = "stanford"', 'chip = "chip.toml"'), "utf-8")
    found = run(Contact(rows="0:2", columns="0:4"), str(bench), seed=1, output=tmp_path / "run.h5")
    assert found.summary["unformed"] == 8
    assert found.summary["open_told_from_unformed"]
    with RunFile(tmp_path / "run.h5") as file:
        assert file.parameters["current_range"].value == pytest.approx(span)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["stanford", "stanford-arrays"])
def test_a_formed_cell_in_hrs_is_good(name, tmp_path):
    """Of a chip whose HRS lies below `formed_above`."""
    source = load_bench_file(name)
    chip = source.chip_text.replace("formed_above = 0.1e-6", "formed_above = 60e-6")
    (tmp_path / "chip.toml").write_text(chip, "utf-8")
    (tmp_path / "bench.toml").write_text(
        source.text.replace('chip = "stanford"', 'chip = "chip.toml"'), "utf-8"
    )
    with open_bench(str(tmp_path / "bench.toml"), seed=2) as bench:
        run(Form(rows="0:3", columns="0:3"), bench, output=tmp_path)
        run(Switching(rows="0:3", columns="0:3", cycles=1), bench, output=tmp_path)
        found = run(Contact(rows="0:3", columns="0:4"), bench, output=tmp_path)
    assert (found.conductance[:, :3] < 60e-6).sum() > 6
    assert (found.classes[:, :3] == GOOD).all()
    assert (found.classes[:, 3] == UNFORMED).all()
    assert (found.summary["good"], found.summary["unformed"]) == (9, 3)
