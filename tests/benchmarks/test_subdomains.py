"""The benchmark of subdomains, at a small size: what it counts beside the recursive inverse."""

from __future__ import annotations

import pytest

from benchmarks import block_solves, subdomains


@pytest.mark.thorough
def test_cycles_and_inversions_are_counted_beside_those_of_the_recursion(monkeypatch):
    monkeypatch.setattr(block_solves, "LEAF", 16)
    ways = (subdomains.RECURSIVE, "block Jacobi", "block Jacobi, coarse level")
    monkeypatch.setattr(subdomains, "WAYS", {way: subdomains.WAYS[way] for way in ways})
    recursive, jacobi, coarse = subdomains._figures("Poisson", 36, range(1, 2))
    assert recursive.met
    assert jacobi.met
    assert coarse.met
    assert recursive.ratio == 1.0
    assert jacobi.peer_value == coarse.peer_value == recursive.value < jacobi.value
    assert (jacobi.detail["INV a cycle"], jacobi.detail["MVM"]) == (3.0, 0)
    assert coarse.detail["INV a cycle"] == 4.0
    assert recursive.detail["MVM"] > 0
