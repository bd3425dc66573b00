"""What the likelihoods of pulses have in common: parameters beside those of the base preset, devices integrated out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mho.array_types import Floats
from mho.extensions.calibration.likelihoods.nodes import Nodes
from mho.extensions.calibration.transitions import Sequences

PULSE = 100e-9  # s: the width of which parameters of pulses are
LN10, LOG_2PI = np.log(10.0), np.log(2.0 * np.pi)
SHARE = 1e-4  # of a value, by which it is changed for a derivative


class PulseModel(ABC):
    """The pulses of one kind on C cells, up to K each, under a law; values beside `fixed`, the base preset's, are given."""

    STARTS: ClassVar[tuple[dict[str, float], ...]] = ()
    """Further places where to begin a search: what differs from the base, in deviations of the prior."""

    _nodes: Nodes  # of what a device has for life

    def __init__(self, pulses: Sequences, fixed: Mapping[str, float]) -> None:
        self._pulses, self._fixed = pulses, dict(fixed)

    @abstractmethod
    def recentre(self, values: Mapping[str, float]) -> None:
        """Move the nodes of each cell to where its integrand is, for parameters near `values`."""

    @abstractmethod
    def _terms(self, p: Mapping[str, float]) -> Floats:
        """Return ln of likelihood times prior at the nodes (cells, nodes)."""

    def log_likelihood(self, values: Mapping[str, float]) -> Floats:
        """Return the log-likelihoods (cells,) of parameters near those of `recentre`."""
        return self._nodes.integral(self._terms(self._merged(values)))

    def scores(self, values: Mapping[str, float]) -> tuple[Floats, Floats]:
        """Return `log_likelihood`, and its derivatives (cells, parameters) by the values in their order."""
        here, slopes = self.log_likelihood(values), []
        for name, value in values.items():
            step = SHARE * (abs(value) or 1.0)
            slopes.append((self.log_likelihood({**values, name: value + step}) - here) / step)
        return here, np.stack(slopes, axis=1)

    def _merged(self, values: Mapping[str, float]) -> dict[str, float]:
        return {**self._fixed, **{name: float(value) for name, value in values.items()}}
