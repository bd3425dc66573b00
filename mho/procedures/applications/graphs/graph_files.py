"""Reading and checking of graphs: lists of links, or adjacency matrices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.matrix_files import Source, load_matrix, sample_names
from mho.errors import InputError

Floats = NDArray[np.float64]

FORMATS = ("auto", "links", "adjacency")
MOST_NODES = 4096


@dataclass(frozen=True)
class Graph:
    """A directed graph with weights.

    Attributes
    ----------
    name : str
    labels : (n,) array of int
        What the file calls the nodes, in ascending order.
    weights : (n, n) array
        Entry [i, j] is the weight of the link from j to i, 0 for none.
    """

    name: str
    labels: NDArray[np.int64]
    weights: Floats

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.labels)

    @property
    def links(self) -> int:
        """How many links there are; one that goes both ways counts twice."""
        return int(np.count_nonzero(self.weights))

    @property
    def dangling(self) -> NDArray[np.int64]:
        """Indices of the nodes from which no link goes out."""
        return np.flatnonzero(~self.weights.any(axis=0))


def sample_graphs() -> list[str]:
    """Return the names of the graphs that come with mho."""
    return sorted(path.stem for path in _samples().glob("*.csv"))


def load_graph(source: Source, *, directed: bool = False, form: str = "auto") -> Graph:
    """Return the graph in a file, or in an array checked in the same way.

    Parameters
    ----------
    source : path, name or array_like
        One of `sample_graphs`, a ``.csv``, ``.npy`` or ``.mtx`` file, or numbers. A square matrix is an adjacency matrix,
        in which entry [i, j] is the weight of the link from i to j. Two columns are links, from and to, by whole numbers; a
        third has their weights. A link that occurs twice has the sum of both weights.
    directed : bool
        Whether a link goes one way only. An adjacency matrix is always taken as it is.
    form : str
        One of `FORMATS`: "links" where a list of two links (or of three with weights) is square.

    Raises
    ------
    InputError
        As `load_matrix`; another shape; nodes that are no whole numbers; a weight that is negative or complex; no link at
        all; more than `MOST_NODES` nodes.
    """
    name = str(source) if isinstance(source, (str, Path)) else "the graph"
    if isinstance(source, str) and source in sample_graphs():
        source = _samples() / f"{source}.csv"
    elif isinstance(source, str) and not Path(source).suffix and source not in sample_names():
        raise InputError(
            f"there is no graph called {source!r}; there are {', '.join(sample_graphs())}; a file of yours ends in "
            ".csv, .npy or .mtx"
        )
    table = load_matrix(source, square=False)
    if np.iscomplexobj(table):
        raise InputError(f"{name} is complex; the links of a graph have real weights of 0 or more")
    rows, columns = table.shape
    square = rows == columns
    if form == "adjacency" and not square:
        raise InputError(f"{name} has {rows} rows and {columns} columns; an adjacency matrix is square")
    if form == "links" and columns not in (2, 3):
        raise InputError(f"{name} has {columns} columns; links have two, from and to, or a weight as the third")
    if not square and columns not in (2, 3):
        raise InputError(
            f"{name} has {rows} rows and {columns} columns; give links (from, to and perhaps a weight), or a square "
            "adjacency matrix"
        )
    as_links = form == "links" or (form == "auto" and not square)
    graph = _of_links(name, table, directed) if as_links else _of_adjacency(name, table)
    if not graph.links:
        raise InputError(f"{name} has no link; give at least one of positive weight")
    return graph


def _of_adjacency(name: str, table: Floats) -> Graph:
    _check_count(name, len(table))
    wrong = np.argwhere(table < 0.0)
    if wrong.size:
        row, column = wrong[0]
        raise InputError(
            f"{name}: entry [{row}, {column}], counted from 0, is {table[row, column]:g}; links have weights of 0 or more"
        )
    return Graph(name, np.arange(len(table)), np.ascontiguousarray(table.T))


def _of_links(name: str, table: Floats, directed: bool) -> Graph:
    ends = table[:, :2]
    wrong = np.flatnonzero((ends != np.round(ends)).any(axis=1) | (np.abs(ends) > 2**53).any(axis=1))
    if wrong.size:
        start, end = ends[wrong[0]]
        raise InputError(
            f"{name}: link {wrong[0] + 1} goes from {start:g} to {end:g}; nodes are named by whole numbers"
        )
    strength = table[:, 2] if table.shape[1] == 3 else np.ones(len(table))
    negative = np.flatnonzero(strength < 0.0)
    if negative.size:
        raise InputError(
            f"{name}: link {negative[0] + 1} has the weight {strength[negative[0]]:g}; weights are 0 or more"
        )
    labels, places = np.unique(ends.astype(np.int64), return_inverse=True)
    _check_count(name, len(labels))
    start, end = places.reshape(ends.shape).T
    weights = np.zeros((len(labels), len(labels)))
    np.add.at(weights, (end, start), strength)
    if not directed:
        other = start != end  # a link from a node to itself is there once
        np.add.at(weights, (start[other], end[other]), strength[other])
    return Graph(name, labels, weights)


def _check_count(name: str, nodes: int) -> None:
    if nodes > MOST_NODES:
        raise InputError(f"{name} has {nodes} nodes; {MOST_NODES} is the most")


def _samples() -> Path:
    return Path(__file__).parent / "data"
