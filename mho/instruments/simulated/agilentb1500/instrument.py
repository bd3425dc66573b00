"""The simulated Agilent B1500: high-resolution SMUs that source volts and measure amperes, in FLEX.

It implements the commands of `mho.instruments.drivers.agilentb1500` and of PyMeasure's driver for spot measurements and
programmed lists, and staircase sweeps and sampling, started by ``XE``; other commands are undefined. B1500A/B1505A
Programming Guide, B1500-90010, edition 11, chapters 2 and 4; ``*LRN?`` replies in the form that other drivers note. (?)
from memory: the accuracies, and the status of what an automatic abort leaves out. Not simulated: sources that sweep a
current, pulsed and synchronous sweeps, searches, capacitance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from mho.instruments.simulated.agilentb1500.language import (
    SAMPLING,
    SPOT,
    STAIRCASE,
    Bias,
    FlexDevice,
    MeasurementPlan,
    Staircase,
    engineering,
)
from mho.instruments.simulated.analogue import SpecimenConverter
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.lines import RefusedCommand, handles
from mho.instruments.simulated.ports import SourcePort

LONGEST_HOLD, LONGEST_DELAY = 655.35, 65.535  # s
MOST_STEPS, MOST_SAMPLES = 1001, 100_001
NOT_MADE = 199.999e99  # reply for a measurement that was not made
INTERMEDIATE, LAST = "W", "E"  # status of source data


SOURCE = {2.0: (1.8e-4, 4e-4), 20.0: (1.8e-4, 3e-3), 40.0: (1.8e-4, 6e-3), 100.0: (1.8e-4, 1.5e-2)}
MEASURE = {
    1e-11: (5e-3, 5e-14), 1e-10: (3e-3, 2e-13), 1e-9: (1e-3, 6e-13), 1e-8: (1e-3, 2e-12),
    1e-7: (5e-4, 2e-11), 1e-6: (5e-4, 2e-10), 1e-5: (4e-4, 2e-9), 1e-4: (3e-4, 2e-8),
    1e-3: (3e-4, 2e-7), 1e-2: (3e-4, 2e-6), 1e-1: (3e-4, 2e-5),
}  # fmt: skip
VOLTAGE_RANGES = {0: 0.0, 11: 2.0, 20: 2.0, 12: 20.0, 200: 20.0, 13: 40.0, 400: 40.0, 14: 100.0, 1000: 100.0}
CURRENT_RANGES = {0: 0.0, **{9 + decade: 10.0 ** (decade - 11) for decade in range(11)}}
LARGEST_CURRENT = ((20.0, 0.1), (40.0, 0.05), (100.0, 0.02))  # A, up to V
RESET_LIMIT = 1e-4
OVERFLOWED, LIMITED = 1, 8  # bits of a datum's status
INVALID = 199.9999e99
SETTLING = 2e-4  # s, between a new level and the earliest measurement
OVERHEAD = 3e-4  # s a measurement takes beside its aperture
_LETTERS = {0: "N", OVERFLOWED: "V", LIMITED: "C", OVERFLOWED | LIMITED: "V"}


class _Smu:
    """One module: what it sources, how it measures, and its errors."""

    def __init__(self, rng: np.random.Generator, accuracy: float, noise: float) -> None:
        self.source = SpecimenConverter(rng, SOURCE, accuracy)
        self.meter = SpecimenConverter(rng, MEASURE, accuracy, noise=noise, overrange=1.15)
        self.reset()

    def reset(self) -> None:
        self.on = False
        self.volts, self.range_index, self.limit = 0.0, 0, RESET_LIMIT
        self.stored: tuple[float, int, float] | None = None
        self.converter = 0  # 0 high speed, 1 high resolution

    @property
    def actual(self) -> float:
        """Return what comes out, V."""
        span = VOLTAGE_RANGES[self.range_index] or self.source.range_for(self.volts)
        return self.source.convert(self.volts, span)


class SimulatedAgilentB1500(FlexDevice):
    """A B1500 with a B1517A (HRSMU) in each slot that is wired; `accuracy` and `noise` as for `SimulatedKeithley2450`.

    `outputs`: port that the SMU in each slot (1 to 10) is wired to.
    `serial`: for the bench's records; ``*IDN?`` replies the serial number 0.
    """

    identity = "Agilent Technologies,B1500A,0,A.06.01.2018.0717"
    line_frequency = 50.0
    commands = {
        "*IDN?": lambda self: self.identity,
        "UNT?": (
            0,
            1,
            lambda self, mode=0.0: ";".join("B1517A,0" if n in self.smus else "0,0" for n in range(1, 11)),
        ),
        "RI": (2, lambda self, channel, index: self._set_range("I", channel, index)),
        "RV": (2, lambda self, channel, index: self._set_range("V", channel, index)),
        "TI": (1, 2, lambda self, channel, index=0.0: self._spot_measurement(channel, "I", index)),
        "TV": (1, 2, lambda self, channel, index=0.0: self._spot_measurement(channel, "V", index)),
        "AZ": (1, lambda self, on: setattr(self.plan, "auto_zero", self._one_of(on, 0, 1))),
        "TSC": (1, lambda self, on: setattr(self.plan, "time_stamps", self._one_of(on, 0, 1))),
        "TSR": (0, 1, lambda self, channel=None: setattr(self, "timer_start", self.clock.now)),
    }

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, outputs: Mapping[int, SourcePort], *,
        serial: str = "SIM00000", accuracy: float = 0.2, noise: float = 2e-6,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng)
        self.timer_start = 0.0
        if not set(outputs) <= set(range(1, 11)):
            raise ValueError(f"a B1500 has slots 1 to 10, not {sorted(outputs)}")
        self.serial, self.outputs = serial, outputs
        self.smus = {slot: _Smu(rng, accuracy, noise) for slot in sorted(outputs)}
        self._reset()

    @handles("*RST")
    def _reset(self) -> None:
        self.format_kind = (1, 0)  # ``FMT``: the format, and whether source data follow the measured ones
        self.plan = MeasurementPlan()
        self._integration = {0: (0, 1.0), 1: (0, 6.0)}  # of each converter: mode and coefficient
        self._data.clear()
        for slot, smu in self.smus.items():
            smu.reset()
            self._apply(slot)

    # --- settings ---

    def _one_of(self, number: float, *choices: int) -> int:
        self._refuse_if(number not in choices)
        return int(number)

    @handles("MM", 1, 11)
    def _set_mode(self, mode: float, *channels: float) -> None:
        self._refuse_if(mode not in (SPOT, STAIRCASE, SAMPLING) or (mode == SPOT and not channels))
        self.plan.channels = tuple(self.slot_of(channel) for channel in channels)
        self.plan.mode = int(mode)

    @handles("CMM", 2)
    def _set_measured(self, channel: float, mode: float) -> None:
        slot = self.slot_of(channel)
        self.plan.measured[slot] = self._one_of(mode, 0, 1, 2, 3)

    def _set_range(self, kind: str, channel: float, index: float) -> None:
        slot = self.slot_of(channel)
        self.check_range(kind, index)
        self.plan.ranges[kind, slot] = int(index)

    @handles("WT", 2, 5)
    def _set_delays(self, hold: float, delay: float, *others: float) -> None:
        step, trigger, measure = (*others, 0.0, 0.0, 0.0)[:3]
        fits = 0.0 <= hold <= LONGEST_HOLD and all(0.0 <= each <= LONGEST_DELAY for each in (delay, measure))
        self._refuse_if(not fits or not 0.0 <= step <= 1.0 or not 0.0 <= trigger <= max(delay, measure))
        self.plan.delays = (hold, delay, step, trigger, measure)

    @handles("WM", 1, 2)
    def _set_abort(self, abort: float, post: float | None = None) -> None:
        self._refuse_if(abort not in (1, 2) or post not in (None, 1, 2))
        self.plan.abort = int(abort)
        self.plan.post = self.plan.post if post is None else int(post)

    @handles("WV", 6, 8)
    def _set_staircase(
        self, channel: float, mode: float, index: float, start: float, stop: float, steps: float,
        limit: float | None = None, power: float = 1.0,
    ) -> None:  # fmt: skip
        slot = self.slot_of(channel)
        logarithmic = mode in (2, 4)
        self._refuse_if(
            mode not in (1, 2, 3, 4) or steps != int(steps) or not 1 <= steps <= MOST_STEPS or not power > 0.0
        )
        self._refuse_if(logarithmic and start * stop <= 0.0)
        self.check_range("V", index)
        self.check_level(index, max(start, stop, key=abs), limit)
        self.plan.staircase = Staircase(slot, int(mode), int(index), start, stop, int(steps), limit)

    @handles("MT", 3, 4)
    def _set_sampling(self, hold: float, interval: float, samples: float, base: float = 0.0) -> None:
        fits = 0.0 <= hold <= LONGEST_HOLD and 1e-4 <= interval <= LONGEST_DELAY and base >= 0.0
        self._refuse_if(not fits or samples != int(samples) or not 1 <= samples <= MOST_SAMPLES)
        self.plan.sampling = (hold, interval, int(samples), base)

    @handles("MV", 4, 5)
    def _set_bias(
        self, channel: float, index: float, base: float, bias: float, limit: float | None = None
    ) -> None:
        slot = self.slot_of(channel)
        self.check_range("V", index)
        self.check_level(index, max(base, bias, key=abs), limit)
        self.plan.biases[slot] = Bias(int(index), base, bias, limit)

    @handles("MSC", 1, 2)
    def _set_sampling_ends(self, abort: float, post: float = 1.0) -> None:
        self.plan.sampling_ends = (self._one_of(abort, 1, 2), self._one_of(post, 1, 2))

    @handles("ML", 1)
    def _set_sampling_mode(self, mode: float) -> None:
        self._one_of(mode, 1)  # no logarithmic ones

    @handles("CM", 1)
    def _set_auto_calibration(self, on: float) -> None:
        self._one_of(on, 0, 1)

    @handles("FL", 1, 11)
    def _set_filters(self, on: float, *channels: float) -> None:
        slots = {self.slot_of(channel) for channel in channels} or set(self.slots())
        self._one_of(on, 0, 1)
        self.plan.filters = self.plan.filters | slots if on else self.plan.filters - slots

    @handles("SSR", 2)
    def _set_resistor(self, channel: float, on: float) -> None:
        slot = self.slot_of(channel)
        self._one_of(on, 0, 1)
        self.plan.resistors = self.plan.resistors | {slot} if on else self.plan.resistors - {slot}

    @handles("RM", 2, 3)
    def _set_ranging(self, channel: float, mode: float, rate: float = 50.0) -> None:
        slot = self.slot_of(channel)
        self._one_of(mode, 1, 2, 3)
        self._refuse_if(not 11 <= rate <= 100)
        self.plan.ranging[slot] = (int(mode), int(rate))

    @handles("AV", 1, 2)
    def _set_averaging(self, number: float, mode: float = 0.0) -> None:
        self._refuse_if(
            number != int(number) or not (1 <= number <= 1023 or -100 <= number <= -1) or mode not in (0, 1)
        )
        self.plan.averaging = (int(number), int(mode))

    @handles("*CAL?", 0, 1)
    def _calibrate(self, slot: float = 0.0) -> str:
        self.clock.advance(30.0)
        return "0"

    # --- measurements ---

    @handles("XE")
    def _execute_measurement(self) -> None:
        """Measure all points; the data of one measurement are one line."""
        plan = self.plan
        for slot in plan.channels:
            self.slot_of(slot, on=True)
        self._refuse_if(not plan.channels or (plan.mode == STAIRCASE and plan.staircase is None))
        points = {SPOT: self._spot, STAIRCASE: self._climb, SAMPLING: self._sample}[plan.mode]()
        self._data.append(",".join(text for point in points for text in point))

    def _spot(self) -> Iterator[list[str]]:
        yield self._point()[0]

    def _point(self) -> tuple[list[str], bool]:
        """Measure every channel once; tell whether a limit was reached."""
        plan, texts, limited = self.plan, list[str](), False
        for slot in plan.channels:
            kind = "V" if plan.measured.get(slot, 0) in (2, 3) else "I"
            if plan.time_stamps:
                texts.append(self.datum(slot, "T", self.clock.now - self.timer_start, 0))
            text, status = self.measured(slot, kind, plan.ranges.get((kind, slot), 0))
            texts.append(text)
            limited = limited or bool(status & LIMITED)
        return texts, limited

    def _climb(self) -> Iterator[list[str]]:
        plan, stairs = self.plan, self.plan.staircase
        assert stairs is not None
        slot = self.slot_of(stairs.slot, on=True)
        hold, delay, step, _, measure = plan.delays
        levels, stopped = stairs.levels, False
        self.source(slot, stairs.span, levels[0], stairs.limit)
        self.clock.advance(hold)
        for number, volts in enumerate(levels, 1):
            if stopped:
                texts = [self.datum(each, "I", NOT_MADE, "T") for each in plan.channels]
            else:
                self.source(slot, stairs.span, volts, stairs.limit)
                self.clock.advance(delay + measure)
                texts, limited = self._point()
                self.clock.advance(step)
                stopped = limited and plan.abort == 2
            if self.format_kind[1]:
                texts.append(self.datum(slot, "V", volts, LAST if number == len(levels) else INTERMEDIATE))
            yield texts
        self.source(slot, stairs.span, levels[0] if plan.post == 1 else levels[-1], stairs.limit)

    def _sample(self) -> Iterator[list[str]]:
        hold, interval, samples, base_hold = self.plan.sampling
        biases = {self.slot_of(slot, on=True): bias for slot, bias in self.plan.biases.items()}
        for slot, bias in biases.items():
            self.source(slot, bias.span, bias.base, bias.limit)
        self.clock.advance(base_hold)
        for slot, bias in biases.items():
            self.source(slot, bias.span, bias.bias, bias.limit)
        self.clock.advance(hold)
        start = self.clock.now
        for number in range(samples):
            yield self._point()[0]
            self.clock.advance(max(0.0, start + (number + 1) * interval - self.clock.now))
        if self.plan.sampling_ends[1] == 1:
            for slot, bias in biases.items():
                self.source(slot, bias.span, bias.base, bias.limit)

    # --- sources ---

    def _smu(self, channel: float) -> tuple[int, _Smu]:
        slot = int(channel)
        if slot not in self.smus:  # plainly: every reading asks
            raise RefusedCommand(121)
        return slot, self.smus[slot]

    def _on(self, channel: float) -> tuple[int, _Smu]:
        slot, smu = self._smu(channel)
        if not smu.on:
            raise RefusedCommand(200)
        return slot, smu

    def slot_of(self, channel: float, *, on: bool = False) -> int:
        """Return the slot of a channel."""
        return (self._on if on else self._smu)(channel)[0]

    def slots(self) -> list[int]:
        """Return the slots that have a module."""
        return list(self.smus)

    def _apply(self, slot: int) -> None:
        """Set the terminal to the state of the settings; off is an open relay."""
        smu = self.smus[slot]
        self.outputs[slot].drive(smu.actual if smu.on else 0.0, connected=smu.on)

    @handles("CN", 0, 10)
    def _connect(self, *channels: float) -> None:
        for channel in channels or tuple(self.smus):
            slot, smu = self._smu(channel)
            if not smu.on:
                smu.on = True
                smu.volts, smu.range_index, smu.limit = 0.0, 0, RESET_LIMIT
                self._apply(slot)

    @handles("CL", 0, 10)
    def _disconnect(self, *channels: float) -> None:
        for channel in channels or tuple(self.smus):
            slot, smu = self._smu(channel)
            smu.on = False
            smu.volts, smu.stored = 0.0, None
            self._apply(slot)

    @handles("DV", 3, 6)
    def source(
        self, channel: float, index: float, volts: float, limit: float | None = None,
        polarity: float = 0.0, limit_range: float = 0.0,
    ) -> None:  # fmt: skip
        """Force volts."""
        slot, smu = self._on(channel)
        limit = smu.limit if limit is None else limit
        self.check_level(index, volts, limit)
        self._refuse_if(polarity not in (0, 1), 123)
        smu.volts, smu.range_index, smu.limit = volts, int(index), abs(limit)
        self._apply(slot)

    def check_level(self, index: float, volts: float, limit: float | None) -> None:
        """Refuse a level or a limit that the modules do not have."""
        self._refuse_if(index not in VOLTAGE_RANGES or abs(volts) > (VOLTAGE_RANGES[int(index)] or 100.0))
        largest = next(amperes for level, amperes in LARGEST_CURRENT if abs(volts) <= level)
        self._refuse_if(limit is not None and not 1e-12 <= abs(limit) <= largest * 1.15, 123)

    @handles("DZ", 0, 10)
    def _zero(self, *channels: float) -> None:
        for channel in channels or tuple(self.smus):
            slot, smu = self._smu(channel)
            if smu.on:
                smu.stored = (smu.volts, smu.range_index, smu.limit)
                smu.volts, smu.limit = 0.0, RESET_LIMIT
                self._apply(slot)

    @handles("RZ", 0, 10)
    def _restore(self, *channels: float) -> None:
        for channel in channels or tuple(self.smus):
            slot, smu = self._smu(channel)
            if smu.stored is not None:
                (smu.volts, smu.range_index, smu.limit), smu.stored = smu.stored, None
                self._apply(slot)

    @handles("*LRN?", 1)
    def _learn(self, kind: float) -> str:
        if kind == 0:
            on = [str(slot) for slot, smu in self.smus.items() if smu.on]
            return f"CN{','.join(on)}" if on else "CL"
        if kind == 55:
            return ";".join(f"AAD{slot},{smu.converter}" for slot, smu in self.smus.items())
        if kind == 56:
            times = (f"AIT{kind},{mode},{number:g}" for kind, (mode, number) in self._integration.items())
            return ";".join([*times, f"AZ{self.plan.auto_zero}"])
        learned = self.plan.learn(int(kind), self.slots(), self.format_kind)
        if learned is not None:
            return learned
        slot, smu = self._smu(kind)
        if not smu.on:
            return f"CL{slot}"
        return f"DV{slot},{smu.range_index},{smu.volts:+08.4f}E+00,{engineering(smu.limit, 12)},0,0"

    # --- meters ---

    @handles("FMT", 1, 2)
    def _set_format(self, kind: float, mode: float = 0.0) -> None:
        self._refuse_if(kind not in (1, 11, 21) or mode not in (0, 1))
        self.format_kind = (int(kind), int(mode))
        self._data.clear()

    @handles("AAD", 1, 2)
    def _choose_converter(self, channel: float, kind: float = 0.0) -> None:
        _, smu = self._smu(channel)
        self._refuse_if(kind not in (0, 1))
        smu.converter = int(kind)

    @handles("AIT", 2, 3)
    def _set_integration(self, kind: float, mode: float, coefficient: float = 1.0) -> None:
        whole = coefficient == int(coefficient)
        allowed = {
            (0, 0): whole and 1 <= coefficient <= 1023, (0, 1): whole and 1 <= coefficient <= 1023,
            (0, 2): whole and 1 <= coefficient <= 100, (0, 3): 2e-6 <= coefficient <= 20e-3,
            (1, 0): whole and 1 <= coefficient <= 127, (1, 1): whole and 1 <= coefficient <= 127,
            (1, 2): whole and 1 <= coefficient <= 100,
        }  # fmt: skip
        self._refuse_if(not allowed.get((int(kind), int(mode)), False))
        self._integration[int(kind)] = (int(mode), coefficient)

    def _aperture(self, smu: _Smu) -> float:
        mode, coefficient = self._integration[smu.converter]
        if mode == 3:
            return coefficient
        if mode == 2:
            return coefficient / self.line_frequency
        return coefficient * (2e-6 if smu.converter == 0 else 80e-6)

    def _carried(self, slot: int, smu: _Smu) -> tuple[float, float, int]:
        """Return volts, amperes and status at the terminal; advances the clock."""
        aperture = self._aperture(smu)
        volts = smu.actual
        amperes, status = self.outputs[slot].current(volts, aperture), 0
        if abs(amperes) > smu.limit:
            limited = math.copysign(smu.limit, amperes)
            volts, amperes, status = volts * limited / amperes, limited, LIMITED
        self.clock.advance(SETTLING + aperture + OVERHEAD)
        return volts, amperes, status

    def _spot_measurement(self, channel: float, kind: str, index: float) -> None:
        slot, _ = self._on(channel)
        self.check_range(kind, index)
        self._data.append(self.measured(slot, kind, int(index))[0])

    def check_range(self, kind: str, index: float) -> None:
        """Refuse a range that the modules do not have."""
        self._refuse_if(abs(index) not in (CURRENT_RANGES if kind == "I" else VOLTAGE_RANGES))

    def measured(self, slot: int, kind: str, index: int) -> tuple[str, int]:
        """Measure on a range, or on an automatic one not below it; return the datum and its status."""
        smu = self.smus[slot]
        volts, amperes, status = self._carried(slot, smu)
        reading = volts
        if kind == "I":
            span = CURRENT_RANGES[abs(index)]
            if index >= 0:
                span = max(span, smu.meter.range_for(amperes))
            reading = smu.meter.convert(amperes, span, self._aperture(smu) * self.line_frequency)
            if not smu.meter.holds(reading, span):
                status, reading = status | OVERFLOWED, INVALID
        return self.datum(slot, kind, reading, status), status

    def datum(self, slot: int, kind: str, value: float, status: str | int) -> str:
        """Write a datum in the chosen format (p. 1-27 ff.); the status of source data is a letter."""
        channel = "ABCDEFGHIJ"[slot - 1]
        form = self.format_kind[0]
        if form == 21:
            number = status if isinstance(status, int) else 128 if status == LAST else 0
            kind = kind if isinstance(status, int) else kind.lower()
            return f"{number:03d}{channel}{kind}{engineering(value, 13)}"
        letter = _LETTERS[status] if isinstance(status, int) else status
        return f"{letter}{channel}{kind}{engineering(value, 12 if form == 1 else 13)}"
