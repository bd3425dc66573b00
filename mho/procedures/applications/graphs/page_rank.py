"""PageRank: one linear system, whose matrix is the links of a graph, held on the chip and solved by INV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.applications.application import MATRICES, Application, Prepared
from mho.procedures.applications.comparison import relative_error, say_unconverged
from mho.procedures.applications.conclusions import beside_digital, concluded
from mho.procedures.applications.graphs.graph_files import FORMATS, Graph, load_graph
from mho.procedures.applications.graphs.link_matrix import (
    errors_of_gcr,
    normalised,
    page_rank_system,
    restart_vector,
    steps_of_gcr,
    steps_of_power_iteration,
    swapped_pairs,
    transition_matrix,
)
from mho.procedures.applications.outcome import Outcome
from mho.procedures.parameters import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
)
from mho.procedures.stream import Stream
from mho.procedures.wording import counted
from mho.runs import Array, Column, Conclusion, Figure, Layout, Table
from mho.runs.standard_figures import IDENTITY

Floats = NDArray[np.float64]

AMBIGUOUS = 3
"""Up to so many rows a square table may be a list of links, too."""

NAMED = 10
"""Nodes of the highest scores that the result names."""

SCORES = Table(
    "scores",
    (
        Column("place", dtype="u4", description="place in the digital ranking, from 1"),
        Column("node", dtype="u4", description="number of the node, from 0, in the order of its name"),
        Column("digital", description="PageRank in float64", digital=1e-9),
        Column("one_step", description="PageRank by one step of INV, scaled to a sum of one", digital=1e-6),
        Column("refined", description="PageRank refined on the chip", digital=1e-9),
    ),
    signal="refined",
    axis="place",
    title="PageRank",
)

CYCLES = Table(
    "cycles",
    (
        Column("cycle", dtype="u4"),
        Column("relative_error", description="to the digital scores, of the vector's length", digital=1e-6),
        Column(
            "swapped", dtype="u4", description="pairs of nodes in another order than in the digital ranking"
        ),
        Column("without_chip", description="error of GCR without the chip after as many", digital=1e-6),
    ),
    signal="relative_error",
    axis="cycle",
    title="Refinement of the scores",
)

FIGURES = (
    Figure("scores", kind="scatter", table="scores", x="place", y=("one_step", "refined", "digital"),
           y_scale="log", title="PageRank by place"),
    Figure("agreement", kind="scatter", table="scores", x="digital", y=("one_step", "refined"),
           x_scale="log", y_scale="log", lines=(IDENTITY,), title="PageRank on the chip over the digital one"),
    Figure("convergence", table="cycles", x="cycle", y=("relative_error", "without_chip"), y_scale="log",
           start=(0.0, 1.0), title="Error of the scores over the cycles"),
    Figure("system", array="matrix", kind="map", title="I - d P"),
)  # fmt: skip


@dataclass(frozen=True)
class Ranking:
    """A graph, the system of its PageRank, and the digital answer."""

    graph: Graph
    restart: Floats
    transition: Floats
    matrix: Floats
    rhs: Floats
    digital: Floats


class PageRank(Application):
    """Rank the nodes of a graph: PageRank as one linear system on the chip."""

    title: ClassVar[str] = "PageRank of a graph"
    seed = None  # nothing is drawn

    graph = Parameter("Graph, a sample's name or a file of links or of an adjacency matrix", default="karate")
    directed = BooleanParameter("Links go one way only", default=False)
    file_form = ListParameter("Form of the file", choices=list(FORMATS), default="auto")
    damping = FloatParameter("Damping", minimum=0.01, maximum=0.999, default=0.85)
    restart = Parameter("Nodes at which walks restart, separated by commas, all unless given")
    cycles = IntegerParameter(
        "Cycles of the published loop that are recorded", minimum=1, maximum=100, default=8
    )

    def check(self) -> Ranking:
        """Read the graph, and make its system."""
        super().check()
        graph = load_graph(self.graph, directed=self.directed, form=self.file_form)
        restart = restart_vector(graph.nodes, _places(graph, self.restart))
        transition = transition_matrix(graph.weights, restart)
        matrix, rhs = page_rank_system(transition, restart, float(self.damping))
        return Ranking(graph, restart, transition, matrix, rhs, np.asarray(np.linalg.solve(matrix, rhs)))

    def matrices(self, given: Ranking) -> tuple[Floats, ...]:
        """Return I - d P."""
        return (given.matrix,)

    def layout(self, plan: Prepared) -> Layout:
        """Declare the scores, the cycles, and the system."""
        given: Ranking = plan.given
        arrays = (
            Array("matrix", given.matrix, description="I - d P"),
            Array("restart", given.restart, description="probability of a restart at each node"),
        )
        return Layout((MATRICES, SCORES, CYCLES), (), arrays, default="scores", figures=FIGURES)

    def describe_cells(self, plan: Prepared) -> str:
        """Return what the chip holds; where is known once it is programmed."""
        size = plan.given.graph.nodes
        return f"{size} x {size} matrix of the links, placed when it is programmed"

    def run_title(self) -> str:
        """Return the name of the graph."""
        return f"PageRank of {_name(self.graph)}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> Outcome:
        """Hold the system, answer in one step, over the cycles of the published loop, and refined."""
        given: Ranking = plan.given
        graph, digital = given.graph, given.digital
        if graph.form == "adjacency" and graph.nodes <= AMBIGUOUS and self.file_form == "auto":
            stream.say(
                f"{graph.name} is square and is read as an adjacency matrix of {graph.nodes} nodes; if it is a list of "
                "links, give file_form = links",
                "WARNING",
            )
        if len(graph.dangling):
            stream.say(
                f"{len(graph.dangling)} of {graph.nodes} nodes have no link out, and a walk goes on from there as it "
                f"restarts: {_some(graph, graph.dangling)}"
            )
        with self.holding(plan, bench, stream) as chip:
            held = chip.hold(given.matrix)
            chip.beside.digital["beside"] += given.matrix.size  # d P
            with held.showing():
                loop = held.solve(given.rhs, cycles=int(self.cycles), method="line search")
            unaided = errors_of_gcr(given.matrix, given.rhs)
            for cycle, (scores, without) in enumerate(zip(loop.each[:, :, 0], unaided, strict=False), 1):
                swapped, _ = swapped_pairs(scores, digital)
                stream.emit(
                    "cycles",
                    cycle=cycle,
                    relative_error=relative_error(scores, digital),
                    swapped=swapped,
                    without_chip=without,
                )
            one_step = normalised(loop.each[0, :, 0])
            answers = held.solve(given.rhs)
            say_unconverged(stream, answers, int(self.bits), "PageRank")
            costs = chip.costs()
            encoding = held.summary()["encoding"]
        refined = answers.solutions
        order = np.argsort(-digital, kind="stable")
        stream.record_block(
            "scores",
            {
                "place": np.arange(1, graph.nodes + 1),
                "node": order,
                "digital": digital[order],
                "one_step": one_step[order],
                "refined": refined[order],
            },
        )
        error = relative_error(refined, digital)
        swapped, pairs = swapped_pairs(refined, digital)
        return Outcome.of(
            {
                "nodes": graph.nodes,
                "links": graph.links,
                "dangling": len(graph.dangling),
                "highest": _some(graph, np.argsort(-refined, kind="stable")),
                "relative_error": error,
                "one_step_error": relative_error(one_step, digital),
                "swapped_pairs": swapped,
                "one_step_swapped_pairs": swapped_pairs(one_step, digital)[0],
                "pairs": pairs,
                "cycles": int(answers.cycles[0]),
                "bits": (float(answers.bits[0]), "bit"),
                "residual": float(answers.residuals[0]),
                "converged": bool(answers.converged[0]),
                "digital_products": steps_of_power_iteration(
                    given.transition, given.restart, float(self.damping), max(error, 1e-14)
                ),
                "digital_gcr_products": steps_of_gcr(given.matrix, given.rhs, max(error, 1e-14)),
                "condition": float(np.linalg.cond(given.matrix)),
                "encoding": encoding,
                **costs,
            }
        )

    def conclude(self, plan: Prepared, result: Outcome) -> Conclusion:
        """Return the error beside the digital scores, and how many pairs of nodes are in another order."""
        summary = result.summary
        return concluded(
            summary,
            beside_digital(summary, "relative_error"),
            f"{summary['swapped_pairs']:,} of {counted(summary['pairs'], 'pair')} of nodes swapped",
        )


def _places(graph: Graph, wanted: Any) -> NDArray[np.int64] | None:
    """Return the indices of named nodes; None where none are named."""
    names = [one.strip() for one in str(wanted).split(",") if one.strip()] if wanted is not None else []
    if not names:
        return None
    absent = [one for one in names if one not in graph.labels]
    if absent:
        raise InputError(
            f"{graph.name} has no node {absent[0]!r}, at which walks were to restart; it has "
            f"{_some(graph, range(graph.nodes))}"
        )
    return np.array([graph.labels.index(one) for one in names])


def _some(graph: Graph, places: Any) -> str:
    named = [graph.labels[one] for one in places[:NAMED]]
    return ", ".join(named) + (", ..." if len(places) > NAMED else "")


def _name(source: Any) -> str:
    return Path(source).name if isinstance(source, (str, Path)) else "a graph"
