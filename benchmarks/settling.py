"""How long the INV loop takes, and what that depends on: the published 4 x 4 matrix, lambda_min and N.

Zuo et al., Nature Electronics 8, 1222 (2025): about 120 ns with OPA690 amplifiers, overshoot 10 to 30 % (read off a
figure). Times are until all outputs stay within 1 % of the largest. The amplifiers are OPA690 without offset and bias.

The matrices of a given lambda_min and N are symmetric, Q diag(l) Q^T with a random Q and eigenvalues l evenly spaced
on a logarithmic scale from lambda_min to `LARGEST`; their signs are made by a second array. Inputs are random currents.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import ortho_group

from benchmarks.registry import Figure
from mho.array_types import Floats
from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.matrix_files import load_matrix
from mho.instruments.simulated.physics.circuits.amplifiers import (
    AmplifierBank,
    AmplifierPreset,
    amplifier_preset,
)
from mho.instruments.simulated.physics.circuits.inverse_circuit import InverseCircuit

FAST = replace(amplifier_preset("OPA690"), offset=0.0, bias_current=0.0)
SLOW = replace(amplifier_preset("AD823"), offset=0.0, bias_current=0.0)
BOARDS = ((2e-12, 0.2e-12), (3e-12, 0.2e-12), (4e-12, 0.2e-12), (8e-12, 0.3e-12))  # C_in, C_f, F
RHS = (0.05, 0.0, 0.05, 0.025), (0.1, 0.1, 0.0, -0.1)  # of the published examples, 12 and 24 bits
PUBLISHED, OVERSHOOT = (100e-9, 170e-9), (0.1, 0.3)
HEAVY = (172e-9, 236e-9)
DRAWS_A_REPEAT, LOOPS_A_REPEAT = 20, 2
GIN, LARGEST, USUAL = 35e-6, 50e-6, 5e-6  # S: of an input; largest eigenvalue; lambda_min where N varies
SMALLEST = tuple(USUAL * np.geomspace(0.1, 4.0, 6))  # S: lambda_min where N is `ORDER`
ORDER, ORDERS = 16, (4, 8, 16, 32, 64, 128)


def run(repeat: int) -> list[Figure]:
    """Measure on 20 draws of the published matrix, and on 2 random loops of each kind, a repeat."""
    return [*_published(repeat), *_dependence(repeat)]


# --- the published matrix ---


def _published(repeat: int) -> list[Figure]:
    figures = []
    for row, feedback in BOARDS:
        low, high = PUBLISHED if row < 5e-12 else HEAVY
        named = f"C_in {row * 1e12:g} pF, C_f {feedback * 1e12:g} pF"
        seconds, beyond = published(FAST.with_capacitances(row, feedback), DRAWS_A_REPEAT * repeat)
        wide = replace(FAST, bandwidth=500e6).with_capacitances(row, feedback)
        wide_seconds, wide_beyond = published(wide, DRAWS_A_REPEAT * repeat)
        figures += [
            Figure(
                f"published 4 x 4, {named}: settling to 1 %, median",
                1e9 * float(np.median(seconds)),
                "ns",
                "paper",
                120.0,
                target=f"{1e9 * low:.0f} to {1e9 * high:.0f} ns",
                met=bool(low <= np.median(seconds) <= high),
                detail={
                    "5 to 95 % of draws, ns": [round(1e9 * t) for t in np.quantile(seconds, (0.05, 0.95))],
                    "with a GBP of 500 MHz instead of 300, ns": round(1e9 * float(np.median(wide_seconds))),
                },
            ),
            Figure(
                f"published 4 x 4, {named}: overshoot, median",
                float(np.median(beyond)),
                "",
                target=f"{OVERSHOOT[0]} to {OVERSHOOT[1]}",
                met=bool(OVERSHOOT[0] <= np.median(beyond) <= OVERSHOOT[1]),
                detail={
                    "5 to 95 % of draws": [round(float(x), 2) for x in np.quantile(beyond, (0.05, 0.95))],
                    "with a GBP of 500 MHz instead of 300": round(float(np.median(wide_beyond)), 3),
                },
            ),
        ]
    return figures


def published(preset: AmplifierPreset, draws: int) -> tuple[Floats, Floats]:
    """Return settling times (s) and overshoots for `draws` of the cells of the rounded A0, and both right-hand sides."""
    levels = load_chip_map("reference").level_scale()
    digits = np.rint(2**levels.bits * load_matrix("zuo2025-4x4").astype(np.float64)).astype(np.int64)
    drawn = levels.draw(digits, draws, np.random.default_rng(1))
    responses = [loop(g, preset).step_response(1e-5 * np.array(b)) for g in drawn for b in RHS]
    return np.array([r.settling_time() for r in responses]), np.array([r.overshoot for r in responses])


# --- lambda_min and N ---


def _dependence(repeat: int) -> list[Figure]:
    loops = LOOPS_A_REPEAT * repeat
    by_smallest = [(ORDER, smallest) for smallest in SMALLEST]
    by_order = [(order, USUAL) for order in ORDERS]
    figures = []
    for name, preset, normalised in (("OPA690", FAST, False), ("AD823", SLOW, True)):
        against = "lambda_min(D^-1 G)" if normalised else "lambda_min(G)"
        smallest, seconds = measured(by_smallest, preset, loops, normalised)
        figures.append(_exponent(f"{name}: settling against {against}, N = {ORDER}", smallest, seconds, -1.0))
        orders = np.repeat(ORDERS, loops)
        smallest, seconds = measured(by_order, preset, loops, normalised)
        detail: dict[str, float] = {
            "without that, at the same lambda_min(G)": round(_slope(orders, seconds), 3)
        }
        for order in ORDERS:
            detail[f"N = {order}, ns"] = round(1e9 * float(np.median(seconds[orders == order])))
        # lambda_min(D^-1 G) falls as N rows load D: the times are compared as if it did not.
        scaled = seconds * smallest / smallest.mean()
        figures.append(_exponent(f"{name}: settling against N, {against} alike", orders, scaled, 0.0, detail))
    return figures


def measured(
    kinds: list[tuple[int, float]], preset: AmplifierPreset, loops: int, normalised: bool = False
) -> tuple[Floats, Floats]:
    """Return lambda_min of G (S) and the settling time (s) of `loops` random loops of each kind, (N, lambda_min).

    With `normalised` it is lambda_min of D^-1 G that is returned, a number.
    """
    rng, found = np.random.default_rng(2), []
    for order, smallest in kinds:
        for _ in range(loops):
            circuit = loop(random_network(order, smallest, rng), preset)
            inputs = rng.standard_normal(order)
            inputs *= 0.2 / np.abs(np.linalg.solve(circuit.network, inputs)).max()  # outputs up to 0.2 V
            least = (
                np.linalg.eigvals(np.linalg.solve(circuit.load, circuit.network)).real.min()
                if normalised
                else smallest
            )
            found.append((least, circuit.settling_time(inputs)))
    values = np.array(found)
    return values[:, 0], values[:, 1]


def _exponent(
    name: str, x: Floats, seconds: Floats, wanted: float, detail: dict[str, float] | None = None
) -> Figure:
    slope = _slope(x, seconds)
    correlation = float(np.corrcoef(np.log(x), np.log(seconds))[0, 1])
    return Figure(
        f"{name}: exponent",
        slope,
        "",
        target=f"{wanted:g} within 0.25",
        met=abs(slope - wanted) <= 0.25,
        detail={"correlation of the logarithms": round(correlation, 3)} | (detail or {}),
    )


def _slope(x: Floats, seconds: Floats) -> float:
    return float(np.polyfit(np.log(x), np.log(seconds), 1)[0])


def random_network(order: int, smallest: float, rng: np.random.Generator) -> Floats:
    """Return a symmetric G (order, order), S, with eigenvalues from `smallest` to `LARGEST`."""
    vectors = ortho_group.rvs(order, random_state=rng)
    return np.asarray(vectors * np.geomspace(smallest, LARGEST, order) @ vectors.T)


def loop(network: Floats, preset: AmplifierPreset) -> InverseCircuit:
    """Return the loop of a signed network with an input of 35 uS a row, without offsets and noise."""
    n = len(network)
    bank = AmplifierBank(preset, np.zeros(n), np.zeros(n))
    return InverseCircuit(network, np.abs(network).sum(axis=1) + GIN, np.zeros((n, n)), bank, 1e6)
