"""Ten mistakes of users, on the lines marked so: mypy --strict and pyright find these and no others."""

from __future__ import annotations

import numpy as np

import mho
from mho import Column, FloatParameter, IntegerParameter, Layout, Procedure, Pulse, Table
from mho.procedures import Stream


class Own(Procedure[float]):
    cycles = IntegerParameter("Cycles", default=3, minimum=1)
    gate = FloatParameter("Gate", units="V")
    turns = IntegerParameter("Turns", default="three")  # mistake: a default that is no number

    def layout(self, plan: object) -> Layout:
        return Layout((Table("reads", (Column("conductance", unit=3),)),))  # mistake: a unit is a text

    def execute(self, plan: object, bench: mho.Bench, stream: Stream) -> str:  # mistake: not the result
        bench.pulse(mho.Cell("multiply", 0, 0), Pulse("set", 3.0, 1e-7, self.gate))  # mistake: it may be None
        return f"{self.cycles}"


def mistakes() -> None:
    solve = mho.Solve(matrix=np.eye(4))
    solve.bitz = 40  # mistake: a misspelt parameter
    solve.bits = "many"  # mistake: a text for a number
    reads = mho.run(mho.Read(repeats=2), seed=1)
    print(reads.conductances.mean())  # mistake: the result has no such attribute
    mho.run(solve, sed=1)  # mistake: a misspelt keyword
    mho.run(solve, bench=1)  # mistake: a bench is a name or an open one
    print(mho.run(solve).certificate.upper())  # mistake: it is no text
