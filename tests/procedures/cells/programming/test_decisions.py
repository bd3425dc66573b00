"""What strategies decide does not change unnoticed: a run of years ago is repeated pulse by pulse.

Cells of a few lines take the pulses. A figure below moves with any constant of a strategy; who changes one on purpose
measures the figures anew, with `decisions`, and says so in the changelog.
"""

from __future__ import annotations

import numpy as np
import pytest

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.procedures.cells.programming.strategies.known_strategies import find_strategy
from mho.procedures.cells.programming.strategies.model import GateCurve
from mho.procedures.cells.programming.strategy import RESET, SET, Outcome, Pulses, write_verify

LEVELS = load_chip_map("reference").level_scale()
COUNT = 300


class Cells:
    """Cells that follow the response curve with an offset each and a deviation each time; some do not move at all."""

    def __init__(self, settings: WriteVerifySettings) -> None:
        self.rng, self.curve, self.settings = np.random.default_rng(7), GateCurve.of(settings), settings
        self.offset = self.rng.normal(0.0, 0.08, COUNT)
        self.stuck = self.rng.random(COUNT) < 0.08
        self.formed_by = self.rng.choice(settings.forming_voltages, COUNT)
        self.conductance = np.where(
            self.rng.random(COUNT) < 0.3, 1e-9, self.rng.uniform(0.2e-6, 45e-6, COUNT)
        )
        self.given: list[np.ndarray] = []

    def step(self, which: np.ndarray, pulses: Pulses | None) -> np.ndarray:
        noise, share = self.rng.normal(0.0, 0.06, COUNT)[which], self.rng.uniform(0.5, 1.0, COUNT)[which]
        if pulses is not None:
            before, self.given = self.conductance[which], [*self.given, np.transpose(pulses)]
            risen = self.curve.level(pulses.gate - self.offset[which] + noise)
            risen = np.where(pulses.gate == self.settings.forming_gate, 25e-6, np.maximum(risen, before))
            risen = np.where((before < 1e-7) & (pulses.voltage < self.formed_by[which]), before, risen)
            fallen = np.where(pulses.voltage < self.settings.reset_full, before * share, 1e-6 * share)
            moved = np.where(pulses.kind == SET, risen, fallen)
            self.conductance[which] = np.where(self.stuck[which], before, moved)
        return self.conductance[which]


def decisions(name: str) -> tuple[list[int], list[int], list[float], list[float]]:
    """Pulses of each kind, cells of each outcome, mean voltage and gate of each kind, and what a memory has learnt."""
    settings, kind = WriteVerifySettings(), find_strategy(name)
    digits = np.random.default_rng(1).integers(0, 8, COUNT)
    cells, memory = Cells(settings), kind.new_memory(settings)
    state = kind.towards(LEVELS.nominal[digits], LEVELS.low[digits], LEVELS.high[digits], settings, memory)
    _, pulses, outcome = write_verify(state, COUNT, cells.step)
    given = np.concatenate(cells.given)
    assert len(given) == pulses.sum()
    each = [given[given[:, 0] == kind] for kind in (SET, RESET)]
    names = ("mean", "device", "cycle", "left", "left_above", "reset")
    learnt = [float(np.sum(getattr(memory, one))) for one in names] if memory else []
    return (
        [len(some) for some in each],
        np.bincount(outcome, minlength=len(Outcome)).tolist(),
        [float(value) for some in each for value in some[:, [1, 3]].mean(axis=0)],
        learnt,
    )


DECISIONS: dict[str, tuple[list[int], list[int], list[float], list[float]]] = {
    "asap": (
        [1045, 781], [281, 9, 4, 6, 0, 0],
        [3.25320574, 1.6190992, 1.78174802, 2.8],
        [],
    ),
    "fppv": (
        [2386, 2379], [272, 9, 0, 4, 15, 0],
        [3.1108969, 1.41684828, 3.0, 2.8],
        [],
    ),
    "ispp": (
        [9105, 983], [283, 9, 0, 4, 4, 0],
        [3.02906096, 1.36803405, 3.0, 2.8],
        [],
    ),
    "model": (
        [1171, 695], [281, 9, 4, 6, 0, 0],
        [3.22596072, 1.54400258, 2.38656258, 2.8],
        [-0.0264941409, 0.528507748, 1.04536658, 77.6434623, 41.4369173, 7.73180844],
    ),
    "gdp": (
        [983, 491], [283, 9, 4, 4, 0, 0],
        [3.26917599, 1.57697804, 2.49255549, 2.8],
        [-0.0439173469, 0.52473087, 1.05820772, 59.9081574, 33.0399072, 7.6973231],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DECISIONS)
def test_the_pulses_of_a_strategy_are_those_that_it_has_always_given(name: str):
    counts, outcomes, means, learnt = decisions(name)
    assert (counts, outcomes) == DECISIONS[name][:2]
    np.testing.assert_allclose(means, DECISIONS[name][2], rtol=1e-6)
    np.testing.assert_allclose(learnt, DECISIONS[name][3], rtol=1e-6)
