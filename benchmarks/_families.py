"""The families of systems that benchmarks are counted over: those of `mho reach`."""

from mho.running.reach.families import (
    BASIC,
    FAMILIES,
    Matrix,
    System,
    conditioned,
    dominant,
    draw,
    gram,
    random,
)

__all__ = ["BASIC", "FAMILIES", "Matrix", "System", "conditioned", "dominant", "draw", "gram", "random"]
