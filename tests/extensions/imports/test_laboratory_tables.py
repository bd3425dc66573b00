"""Tables in the styles of laboratories' programs are taken for what they are, and read with the right numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.imports import guess
from mho.extensions.imports.extraction import import_measurement
from mho.runs import RunFile

UP_DOWN = [0.05 * k for k in [*range(30), *range(30, -1, -1)]]
TIMES = [1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 300.0, 1000.0]


def lines(head: str, row: Callable[[int, float], str], over: list[float] = UP_DOWN) -> str:
    return head + "".join(row(k, one) + "\n" for k, one in enumerate(over))


def comma(text: str) -> str:
    return text.replace(".", ",")


RETENTION = "retention", "conductance"
IV = "iv", "current"
SECOND = 1
"""Of the tables below the second value of the column is told: kind, column, value."""

LABORATORY = {
    "a swept gate alone": (
        lines("Vg (V);I [uA]\n", lambda k, v: comma(f"{v:.2f};{2 * v:.3f}")), *IV, 1e-7,
    ),
    "an emitter": (lines("Vbe,Ibe,absI\n", lambda k, v: f"{v:.2f},{2e-6 * v:.3e},{2e-6 * v:.3e}"), *IV, 1e-7),
    "columns that MATLAB calls": (lines("Var1,Var2\n", lambda k, v: f"{v:.2f},{2e-6 * v:.3e}"), *IV, 1e-7),
    "units in savetxt's header": (
        lines("# Voltage (V) Current (uA)\n", lambda k, v: f"{v:.2e} {2 * v:.3e}"), *IV, 1e-7,
    ),
    "LabVIEW's empty comments": (
        lines(
            "Separator\tTab\n***End_of_Header***\t\n\nX_Value\tVoltage\tCurrent\tComment\n",
            lambda k, v: comma(f"{k}.0\t{v:.3f}\t{2e-6 * v:.3e}\t"),
        ), *IV, 1e-7,
    ),
    "Origin's names, units and comments": (
        lines("A\tB\tC\nU\tI\tI\nV\tuA\tuA\n\tcycle 1\tcycle 2\n", lambda k, v: f"{v:.2f}\t{2 * v:.3f}\t{3 * v:.3f}"),
        *IV, 1e-7,
    ),
    "cells with units": (
        lines("time/h\tcell 1 (kOhm)\tcell 2 (kOhm)\n", lambda k, t: f"{t}\t10\t{20 + k}", TIMES), *RETENTION, 1e-4,
    ),
    "cells by letters": (
        lines("t [s];device A [Ohm];device B [Ohm]\n", lambda k, t: f"{t};10000;{20 + k}", TIMES), *RETENTION, 1e-4,
    ),
    "cells by their size": (
        lines(",time_s,cell_0,cell_1\n", lambda k, t: f"{k},{t},1e-4,{2e-5}", TIMES), *RETENTION, 1e-4,
    ),
    "states of a cell": (
        lines("Time (s),D1_LRS,D1_HRS\n", lambda k, t: f"{t},10000,{200000 + k}", TIMES), *RETENTION, 1e-4,
    ),
    "dates": (
        lines("datetime,R (ohm)\n", lambda k, t: f"2020-01-{1 + k * k:02d} 12:00:00,10000", TIMES[:6]), *RETENTION, 1e-4,
    ),
    "states alone": (lines("cycle,LRS,HRS\n", lambda k, v: f"{k + 1},1e4,2e5"), "endurance", "conductance", 1e-4),
    "Ron and Roff": (
        lines("# cycles;Ron [Ohm];Roff [Ohm]\n", lambda k, v: f"{k + 1};1e4;2e5"), "endurance", "conductance", 1e-4,
    ),
    "a numbered pulse": (
        lines("Pulse #,G (S)\n", lambda k, v: f"{k + 1},{1e-6 * (k + 1)}"), "response", "conductance", 2e-6,
    ),
    "curves of error rates": (
        lines("SNR (dB),ZF,INV\n", lambda k, v: f"{k},{0.5 / (k + 1)},0.1", UP_DOWN[:8]), "ber", "ber", 0.25,
    ),
    "word and bit lines": (
        lines("WL,BL,R (kOhm)\n", lambda k, v: f"{k // 4 + 1},{k % 4 + 1},10", UP_DOWN[:16]), "reads", "conductance", 1e-4,
    ),
    "labels of lines": (
        "WL/BL,BL0,BL1,BL2\n" + "".join(f"WL{k},1e-5,2e-5,3e-5\n" for k in range(4)), "reads", "conductance", 1e-5,
    ),
    "targets": (
        lines("cell,pulse_no,pulse_type,V (V),G (uS),G_target (uS)\n",
              lambda k, v: f"{k // 5},{k % 5},{'SET' if k % 5 else 'READ'},1.5,{k},20", UP_DOWN[:20]),
        "program", "conductance", 1e-6,
    ),
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("style", LABORATORY)
def test_each_is_taken_for_what_it_is(tmp_path: Path, style: str):
    text, kind, column, second = LABORATORY[style]
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    found = guess(path)
    assert (found.best.measurement.name, found.sure) == (kind, True), found.best.reasons
    with RunFile(import_measurement(path, found.best.reading, tmp_path / "t.h5")) as run:
        values = run.table(found.best.measurement.table)[column]
        assert values[SECOND] == pytest.approx(second)


@pytest.mark.parametrize("name", ["log10(I) (A)", "log|I| (A)", "ln(I)", "log_I (A)"])
def test_a_logarithm_is_no_current(tmp_path: Path, name: str):
    path = tmp_path / "t.csv"
    path.write_text(lines(f"V (V),{name}\n", lambda k, v: f"{v},{-6 + v}"))
    assert guess(path).best.assignment is None


def test_a_header_of_which_the_number_sign_is_a_name_is_one(tmp_path: Path):
    path = tmp_path / "t.tsv"
    path.write_text(
        lines(
            "#\tAddr\tOp\tPW[ns]\tR[kOhm]\n",
            lambda k, v: f"{k}\t{k // 9}\t{'SET' if k % 9 else 'READ'}\t100\t10",
        )
    )
    assert guess(path).best.measurement.name == "program"


def test_a_lone_voltage_is_said_to_be_the_only_one(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text(LABORATORY["a swept gate alone"][0])
    assert "'Vg (V)' is the only voltage" in guess(path).best.reasons


def test_a_gate_that_stands_still_is_no_sweep(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text(lines("Vg (V),I (A)\n", lambda k, v: f"1.5,{1e-6 * k}"))
    assert guess(path).best.assignment is None


def test_both_states_of_a_retention_are_cells_apart(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text(
        lines("t (s),D1_LRS (ohm),D1_HRS (ohm),D2_LRS (ohm)\n", lambda k, t: f"{t},1e4,1e5,2e4", TIMES)
    )
    found = guess(path).best
    with RunFile(import_measurement(path, found.reading, tmp_path / "t.h5")) as run:
        assert run.map("conductance")[:, 0] == pytest.approx([1e-4, 1e-5, 5e-5])


def test_a_ramp_from_0_volts_above_a_meters_noise_forms_where_the_cell_conducts(tmp_path: Path):
    path = tmp_path / "t.csv"
    ramps = [
        f"{cell},{0.1 * k:.1f},{1e-4 if 0.1 * k > 1.95 + 0.1 * cell else 1e-13 * (1 + 40 * (k % 2)):.2e}\n"
        for cell in range(4)
        for k in range(21 + cell)
    ]
    path.write_text("Device,V (V),I (A)\n" + "".join(ramps))
    with RunFile(import_measurement(path, guess(path).best.reading, tmp_path / "t.h5")) as run:
        assert run.parameters["type"].value == "form"
        assert run.map("forming_voltage")[:, 0] == pytest.approx([2.0, 2.1, 2.2, 2.3])


@pytest.mark.thorough
def test_a_long_retention_keeps_256_maps(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text(lines("t (s),G (uS)\n", lambda k, v: f"{k},{k + 1}", [0.0] * 1000))
    found = guess(path, kinds=["retention"]).best
    with RunFile(import_measurement(path, found.reading, tmp_path / "t.h5")) as run:
        assert len(run.map_times("conductance")) == 256
        assert run.map("conductance")[0, 0] == pytest.approx(1e-3)


def test_curves_of_error_rates_are_told_apart_in_the_figure(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text(LABORATORY["curves of error rates"][0])
    with RunFile(import_measurement(path, guess(path).best.reading, tmp_path / "t.h5")) as run:
        (figure,) = [one for one in run.figures if one.name == "ber"]
        assert figure.by in ("sweep", ("sweep",))
        assert [one.message for one in run.log()][:2] == ["'ZF': sweep 0", "'INV': sweep 1"]


@pytest.mark.thorough
@pytest.mark.parametrize("branches", ["wide", "long"])
def test_potentiation_and_depression_are_two_curves(tmp_path: Path, branches: str):
    path = tmp_path / "t.csv"
    wide = "Pulse #,Potentiation (uS),Depression (uS)\n" + "".join(
        f"{k},{k + 1},{60 - k}\n" for k in range(1, 20)
    )
    long = "Pulse number,Type,G (uS)\n" + "".join(
        f"{k},{word},{one}\n" for k in range(1, 20) for word, one in (("LTP", k + 1), ("LTD", 60 - k))
    )
    path.write_text(wide if branches == "wide" else long)
    with RunFile(import_measurement(path, guess(path).best.reading, tmp_path / "t.h5")) as run:
        curve = run.table("curve")
        assert curve["median"][curve["kind"] == 1] == pytest.approx(1e-6 * np.arange(2, 21))
        assert curve["median"][curve["kind"] == 2] == pytest.approx(1e-6 * np.arange(59, 40, -1))


def test_rows_and_columns_of_a_bare_matrix_count_from_0(tmp_path: Path):
    path = tmp_path / "t.txt"
    path.write_text("".join("1e-5 2e-5 3e-5 4e-5\n" for _ in range(4)))
    with RunFile(
        import_measurement(path, guess(path, kinds=["reads"]).best.reading, tmp_path / "t.h5")
    ) as run:
        reads = run.table("reads")
        assert (set(reads["row"]), set(reads["column"])) == ({0, 1, 2, 3}, {0, 1, 2, 3})


@pytest.mark.parametrize("head", ["V,I (9**9**9**9)", "V,I (9^9^9", "V,I ((A"])
def test_a_header_that_is_no_unit_is_named_at_once(tmp_path: Path, head: str):
    path = tmp_path / "t.csv"
    path.write_text(lines(f"{head}\n", lambda k, v: f"{v},{v}"))
    found = guess(path)
    assert found.best.assignment is None or "I" in found.headers[1].text


def test_a_spreadsheet_is_to_be_saved_as_csv(tmp_path: Path):
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(
        InputError, match="is a spreadsheet or an archive, no text; save the table in it as CSV"
    ):
        guess(path)
