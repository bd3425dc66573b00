"""A run that loses a connection and may open it anew goes on, and its data are those of a run that lost none."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daily import daily
from safety_runs import BENCHES, HEATED, PROCEDURES, BusListener, bench_file, chosen, unsafe_roles

from mho import run
from mho.errors import ConnectionRestored
from mho.instruments import Bench, open_bench
from mho.instruments.simulated.faults import Fault
from mho.procedures.stream import Event, Started
from mho.runs import RunFile, Status

ENTRY = re.compile(r"^(\[instruments\.\w+\]\ndriver = .*\naddress = .*)$", re.MULTILINE)
# What a run found, and how far two of them may be apart: in S, S, relative, not at all, relative, A, V, S, S; then
# relative to the solution, V, relative, m, relative. Noise and accuracy are the twins'.
FOUND: dict[str, tuple[Callable[[Any], Any], float]] = {
    "read": (lambda reads: reads.conductance, 0.5e-6),
    "program": (lambda programmed: programmed.achieved, 2.4e-6),  # the verify window
    "solve": (lambda solution: solution.solution / np.abs(solution.solution).max(), 2 * 2**-3),
    "multiply": (lambda products: products.products, 1e-12),
    "invert": (lambda inversions: [one.mean_error for one in inversions.matrices], 0.05),
    "iv": (lambda sweeps: sweeps.currents, 0.5e-6),
    "form": (lambda formed: formed.voltage, 1e-9),
    "contact": (lambda contacts: contacts.conductance, 0.5e-9),
    "response": (lambda responses: responses.conductance, 0.5e-6),
    "switching": (lambda switched: switched.conductance, 0.5e-6),
    "pulses": (lambda pulsed: pulsed.conductance, 0.5e-6),
    "endurance": (lambda endured: endured.conductance, 0.5e-6),
    "disturb": (lambda disturbed: disturbed.conductance, 0.5e-6),
    "retention": (lambda retained: retained.conductance, 0.5e-6),
    "noise": (lambda noises: noises.series, 0.5e-6),
    "map": (lambda mapped: mapped.conductance, 0.5e-6),
    "refresh": (lambda refreshed: refreshed.after, 0.5e-6),
    "poisson": (lambda found: found["error_to_digital"], 2 * 2**-3),
    "diffusion": (lambda found: found["peak"], 2 * 2**-3),
    "junction": (lambda found: found["built_in"], 0.1),
    "kalman": (lambda found: found["estimate_rms"] / found["measured_rms"], 2 * 2**-3),
    "arm": (lambda found: found["largest_distance"], 0.05),
    "portfolio": (lambda found: found["error_to_digital"], 2 * 2**-3),
    "powerflow": (lambda found: found["largest_flow"] / 44e6, 2 * 2**-3),
    "mimo": (lambda result: [result["deviation"], result["errors_after_cycle_1"]], 0.3),
    "pagerank": (lambda found: found["relative_error"], 2 * 2**-3),
    "eigenvector": (lambda found: found["eigenvalue"], 2 * 2**-3),
    "regression": (lambda found: found["relative_error"], 2 * 2**-3),
    "pseudoinverse": (lambda found: found["relative_error"], 2 * 2**-3),
    "factorisation": (lambda found: found["error"], 2 * 2**-3),
    "train": (lambda result: [row["last_loss"]["median"] for row in result.summary["optimisers"]], 0.1),
}
OF_RESISTORS = {
    "read", "iv", "response", "switching", "pulses", "endurance", "disturb", "retention", "noise", "map",
}  # fmt: skip
"""What is compared on cells that no pulse changes."""
# What acts on a cell and may have been carried out, and the question after it whether the board is still in its mode: it is
# not repeated.
ACTING = {"fire", "sweep", "standing_mode"}


@pytest.fixture(scope="module", params=daily(BENCHES, 1))
def bench_name(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return bench_file(tmp_path_factory.mktemp("bench"), with_reconnect(BENCHES[request.param]))


def with_reconnect(text: str) -> str:
    changed, count = ENTRY.subn(r"\1\nreconnect = { tries = 3, wait = 0.01 }", text)
    assert count >= 4
    return changed


def carry_out(name: str, bench_name: str, folder: Path, fault: Fault) -> tuple[Any, Bench, int]:
    """Carry a run out on cells that are all formed.

    Returns what it returned or raised, the bench, and how many messages were sent before there was a file.
    """
    before: list[int] = []

    def observe(event: Event) -> None:
        if isinstance(event, Started):
            before.append(fault.seen)

    with open_bench(bench_name, seed=1) as bench:
        if name in OF_RESISTORS:
            cells = bench.laboratory.chip.cells["multiply"]
            for row, column in np.ndindex(2, 2):
                cells.fix((row, column), (10 + 3 * row + column) * 1e-6)
        bench.laboratory.faults.append(fault)
        try:
            result: Any = run(PROCEDURES[name](), bench, seed=1, output=folder, observers=[observe])
        except ConnectionRestored as error:
            result = error
        bench.laboratory.faults.clear()
        assert unsafe_roles(bench) == set()
    return result, bench, before[0]


@cache
def undisturbed(name: str, bench_name: str) -> tuple[np.ndarray, int]:
    """What a run finds that loses nothing, and how many messages it sends."""
    listener = BusListener()
    result, _, _ = carry_out(name, bench_name, Path(bench_name).parent / name, listener)
    return np.asarray(FOUND[name][0](result)), len(listener.heard)


def lose_connections(name: str, bench_name: str, few: int, folder: Path) -> int:
    """Lose one connection in each of some runs; return how many went on."""
    expected, count = undisturbed(name, bench_name)
    went_on = 0
    for index in chosen(count, few, seed=3):
        kind = ("disconnect", "cut")[index % 2]
        fault = Fault("", kind, after=index, opens=2)
        result, bench, before = carry_out(name, bench_name, folder / str(index), fault)
        told = f"{kind} at message {index} of {count}: {result!r}"
        assert fault.opened == 2, told
        assert [i for i in bench.laboratory.incidents if i.kind != "contention"] == [], told
        (path,) = (folder / str(index)).glob("*.h5")
        with RunFile(path) as file:
            status, reason, log = file.status, file.reason, [entry.message for entry in file.log()]
        if isinstance(result, ConnectionRestored):
            assert any(f"lost during '{method}'" in str(result) for method in ACTING), told
            assert status is Status.FAILED, told
            assert str(result)[:60] in reason
            continue
        went_on += 1
        assert status is Status.FINISHED
        if index >= before:
            assert any("is connected again, its outputs off" in message for message in log), told
        found, apart = FOUND[name]
        np.testing.assert_allclose(found(result), expected, rtol=0.0, atol=apart, err_msg=told)
    return went_on


@pytest.mark.parametrize("name", daily(["read", "solve"], ["read"]))
def test_a_run_goes_on_with_the_same_data(name, bench_name, tmp_path):
    assert lose_connections(name, bench_name, 3, tmp_path) >= 2  # one may be lost while pulses are fired


@pytest.fixture(scope="module")
def heated(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bench_file(tmp_path_factory.mktemp("bench"), with_reconnect(HEATED))


@pytest.mark.thorough
def test_a_run_goes_on_hot_again(heated, tmp_path):
    assert lose_connections("retention", heated, 4, tmp_path) == 4


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_goes_on_hot_again_from_most_messages(heated, tmp_path):
    assert lose_connections("retention", heated, 60, tmp_path) >= 55


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [name for name in FOUND if name in PROCEDURES])
def test_a_run_goes_on_with_the_same_data_from_most_messages(name, bench_name, tmp_path):
    assert lose_connections(name, bench_name, 60, tmp_path) >= 40


def test_every_procedure_is_compared():
    assert set(FOUND) >= set(PROCEDURES)
