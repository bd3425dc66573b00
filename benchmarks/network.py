"""A network on cells: how many of the shipped digits it reads, beside float64 and beside CrossSim with the same cells.

The network is that of `_digits_network`, whose weights are shipped. CrossSim (3.2, which PyPI does not have) takes part
where a checkout of it is on the path: with cells of its own, whose errors and noise are as large as those of each chip of
mho were measured to be; and with the very weights that the chip was measured to hold.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mho
from benchmarks._digits_network import TRAINED, Layer, classes, exact, samples, weights
from benchmarks.registry import Figure, installed
from mho.array_types import Floats
from mho.extensions.linalg import RawMatrix, on_bench

CHIPS_A_REPEAT = 2
CONVERTERS = 16  # bits, as the outputs of the bench have them
PEER = "CrossSim"
KINDS = {"pku": "usual cells", "relaxing": "relaxing cells"}
"""What the cells of a preset are called."""

Classes = NDArray[np.int64]


def run(repeat: int) -> list[Figure]:
    """Try the network on two chips a repeat."""
    pixels, digits = (values[TRAINED:] for values in samples())
    matrices, chips = weights(), range(1, 1 + CHIPS_A_REPEAT * repeat)
    meant = classes(exact(matrices), pixels)
    share = partial(_share, digits, meant)
    figures = [share("float64", [meant])]
    for preset, name in KINDS.items():
        figures += _beside(preset, name, pixels, chips, share)
    others: dict[str, Iterable[Sequence[Layer]]] = {
        "usual cells, written by pulses": on_cells(matrices, chips, programmed="written"),
        "cells without spread or noise": on_cells(matrices, chips, preset="ideal"),
        "usual cells, shuffled weights": (
            one for seed in chips for one in on_cells(shuffled(matrices, seed), [seed])
        ),
        "float64, shuffled weights": (exact(shuffled(matrices, seed)) for seed in chips),
    }
    return figures + [
        share(name, [classes(one, pixels) for one in layers]) for name, layers in others.items()
    ]


def on_cells(
    matrices: Sequence[Floats], chips: Sequence[int], preset: str = "pku", programmed: Any = "drawn"
) -> Iterator[list[RawMatrix]]:
    """Yield the layers on each chip, which is open until the next one is asked for."""
    for seed in chips:
        with mho.open_bench("arrays", seed=seed, preset=preset) as bench:
            drawn = seed if programmed == "drawn" else None  # what is written draws nothing
            yield [on_bench(one, bench, exact=False, programmed=programmed, seed=drawn) for one in matrices]


def shuffled(matrices: Sequence[Floats], seed: int) -> list[Floats]:
    """Return the same weights in other places."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(one.ravel()).reshape(one.shape) for one in matrices]


def _beside(preset: str, name: str, pixels: Floats, chips: Sequence[int], share: Any) -> list[Figure]:
    """Return the figures of one kind of cells, and of CrossSim with the same."""
    matrices = weights()
    found: dict[str, list[Classes]] = {"once": [], "again": [], "same weights": [], "same errors": []}
    for seed, layers in zip(chips, on_cells(matrices, chips, preset), strict=True):
        found["once"].append(classes(layers, pixels))
        found["again"].append(classes(layers, pixels))
        if not installed("simulator"):
            continue
        np.random.seed(seed)  # noqa: NPY002  # CrossSim draws from there
        errors = [_errors(one, matrix) for one, matrix in zip(layers, matrices, strict=True)]
        for held, what in (([one.measured for one in layers], "same weights"), (matrices, "same errors")):
            cores = [
                _cross_sim(one, spread if what == "same errors" else 0.0, noise)
                for one, (spread, noise) in zip(held, errors, strict=True)
            ]
            found[what].append(classes(cores, pixels))
    once = found["once"]
    figures = [
        share(name, once, found["same errors"]),
        _apart(f"{name}, read twice", once, found["again"]),
        _apart(f"{name}, two chips", *zip(*pairwise(once), strict=True)),
    ]
    if found["same weights"]:
        figures.insert(1, share(f"{name}, {PEER} with the same weights", found["same weights"]))
    for what in ("same weights", "same errors"):
        if found[what]:
            figures.append(_apart(f"{name} and {PEER} with the {what}", once, found[what]))
    return figures


def _errors(layer: RawMatrix, matrix: Floats) -> tuple[float, float]:
    """Return the rms error and noise of a cell, in parts of the conductance of the largest weight.

    Of a pair of cells either is 2^-1/2 of the pair's; two readings of one product differ by 2^1/2 of the noise of a
    product, which is the pair's times the vector's norm.
    """
    peak, batch = np.abs(matrix).max(), np.random.default_rng(1).random((200, matrix.shape[1]))
    off = (layer(batch) - layer(batch)) / np.linalg.norm(batch, axis=1, keepdims=True)
    return float(np.std(layer.measured - matrix) / peak / 2**0.5), float(np.std(off) / peak / 2.0)


def _cross_sim(matrix: Floats, spread: float, noise: float) -> Layer:
    """Return a layer in CrossSim: pairs of cells down to no conductance, converters as the bench has them."""
    simulator = importlib.import_module("simulator")
    parameters = simulator.CrossSimParameters()
    device = parameters.xbar.device
    device.infinite_on_off_ratio = True
    for error, magnitude in ((device.programming_error, spread), (device.read_noise, noise)):
        error.enable, error.model, error.magnitude = magnitude > 0.0, "NormalIndependentDevice", magnitude
    parameters.xbar.dac.mvm.bits, parameters.xbar.dac.mvm.model = CONVERTERS, "SignMagnitudeDAC"
    core = simulator.AnalogCore(matrix, params=parameters)

    def layer(batch: Floats) -> Floats:
        peaks = np.abs(batch).max(axis=1, keepdims=True)  # its converters take -1 to 1
        peaks[peaks == 0.0] = 1.0
        return np.asarray((core @ (batch / peaks).T).T * peaks)

    return layer


def _share(
    digits: Classes, meant: Classes, name: str, found: Sequence[Classes], beside: Sequence[Classes] = ()
) -> Figure:
    """Return the share of digits that are read right, the mean over chips, beside that of CrossSim."""
    rights = _rights(digits, found)
    detail = {
        "chips": len(found), "standard deviation": round(float(np.std(rights, ddof=1)), 2) if len(found) > 1 else 0.0,
        "least": round(min(rights), 2), "unlike float64": _different(found, [meant] * len(found)),
    }  # fmt: skip
    peers: dict[str, Any] = {}
    if name in KINDS.values():
        others = _rights(digits, beside)
        peers = {"peer_name": PEER, "peer_value": float(np.mean(others)) if others else None}
        if others:
            detail |= {
                f"{PEER}: standard deviation": round(float(np.std(others, ddof=1)), 2),
                f"{PEER}: unlike float64": _different(beside, [meant] * len(beside)),
            }
    return Figure(f"{name}: read right", float(np.mean(rights)), "%", detail=detail, **peers)


def _rights(digits: Classes, found: Sequence[Classes]) -> list[float]:
    return [float(100.0 * np.mean(one == digits)) for one in found]


def _apart(name: str, first: Sequence[Classes], second: Sequence[Classes]) -> Figure:
    """Return how many digits are read differently, the mean over chips."""
    return Figure(
        f"{name}: read differently", _different(first, second), "digits", detail={"of": len(first[0])}
    )


def _different(first: Sequence[Classes], second: Sequence[Classes]) -> float:
    return round(
        float(np.mean([np.count_nonzero(one != other) for one, other in zip(first, second, strict=True)])), 1
    )
