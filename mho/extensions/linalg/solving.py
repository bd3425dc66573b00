"""Solves A x = b on a bench for arrays of any library, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mho.extensions.linalg.gradients import solve_tensors
from mho.extensions.linalg.holding import BITS, BenchLike, HoldingBench, Messages, bench_in_use, converged
from mho.foreign_arrays import ArrayError, Numbers, common_kind, in_precision_of, is_torch, to_numpy
from mho.keywords import Seed, drawn_seed, keywords_checked

if TYPE_CHECKING:
    from mho.cells import Cells
    from mho.circuits import Circuit


@keywords_checked(positional=("bench",), a="matrix", b="rhs")
def solve(
    matrix: Any, rhs: Any, *, bench: BenchLike = "simulated", preset: Cells | None = None,
    circuit: Circuit | None = None, seed: Seed = None, bits: int = BITS,
) -> Any:  # fmt: skip
    """Solve ``matrix @ x = rhs`` on a bench, as `numpy.linalg.solve` does it.

    Parameters
    ----------
    matrix : (n, n) or (..., n, n) array of any library
        Real or complex; NumPy, PyTorch, JAX and whatever follows the array API standard, in the host's memory. The matrices
        of a stack are programmed one after the other.
    rhs : (n,), (n, k) or (..., n, k) array
        One right-hand side, or several as columns.
    bench : str, path or Bench
        The name of a bench, which is opened and made safe again, or an open one, which stays open. "simulated" plays every
        message of the instruments; "arrays" has none, and takes a twentieth of the time for 16 x 16.
    preset : str or object, optional
        Cells of a simulated bench that is opened here, as `mho.cells.cell_preset` takes them.
    circuit : str, object or list of these, optional
        Amplifiers, converters or wires of such a bench, as `mho.circuits.circuit_elements` takes them.
    seed : int, numpy.random.SeedSequence, numpy.random.Generator or None
        Of a simulated bench that is opened here, and of what is drawn while a matrix is planned; None draws a fresh one.
    bits : int
        How accurate x is to be: its relative error at most 2^-bits, proved in float64 for matrix and rhs as given.

    Returns
    -------
    array, as `rhs`
        Of the library of `matrix` and `rhs`; single precision where both are. PyTorch's autograd goes through it, by a
        second solve, of the adjoint; also again (`create_graph`), forwards, and under `torch.func.vmap`.

    Raises
    ------
    InputError
        For shapes that do not fit, singular matrices, numbers that are not finite, arrays in the memory of a GPU.
    KeywordError
        For a keyword that it does not have.
    ConvergenceError
        When a solution does not come to its bits.

    Examples
    --------
    >>> mho.linalg.solve([[0.5, 0.1], [0.1, 0.4]], [0.1, 0.2], bench="arrays", seed=1).round(4)
    array([0.1053, 0.4737])
    """
    number = drawn_seed(seed)

    def on_numpy(matrices: Numbers, rhs: Numbers) -> Numbers:
        return solve_stack(matrices, rhs, bench, bits=bits, seed=number, preset=preset, circuit=circuit)

    back = common_kind(matrix, rhs)
    if is_torch(matrix) or is_torch(rhs):
        return solve_tensors(on_numpy, matrix, rhs)
    matrices, columns = to_numpy(matrix, "matrix"), to_numpy(rhs, "rhs")
    return back(in_precision_of(on_numpy(matrices, columns), matrices, columns))


def solve_stack(
    matrices: Numbers, rhs: Numbers, bench: BenchLike, *, bits: int, seed: int | None,
    preset: Cells | None = None, circuit: Circuit | None = None,
) -> Numbers:  # fmt: skip
    """Solve a system, or a stack of systems one after the other; parameters and errors as `solve`, of NumPy's arrays."""
    stack, columns = stacked(matrices, rhs)
    messages = Messages()
    with bench_in_use(bench, seed, preset, circuit) as opened:
        solutions = [
            converged(HoldingBench(matrix, opened, messages, bits=bits, seed=seed).answers(block)).solutions
            for matrix, block in zip(stack, columns, strict=True)
        ]
    return np.stack(solutions).reshape(rhs.shape)


def stacked(matrices: Numbers, rhs: Numbers) -> tuple[Numbers, Numbers]:
    """Return matrices as (m, n, n) and their right-hand sides as (m, n) or (m, n, k).

    Raises `ArrayError`: for shapes that do not fit.
    """
    if matrices.ndim < 2 or matrices.shape[-1] != matrices.shape[-2] or matrices.size == 0:
        raise ArrayError(
            f"matrix has the shape {matrices.shape}; give a square matrix (n, n), or a stack (…, n, n)"
        )
    n, stack = matrices.shape[-1], matrices.shape[:-2]
    fits = rhs.ndim in (1, 2) and len(rhs) == n
    if stack:
        fits = rhs.ndim == matrices.ndim and rhs.shape[:-1] == (*stack, n)
    if not fits:
        shape = f"{(*stack, n, 'k')}".replace("'", "") + ("" if stack else f" or ({n},)")
        raise ArrayError(f"rhs has the shape {rhs.shape}, and matrix {matrices.shape}; give rhs as {shape}")
    count = int(np.prod(stack, dtype=int))
    return matrices.reshape(count, n, n), rhs.reshape(count, *rhs.shape[len(stack) :])
