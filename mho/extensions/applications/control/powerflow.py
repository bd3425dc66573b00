"""PowerFlow: DC power flow of a network, its scenarios and outages, from one matrix on the chip.

    B theta = P,   f_l = b_l (theta_from - theta_to - shift),   b_l = 1 / (x tap)

with the angle of the reference bus at 0 (Wood, Wollenberg and Sheble, Power Generation, Operation, and Control, 3rd ed.
2014, sections 6.16 and 7.5). In per unit of the base power.

A case file assigns matrices: ``mpc.bus = [ ... ];``. Of a bus its number, type and load are read, of a generator bus, power
and status, of a branch ends, reactance, tap, shift and status (MATPOWER User's Manual, appendix B, tables B-1 to B-3).
Nothing in it is run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mho.array_types import Floats, Integers
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    Prepared,
    digital_solution,
    record_rows,
    relative_error,
)
from mho.extensions.applications.input_data import read_bytes
from mho.instruments import Bench
from mho.procedures import BooleanParameter, FloatParameter, IntegerParameter, Parameter, Stream
from mho.runs import Array, Column, Figure, Layout, Map, Table

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

    def _islands(self, in_service: NDArray[np.bool_]) -> Integers:
        count, ends = len(self.buses), self.ends[in_service]
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
        in_service = np.arange(len(self.ends)) != line
        labels = self._islands(in_service)
        return [int(bus) for bus in self.buses[labels != labels[self.reference]]]


LARGEST = 1 << 22  # bytes of a case file at most
REFERENCE, ISOLATED = 3, 4  # types of buses
COLUMNS = {"bus": 3, "gen": 8, "branch": 11}  # columns that each matrix needs

# MW, buses 1 to 14; generators: 232.4 MW at bus 1, 40 MW at bus 2
IEEE14_LOADS = (0.0, 21.7, 94.2, 47.8, 7.6, 11.2, 0.0, 0.0, 29.5, 9.0, 3.5, 6.1, 13.5, 14.9)
# From, to, reactance per unit of 100 MVA, tap (University of Washington, Power Systems Test Case Archive,
# IEEE 14 bus)
IEEE14_LINES = (
    (1, 2, 0.05917, 1.0), (1, 5, 0.22304, 1.0), (2, 3, 0.19797, 1.0), (2, 4, 0.17632, 1.0),
    (2, 5, 0.17388, 1.0), (3, 4, 0.17103, 1.0), (4, 5, 0.04211, 1.0), (4, 7, 0.20912, 0.978),
    (4, 9, 0.55618, 0.969), (5, 6, 0.25202, 0.932), (6, 11, 0.1989, 1.0), (6, 12, 0.25581, 1.0),
    (6, 13, 0.13027, 1.0), (7, 8, 0.17615, 1.0), (7, 9, 0.11001, 1.0), (9, 10, 0.0845, 1.0),
    (9, 14, 0.27038, 1.0), (10, 11, 0.19207, 1.0), (12, 13, 0.19988, 1.0), (13, 14, 0.34802, 1.0),
)  # fmt: skip
# x and y of the buses in pictures, about as the archive's diagram has them
IEEE14_PLACES = (
    (0.5, 2.0), (1.2, 0.6), (4.6, 0.3), (4.3, 1.8), (2.0, 2.0), (2.0, 3.4), (5.0, 2.8), (6.2, 2.8),
    (4.6, 3.6), (3.9, 4.1), (2.9, 4.1), (0.9, 4.6), (1.9, 5.0), (3.6, 5.1),
)  # fmt: skip
NETWORKS = ("ieee14",)


def load_network(source: str | Path) -> Network:
    """Return a network by its name or from a case file, checked.

    Raises `InputError`: the file is missing, too large or no case; a number is wrong; the network has an island.
    """
    network = ieee14() if str(source) == "ieee14" else _case(Path(source))
    network.check()
    return network


def ieee14() -> Network:
    """Return the IEEE 14-bus test case, a part of the American Electric Power system of 1962."""
    loads = np.array(IEEE14_LOADS)
    generation = np.zeros(14)
    generation[:2] = 232.4, 40.0
    lines = np.array(IEEE14_LINES)
    return Network(
        "ieee14", np.arange(1, 15), generation - loads, loads, 0, lines[:, :2].astype(np.int64) - 1,
        1.0 / (lines[:, 2] * lines[:, 3]), np.zeros(len(lines)), places=np.array(IEEE14_PLACES),
    )  # fmt: skip


def _case(path: Path) -> Network:
    text = _text(path)
    base = re.search(r"mpc\.baseMVA\s*=\s*([^;\n]+)", text)
    matrices = {name: _matrix(text, name, path) for name in COLUMNS}
    bus, gen, branch = matrices["bus"], matrices["gen"], matrices["branch"]
    bus = bus[bus[:, 1] != ISOLATED]
    buses = bus[:, 0].astype(np.int64)
    if len(np.unique(buses)) < len(buses):
        raise InputError(f"{path}: two buses have one number; give each its own")
    index = {number: place for place, number in enumerate(buses.tolist())}
    reference = np.flatnonzero(bus[:, 1] == REFERENCE)
    if len(reference) != 1:
        raise InputError(f"{path} has {len(reference)} reference buses (type 3); a DC power flow needs one")
    injections = -bus[:, 2]
    for number, power in gen[gen[:, 7] > 0][:, :2]:
        injections[_place(index, number, "generator", path)] += power
    branch = branch[branch[:, 10] > 0]
    if not len(branch):
        raise InputError(f"{path} has no branch in service")
    ends = np.array([[_place(index, end, "branch", path) for end in line[:2]] for line in branch])
    taps = np.where(branch[:, 8] == 0.0, 1.0, branch[:, 8])
    reactances = branch[:, 3] * taps
    susceptances = np.divide(1.0, reactances, out=np.full(len(branch), np.inf), where=reactances != 0.0)
    return Network(
        path.stem, buses, injections, bus[:, 2].copy(), int(reference[0]), ends, susceptances,
        np.deg2rad(branch[:, 9]), _number(base[1], "baseMVA", path) if base else 100.0,
    )  # fmt: skip


def _text(path: Path) -> str:
    if path.suffix.lower() != ".m":
        raise InputError(f"{path} is no network: give {', '.join(NETWORKS)}, or a case file of MATPOWER, .m")
    return re.sub(r"%[^\n]*", "", read_bytes(path, LARGEST, "a case file").decode("utf-8", "replace"))


def _matrix(text: str, name: str, path: Path) -> Floats:
    """Return one matrix of a case file, columns that are needed at least."""
    match = re.search(rf"mpc\.{name}\s*=\s*\[([^\]]*)\]", text)
    if not match:
        raise InputError(f"{path} has no mpc.{name} = [...]; it is no case file of version 2")
    rows = [re.split(r"[\s,]+", row.strip()) for row in re.split(r"[;\n]", match[1]) if row.strip(" \t\r,")]
    if not rows and name != "gen":
        raise InputError(f"{path}: mpc.{name} is empty")
    short = [number for number, row in enumerate(rows, 1) if len(row) < COLUMNS[name]]
    if short or len(set(map(len, rows))) > 1:
        at = short[0] if short else 1 + next(n for n, row in enumerate(rows) if len(row) != len(rows[0]))
        raise InputError(
            f"{path}: row {at} of mpc.{name} has {len(rows[at - 1])} values; all need the same number, "
            f"{COLUMNS[name]} or more"
        )
    values = np.array([[_number(one, f"mpc.{name}", path) for one in row] for row in rows])
    return values.reshape(len(rows), -1) if rows else np.empty((0, COLUMNS[name]))


def _number(text: str, what: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{path}: {text.strip()[:40]!r} in {what} is no number") from None
    if np.isnan(value):
        raise InputError(f"{path}: {what} holds NaN; give a number")
    return value


def _place(index: dict[int, int], number: float, what: str, path: Path) -> int:
    if number not in index:
        raise InputError(f"{path}: a {what} is at bus {number:g}, which mpc.bus does not have")
    return index[int(number)]


MOST_BUSES = 1025
MANY = 24  # right-hand sides from which on a matrix by blocks is said to take long
WEDGE = 0.5  # width of the wedge of the largest flow, in units of the buses' places
STROKES = 160.0  # across a wedge, by its length

FLOWS = Table(
    "flows",
    (
        Column("line", dtype="u4"), Column("begin", dtype="u4", description="bus where the line begins"),
        Column("end", dtype="u4", description="bus where it ends"), Column("flow", "W"),
        Column("digital", "W", digital=1e-9, description="digital flow"),
        Column("worst", "W", description="largest flow after an outage"),
        Column("worst_outage", dtype="i4", description="line whose outage makes it, -1 for none"),
    ),
)  # fmt: skip
BUSES = Table(
    "buses",
    (
        Column("bus", dtype="u4"), Column("injection", "W"), Column("angle", "rad"),
        Column("digital_angle", "rad", digital=1e-9, description="digital angle"),
    ),
)  # fmt: skip
SCENARIOS = Table(
    "scenarios", (Column("scenario", dtype="u4"), Column("line", dtype="u4"), Column("flow", "W"))
)
GRID = Table(
    "grid",
    (
        Column("rank", dtype="u4", description="lines by their flow, the smallest first"), Column("x"),
        Column("y"), Column("flow", "W"),
    ),
    series="rank",
)  # fmt: skip
FIGURES = (
    Figure("flows", table="flows", x="line", y=("flow", "digital", "worst"), kind="scatter",
           title="Flows on the lines"),
    Figure("scenarios", kind="errorbars", table="scenarios", x="line", y="flow",
           title="Flows over the scenarios"),
    Figure("flow_after_outage", map="flow_after_outage"),
    Figure("angles", kind="scatter", table="buses", x="bus", y=("angle", "digital_angle"),
           title="Angles of the buses"),
)  # fmt: skip
PICTURE = Figure("grid", table="grid", x="x", y="y", by="rank", title="Flows: wedges point with them")


class PowerFlow(Application[ApplicationResult]):
    """Find the flows on the lines of a power network, for many loads and all outages of one line."""

    title: ClassVar[str] = "DC power flow"
    leading: ClassVar[tuple[str, ...]] = ("network", "scenarios", "bits")

    network: Parameter[Any] = Parameter("Network, ieee14 or a case file of MATPOWER", default="ieee14")
    scenarios = IntegerParameter("Random loads", minimum=0, maximum=1000, default=40)
    spread = FloatParameter("Standard deviation of each load, as a share of it", minimum=0.0, maximum=2.0,
                            default=0.1)  # fmt: skip
    outages = BooleanParameter("Outage of each line in turn", default=True)

    def check(self) -> Network:
        """Read the network, and refuse islands and what is beyond the chip."""
        super().check()
        network = load_network(self.network)
        if len(network.buses) > MOST_BUSES:
            raise InputError(
                f"{network.name} has {len(network.buses)} buses, and {MOST_BUSES} are the most: reduce it to "
                f"the part you need"
            )
        if len(network.buses) < 3:
            raise InputError(
                f"{network.name} has {len(network.buses)} buses; a network to solve has three or more"
            )
        return network

    def matrices(self, given: Network) -> tuple[Floats, ...]:
        """Return the susceptances."""
        return (given.matrix(),)

    def layout(self, plan: Prepared) -> Layout:
        """Declare flows, angles, scenarios and outages."""
        network: Network = plan.given
        lines = np.arange(len(network.ends))
        title = "flow on a line, row, after the outage of another, column"
        maps = (Map("flow_after_outage", "W", lines, lines, title, images=1),) if self.outages else ()
        present = {"scenarios": bool(self.scenarios), "flow_after_outage": bool(self.outages)}
        figures = tuple(one for one in FIGURES if present.get(one.name, True))
        drawn = () if network.places is None else (PICTURE,)
        arrays = (
            Array("matrix", network.matrix(), "", "B, per unit, without the reference"),
            Array("injections", 1e6 * self._injections(network), "W", "of the case, then of the scenarios"),
        )
        return Layout(
            (FLOWS, BUSES, SCENARIOS, GRID, MATRICES), maps, arrays, default="flows",
            figures=(*drawn, *figures),
        )  # fmt: skip

    def run_title(self) -> str:
        """Return the name of the network."""
        return (
            f"DC power flow, {Path(self.network).stem if isinstance(self.network, str | Path) else 'network'}"
        )

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Hold B, answer all injections and the transfers of all lines at once, compare."""
        network: Network = plan.given
        injections = self._injections(network)
        columns = network.powers(injections)
        count = columns.shape[1]
        if self.outages:
            columns = np.concatenate((columns, network.incidence.T), axis=1)
        with self.holding(plan, bench, stream) as chip:
            chip_matrix = chip.hold(network.matrix())
            if columns.shape[1] > MANY and not chip_matrix.products_on_chip:
                stream.say(
                    f"{columns.shape[1]} right-hand sides of a matrix by blocks are answered one after the other, which "
                    "takes about a second each on the bench `arrays`; fewer scenarios and no outages take less"
                )
            answer = chip_matrix.solve(columns)
            chip.beside.digital["beside"] += network.multiplications(count, bool(self.outages))
            costs, encoding = chip.costs(), chip_matrix.summary()["encoding"]
        short = int((~answer.converged).sum())
        self.say_short(stream, short, columns.shape[1], "solutions", answer.reason)
        digital = digital_solution(network.matrix(), columns)
        flows, exact = (network.flows(one[:, :count]) for one in (answer.solutions, digital))
        worst = self._outages(network, flows[:, 0], answer.solutions[:, count:], bench, stream)
        _record(network, answer.solutions[:, 0], digital[:, 0], flows, exact, worst, stream)
        balance = network.incidence.T @ (flows - exact)  # the digital flows balance every bus to rounding
        return ApplicationResult.of({
            "buses": len(network.buses), "lines": len(network.ends),
            "condition": float(np.linalg.cond(network.matrix())), "converged": not short,
            "solutions_short_of_bits": short, "cycles": int(answer.cycles.max()),
            "error_to_digital": relative_error(answer.solutions, digital),
            "largest_flow": (1e6 * float(np.abs(flows[:, 0]).max()), "W"),
            "flow_error": (1e6 * float(np.abs(flows - exact).max()), "W"),
            "balance_error": (1e6 * float(np.abs(balance).max()), "W"),
            "reference_power": (1e6 * float(-injections[network.others, 0].sum()), "W"),
            "splitting_lines": [network.line_name(line) for line in worst["splitting"]], "encoding": encoding,
            **costs,
        })  # fmt: skip

    def _injections(self, network: Network) -> Floats:
        """Return injections of the case and of the scenarios, (buses, 1 + scenarios), MW."""
        drawn = np.random.default_rng(int(self.seed)).standard_normal(
            (len(network.buses), int(self.scenarios))
        )
        varied = network.injections[:, None] - self.spread * network.loads[:, None] * drawn
        return np.concatenate((network.injections[:, None], varied), axis=1)

    def _outages(
        self, network: Network, flows: Floats, responses: Floats, bench: Bench, stream: Stream
    ) -> dict[str, Any]:
        """Return the largest flow of each line after the outage of another, and the lines that split the network."""
        count = len(flows)
        worst = {"flow": flows.copy(), "outage": np.full(count, -1), "splitting": np.empty(0, dtype=np.int64)}
        if not self.outages:
            return worst
        after = flows[:, None] + network.outage_factors(responses) * flows
        stream.snapshot("flow_after_outage", 1e6 * after, bench.now())
        splitting = np.flatnonzero(np.isnan(after).all(axis=0))
        for line in splitting:
            buses = ", ".join(map(str, network.cut_off(int(line))[:8]))
            stream.say(
                f"the outage of line {network.line_name(int(line))} cuts off bus {buses}: no flow is found for it"
            )
        larger = np.where(np.isfinite(after), np.abs(after), -1.0)
        outage = larger.argmax(axis=1)
        return {"flow": after[np.arange(count), outage], "outage": outage, "splitting": splitting}  # fmt: skip


