"""PowerFlow: DC power flow of a network, its scenarios and outages, from one matrix on the chip."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.applications.application import MATRICES, Application, Prepared
from mho.procedures.applications.comparison import digital_solution, relative_error
from mho.procedures.applications.control.network_files import load_network
from mho.procedures.applications.control.power_network import Network
from mho.procedures.applications.outcome import Outcome
from mho.procedures.parameters import BooleanParameter, FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.runs import Array, Column, Figure, Layout, Map, Table

Floats = NDArray[np.float64]

MOST_BUSES = 1025
MANY = 24
"""Right-hand sides from which on a matrix by blocks is said to take long."""

WEDGE = 0.5
"""Width of the wedge of the largest flow, in units of the buses' places."""

STROKES = 160.0
"""Across a wedge, by its length."""

FLOWS = Table(
    "flows",
    (
        Column("line", dtype="u4"),
        Column("begin", dtype="u4", description="bus where the line begins"),
        Column("end", dtype="u4", description="bus where it ends"),
        Column("flow", "W"),
        Column("digital", "W", digital=1e-9, description="digital flow"),
        Column("worst", "W", description="largest flow after an outage"),
        Column("worst_outage", dtype="i4", description="line whose outage makes it, -1 for none"),
    ),
)
BUSES = Table(
    "buses",
    (
        Column("bus", dtype="u4"),
        Column("injection", "W"),
        Column("angle", "rad"),
        Column("digital_angle", "rad", digital=1e-9, description="digital angle"),
    ),
)
SCENARIOS = Table(
    "scenarios", (Column("scenario", dtype="u4"), Column("line", dtype="u4"), Column("flow", "W"))
)
GRID = Table(
    "grid",
    (
        Column("rank", dtype="u4", description="lines by their flow, the smallest first"),
        Column("x"),
        Column("y"),
        Column("flow", "W"),
    ),
    series="rank",
)
FIGURES = (
    Figure(
        "flows",
        table="flows",
        x="line",
        y=("flow", "digital", "worst"),
        kind="scatter",
        title="Flows on the lines",
    ),
    Figure(
        "scenarios", kind="errorbars", table="scenarios", x="line", y="flow", title="Flows over the scenarios"
    ),
    Figure("flow_after_outage", map="flow_after_outage"),
    Figure(
        "angles",
        kind="scatter",
        table="buses",
        x="bus",
        y=("angle", "digital_angle"),
        title="Angles of the buses",
    ),
)
PICTURE = Figure(
    "grid",
    table="grid",
    x="x",
    y="y",
    by="rank",
    title="Flows: wedges point with them",
)


