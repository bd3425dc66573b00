"""What procedures say that they need of a bench is what they use of it, and what a bench misses is told as a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daily import daily
from lacking_benches import take_away, without_chuck
from safety_runs import PROCEDURES, SHORTEST, bench_file
from used_operations import operations_used

from mho import open_bench, run
from mho.errors import BenchError, InputError, RunWarning
from mho.instruments import Bench
from mho.instruments.bench_file import OPERATIONS, load_bench_file
from mho.instruments.bench_file.operations import WITHOUT
from mho.procedures import IV, Form, MapArray, Procedure, Program, Read, Retention, Solve
from mho.procedures.catalogue import find_procedure
from mho.procedures.manifest import describe, entry_of, known_entries
from mho.procedures.needs import abilities, check_entry, check_needs


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bench_file(tmp_path_factory.mktemp("needs"))


def as_used(procedure: Procedure, operations: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a procedure says that it needs, with the gate that a bench with one holds at its pulses.

    No chip here programs itself: write-verify does, with what stands for `program`.
    """
    gated = {"gate"} & {*operations}
    needed = {way for one in procedure.needed() for way in WITHOUT.get(one, (one,))}
    return in_order(needed | gated)


def in_order(operations: Any) -> tuple[str, ...]:
    return tuple(one for one in OPERATIONS if one in operations)


def used(procedure: Procedure, bench: str, *, formed: bool = True) -> tuple[str, ...]:
    """Return what a run uses of a bench, on cells that were formed before, or on virgin ones."""
    with open_bench(bench, seed=1) as opened:
        if formed:
            run(Form(rows="0:2", columns="0:2"), opened, seed=1, output=None)
        with operations_used(opened) as operations:
            run(procedure, opened, seed=1, output=None)
        return operations.all()


@pytest.mark.filterwarnings("ignore::mho.errors.RunWarning")
@pytest.mark.parametrize("name", daily(PROCEDURES, 6))
def test_a_procedure_says_that_it_needs_what_it_uses(bench, name):
    procedure = PROCEDURES[name]()
    operations = used(procedure, bench, formed=name != "form")
    assert as_used(procedure, operations) == operations


