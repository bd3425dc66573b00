"""Instruments by classes of a user's own, as the bench uses them: what they raise or answer that cannot be is told.

An error of the class itself is an `InstrumentError` that names method and line; an answer that is nonsense is one with the
answer, and nothing of it reaches a run.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.errors import InstrumentError, MhoError
from mho.instruments.bench.testers import TesterMeter, ask, name_of, nonsense


class OwnInstrument:
    """Passes every call on to the driver."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = attribute(self._driver, name)
        return partial(ask, self._driver, name) if callable(value) else value


class OwnBoard(OwnInstrument):
    """A board of one's own."""

    @property
    def transimpedance(self) -> float:
        """Feedback resistance of the MULTIPLY amplifiers, ohm; negative where they do not invert."""
        return number(self._driver, "transimpedance", "ohm, and not 0", lambda value: value != 0.0)

    @property
    def input_conductance(self) -> float:
        """Conductance through which a DAQ output feeds a row in INVERT mode, S."""
        return number(self._driver, "input_conductance", "S, above 0", lambda value: value > 0.0)

    @property
    def slice_ratio(self) -> float:
        """Ratio of the dividers in front of a second slice; 0 for a board that says nothing of them."""
        return float(getattr(self._driver, "slice_ratio", 0.0))


class OwnDaq(OwnInstrument):
    """A DAQ of one's own."""

    @property
    def output_count(self) -> int:
        """Number of analogue outputs."""
        return int(number(self._driver, "output_count", "outputs, at least 1", lambda value: value >= 1.0))

    @property
    def input_count(self) -> int:
        """Number of analogue inputs."""
        return int(number(self._driver, "input_count", "inputs, at least 1", lambda value: value >= 1.0))

    @property
    def sample_period(self) -> float:
        """Shortest time from one vector to the next, s."""
        return number(self._driver, "sample_period", "s, above 0", lambda value: value > 0.0)

    def exchange(self, volts: Floats) -> Floats:
        """Return what the inputs read (samples, inputs), V; `InstrumentError` for what are no voltages."""
        answers = ask(self._driver, "exchange", volts)
        shape = len(volts), self.input_count
        try:
            read = np.asarray(answers, np.float64)
        except (TypeError, ValueError):
            raise nonsense(self._driver, "exchange", answers, f"voltages of the shape {shape}") from None
        if read.shape != shape or not np.isfinite(read).all():
            raise nonsense(self._driver, "exchange", answers, f"finite voltages of the shape {shape}, in V")
        return read


class OwnMeter(TesterMeter):
    """A source-measure unit of one's own; a class without a sweep is read at each level."""

    refused = staticmethod(lambda amperes: False)  # NaN is beyond its range

    @property
    def _instrument(self) -> Any:
        return getattr(self._tester, "_instrument", self._tester)

    def enable(self) -> None:
        """Switch the output on at 0 V."""
        ask(self._tester, "enable")

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V)."""
        ask(self._tester, "hold", voltage)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = attribute(self._tester, name)
        return partial(ask, self._tester, name) if callable(value) else value


def attribute(driver: Any, name: str) -> Any:
    """Return an attribute of a user's own class; what a property raises of its own is an `InstrumentError`."""
    try:
        return getattr(driver, name)
    except (MhoError, AttributeError):
        raise
    except Exception as error:
        raise InstrumentError(
            f"{name_of(driver)}.{name} failed: {type(error).__name__}: {error}; correct the driver"
        ) from error


def number(driver: Any, name: str, unit: str, may_be: Any) -> float:
    """Return an attribute that is a finite number; `InstrumentError` for one that is none, or that it may not be."""
    answer = attribute(driver, name)
    try:
        value = float(answer)
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and may_be(value)):
        raise nonsense(driver, name, answer, f"a number in {unit}")
    return value
