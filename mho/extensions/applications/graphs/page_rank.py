"""PageRank: one linear system, whose matrix is the links of a graph, held on the chip and solved by INV.

    (I - d P) x = (1 - d) v

P is the column-stochastic matrix of the links, d the damping, v the vector of restarts, which sums to one. Columns of
I - d P sum to 1 - d, its diagonal dominates each column, and its inverse has only positive entries; its condition number
in the 1-norm is at most (1 + d) / (1 - d). Brin and Page, Computer Networks 30, 107 (1998); Langville and Meyer, Internet
Mathematics 1, 335 (2004), sections 2 and 5.2. A node without links out (dangling) jumps to v, as there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    Prepared,
    beside_digital,
    name_of,
    record_rows,
    relative_error,
    say_unconverged,
)
from mho.extensions.applications.graphs.graph_files import FORMATS, Graph, load_graph
from mho.instruments import Bench
from mho.procedures import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
    Stream,
    counted,
)
from mho.procedures.equations import refine_columns
from mho.runs import IDENTITY, Array, Column, Figure, Layout, Table

TIED = 1e-9  # scores that differ by less than this share are those of equal nodes, and have no order


def transition_matrix(weights: Floats, restart: Floats) -> Floats:
    """Return the column-stochastic matrix P (n, n) of a graph.

    `weights` (n, n): entry [i, j] is the weight of the link from j to i. `restart` (n,): where a walk goes on from a
    node without links out; sums to one.
    """
    sums = weights.sum(axis=0)
    return np.where(sums > 0.0, weights / np.where(sums > 0.0, sums, 1.0), restart[:, None])


def restart_vector(nodes: int, places: NDArray[np.int64] | None = None) -> Floats:
    """Return v: the same for all nodes, or for those at `places` only (personalised PageRank)."""
    chosen = np.zeros(nodes)
    chosen[slice(None) if places is None else places] = 1.0
    return np.asarray(chosen / chosen.sum())


def page_rank_system(transition: Floats, restart: Floats, damping: float) -> tuple[Floats, Floats]:
    """Return matrix (n, n) and right-hand side (n,) of PageRank."""
    return np.eye(len(transition)) - damping * transition, (1.0 - damping) * restart


def normalised(scores: Floats) -> Floats:
    """Return scores that sum to one, as probabilities do; of (n, k), each column."""
    return np.asarray(scores / scores.sum(axis=0), dtype=np.float64)


def swapped_pairs(scores: Floats, reference: Floats) -> tuple[int, int]:
    """Return how many pairs of nodes stand in another order than in `reference`, and how many have an order there.

    Kendall's tau is ``1 - 2 swapped / pairs``.
    """
    first, second = np.triu_indices(len(reference), k=1)
    order = reference[first] - reference[second]
    ordered = np.abs(order) > TIED * np.maximum(np.abs(reference[first]), np.abs(reference[second]))
    swapped = ordered & ((scores[first] - scores[second]) * np.sign(order) <= 0.0)
    return int(swapped.sum()), int(ordered.sum())


def steps_of_power_iteration(transition: Floats, restart: Floats, damping: float, error: float) -> int:
    """Return how many products a power iteration from v needs until its error in the 1-norm is at most `error`.

    The error shrinks by `damping` at least with each product (Langville and Meyer, section 5.1), so it ends.
    """
    matrix, rhs = page_rank_system(transition, restart, damping)
    exact, scores, steps = np.linalg.solve(matrix, rhs), restart, 0
    while np.abs(scores - exact).sum() > error:
        scores, steps = damping * (transition @ scores) + rhs, steps + 1
    return steps


def errors_of_gcr(matrix: Floats, rhs: Floats) -> Iterator[float]:
    """Yield the error of GCR in float64 after each product, relative to the solution, without end.

    The best digital method that takes products alone: GMRES has the same solutions (Eisenstat, Elman and Schultz 1983).
    """
    exact = np.linalg.solve(matrix, rhs)
    length = float(np.linalg.norm(exact))
    for now in refine_columns(rhs[:, None], lambda one: one, lambda one: (one, matrix @ one), "gcr"):
        yield float(np.linalg.norm(now.solutions[:, 0] - exact)) / length


def steps_of_gcr(matrix: Floats, rhs: Floats, error: float) -> int | None:
    """Return how many products GCR needs until its error is at most `error`; None where two an unknown do not."""
    steps = enumerate(islice(errors_of_gcr(matrix, rhs), 2 * len(matrix)), 1)
    return next((number for number, off in steps if off <= error), None)


AMBIGUOUS = 3  # up to so many rows a square table may be a list of links, too
NAMED = 10  # nodes of the highest scores that the result names

SCORES = Table(
    "scores",
    (
        Column("place", dtype="u4", description="place in the digital ranking, from 1"),
        Column("node", dtype="u4", description="number of the node, from 0, in the order of its name"),
        Column("digital", description="PageRank in float64", digital=1e-9),
        Column("one_step", description="PageRank by one step of INV, scaled to a sum of one", digital=1e-6),
        Column("refined", description="PageRank refined on the chip", digital=1e-9),
    ),
    signal="refined", axis="place", title="PageRank",
)  # fmt: skip

CYCLES = Table(
    "cycles",
    (
        Column("cycle", dtype="u4"),
        Column("relative_error", description="to the digital scores, of the vector's length", digital=1e-6),
        Column("swapped", dtype="u4",
               description="pairs of nodes in another order than in the digital ranking"),
        Column("without_chip", description="error of GCR without the chip after as many", digital=1e-6),
    ),
    signal="relative_error", axis="cycle", title="Refinement of the scores",
)  # fmt: skip

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


class PageRank(Application[ApplicationResult]):
    """Rank the nodes of a graph: PageRank as one linear system on the chip."""

    title: ClassVar[str] = "PageRank of a graph"
    leading: ClassVar[tuple[str, ...]] = ("graph", "damping", "bits")
    held: ClassVar[str] = "matrix of the links"
    seed = None  # type: ignore[assignment] # nothing is drawn

    graph: Parameter[Any] = Parameter(
        "Graph, a sample's name or a file of links or of an adjacency matrix", default="karate"
    )
    directed = BooleanParameter("Links go one way only", default=False)
    file_form = ListParameter("Form of the file", choices=list(FORMATS), default="auto")
    damping = FloatParameter("Damping", minimum=0.01, maximum=0.999, default=0.85)
    restart = Parameter("Nodes at which walks restart, separated by commas, all unless given")
    cycles = IntegerParameter("Cycles of the published loop that are recorded", minimum=1, maximum=100,
                              default=8)  # fmt: skip

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

    def run_title(self) -> str:
        """Return the name of the graph."""
        return f"PageRank of {name_of(self.graph, 'a graph')}"

    def _say_of(self, graph: Graph, stream: Stream) -> None:
        """Say how a file was read, and which nodes have no link out."""
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

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Hold the system, answer in one step, over the cycles of the published loop, and refined."""
        given: Ranking = plan.given
        graph, digital = given.graph, given.digital
        self._say_of(graph, stream)
        with self.holding(plan, bench, stream) as chip:
            chip_matrix = chip.hold(given.matrix)
            chip.beside.digital["beside"] += given.matrix.size  # d P
            with chip_matrix.showing():
                loop = chip_matrix.solve(given.rhs, cycles=int(self.cycles), method="line search")
            unaided = errors_of_gcr(given.matrix, given.rhs)
            for cycle, (scores, without) in enumerate(zip(loop.each[:, :, 0], unaided, strict=False), 1):
                swapped, _ = swapped_pairs(scores, digital)
                stream.emit(
                    "cycles", cycle=cycle, relative_error=relative_error(scores, digital), swapped=swapped,
                    without_chip=without,
                )  # fmt: skip
            one_step = normalised(loop.each[0, :, 0])
            answers = chip_matrix.solve(given.rhs)
            say_unconverged(stream, answers, int(self.bits), "PageRank")
            costs = chip.costs()
            encoding = chip_matrix.summary()["encoding"]
        refined = answers.solutions
        order = np.argsort(-digital, kind="stable")
        record_rows(
            stream, "scores", place=np.arange(1, graph.nodes + 1), node=order, digital=digital[order],
            one_step=one_step[order], refined=refined[order],
        )  # fmt: skip
        error = relative_error(refined, digital)
        swapped, pairs = swapped_pairs(refined, digital)
        return ApplicationResult.of({
            "nodes": graph.nodes, "links": graph.links, "dangling": len(graph.dangling),
            "highest": _some(graph, np.argsort(-refined, kind="stable")), "relative_error": error,
            "one_step_error": relative_error(one_step, digital), "swapped_pairs": swapped,
            "one_step_swapped_pairs": swapped_pairs(one_step, digital)[0], "pairs": pairs,
            "cycles": int(answers.cycles[0]), "bits": (float(answers.bits[0]), "bit"),
            "residual": float(answers.residuals[0]), "converged": bool(answers.converged[0]),
            "digital_products": steps_of_power_iteration(
                given.transition, given.restart, float(self.damping), max(error, 1e-14),
            ),
            "digital_gcr_products": steps_of_gcr(given.matrix, given.rhs, max(error, 1e-14)),
            "condition": float(np.linalg.cond(given.matrix)), "encoding": encoding, **costs,
        })  # fmt: skip

    def findings(self, summary: Mapping[str, Any]) -> Sequence[str]:
        """Return the error beside the digital scores, and how many pairs of nodes are in another order."""
        return (
            beside_digital(summary, "relative_error"),
            f"{summary['swapped_pairs']:,} of {counted(summary['pairs'], 'pair')} of nodes swapped",
        )


def _places(graph: Graph, labels: Any) -> NDArray[np.int64] | None:
    """Return the indices of named nodes; None where none are named."""
    names = [one.strip() for one in str(labels).split(",") if one.strip()] if labels is not None else []
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
