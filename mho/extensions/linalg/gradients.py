"""The solution of a system as a function that PyTorch differentiates: the gradient is the solution of the adjoint system.

With x = A^-1 b and a loss L, g = dL/dx:  dL/db = A^-H g,  dL/dA = -(A^-H g) x^H
(M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008, 2.3.1).
PyTorch is never imported: whoever hands in a tensor has done so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mho.extensions.linalg.arrays import Numbers, in_precision_of, to_numpy

Solve = Callable[[Numbers, Numbers], Numbers]


def solve_tensors(solve: Solve, a: Any, b: Any) -> Any:
    """Solve for tensors of PyTorch, or one of them and an array of NumPy.

    `solve`: for arrays of NumPy: (..., n, n), and (n,) or (..., n, k) -> the latter; `a`, `b`: as
    `mho.extensions.linalg.solve`. Result: with a gradient where `a` or `b` has one.
    """
    torch = sys.modules["torch"]

    def on_chip(matrix: Any, rhs: Any) -> Any:
        given = to_numpy(matrix, "a"), to_numpy(rhs, "b")
        return torch.from_numpy(in_precision_of(solve(*given), *given))

    class Solution(torch.autograd.Function):  # type: ignore[name-defined,misc]
        """x of A x = b."""

        @staticmethod
        def forward(context: Any, matrix: Any, rhs: Any) -> Any:
            x = on_chip(matrix, rhs)
            context.save_for_backward(matrix, x)
            context.rhs_type = rhs.dtype
            return x

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
        def backward(context: Any, gradient: Any) -> tuple[Any, Any]:
            matrix, x = context.saved_tensors
            of_rhs = on_chip(matrix.mH, gradient)
            of_matrix = None
            if context.needs_input_grad[0]:
                left, right = (of_rhs, x) if x.ndim > 1 else (of_rhs[:, None], x[:, None])
                of_matrix = _as(-left @ right.mH, matrix.dtype)
            return of_matrix, _as(of_rhs, context.rhs_type)

    return Solution.apply(torch.as_tensor(a), torch.as_tensor(b))


def _as(gradient: Any, kind: Any) -> Any:
    """Return a gradient in the type of what it is of: of real numbers its real part."""
    return (gradient if kind.is_complex else gradient.real).to(kind)
