"""A cell of one's own: each SET pulse goes half the way to the gate's level, and readings have shot noise only."""

import numpy as np

import mho


class Halving:
    base, maximum = "pku", 60e-6  # what it does not say, and the most it may return, S

    def after_set(self, conductance, voltage, width, gate, devices, rng):
        level = 35e-6 * np.clip(gate - 0.8, 0.0, 1.5)
        return np.where(level > conductance, (conductance + level) / 2.0, conductance)

    def after_reset(self, conductance, voltage, width, gate, devices, rng):
        return np.maximum(conductance * np.exp(-1.5 * np.clip(voltage - 0.9, 0.0, 2.0)), 0.3e-6)


print(mho.solve([[1.0, 0.2], [0.1, 0.8]], [0.3, 0.5], bench="arrays", preset=Halving, seed=1))
