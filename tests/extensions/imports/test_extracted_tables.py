"""Tables of what was extracted already, by cycle or level; and what stands above, beside and below values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mho.analysis import plot
from mho.errors import InputError
from mho.extensions.imports import guess
from mho.extensions.imports.extraction import import_measurement
from mho.extensions.imports.tables import TextTable
from mho.runs import RunFile


def imported(folder: Path, text: str, kind: str) -> RunFile:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    found = guess(path)
    assert (found.best.measurement.name, found.sure) == (kind, True), found.best.reasons
    return RunFile(import_measurement(path, found.best.reading, folder / "t.h5"))


@pytest.mark.thorough
def test_set_and_reset_voltages_by_cycle_are_loops(tmp_path: Path):
    rows = "".join(f"{k + 1},{1.2 + 0.01 * k:.2f},{-1.0 - 0.01 * k:.2f},5,200\n" for k in range(20))
    with imported(
        tmp_path, "Cycle,Vset (V),Vreset (V),R_LRS (kOhm),R_HRS (kOhm)\n" + rows, "switching"
    ) as run:
        loops = run.table("loops")
        assert loops["cycle"].tolist() == list(range(1, 21))
        assert loops["v_set"][:2] == pytest.approx([1.2, 1.21])
        assert loops["v_reset"][:2] == pytest.approx([-1.0, -1.01])
        assert loops["lrs"][0] == pytest.approx(2e-4)
        assert loops["window"][0] == pytest.approx(40.0)
        assert {one.name for one in run.figures} == {"set_voltage", "reset_voltage", "states", "window"}
    assert plot([tmp_path / "t.h5"], tmp_path / "all.png", "").stat().st_size > 5000


def test_reset_voltages_alone_are_numbered(tmp_path: Path):
    with imported(
        tmp_path, "cycle,V_RESET (V)\n" + "".join(f"{k},-1.1\n" for k in range(9)), "switching"
    ) as run:
        assert run.table("loops")["cycle"].tolist() == list(range(9))
        assert [one.name for one in run.figures] == ["reset_voltage"]


def test_an_amplitude_called_v_set_stays_one(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("pulse number,Vset (V),G (uS)\n" + "".join(f"{k},1.5,{k}\n" for k in range(1, 12)))
    assert guess(path).best.measurement.name == "response"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("head", "row", "count"),
    [
        ("Level,Mean (uS),Std (uS),N\n", "{k},{g},0.5,256\n", True),
        ("level;R_mean (kOhm);R_std (kOhm)\n", "{k};{r:.6f};{s:.8f}\n", False),
        (
            ",conductance,conductance,conductance\n,mean,std,count\nlevel,,,\n",
            "{k},{g}e-6,0.5e-6,256\n",
            True,
        ),
    ],
)
def test_means_and_deviations_by_level(tmp_path: Path, head: str, row: str, count: bool):
    rows = [
        row.format(k=k, g=5 + 10 * k, r=1e3 / (5 + 10 * k), s=500.0 / (5 + 10 * k) ** 2) for k in range(8)
    ]
    with imported(tmp_path, head + "".join(rows), "levels") as run:
        levels = run.table("levels")
        assert levels["mean"] == pytest.approx(1e-6 * (5 + 10 * np.arange(8)), rel=1e-5)
        assert levels["deviation"] == pytest.approx([5e-7] * 8, rel=1e-4)
        assert levels["low"][1] == pytest.approx(1.45e-5, rel=1e-5)
        assert ("count" in levels) == count
        assert [one.name for one in run.figures] == ["levels", "deviations"]
    assert plot([tmp_path / "t.h5"], tmp_path / "all.png", "").stat().st_size > 5000


def test_a_deviation_beside_a_retention_is_no_second_conductance(tmp_path: Path):
    rows = "".join(f"{10**k},{50 - k},2\n" for k in range(6))
    with imported(tmp_path, "time (s),mean (uS),std (uS)\n" + rows, "retention") as run:
        assert run.table("reads")["conductance"][0] == pytest.approx(5e-5)


def header(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "t.csv"
    path.write_text(text)
    return TextTable(path).form.header


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (",cell_1,cell_1,cell_2,cell_2\n,V,I,V,I\n", ("", "cell_1 V", "cell_1 I", "cell_2 V", "cell_2 I")),
        (
            ",cell_1,cell_1,cell_2,cell_2\n,V,I,V,I\nn,,,,\n",
            ("n", "cell_1 V", "cell_1 I", "cell_2 V", "cell_2 I"),
        ),
        ("n,cell 1,,cell 2,\n,V,I,V,I\n", ("n", "cell 1 V", "cell 1 I", "cell 2 V", "cell 2 I")),
        (",1,1,2,2\n,V,I,V,I\n", ("", "1 V", "1 I", "2 V", "2 I")),
        ("a,b,c,d,e\nn,V,I,W,J\n", ("n", "V", "I", "W", "J")),
    ],
)
def test_lines_of_names_above_one_another_are_one_name(tmp_path: Path, head: str, names: tuple[str, ...]):
    assert header(tmp_path, head + "".join(f"{k},0.1,1e-6,0.2,2e-6\n" for k in range(5))) == names


def test_each_cell_of_such_a_header_is_a_cell(tmp_path: Path):
    volts = [0.1 * k for k in [*range(12), *range(12, -1, -1)]]
    head = ",cell_1,cell_1,cell_2,cell_2\n,V,I,V,I\npoint,,,,\n"
    rows = "".join(f"{k},{v:.1f},{v * 1e-6:.3e},{v:.1f},{v * 2e-6:.3e}\n" for k, v in enumerate(volts))
    with imported(tmp_path, head + rows, "iv") as run:
        sweeps = run.table("sweeps")
        assert sweeps["current"][sweeps["row"] == 1][1] == pytest.approx(2e-7)
        assert run.length("loops") == 2


def test_units_in_columns_of_their_own(tmp_path: Path):
    volts = [0.1 * k for k in [*range(12), *range(12, -1, -1)]]
    head = "Model,2450\n\nIndex,Reading,Unit,Value,Unit\n"
    rows = "".join(f"{k},{v * 2:.3f},uA,{v:.1f},Volt DC\n" for k, v in enumerate(volts))
    with imported(tmp_path, head + rows, "iv") as run:
        assert run.table("sweeps")["current"][1] == pytest.approx(2e-7)
        assert run.table("sweeps")["voltage"][1] == pytest.approx(0.1)


def test_units_that_change_from_line_to_line_are_refused(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("Cell,R,Unit\n0,5.1,kOhm\n1,2.3,MOhm\n")
    with pytest.raises(InputError, match="column 'R' is in MOhm and kOhm by turns"):
        guess(path)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["T (C)", "T_C", "Temp (C)", "temperature (°C)", "T (degC)"])
def test_a_temperature_in_c_is_in_degrees_celsius(tmp_path: Path, name: str):
    text = f"time (h),R (kOhm),{name}\n" + "".join(f"{10**k},{10 + k},125\n" for k in range(5))
    with imported(tmp_path, text, "retention") as run:
        assert run.table("reads")["temperature"][0] == pytest.approx(398.15)


def test_lines_of_statistics_below_are_left_out_and_counted(tmp_path: Path):
    rows = "".join(f"{k + 1},5000,200000\n" for k in range(6))
    with imported(
        tmp_path, f"Cycle,R_LRS,R_HRS\n{rows}\nAverage,5000,2e5\nStd Dev:,0,0\n", "endurance"
    ) as run:
        assert run.length("endurance") == 12
        said = [one.message for one in run.log()]
    assert "2 lines of statistics below the values left out: Average in line 9, Std Dev in line 10" in said


def test_reads_an_hour_apart_are_a_retention(tmp_path: Path):
    text = "time (h),R (kOhm)\n" + "".join(f"{k},{10 + k}\n" for k in range(24))
    with imported(tmp_path, text, "retention") as run:
        assert run.length("reads") == 24
