"""Graphs from files and arrays: what is read, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications.graphs.graph_files import load_graph, sample_graphs


def test_the_karate_club_has_34_members_and_78_friendships():
    graph = load_graph("karate")
    assert (graph.nodes, graph.links) == (34, 156)
    assert graph.dangling.size == 0
    np.testing.assert_array_equal(graph.weights, graph.weights.T)
    degrees = dict(zip(graph.labels, graph.weights.sum(axis=0).tolist(), strict=True))
    assert (degrees["1"], degrees["34"], degrees["33"], degrees["12"]) == (16, 17, 12, 1)
    assert "karate" in sample_graphs()


def test_nodes_may_have_names(tmp_path):
    graph = load_graph("florentine")
    assert (graph.nodes, graph.links) == (15, 40)
    degrees = dict(zip(graph.labels, graph.weights.sum(axis=0).tolist(), strict=True))
    assert max(degrees, key=lambda name: degrees[name]) == "Medici"
    assert degrees["Pazzi"] == 1
    path = tmp_path / "links.csv"
    path.write_text("from;to;weight\nb;10;2\n10;9;1\n9;b;0.5\n")
    named = load_graph(path, directed=True)
    assert named.labels == ("9", "10", "b")
    np.testing.assert_array_equal(named.weights, [[0, 1, 0], [0, 0, 2], [0.5, 0, 0]])
    path.write_text("from;to;weight\nb;10;2\n10;9;heavy\n")
    with pytest.raises(InputError, match="column 'weight', row 2, says 'heavy'"):
        load_graph(path)


def test_a_directed_link_goes_one_way_and_an_undirected_one_both():
    links = [[7, 3], [3, 9], [7, 9], [9, 9]]
    one_way, both = load_graph(links, directed=True), load_graph(links)
    assert one_way.labels == ("3", "7", "9")
    np.testing.assert_array_equal(one_way.weights, [[0, 1, 0], [0, 0, 0], [1, 1, 1]])
    np.testing.assert_array_equal(both.weights, [[0, 1, 1], [1, 0, 1], [1, 1, 1]])


def test_weights_of_a_link_that_occurs_twice_add_up(tmp_path):
    path = tmp_path / "links.csv"
    path.write_text("from,to,weight\n1,2,0.5\n1,2,1.5\n2,3,1\n3,1,2\n")
    np.testing.assert_array_equal(load_graph(path, directed=True).weights, [[0, 0, 2], [2, 0, 0], [0, 1, 0]])


def test_an_adjacency_matrix_is_read_row_to_column():
    graph = load_graph([[0, 1, 0], [0, 0, 2], [0, 0, 0]])
    np.testing.assert_array_equal(graph.weights, [[0, 0, 0], [1, 0, 0], [0, 2, 0]])
    assert graph.dangling.tolist() == [2]


def test_a_square_list_of_links_is_one_where_it_is_said():
    assert load_graph([[1, 2], [2, 5]], form="links").labels == ("1", "2", "5")
    assert load_graph([[1, 2], [2, 5]]).nodes == 2


@pytest.mark.parametrize(
    ("source", "form", "words"),
    [
        ("karat", "auto", "there is no graph called 'karat'; there are florentine, karate"),
        ([[1, 2], [2, 2.5], [3, 1]], "auto", "link 2 goes from 2 to 2.5"),
        ([[1, 2, 1], [2, 3, -1]], "auto", "link 2 has the weight -1"),
        ([[0, 1, 0], [0, 0, -2], [0, 0, 0]], "auto", r"entry \[1, 2\], counted from 0, is -2"),
        ([[0, 0], [0, 0]], "auto", "has no link"),
        ([[1, 2, 3, 4]], "auto", "1 rows and 4 columns; give links"),
        ([[1, 2, 3]], "adjacency", "an adjacency matrix is square"),
        ([[0, 1, 0, 0]] * 4, "links", "has 4 columns; links have two"),
        ([[1j, 2], [2, 3]], "auto", "is complex"),
        ([[1, 2], [np.nan, 3], [4, 5]], "auto", "every value must be finite"),
    ],
)
def test_what_is_no_graph_is_refused(source, form, words):
    with pytest.raises(InputError, match=words):
        load_graph(source, form=form)