def _record(
    network: Network, angles: Floats, digital: Floats, flows: Floats, exact: Floats, worst: dict[str, Any],
    stream: Stream,
) -> None:  # fmt: skip
    """Record flows, angles, scenarios, and the network's picture; powers in W."""
    lines = np.arange(len(network.ends))
    record_rows(
        stream, "flows", line=lines, begin=network.buses[network.ends[:, 0]],
        end=network.buses[network.ends[:, 1]], flow=1e6 * flows[:, 0], digital=1e6 * exact[:, 0],
        worst=1e6 * worst["flow"], worst_outage=worst["outage"],
    )  # fmt: skip
    everywhere = np.zeros((2, len(network.buses)))
    everywhere[:, network.others] = angles, digital
    record_rows(
        stream, "buses", bus=network.buses, injection=1e6 * network.injections, angle=everywhere[0],
        digital_angle=everywhere[1],
    )  # fmt: skip
    for number, column in enumerate(flows[:, 1:].T):
        record_rows(stream, "scenarios", scenario=number, line=lines, flow=1e6 * column)
    if network.places is not None:
        for rank, line in enumerate(np.argsort(np.abs(flows[:, 0]), kind="stable")):
            wedge = _wedge(network.places[network.ends[line]], flows[line, 0] / np.abs(flows[:, 0]).max())
            record_rows(stream, "grid", rank=rank, x=wedge[:, 0], y=wedge[:, 1], flow=1e6 * flows[line, 0])


def _wedge(ends: Floats, share: float) -> Floats:
    """Return a wedge along a line, as wide as its share of the largest flow, its point where that goes, (points, 2).

    It is filled by a line that goes to and fro across it.
    """
    begin, end = ends if share >= 0.0 else ends[::-1]
    length = float(np.linalg.norm(end - begin))
    along, strokes = (end - begin) / length, int(STROKES * length)
    side = WEDGE / 2.0 * abs(share) * np.array((-along[1], along[0]))
    place = np.linspace(0.0, 1.0, strokes)[:, None]
    turns = np.where(np.arange(strokes) % 2, -1.0, 1.0)[:, None]
    return np.asarray(begin + place * (end - begin) + turns * (1.0 - place) * side)
