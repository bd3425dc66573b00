"""Measurements of several points on the simulated B1500: staircase sweeps and sampling, started by ``XE``.

B1500A/B1505A Programming Guide, B1500-90010, edition 11, chapters 2 and 4. (?) from memory: the status
of what an automatic abort leaves out. Not simulated: sources that sweep a
current, pulsed and synchronous sweeps, searches, capacitance.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mho.instruments.simulated.agilentb1500.language import FlexDevice, flex
from mho.instruments.simulated.agilentb1500.plan import (
    SAMPLING,
    SPOT,
    STAIRCASE,
    Bias,
    MeasurementPlan,
    Staircase,
)
from mho.instruments.simulated.clock import VirtualClock

LIMITED = 8  # bit of a datum's status
LONGEST_HOLD, LONGEST_DELAY = 655.35, 65.535  # s
MOST_STEPS, MOST_SAMPLES = 1001, 100_001
INVALID = 199.999e99  # reply for a measurement that was not made
INTERMEDIATE, LAST = "W", "E"  # status of source data


class Measurements(FlexDevice):
    """The part of the instrument that measures many points for one ``XE``; spot by spot it is the model's."""

    format_kind: tuple[int, int]
    """``FMT``: the format, and whether source data follow the measured ones."""

    def __init__(self, clock: VirtualClock, rng: np.random.Generator) -> None:
        super().__init__(clock, rng)
        self.plan = MeasurementPlan()
        self.timer_start = 0.0

    # --- what the model does ---

    def slot_of(self, channel: float, *, on: bool = False) -> int:
        """Return the slot of a channel; refuses one that is not there, or has its output off where it must be `on`."""
        raise NotImplementedError

    def slots(self) -> list[int]:
        """Return the slots that have a module."""
        raise NotImplementedError

    def source(self, slot: int, index: float, volts: float, limit: float | None) -> None:
        """Force volts, as ``DV`` does."""
        raise NotImplementedError

    def measured(self, slot: int, kind: str, index: int) -> tuple[str, int]:
        """Measure ``I`` or ``V`` on a range; return the datum and its status."""
        raise NotImplementedError

    def datum(self, slot: int, kind: str, value: float, status: str | int) -> str:
        """Write a datum in the chosen format."""
        raise NotImplementedError

    # --- settings ---

    def _one_of(self, number: float, *choices: int) -> None:
        if number not in choices:
            self._refuse()

    @flex("MM", 1, 11)
    def _set_mode(self, mode: float, *channels: float) -> None:
        if mode not in (SPOT, STAIRCASE, SAMPLING) or (mode == SPOT and not channels):
            self._refuse()
        self.plan.channels = tuple(self.slot_of(channel) for channel in channels)
        self.plan.mode = int(mode)

    @flex("CMM", 2)
    def _set_measured(self, channel: float, mode: float) -> None:
        slot = self.slot_of(channel)
        self._one_of(mode, 0, 1, 2, 3)
        self.plan.measured[slot] = int(mode)

    @flex("RI", 2)
    def _set_current_range(self, channel: float, index: float) -> None:
        self._set_range("I", channel, index)

    @flex("RV", 2)
    def _set_voltage_range(self, channel: float, index: float) -> None:
        self._set_range("V", channel, index)

    def _set_range(self, kind: str, channel: float, index: float) -> None:
        slot = self.slot_of(channel)
        self.check_range(kind, index)
        self.plan.ranges[kind, slot] = int(index)

    def check_range(self, kind: str, index: float) -> None:
        """Refuse a range that the modules do not have."""
        raise NotImplementedError

    @flex("WT", 2, 5)
    def _set_delays(self, hold: float, delay: float, *others: float) -> None:
        step, trigger, measure = (*others, 0.0, 0.0, 0.0)[:3]
        fits = 0.0 <= hold <= LONGEST_HOLD and all(0.0 <= each <= LONGEST_DELAY for each in (delay, measure))
        if not fits or not 0.0 <= step <= 1.0 or not 0.0 <= trigger <= max(delay, measure):
            self._refuse()
        self.plan.delays = (hold, delay, step, trigger, measure)

    @flex("WM", 1, 2)
    def _set_abort(self, abort: float, post: float | None = None) -> None:
        if abort not in (1, 2) or post not in (None, 1, 2):
            self._refuse()
        self.plan.abort = int(abort)
        self.plan.post = self.plan.post if post is None else int(post)

    @flex("WV", 6, 8)
    def _set_staircase(
        self, channel: float, mode: float, index: float, start: float, stop: float, steps: float,
        limit: float | None = None, power: float = 1.0,
    ) -> None:  # fmt: skip
        slot = self.slot_of(channel)
        logarithmic = mode in (2, 4)
        if mode not in (1, 2, 3, 4) or steps != int(steps) or not 1 <= steps <= MOST_STEPS or not power > 0.0:
            self._refuse()
        if logarithmic and start * stop <= 0.0:
            self._refuse()
        self.check_range("V", index)
        self.check_level(index, max(start, stop, key=abs), limit)
        self.plan.staircase = Staircase(slot, int(mode), int(index), start, stop, int(steps), limit)

    def check_level(self, index: float, volts: float, limit: float | None) -> None:
        """Refuse a level or a limit that the modules do not have."""
        raise NotImplementedError

    @flex("MT", 3, 4)
    def _set_sampling(self, hold: float, interval: float, samples: float, base: float = 0.0) -> None:
        fits = 0.0 <= hold <= LONGEST_HOLD and 1e-4 <= interval <= LONGEST_DELAY and base >= 0.0
        if not fits or samples != int(samples) or not 1 <= samples <= MOST_SAMPLES:
            self._refuse()
        self.plan.sampling = (hold, interval, int(samples), base)

    @flex("MV", 4, 5)
    def _set_bias(
        self, channel: float, index: float, base: float, bias: float, limit: float | None = None
    ) -> None:
        slot = self.slot_of(channel)
        self.check_range("V", index)
        self.check_level(index, max(base, bias, key=abs), limit)
        self.plan.biases[slot] = Bias(int(index), base, bias, limit)

    @flex("MSC", 1, 2)
    def _set_sampling_ends(self, abort: float, post: float = 1.0) -> None:
        self._one_of(abort, 1, 2)
        self._one_of(post, 1, 2)
        self.plan.sampling_ends = (int(abort), int(post))

    @flex("ML", 1)
    def _set_sampling_mode(self, mode: float) -> None:
        self._one_of(mode, 1)  # no logarithmic ones

    @flex("FL", 1, 11)
    def _set_filters(self, on: float, *channels: float) -> None:
        slots = {self.slot_of(channel) for channel in channels} or set(self.slots())
        self._one_of(on, 0, 1)
        self.plan.filters = self.plan.filters | slots if on else self.plan.filters - slots

    @flex("SSR", 2)
    def _set_resistor(self, channel: float, on: float) -> None:
        slot = self.slot_of(channel)
        self._one_of(on, 0, 1)
        self.plan.resistors = self.plan.resistors | {slot} if on else self.plan.resistors - {slot}

    @flex("RM", 2, 3)
    def _set_ranging(self, channel: float, mode: float, rate: float = 50.0) -> None:
        slot = self.slot_of(channel)
        self._one_of(mode, 1, 2, 3)
        if not 11 <= rate <= 100:
            self._refuse()
        self.plan.ranging[slot] = (int(mode), int(rate))

    @flex("AV", 1, 2)
    def _set_averaging(self, number: float, mode: float = 0.0) -> None:
        if number != int(number) or not (1 <= number <= 1023 or -100 <= number <= -1) or mode not in (0, 1):
            self._refuse()
        self.plan.averaging = (int(number), int(mode))

    @flex("AZ", 1)
    def _set_auto_zero(self, on: float) -> None:
        self._one_of(on, 0, 1)
        self.plan.auto_zero = int(on)

    @flex("CM", 1)
    def _set_auto_calibration(self, on: float) -> None:
        self._one_of(on, 0, 1)

    @flex("TSC", 1)
    def _set_time_stamps(self, on: float) -> None:
        self._one_of(on, 0, 1)
        self.plan.time_stamps = int(on)

    @flex("TSR", 0, 1)
    def _restart_timer(self, channel: float | None = None) -> None:
        self.timer_start = self.clock.now

    @flex("*CAL?", 0, 1)
    def _calibrate(self, slot: float = 0.0) -> str:
        self.clock.advance(30.0)
        return "0"

    # --- measurements ---

    @flex("XE", 0)
    def _execute_measurement(self) -> None:
        """Measure all points; the data of one measurement are one line."""
        plan = self.plan
        for slot in plan.channels:
            self.slot_of(slot, on=True)
        if not plan.channels or (plan.mode == STAIRCASE and plan.staircase is None):
            self._refuse()
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
                texts = [self.datum(each, "I", INVALID, "T") for each in plan.channels]
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
