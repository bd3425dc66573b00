"""A bench for other libraries: SciPy's solvers, scikit-learn's estimators, arrays of PyTorch, JAX and others.

- `bench_matrix`: a matrix on a bench as operator and preconditioner, as SciPy takes them;
- `solving`: solve A x = b for arrays of any kind, PyTorch's autograd included;
- `raw_products`: a matrix of any shape whose products are those of its cells, with nothing repaired;
- `gradients`: how PyTorch differentiates these; `layers`: a layer of PyTorch on cells (`mho.torch`);
- `jax_functions`: products and solutions within programs of JAX, with gradients (`mho.jax`);
- `ridge`: ridge regression as scikit-learn has it; `estimator_bases`: what an estimator inherits, with and without it;
- `holding`: a matrix on a bench until another takes its place; a bench by name, or one that is open.

None of SciPy's peers is needed: what a caller hands in is already there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.linalg.bench_matrix import BenchMatrix, ProductsWarning, on_bench
    from mho.extensions.linalg.raw_products import RawMatrix
    from mho.extensions.linalg.ridge import Ridge
    from mho.extensions.linalg.solving import solve
    from mho.foreign_arrays import ArrayError
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "ArrayError",
    "BenchMatrix",
    "ProductsWarning",
    "RawMatrix",
    "Ridge",
    "on_bench",
    "solve",
]
