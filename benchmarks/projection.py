"""The projection beside what is published, throughput and energy; readings at N = 32; settling beside the circuit.

Zuo et al., Nature Electronics 8, 1222 (2025), Fig. 5: equivalent operations a second, converters included, read off the
figure (1 to 5 %). The simulated circuit is that of `benchmarks.settling`: OPA690 without offset and bias, symmetric random
matrices of a given lambda_min.
"""

from __future__ import annotations

import numpy as np

from benchmarks.registry import Figure, median_seconds
from benchmarks.settling import FAST, ORDER, SMALLEST, measured
from mho.extensions.projection import PUBLISHED, PUBLISHED_POINTS, Assumptions, project
from mho.extensions.projection.model import cost_in_blocks, solve_operations
from mho.extensions.projection.projecting import settling_time
from mho.extensions.projection.readings import headline, readings

WITHIN = 0.05
UNITS = {"throughput": "op/s", "energy": "J"}
SPLITS = ((8, 1, 6.6e-9), (5, 3, 2.3e-9), (4, 4, 5.3e-9), (3, 6, 5.0e-9))
"""Cycles, shots of a product, and s of conversion: other ways to spend the 1.546 us of the published curve."""
EXPECTED = {
    "gpu_new_a": (0.77e9, 909e-9),
    "gpu_kept_a": (13e9, 53e-9),
    "circuit": (0.64e6, 103e-9),
}
"""Solves a second and J at N = 32: limits of the H100's data sheet, and the published circuit."""


def run(repeat: int) -> list[Figure]:
    """Compare; only settling and the time of a projection depend on the repeats."""
    return [*_curve(), *_blocks(), *_readings(), _headline(), _settling(repeat), _time(repeat)]


def _curve() -> list[Figure]:
    p = PUBLISHED.parameters
    figures = []
    for one in PUBLISHED_POINTS:
        off = one.deviation(p)
        parts = one.cost(p)
        shares = {name: f"{getattr(parts, name) / parts.energy:.0%}" for name in ("amplifiers", "cells")}
        means = round(1e6 * float(solve_operations(one.size)) / one.value, 4)
        figures.append(
            Figure(
                f"{one.words} at N = {one.size}, one loop",
                one.model(p),
                UNITS[one.quantity],
                "paper",
                one.value,
                target="within 5 % of the paper",
                met=abs(off) <= WITHIN,
                detail={"deviation": f"{100 * off:+.2f} %"}
                | (shares if one.quantity == "energy" else {"time that the paper's value means, us": means}),
            )
        )
    return figures


def _blocks() -> list[Figure]:
    """The block curve has no parameter of its own; other splits of the same 1.546 us say how far that holds."""
    figures = []
    for size in (64, 128):
        others = {
            f"{rounds} cycles of {played} shot(s)": f"{float(cost_in_blocks(size, _split(*one).parameters).throughput):.3g}"
            for one in SPLITS
            for rounds, played, _ in (one,)
        }
        value = float(cost_in_blocks(size, PUBLISHED.parameters).throughput)
        figures.append(Figure(f"throughput at N = {size}, blocks of 32", value, "op/s", detail=others))
    return figures


def _split(rounds: int, played: int, conversion: float) -> Assumptions:
    values = {"bits_per_cycle": 24 / rounds, "vector_slices": played, "conversion_time": conversion}
    return PUBLISHED.over(values, "another split")


def _readings() -> list[Figure]:
    found = {one.key: one for one in readings(32, PUBLISHED)}
    return [
        Figure(
            f"{found[key].words}: {name}", value, unit, "data sheet or paper", wanted, target="within 5 %",
            met=abs(value / wanted - 1.0) <= WITHIN,
        )
        for key, (rate, joules) in EXPECTED.items()
        for name, value, unit, wanted in (
            ("solves", found[key].rate, "1/s", rate),
            ("energy", found[key].joules, "J", joules),
        )
    ]  # fmt: skip


def _headline() -> Figure:
    told = headline(PUBLISHED)
    return Figure(
        "headline: one loop of 128 lines, 20 ns and 10 ns, over one GPU core",
        told.over_core,
        "times",
        "paper",
        1000.0,
        detail={
            "if converters took no time": round(told.without_converters),
            "with the measured amplifiers": round(told.as_assumed),
            "operations per joule, over that core's": round(told.efficiency),
            "published": round(told.published_efficiency),
            "over the whole GPU, new A": round(told.over_gpu_new, 4),
            "over the whole GPU, A kept": round(told.over_gpu_kept, 5),
        },
    )


def _settling(repeat: int) -> Figure:
    """The projection's formula over the circuit's settling time, at each lambda_min."""
    smallest, seconds = measured([(ORDER, one) for one in SMALLEST], FAST, 2 * repeat)
    load = float(PUBLISHED["row_conductance"].value)
    ratio = settling_time(smallest, FAST.bandwidth, FAST.feedback_capacitance, load) / seconds
    return Figure(
        f"settling, the formula over the simulated circuit, N = {ORDER}: median",
        float(np.median(ratio)),
        "",
        target="0.67 to 1.5",
        met=bool(0.67 < np.median(ratio) < 1.5),
        detail={
            "min": round(float(ratio.min()), 2),
            "max": round(float(ratio.max()), 2),
            "loops": len(ratio),
        },
    )


def _time(repeat: int) -> Figure:
    return Figure(
        "a whole projection, 2,000 draws",
        median_seconds(lambda: project(PUBLISHED), repeat),
        "s",
        target="1 s",
    )
