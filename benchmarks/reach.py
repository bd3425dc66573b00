"""How far solving reaches: 36 families of systems, 1 to 32 unknowns, counted by condition number, hybrid and all analogue.

Each repeat is one seed of system and chip. A tenth of the solves is made again at the wire. No other program solves on
such cells and gives a verdict, so there is no peer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from itertools import product
from statistics import median

import numpy as np

from benchmarks._families import FAMILIES
from benchmarks._judging import BITS, Case, Verdict, judge_all
from benchmarks.registry import Figure

SIZES = (1, 2, 3, 4, 8, 16, 32)
MODES = {"hybrid": "float64", "all analogue": "analogue"}
PRESET, OTHERS = "pku", ("quiet", "relaxing")
OTHER_SEEDS = 4  # seeds of pku for one of each other preset and of stuck cells
STUCK = 0.01
CYCLES = 40
WIRE_SHARE = 10  # one in so many is made again at the wire
BINS = (10.0, 1e2, 1e3, 1e4)  # upper ends of the condition numbers counted together

EASY, MIDDLE, HARD = BINS[0], BINS[2], BINS[3]
HYBRID, ANALOGUE, FAR_ANALOGUE, STUCK_SHARE = 0.99, 0.95, 0.80, 0.95  # wanted to converge
FEW, MORE = 5, 10  # cycles wanted at the median, up to a condition number of 10 and above
NEAR = 0.10  # by which other presets may fall behind
NUMBER = re.compile(r"-?\d[\d.,]*(e[+-]?\d+)?j?")


def run(repeat: int) -> list[Figure]:
    """Solve `repeat` seeds of each family and size, fewer with other cells, and a tenth at the wire."""
    figures: list[Figure] = []
    everything: list[Verdict] = []
    for mode, residual in MODES.items():
        fewer = -(-repeat // OTHER_SEEDS)
        seeds = {PRESET: repeat} | dict.fromkeys(OTHERS, fewer)
        solved = {
            preset: judge_all(list(_cases(preset, residual, 0.0, each))) for preset, each in seeds.items()
        }
        stuck = judge_all(list(_cases(PRESET, residual, STUCK, fewer)))
        wire = judge_all(list(at_the_wire(_cases(PRESET, residual, 0.0, repeat))))
        everything += [*(one for each in solved.values() for one in each), *stuck, *wire]
        figures += _of_mode(mode, solved, stuck, wire)
    return [*figures, *_all(everything)]


def _of_mode(
    mode: str, solved: dict[str, list[Verdict]], stuck: list[Verdict], wire: list[Verdict]
) -> list[Figure]:
    """Return the figures of one mode: with pku, beside it with the other presets, with stuck cells, at the wire."""
    mine = solved[PRESET]
    figures = _hybrid(mine) if MODES[mode] == "float64" else _analogue(mine)
    figures += [_beside(mode, preset, solved[preset], mine) for preset in OTHERS]
    return [*figures, _with_stuck_cells(mode, stuck), _wire(mode, wire, mine)]


def _cases(preset: str, residual: str, stuck: float, seeds: int) -> Iterator[Case]:
    for seed, size, family in product(range(seeds), SIZES, FAMILIES):
        yield Case(seed, family, size, preset, stuck, 0.0, "arrays", residual, CYCLES)


def at_the_wire(cases: Iterable[Case]) -> Iterator[Case]:
    """Return a tenth of the cases, drawn the same every time, at the wire."""
    every = list(cases)
    drawn = np.random.default_rng(0).permutation(len(every))[: len(every) // WIRE_SHARE]
    for number in sorted(drawn.tolist()):
        yield replace(every[number], bench="simulated")


def share(verdicts: list[Verdict]) -> float:
    """Return the share that converged; 1 of none."""
    return sum(verdict.converged for verdict in verdicts) / len(verdicts) if verdicts else 1.0


def between(verdicts: Iterable[Verdict], low: float, high: float) -> list[Verdict]:
    """Return those whose condition number is above `low` and at most `high`, with rounding of the number allowed for."""
    return [one for one in verdicts if low * (1.0 + 1e-6) < one.condition <= high * (1.0 + 1e-6)]


def bins(verdicts: list[Verdict]) -> dict[str, str]:
    """Return, by condition number, how many converged of how many, and their median cycles with the chip and without."""
    found = {}
    for low, high in zip((0.0, *BINS), (*BINS, np.inf), strict=True):
        name = f"up to {high:g}" if high < np.inf else f"above {low:g}"
        found[name] = _count(between(verdicts, low, high))
    return found


def grouped(verdicts: list[Verdict], group: Callable[[Case], Hashable]) -> dict[str, dict[str, str]]:
    """Return `bins` of each group of cases, without those in which it has none."""
    groups: dict[str, list[Verdict]] = {}
    for one in verdicts:
        groups.setdefault(str(group(one.case)), []).append(one)
    return {
        name: {where: text for where, text in bins(mine).items() if text} for name, mine in groups.items()
    }


def reasons(verdicts: Iterable[Verdict], reason: Callable[[Verdict], str]) -> dict[str, int]:
    """Return sentences with their numbers taken out, and how often each was said."""
    said = Counter(NUMBER.sub("#", text) for one in verdicts if (text := reason(one)))
    return dict(said.most_common())


def _count(verdicts: list[Verdict]) -> str:
    if not verdicts:
        return ""
    cycles = [one.cycles for one in verdicts if one.converged]
    unaided = [np.inf if one.without is None else one.without for one in verdicts if one.converged]
    took = f", {median(cycles):g} cycles, {median(unaided):g} without the chip" if cycles else ""
    return f"{sum(one.converged for one in verdicts)} of {len(verdicts)}{took}"


def _shares(name: str, verdicts: list[Verdict], wanted: float) -> Figure:
    return Figure(
        name,
        100.0 * share(verdicts),
        f"% of {len(verdicts)}",
        target=f">= {wanted:.0%}",
        met=share(verdicts) >= wanted,
        detail=bins(verdicts),
    )


def _hybrid(verdicts: list[Verdict]) -> list[Figure]:
    reach = between(verdicts, 0.0, HARD)
    figures = [_shares(f"hybrid: converged, condition number up to {HARD:g}", reach, HYBRID)]
    for name, low, high, most in (
        (f"up to {EASY:g}", 0.0, EASY, FEW),
        (f"above {EASY:g}, up to {HARD:g}", EASY, HARD, MORE),
    ):
        cycles = [one.cycles for one in between(verdicts, low, high) if one.converged]
        value = float(median(cycles)) if cycles else np.inf
        figures.append(
            Figure(
                f"hybrid: cycles, condition number {name}", value, "", target=f"<= {most}", met=value <= most
            )
        )
    return [*figures, *_worth(verdicts), *_families("hybrid", verdicts)]


def _worth(verdicts: list[Verdict]) -> list[Figure]:
    """Return, by number of unknowns, how many cycles and how much digital work the chip takes beside none."""
    figures = []
    for size in sorted({one.case.size for one in verdicts}):
        mine = [one for one in between(verdicts, 0.0, BINS[1]) if one.case.size == size and one.converged]
        ratios = [one.cycles / one.without for one in mine if one.without]
        if not ratios:
            continue
        figures.append(
            Figure(
                f"hybrid: cycles over those without the chip, {size} unknowns, condition number up to {BINS[1]:g}",
                median(ratios),
                f"median of {len(ratios)}",
                target="<= 0.5" if size == SIZES[-1] else None,
                met=median(ratios) <= 0.5 if size == SIZES[-1] else None,
                detail={
                    "digital work over that without the chip, median": round(
                        median(one.digital_ratio for one in mine), 3
                    ),
                    "fewer cycles, of": f"{sum(one < 1.0 for one in ratios)}, {len(ratios)}",
                },
            )
        )
    return figures


def _analogue(verdicts: list[Verdict]) -> list[Figure]:
    return [
        _shares("all analogue: converged, condition number up to 100", between(verdicts, 0.0, BINS[1]), ANALOGUE),
        _shares(
            f"all analogue: converged, condition number above 100, up to {MIDDLE:g}",
            between(verdicts, BINS[1], MIDDLE),
            FAR_ANALOGUE,
        ),
        *_families("all analogue", verdicts),
    ]  # fmt: skip


def _families(mode: str, verdicts: list[Verdict]) -> list[Figure]:
    value, unit = 100.0 * share(verdicts), f"% of {len(verdicts)}"
    return [
        Figure(
            f"{mode}: converged, by family", value, unit, detail=grouped(verdicts, lambda case: case.family)
        ),
        Figure(
            f"{mode}: converged, by unknowns", value, unit, detail=grouped(verdicts, lambda case: case.size)
        ),
    ]


def _beside(mode: str, preset: str, verdicts: list[Verdict], of_pku: list[Verdict]) -> Figure:
    """Compare the same systems, condition number up to 1e4."""
    mine = between(verdicts, 0.0, HARD)
    same = {(one.case.family, one.case.size, one.case.number) for one in mine}
    peer = [one for one in of_pku if (one.case.family, one.case.size, one.case.number) in same]
    return Figure(
        f"{mode}: converged with {preset}, condition number up to {HARD:g}",
        100.0 * share(mine),
        f"% of {len(mine)}",
        f"{PRESET}, the same systems",
        100.0 * share(peer),
        target=f"within {NEAR:.0%}",
        met=share(mine) >= share(peer) - NEAR,
        detail=bins(verdicts),
    )


def _with_stuck_cells(mode: str, verdicts: list[Verdict]) -> Figure:
    easy = between(verdicts, 0.0, EASY)
    figure = _shares(
        f"{mode}: converged, {STUCK:.0%} of the cells stuck, condition number up to {EASY:g}",
        easy,
        STUCK_SHARE,
    )
    return Figure(
        figure.name, figure.value, figure.unit, target=figure.target, met=figure.met, detail=bins(verdicts)
    )


def _wire(mode: str, verdicts: list[Verdict], on_arrays: list[Verdict]) -> Figure:
    arrays = {(one.case.family, one.case.size, one.case.number): one.converged for one in on_arrays}
    alike = sum(one.converged == arrays[one.case.family, one.case.size, one.case.number] for one in verdicts)
    return Figure(
        f"{mode}: at the wire as on arrays",
        100.0 * alike / max(len(verdicts), 1),
        f"% of {len(verdicts)}",
        detail=bins(verdicts),
    )


def _all(verdicts: list[Verdict]) -> list[Figure]:
    false = sum(one.false for one in verdicts)
    refused = [one for one in verdicts if one.refused]
    late = sum(one.programmed for one in refused)
    return [
        Figure(
            "solves that say converged and are not",
            false,
            f"of {len(verdicts)}",
            target="none",
            met=false == 0,
        ),
        Figure(
            "refused",
            len(refused),
            f"of {len(verdicts)}",
            target="none after programming",
            met=late == 0,
            detail={
                "after programming": late,
                "why, # for a number": reasons(refused, lambda one: one.refused),
                "why not converged": reasons(verdicts, lambda one: one.reason),
                "bits asked": BITS,
            },
        ),
    ]
