"""Circuits of a user's own in runs: kept with their source, repeated where trusted, stopped if wrong."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from repository import ROOT

import mho
from mho import extension_points
from mho.circuits import amplifier_preset, circuit_elements
from mho.errors import InputError, InstrumentError, MhoError
from mho.instruments import open_bench
from mho.own_code import AGREED
from mho.procedures.conditions import load_conditions
from mho.running.campaign import _conditions
from mho.running.continuing import rerun
from mho.runs import RunFile, Status

PAGE = (ROOT / "docs/your-own-circuit.md").read_text("utf-8")
ADC, *USES = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
BENCHES = ["arrays", "simulated"]
MATRIX = np.eye(2) * 2.0 + 0.3
FOUR = np.array([[4.0, 1.0, 0.0, 0.5], [1.0, 3.0, 0.5, 0.0], [0.0, 0.5, 3.0, 1.0], [0.5, 0.0, 1.0, 4.0]])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MHO_RUNS", str(tmp_path / "runs"))
    Path("sar_adc.py").write_text(ADC, "utf-8")
    return tmp_path


@pytest.fixture
def sar(monkeypatch):
    page = ModuleType("page")  # as a script that a user runs
    monkeypatch.setitem(sys.modules, "page", page)
    exec(compile(ADC, "docs/your-own-circuit.md", "exec"), vars(page))
    return page


def solve(bits: int = 12) -> mho.Solve:
    return mho.Solve(matrix=MATRIX, bits=bits)


def test_what_the_page_shows_runs(folder, sar, capsys):
    for script in USES:
        exec(compile(script, "docs/your-own-circuit.md", "exec"), vars(sar))
    *solves, amplifiers = capsys.readouterr().out.splitlines()
    assert amplifiers == "AD823 and Spread"
    cycles: dict[tuple[str, str], list[int]] = {}
    for bits, mismatch, _, count, converged in map(str.split, solves):
        assert converged == "True"
        cycles.setdefault((bits, mismatch), []).append(int(count))
    assert sum(cycles["12", "0.0"]) < sum(cycles["8", "0.0"]) < sum(cycles["6", "0.0"])
    assert len([line for line in ADC.splitlines() if line]) <= 40


def test_the_page_s_adc_errs_by_half_a_step_at_most_and_by_its_twelfth_root_in_the_mean(sar):
    rng = np.random.default_rng(1)
    for mode, span in (("INVERT", 0.4), ("MULTIPLY", 5.0)):
        volts, step = rng.uniform(-span, span, (500, 40)), 2.0 * span / 2**8
        error = sar.SarAdc(8).sampled(volts, mode, rng) - volts
        assert np.abs(error).max() <= 0.5 * step * (1.0 + 1e-9)
        assert np.sqrt(np.mean(error**2)) == pytest.approx(step / np.sqrt(12.0), rel=0.02)
    ramp = np.linspace(-5.0, 5.0, 20_000)[:, None]
    missing = [256 - len(np.unique(sar.SarAdc(8, one).sampled(ramp, "MULTIPLY", rng))) for one in (0.0, 0.5)]
    assert missing[0] == 0 < missing[1]


@pytest.mark.parametrize("bench", BENCHES)
def test_a_run_keeps_the_source_of_its_circuit_and_is_repeated_where_it_is_trusted(bench, folder):
    first = mho.run(solve(), bench, circuit="sar_adc.py:SarAdc", seed=3, output="a.h5")
    assert first.converged
    with RunFile(first.path) as file:
        kept = file.provenance
    assert kept["circuit"] == "SarAdc"
    assert (kept["circuit_adc_source"], len(kept["circuit_adc_sha256"])) == (ADC, 64)
    assert kept["circuit_adc"] == f"{folder / 'sar_adc.py'}:SarAdc"
    assert '"bits" = 8' in kept["circuit_file"]
    again = rerun(first.path, output="b.h5", trust=lambda code: True)
    assert again.equal, [one for one in again.compared if not one.equal]
    Path("sar_adc.py").write_text(ADC.replace("codes + 0.5", "codes + 0.4"), "utf-8")
    other = rerun(first.path, output="c.h5", trust=lambda code: True)
    assert not other.equal  # it is that code which is run
    assert any("source of the circuit's own" in one and "has changed since" in one for one in other.remarks)


@pytest.mark.parametrize("bench", BENCHES)
def test_numbers_of_an_amplifier_are_repeated_without_a_question(bench, folder):
    weak = amplifier_preset("AD823").but(gain=150.0)
    first = mho.run(solve(), bench, circuit=weak, seed=3, output="a.h5")
    with RunFile(first.path) as file:
        assert "numbers = { gain = 150.0 }" in file.provenance["circuit_file"]
        assert "circuit_amplifier" not in file.provenance
    assert rerun(first.path, output="b.h5").equal
    usual = mho.run(solve(), bench, seed=3, output="c.h5")
    assert first.cycles[0]["relative_error"] > 1.5 * usual.cycles[0]["relative_error"]
    with RunFile(usual.path) as file:
        assert not [one for one in file.provenance if one.startswith("circuit")]


def test_the_numbers_of_an_element_are_those_of_the_object_that_was_given(folder):
    kind = type(circuit_elements("sar_adc.py:SarAdc").adc)
    first = mho.run(
        solve(), "arrays", circuit=[kind(10, noise=1e-3), amplifier_preset("OPA690")], seed=3, output="a.h5"
    )
    with RunFile(first.path) as file:
        assert '"noise" = 0.001' in file.provenance["circuit_file"]
        assert file.provenance["circuit"] == "OPA690 and SarAdc"
    assert rerun(first.path, output="b.h5", trust=lambda code: True).equal


def bench_with(circuit: str) -> str:
    """Return a bench file beside which its circuit lies."""
    text = (ROOT / "mho/instruments/benches/arrays.toml").read_text("utf-8")
    Path("own.toml").write_text(text.replace("[simulation]", f'[simulation]\ncircuit = "{circuit}"'), "utf-8")
    return "own.toml"


@pytest.mark.parametrize("way", ["circuit", "bench file"])
def test_a_run_file_makes_no_element_run_that_nobody_agreed_to(way, folder, shell, monkeypatch):
    here, mark = folder / "here", folder / "imported"
    here.mkdir()
    Path("elsewhere_adc.py").write_text(ADC, "utf-8")
    bench, circuit = "arrays", "elsewhere_adc.py:SarAdc"
    if way == "bench file":
        bench, circuit = bench_with(circuit), None
    path = mho.run(solve(), bench, circuit=circuit, seed=3, output="a.h5").path.resolve()
    Path("elsewhere_adc.py").write_text(
        f"from pathlib import Path\nPath({str(mark)!r}).touch()\n{ADC}", "utf-8"
    )
    monkeypatch.chdir(here)
    AGREED.difference_update({one for one in AGREED if "elsewhere_adc" in one})  # as another process begins
    code, _, said = shell("rerun", path)
    assert code == 2
    assert "elsewhere_adc.py:SarAdc, which is none of mho's own" in said
    Path("elsewhere_adc.py").write_text((folder / "elsewhere_adc.py").read_text("utf-8"), "utf-8")
    assert "say --trust" in shell("rerun", path)[2]
    assert not mark.exists()


class Stateful:
    """An element of an object that no numbers make."""

    def __init__(self):
        self.table = np.ones(3)

    def driven(self, volts, mode):
        return volts * self.table[0]


def test_an_element_that_its_file_cannot_make_again_is_refused_in_a_sentence(folder):
    first = mho.run(solve(), "arrays", circuit=Stateful(), seed=3, output="a.h5")
    says = (
        r"has the element of a circuit .*Stateful that was an object in a script.*make its class a dataclass"
    )
    with pytest.raises(MhoError, match=says):
        rerun(first.path, output="b.h5", trust=lambda code: True)


@dataclass(frozen=True)
class WrongLater:
    """A DAC that is in order until it is to put out more than 10 mV."""

    def driven(self, volts, mode):
        return np.where(np.abs(volts) > 0.01, np.nan, volts)


@pytest.mark.parametrize("bench", BENCHES)
def test_a_wrong_answer_ends_the_run_as_failed_and_the_bench_safe(bench, folder):
    says = r"the circuit's own WrongLater\.driven returned nan V at \[\d+, \d+\], with \S+ V given"
    with open_bench(bench, circuit=WrongLater, seed=3) as opened:
        with pytest.raises(InstrumentError, match=says):
            mho.run(solve(), opened, output="a.h5")
        assert opened.simulated.live() == ()
    with RunFile("a.h5") as file:
        assert file.status is Status.FAILED
        assert re.search(says, file.reason)


def test_what_has_its_circuits_already_takes_none(folder):
    with (
        open_bench("arrays", seed=1) as opened,
        pytest.raises(InputError, match="open already, with its circuits; leave out circuit"),
    ):
        mho.run(solve(), opened, circuit="OPA690")
    with (
        open_bench("arrays", seed=1) as opened,
        pytest.raises(InputError, match="open already, with its circuits; leave out circuit"),
    ):
        mho.linalg.solve(MATRIX, [1.0, 2.0], bench=opened, circuit="OPA690")
    first = mho.run(solve(), "arrays", seed=3, output="a.h5")
    with pytest.raises(InputError, match="takes bench and cells from there; leave out circuit 'OPA690'"):
        mho.run(solve(), "arrays", circuit="OPA690", after=first.path)
    with pytest.raises(InputError, match="circuit is ''; leave it out"):
        mho.run(solve(), "arrays", circuit="")


def test_a_run_after_another_goes_on_with_its_circuit(folder):
    first = mho.run(solve(), "arrays", circuit="sar_adc.py:SarAdc", seed=3, output="a.h5")
    after = mho.run(solve(), "arrays", after=first.path, output="b.h5", trust=lambda code: True)
    with RunFile(after.path) as file:
        assert file.provenance["circuit"] == "SarAdc"


def test_solves_in_one_call_take_a_circuit(folder):
    coarse = circuit_elements("sar_adc.py:SarAdc")
    solution = mho.linalg.solve(MATRIX, [1.0, 2.0], circuit=coarse, seed=1)
    assert solution == pytest.approx(np.linalg.solve(MATRIX, [1.0, 2.0]), rel=1e-6)
    rhs = [1.0, -2.0, 0.3, 0.7]
    six = type(coarse.adc)(bits=6)
    fine, rough = (
        mho.solve(FOUR, rhs, bench="arrays", preset="ideal", circuit=one, seed=1).cycles
        for one in (None, six)
    )
    assert fine[0]["relative_error"] < 0.5 * rough[0]["relative_error"]
    assert len(fine) < len(rough)


def test_a_forecast_draws_chips_with_the_circuit(folder):
    coarse, told = circuit_elements("sar_adc.py:SarAdc"), []
    for circuit in (None, coarse):
        found = mho.forecast(
            FOUR, bits=20, preset="ideal", circuit=circuit, seed=1, draws=19, alternatives=False
        )
        told.append(found.solves.intervals)
    assert told[0]["cycles_to_goal"].high < told[1]["cycles_to_goal"].high
    with open_bench("arrays", preset="ideal", circuit=coarse, seed=1) as opened:
        same = mho.forecast(FOUR, bits=20, bench=opened, seed=1, draws=19, alternatives=False)
    assert same.solves.intervals["cycles_to_goal"] == told[1]["cycles_to_goal"]


@pytest.mark.thorough
def test_a_budget_repeats_a_run_with_its_own_elements(folder):
    adc = circuit_elements("sar_adc.py:SarAdc").adc
    first = []
    for circuit in ([Poor, SeriesWires], [type(adc)(5)]):
        solved = mho.run(
            solve(8), "arrays", preset="ideal", circuit=circuit, seed=1, output=f"{len(first)}.h5"
        )
        found = mho.budget(solved.path, draws=0, trust=lambda code: True)
        assert found.twin == pytest.approx(found.measured, rel=1e-3)
        first.append(found.first.cause)
    assert first == ["gain", "converters"]


class Poor:
    """Amplifiers that hardly amplify, each its own."""

    def draw_amplifiers(self, count, mode, rng):
        return {"gain": rng.uniform(10.0, 20.0, count)}


class SeriesWires:
    """100 ohm in series with each cell."""

    def transfer(self, conductance, rows, columns, wire_resistance):
        return conductance / (1.0 + 100.0 * conductance)


def test_a_bench_file_names_a_circuit_that_lies_beside_it(folder, monkeypatch):
    bench = folder / bench_with("sar_adc.py:SarAdc")
    monkeypatch.chdir("/")
    first = mho.run(solve(), bench, seed=3, output=folder / "a.h5")
    with RunFile(first.path) as file:
        assert file.provenance["circuit_adc"] == f"{folder / 'sar_adc.py'}:SarAdc"
    with open_bench(bench, circuit="OPA690", seed=3) as opened:
        assert opened.simulated.elements.name == "OPA690"  # the keyword counts
    monkeypatch.chdir(folder)
    assert rerun(first.path, output="b.h5", trust=lambda code: True).equal
    assert "content of the circuit" not in _conditions("arrays", None)
    before = _conditions(str(bench), None)["content of the circuit"]
    (folder / "sar_adc.py").write_text(ADC + "\n# a word more\n", "utf-8")
    assert _conditions(str(bench), None)["content of the circuit"] != before
    (folder / "sar_adc.py").unlink()
    with pytest.raises(InputError, match="there is no element of a circuit in"):
        load_conditions(str(bench))


def test_a_package_offers_an_element_by_a_name(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    own = EntryPoint("successive", "sar_adc:SarAdc", "mho.circuits")
    monkeypatch.setattr(extension_points, "entry_points", lambda group: [own] if group == own.group else [])
    assert circuit_elements("successive").name == "SarAdc"
    with pytest.raises(
        MhoError, match=r"unknown circuit 'nosuch'; there are the amplifiers .*, successive, or"
    ):
        circuit_elements("nosuch")


def test_the_command_line_takes_an_element_by_name_and_shows_it(folder, shell):
    Path("a.mtx").write_text((ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx").read_text("utf-8"), "utf-8")
    given = (
        "a.mtx",
        "--bench",
        "arrays",
        "--circuit",
        "sar_adc.py:SarAdc",
        "--seed",
        "1",
        "--output",
        "a.h5",
    )
    code, _, said = shell("solve", *given)
    assert code == 0, said
    assert "circuits with SarAdc" in re.sub(r"\s+", " ", shell("show", "a.h5")[1])
    with pytest.raises(InputError, match="has no class 'SarAdx'; there is SarAdc"):
        circuit_elements("sar_adc.py:SarAdx")
