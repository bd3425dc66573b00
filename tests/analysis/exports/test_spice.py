"""The netlist of a run's loop is the circuit that we simulate: ngspice finds the same outputs and the same way there."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from command_line import Shell
from system_packages import NEEDS

from benchmarks._ngspice import NGSPICE, both, in_ngspice, measured, simulated, with_amplifier
from mho import run
from mho.analysis.exports import export
from mho.analysis.exports.spice import FIRST, Amplifier, LoopCircuit, Played, netlist, read_loop
from mho.errors import InputError
from mho.instruments import open_bench
from mho.procedures import Invert, Multiply, Solve
from mho.runs import RunFile

needs_ngspice = pytest.mark.skipif(NGSPICE is None, reason=f"{NEEDS}ngspice; on Debian: apt install ngspice")

Floats = np.ndarray


def matrix(n: int = 4, seed: int = 0) -> Floats:
    return 2.0 * np.eye(n) + 0.5 * np.random.default_rng(seed).standard_normal((n, n))


def loop_of(procedure: Any, folder: Path) -> LoopCircuit:
    run(procedure, "arrays", seed=1, output=folder / "run.h5")
    with RunFile(folder / "run.h5") as file:
        return read_loop(file)


def settled(circuit: LoopCircuit) -> Floats:
    """The outputs in our own simulation."""
    return simulated(circuit, "AD823").settled((circuit.volts * circuit.inputs)[None])[0]


def agree(circuit: LoopCircuit, preset: str, folder: Path) -> None:
    """Hold ngspice to our simulation: DC to 1e-5, settling to 1 %, overshoot to a hundredth of the step."""
    theirs, ours = both(circuit, preset, folder)
    size = np.abs(ours.outputs).max()
    assert np.abs(theirs.outputs - ours.outputs).max() <= 1e-5 * size
    assert np.abs(theirs.response.start - ours.response.start).max() <= 1e-5 * size
    assert np.isclose(theirs.settling, ours.settling, rtol=1e-2)
    assert np.isclose(theirs.response.overshoot, ours.response.overshoot, atol=1e-2)
    assert np.abs(measured(netlist(circuit), folder) - ours.outputs).max() <= 1e-4 * size


@pytest.mark.thorough
@needs_ngspice
@pytest.mark.parametrize(
    ("preset", "given"),
    [
        ("AD823", {"encoding": "differential"}),
        ("AD823", {"encoding": "bias"}),
        ("AD823", {"loop_slices": 2, "loop_targets": "analogue"}),
        ("OPA690", {"encoding": "differential"}),
    ],
    ids=["two arrays", "bias column", "second slice", "feedback capacitors"],
)
def test_ngspice_finds_what_we_simulate(preset: str, given: dict[str, Any], tmp_path: Path) -> None:
    circuit = loop_of(Solve(matrix=matrix(), residual="float64", **given), tmp_path)
    agree(with_amplifier(circuit, preset), preset, tmp_path)


@pytest.mark.thorough
@needs_ngspice
def test_with_resistors_for_the_bias_too(tmp_path: Path) -> None:
    circuit = loop_of(Solve(matrix=matrix(3), residual="float64"), tmp_path)
    bias = np.full(3, 4e-6)
    circuit = replace(circuit, diagonal=circuit.diagonal + 20e-6, bias=bias)
    agree(with_amplifier(circuit, "AD823"), "AD823", tmp_path)


@pytest.mark.thorough
@needs_ngspice
def test_outputs_stop_at_the_clamps(tmp_path: Path) -> None:
    circuit = loop_of(Solve(matrix=matrix(), residual="float64"), tmp_path)
    circuit = replace(circuit, volts=4.0 * circuit.volts)
    expected = settled(circuit)
    assert np.abs(expected).max() == 0.4
    waves = in_ngspice(netlist(circuit), tmp_path).response.outputs
    assert np.abs(waves[-1] - expected).max() <= 1e-3


@pytest.mark.thorough
@needs_ngspice
def test_the_run_s_own_settling_time_is_found(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    run(Invert(conditions="2", size=8, vectors=1), "arrays", preset="ideal", seed=1, output=path)
    with RunFile(path) as file:
        measured = float(file.table("settling")["settling_time"][0])
    written = export(path, "spice", tmp_path / "written.cir").read_text("utf-8")
    assert np.isclose(in_ngspice(written, tmp_path).settling, measured, rtol=1e-2)


@pytest.mark.thorough
@pytest.mark.parametrize("number", [0, 1])
def test_of_several_matrices_each_has_its_own_loop(number: int, inversions: Path) -> None:
    with RunFile(inversions) as file:
        circuit = read_loop(file, Played(rhs=1, matrix=number))
    # The board's resistors are off by 1e-3, its amplifiers' offsets by 0.3 mV, its converters by 0.2 mV.
    assert np.abs(circuit.outputs).max() > 0.1
    assert np.abs(settled(circuit) - circuit.outputs).max() < 5e-3


@pytest.mark.thorough
def test_each_cycle_of_a_solve_has_its_own_inputs(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    run(Solve(matrix=matrix(), rhs=matrix(4, 3), residual="float64"), "arrays", seed=1, output=path)
    found = []
    for played in (Played(), Played(cycle=3), Played(rhs=2, cycle=1)):
        with RunFile(path) as file:
            circuit = read_loop(file, played)
        assert np.abs(settled(circuit) - circuit.outputs).max() < 1e-2
        found.append(circuit.volts)
    assert len(np.unique(found, axis=0)) == 3


@pytest.mark.thorough
def test_a_cell_is_what_was_read_less_the_wires_to_it(tmp_path: Path) -> None:
    file = tmp_path / "bench.toml"
    text = (resources.files("mho.instruments") / "benches/arrays.toml").read_text("utf-8")
    file.write_text(text.replace("nplc = 0.01", "nplc = 10"), "utf-8")  # hardly any noise
    with open_bench(str(file), preset="ideal", seed=1) as bench:
        run(Invert(conditions="2", size=16, vectors=1), bench, seed=1, output=tmp_path / "run.h5")
        with RunFile(tmp_path / "run.h5") as opened:
            circuit = read_loop(opened)
        for block in circuit.blocks:
            held = bench.simulated.chip.block(block.array, circuit.rows, circuit.columns).conductance
            apart = (block.conductance - held).ravel()
            # The meter's offset and gain are in all reads; what is left follows the wire to a cell no more.
            wires = (circuit.rows[:, None] + circuit.columns + 2) * held**2
            parts = np.stack([np.ones(held.size), held.ravel(), wires.ravel()], axis=1)
            *_, ohms = np.linalg.lstsq(parts / parts.max(axis=0), apart, rcond=None)[0] / parts.max(axis=0)
            assert abs(ohms) < 0.1  # of 1.73


@pytest.mark.thorough
def test_a_loop_that_was_shifted_meanwhile_is_the_one_of_its_cycle(tmp_path: Path) -> None:
    # As a solve whose second cycle was played after its loop was programmed again.
    path = tmp_path / "run.h5"
    run(Solve(matrix=matrix(), residual="float64"), "arrays", seed=1, output=path)
    with h5py.File(path, "r+") as file:
        loop, times = file["entry/loop"], file["entry/cycles/time"][:]
        again = {name: np.concatenate([loop[name][:]] * 2) for name in loop}
        again["number"][4:], again["time"][4:] = 1, (times[0] + times[1]) / 2
        again["diagonal"][4:] *= 1.5
        for name, values in again.items():
            del loop[name]
            loop[name] = values
    with RunFile(path) as opened:
        first, second = read_loop(opened, Played(cycle=1)), read_loop(opened, Played(cycle=2))
    np.testing.assert_allclose(second.diagonal, 1.5 * first.diagonal)


@pytest.fixture(scope="module")
def inversions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inversions") / "run.h5"
    run(Invert(conditions="2, 20", size=4, vectors=2), "arrays", preset="ideal", seed=1, output=path)
    return path


def refused(path: Path, played: Played = FIRST) -> str:
    with pytest.raises(InputError) as caught:
        export(path, "spice", path.with_suffix(".cir"), played)
    assert not path.with_suffix(".cir").exists()
    return str(caught.value)


@pytest.mark.thorough
def test_a_loop_that_was_never_programmed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zeros.h5"
    run(Solve(matrix=matrix(), rhs=np.zeros(4), residual="float64"), "arrays", seed=1, output=path)
    assert refused(path).endswith("has no loop to write: it was never programmed (status finished)")


@pytest.mark.thorough
def test_a_matrix_by_blocks_has_no_single_loop(tmp_path: Path) -> None:
    path = tmp_path / "blocks.h5"
    run(Solve(matrix=matrix(8), leaf=4, residual="float64"), "arrays", seed=1, output=path)
    assert "by blocks" in refused(path)


@pytest.mark.thorough
def test_another_procedure_has_no_loop(tmp_path: Path) -> None:
    path = tmp_path / "products.h5"
    run(Multiply(matrix=matrix(), vectors=2), "arrays", seed=1, output=path)
    assert "is a run of Multiply, which keeps no INV loop" in refused(path)


def test_an_older_file_is_answered(inversions: Path, tmp_path: Path) -> None:
    path = tmp_path / "older.h5"
    path.write_bytes(inversions.read_bytes())
    with h5py.File(path, "r+") as file:
        del file["entry/loop"]
    assert "is of an older mho" in refused(path)


@pytest.mark.thorough
def test_what_was_not_played_is_refused(inversions: Path, tmp_path: Path) -> None:
    assert "no inversion of right-hand side 2 by matrix 0" in refused(inversions, Played(rhs=2))
    assert "no inversion of right-hand side 0 by matrix 2" in refused(inversions, Played(matrix=2))
    assert "cycle 1 is of a solve" in refused(inversions, Played(cycle=1))
    path = tmp_path / "solve.h5"
    run(Solve(matrix=matrix(), residual="float64"), "arrays", seed=1, output=path)
    assert "no cycle 40 of right-hand side 0" in refused(path, Played(cycle=40))
    assert "matrix 0 is of bare inversions" in refused(path, Played(matrix=0))


def test_amplifiers_of_a_board_that_is_not_simulated_are_assumed_and_said_so(inversions: Path) -> None:
    with RunFile(inversions) as file:
        circuit = read_loop(file)
    assert "preset" in netlist(circuit)
    assert "ASSUMED" in netlist(replace(circuit, amplifier=Amplifier()))


def test_the_command_writes_it(
    inversions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path / "runs", monkeypatch, capsys)
    for form in (["--spice"], ["--to", "spice"]):
        target = tmp_path / f"{len(form)}.cir"
        status, said, _ = shell("export", inversions, *form, "--matrix", 1, "--rhs", 1, "-o", target)
        assert (status, said) == (0, f"{target}\n")
        assert "right-hand side 1 of matrix 1" in target.read_text("utf-8")
    assert "give one of them" in shell.refused("export", inversions, "--spice", "--to", "csv")
    assert "no form" in shell.refused("export", inversions)
    assert "--rhs would choose" in shell.refused("export", inversions, "--to", "csv", "--rhs", 0)


class Weak:
    def draw_amplifiers(self, count, mode, rng):
        return {"gain": np.full(count, 300.0)}


def test_elements_of_a_users_own_are_named_as_what_a_netlist_cannot_have(tmp_path):
    result = run(
        Solve(matrix=[[0.9, 0.1], [0.2, 0.8]], bits=8),
        "arrays",
        circuit=Weak,
        seed=1,
        output=tmp_path / "own.h5",
    )
    with RunFile(result.path) as file:
        text = netlist(read_loop(file))
    assert (
        f"* WARNING: the run's circuits had {__name__}:Weak, of a user's own, which a netlist cannot have"
        in text
    )
