"""What came out of a run: its result with intervals and units, the certificate of a solve, programmed cells, cycles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mho.analysis import documents as page
from mho.analysis.characterisation import extracted
from mho.analysis.reports import (
    Summary,
    enclosure_sentence,
    handy_unit,
    quantity_text,
    read_convergence,
    worth_rows,
)
from mho.analysis.reports.quantities import name_text
from mho.runs import RunFile
from mho.runs.integrity import OF_THE_MOMENT

FIRST_VALUES = 6  # of a list in a result
LIST_ROWS = 50
HEAD_CYCLES, TAIL_CYCLES = 20, 5
ELSEWHERE = ("certificate.", "enclosure.", "multiplications.", "without_chip.", "direct.")
"""Beginnings of names in a result that have a part of the page of their own."""

Number = int | float


def results(run: RunFile, summary: Summary) -> Iterator[page.Block]:
    """Return the result, each number with its interval where it has one, and its unit."""
    yield page.Heading("Results", 2, "results")
    result = run.summary
    found = [
        one
        for one in extracted(result, summary.result_units)
        if one.name not in OF_THE_MOMENT and not one.name.startswith(ELSEWHERE)
    ]
    if not found:
        yield page.Paragraph("The run has no result.", page.DIM)
    else:
        known = any(one.low is not None or one.high is not None for one in found)
        rows = []
        for one in found:
            value, unit = quantity_text(one.value, one.unit)
            if not value:
                continue  # as the reason of a solve that converged
            ends = [quantity_text(end, one.unit, 4)[0] for end in (one.low, one.high)]
            interval = "" if one.low is None and one.high is None else " to ".join(ends)
            rows.append((name_text(one.name), value, *([interval] * known), unit))
        head = ("result", "value", *(["95 % interval"] * known), "unit")
        yield page.grid(head, rows, numbers=(1, 2) if known else (1,), caption="Results", of="results")
    for name, values in result.items():
        if isinstance(values, list) and values and name != "cycles":  # shown cycle by cycle
            yield from _list(name_text(name), values)


def _list(name: str, values: Sequence[Any]) -> Iterator[page.Block]:
    if all(isinstance(one, Mapping) for one in values):
        columns = list(dict.fromkeys(key for one in values for key in one))[:12]
        rows = [tuple(quantity_text(one.get(key))[0] for key in columns) for one in values]
        kinds = [type(values[0].get(key)) for key in columns]
        numbers = [place for place, kind in enumerate(kinds) if kind in (int, float)]
        table = page.grid(list(map(name_text, columns)), rows, numbers=numbers, caption=name, most=LIST_ROWS)
        yield page.Folded(f"{name}: {page.counted(len(values), 'row')}", (table,))
    else:
        first = ", ".join(quantity_text(one)[0] for one in values[:FIRST_VALUES])
        more = ", …" if len(values) > FIRST_VALUES else ""
        yield page.Paragraph(f"{name}: {len(values)} values: {first}{more}", page.DIM)


def certificate(result: Mapping[str, Any], summary: Summary) -> Iterator[page.Block]:
    """Say what was proved of a solution, and how."""
    proof = result.get("certificate")
    if not isinstance(proof, Mapping) and not summary.enclosure:
        return
    yield page.Heading("Certificate", 2, "certificate")
    if summary.converged is not None:
        why = f": {summary.reason_not_converged}" if summary.reason_not_converged else ""
        passes = "The solution passes." if summary.converged else f"The solution does not pass{why}."
        yield page.Paragraph(passes, page.GOOD if summary.converged else page.BAD)
    if isinstance(proof, Mapping):
        residual = (
            "the residual b - A x, recomputed without rounding errors from the matrix as given and the solution as handed "
            "out"
        )
        yield page.Paragraph(
            f"Proved from {residual}, and from the norm of A⁻¹: no oracle and no forecast decides."
            if proof.get("inverse_norm") is not None
            else f"Judged by {residual}. No bound of the norm of A⁻¹ is proved, and none of the error."
        )
        asked = "" if summary.asked_bits is None else f", {summary.asked_bits:g} were asked for"
        rows: list[tuple[str, page.Words]] = []
        if summary.proved_bits is not None:
            rows.append(("bits proved", f"{summary.proved_bits:.1f}{asked}"))
        names = {
            "error_bound": "relative error of the solution at most",
            "residual": "‖b - A x‖",
            "rhs_norm": "‖b‖",
            "inverse_norm": "‖A⁻¹‖",
            "multiplications": "multiplications in float64 that the proof took",
        }
        rows += [
            (words, quantity_text(proof[name], digits=4)[0])
            for name, words in names.items()
            if isinstance(proof.get(name), Number)
        ]
        rows += [
            (name_text(name), quantity_text(value)[0])
            for name, value in proof.items()
            if name not in (*names, "bits") and not isinstance(value, list | Mapping)
        ]
        yield page.FactList(tuple(rows))
    if summary.enclosure:
        yield page.Paragraph(f"The exact solution: {enclosure_sentence(summary.enclosure)}.")


def worth(result: Mapping[str, Any]) -> Iterator[page.Block]:
    """Return what the chip was worth beside the same solve without it."""
    rows = worth_rows(result)
    if rows:
        yield page.Heading("What the chip was worth", 2, "worth")
        yield page.FactList(tuple(rows))


def programming(summary: Summary) -> Iterator[page.Block]:
    """Return how the arrays were programmed."""
    if not summary.arrays:
        return
    factor, unit = handy_unit("S")
    yield page.Heading("Programming", 2, "programming")
    head = (
        "array", "cells", "read", "pulses", "pulses a cell", "outside their window", f"mean error / {unit}",
        f"standard deviation / {unit}",
    )  # fmt: skip
    rows = []
    for one in summary.arrays:
        each = one.pulses / one.programmed if one.pulses is not None and one.programmed else None
        counts = _or_dash(one.pulses, "d"), _or_dash(each, ".2f"), _or_dash(one.outside, "d")
        errors = _or_dash(one.error_mean, "+.3f", factor), _or_dash(one.error_sd, ".3f", factor)
        rows.append((one.name, str(one.cells), str(one.programmed), *counts, *errors))
    yield page.grid(head, rows, numbers=range(1, len(head)), caption="Programming, by array")


def cycles(run: RunFile) -> Iterator[page.Block]:
    """Return the refinement, cycle by cycle."""
    convergence = read_convergence(run)
    if convergence is None or not len(convergence.cycle):
        return
    yield page.Heading("Refinement", 2, "refinement")
    if convergence.rho is not None:
        bits = f", {-np.log2(convergence.rho):.1f} bits a cycle" if 0.0 < convergence.rho < 1.0 else ""
        yield page.Paragraph(f"Forecast contraction: rho = {convergence.rho:.3f}{bits}.")
    true, count = convergence.true_residual, len(convergence.cycle)
    shown = [
        number for number in range(count) if number < HEAD_CYCLES or number >= max(HEAD_CYCLES, count - TAIL_CYCLES)
    ]  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        bits_reached = -np.log2(convergence.relative_error)
    rows = []
    for number in shown:
        row = [f"{convergence.cycle[number]:.0f}", f"{convergence.residual[number]:.2e}"]
        row += [] if true is None else ["" if np.isnan(true[number]) else f"{true[number]:.2e}"]
        error, bits = convergence.relative_error[number], bits_reached[number]
        rows.append([*row, *(("", "") if np.isnan(bits) else (f"{error:.2e}", f"{bits:.1f}"))])
    head = (
        "cycle", "residual", *([] if true is None else ["residual, recomputed"]), "relative error", "bits",
    )  # fmt: skip
    note = f"{len(shown)} of {count} cycles" if len(shown) < count else ""
    yield page.grid(head, rows, numbers=range(len(head)), caption="Refinement, cycle by cycle", note=note)


def _or_dash(value: float | None, form: str, factor: float = 1) -> str:
    return "-" if value is None else format(value * factor, form)
