from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from mho.runs import SCHEMA_VERSION, Layout, RunHeader, RunWriter


@pytest.fixture
def plain(tmp_path: Path, header: RunHeader, layout: Layout) -> h5py.File:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        run.emit("reads", current=1.0)
        run.log("INFO", "hello")
    with h5py.File(run.path, "r") as file:
        yield file


def test_every_group_has_its_nexus_class(plain: h5py.File) -> None:
    classes = {"/": plain.attrs["NX_class"]}
    plain.visititems(
        lambda name, item: (
            classes.update({name: item.attrs["NX_class"]}) if isinstance(item, h5py.Group) else None
        )
    )
    assert classes == {
        "/": "NXroot",
        "entry": "NXentry",
        "entry/writer": "NXcollection",
        "entry/procedure": "NXprocess",
        "entry/procedure/parameters": "NXparameters",
        "entry/bench": "NXcollection",
        "entry/bench/smu": "NXcollection",
        "entry/bench/daq": "NXcollection",
        "entry/chip": "NXcollection",
        "entry/provenance": "NXcollection",
        "entry/cycles": "NXdata",
        "entry/reads": "NXdata",
        "entry/maps": "NXcollection",
        "entry/maps/conductance": "NXdata",
        "entry/arrays": "NXcollection",
        "entry/arrays/matrix": "NXdata",
        "entry/arrays/solution": "NXdata",
        "entry/log": "NXcollection",
        "entry/result": "NXcollection",
        "entry/conclusion": "NXcollection",
        "entry/seal": "NXcollection",
    }


def test_the_default_chain_leads_to_a_plot_with_its_signal(plain: h5py.File) -> None:
    group = plain
    while group.attrs["NX_class"] != "NXdata":
        group = group[group.attrs["default"]]
    assert group.name == "/entry/maps/conductance"
    assert group.attrs["signal"] == "value"
    assert list(group.attrs["axes"]) == ["time", "row", "column"]
    assert group["value"].shape == (0, 2, 3)
    assert group["value"].attrs["units"] == "S"
    assert group["time"].attrs["units"] == "s"


def test_without_a_default_the_first_table_is_plotted(
    tmp_path: Path, header: RunHeader, layout: Layout
) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, Layout(layout.tables, layout.maps)) as run:
        pass
    with h5py.File(run.path, "r") as file:
        assert file[file.attrs["default"]].attrs["default"] == "cycles"


def test_tables_say_what_to_plot_and_in_which_unit(plain: h5py.File) -> None:
    table = plain["entry/cycles"]
    assert (table.attrs["signal"], list(table.attrs["axes"])) == ("residual", ["cycle"])
    assert table.attrs["title"] == "Refinement"
    assert table["residual"].attrs["long_name"] == "Relative residual"
    assert table["solution"].attrs["units"] == "V"
    assert table["solution"].shape == (0, 3)


def test_times_are_iso_8601_with_a_zone(plain: h5py.File) -> None:
    for name in ("start_time", "end_time"):
        assert datetime.fromisoformat(plain[f"entry/{name}"].asstr()[()]).tzinfo is not None


def test_all_text_is_fixed_length_utf_8(plain: h5py.File) -> None:
    kinds = set()

    def look(_: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset) and (text := h5py.check_string_dtype(item.dtype)):
            kinds.add((text.encoding, text.length is not None))

    plain.visititems(look)
    assert kinds == {("utf-8", True)}


def test_an_older_hdf5_library_reads_it(plain: h5py.File) -> None:
    """HDF5 copies nothing that is newer than what the other file may hold: here, what HDF5 1.10 knows."""
    with h5py.File("old", "w", driver="core", backing_store=False, libver=("v110", "v110")) as old:
        plain.copy("entry", old)


def test_the_header_is_where_the_design_says(plain: h5py.File, header: RunHeader) -> None:
    entry = plain["entry"]
    assert plain.attrs["mho_schema"] == SCHEMA_VERSION
    assert entry["procedure/parameters/read_voltage"][()] == 0.2
    assert entry["procedure/parameters/read_voltage"].attrs["units"] == "V"
    assert entry["procedure/parameters/read_voltage"].attrs["long_name"] == "Read voltage"
    assert entry["procedure/parameters/note"].asstr()[()] == ""
    assert entry["procedure/parameters/note"].attrs["kind"] == "none"
    assert entry["bench/smu/identity"].asstr()[()].startswith("KEITHLEY")
    assert entry["chip/sha256"].asstr()[()] == hashlib.sha256(header.chip.encode()).hexdigest()
    assert entry["provenance/seed"].asstr()[()] == "7"
    assert entry["log/message"].asstr()[0] == "hello"
    np.testing.assert_array_equal(entry["maps/conductance/row"], [4, 5])