FURTHER: dict[str, tuple[str, dict[str, Any], bool]] = {
    "one cell": ("read", {"rows": "0", "columns": "0"}, True),
    "reads in a row": ("read", {"samples": 3}, True),
    "map by single reads": ("map", {"method": "smu"}, True),
    "map of one cell": ("map", {"method": "smu", "rows": "0", "columns": "0"}, True),
    "no blanks": ("noise", {"blanks": 0}, True),
    "retention as the chip is": ("retention", {"temperature": None}, True),
    "retention without blanks": ("retention", {"temperature": None, "blanks": 0}, True),
    "formed first": ("retention", {"temperature": None, "forming": "yes"}, False),
    "no forming without blanks": ("retention", {"temperature": None, "forming": "yes", "blanks": 0}, False),
    "sweeps alone": ("iv", {"blanks": 0}, True),
    "nothing extracted": ("iv", {"extract": False}, True),
    "a gate": ("iv", {"blanks": 0, "gate": 2.0}, True),
    "a gate of one half": ("iv", {"blanks": 0, "lowest": -0.3, "gate_reset": 2.0}, True),
    "bursts": ("endurance", {"cycles": 20, "blanks": 0}, True),
    "single pulses": ("endurance", {"cycles": 20, "blanks": 0, "between": "pulses"}, True),
    "one cell programmed": ("program", {"digits": np.array([[3]])}, True),
    "verified by rows": ("program", {"write_verify": "verify=row"}, True),
    "inverted, verified by rows": ("invert", {"write_verify": "verify=row"}, True),
    "residual in float64": ("solve", {"residual": "float64"}, True),
    "float64, verified by columns": ("solve", {"residual": "float64", "write_verify": "verify=hadamard"}, True),
    "refined half steps": ("factorisation", {"method": "projected"}, True),
    "refined inverses": ("train", {"cycles": "1,2"}, True),
    "all digital": ("train", {"optimiser": "sgd"}, True),
    "half steps, verified by rows": ("factorisation", {"write_verify": "verify=row"}, True),
    "products, verified by rows": ("multiply", {"write_verify": "verify=row"}, True),
    "an application, verified by rows": ("pseudoinverse", {"write_verify": "verify=row"}, True),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::mho.errors.RunWarning")
@pytest.mark.parametrize("case", FURTHER)
def test_parameters_that_ask_for_more_or_less_are_counted(bench, case):
    name, changed, formed = FURTHER[case]
    kind = find_procedure(name)
    procedure = kind(**{key: one for key, one in (SHORTEST[name] | changed).items() if one is not None})
    operations = used(procedure, bench, formed=formed)
    assert as_used(procedure, operations) == operations
    assert set(procedure.needed()) <= {*kind.needs, *kind.may_need}


def test_every_procedure_says_what_it_needs():
    for name, entry in known_entries().items():
        assert entry.needs, name
        assert not {*entry.needs} & {*entry.may_need}, name


def test_on_a_bench_that_offers_everything_no_procedure_is_asked(monkeypatch):
    monkeypatch.setattr(Read, "needed", lambda self: 1 / 0)
    check_needs(Read(), load_bench_file("heated").bench)


def test_what_is_missing_is_said_with_what_could_serve_it(monkeypatch):
    take_away(monkeypatch, "invert", "pulse")
    with pytest.raises(BenchError) as refused:
        check_needs(Solve(residual="float64"), load_bench_file("simulated").bench)
    said = str(refused.value)
    assert said.startswith(
        "Solve cannot run on bench 'simulated': nothing there serves `pulse` (apply voltage pulses"
    )
    assert "nothing there serves `invert`" in said
    assert "a pulse generator and a DAQ and an array board" in said
    assert "mho bench show" in said
    assert said.count("serves") == 2


def test_what_only_a_parameter_asks_for_is_said_with_that_parameter(monkeypatch):
    take_away(monkeypatch, "gate")
    bench = load_bench_file("simulated").bench
    check_needs(IV(), bench)
    with pytest.raises(BenchError, match="IV asks for `gate` where a gate is given"):
        check_needs(IV(gate=2.0), bench)


def test_a_single_cell_needs_no_selection(monkeypatch):
    take_away(monkeypatch, "select")
    bench = load_bench_file("simulated").bench
    check_needs(Read(rows="3", columns="5"), bench)
    check_needs(Program(digits=np.array([[3]])), bench)
    check_needs(MapArray(), bench)
    for procedure in (Read(), Program(digits=np.array([[3, 1]])), MapArray(method="smu")):
        with pytest.raises(BenchError, match="`select`"):
            check_needs(procedure, bench)


def test_a_simulated_chip_without_a_chuck_is_at_any_temperature_and_a_real_one_is_not(tmp_path):
    hot = Retention(temperature=398.15)
    assert load_bench_file("simulated").bench.operations()["temperature"] == "the simulated chip"
    assert load_bench_file("heated").bench.operations()["temperature"] == "chuck"
    check_needs(hot, load_bench_file("simulated").bench)
    lab = load_bench_file(without_chuck(tmp_path)).bench
    check_needs(Retention(), lab)
    with pytest.raises(BenchError, match=r"`temperature` \(heat the stage.*set by hand"):
        check_needs(hot, lab)


def test_cells_are_formed_first_only_where_the_bench_can_and_where_it_is_told_to(monkeypatch, bench):
    take_away(monkeypatch, "pulse")
    monkeypatch.setattr(Bench, "pulse", lambda *arguments: pytest.fail("a pulse"))
    with pytest.warns(RunWarning, match="none of 1 cells was ever formed"):
        run(Retention(rows="0", columns="0", last=2.0), bench, seed=1, output=None)
    with pytest.raises(BenchError, match="`pulse` where forming = yes"):
        run(Retention(rows="0", columns="0", last=2.0, forming="yes"), bench, seed=1, output=None)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"needs": ("raed",)}, "did you mean 'read'"),
        ({"needs": "read"}, "give names of operations"),
        ({"needs": (1,)}, "give names of operations"),
        ({"may_need": {"heat": "always"}}, "'heat', which is no operation of a bench"),
        ({"needed": lambda self, bench: ()}, r"def needed\(self\)"),
    ],
)
def test_needs_that_are_no_operations_are_refused_with_the_class(declared, said):
    with pytest.raises(InputError, match=said):
        type("Own", (Read,), declared)()


def test_an_entry_is_refused_only_for_what_all_its_runs_need(monkeypatch):
    take_away(monkeypatch, "gate", "multiply")
    bench = load_bench_file("simulated").bench
    check_entry(entry_of("retention"), bench)
    with pytest.raises(
        BenchError, match="map cannot run on bench 'simulated': nothing there serves `multiply`"
    ):
        check_entry(entry_of("map"), bench)


def test_the_table_of_a_bench_tells_what_runs_what_does_not_and_what_is_not_known(monkeypatch):
    take_away(monkeypatch, "gate", "invert")
    own = describe("own", type("Own", (Procedure,), {"__doc__": "Own."}))
    entries = [entry_of(name) for name in ("read", "iv", "solve")]
    read, iv, solve, unknown = abilities(load_bench_file("simulated").bench, [*entries, own])
    assert read.words == "can run"
    assert iv.words == "can run, but nothing serves `gate` where a gate is given"
    assert solve.words == "cannot run: nothing serves `gate` or `invert`"
    assert not unknown.declared
    assert unknown.words == "does not say what it needs"
