"""The factory scripts KISweep and KIPulse of the simulated 2636B and its sisters: sweeps and pulse trains in one call.

2600BS-901-01 Rev. C, p. 5-21 and section 7 by the functions' names; `QueryPulseConfig` 2600S-901-01 p. 13-28; encapsulation
of dual pulses p. 7-114. A function whose arguments are all omitted asks at the front panel, which a twin has not: refused.
(?) from memory: the texts of the messages, that a pulse needs a fixed source range and an output that is on, that sweeps
and simple pulses restore function, level and output, and that a train leaves the source at its bias.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mho.instruments.simulated.keithley2636b.channel import MOST_POINTS, SourceMeasureUnit
from mho.instruments.simulated.keithley2636b.meter import ReadingBuffer, as_buffer
from mho.instruments.simulated.keithley2636b.source import (
    OUTPUT_ON,
    OVERRANGE,
    SHORTEST_PULSE,
    SweepStep,
    logarithmic,
)
from mho.instruments.simulated.tsp.digital_lines import DigitalPort, TriggerLine
from mho.instruments.simulated.tsp.events import numbers
from mho.instruments.simulated.tsp.instrument import TspDevice
from mho.instruments.simulated.tsp.tables import ILLEGAL, WRONG_TYPE, ScriptTable, TspError, flag, real, whole

LEAD, LAG = 40e-6, 15e-6  # s of a dual pulse that the first one is longer, and ends later
SYNC_TIMEOUT = 10.0  # s
_VOLTS = {"v": 1.0, "i": 0.0}
_SECONDS = real(0.0, 1e5)


@dataclass(frozen=True)
class PulseTrain:
    """One configured train: pulses of `levels` (V or A, by `kind`) from a `bias`, of a width `ton`, `toff` apart (s)."""

    name: str  # of the channel
    unit: SourceMeasureUnit
    kind: str
    sweeps: bool
    bias: float
    levels: tuple[float, ...]
    limit: float  # A or V
    ton: float
    toff: float
    buffer: ReadingBuffer | None
    sync_in: int = 0  # a line, 0 for none
    sync_out: int = 0
    timeout: float = SYNC_TIMEOUT
    aborts: bool = True

    @property
    def measures(self) -> str:
        """The kind of what is measured."""
        return "i" if self.kind == "v" else "v"

    def fault(self) -> str | None:
        """Return why the pulses cannot be achieved, if they cannot."""
        unit, kind = self.unit, self.kind
        source = unit.source.table
        most = max(map(abs, (self.bias, *self.levels)))
        if source[f"autorange{kind}"]:
            return "source autorange must be off"
        if most > OVERRANGE * source[f"range{kind}"] * (1 + 1e-9):
            return "the pulse is beyond the source range"
        least = unit.source.abilities.least_limits[1 if kind == "v" else 0]
        if self.limit < least:
            return "the limit is too small"
        if self.ton < SHORTEST_PULSE:
            return "ton is too short"
        if self.toff <= 0.0:
            return "toff is too short"
        if self.buffer is not None and unit.meter.duration > self.ton:
            return "the measurement does not fit into ton; reduce nplc"
        volts, amperes = (most, self.limit) if kind == "v" else (self.limit, most)
        region = unit.source.abilities.pulse_region(volts, amperes)
        if region is None:
            return "level and limit are beyond the power of a pulse"
        if self.ton > region.width * (1 + 1e-9):
            return "ton is too long for this power"
        if self.ton / (self.ton + self.toff) > region.duty * (1 + 1e-9):
            return "the duty cycle is too large for this power"
        return None

    def table(self, tag: object) -> ScriptTable:
        """Return the settings as `QueryPulseConfig` does."""
        ends = (
            {"start": self.levels[0], "stop": self.levels[-1]} if self.sweeps else {"level": self.levels[0]}
        )
        timeout = self.timeout if self.sync_in else 0
        lines = {
            "tag": tag, "smu": self.name, "func": "volts" if self.kind == "v" else "amps",
            "type": "sweep" if self.sweeps else "pulse", "bias": self.bias, **ends, "limit": self.limit,
            "time on": self.ton, "time off": self.toff, "points": len(self.levels),
            "measure": "no" if self.buffer is None else "yes", "sync_in": self.sync_in, "sync_out": self.sync_out,
            "sync_in_timeout": timeout, "sync_out_abort": int(self.aborts and self.sync_in > 0),
        }  # fmt: skip
        shown = [
            f"{name} = {value if isinstance(value, str) else f'{value:g}'}" for name, value in lines.items()
        ]
        shown.append("{ " + ", ".join(f"{level:g}" for level in self.levels) + " }")
        return ScriptTable(
            contents={
                "tostring": lambda: "\n".join(shown), "tag": tag, "smu": self.unit.group, "func": _VOLTS[self.kind],
                "bias": self.bias, **ends, "limit": self.limit, "ton": self.ton, "toff": self.toff,
                "points": float(len(self.levels)), **({} if self.buffer is None else {"buf": self.buffer}),
                "sync_in": float(self.sync_in), "sync_out": float(self.sync_out), "sourcevalues": list(self.levels),
            }
        )  # fmt: skip


class FactoryScripts:
    """Functions of the global environment, as `tables`; `port` is the digital I/O, None where there is none."""

    def __init__(
        self, device: TspDevice, units: Mapping[str, SourceMeasureUnit], port: DigitalPort | None
    ) -> None:
        self._device, self._units, self._port = device, units, port
        self._trains: dict[object, PulseTrain] = {}
        self.tables: dict[str, Callable[..., Any]] = {
            "InitiatePulseTest": self._initiate, "InitiatePulseTestDual": self._initiate_dual,
            "QueryPulseConfig": self._query,
        }  # fmt: skip
        for kind, source, measured in (("v", "V", "I"), ("i", "I", "V")):
            for shape, sweep in (("Lin", self._linear), ("Log", self._logarithmic), ("List", self._list)):
                self.tables[f"Sweep{source}{shape}Measure{measured}"] = partial(sweep, kind)
            self.tables[f"Pulse{source}Measure{measured}"] = partial(self._pulse, kind)
            name = f"ConfigPulse{source}Measure{measured}"
            self.tables[name] = partial(self._config, kind)
            self.tables[f"{name}SweepLin"] = partial(self._config_sweep, kind, np.linspace)
            self.tables[f"{name}SweepLog"] = partial(self._config_sweep, kind, logarithmic)

    def _channel(self, smu: object) -> tuple[str, SourceMeasureUnit]:
        for name, unit in self._units.items():
            if unit.group is smu:
                return name, unit
        raise TspError(WRONG_TYPE)

    def _levels(self, unit: SourceMeasureUnit, kind: str, *levels: object) -> list[float]:
        return [unit.source.level_on_a_range(kind, level) for level in levels]

    # --- KISweep ---

    def _linear(
        self, kind: str, smu: object, start: object, stop: object, stime: object, points: object
    ) -> None:
        _, unit = self._channel(smu)
        first, last = self._levels(unit, kind, start, stop)
        levels = np.linspace(first, last, _points(points, 2))
        self._sweep(unit, kind, levels.tolist(), stime)

    def _logarithmic(
        self, kind: str, smu: object, start: object, stop: object, stime: object, points: object
    ) -> None:
        _, unit = self._channel(smu)
        first, last = self._levels(unit, kind, start, stop)
        levels = logarithmic(first, last, _points(points, 2))
        self._sweep(unit, kind, levels.tolist(), stime)

    def _list(self, kind: str, smu: object, values: object, stime: object, points: object) -> None:
        _, unit = self._channel(smu)
        levels = numbers(values, partial(unit.source.level_on_a_range, kind))
        count = _points(points, 2)
        if count > len(levels):
            raise TspError(ILLEGAL)
        self._sweep(unit, kind, levels[:count], stime)

    def _sweep(self, unit: SourceMeasureUnit, kind: str, levels: Sequence[float], stime: object) -> None:
        self._measured(unit, kind, [(level, _SECONDS(stime)) for level in levels])

    def _pulse(
        self, kind: str, smu: object, bias: object, level: object, ton: object, toff: object, points: object
    ) -> None:
        """Dwell at the bias, pulse, and measure at the pulse's end; after the last pulse, dwell at the bias."""
        _, unit = self._channel(smu)
        low, high = self._levels(unit, kind, bias, level)
        on, off = _SECONDS(ton), _SECONDS(toff)
        wait = max(0.0, on - unit.meter.duration)
        self._measured(unit, kind, [(high, wait)] * _points(points, 1), rest=(low, off))

    def _measured(
        self, unit: SourceMeasureUnit, kind: str, steps: Sequence[tuple[float, float]],
        rest: tuple[float, float] | None = None,
    ) -> None:  # fmt: skip
        """Source levels, wait, measure each into ``nvbuffer1``; `rest`: a level and a time before each and at the end."""
        device, source, level = self._device, unit.source.table, f"level{kind}"
        device.catch_up()
        buffer = unit.buffers[0]
        buffer.clear()
        for name in ("collectsourcevalues", "collecttimestamps", "appendmode"):
            buffer.assign(name, 1)
        before = {name: source[name] for name in ("output", "func", level)}
        try:
            source.assign(level, steps[0][0] if rest is None else rest[0])
            source.assign("func", _VOLTS[kind])
            source.assign("output", OUTPUT_ON)
            for value, seconds in steps:
                if rest is not None:
                    source.assign(level, rest[0])
                    device.events.pass_time(rest[1])
                source.assign(level, value)
                device.events.pass_time(seconds)
                unit.meter.measure_now("i" if kind == "v" else "v", buffer)
            if rest is not None:
                source.assign(level, rest[0])
                device.events.pass_time(rest[1])
        finally:
            for name, setting in before.items():
                source.store(name, setting)
            unit.source.apply()

    # --- KIPulse ---

    def _config(
        self, kind: str, smu: object, bias: object, level: object, limit: object, ton: object, toff: object,
        points: object, buffer: object, tag: object, sync_in: object, sync_out: object, timeout: object, abort: object,
    ) -> tuple[bool, str]:  # fmt: skip
        """``ConfigPulseVMeasureI`` and ``ConfigPulseIMeasureV``."""
        return self._configure(
            kind, smu, bias, lambda check: [check(level)] * _points(points, 1), limit, ton, toff, buffer, tag,
            sync_in, sync_out, timeout, abort,
        )  # fmt: skip

    def _config_sweep(
        self, kind: str, spread: Callable[..., Any], smu: object, bias: object, start: object, stop: object,
        limit: object, ton: object, toff: object, points: object, buffer: object, tag: object, sync_in: object,
        sync_out: object, timeout: object, abort: object,
    ) -> tuple[bool, str]:  # fmt: skip
        """``ConfigPulse...SweepLin`` and ``...SweepLog``, whose levels `spread` returns."""
        return self._configure(
            kind, smu, bias, lambda check: spread(check(start), check(stop), _points(points, 2)), limit, ton, toff,
            buffer, tag, sync_in, sync_out, timeout, abort, sweeps=True,
        )  # fmt: skip

    def _configure(
        self, kind: str, smu: object, bias: object, levels: Callable[[Callable[[object], float]], Sequence[float]],
        limit: object, ton: object, toff: object, buffer: object, tag: object, sync_in: object, sync_out: object,
        timeout: object, abort: object, *, sweeps: bool = False,
    ) -> tuple[bool, str]:  # fmt: skip
        try:
            name, unit = self._channel(smu)
            source = unit.source
            check = partial(source.level_on_a_range, kind)
            train = PulseTrain(
                name, unit, kind, sweeps, check(bias), tuple(map(float, levels(check))),
                abs(source.level_on_a_range("i" if kind == "v" else "v", limit)), _SECONDS(ton), _SECONDS(toff),
                None if buffer is None else as_buffer(buffer), self._line_number(sync_in), self._line_number(sync_out),
                SYNC_TIMEOUT if timeout is None else _SECONDS(timeout), True if abort is None else flag(abort),
            )  # fmt: skip
            tag = real()(tag)
        except TspError as error:
            return False, self._device.error_texts().get(error.code, "Illegal parameter value")
        fault = train.fault()
        if fault is not None:
            return False, f"Configuration failed: {fault}"
        self._trains[tag] = train
        return True, "Configuration successful"

    def _line_number(self, line: object) -> int:
        if line is None or line == 0.0:
            return 0
        if self._port is None:
            raise TspError(ILLEGAL)
        self._port.line(line)
        return int(whole(1, 1e3)(line))

    def _query(self, tag: object) -> Any:
        train = self._trains.get(tag)
        if train is None:
            raise TspError(ILLEGAL)
        return self._device.bind(train.table(tag))

    def _initiate(self, tag: object) -> tuple[bool, str]:
        train = self._trains.get(tag)
        if train is None:
            return False, "Initiate failed: no pulse train has this tag"
        return self._run(train)

    def _initiate_dual(self, tag1: object, tag2: object) -> tuple[bool, str]:
        outer, inner = self._trains.get(tag1), self._trains.get(tag2)
        fault = None
        if outer is None or inner is None:
            fault = "no pulse train has this tag"
        elif outer.unit is inner.unit:
            fault = "both pulse trains are of one channel"
        elif outer.ton <= inner.ton + LEAD:
            fault = "ton of the first pulse train must be more than 40 us longer"
        elif outer.toff != inner.toff:
            fault = "both pulse trains must have the same toff"
        elif len(outer.levels) != len(inner.levels):
            fault = "both pulse trains must have the same number of points"
        if fault is not None or outer is None or inner is None:
            return False, f"Initiate failed: {fault}"
        return self._run(outer, inner)

    def _run(self, *trains: PulseTrain) -> tuple[bool, str]:
        """Put out one train, or two that are encapsulated."""
        self._device.catch_up()
        for train in trains:
            fault = train.fault()
            if not train.unit.source.on:
                fault = "the output is off"
            if fault is not None:
                return False, f"Initiate failed: {fault}"
            most = max(map(abs, train.levels)) if train.kind == "v" else train.limit
            train.unit.source.check_interlock(most)
        for train in trains:
            source = train.unit.source.table
            source.assign(f"level{train.kind}", train.bias)
            source.assign("func", _VOLTS[train.kind])
            if train.buffer is not None:
                train.buffer.begin()
        try:
            for point in range(len(trains[0].levels)):
                self._device.spend()
                if not all(map(self._synchronise, trains)):
                    return False, "Initiate failed: timer timeout"
                self._one_pulse(trains, point)
        finally:
            for train in trains:
                train.unit.source.rest()
        return True, "Initiate successful"

    def _line(self, number: int) -> TriggerLine:
        assert self._port is not None
        return self._port.line(number)

    def _synchronise(self, train: PulseTrain) -> bool:
        """Wait for the trigger in, and send the trigger out; returns whether to go on."""
        if train.sync_in and not self._line(train.sync_in).wait(train.timeout) and train.aborts:
            return False
        if train.sync_out:
            self._line(train.sync_out).put_out()
        return True

    def _one_pulse(self, trains: Sequence[PulseTrain], point: int) -> None:
        """Pulse number `point` of the trains: the first encloses the second; both measure at the end of the second."""
        device, inner = self._device, trains[-1]
        start, lag = device.clock.now, LAG if len(trains) > 1 else 0.0
        end = start + trains[0].ton - lag
        for train in trains:
            device.events.pass_time(
                max(0.0, end - train.ton - device.clock.now) if train is not trains[0] else 0.0
            )
            train.unit.source.step(SweepStep(train.kind == "v", train.levels[point], None, train.limit))
        measurements = [self._measurement(train, end) for train in trains]
        try:
            for work in measurements:
                device.events.start(work, awaited=True)
            device.settle()
        finally:
            for work in measurements:
                device.events.drop(work)
        device.events.pass_time(max(0.0, end - device.clock.now))
        for train in reversed(trains):
            train.unit.source.rest()
            device.events.pass_time(lag if train is inner else 0.0)
        device.events.pass_time(inner.toff)

    def _measurement(self, train: PulseTrain, end: float) -> Generator[float, None, None]:
        """Measure so that it is over at `end`; without a buffer, let the current flow unmeasured."""
        unit, now = train.unit, self._device.clock.now
        if train.buffer is None:
            unit.source.current(end - now, unit.source.actual)
            yield end - now
            return
        yield max(0.0, end - now - unit.meter.duration)
        try:
            yield from unit.meter.readings(train.measures, (train.buffer,), int(unit.meter.group["count"]))
        except TspError as error:  # a full buffer ends no train
            self._device.refuse(error)


def _points(points: object, least: int) -> int:
    return int(whole(least, MOST_POINTS)(points))
