"""Gradients of PyTorch through what a bench computes.

What is linear in a vector has the adjoint as its gradient: of y = M b, dL/db = M^H dL/dy. A solution x = A^-1 b depends
on A as well. With g = dL/dx

    dL/db = A^-H g,      dL/dA = -(A^-H g) x^H

(M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008, 2.3.1),
and forwards, dx = A^-1 (db - dA x). A gradient is made of the same functions, so it can be differentiated again, and
`torch.func.vmap` hands its vectors over as columns of one exchange. PyTorch is never imported: whoever hands in a tensor
has done so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from mho.foreign_arrays import Numbers, in_precision_of, to_numpy

# Takes (n,) or (n, k), and returns (m,) or (m, k)
OnVectors: TypeAlias = Callable[[Numbers], Numbers]
# Takes (..., n, n), and (n,) or (..., n, k), and returns the latter
Solve: TypeAlias = Callable[[Numbers, Numbers], Numbers]


def map_tensor(apply: OnVectors, adjoint: OnVectors, b: Any) -> Any:
    """Return a linear map of a tensor, in its precision and with a gradient where it has one.

    `adjoint`: the map of the adjoint; called backwards only, it may raise. `b`: (n,), (n, k), or a stack (..., n, k) where
    both maps take one.
    """
    return _once(_linear_map)(apply, adjoint, b)


def solve_tensors(solve: Solve, a: Any, b: Any) -> Any:
    """Solve for tensors of PyTorch, or one of them and an array of NumPy.

    `a`, `b`: as `mho.extensions.linalg.solve`. Result: with a gradient where `a` or `b` has one.
    """
    torch = sys.modules["torch"]
    return _once(_solution)(solve, torch.as_tensor(a), torch.as_tensor(b))


_MADE: dict[Callable[[], Any], Any] = {}


def _once(make: Callable[[], Any]) -> Any:
    """Return what `make` makes, made once, and left out of what `torch.compile` traces: a bench is no graph.

    No `functools.cache`: Dynamo warns of it.
    """
    if make not in _MADE:
        _MADE[make] = sys.modules["torch"].compiler.disable(make().apply)
    return _MADE[make]


def _linear_map() -> Any:
    torch = sys.modules["torch"]

    class LinearMap(torch.autograd.Function):  # type: ignore[name-defined,misc]
        """M b."""

        @staticmethod
        def forward(apply: OnVectors, adjoint: OnVectors, b: Any) -> Any:
            return _on_numpy(apply, b)

        @staticmethod
        def setup_context(context: Any, inputs: Any, output: Any) -> None:
            *context.maps, b = inputs
            context.kind = b.dtype

        @staticmethod
        def backward(context: Any, gradient: Any) -> Any:
            apply, adjoint = context.maps
            return None, None, _as(LinearMap.apply(adjoint, apply, gradient), context.kind)

        @staticmethod
        def jvp(context: Any, _apply: Any, _adjoint: Any, tangent: Any) -> Any:
            return LinearMap.apply(*context.maps, tangent)

        @staticmethod
        def vmap(info: Any, dims: Any, apply: OnVectors, adjoint: OnVectors, b: Any) -> Any:
            if b.ndim > 3:  # a stack each
                return LinearMap.apply(apply, adjoint, b.movedim(dims[2], 0)), 0
            columns = b.movedim(dims[2], -1)
            y = LinearMap.apply(apply, adjoint, columns.flatten(1))
            return y.reshape(-1, *columns.shape[1:]), columns.ndim - 1

    return LinearMap


def _solution() -> Any:
    torch = sys.modules["torch"]

    class Solution(torch.autograd.Function):  # type: ignore[name-defined,misc]
        """x of A x = b."""

        @staticmethod
        def forward(solve: Solve, matrix: Any, rhs: Any) -> Any:
            return _on_numpy(solve, matrix, rhs)

        @staticmethod
        def setup_context(context: Any, inputs: Any, output: Any) -> None:
            context.solve, matrix, rhs = inputs
            context.save_for_backward(matrix, output)
            context.save_for_forward(matrix, output)
            context.kinds = matrix.dtype, rhs.dtype

        @staticmethod
        def backward(context: Any, gradient: Any) -> Any:
            matrix, x = context.saved_tensors
            of_rhs = Solution.apply(context.solve, matrix.mH, gradient)
            of_matrix = None
            if context.needs_input_grad[1]:
                left, right = (of_rhs, x) if x.ndim > 1 else (of_rhs[:, None], x[:, None])
                of_matrix = _as(-left @ right.mH, context.kinds[0])
            return None, of_matrix, _as(of_rhs, context.kinds[1])

        @staticmethod
        def jvp(context: Any, _solve: Any, of_matrix: Any, of_rhs: Any) -> Any:
            matrix, x = context.saved_tensors
            change = 0.0 if of_rhs is None else of_rhs
            if of_matrix is not None:
                change = change - of_matrix @ x
            return Solution.apply(context.solve, matrix, change)

        @staticmethod
        def vmap(info: Any, dims: Any, solve: Solve, matrix: Any, rhs: Any) -> Any:
            _, of_matrix, of_rhs = dims
            if of_matrix is None:  # more right-hand sides of the same matrix
                columns = rhs.movedim(of_rhs, -1)
                x = Solution.apply(solve, matrix, columns.flatten(matrix.ndim - 1))
                return x.reshape(columns.shape), columns.ndim - 1
            matrix = matrix.movedim(of_matrix, 0)
            rhs = rhs.expand(info.batch_size, *rhs.shape) if of_rhs is None else rhs.movedim(of_rhs, 0)
            if rhs.ndim < matrix.ndim:  # a vector each
                return Solution.apply(solve, matrix, rhs[..., None])[..., 0], 0
            return Solution.apply(solve, matrix, rhs), 0

    return Solution


def _on_numpy(function: Callable[..., Numbers], *tensors: Any) -> Any:
    given = [
        to_numpy(one, name) for one, name in zip(tensors, ("matrix", "rhs")[-len(tensors) :], strict=True)
    ]
    return sys.modules["torch"].from_numpy(in_precision_of(function(*given), *given))


def _as(gradient: Any, kind: Any) -> Any:
    """Return a gradient in the type of what it is of: of real numbers its real part."""
    return (gradient if kind.is_complex else gradient.real).to(kind)
