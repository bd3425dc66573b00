"""The settings of programming strategies: voltages, widths and bounds, from a chip map's section ``[write_verify]``.

The defaults are those of the reference chip. `mho.procedures.cells.programming` has the strategies that they are for.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from mho.toml import StrictModel

Volts = Annotated[float, Field(ge=0, le=20, allow_inf_nan=False, json_schema_extra={"unit": "V"})]
VoltStep = Annotated[float, Field(gt=0, le=5, allow_inf_nan=False, json_schema_extra={"unit": "V"})]
Seconds = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, json_schema_extra={"unit": "s"})]
Siemens = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, json_schema_extra={"unit": "S"})]
Order = Literal["rows", "columns", "interleaved", "low first", "high first"]
Verify = Literal["cell", "row", "hadamard"]
Slope = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, json_schema_extra={"unit": "S/V"})]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
VoltRange = Annotated[tuple[Volts, Volts], Field(json_schema_extra={"unit": "V"})]
VoltTable = Annotated[tuple[Volts, ...], Field(max_length=1024, json_schema_extra={"unit": "V"})]
SiemensTable = Annotated[tuple[Siemens, ...], Field(max_length=1024, json_schema_extra={"unit": "S"})]
VoltList = Annotated[tuple[Volts, ...], Field(min_length=1, max_length=64, json_schema_extra={"unit": "V"})]


class WriteVerifySettings(StrictModel):
    """Voltages (V), widths (s) and bounds of the scheme.

    Attributes
    ----------
    width, forming_width : float
        Of a SET or RESET pulse, and of a forming pulse.
    set_voltage, reset_gate, reset_full : float
        Of every SET pulse; the word line in a RESET, and the voltage of a full one.
    reset_fine : tuple of float
        Range of the voltage of fine RESET pulses.
    forming_voltages, forming_gate : tuple of float, float
        Of forming pulses, one after the other until the cell conducts more than `formed_above` (S).
    set_slope, set_offset : float
        The coarse curve: a gate of ``set_offset + G / set_slope`` SETs a cell to about G. The first SET aims for the share
        `coarse_share` of the level.
    gate_range : tuple of float
        Range of the word-line voltage in a SET.
    gate_step, reset_step : float
        First steps of the fine SET and RESET pulses, which `grow` after a small change and `shrink` after a large one, down
        to `smallest_step` of the first.
    inner : float
        Share of the verify window aimed for, so that relaxation and read noise do not carry a cell out of
        it again.
    max_pulses : int
        Number of pulses after which a cell is given up.
    futile : int
        Number of pulses of one kind in a row after which a cell outside its window is given up as stuck. Of 145,000
        simulated cells of every preset that reached their windows, none took more than 24.
    strategy : str
        Name of the strategy.
    verify : str
        How cells are read after their pulses: each ``cell`` alone by the source-measure unit, a ``row`` at once or a column
        by ``hadamard`` patterns through the DAQ, with the pulses of all its cells before.
    verify_reads : int
        Reads that are averaged: of each cell, of a row, or the least number of patterns of a column.
    verify_delay : float
        Wait between a pulse and its verify read, s: what relaxes at once is then seen.
    order : str
        Order in which the cells of a block are visited.
    attempts : int
        Of `ispp` and `fppv`: full RESETs with what follows, after which a cell is given up.
    ramp_start, ramp_step, ramp_steps : float, float, int
        Of `ispp`: first word-line voltage of an attempt, its rise, and the number of SET pulses.
    response_gates, response_levels : tuple of float
        Of `fppv` and `model`: the chip's median conductance after one SET pulse from a RESET state, against the word-line
        voltage. Without them the coarse curve.
    device_spread, cycle_spread : float
        Of `model`, to begin with: standard deviations of the gate voltage at which a SET reaches a level, V, among devices
        and from pulse to pulse of one.
    gdp_window, gdp_pulses, gdp_reads, gdp_tolerance : float, float, int, float
        Of `gdp`: the multiple of the verify window that cells are brought to first, the mean number of pulses a cell after
        which the descent ends, the vectors of a batch of products, and the share of a window's half width within which a
        cell is left alone.
    """

    width: Seconds = 100e-9
    set_voltage: Volts = 3.0
    reset_gate: Volts = 2.8
    reset_full: Volts = 3.0
    reset_fine: VoltRange = (0.95, 2.4)
    forming_voltages: VoltList = (3.3, 3.5, 3.7, 3.9, 4.1, 4.3, 4.5)
    forming_gate: Volts = 1.6
    forming_width: Seconds = 1e-6
    formed_above: Siemens = 0.1e-6
    set_slope: Slope = 35e-6
    set_offset: Volts = 0.8
    gate_range: VoltRange = (0.85, 2.6)
    coarse_share: Annotated[float, Field(gt=0, le=2, allow_inf_nan=False)] = 0.97
    gate_step: VoltStep = 0.04
    reset_step: VoltStep = 0.10
    grow: Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)] = 1.6
    shrink: Share = 0.5
    smallest_step: Share = 0.15
    inner: Share = 0.8
    max_pulses: Annotated[int, Field(ge=0, le=1_000_000)] = 200
    futile: Annotated[int, Field(ge=1, le=1_000_000)] = 30
    strategy: Annotated[str, Field(max_length=100)] = "asap"
    verify: Verify = "cell"
    verify_reads: Annotated[int, Field(ge=1, le=4096)] = 1
    verify_delay: Annotated[
        float, Field(ge=0, le=1e5, allow_inf_nan=False, json_schema_extra={"unit": "s"})
    ] = 0.0
    order: Order = "rows"
    attempts: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    ramp_start: Volts = 0.9
    ramp_step: VoltStep = 0.05
    ramp_steps: Annotated[int, Field(ge=1, le=10_000)] = 24
    response_gates: VoltTable = ()
    response_levels: SiemensTable = ()
    device_spread: VoltStep = 0.06
    cycle_spread: VoltStep = 0.06
    gdp_window: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 1.2
    gdp_pulses: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 6.0
    gdp_reads: Annotated[int, Field(ge=1, le=4096)] = 64
    gdp_tolerance: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.35

    @property
    def least_forming_gate(self) -> float:
        """Lowest gate voltage (V) that forming may have: below it a formed cell may conduct as little as a virgin one."""
        return min(self.forming_gate, self.gate_range[0])

    @field_validator("strategy")
    @classmethod
    def _strategies_have_names(cls, name: str) -> str:
        if not name.isidentifier():
            raise ValueError(
                "a strategy is called by its name here; one of your own, by module:Class or path/file.py:Class, is given "
                "with `mho run program --strategy`"
            )
        return name

    @model_validator(mode="after")
    def _ranges_ascend(self) -> WriteVerifySettings:
        for name in ("reset_fine", "gate_range"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"`{name}` goes from {low:g} down to {high:g} V: give the lower one first")
        return self

    @model_validator(mode="after")
    def _response_is_a_curve(self) -> WriteVerifySettings:
        gates, levels = self.response_gates, self.response_levels
        if len(gates) != len(levels) or len(gates) == 1:
            raise ValueError(
                f"`response_gates` has {len(gates)} entries and `response_levels` {len(levels)}: give one level for each "
                "voltage, at least two, or neither"
            )
        for name, table in (("response_gates", gates), ("response_levels", levels)):
            if any(b <= a if name == "response_gates" else b < a for a, b in pairwise(table)):
                raise ValueError(f"`{name}` must ascend: a SET with more gate voltage ends higher")
        if levels and levels[0] >= levels[-1]:
            raise ValueError("`response_levels` does not rise: no gate voltage would reach a level")
        return self
