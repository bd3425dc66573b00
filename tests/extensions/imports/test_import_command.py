"""`mho import` shows what a table seems to hold, asks at a terminal, remembers, and refuses what it is not sure of."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from command_line import Shell
from daily import daily
from foreign_tables import TABLES

from mho.runs import RunFile

AMBIGUOUS = "time (s),G (uS)\n" + "".join(f"{t},{10 + t}\n" for t in (0.0, 1.0, 2.5, 3.0, 4.4))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "runs", monkeypatch, capsys)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch):
    """Sit at a terminal and type lines."""

    def sit(*lines: str) -> None:
        monkeypatch.setattr("mho.extensions.imports.command._at_terminal", lambda: True)
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return sit


def written(folder: Path, kind: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(TABLES.get(kind, lambda: kind)(), encoding="utf-8")
    return path


def kind_of(path: str) -> object:
    with RunFile(path.strip()) as run:
        return run.parameters["type"].value


def said_of(shell: Shell, path: Path, *options: str) -> str:
    """Return why a table is not imported, beside others that were."""
    code, out, err = shell("import", path, *options)
    assert (code, out) == (2, "")
    return err


@pytest.mark.thorough
def test_a_sure_guess_is_taken_where_nobody_sits(shell: Shell, tmp_path: Path):
    code, out, err = shell("import", written(tmp_path, "endurance"))
    assert (code, err) == (0, "")
    assert kind_of(out) == "endurance"
    assert not (tmp_path / "runs" / "import-recipes.toml").exists()  # nobody has said so


@pytest.mark.thorough
def test_what_is_not_sure_is_refused_with_the_options(shell: Shell, tmp_path: Path):
    said = shell.refused("import", written(tmp_path, AMBIGUOUS))
    assert "may be retention" in said
    assert "say --type retention" in said
    assert "--yes for the best guess" in said
    code, out, _ = shell("import", tmp_path / "table.csv", "--yes")
    assert (code, kind_of(out)) == (0, "retention")


@pytest.mark.thorough
def test_the_guess_is_shown_and_taken(shell: Shell, tmp_path: Path, answers):
    answers("")
    code, out, err = shell("import", written(tmp_path, "iv"))
    assert (code, kind_of(out)) == (0, "iv")
    for part in (
        "V1",
        "voltage",
        "I1",
        "current",
        "iv, I-V sweeps",
        "the voltage sweeps up and down",
        "[Y/n/edit]",
    ):
        assert part in err
    assert "are read so from now on" in err


def test_an_answer_of_no_imports_nothing(shell: Shell, tmp_path: Path, answers):
    answers("n")
    code, out, err = shell("import", written(tmp_path, "iv"))
    assert (code, out.strip()) == (130, "")
    assert "nothing was imported" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.thorough
def test_columns_units_and_kind_are_edited(shell: Shell, tmp_path: Path, answers):
    text = "t (s),signal,bias\n" + "".join(f"{k},{1 + 0.01 * (k % 3)},0.2\n" for k in range(40))
    answers(
        "edit", "colum current=signal", "edit", "column current=signal", "edit", "column voltage=bias", "edit",
        "unit current=uA", "edit", "type=noise", "what", "y",
    )  # fmt: skip
    code, out, err = shell("import", written(tmp_path, text))
    assert code == 0, err
    assert "'colum current=signal' is not understood" in err
    assert "answer y, n or edit" in err
    with RunFile(out.strip()) as run:
        assert run.parameters["type"].value == "noise"
        assert run.table("series")["conductance"][0] == pytest.approx(5e-6)


@pytest.mark.thorough
def test_a_constant_is_asked_for(shell: Shell, tmp_path: Path, answers):
    path = written(tmp_path, "time (s),I (uA)\n" + "".join(f"{k},{1 + 0.01 * (k % 3)}\n" for k in range(40)))
    assert "say --constant voltage=0.1V" in shell.refused("import", path)
    answers("", "constant voltage=200mV", "y")
    code, out, err = shell("import", path)
    assert (code, kind_of(out)) == (0, "noise"), err
    code, out, err = shell("import", path)  # remembered with its constant
    assert code == 0
    with RunFile(out.strip()) as run:
        assert run.table("series")["conductance"][0] == pytest.approx(5e-6)


@pytest.mark.thorough
def test_what_was_told_is_remembered_and_forgotten(shell: Shell, tmp_path: Path):
    path = written(tmp_path, AMBIGUOUS)
    code, out, err = shell("import", path, "--type", "noise")
    assert (code, kind_of(out), err) == (0, "noise", "")
    other = written(tmp_path, AMBIGUOUS.replace("4.4", "5.5"), "later.csv")
    code, out, err = shell("import", other)
    assert (code, kind_of(out)) == (0, "noise")
    assert "later.csv is read as noise, as told before; --forget guesses anew" in err
    code, _, err = shell("import", other, "--forget", "--yes", "--dry-run")
    assert code == 0
    assert "forgot" in err
    code, _, err = shell("import", other)
    assert code == 2
    assert "which is not sure" in err


def test_a_dry_run_shows_and_writes_nothing(shell: Shell, tmp_path: Path):
    code, out, err = shell("import", written(tmp_path, "noise"), "--dry-run")
    assert (code, out) == (0, "")
    for part in ("Time (s)", "Current (uA)", "fields apart by commas", "noise, noise", "kept as it is"):
        assert part in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.thorough
def test_recipes_are_listed_and_used(shell: Shell, tmp_path: Path):
    code, out, _ = shell("import", "--recipes")
    assert code == 0
    assert "radar-forming" in out
    assert "exptdata/misc/forming/data/form-*.csv" in out
    (tmp_path / "form.csv").write_text("121.0\t2.0\t3.2\t5945.563\t1.0\n122.0\t2.0\t2.9\t5306.679\t1.0\n")
    code, out, _ = shell("import", tmp_path / "form.csv", "--recipe", "radar-forming")
    assert (code, kind_of(out)) == (0, "form")
    assert "there is no recipe 'radar'" in shell("import", tmp_path / "form.csv", "--recipe", "radar")[2]


@pytest.mark.thorough
def test_a_known_header_is_read_by_its_packaged_recipe(shell: Shell, tmp_path: Path):
    head = "session\nMon\nWordline,Bitline,Resistance,Amplitude (V),Pulse width (s),Tag,ReadTag,ReadVoltage\n"
    path = written(tmp_path, head + "1,2,15000.0,0.5,0.0,S R2,S R2,0.5\n1,3,12000.0,0.5,0.0,S R2,S R2,0.5\n")
    code, out, err = shell("import", path)
    assert code == 0, err
    with RunFile(out.strip()) as run:
        assert run.map("conductance")[0].tolist() == pytest.approx([1 / 15000, 1 / 12000])


@pytest.mark.parametrize(
    ("arguments", "said"),
    daily(
        [
            (("--type", "ivv"), "no kind of measurement is called 'ivv'"),
            (("--column", "voltage"), "write NAME=VALUE"),
            (("--column", "voltage=nope"), "has no column 'nope' for voltage; it has V1, I1"),
            (
                ("--column", "voltage=V1", "--column", "current=V1"),
                "column 'V1' is said to be voltage and current",
            ),
            (("--unit", "current=blips"), "'blips' is no unit"),
            (("--unit", "current=V"), "column 'I1' is in V, and current has the unit A"),
            (("--constant", "voltage=high"), "write a number and its unit"),
        ],
        3,
    ),
)
def test_wrong_options_are_answered_in_one_sentence(
    shell: Shell, tmp_path: Path, arguments: tuple[str, ...], said: str
):
    assert said in shell.refused("import", written(tmp_path, "iv"), *arguments)


def test_a_table_must_be_named(shell: Shell):
    assert "name a table to import" in shell.refused("import")


def test_columns_that_say_nothing_are_shown_with_the_options(shell: Shell, tmp_path: Path):
    said = shell.refused(
        "import", written(tmp_path, "foo,bar\n" + "".join(f"{k},{k % 3}\n" for k in range(9)))
    )
    assert "its columns foo, bar tell no kind of measurement" in said
    assert "--type iv --column voltage=" in said


COMMAS = "row;col;R (Ohm)\n" + "".join(f"{k // 4};{k % 4};{k + 1},500\n" for k in range(16))


@pytest.mark.thorough
def test_a_doubtful_comma_is_asked_for_and_what_was_said_is_remembered(shell: Shell, tmp_path: Path):
    table = written(tmp_path, COMMAS)
    assert "the comma in 1,500 may be a decimal mark or part thousands" in shell.refused("import", table)
    assert "the decimal mark is 'dot'; say comma or point" in shell.refused(
        "import", table, "--decimal", "dot"
    )
    code, out, _ = shell("import", table, "--decimal", "point")
    assert code == 0
    code, again, err = shell("import", table)
    assert (code, "as told before" in err) == (0, True)
    for path in (out, again):
        with RunFile(path.strip()) as run:
            assert run.map("conductance")[0, 0] == pytest.approx(1 / 1500)


def test_lines_that_are_left_out_are_said(shell: Shell, tmp_path: Path):
    table = written(tmp_path, TABLES["endurance"]() + "\nAverage;5,1;150,0\n")
    code, _, err = shell("import", table)
    assert (code, "1 line of statistics below the values left out: Average in line" in err) == (0, True)


@pytest.mark.thorough
def test_which_array_and_what_it_counts_is_said(shell: Shell, tmp_path: Path):
    np.savez(tmp_path / "t.npz", G=1e-6 * np.arange(1.0, 97.0).reshape(2, 12, 2, 2), t=np.zeros(3))
    assert "arrays of several shapes: G (2 x 12 x 2 x 2), t (3)" in shell.refused(
        "import", tmp_path / "t.npz"
    )
    assert "say what they count" in shell.refused("import", tmp_path / "t.npz", "--dataset", "G")
    said = (
        "--dataset",
        "G",
        "--axes",
        "cycle,pulse,column,row",
        "--type",
        "response",
        "--column",
        "pulse=pulse",
    )
    code, out, err = shell("import", tmp_path / "t.npz", *said)
    assert (code, err) == (0, "")
    with RunFile(out.strip()) as run:
        assert run.length("responses") == 96
        assert run.table("responses")["repeat"][-1] == 1


def test_a_unit_that_can_hardly_be_meant_is_said(shell: Shell, tmp_path: Path):
    volts = [*range(12), *range(12, -1, -1)]
    table = written(tmp_path, "".join(f"{v / 10},{v * 40}\n" for v in volts))
    assert "480 A is no cell's; say --unit current=uA" in shell.refused("import", table)


@pytest.mark.thorough
def test_the_number_of_the_line_can_be_a_column(shell: Shell, tmp_path: Path):
    table = written(tmp_path, "G (uS)\n" + "".join(f"{k + 1}\n" for k in range(9)))
    code, out, _ = shell("import", table, "--type", "response", "--column", "pulse={line}")
    assert code == 0
    with RunFile(out.strip()) as run:
        assert run.table("responses")["pulse"].tolist() == list(range(9))


DOUBTFUL = "cycle;R_LRS (kOhm);R_HRS (kOhm)\n1;1,234;200,125\n2;1,235;201,444\n3;1,233;202,111\n"
CLEAR = DOUBTFUL.replace("202,111", "202,1")


@pytest.mark.thorough
def test_a_guess_is_not_carried_over_to_another_table(shell: Shell, tmp_path: Path):
    code, _, err = shell("import", written(tmp_path, DOUBTFUL), "--yes")
    assert code == 0
    assert "guessed: type endurance" in err
    assert "decimal comma, of 1,234" in err
    other = written(tmp_path, DOUBTFUL.replace("1,234", "2,345"), "other.csv")
    assert "the comma in 2,345 may be a decimal mark" in said_of(shell, other)
    assert "the comma in 2,345" in said_of(shell, other, "--type", "endurance")


@pytest.mark.thorough
def test_what_the_numbers_of_a_table_prove_is_remembered(shell: Shell, tmp_path: Path):
    code, _, err = shell("import", written(tmp_path, CLEAR), "--yes")
    assert (code, "proved: decimal comma, by 202,1" in err) == (0, True)
    code, out, err = shell("import", written(tmp_path, DOUBTFUL, "other.csv"))
    assert (code, "as told before" in err) == (0, True)
    with RunFile(out.strip()) as run:
        assert run.table("endurance")["conductance"][0] == pytest.approx(1 / 1234)
        assert any("told: decimal comma" in one.message for one in run.log())
    code, _, err = shell("import", written(tmp_path, DOUBTFUL.replace("202,111", "1,202,111"), "third.csv"))
    assert "1,202,111 in third.csv shows a decimal point, where the table before was read" in err


@pytest.mark.thorough
def test_a_kind_that_was_guessed_is_guessed_anew(shell: Shell, tmp_path: Path):
    assert shell("import", written(tmp_path, AMBIGUOUS), "--yes")[0] == 0
    other = written(tmp_path, AMBIGUOUS.replace("4.4", "5.5"), "later.csv")
    assert "which is not sure" in said_of(shell, other)


@pytest.mark.thorough
def test_kinds_of_a_memory_that_held_guesses_are_asked_again(shell: Shell, tmp_path: Path):
    assert shell("import", written(tmp_path, AMBIGUOUS), "--type", "noise")[0] == 0
    memory = tmp_path / "runs" / "import-recipes.toml"
    memory.write_text(memory.read_text("utf-8").replace("version = 2\n", ""), "utf-8")
    assert "which is not sure" in said_of(shell, tmp_path / "table.csv")


@pytest.mark.thorough
def test_the_comma_is_asked_for_at_a_terminal(shell: Shell, tmp_path: Path, answers):
    answers("y", "dot", "point")
    code, out, err = shell("import", written(tmp_path, DOUBTFUL))
    assert code == 0, err
    assert "answer comma or point" in err
    with RunFile(out.strip()) as run:
        assert run.table("endurance")["conductance"][0] == pytest.approx(1 / 1234e3)
    code, out, err = shell("import", tmp_path / "table.csv")  # the answer was told
    assert (code, "as told before" in err) == (0, True)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("constant", "said"),
    [
        ("voltage=1e999V", "voltage is '1e999V'; write a number"),
        ("voltage=1000V", "1000V is a voltage of 1000 V, which is not between -200 and 200 V"),
        ("voltage=nanV", "write a number and its unit"),
        ("read_voltage=0V", "at which a cell has no conductance"),
        ("temperature=-5", "a temperature of -5 K, which is not between 0.001 and 3000 K"),
        (f"voltage={'9' * 100_000}", "write a number and its unit"),
    ],
)
def test_a_constant_that_no_bench_has_is_refused(shell: Shell, tmp_path: Path, constant: str, said: str):
    path = written(tmp_path, "time (s),I (uA)\n" + "".join(f"{k},{1 + 0.01 * (k % 3)}\n" for k in range(40)))
    assert said in shell.refused("import", path, "--type", "noise", "--constant", constant)
