from itertools import product

import mho

FORM, SET, RESET = (
    mho.Pulse("set", 4.0, 1e-6, 1.6),
    mho.Pulse("set", 3.0, 1e-7, 1.8),
    mho.Pulse("reset", 3.0, 1e-7, 2.8),
)


class Endurance(mho.Procedure):
    """SET and RESET cells again and again, reading after each cycle."""

    def layout(self, plan):
        keys = (mho.Column(name, dtype="u4") for name in ("cycle", "row", "column"))
        return mho.Layout((mho.Table("endurance", (*keys, mho.Column("conductance", "S"))),))

    def execute(self, plan, bench, stream):
        for cycle, row, column in product(range(5), range(2), range(3)):
            cell = mho.Cell("multiply", row, column)
            for pulse in (RESET, SET) if cycle else (FORM, RESET, SET):
                bench.pulse(cell, pulse)
            stream.record("endurance", cycle=cycle, row=row, column=column, conductance=bench.read(cell))


mho.run(Endurance(), "arrays", preset="pku", seed=1, output="endurance.h5")
dataset = mho.open_run("endurance.h5").to_xarray("endurance")
