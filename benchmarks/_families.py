"""The families of systems that benchmarks are counted over: those of `mho reach`."""

from mho.extensions.reach.families import (
    BASIC,
    FAMILIES,
    DrawnSystem,
    Matrix,
    conditioned,
    dominant,
    draw,
    gram,
    random,
)

__all__ = ["BASIC", "FAMILIES", "DrawnSystem", "Matrix", "conditioned", "dominant", "draw", "gram", "random"]
