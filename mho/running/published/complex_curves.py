"""The two complex experiments: 4 x 4 over 100 right-hand sides in one loop, and 8 x 8 inverted in two stages of blocks.

Both hold their matrix in the published 24 bits, eight slices of three, cut off: what is left out makes their floor.
Neither matrix is printed. These are the Gram matrices H^H H / m of m x n complex Gaussian channels, one a chip, as in the
paper's detection of MIMO signals with the same numbers of users: 16 x 4, the best conditioned of a thousand, and 128 x 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.matrix_files import to_real
from mho.errors import ChipMapError, ConvergenceError, InputError
from mho.instruments import Bench
from mho.procedures import biased_loop, refine_as_published, refine_on_chip
from mho.running.published.comparisons import Compared, Experiment, Outcome, Tell
from mho.running.published.curves import curve_columns, curve_figures, curve_table, relative_errors
from mho.running.published.ensemble import Setup
from mho.running.published.paper_numbers import PublishedNumber
from mho.runs import Figure, Table

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

BITS, CYCLES = 24, 10
GOOD = 1000
"""Channels of 16 x 4, of which the best conditioned is taken: at the published 23 dB even one of orthogonal columns makes
float32 err in 5.0e-4 of the bits, and the published image shows none."""


def best_channel(antennas: int, users: int, count: int, rng: np.random.Generator) -> Complexes:
    """Return of `count` channels of complex Gaussian numbers of variance 1, (antennas, users), the best conditioned one."""
    parts = rng.standard_normal((count, 2, antennas, users))
    channels = np.asarray((parts[:, 0] + 1j * parts[:, 1]) / np.sqrt(2.0))
    return np.asarray(channels[np.argmin(np.linalg.cond(channels))])


def gram(channel: Complexes) -> Complexes:
    """Return H^H H / antennas of a channel, (users, users)."""
    return np.asarray(channel.conj().T @ channel / len(channel))


@dataclass(frozen=True)
class ComplexCurve(Experiment):
    """One of the complex experiments.

    Attributes
    ----------
    name, short : str
        As it is typed, and in names of tables.
    antennas, users : int
        Of the channel.
    columns : int
        Right-hand sides; 0 for the inverse, a unit vector a column.
    number : int
        Of its chips, among the experiments'.
    channels : int
        Drawn for every chip, of which the one with the smallest condition number is used.
    """

    name: str
    short: str
    antennas: int
    users: int
    columns: int
    number: int
    channels: int = 1

    @property
    def tables(self) -> tuple[Table, ...]:
        """Tables of the run file."""
        return curve_table(self.short, self.published.title)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Figures of the run file."""
        final = self.published["final"].values.tolist()
        return curve_figures(self.short, self.published.title, [CYCLES], final)

    def carry_out(self, setup: Setup, tell: Tell) -> Outcome:
        """Refine on every chip."""
        curves, wrong, integers, refused = [], 0, 0, []
        for done, rng in enumerate(setup.generators(self.number), 1):
            matrix = gram(best_channel(self.antennas, self.users, self.channels, rng))
            with setup.chip(rng) as bench:
                try:
                    errors, outputs, off = self._errors(bench, matrix, rng)
                except (ChipMapError, ConvergenceError, InputError) as error:
                    refused.append(str(error))
                else:
                    curves.append(errors)
                    integers, wrong = integers + outputs, wrong + off
            tell(done, setup.chips)
        told = ["the matrix is not printed: Gram matrices of Gaussian channels stand for it"]
        if refused:
            told.append(f"{len(refused)} of {setup.chips} chips refused it: {refused[0]}")
        if not curves:
            return Outcome(open_=tuple(told))
        together = np.stack(curves)
        rows, tables = self._compared(together)
        facts = {"integers": integers, "wrong_integers": wrong, "refused": len(refused)}
        return Outcome(tuple(rows), tables, facts=facts, open_=tuple(told))

    def _compared(self, curves: Floats) -> tuple[list[Compared], dict[str, dict[str, NDArray[np.generic]]]]:
        """Return curves (chips, cycles) beside what is published: the last error."""
        final, unknown = self.published["final"], PublishedNumber(np.empty(0), "", "open", 0.0)
        rows = [
            Compared.of(
                "relative error", curves[:, cycle], final if cycle == CYCLES - 1 else unknown, cycle + 1
            )
            for cycle in range(CYCLES)
        ]
        return rows, curve_columns(self.short, curves, rows)

    def _errors(self, bench: Bench, matrix: Complexes, rng: np.random.Generator) -> tuple[Floats, int, int]:
        """Return the errors (cycles,) on one chip, the root mean square over the columns, integers, and wrong ones."""
        seed = int(rng.integers(2**31))
        if not self.columns:
            real = to_real(matrix)
            found = refine_on_chip(bench, real, CYCLES, BITS, seed)
            inverse = np.linalg.inv(real)
            errors = np.linalg.norm(found.inverses - inverse, axis=(1, 2)) / np.linalg.norm(inverse)
            return np.asarray(errors), found.outputs, found.wrong
        parts = rng.uniform(-1.0, 1.0, (2, self.users, self.columns))
        real, rhs = to_real(matrix), np.concatenate(list(parts))
        scale = (1.0 - 2.0**-BITS) / np.abs(real).max()  # the largest entry has the largest digits
        loop = biased_loop(bench, scale * real, np.random.default_rng([seed, 1]))
        refined = refine_as_published(bench, scale * real, scale * rhs, CYCLES, BITS, loop=loop)
        each = relative_errors(refined.solutions, np.linalg.solve(real, rhs))
        return np.sqrt(np.square(each).mean(axis=1)), refined.outputs, refined.wrong


FOUR = ComplexCurve("complex-4x4", "complex4", 16, 4, 100, 5, GOOD)
EIGHT = ComplexCurve("complex-8x8", "complex8", 128, 8, 0, 6)
