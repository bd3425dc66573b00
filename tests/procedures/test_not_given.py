"""A value that was not given is None, and 0 is 0: on the bench, in the run file, in a form, and in files of old."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import made_of_words
from pymeasure.experiment import FloatParameter, IntegerParameter

from mho import run
from mho.errors import InputError
from mho.instruments import open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Read, Sweep
from mho.procedures.catalogue import known_procedures, make_procedure
from mho.running.queue.orders import order_of_run
from mho.running.rerun import rerun
from mho.runs import RecordedParameter, RunFile
from mho.runs.integrity.seal import write_seal

CELLS = {"rows": "0:2", "columns": "0"}
SMALL = {**CELLS, "highest": 0.2, "step": 0.1}
BENCH = load_bench_file("simulated").bench.read


def aged(path: Path, name: str) -> Path:
    """Make of a run file one of version 1, in which 0 stood for a parameter that was not given."""
    with h5py.File(path, "r+") as file:
        del file["entry/procedure/version"]
        file["entry/procedure/version"] = np.bytes_(b"1")
        dataset = file[f"entry/procedure/parameters/{name}"]
        dataset[()] = 0.0
        if "origin" in dataset.attrs:
            del dataset.attrs["origin"]
        write_seal(file, {})
    return path


def gates(path: Path) -> set[float]:
    with open_bench(seed=1) as bench:
        seen: set[float] = set()
        hold = bench.instruments.gate.hold
        bench.instruments.gate.hold = lambda volts: (seen.add(volts), hold(volts))[1]
        run(Sweep(**SMALL, **({} if path.name == "none" else {"gate": 0.0})), bench, output=path.parent)
    return seen


def test_a_gate_of_zero_is_zero_on_the_word_line_and_in_the_file(tmp_path):
    assert gates(tmp_path / "zero") <= {0.0}  # where it is when the bench is prepared
    with RunFile(next(tmp_path.glob("*.h5"))) as file:
        assert file.parameters["gate"] == RecordedParameter(
            0.0, "V", "Word-line voltage, the bench's unless given"
        )
        assert file.given["gate"] == 0.0


def test_a_gate_that_is_not_given_is_the_bench_s_and_the_file_says_so(tmp_path):
    assert BENCH.gate in gates(tmp_path / "none")
    with RunFile(next(tmp_path.glob("*.h5"))) as file:
        kept = file.parameters["gate"]
        assert (kept.value, kept.origin) == (BENCH.gate, "the bench's")
        assert "gate" not in file.given


def test_no_cell_is_read_at_zero_volts():
    with pytest.raises(InputError, match="read_voltage is 0 V, at which no current flows"):
        Read(**CELLS, read_voltage=0.0).check()


NUMBERS = [
    (name, key)
    for name, kind in known_procedures().items()
    for key, parameter in kind().form().items()
    if isinstance(parameter, FloatParameter | IntegerParameter) and parameter.default is None
]


def test_the_optional_numbers_are_found():
    assert {("sweep", "gate"), ("read", "read_voltage"), ("solve", "tolerance")} <= set(NUMBERS)


def shortest(name: str) -> dict[str, object]:
    return (
        {"matrix": np.array([[2.0, 1.0], [0.0, 1.0]]), "bits": 4, "max_cycles": 3}
        if name == "solve"
        else CELLS
    )


@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_zero_is_zero_for_every_optional_number_or_is_refused(name, key, tmp_path):
    procedure = make_procedure(name, {**shortest(name), key: 0.0})
    assert getattr(procedure, key) == 0.0
    try:
        run(procedure, seed=1, output=tmp_path / "zero.h5")
    except InputError as refused:
        said = str(refused)
    else:
        with RunFile(tmp_path / "zero.h5") as file:
            kept = file.parameters[key]
        said = key if (kept.value, kept.origin) == (0.0, "") else ""
    assert key in said


@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_what_is_left_out_is_none_and_its_value_in_use_is_in_the_file(name, key, tmp_path):
    assert getattr(make_procedure(name, {key: None}), key) is None
    words = ["a.mtx"] if name == "solve" else ["--rows", "0", "--columns", "0"]
    assert getattr(made_of_words(name, words), key) is None
    result = run(make_procedure(name, shortest(name)), seed=1, output=tmp_path)
    with RunFile(result.path) as file:
        assert file.parameters[key].value is not None
        assert file.parameters[key].origin


@pytest.mark.parametrize(("kind", "key"), [(Sweep, "gate"), (Read, "read_voltage")])
def test_a_run_of_version_1_is_repeated_as_it_was(kind, key, tmp_path):
    given = SMALL if kind is Sweep else CELLS
    first = run(kind(**given), seed=4, output=tmp_path / "first.h5").path
    assert key not in order_of_run(first).parameters
    again = rerun(aged(first, key), output=tmp_path / "again.h5")
    assert again.equal, [one for one in again.compared if not one.equal]
    assert key not in order_of_run(first).parameters


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0], {}, "2 A"])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(InputError, match=r"gate is .*; it must be a number from 0 to 10"):
        Sweep(gate=value)


def test_a_broken_number_is_not_cut_down_to_a_whole_one():
    with pytest.raises(InputError, match=r"cycles is 1.7; it must be a whole number"):
        Sweep(cycles=1.7)
    assert Sweep(cycles=2.0).cycles == 2
