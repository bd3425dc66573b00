"""A value that was not given is None, and 0 is 0: on the bench, in the run file, in a form, and in files of old."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from command_line import made_of_words
from daily import daily
from safety_runs import SHORTEST, TRAINING

from mho import run
from mho.chip_maps.matrix_files import load_right_hand_sides
from mho.errors import InputError
from mho.instruments import open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Read, Sweep
from mho.procedures.catalogue import make_procedure
from mho.procedures.manifest import known_entries
from mho.running.continuing import rerun
from mho.running.queue.orders import order_of_run
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
    """Return the word-line voltages of a sweep alone: nothing is formed before, and no blanks are read."""
    with open_bench(seed=1) as bench:
        seen: set[float] = set()
        hold = bench.instruments.gate.hold
        bench.instruments.gate.hold = lambda volts: (seen.add(volts), hold(volts))[1]
        given = {} if path.name == "none" else {"gate": 0.0}
        run(Sweep(**SMALL, **given, forming="no", blanks=0), bench, output=path.parent)
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
    for name, entry in known_entries().items()
    for key, parameter in entry.parameters.items()
    if parameter.kind in ("float", "integer") and parameter.default is None
]


def test_the_optional_numbers_are_found():
    assert {("iv", "gate"), ("read", "read_voltage"), ("solve", "tolerance")} <= set(NUMBERS)


APPLICATIONS = sorted(name for name, entry in known_entries().items() if entry.group == "Applications")


def shortest(name: str) -> dict[str, Any]:
    return {
        "solve": {"matrix": np.array([[2.0, 1.0], [0.0, 1.0]]), "bits": 4, "max_cycles": 3},
        "program": {"digits": np.array([[0, 7], [5, 6]])},
        "refresh": {"digits": np.zeros((2, 2), np.int64)},
        "multiply": {"matrix": np.array([[3.0, -2.0]]), "bits": 3, "vectors": 1, "shots": 2},
        "invert": {"matrix": np.array([[2.0, 1.0], [0.0, 1.0]]), "vectors": 1},
        "retention": {**CELLS, "last": 2.0},
        **{one: SHORTEST[one] for one in APPLICATIONS},
        "train": TRAINING,
    }.get(name, CELLS)


EVERY = [
    (name, key, parameter)
    for name, entry in known_entries().items()
    for key, parameter in entry.parameters.items()
    if parameter.kind in ("float", "integer")
]
ZEROES = [(name, key) for name, key, parameter in EVERY if parameter.minimum <= 0 <= parameter.maximum]


@pytest.mark.parametrize(
    ("name", "key"), daily(ZEROES, [("contact", "gate_off"), ("program", "passes"), ("read", "read_voltage")])
)
def test_zero_is_zero_in_script_words_and_file_for_every_number_or_is_refused(name, key, tmp_path):
    procedure = make_procedure(name, {**shortest(name), key: 0.0})
    files = {"solve": ["a.mtx"], "multiply": ["a.mtx"], "program": ["a.npy"]}.get(name, [])
    typed = made_of_words(name, [*files, f"--{key.replace('_', '-')}", "0"])
    assert [getattr(one, key) for one in (procedure, typed)] == [0, 0]
    try:
        run(procedure, seed=1, output=tmp_path / "zero.h5")
    except InputError as refused:
        said = str(refused)
    else:
        with RunFile(tmp_path / "zero.h5") as file:
            kept = file.parameters[key]
            said = key if (kept.value, kept.origin, file.given[key]) == (0.0, "", 0.0) else ""
    assert key in said


@pytest.mark.parametrize("name", known_entries())
def test_a_number_that_is_not_given_is_none_or_the_default_that_its_form_shows(name):
    procedure = make_procedure(name, {})
    numbers = {key: parameter.default for kind, key, parameter in EVERY if kind == name}
    assert {key: getattr(procedure, key) for key in numbers} == numbers


# For each number that may be 0: what a run shows where 0 is used as 0, and does not show by its default or otherwise.
USED: dict[tuple[str, str], Callable[[Any, RunFile], bool]] = {
    ("program", "row"): lambda result, file: file.cells.startswith("multiply[0:2,"),
    ("program", "column"): lambda result, file: file.cells.endswith(", 0:2]"),
    ("program", "passes"): lambda result, file: result.summary["reads"] == result.summary["pulses"] + 4,
    ("refresh", "row"): lambda result, file: file.cells.startswith("multiply[0:2,"),
    ("refresh", "column"): lambda result, file: file.cells.endswith(", 0:2]"),
    ("refresh", "wait"): lambda result, file: result.summary["virtual_seconds"] < 100.0,
    ("read", "interval"): lambda result, file: result.times[1] - result.times[0] < 1.0,
    ("contact", "gate_off"): lambda result, file: (
        result.summary["unformed"] == 2
    ),  # else on in both reads: open
    ("retention", "age"): lambda result, file: result.summary["age"] == 0.0,
    ("iv", "highest"): lambda result, file: result.voltages.max() == 0.0,
    ("iv", "lowest"): lambda result, file: result.voltages.min() == 0.0,
    ("iv", "delay"): lambda result, file: result.summary["virtual_seconds"] < 10.0,
    **{
        (name, "blanks"): lambda result, file: "formed_first" not in file.summary
        for name in ("iv", "response", "switching", "endurance", "disturb", "noise", "retention")
    },
    ("map", "sure"): lambda result, file: file.summary["formed_above"] == 0.1e-6,
    ("solve", "wait"): lambda result, file: result.summary["virtual_seconds"] < 100.0,
    ("solve", "seed"): lambda result, file: np.array_equal(
        file.array("rhs"), load_right_hand_sides("random", 2, np.random.default_rng(0))
    ),
    ("multiply", "wait"): lambda result, file: result.summary["virtual_seconds"] < 100.0,
    ("multiply", "seed"): lambda result, file: np.array_equal(
        file.array("vectors")[0], load_right_hand_sides("random", 2, np.random.default_rng(0))
    ),
    ("invert", "wait"): lambda result, file: result.summary["virtual_seconds"] < 100.0,
    ("invert", "seed"): lambda result, file: np.array_equal(
        file.array("rhs")[0], load_right_hand_sides("random", 2, np.random.default_rng(0))
    ),
    ("invert", "steps"): lambda result, file: "settling_time" not in result.summary,
    ("solve", "tolerance"): lambda result, file: (
        result.summary["tolerance"] == 0.0 and result.summary["bits_asked"] is None
    ),
}
if APPLICATIONS:
    from zero_in_applications import USED_IN_APPLICATIONS

    USED |= USED_IN_APPLICATIONS
OTHERWISE: dict[str, float] = {
    "row": 3, "column": 3, "passes": 2, "interval": 10.0, "highest": 0.3, "lowest": -0.2, "delay": 10.0,
    "wait": 1000.0, "seed": 7, "tolerance": 0.5, "steps": 3, "age": 60.0,
    "gate_off": 1.0, "shared": 0.5, "gap": 1, "scenarios": 2, "spread": 0.5, "shift": 0.3,
    "moved": 10.0, "momentum": 0.5, "blanks": 8, "sure": 8.0,
}  # fmt: skip
REFUSED = {
    ("read", "read_voltage"),
    ("noise", "read_voltage"),
    ("map", "read_voltage"),
    ("retention", "temperature"),
    *(
        (name, key)
        for name, key in [("junction", "acceptors"), ("junction", "donors")]
        if name in APPLICATIONS
    ),
}
ABOVE = {*REFUSED, ("iv", "gate"), ("refresh", "passes"), ("form", "blanks")}
"""Those are refused at 0; of the others one is looked for at the word line above, one in cells/programming, one in
cells/switching: it counts for a threshold that is given."""


def test_every_number_that_may_be_0_is_looked_at_where_it_is_used():
    assert set(USED) | ABOVE == set(ZEROES)


@pytest.mark.parametrize(
    ("name", "key"), daily(USED, [("contact", "gate_off"), ("map", "sure"), ("read", "interval")])
)
def test_zero_is_used_as_zero(name, key, tmp_path):
    shown = []
    beside = {"repeats": 2} if key == "interval" else {"lowest": -0.1} if key == "highest" else {}
    for value in (0, OTHERWISE[key]):
        procedure = make_procedure(name, {**shortest(name), **beside, key: value})
        with open_bench(preset="relaxing", seed=1) as bench:
            result = run(procedure, bench, seed=1, output=tmp_path / f"{value}.h5")
        with RunFile(tmp_path / f"{value}.h5") as file:
            shown.append(USED[name, key](result, file))
    assert shown == [True, False]


@pytest.mark.parametrize(
    ("name", "key"),
    daily(NUMBERS, [("read", "read_voltage"), ("form", "over_formed"), ("switching", "set_gate")]),
)
def test_what_is_left_out_is_none_and_its_value_in_use_is_in_the_file(name, key, tmp_path):
    assert getattr(make_procedure(name, {key: None}), key) is None
    words = ["a.mtx"] if name in ("solve", "multiply") else ["--rows", "0", "--columns", "0"]
    words = [] if name in APPLICATIONS else words
    assert getattr(made_of_words(name, words), key) is None
    run(make_procedure(name, shortest(name)), seed=1, output=tmp_path / "run.h5")
    with RunFile(tmp_path / "run.h5") as file:
        assert file.parameters[key].value is not None
        assert file.parameters[key].origin


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "key"), [(Sweep, "gate"), (Read, "read_voltage")])
def test_a_run_of_version_1_is_repeated_as_it_was(kind, key, tmp_path):
    given = SMALL | {"extract": False} if kind is Sweep else CELLS  # a sweep of then extracted nothing
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
