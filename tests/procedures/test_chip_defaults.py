"""What is left out begins with what the chip on the bench has: its first array, and of the default lines those it has."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from repository import ROOT

import mho
from mho.chip_maps import load_chip_map, parse_chip_map
from mho.errors import ChipMapError
from mho.procedures import IV, MapArray, Read
from mho.procedures.chip_in_use import chip_defaults, on_chip
from mho.running.plan import check_plan_needs, load_plan
from mho.running.queue import Order, Queue, expect
from mho.running.rehearsal import rehearse

BENCHES = ROOT / "docs" / "benches"
PROBES, ROW = ((BENCHES / f"{name}.toml").as_posix() for name in ("probe-station", "row-of-devices"))
CELLS = {"array": "multiply", "rows": "0:8", "columns": "0:8"}
REFERENCE = load_chip_map("reference")
EIGHT = parse_chip_map((BENCHES / "eight-by-eight.toml").read_text("utf-8"))
ROW_OF_EIGHT = (BENCHES / "row-of-eight.toml").read_text("utf-8")


@pytest.fixture
def one_device(tmp_path: Path) -> str:
    """The bench of the probe station, simulated."""
    text = (
        Path(PROBES)
        .read_text("utf-8")
        .replace("two-terminals.toml", (BENCHES / "two-terminals.toml").as_posix())
    )
    path = tmp_path / "one.toml"
    path.write_text(f"{text}\n[simulation]\n", "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("values", "given", "chip", "instead"),
    [
        (CELLS, (), REFERENCE, {}),
        (CELLS, (), EIGHT, {}),
        (CELLS | {"rows": "0:16:2"}, (), EIGHT, {"rows": "0, 2, 4, 6"}),
        (CELLS, (), parse_chip_map(ROW_OF_EIGHT), {"array": "device", "columns": "0"}),
        (CELLS, ("rows", "columns"), parse_chip_map(ROW_OF_EIGHT), {"array": "device"}),
        (CELLS, ("array",), parse_chip_map(ROW_OF_EIGHT), {}),
        (CELLS | {"array": "invert_negative", "rows": "30:40"}, ("array",), REFERENCE, {"rows": "30:32"}),
        (CELLS | {"rows": "40:48"}, (), EIGHT, {}),
        (CELLS | {"rows": "all", "columns": 3}, (), EIGHT, {}),
        ({"rows": "0:99"}, (), EIGHT, {}),
    ],
)
def test_defaults_that_a_chip_lacks_are_replaced_and_what_was_given_never_is(values, given, chip, instead):
    assert chip_defaults(values, given, chip) == instead


def test_a_procedure_is_left_as_it_is_and_stays_what_it_was_through_a_pickle():
    read = pickle.loads(pickle.dumps(Read(rows="2:4")))
    there = on_chip(read, ROW_OF_EIGHT)
    assert (there.array, there.rows, there.columns) == ("device", "2:4", "0")
    assert (read.array, read.columns) == ("multiply", "0:8")
    assert on_chip(MapArray(), ROW_OF_EIGHT).rows == "all"
    given = Read(array="multiply", rows="0:8", columns="0:8")
    assert on_chip(given, ROW_OF_EIGHT) is given


def test_a_run_on_one_device_takes_nothing_but_its_name_and_its_file_says_what_was_used(one_device, tmp_path):
    path = mho.run(Read(), one_device, seed=1, output=tmp_path / "read.h5").path
    with mho.open_run(path) as run:
        used = {name: run.parameters[name].value for name in CELLS}
        assert used == {"array": "device", "rows": "0", "columns": "0"}
        assert run.title == "Read device[0, 0]"
    with mho.open_bench(one_device, seed=1) as bench:
        assert mho.evaluate(IV(extract=False), bench, seed=1).summary["cells"] == 1
        with pytest.raises(ChipMapError, match="multiply"):
            mho.evaluate(Read(array="multiply", rows="0", columns="0"), bench)
    with pytest.raises(ChipMapError, match="row 7 is not among them"):
        mho.run(Read(rows="0:8"), one_device, output=tmp_path)


def test_a_rehearsal_a_plan_and_an_order_begin_alike(tmp_path, monkeypatch):
    rehearsed = rehearse(Read(), ROW, seed=1)
    assert rehearsed.passed, rehearsed.reason
    assert rehearsed.procedure == "Read device[0:8, 0]"
    plan = tmp_path / "plan.toml"
    plan.write_text(f'name = "p"\nbench = "{PROBES}"\n[[steps]]\nprocedure = "read"\n', "utf-8")
    check_plan_needs(load_plan(plan))
    monkeypatch.setenv("MHO_STATE", str(tmp_path))
    with Queue(tmp_path / "queue.sqlite") as queue:
        assert expect(Order("read", {}, PROBES, folder=tmp_path), queue).pulses == 0
