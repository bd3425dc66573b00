"""DC power flow: the IEEE 14-bus case against MATPOWER's answer, outages against networks without the line, islands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications.control.powerflow import Network, ieee14, load_network

CASE = """function mpc = small
mpc.version = '2';
mpc.baseMVA = 50;
mpc.bus = [  % number type load
  10 3 0   0 0 0 1 1 0 0 1 1.1 0.9;
  20 1 60  0 0 0 1 1 0 0 1 1.1 0.9
  30 2 0   0 0 0 1 1 0 0 1 1.1 0.9;
];
mpc.gen = [ 30 20 0 0 0 1 100 1 0 0; 10 99 0 0 0 1 100 0 0 0; ];
mpc.branch = [
  10 20 0 0.1 0 0 0 0 0 0 1 -360 360;
  20 30 0 0.2 0 0 0 0 0.5 0 1 -360 360;
  10 30 0 0.1 0 0 0 0 0 10 1 -360 360;
  10 30 0 0.1 0 0 0 0 0 0 0 -360 360;
];
"""


def flows(network: Network) -> np.ndarray:
    return network.flows(np.linalg.solve(network.matrix(), network.powers(network.injections)))


def without(network: Network, line: int) -> Network:
    kept = np.arange(len(network.ends)) != line
    return replace(
        network, ends=network.ends[kept], susceptances=network.susceptances[kept], shifts=network.shifts[kept]
    )


def case(folder: Path, text: str) -> Path:
    path = folder / "small.m"
    path.write_text(text)
    return path


def test_ieee14_flows_are_those_of_a_published_dc_power_flow() -> None:
    # The reference takes 259 - 40 MW; 147.84 and 71.16 MW leave it on its two lines, as MATPOWER's rundcpf has it.
    found = flows(ieee14())
    np.testing.assert_allclose(found[:2], [147.84, 71.16], atol=0.005)
    assert found[:2].sum() == pytest.approx(219.0)


def test_power_is_conserved_at_every_bus() -> None:
    network = ieee14()
    np.testing.assert_allclose(
        network.incidence.T @ flows(network), network.injections[network.others], atol=1e-9
    )


@pytest.mark.parametrize("line", [0, 5, 19])
def test_outage_factors_give_the_flows_without_the_line(line: int) -> None:
    network = ieee14()
    before = flows(network)
    factors = network.outage_factors(np.linalg.solve(network.matrix(), network.incidence.T))
    after = before + factors[:, line] * before[line]
    assert after[line] == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(np.delete(after, line), flows(without(network, line)), atol=1e-8)


def test_outage_that_splits_the_network_is_named() -> None:
    network = ieee14()
    factors = network.outage_factors(np.linalg.solve(network.matrix(), network.incidence.T))
    (bridge,) = np.flatnonzero(np.isnan(factors).all(axis=0))
    assert network.line_name(bridge) == "7-8"
    assert network.cut_off(bridge) == [8]


def test_island_is_refused_by_its_buses() -> None:
    with pytest.raises(InputError, match=r"bus 8 of ieee14 form an island.*reference, bus 1"):
        without(ieee14(), 13).check()


def test_case_file_is_read(tmp_path: Path) -> None:
    network = load_network(case(tmp_path, CASE))
    assert network.buses.tolist() == [10, 20, 30]
    assert network.injections.tolist() == [0.0, -60.0, 20.0]
    np.testing.assert_allclose(network.susceptances, [10.0, 10.0, 10.0])
    assert network.base == 50.0
    found = flows(network)
    np.testing.assert_allclose(network.incidence.T @ found, [-60.0, 20.0], atol=1e-9)
    # Round the ring the drops add up to the shift of the transformer.
    assert (found[0] + found[1] - found[2]) / 500.0 == pytest.approx(np.deg2rad(10.0))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("10 3 0", "10 1 0", "0 reference buses"),
        ("20 1 60", "10 1 60", "two buses have one number"),
        ("20 1 60", "20 1 abc", "'abc' in mpc.bus is no number"),
        ("20 1 60", "20 1 nan", "holds NaN"),
        ("mpc.gen = [ 30", "mpc.gen = [ 31", "a generator is at bus 31"),
        ("10 20 0 0.1", "10 20 0 0.0", "line 10-20 of small has the reactance"),
        ("10 20 0 0.1", "10 20 0 -0.1", "line 10-20 of small has the reactance -0.1"),
        ("mpc.branch", "mpc.lines", "no mpc.branch"),
        ("20 30 0 0.2 0 0 0 0 0.5 0 1 -360 360", "20 30 0 0.2", "row 2 of mpc.branch has 4 values"),
        ("10 20 0 0.1 0 0 0 0 0 0 1", "10 20 0 0.1 0 0 0 0 0 0 0", "no island"),
    ],
)
def test_wrong_case_files_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = CASE.replace(old, new)
    assert text != CASE
    if said == "no island":
        assert load_network(case(tmp_path, text)).buses.size == 3
        return
    with pytest.raises(InputError, match=said):
        load_network(case(tmp_path, text))


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give ieee14, or a case file"):
        load_network("ieee57")
    with pytest.raises(InputError, match="does not exist"):
        load_network(tmp_path / "none.m")
