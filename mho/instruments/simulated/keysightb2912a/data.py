"""Measurement data of the simulated B2912A and their replies: ``:FORMat`` and ``:FETCh``.

B2900 Series SCPI Command Reference, B2910-90030, edition 2: data output format pp. 1-12 to 1-16, interleaving
and padding p. 4-81. (?) from memory: that elements come in a fixed order, whatever order was asked for.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mho.array_types import Floats
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.instrument import ScpiDevice, ScpiError, Setting, command, query
from mho.instruments.simulated.scpi.parameters import ChannelList, Choice, Numeric, block_text

NOT_A_NUMBER, INFINITY = 9.91e37, 9.9e37
LIMITED, OVERFLOW = 2, 8192  # bits of the status element (table 1-2, p. 1-14)
CHANNELS = ChannelList((1,), required=False)
BUFFER_SIZE = 100_000  # readings a channel keeps
ELEMENTS = {
    "VOLT": "VOLTage", "CURR": "CURRent", "RES": "RESistance", "TIME": "TIME", "STAT": "STATus", "SOUR": "SOURce",
}  # fmt: skip
_ORDER = tuple(ELEMENTS)


class MeasuredPoint(NamedTuple):
    """One measurement: volts and amperes (NaN where not measured), time (s), status bits, programmed volts."""

    volts: float
    amperes: float
    time: float
    status: int
    source: float


_COLUMNS = {"VOLT": 0, "CURR": 1, "TIME": 2, "STAT": 3, "SOUR": 4}  # index of an element in a MeasuredPoint
_WIDTH = len(MeasuredPoint._fields)


def _elements(run: Floats, names: Sequence[str]) -> Floats:
    """Return elements of points (points, fields of a `MeasuredPoint`), as (points, elements)."""
    if "RES" not in names:
        return run[:, [_COLUMNS[name] for name in names]]
    with np.errstate(divide="ignore", invalid="ignore"):
        ohms = run[:, 0] / run[:, 1]
    return np.column_stack([ohms if name == "RES" else run[:, _COLUMNS[name]] for name in names])


class MeasurementData(ScpiDevice):
    """The part of the instrument that keeps and replies measurements."""

    byte_order = Setting(":FORMat:BORDer", Choice("NORM", ("NORMal", "SWAPped")))

    def __init__(self, clock: VirtualClock, rng: np.random.Generator, *, serial: str = "SIM00000") -> None:
        super().__init__(clock, rng, serial=serial)
        self.reset()

    def reset(self) -> None:
        """Clear all data; reply all elements, as text."""
        # Points end to end: an array of doubles is numpy's without a copy, however many there are.
        self._data = {1: array("d"), 2: array("d")}
        self._format = "ASC"
        self._elements: tuple[str, ...] = _ORDER

    @command(
        ":FORMat[:DATA]", Choice("ASC", ("ASCii", "REAL")), Numeric(64, 32, 64, integer=True, required=False)
    )
    def _set_format(self, kind: str, bits: float) -> None:
        if bits not in (32, 64):
            raise ScpiError(-224)
        self._format = kind if kind == "ASC" else f"REAL,{bits:.0f}"

    @query(":FORMat[:DATA]")
    def _query_format(self) -> str:
        return self._format

    @command(
        ":FORMat:ELEMents:SENSe",
        Choice("VOLT", tuple(ELEMENTS.values()), repeated=True),
    )
    def _set_elements(self, elements: list[str]) -> None:
        self._elements = tuple(name for name in _ORDER if name in elements)

    @query(":FORMat:ELEMents:SENSe")
    def _query_elements(self) -> str:
        return ",".join(self._elements)

    def _keep(self, channel: int, point: MeasuredPoint) -> None:
        data = self._data[channel]
        if len(data) < BUFFER_SIZE * _WIDTH:
            data.extend(point)

    def _check_channels(self, channels: tuple[int, ...]) -> tuple[int, ...]:
        if not channels or not {1, 2}.issuperset(channels):
            raise ScpiError(-222, "channel list")
        return tuple(sorted(set(channels)))  # channel 1 comes first, however they are asked for

    def _reply(self, runs: list[Floats], elements: tuple[str, ...] = ()) -> str:
        """Interleave the channels point by point; the shorter one is padded. Without `elements`, those in use."""
        names = elements or self._elements
        table = np.full((max(map(len, runs)), len(runs), len(names)), np.nan)
        for index, run in enumerate(runs):
            table[: len(run), index] = _elements(run, names)
        numbers = table.ravel()
        if self._format != "ASC":
            order = "<" if self.byte_order == "SWAP" else ">"
            return block_text(numbers.astype(f"{order}f{int(self._format[5:]) // 8}").tobytes())
        return ",".join(map(self._text, numbers.tolist()))

    def _text(self, value: float) -> str:
        if math.isnan(value):
            value = NOT_A_NUMBER
        elif math.isinf(value):
            value = math.copysign(INFINITY, value)
        return self.real(value)

    @query(":FETCh:ARRay", CHANNELS)
    def _fetch_array(self, channels: tuple[int, ...]) -> str:
        return self._reply([self._measured(channel) for channel in self._check_channels(channels)])

    @query(":FETCh[:SCALar]", CHANNELS)
    def _fetch(self, channels: tuple[int, ...]) -> str:
        return self._reply([self._measured(channel)[-1:] for channel in self._check_channels(channels)])

    @query(":FETCh:ARRay:<function>", CHANNELS, functions=ELEMENTS)
    def _fetch_array_of(self, element: str, channels: tuple[int, ...]) -> str:
        """Reply one element of all points, whichever are in use."""
        return self._reply(
            [self._measured(channel) for channel in self._check_channels(channels)], (element,)
        )

    @query(":FETCh[:SCALar]:<function>", CHANNELS, functions=ELEMENTS)
    def _fetch_of(self, element: str, channels: tuple[int, ...]) -> str:
        latest = [self._measured(channel)[-1:] for channel in self._check_channels(channels)]
        return self._reply(latest, (element,))

    def _measured(self, channel: int) -> Floats:
        """Points of a channel, (points, fields of a `MeasuredPoint`); -230 when there are none."""
        if not self._data[channel]:
            raise ScpiError(-230)
        return np.array(self._data[channel]).reshape(-1, _WIDTH)

    @query(":TRACe[1|2]:POINts:ACTual")
    def _query_points(self, channel: int) -> str:
        return str(len(self._data[channel]) // _WIDTH)
