"""Reading and checking of graphs: lists of links, or adjacency matrices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps import Source, sample_names
from mho.errors import InputError
from mho.extensions.applications.input_data import column_of_numbers, is_number, read_columns, real_matrix

FORMATS = ("auto", "links", "adjacency")
MOST_NODES = 4096


@dataclass(frozen=True)
class Graph:
    """A directed graph with weights."""

    name: str
    labels: tuple[str, ...]  # what the file calls the nodes, in ascending order
    weights: Floats  # (n, n): entry [i, j] is the weight of the link from j to i, 0 for none
    form: str  # as what it was read: "links" or "adjacency"

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

    `source`: one of `sample_graphs`, a ``.csv``, ``.npy`` or ``.mtx`` file, or numbers. A square matrix is an adjacency
    matrix, in which entry [i, j] is the weight of the link from i to j. Two columns are links, from and to, by whole
    numbers or, in a ``.csv``, by names; a third has their weights. A link that occurs twice has the sum of both
    weights. `directed`: whether a link goes one way only. An adjacency matrix is always taken as it is. `form`: one of
    `FORMATS`: "links" where a list of two links (or of three with weights) is square. Raises `InputError`: as
    `load_matrix`; another shape; nodes that are no whole numbers; a weight that is negative or complex; no link at all;
    more than `MOST_NODES` nodes.
    """
    name = str(source) if isinstance(source, (str, Path)) else "the graph"
    if isinstance(source, str) and source in sample_graphs():
        source = _samples() / f"{source}.csv"
    elif isinstance(source, str) and not Path(source).suffix and source not in sample_names():
        raise InputError(
            f"there is no graph called {source!r}; there are {', '.join(sample_graphs())}; a file of yours ends in "
            ".csv, .npy or .mtx"
        )
    if form != "adjacency" and (named := _named_links(source)):
        return _of_links(name, *named, directed)
    table = real_matrix(source, f"{name} is complex; the links of a graph have real weights of 0 or more")
    rows, columns = table.shape
    square = rows == columns
    if form == "adjacency" and not square:
        raise InputError(f"{name} has {rows} rows and {columns} columns; an adjacency matrix is square")
    if form == "links" and columns not in (2, 3):
        raise InputError(
            f"{name} has {columns} columns; links have two, from and to, or a weight as the third"
        )
    if not square and columns not in (2, 3):
        raise InputError(
            f"{name} has {rows} rows and {columns} columns; give links (from, to and perhaps a weight), or a square "
            "adjacency matrix"
        )
    if form == "links" or (form == "auto" and not square):
        strengths = table[:, 2] if columns == 3 else np.ones(rows)
        return _of_links(name, _node_names(name, table[:, :2]), strengths, directed)
    return _of_adjacency(name, table)


def _of_adjacency(name: str, table: Floats) -> Graph:
    _check_count(name, len(table))
    wrong = np.argwhere(table < 0.0)
    if wrong.size:
        row, column = wrong[0]
        raise InputError(
            f"{name}: entry [{row}, {column}], counted from 0, is {table[row, column]:g}; links have weights of 0 or more"
        )
    if not table.any():
        raise InputError(f"{name} has no link; give at least one of positive weight")
    return Graph(name, tuple(map(str, range(len(table)))), np.ascontiguousarray(table.T), "adjacency")


def _of_links(name: str, ends: NDArray[np.str_], strengths: Floats, directed: bool) -> Graph:
    """Return the graph of links, of which `ends` (links, 2) names the nodes."""
    wrong = np.flatnonzero(~(np.isfinite(strengths) & (strengths >= 0.0)))
    if wrong.size:
        raise InputError(
            f"{name}: link {wrong[0] + 1} has the weight {strengths[wrong[0]]:g}; weights are finite and 0 or more"
        )
    if not strengths.any():
        raise InputError(f"{name} has no link; give at least one of positive weight")
    nodes, places = np.unique(ends, return_inverse=True)
    _check_count(name, len(nodes))
    labels = sorted(nodes.tolist(), key=_rank)
    order = np.empty(len(nodes), np.int64)
    order[[nodes.tolist().index(label) for label in labels]] = np.arange(len(nodes))
    start, end = order[places.reshape(ends.shape)].T
    weights = np.zeros((len(labels), len(labels)))
    np.add.at(weights, (end, start), strengths)
    if not directed:
        other = start != end  # a link from a node to itself is there once
        np.add.at(weights, (start[other], end[other]), strengths[other])
    return Graph(name, tuple(labels), weights, "links")


def _rank(label: str) -> tuple[bool, int, str]:
    """Return what orders labels: numbers by size, then names."""
    whole = label.lstrip("-").isdecimal()
    return not whole, int(label) if whole else 0, label


def _node_names(name: str, ends: Floats) -> NDArray[np.str_]:
    wrong = np.flatnonzero((ends != np.round(ends)).any(axis=1) | (np.abs(ends) > 2**53).any(axis=1))
    if wrong.size:
        start, end = ends[wrong[0]]
        raise InputError(
            f"{name}: link {wrong[0] + 1} goes from {start:g} to {end:g}; nodes are named by whole numbers"
        )
    return ends.astype(np.int64).astype(np.str_)


def _named_links(source: Source) -> tuple[NDArray[np.str_], Floats] | None:
    """Return the ends and weights of links between nodes that have names; None of any other file."""
    if not isinstance(source, (str, Path)) or Path(source).suffix.lower() != ".csv":
        return None
    try:
        columns = read_columns(Path(source), str(source))
    except InputError:
        return None  # numbers without a line of names, or what the reader of matrices refuses
    if len(columns) not in (2, 3):
        return None
    start, end, *weights = columns.values()
    if all(map(is_number, (*start.tolist(), *end.tolist()))):
        return None
    strengths = np.ones(len(start))
    if weights:
        strengths = column_of_numbers(str(source), list(columns)[2], weights[0])
    return np.stack([start, end], axis=1), strengths


def _check_count(name: str, nodes: int) -> None:
    if nodes > MOST_NODES:
        raise InputError(f"{name} has {nodes} nodes; {MOST_NODES} is the most")


def _samples() -> Path:
    return Path(__file__).parent / "data"
