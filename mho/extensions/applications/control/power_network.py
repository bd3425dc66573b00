"""DC power flow: susceptance matrix of a network, flows on its lines, outages of lines from the same solutions.

    B theta = P,   f_l = b_l (theta_from - theta_to - shift),   b_l = 1 / (x tap)

with the angle of the reference bus at 0 (Wood, Wollenberg and Sheble, Power Generation, Operation, and Control, 3rd ed.
2014, sections 6.16 and 7.5). In per unit of the base power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mho.array_types import Floats, Integers
from mho.errors import InputError

BRIDGE = 1e-6  # 1 less the share of a line's own transfer below which its outage splits the network


@dataclass(frozen=True)
class Network:
    """Buses and the lines between them."""

    name: str
    buses: Integers  # (buses,): their numbers, as the source has them
    injections: Floats  # (buses,): generation less load, MW
    loads: Floats  # (buses,): MW
    reference: int  # index of the bus whose angle is 0 and that takes what is missing
    ends: Integers  # (lines, 2): indices of the buses of each line, from and to
    susceptances: Floats  # (lines,): 1/(x tap), per unit
    shifts: Floats  # (lines,): phase shifts of transformers, rad
    base: float = 100.0  # MW
    places: Floats | None = None  # (buses, 2): x and y for pictures

    @property
    def others(self) -> Integers:
        """Indices of all buses but the reference."""
        return np.flatnonzero(np.arange(len(self.buses)) != self.reference)

    def check(self) -> None:
        """Refuse a network without one solution.

        Raises `InputError`: buses that no line connects with the reference: an island, whose buses are named; a
        susceptance that is not positive.
        """
        wrong = np.flatnonzero(~(self.susceptances > 0.0) | ~np.isfinite(self.susceptances))
        if wrong.size:
            line = int(wrong[0])
            reactance = 1.0 / self.susceptances[line]
            raise InputError(
                f"line {self.line_name(line)} of {self.name} has the reactance {reactance:.3g}; a DC power flow needs "
                "positive ones"
            )
        labels = self._islands(np.ones(len(self.ends), dtype=bool))
        lost = np.flatnonzero(labels != labels[self.reference])
        if lost.size:
            named = ", ".join(str(bus) for bus in self.buses[lost[:8]].tolist())
            raise InputError(
                f"bus{'es' * (lost.size > 1)} {named}{' and more' * (lost.size > 8)} of {self.name} form an island: "
                f"no line in service leads to the reference, bus {self.buses[self.reference]}, and B is "
                "singular; connect or remove them"
            )

    def _islands(self, kept: NDArray[np.bool_]) -> Integers:
        count, ends = len(self.buses), self.ends[kept]
        graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
        return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)

    def line_name(self, line: int) -> str:
        """Return the numbers of a line's buses, 4-7."""
        return "-".join(str(bus) for bus in self.buses[self.ends[line]].tolist())

    @property
    def incidence(self) -> Floats:
        """+1 where a line begins, -1 where it ends, without the reference, (lines, buses - 1)."""
        lines = np.arange(len(self.ends))
        matrix = np.zeros((len(self.ends), len(self.buses)))
        matrix[lines, self.ends[:, 0]] += 1.0
        matrix[lines, self.ends[:, 1]] -= 1.0
        return matrix[:, self.others]

    def matrix(self) -> Floats:
        """Return B without the reference, symmetric positive definite, (buses - 1, buses - 1), per unit."""
        incidence = self.incidence
        return np.asarray(incidence.T @ (self.susceptances[:, None] * incidence))

    def powers(self, injections: Floats) -> Floats:
        """Return P per unit for injections in MW, (buses,) or (buses, k); phase shifters move power between their ends."""
        shifted = self.incidence.T @ (self.susceptances * self.shifts)
        per_unit = injections[self.others] / self.base
        return np.asarray(per_unit + (shifted if injections.ndim == 1 else shifted[:, None]))

    def flows(self, angles: Floats) -> Floats:
        """Return the lines' flows, MW, for angles (buses - 1,) or (buses - 1, k)."""
        shifts = self.shifts if angles.ndim == 1 else self.shifts[:, None]
        drops = self.incidence @ angles - shifts
        return np.asarray(self.base * (self.susceptances * drops.T).T)

    def outage_factors(self, responses: Floats) -> Floats:
        """Return by how much of the flow of line k the flow of line l changes when k goes, [l, k]; NaN where k splits
        the network.

        `responses` (buses - 1, lines): B^-1 times the incidence of each line: angles when 1 per unit enters at its
        beginning and leaves at its end.
        """
        transfer = self.susceptances[:, None] * (self.incidence @ responses)
        own = np.diag(transfer)
        left = np.where(1.0 - own > BRIDGE, 1.0 - own, np.nan)
        factors = transfer / left
        np.fill_diagonal(factors, np.where(np.isfinite(left), -1.0, np.nan))
        return np.asarray(factors)

    def multiplications(self, cases: int, outages: bool) -> int:
        """Return the digital multiplications beside the solves: powers and flows of cases, and all flows after outages."""
        lines = len(self.ends)
        return cases * (len(self.buses) + 2 * lines) + (3 * lines**2 if outages else 0)

    def cut_off(self, line: int) -> list[int]:
        """Return the numbers of the buses that an outage of a line cuts off from the reference."""
        kept = np.arange(len(self.ends)) != line
        labels = self._islands(kept)
        return [int(bus) for bus in self.buses[labels != labels[self.reference]]]
