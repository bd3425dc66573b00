"""Recipes are readable files: those of published data sets come with mho, and what was told of a table is remembered."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from daily import daily

from mho.errors import InputError
from mho.extensions.imports import (
    RecipeMemory,
    TableReading,
    constants_in_si,
    find_recipe,
    import_reading,
    packaged_recipes,
    recipe_of,
)
from mho.runs import RunFile

LINES = {
    "radar-forming": (
        "121.000\t2.000\t3.200\t5945.563\t1.000\n"
        "122.000\t2.000\t2.900\t5306.679\t1.000\n"
    ),
    "radar-cycling": (
        "121.000\t400000.0\t5000.0\t200000.0\t4000.0\n"
        "122.000\t340000.0\t5007.2\t257672.8\t4655.8\n"
    ),
    "radar-set-sweep": (
        "1450.000\t100.000\t2.000\t2.000\t69498.046\t81053.828\n"
        "1450.000\t100.000\t2.000\t2.010\t45925.765\t4000.0\n"
    ),
    "radar-reset-sweep": (
        "9700.000\t200.000\t0.050\t4.000\t5654.770\t5665.411\n"
        "9700.000\t200.000\t0.100\t4.000\t5657.1\t5661.0\n"
    ),
    "radar-programming": (
        "40000.0\t10.0\t9.0\t1.0\t4937.168\t0.0\t0.0\t5000.0\t1.0\t0.0\t0.0\n"
        "40001.0\t37.0\t32.0\t5.0\t5916.0\t0.0\t5770.0\t6010.0\t1.0\t0.0\t0.0\n"
    ),
    "relaxation-times": (
        "10354\t0.0\t2082325.8\t4.8e-07\t4.8e-07\t0\t0.0\n"
        "10191\t0.01\t2375568.6\t4.2e-07\t4.2e-07\t0\t0.01\n"
    ),
    "relaxation-bake": (
        "80000\t0.0\t8967.6\t0.0001115\t100\n"
        "80001\t4493.4\t69130.8\t1.4465e-05\t100\n"
    ),
    "ni-rram-read": (
        "0\t215676.79\n"
        "1\t205862.57\n"
    ),
    "ni-rram-cycling": (
        "186\t10492.1\t332920.1\t100\n"
        "186\t10427.0\t36610.7\t200\n"
    ),
    "ni-rram-retention": (
        "16984,1618447530.41,10588.0,9.44e-05,1.79e-05,0.01\n"
        "16984,1618447530.45,10451.8,9.56e-05,1.81e-05,0.01\n"
    ),
    "arc-one": (
        "session\r\n"
        "Mon Jun 18 2018\r\n"
        "Wordline,Bitline,Resistance,Amplitude (V),Pulse width (s),Tag,ReadTag,ReadVoltage\r\n"
        "1,2,15000.0,0.5,0.0,S R2 V=0.5,S R2,0.5\r\n"
        "1,2,12000.0,1.5,0.0001,P,S R2,0.5\r\n"
    ),
    "nb-sto-iv": (
        "Item,Smu1.Time[1][1],Smu1.V[1][1],Smu1.I[1][1],Smu1.R[1][1],\r\n"
        "1,0,9.2e-07,-4.8e-10,-1911.4,\r\n"
        "2,0.083,0.0099,5.06e-10,19740686.7,\r\n"
        "3,0.16,0.0199,1e-9,19740686.7,\r\n"
    ),
    "crosssim-set": (
        "rmp1,rmp2,rmp3\n"
        "0.00016,0.00016,0.00016\n"
        "0.00017,0.00018,0.00018\n"
    ),
    "crosssim-reset": (
        "rmp1,rmp2,rmp3\n"
        "0.0002,0.0002,0.0002\n"
        "0.0001,0.0001,\n"
    ),
    "neurosim-pulses": (
        "Time[ns]_LTP\tConductance_LTP\tTime[ns]_LTD\tConductance_LTD\n"
        "0\t3E-09\t0\t3.2E-09\n"
        "0.86\t6E-09\t3.1\t3.5E-09\n"
        "95.4\t3.9E-08\t\t\n"
    ),
    "bisol-pulses": (
        "# pulse_v,pulse_width,num_applied,meas_v,i_0,i_1\n"
        "4.0e+00,5.0e-07,1.0e+03,-1.0e-01,-9.0e-10,-8.0e-10\n"
        "4.2e+00,5.0e-07,1.0e+03,-1.0e-01,-1.2e-09,-1.2e-09\n"
    ),
    "bisol-retention": (
        "# resistance (ohms),time (s),res min,res_max\n"
        "6.8e+07,0.0e+00,5.3e+07,7.9e+07\n"
        "1.0e+08,3.8e+01,5.3e+07,7.9e+07\n"
    ),
    "knowm-hysteresis": (
        "-0.58,-2.79\n"
        "-0.59,-2.78\n"
        "-0.61,-2.74\n"
    ),
}  # fmt: skip
"""The first lines of each data set, shortened."""


def neurram(path: Path) -> None:
    targets = np.array([[1e-6, 4e-5], [2e-5, 1e-6]])
    read = targets + 1e-7
    np.savez(
        path, program_sucess=np.ones((2, 2), bool), G_program=read, G=targets, num_pulses=3.0 * np.ones((2, 2)),
        G_read=read,
    )  # fmt: skip


def siox(path: Path) -> None:
    volts = np.linspace(0.0, 0.5, 11)
    scipy.io.savemat(
        path,
        {"data": np.stack([[1e-5 * volts, 2e-5 * volts], [volts, volts], [volts, volts]]).T.swapaxes(1, 2)},
    )


def ta_hfo2(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["G_reads"] = 1e-6 * np.arange(1.0, 25.0).reshape(2, 3, 2, 2)


def arc_two(path: Path) -> None:
    names = ("current", "voltage", "pulse_width", "read_voltage")
    rows = np.zeros(1000, dtype=[*((name, "<f4") for name in names), ("op_type", "<u4")])
    rows[:3] = [(2e-6, 1.5, 1e-6, 0.2, 3), (4e-6, 1.5, 1e-6, 0.2, 3), (4e-6, 0.0, 0.0, 0.2, 1)]
    with h5py.File(path, "w") as file:
        file["crosspoints/W00B00/timeseries"] = rows
        file["crosspoints/W00B00/timeseries"].attrs["NROWS"] = 3


FILES = {
    "neurram-programming": ("data.npz", neurram), "siox-states": ("data.mat", siox),
    "ta-hfo2-pulses": ("data.mat", ta_hfo2),
    "arc-two": ("data.h5", arc_two),
}  # fmt: skip
"""Files of the layout of data sets that are no text."""


def written(folder: Path, name: str) -> Path:
    file, write = FILES.get(name, ("data.csv", lambda path: path.write_bytes(LINES[name].encode())))
    write(folder / file)
    return folder / file


@pytest.mark.parametrize("name", daily([one.name for one in packaged_recipes()], 3))
def test_each_packaged_recipe_reads_lines_of_its_data_set(tmp_path: Path, name: str):
    recipe = find_recipe(name)
    assert recipe.recipe.source
    assert recipe.recipe.files
    assert recipe.recipe.layout
    source = written(tmp_path, name)
    with RunFile(import_reading(source, recipe.reading, tmp_path / "run.h5")) as run:
        (table,) = run.tables
        assert run.length(table) >= 2
        assert run.provenance["recipe"] == recipe.text
        assert run.provenance["inputs"].startswith("table ")
        assert run.parameters["table"].value == source.name


EXPECTED = {
    "crosssim-set": ("responses", {"conductance": [1.6e-3, 1.7e-3], "pulse": [0, 1], "kind": [1, 1], "repeat": [0, 0]}),
    "neurosim-pulses": ("responses", {"conductance": [3e-9, 6e-9, 3.9e-8], "pulse": [0, 1, 2], "kind": [1, 1, 1]}),
    "bisol-pulses": ("responses", {"conductance": [9e-9, 1.2e-8], "voltage": [4.0, 4.2], "pulse": [0, 1]}),
    "bisol-retention": ("reads", {"conductance": [1 / 6.8e7, 1e-8], "time": [0.0, 38.0]}),
    "knowm-hysteresis": ("sweeps", {"current": [-2.79e-6, -2.78e-6], "voltage": [-0.58, -0.59]}),
    "neurram-programming": (
        "reads", {"conductance": [1.1e-6, 4.01e-5, 2.01e-5], "target": [1e-6, 4e-5, 2e-5], "column": [0, 1, 0],
                  "num_pulses": [3] * 3},
    ),
    "siox-states": ("sweeps", {"voltage": [0.0, 0.05], "current": [0.0, 5e-7], "sweep": [0, 0]}),
    "ta-hfo2-pulses": (
        "responses", {"conductance": [1e-6, 2e-6, 3e-6, 4e-6, 5e-6], "row": [0, 1, 0, 1, 0],
                      "column": [0, 0, 1, 1, 0], "pulse": [0] * 4 + [1]},
    ),
    "arc-two": (
        "responses", {"conductance": [1e-5, 2e-5, 2e-5], "voltage": [1.5, 1.5, 0.0], "pulse": [0, 1, 2],
                      "op_type": [3, 3, 1]},
    ),
}  # fmt: skip
"""The first values of columns, by recipe."""


@pytest.mark.parametrize("name", daily(sorted(EXPECTED), 3))
def test_values_and_units_are_those_that_the_layout_tells(tmp_path: Path, name: str):
    table, columns = EXPECTED[name]
    reading = find_recipe(name).reading
    with RunFile(import_reading(written(tmp_path, name), reading, tmp_path / "run.h5")) as run:
        found = run.table(table)
        for column, values in columns.items():
            assert found[column][: len(values)] == pytest.approx(values), column


def test_ramps_of_several_columns_are_repeats_of_their_own(tmp_path: Path):
    reading = find_recipe("crosssim-reset").reading
    with RunFile(import_reading(written(tmp_path, "crosssim-reset"), reading, tmp_path / "run.h5")) as run:
        responses = run.table("responses")
        assert responses["repeat"].tolist() == [0, 0, 1, 1, 2]  # a column may end before others
        assert responses["kind"].tolist() == [2] * 5


def test_cycles_of_radar_alternate_between_hrs_and_lrs(tmp_path: Path):
    source = tmp_path / "c.csv"
    source.write_text(LINES["radar-cycling"])
    with RunFile(import_reading(source, find_recipe("radar-cycling").reading, tmp_path / "run.h5")) as run:
        table = run.table("endurance")
        first = (table["row"] == 121) & (table["cycles"] == 1)
        assert dict(
            zip(table["state"][first].tolist(), table["conductance"][first].tolist(), strict=True)
        ) == {0: 2e-4, 1: 2.5e-6}


def test_what_was_told_of_a_table_is_found_by_its_header(tmp_path: Path):
    memory = RecipeMemory(tmp_path)
    told = {"voltage": "0.2 V"}
    reading = TableReading("noise", {"time": "t [ms]"}, {"current": "uA"}, {"voltage": 0.2})
    assert memory.find(["t [ms]", "I"]) is None
    assert memory.keep(["t [ms]", "I"], (), recipe_of(reading, ["t [ms]", "I"], told))
    assert memory.keep(["V", "I"], ("V", "A"), recipe_of(TableReading("iv"), ["V", "I"], {}))
    found = RecipeMemory(tmp_path).find([" T [ms]", "i"])  # blanks and capitals aside
    assert found is not None
    assert found.reading.type == "noise"
    assert (dict(found.reading.columns), dict(found.reading.units), dict(found.reading.constants)) == (
        {"time": "t [ms]"}, {"current": "uA"}, {"voltage": 0.2},
    )  # fmt: skip
    assert memory.find(["V", "I"]) is None  # without the line of units it is another header
    assert memory.forget(["t [ms]", "I"])
    assert not memory.forget(["t [ms]", "I"])
    assert memory.find(["t [ms]", "I"]) is None
    assert memory.find(["V", "I"], ("V", "A")) is not None


def test_a_table_without_a_header_is_not_remembered(tmp_path: Path):
    assert not RecipeMemory(tmp_path).keep((), (), recipe_of(TableReading("iv"), (), {}))
    assert not list(tmp_path.iterdir())


def test_texts_of_any_kind_survive_the_file(tmp_path: Path):
    header = ['G "mean" [µS]', "a\\b", "tab\there", "Ω/□"]
    RecipeMemory(tmp_path).keep(
        header, (), recipe_of(TableReading("reads", {"conductance": header[0], "row": header[1]}), header, {})
    )
    found = RecipeMemory(tmp_path).find(header)
    assert found is not None
    assert found.recipe.header == tuple(header)
    assert found.reading.columns == {"conductance": header[0], "row": header[1]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type = 'iv'\ncolumn = {}\n", "did you mean"),
        ("title = 'x'\n", "this key is missing"),
        ("type = [", "is not valid TOML"),
    ],
)
def test_a_damaged_recipe_is_said(tmp_path: Path, text: str, said: str):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        find_recipe(str(path))


def test_a_recipe_of_ones_own_is_a_file(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text('type = "vi"\n')
    with pytest.raises(InputError, match="type is 'vi'; there are ber, endurance, form, iv,"):
        _ = find_recipe(str(path)).reading
    with pytest.raises(InputError, match="there is no recipe 'radar-formin'; did you mean 'radar-forming'"):
        find_recipe("radar-formin")
    with pytest.raises(InputError, match="cannot be read"):
        find_recipe(str(tmp_path / "nowhere.toml"))


@pytest.mark.parametrize(("text", "value"), [("0.2V", 0.2), ("200 mV", 0.2), ("-1e-1 V", -0.1), (".5", 0.5)])
def test_constants_are_numbers_with_units(text: str, value: float):
    assert constants_in_si({"voltage": text}, "t") == {"voltage": pytest.approx(value)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"voltage": "high"}, "write a number and its unit"),
        ({"voltage": "1 A"}, "is in A, and voltage"),
        ({"volt": "1"}, "did you mean 'voltage'"),
    ],
)
def test_constants_that_cannot_be_are_said(given: dict[str, str], said: str):
    with pytest.raises(InputError, match=said):
        constants_in_si(given, "t")
