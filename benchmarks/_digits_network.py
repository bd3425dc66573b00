"""A network of 64, 54 and 10 units for the digits that mho ships, trained in float64; its weights are shipped as well.

The layers are those that were trained on memristors by C. Li et al., Nature Communications 9, 2385 (2018): 8 x 8 pixels,
rectified units, no biases. Their weights were not published; these are trained here, on the first 1,200 of 1,797 digits
(E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998, doi 10.24432/C50P49). ``python -m
benchmarks._digits_network`` writes the file anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import mho.extensions.applications
from mho.array_types import Floats

Layer: TypeAlias = Callable[[Floats], Floats]
"""Takes a batch (k, n), one vector a row, and returns (k, m)."""

WEIGHTS = Path(__file__).parent / "trained" / "digits-64-54-10.npz"
SAMPLES = Path(mho.extensions.applications.__file__).parent / "training" / "data" / "digits.npz"
UNITS = 64, 54, 10
TRAINED = 1200
"""Digits that it is trained on; it is tried on the others, for the most part of other writers."""
STEPS, BATCH, RATE, DECAY, SEED = 600, 200, 0.01, 1e-4, 2


def samples() -> tuple[Floats, NDArray[np.int64]]:
    """Return pixels from 0 to 1, (1797, 64), and the digits."""
    with np.load(SAMPLES) as file:
        return file["x"] / 16.0, file["y"].astype(np.int64)


def weights() -> tuple[Floats, Floats]:
    """Return the weights that are shipped, (54, 64) and (10, 54)."""
    with np.load(WEIGHTS) as file:
        return file["hidden"].astype(np.float64), file["outputs"].astype(np.float64)


def exact(matrices: Sequence[Floats]) -> list[Layer]:
    """Return layers whose products are float64's."""
    return [lambda batch, matrix=one: batch @ matrix.T for one in matrices]  # type: ignore[misc]


def classes(layers: Sequence[Layer], batch: Floats) -> NDArray[np.int64]:
    """Return the digit that a network takes each of a batch for."""
    hidden, outputs = layers
    return np.asarray(outputs(np.maximum(hidden(batch), 0.0)).argmax(axis=1))


def train() -> list[Floats]:
    """Return weights that minimise the cross-entropy of the digits they are trained on, by Adam (arXiv:1412.6980)."""
    pixels, digits = (values[:TRAINED] for values in samples())
    rng = np.random.default_rng(SEED)
    found = [
        rng.standard_normal((outputs, inputs)) * np.sqrt(gain / inputs)
        for gain, inputs, outputs in zip((2.0, 1.0), UNITS[:2], UNITS[1:], strict=True)
    ]
    means, squares = ([np.zeros_like(one) for one in found] for _ in range(2))
    for step in range(1, STEPS + 1):
        some = rng.integers(TRAINED, size=BATCH)
        for one, slope, mean, square in zip(
            found, _slopes(found, pixels[some], digits[some]), means, squares, strict=True
        ):
            mean += 0.1 * (slope - mean)
            square += 0.001 * (slope**2 - square)
            one -= RATE * mean / (1.0 - 0.9**step) / (np.sqrt(square / (1.0 - 0.999**step)) + 1e-8)
    return found


def _slopes(matrices: Sequence[Floats], pixels: Floats, digits: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return the gradients of the mean cross-entropy, with a decay of the weights."""
    hidden, outputs = matrices
    inner = np.maximum(pixels @ hidden.T, 0.0)
    scores = inner @ outputs.T
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    shares[np.arange(len(digits)), digits] -= 1.0
    shares /= len(digits)
    back = (shares @ outputs) * (inner > 0.0)
    return back.T @ pixels + DECAY * hidden, shares.T @ inner + DECAY * outputs


if __name__ == "__main__":
    hidden, outputs = train()
    np.savez_compressed(WEIGHTS, hidden=hidden.astype(np.float32), outputs=outputs.astype(np.float32))