class PowerFlow(Application):
    """Find the flows on the lines of a power network, for many loads and all outages of one line."""

    title: ClassVar[str] = "DC power flow"

    network = Parameter("Network, ieee14 or a case file of MATPOWER", default="ieee14")
    scenarios = IntegerParameter("Random loads", minimum=0, maximum=1000, default=40)
    spread = FloatParameter(
        "Standard deviation of each load, as a share of it", minimum=0.0, maximum=2.0, default=0.1
    )
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
        maps = (
            (
                Map(
                    "flow_after_outage",
                    "W",
                    lines,
                    lines,
                    "flow on a line, row, after the outage of another, column",
                    images=1,
                ),
            )
            if self.outages
            else ()
        )
        present = {"scenarios": bool(self.scenarios), "flow_after_outage": bool(self.outages)}
        figures = tuple(one for one in FIGURES if present.get(one.name, True))
        drawn = () if network.places is None else (PICTURE,)
        arrays = (
            Array("matrix", network.matrix(), "", "B, per unit, without the reference"),
            Array("injections", 1e6 * self._injections(network), "W", "of the case, then of the scenarios"),
        )
        return Layout(
            (FLOWS, BUSES, SCENARIOS, GRID, MATRICES),
            maps,
            arrays,
            default="flows",
            figures=(*drawn, *figures),
        )

    def run_title(self) -> str:
        """Return the name of the network."""
        return (
            f"DC power flow, {Path(self.network).stem if isinstance(self.network, str | Path) else 'network'}"
        )

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> Outcome:
        """Hold B, answer all injections and the transfers of all lines at once, compare."""
        network: Network = plan.given
        injections = self._injections(network)
        columns = network.powers(injections)
        count = columns.shape[1]
        if self.outages:
            columns = np.concatenate((columns, network.incidence.T), axis=1)
        with self.holding(plan, bench, stream) as chip:
            held = chip.hold(network.matrix())
            if columns.shape[1] > MANY and not held.products_on_chip:
                stream.say(
                    f"{columns.shape[1]} right-hand sides of a matrix by blocks are answered one after the other, which "
                    "takes about a second each on the bench `arrays`; fewer scenarios and no outages take less"
                )
            answer = held.solve(columns)
            chip.beside.digital["beside"] += network.multiplications(count, bool(self.outages))
            costs, encoding = chip.costs(), held.summary()["encoding"]
        short = int((~answer.converged).sum())
        if short:
            stream.say(
                f"{short} of {columns.shape[1]} solutions do not have their {self.bits} bits: {answer.reason}",
                "WARNING",
            )
        digital = digital_solution(network.matrix(), columns)
        flows, exact = (network.flows(one[:, :count]) for one in (answer.solutions, digital))
        worst = self._outages(network, flows[:, 0], answer.solutions[:, count:], bench, stream)
        _record(network, answer.solutions[:, 0], digital[:, 0], flows, exact, worst, stream)
        balance = network.incidence.T @ (flows - exact)  # the digital flows balance every bus to rounding
        return Outcome.of(
            {
                "buses": len(network.buses),
                "lines": len(network.ends),
                "condition": float(np.linalg.cond(network.matrix())),
                "converged": not short,
                "solutions_short_of_bits": short,
                "cycles": int(answer.cycles.max()),
                "error_to_digital": relative_error(answer.solutions, digital),
                "largest_flow": (1e6 * float(np.abs(flows[:, 0]).max()), "W"),
                "flow_error": (1e6 * float(np.abs(flows - exact).max()), "W"),
                "balance_error": (1e6 * float(np.abs(balance).max()), "W"),
                "reference_power": (1e6 * float(-injections[network.others, 0].sum()), "W"),
                "splitting_lines": [network.line_name(line) for line in worst["splitting"]],
                "encoding": encoding,
                **costs,
            }
        )

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
        return {
            "flow": after[np.arange(count), outage],
            "outage": outage,
            "splitting": splitting,
        }


def _record(
    network: Network,
    angles: Floats,
    digital: Floats,
    flows: Floats,
    exact: Floats,
    worst: dict[str, Any],
    stream: Stream,
) -> None:
    """Record flows, angles, scenarios, and the network's picture; powers in W."""
    lines = np.arange(len(network.ends))
    stream.record_block(
        "flows",
        {
            "line": lines,
            "begin": network.buses[network.ends[:, 0]],
            "end": network.buses[network.ends[:, 1]],
            "flow": 1e6 * flows[:, 0],
            "digital": 1e6 * exact[:, 0],
            "worst": 1e6 * worst["flow"],
            "worst_outage": worst["outage"],
        },
    )
    everywhere = np.zeros((2, len(network.buses)))
    everywhere[:, network.others] = angles, digital
    stream.record_block(
        "buses",
        {
            "bus": network.buses,
            "injection": 1e6 * network.injections,
            "angle": everywhere[0],
            "digital_angle": everywhere[1],
        },
    )
    for number, column in enumerate(flows[:, 1:].T):
        stream.record_block(
            "scenarios", {"scenario": np.full(len(lines), number), "line": lines, "flow": 1e6 * column}
        )
    if network.places is not None:
        for rank, line in enumerate(np.argsort(np.abs(flows[:, 0]), kind="stable")):
            wedge = _wedge(network.places[network.ends[line]], flows[line, 0] / np.abs(flows[:, 0]).max())
            stream.record_block(
                "grid",
                {
                    "rank": np.full(len(wedge), rank),
                    "x": wedge[:, 0],
                    "y": wedge[:, 1],
                    "flow": np.full(len(wedge), 1e6 * flows[line, 0]),
                },
            )


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
