"""The page that counts up to a million unknowns: its table follows from the formulae that it names, and they from plans."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mho.procedures.equations.blocks.block_plan import plan_blocks

PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"
INV, MVM, SHOTS = 120e-9, 60e-9, 119
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [\d,]+ \|", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def seconds(text: str) -> float:
    number, unit = text.replace(",", "").split()
    return float(number) * UNITS[unit]


def formulae(recursion: str, n: int) -> tuple[int, int, int]:
    """INV, MVM, and steps of independent products of n leaves."""
    if recursion == "LU":
        return n, n * n - n, 2 * n - 2
    three = 3 ** (n.bit_length() - 1)
    return three, 2 * n * n - 2 * three, three - 1


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} by {row[1]}, {row[2]}")
def test_a_row_follows_from_the_formulae(row):
    size, leaf, inversions, products, loops, blocks = (
        int(cell.replace(",", "")) for cell in (*row[:2], *row[3:7])
    )
    n = size // leaf
    *operations, steps = formulae(row[2], n)
    assert [inversions, products] == operations
    assert (loops, blocks) == (n, n * n - n)
    assert seconds(row[7]) == pytest.approx(inversions * INV + products * MVM, rel=5e-3)
    assert seconds(row[8]) == pytest.approx(inversions * INV + products * SHOTS * MVM, rel=5e-3)
    assert seconds(row[9]) == pytest.approx(inversions * INV + steps * MVM, rel=5e-3)


@pytest.mark.parametrize(("recursion", "factored"), [("BlockAMC", False), ("LU", True)])
def test_the_formulae_are_those_of_a_plan(recursion, factored):
    matrix = np.random.default_rng(0).standard_normal((32, 32)) + 20.0 * np.eye(32)
    plan = plan_blocks(matrix, 4, factored=factored)
    assert (plan.inversions, plan.products) == formulae(recursion, 8)[:2]
    assert (len(plan.leaves), len(plan.blocks)) == (8, 8**2 - 8)
