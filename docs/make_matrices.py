"""Make the sample matrices that come with mho, byte for byte: ``python docs/make_matrices.py [FOLDER]``.

Every random number is rounded to a multiple of 2^-20. Products and sums of them are then exact in float64, so
that no BLAS, processor or order of summation changes a digit of the output.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Complexes, Floats

DIGITS = (  # Zuo et al., Nature Electronics 8, 1222 (2025): A = 2^-3 A0 + 2^-6 A1 + 2^-9 A2 + 2^-12 A3
    "3200 0250 1271 0101",
    "7000 1611 1001 1206",
    "6753 7330 7771 7133",
    "5121 7103 0564 1326",
)
ANTENNAS, USERS = 128, 8
SNR = 30.0  # dB


def published() -> Floats:
    """Return the published 4x4 example, put together from its four 3-bit slices."""
    slices = [[[int(digit) for digit in row] for row in text.split()] for text in DIGITS]
    weights = 8.0 ** -np.arange(1, len(slices) + 1)
    return np.tensordot(weights, np.array(slices, dtype=float), 1)


def massive_mimo() -> tuple[Complexes, Complexes]:
    """Return the Gram matrix H^H H / 128 of a channel and the matched-filter output H^H y / 128.

    H is circular Gaussian with unit variance, 128 antennas by 8 users; y = H s + n, where s are random
    256-QAM symbols (odd levels from -15 to 15 on both axes, divided by 16) and n is white noise at `SNR`.
    """
    rng = np.random.default_rng(20251013)
    channel = _coarse(_circular(rng, (ANTENNAS, USERS)))
    levels = 2.0 * rng.integers(0, 16, (2, USERS)) - 15.0
    signal = channel @ ((levels[0] + 1j * levels[1]) / 16.0)
    noise = _circular(rng, (ANTENNAS,))
    received = _coarse(signal + noise * 10 ** (-SNR / 20) * np.linalg.norm(signal) / np.linalg.norm(noise))
    adjoint = channel.conj().T / ANTENNAS
    return adjoint @ channel, adjoint @ received


def poisson(side: int = 4) -> Floats:
    """Return the five-point Laplacian -d2/dx2 - d2/dy2 on a side x side grid, unit spacing, zero borders."""
    line = 2.0 * np.eye(side) - np.eye(side, k=1) - np.eye(side, k=-1)
    return np.kron(line, np.eye(side)) + np.kron(np.eye(side), line)


def dominant(n: int = 8) -> Floats:
    """Return uniform numbers in (-1, 1) with a diagonal larger than the sum of the row's other magnitudes."""
    rng = np.random.default_rng(8)
    matrix = _coarse(rng.uniform(-1.0, 1.0, (n, n)))
    excess = np.abs(matrix.diagonal())
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, np.abs(matrix).sum(axis=1) + excess)
    return matrix


def main(folder: Path) -> None:
    """Write every matrix and right-hand side into `folder`."""
    paper = "Zuo et al., Nature Electronics 8, 1222 (2025), doi 10.1038/s41928-025-01477-0"
    mimo = f"Massive MIMO zero forcing, {ANTENNAS} antennas x {USERS} users, complex Gaussian channel H,"
    gram, matched = massive_mimo()
    files = {
        "zuo2025-4x4": (published(), f"The 4x4 example printed in {paper}: four slices of 3 bits."),
        "zuo2025-4x4-rhs": (
            np.array([0.05, 0.0, 0.05, 0.025]),
            f"Right-hand side of the example in {paper}.",
        ),
        "mimo-16x16": (_real(gram), f"{mimo} H^H H / {ANTENNAS} as [[Re, -Im], [Im, Re]]."),
        "mimo-16x16-rhs": (
            np.concatenate([matched.real, matched.imag]),
            f"{mimo} H^H y / {ANTENNAS} as [Re, Im]: random 256-QAM symbols / 16, SNR {SNR:g} dB.",
        ),
        "dominant-8x8": (dominant(), "Random real matrix with a dominant diagonal, numpy's default_rng(8)."),
    }
    for name, (values, comment) in files.items():
        _write(folder / f"{name}.mtx", comment, *_dense(values))
    grid = "Five-point Laplacian on a 4x4 grid, unit spacing, zero borders; textbook finite differences."
    _write(folder / "poisson-4x4-grid.mtx", grid, *_sparse_symmetric(poisson()))


def _circular(rng: np.random.Generator, shape: tuple[int, ...]) -> Complexes:
    """Return circular complex Gaussian numbers of unit variance."""
    parts = rng.standard_normal((2, *shape)) / np.sqrt(2.0)
    return np.asarray(parts[0] + 1j * parts[1])


def _coarse(values: NDArray[Any]) -> NDArray[Any]:
    """Round to multiples of 2^-20."""
    return np.round(values * 2.0**20) / 2.0**20


def _real(matrix: Complexes) -> Floats:
    """Map a complex matrix to the real one of twice the size."""
    return np.block([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]])


def _dense(values: Floats) -> tuple[str, list[str]]:
    """Return the header and lines of a dense matrix, or of a vector as a column."""
    columns = values.reshape(len(values), -1)
    size = f"{columns.shape[0]} {columns.shape[1]}"
    return "array real general", [size, *map(_exact, columns.T.ravel())]


def _sparse_symmetric(matrix: Floats) -> tuple[str, list[str]]:
    """Return the header and lines of a symmetric matrix: the entries on and below the diagonal."""
    rows, columns = np.nonzero(np.tril(matrix))
    entries = [f"{r + 1} {c + 1} {_exact(matrix[r, c])}" for r, c in zip(rows, columns, strict=True)]
    return "coordinate real symmetric", [f"{len(matrix)} {len(matrix)} {len(entries)}", *entries]


def _exact(value: float) -> str:
    """Return the shortest decimal that reads back as the same float64; no negative zero."""
    return repr(float(value) + 0.0)


def _write(path: Path, comment: str, header: str, lines: list[str]) -> None:
    """Write one Matrix Market file, with Unix line ends on every system."""
    text = "\n".join(
        [f"%%MatrixMarket matrix {header}", f"% {comment}", "% Made by make_matrices.py", *lines]
    )
    path.write_bytes(f"{text}\n".encode())


if __name__ == "__main__":
    samples = Path(__file__).resolve().parents[1] / "mho/chip_maps/matrices"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else samples)
