"""An encoding and a refinement of one's own in a solve, beside mho's."""

import numpy as np

import mho


class Truncated:  # digits rounded towards zero
    def encode(self, matrix, top):
        unit = np.abs(matrix).max() / top
        digits = np.trunc(matrix / unit).astype(int)
        yield mho.InverseEncoding("differential", len(matrix), digits.clip(0), (-digits).clip(0), unit, 0.0)


class Damped(mho.Refinement):
    def advance(self, correction, product, residual):
        return 0.9 * correction, 0.9 * product


A, b = np.eye(6) + 0.3 * np.random.default_rng(2).standard_normal((6, 6)), np.ones(6)
for own in ({}, {"encoding": Truncated}, {"method": Damped}):
    print(own, len(mho.solve(A, b, bench="arrays", seed=1, **own).cycles), "cycles")
