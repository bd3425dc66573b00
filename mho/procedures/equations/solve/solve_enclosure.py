"""The proved enclosure of a solve's solutions: taken after the refinement, written into the run file, and told."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.matrix_files import to_real, to_real_vector
from mho.procedures.equations.certificates.certificate import MANTISSA
from mho.procedures.equations.certificates.enclosure import Enclosure
from mho.procedures.equations.certificates.enclosure_arb import best_enclosure
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.stream import Stream
from mho.runs import Array

ENCLOSURE_ARRAYS = {
    "correction": "exact solution minus solution, to `radius`; 0 where nothing is certified",
    "radius": "half width of the interval about solution + correction that holds the exact solution, with proof",
    "solution_lower": "lower end of the interval, rounded down",
    "solution_upper": "upper end of the interval, rounded up",
}


def enclose_solutions(system: LinearSystem, solutions: Floats) -> Enclosure:
    """Enclose the exact solutions of a system as given, in its real form.

    Of least squares the exact solution is that of the augmented system [[I, A], [A^T, 0]] (r, x) = (b, 0).

    Parameters
    ----------
    system : LinearSystem
    solutions : (n, k) array
        X as found.
    """
    if system.square_form is None:
        return best_enclosure(system.matrix, system.rhs, solutions)
    a, b = to_real(system.given_matrix), to_real_vector(system.given_rhs.T).T
    rows, columns = a.shape
    b = b.reshape(rows, -1)
    augmented = np.block([[np.eye(rows), a], [a.T, np.zeros((columns, columns))]])
    rhs = np.concatenate([b, np.zeros((columns, b.shape[1]))])
    whole = best_enclosure(augmented, rhs, np.concatenate([b - a @ solutions, solutions]))
    parts = {name: getattr(whole, name)[rows:] for name in ("correction", "radius", "lower", "upper")}
    return replace(whole, solution=solutions, **parts)


def enclosure_arrays(system: LinearSystem) -> tuple[Array, ...]:
    """Return the arrays of an enclosure, in the shape of the solution; NaN until they are known."""
    unknown = np.full(system.reference.shape, np.nan)
    values = unknown[:, 0] if system.single else unknown
    return tuple(Array(name, values, description=text) for name, text in ENCLOSURE_ARRAYS.items())


def record_enclosure(enclosure: Enclosure, system: LinearSystem, stream: Stream) -> dict[str, Any]:
    """Write the arrays of an enclosure, say what it proves, and return what the summary tells of it."""
    ends = (enclosure.correction, enclosure.radius, enclosure.lower, enclosure.upper)
    for name, values in zip(ENCLOSURE_ARRAYS, ends, strict=True):
        stream.set_array(name, values[:, 0] if system.single else values)
    if not enclosure.certified:
        stream.say(f"the solution cannot be certified: {enclosure.reason}", "WARNING")
    return summary_of(enclosure)


def summary_of(enclosure: Enclosure) -> dict[str, Any]:
    """Return an enclosure in a few numbers and words; infinite ones are None.

    `bits` is -log2 of the proved relative error, at most 53.
    """
    error = enclosure.relative_error
    bits = float(MANTISSA) if error == 0.0 else min(max(-math.log2(error), 0.0), float(MANTISSA))
    return {
        "certified": enclosure.certified,
        "bits": bits if enclosure.certified else 0.0,
        "contraction": _finite(enclosure.contraction),
        "relative_error": _finite(error) if enclosure.certified else None,
        "componentwise_error": _finite(enclosure.componentwise_error) if enclosure.certified else None,
        "reason": enclosure.reason,
        "method": enclosure.method,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
