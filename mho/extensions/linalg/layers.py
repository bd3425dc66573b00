"""Layers of PyTorch whose weights are cells on a bench.

A network is run, or trained, on products as the cells make them. These have no derivative; what takes its place is that of
the same layer in float64, with the weights as they are meant (straight through; Y. Bengio et al., arXiv:1308.3432) or as
the cells hold them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

from mho.errors import InputError
from mho.extensions.linalg.bench_matrix import on_bench
from mho.extensions.linalg.raw_products import RawMatrix
from mho.foreign_arrays import ArrayError
from mho.instruments import Bench

try:
    torch: Any = import_module("torch")
except ModuleNotFoundError:
    raise ImportError(
        "a layer needs PyTorch, which is not installed: pip install torch; without it, a matrix of "
        "on_bench(…, exact=False) takes a batch of NumPy's"
    ) from None


__all__ = ["Linear"]


class Linear(torch.nn.Linear):  # type: ignore[misc]
    """A linear layer, y = x W^T + b, whose products are those of cells.

    The bias is added digitally. The chip holds the weights as they were when the layer was made, or `reprogram` was called
    last: call it after a step of an optimiser, and after `load_state_dict`.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    bench : Bench
        Open; several layers share its cells.
    gradient : str
        "straight-through": as if the cells held the weights; "measured": with what they were measured to hold, in the
        gradient of the inputs.
    dtype : torch.dtype, optional
    **options
        Of `on_bench`: bits, programmed, seed, write_verify.

    Attributes
    ----------
    cells : RawMatrix
        The weights on the chip: ``cells.measured``, ``cells.summary()``.

    Raises
    ------
    InputError
        For another gradient, and what `on_bench` refuses.

    Examples
    --------
    >>> import torch
    >>> from mho.torch import Linear
    >>> with mho.open_bench("arrays", preset="quiet", seed=1) as bench:
    ...     layer = Linear(8, 3, bench=bench)
    ...     layer(torch.ones(5, 8)).square().mean().backward()
    >>> layer.weight.grad.shape
    torch.Size([3, 8])
    """

    cells: RawMatrix

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, bench: Bench,
        gradient: Literal["straight-through", "measured"] = "straight-through", dtype: Any = None,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(in_features, out_features, bias, dtype=dtype)
        if gradient not in ("straight-through", "measured"):
            raise InputError(f"gradient is {gradient!r}; give 'straight-through' or 'measured'")
        self.gradient = gradient
        self.cells = on_bench(self.weight, bench, exact=False, **options)

    def forward(self, batch: Any) -> Any:
        """Return the outputs (..., out_features) of a batch (..., in_features), all in one exchange.

        Raises
        ------
        InputError
            For a batch that does not fit, and one that is complex or not finite.
        """
        if batch.shape[-1:] != (self.in_features,):
            raise ArrayError(
                f"a batch of the shape {tuple(batch.shape)} does not fit a layer of {self.in_features} inputs; give "
                f"(…, {self.in_features})"
            )
        weight = self.weight
        if self.gradient == "measured":
            measured = torch.from_numpy(self.cells.measured).to(weight.dtype)
            weight = weight + (measured - weight).detach()
        exact = torch.nn.functional.linear(batch, weight)
        cells = self.cells(batch.detach().reshape(-1, self.in_features)).reshape(exact.shape)
        outputs = exact + (cells - exact).detach()
        return outputs if self.bias is None else outputs + self.bias

    def reprogram(self) -> None:
        """Program the weights as they are now; cells that hold their target get no pulse."""
        self.cells.reprogram(self.weight)

    def extra_repr(self) -> str:
        """Return sizes, gradient and how well the cells hold the weights."""
        return f"{super().extra_repr()}, gradient={self.gradient}, cells={self.cells!r}"
