"""Solves A x = b for arrays in one call."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from mho.errors import ConvergenceError, ConvergenceWarning, InputError, RunWarning
from mho.foreign_arrays import (
    common_kind,
    in_precision_of,
    is_masked_array,
    is_pandas,
    is_torch,
    library_of,
    to_numpy,
)
from mho.instruments import Bench
from mho.keywords import Seed, drawn_seed, keywords_checked
from mho.procedures import Solution, Solve
from mho.procedures.stream import Control, Observer
from mho.running.execution import Output, keeps_file, run_with_warnings

if TYPE_CHECKING:
    from mho.cells import Cells
    from mho.chip_maps import Encoding, OwnPreconditioning
    from mho.circuits import Circuit
    from mho.procedures import Refinement


class SystemParameters(TypedDict, total=False):
    """Parameters of `Solve` beside the system, its bits and its seed; what they do: ``mho.Solve``, ``docs/solving.md``."""

    count: int
    tolerance: float
    max_cycles: int
    method: str | type[Refinement]
    residual: str
    least_squares: str
    certificate: str
    certify: bool
    encoding: str | type[Encoding]
    preconditioning: str | type[OwnPreconditioning]
    leaf: int
    blocks: str
    overlap: int
    coarse: bool
    schur: str
    effort: str
    loop_targets: str
    loop_slices: int
    correction_bits: int
    wait: float
    write_verify: str


class SolveOptions(SystemParameters, total=False):
    """What `solve` takes beside its own parameters: those of `Solve`, and arguments of `run`."""

    draws: int
    after: str | os.PathLike[str] | None
    force: bool
    observers: Sequence[Observer]
    control: Control | None


RUN_OPTIONS = ("after", "force", "observers", "control")


@keywords_checked(SolveOptions, positional=("bits",))
def solve(
    matrix: Any,
    rhs: Any = None,
    *,
    bench: str | os.PathLike[str] | Bench = "simulated",
    preset: Cells | None = None,
    circuit: Circuit | None = None,
    seed: Seed = None,
    bits: int = 24,
    output: Output = None,
    rhs_seed: Seed = 0,
    strict: bool = False,
    **options: Unpack[SolveOptions],
) -> Solution:
    """Solve ``matrix @ x = rhs`` on a chip.

    Parameters
    ----------
    matrix : (n, n) or (m, n) array_like, name of a sample or path
        Real or complex; of more rows than columns by least squares. Sparse arrays of SciPy, tensors of PyTorch in the
        host's memory and frames of pandas, too.
    rhs : (m,) or (m, k) array_like, "random", "ones", "identity" or path, optional
        Drawn at random when left out.
    bench : str, path or Bench
        A bench by name or file, or one that is open already, which is made safe and stays open.
    preset : str or object, optional
        Cells of a simulated bench, as `mho.cells.cell_preset` takes them.
    circuit : str, object or list of these, optional
        Amplifiers, converters or wires of a simulated bench, as `mho.circuits.circuit_elements` takes them.
    seed : int, numpy.random.SeedSequence, numpy.random.Generator or None
        Of the chip, of a simulated bench that is opened here, and of the run; None draws a fresh one.
    bits : int
        How accurate the solution is to be: its relative error at most 2^-bits.
    output : path, bool or None
        Where the run file goes, see `run`; None keeps none.
    rhs_seed : int, SeedSequence, Generator or None
        Of a right-hand side that is drawn.
    strict : bool
        Whether a solution that did not converge is an error.
    **options
        Parameters of `Solve` (``encoding=``, ``max_cycles=``, ``tolerance=``), and ``after``, ``force``, ``observers`` and
        ``control`` of `run`.

    Returns
    -------
    Solution
        With `solution`, (n,) or (n, k) as `rhs`, of its library and with its labels, in single precision where matrix and
        right-hand side are; with `cycles`, and the `path` of the run file, None without one.

    Raises
    ------
    ConvergenceError
        When no loop settles; with `strict`, when the solution did not come to its bits.
    MhoError
        As `run`. `InputError` is a `ValueError`, too, and `KeywordError` a `TypeError`.

    Warns
    -----
    ConvergenceWarning
        When the solution did not come to its bits.
    RunWarning
        Without a run file, for each other warning of the run.

    Examples
    --------
    >>> result = mho.solve([[0.5, 0.1], [0.1, 0.4]], [0.1, 0.2], bench="arrays", seed=1)
    >>> result.solution.round(4)
    array([0.1053, 0.4737])
    """
    of_run: Any = {name: options.pop(name) for name in RUN_OPTIONS if name in options}  # type: ignore[misc]
    a, b = plain(matrix, "the matrix"), "random" if rhs is None else plain(rhs, "the right-hand side")
    if (
        np.ndim(a) == 2
        and np.ndim(b) in (1, 2)
        and not isinstance(b, str)
        and np.shape(b)[0] != np.shape(a)[0]
    ):
        rows, what = np.shape(a)[0], np.shape(b)
        raise InputError(
            f"rhs has the shape {what}, and the matrix {rows} rows; give rhs as ({rows},) or ({rows}, k)"
        )
    back = _as_given(matrix, a, rhs, b)
    procedure = Solve(matrix=a, rhs=b, bits=bits, seed=drawn_seed(rhs_seed, "rhs_seed"), **options)
    result, said = run_with_warnings(
        procedure, bench, preset=preset, circuit=circuit, seed=seed, output=output, **of_run
    )
    _report(result, said, strict=strict, kept=keeps_file(output))
    solution: Solution = replace(result, solution=back(result.solution))
    return solution


def plain(values: Any, what: str) -> Any:
    """Return numbers of another library as NumPy's; all else, a name or a path among it, as it is."""
    if getattr(values, "requires_grad", False) and is_torch(values):
        raise InputError(
            f"{what} is a tensor with a gradient, which mho.solve does not pass on; take mho.linalg.solve, which "
            "differentiates, or give it by .detach()"
        )
    foreign = library_of(values) != "numpy" or is_pandas(values) or is_masked_array(values)
    if foreign or (isinstance(values, Sequence | np.ndarray) and not isinstance(values, str)):
        return to_numpy(values, what)
    return values


def _as_given(matrix: Any, a: Any, rhs: Any, b: Any) -> Callable[[NDArray[Any]], Any]:
    """Return what gives a solution shape, precision and kind of what was given: `a` and `b` are the same of NumPy."""
    named = [isinstance(one, str | os.PathLike) for one in (a, b)]
    arrays = [
        np.asarray(one)
        for one, name in zip((a, b), named, strict=True)
        if not name and not hasattr(one, "toarray")
    ]
    kind = common_kind(None if named[0] else matrix, None if named[1] else rhs)
    column = not named[1] and np.ndim(b) == 2 and np.shape(b)[1] == 1

    def back(solution: NDArray[Any]) -> Any:
        shaped = solution.reshape(-1, 1) if column else solution
        return kind(shaped if named[0] or hasattr(a, "toarray") else in_precision_of(shaped, *arrays))

    return back


def _report(result: Solution, said: Sequence[str], *, strict: bool, kept: bool) -> None:
    """Raise or warn of a solution that did not converge; without a file, warn of all else that the run said."""
    if not result.converged:
        words = f"the solution did not converge: {result.summary['reason']}"
        if strict:
            raise ConvergenceError(words)
        warnings.warn(words, ConvergenceWarning, stacklevel=4)
        said = [one for one in said if str(result.summary["reason"]) not in one]
    if not kept:
        for text in said:
            warnings.warn(text, RunWarning, stacklevel=4)
