"""Operational amplifiers (presets with their data-sheet numbers, their corners, banks of specimens), and the board's
converters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import BenchError, nearest

Real = TypeVar("Real", np.float32, np.float64)


@dataclass(frozen=True)
class Converter:
    """One kind of converter; all channels share the specimen's transfer curve.

    The integral nonlinearity INL(code) is a random walk of the code widths' errors (DNL) and a smooth bow, both tied to
    zero at both ends of the range as data sheets define it.
    """

    bits: int  # resolution, 1 to 16
    # low, high: voltages of the first and the last code, V
    low: float
    high: float
    inl: Floats  # (2**bits,): deviation of each code's level from the straight line, in codes
    noise: float = 0.0  # standard deviation of a sample, before it is digitised, V

    @classmethod
    def ideal(cls, bits: int, low: float, high: float) -> Converter:
        """Make a converter on a perfectly straight line."""
        _check(bits, low, high, 0.0)
        return cls(bits, low, high, np.zeros(1 << bits))

    @classmethod
    def draw(
        cls, bits: int, low: float, high: float, dnl: float, rng: np.random.Generator, *,
        bow: float = 0.0, noise: float = 0.0, beyond: int = 0,
    ) -> Converter:  # fmt: skip
        """Draw a specimen whose code widths deviate by `dnl` (standard deviation, in codes).

        Its curve is bent by `bow` codes at most besides, by second and third order in a drawn proportion. The last
        `beyond` codes lie beyond the range, which ends at a level without INL.
        """
        _check(bits, low, high, dnl)
        last = (1 << bits) - 1 - beyond
        steps = dnl * rng.standard_normal((1 << bits) - 1)
        walk = np.concatenate([[0.0], np.cumsum(steps - steps[:last].mean())])
        place, angle = 2.0 * np.arange(1 << bits) / last - 1.0, 2.0 * np.pi * rng.random()
        bend = (1.0 - place**2) * (np.cos(angle) + np.sin(angle) * place)
        largest = np.abs(bend[: last + 1]).max()
        return cls(bits, low, high, walk + (bow / largest * bend if largest > 0.0 else 0.0), noise)

    @property
    def lsb(self) -> float:
        """Width of one code, V."""
        return (self.high - self.low) / ((1 << self.bits) - 1)

    def codes(self, volts: NDArray[Real]) -> NDArray[Real]:
        """Digitise (ADC): the code whose level is nearest, clipped to the range; as floats, same shape."""
        if self.inl.any():
            order, between = self._decisions
            return order[np.searchsorted(between, volts)].astype(volts.dtype)
        codes = (volts - volts.dtype.type(self.low)) * volts.dtype.type(1.0 / self.lsb)
        np.rint(codes, out=codes)
        return np.clip(codes, 0, (1 << self.bits) - 1, out=codes)

    def readings(self, volts: NDArray[Real], rng: np.random.Generator | None = None) -> NDArray[Real]:
        """Return what is read of `volts` (ADC): codes as voltages, with the noise of samples where `rng` is given."""
        if self.noise and rng is not None:
            volts = volts + volts.dtype.type(self.noise) * rng.standard_normal(volts.shape, volts.dtype.type)
        return self.levels(self.codes(volts))

    def levels(self, codes: NDArray[Real]) -> NDArray[Real]:
        """Return the voltages (V) of codes on the straight line, as a driver scales them."""
        return codes * codes.dtype.type(self.lsb) + codes.dtype.type(self.low)

    def outputs(self, volts: NDArray[Real]) -> NDArray[Real]:
        """Return the outputs (V) of a DAC for the requested `volts`: rounded to a code, with the INL."""
        top = (1 << self.bits) - 1
        asked = np.rint((volts - volts.dtype.type(self.low)) * volts.dtype.type(1.0 / self.lsb))
        codes = np.clip(asked, 0, top).astype(np.int32)
        return np.asarray(self._real_levels.astype(volts.dtype)[codes])

    @property
    def _real_levels(self) -> Floats:
        """Level of each code with its INL, V, (2**bits,)."""
        return np.asarray((self.inl + np.arange(1 << self.bits)) * self.lsb + self.low)

    @cached_property
    def _decisions(self) -> tuple[NDArray[np.intp], Floats]:
        """Codes by their real levels, and the voltages between which each is nearest, V, (2**bits - 1,).

        Levels need not ascend with their codes: a width may err by more than a code.
        """
        order = np.argsort(self._real_levels, kind="stable")
        levels = self._real_levels[order]
        return order, (levels[1:] + levels[:-1]) / 2.0


def mid_tread_range(bits: int, end: float) -> tuple[float, float]:
    """Return the levels (V) of the first and the last code of a converter with a code at 0 V, of at least 2 bits.

    An odd number of codes reaches from -`end` to `end` (V); one more lies beyond, as codes in two's complement do.
    """
    return -end, end + 2.0 * end / ((1 << bits) - 2)


def _check(bits: int, low: float, high: float, dnl: float) -> None:
    if not 1 <= bits <= 16:
        raise ValueError(f"converter bits {bits}: must be 1 to 16")
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"converter range {low} V to {high} V: must be finite and ascending")
    if not dnl >= 0.0:
        raise ValueError(f"converter DNL {dnl} codes: must not be negative")


BOLTZMANN = 1.380649e-23  # J/K
CLAMP = 0.4  # V, the diode pairs around the INV outputs that keep cells from being disturbed [P]
SUPPLY = 5.0  # V of either supply at which the presets' numbers are meant
ROOM = 298.15  # K at which they are
Corner = Literal["slow", "typical", "fast"]


@dataclass(frozen=True)
class Variation:
    """How one type of amplifier varies with process, temperature and supply; without it, it does not."""

    # Share by which a slow or a fast specimen's bandwidth, second pole and slew rate deviate
    spread: float = 0.0
    least_gain: float = 0.0  # open-loop gain of a slow specimen; 0 for that of the typical one
    largest_bias: float = 0.0  # the same for the input bias current, A
    per_kelvin: float = 0.0  # change of bandwidth, second pole and slew rate with temperature, 1/K
    offset_drift: float = 0.0  # standard deviation of the offset's drift, V/K
    # Temperature by which the bias current doubles, K; infinite where it does not
    bias_doubling: float = np.inf
    per_volt: float = 0.0  # loss of the same a volt of either supply below 5 V
    supplies: tuple[float, float] = (0.5, 20.0)  # least and largest voltage of either supply, V


@dataclass(frozen=True)
class AmplifierPreset:
    """One type of operational amplifier.

    Attributes
    ----------
    name : str
    offset : float
        Standard deviation of the input offset, V: a third of the data sheet's maximum.
    gain : float
        Open-loop gain at DC.
    noise : float
        Input voltage noise, V/rtHz.
    bandwidth, second_pole : float
        Gain-bandwidth product, and second pole of the open loop (the data sheet's phase margin at unity gain), Hz.
    slew : float
        V/s.
    bias_current, output_current : float
        Input bias current, and largest current of the output, A.
    row_capacitance : float
        C_in of a row in INV: the amplifier's input, pad and board, F.
    feedback_capacitance : float
        C_f from the amplifier's output to its own row in INV, F: 0 where the loop gain of one amplifier, w_u G / (D s), is
        below 1 at the row's pole D / C_in, else sqrt(C_in G / w_u), the rule for transimpedance amplifiers.
    swing : float
        Largest output voltage, V: the supply less what the output stage needs.
    offset_shift : float
        What temperature has added to `offset`, V.
    variation : Variation
        What `at` makes of it.

    Examples
    --------
    >>> weak = mho.circuits.amplifier_preset("AD823").but(gain=1e3)
    >>> weak.gain, weak.slew == mho.circuits.amplifier_preset("AD823").slew
    (1000.0, True)
    """

    name: str
    offset: float
    gain: float
    noise: float
    bandwidth: float
    second_pole: float
    slew: float
    bias_current: float
    row_capacitance: float
    feedback_capacitance: float = 0.0
    output_current: float = np.inf
    swing: float = SUPPLY
    offset_shift: float = 0.0
    variation: Variation = Variation()

    def at(
        self, corner: Corner = "typical", temperature: float = ROOM, supply: float = SUPPLY
    ) -> AmplifierPreset:
        """Return the same amplifier at a corner of its process, a temperature (K) and `supply` volts of either sign.

        Raises `BenchError` for a supply with which it does not work.
        """
        varies, warmer = self.variation, temperature - ROOM
        low, high = varies.supplies
        if not low <= supply <= high:
            raise BenchError(
                f"amplifier_supply is {supply:g} V, but an {self.name} takes {low:g} to {high:g} V of either sign; give "
                "one in this range"
            )
        sign = {"slow": -1.0, "typical": 0.0, "fast": 1.0}[corner]
        speed = (1.0 + sign * varies.spread) * (1.0 + varies.per_kelvin * warmer)
        speed *= 1.0 - varies.per_volt * max(SUPPLY - supply, 0.0)
        slow = corner == "slow"
        bias = varies.largest_bias if slow and varies.largest_bias else self.bias_current
        return replace(
            self, gain=varies.least_gain if slow and varies.least_gain else self.gain,
            bandwidth=self.bandwidth * speed, second_pole=self.second_pole * speed, slew=self.slew * speed,
            bias_current=bias * 2.0 ** (warmer / varies.bias_doubling), swing=self.swing + (supply - SUPPLY),
            offset_shift=varies.offset_drift * abs(warmer),
        )  # fmt: skip

    def but(self, *, name: str = "", **values: float) -> AmplifierPreset:
        """Return an amplifier like this one with other numbers; ``circuit=`` takes it.

        Parameters
        ----------
        name : str, optional
            Of the new one; by default that of this, and ``-own``.
        **values : float
            Attributes that are numbers, in SI units: `gain`, `offset`, `noise`, `bandwidth`, `swing` and so on.

        Raises
        ------
        BenchError
            For an unknown attribute, or a value out of its range.

        Examples
        --------
        >>> from mho.circuits import amplifier_preset
        >>> amplifier_preset("AD823").but(gain=1e3).name
        'AD823-own'
        """
        if not isinstance(name, str):
            raise BenchError(f"name of an amplifier is {name!r}; give a text")
        for one, value in values.items():
            if one not in NUMBERS:
                hint = nearest(one, NUMBERS, 2, f"it has {', '.join(NUMBERS)}")
                raise BenchError(f"amplifier {self.name!r}: amplifiers have no number {one!r}; {hint}")
            unit, low, high = NUMBERS[one]
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float | np.number)
                or not low <= value <= high
            ):
                raise BenchError(
                    f"amplifier {self.name!r}: {one} = {value!r} must be a number from {low:g} to {high:g} {unit}"
                )
        changed: dict[str, Any] = {"name": name or f"{self.name.removesuffix('-own')}-own", **values}
        return replace(self, **changed)

    def with_capacitances(self, row: float | None = None, feedback: float | None = None) -> AmplifierPreset:
        """Return the same amplifier on another board: with its own C_in, C_f or both, F."""
        return replace(
            self,
            row_capacitance=self.row_capacitance if row is None else row,
            feedback_capacitance=self.feedback_capacitance if feedback is None else feedback,
        )


NUMBERS: dict[str, tuple[str, float, float]] = {
    "offset": ("V", 0.0, 1.0), "gain": ("", 1e-3, 1e15), "noise": ("V/rtHz", 0.0, 1.0),
    "bandwidth": ("Hz", 1.0, 1e15), "second_pole": ("Hz", 1.0, 1e15), "slew": ("V/s", 1.0, 1e18),
    "bias_current": ("A", -1.0, 1.0), "row_capacitance": ("F", 0.0, 1e-9), "feedback_capacitance": ("F", 0.0, 1e-9),
    "output_current": ("A", 1e-9, math.inf), "swing": ("V", 1e-6, 1e3),
}  # fmt: skip
"""Unit and range of each number of an amplifier."""
APART = ("gain", "offset", "noise", "bias_current", "swing")
"""Those that may differ from one amplifier to another."""

AMPLIFIER_PRESETS: dict[str, AmplifierPreset] = {
    # AD823: Vos <= 0.8 mV, 2 uV/K, 16 nV/rtHz, 16 MHz, 22 V/us, Ib <= 25 pA, A_ol 45 V/mV; 15 mA; within 50 mV of +-1.5 to
    # +-18 V; second pole and C_in (?). Corners: spread, least gain and -0.2 %/K (?); Ib doubles every 10 K, as of any JFET.
    # It needs no C_f at G = 35 uS and D = 105 uS, a full cell beside as much from input and others.
    "AD823": AmplifierPreset(
        "AD823", 0.8e-3 / 3, 45e3, 16e-9, 16e6, 30e6, 22e6, 25e-12, 2e-12, output_current=15e-3,
        swing=SUPPLY - 0.05,
        variation=Variation(0.25, 20e3, 0.0, -2e-3, 2e-6, 10.0, 0.0, (1.5, 18.0)),
    ),
    # OPA690: 500 MHz at G = 1, GBP 300 MHz, 1800 V/us, 5.5 nV/rtHz, 190 mA, +-4 V of +-5 V, +-2.5 to +-6 V; offset, gain
    # (69 dB), second pole, Ib, C_in (?). Corners: spread, 58 dB, 10 uA, 10 uV/K, -0.1 %/K, 10 %/V (?). C_f to
    # 0.1 pF. Ib makes 0.14 V across 35 uS: it settles fast, but not to the solution.
    "OPA690": AmplifierPreset(
        "OPA690", 1e-3 / 3, 2.8e3, 5.5e-9, 300e6, 500e6, 1800e6, 5e-6, 3e-12, 0.2e-12,
        output_current=190e-3, swing=SUPPLY - 1.0,
        variation=Variation(0.25, 800.0, 10e-6, -1e-3, 10e-6, np.inf, 0.1, (2.5, 6.0)),
    ),
    "ideal": AmplifierPreset("ideal", 0.0, 1e12, 0.0, 1e9, 1e12, 1e15, 0.0, 0.0),
}  # fmt: skip


def amplifier_preset(name: str) -> AmplifierPreset:
    """Return a packaged amplifier.

    Parameters
    ----------
    name : str
        "AD823", "OPA690" or "ideal".

    Returns
    -------
    AmplifierPreset

    Raises
    ------
    BenchError
        For another name; it lists the known ones.

    Examples
    --------
    >>> mho.circuits.amplifier_preset("AD823").bandwidth
    16000000.0
    """
    try:
        return AMPLIFIER_PRESETS[name]
    except KeyError:
        raise BenchError(f"unknown amplifier {name!r}; there are {', '.join(AMPLIFIER_PRESETS)}") from None


@dataclass(frozen=True)
class AmplifierBank:
    """One amplifier per line, each with its own offset (V) and relative error of its feedback resistor or
    inverter, (n,).

    `apart`: by name the numbers of the preset that differ from amplifier to amplifier, (n,) each, where some do.
    """

    preset: AmplifierPreset
    offsets: Floats
    gain_errors: Floats
    apart: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def gain(self) -> float | Floats:
        """Open-loop gain at DC, of all or of each."""
        return self.apart.get("gain", self.preset.gain)

    @property
    def noise(self) -> float | Floats:
        """Input voltage noise, V/rtHz, of all or of each."""
        return self.apart.get("noise", self.preset.noise)

    @property
    def bias_current(self) -> float | Floats:
        """Input bias current, A, of all or of each."""
        return self.apart.get("bias_current", self.preset.bias_current)

    @property
    def swing(self) -> float | Floats:
        """Largest output voltage, V, of all or of each."""
        return self.apart.get("swing", self.preset.swing)

    @classmethod
    def draw(
        cls, preset: AmplifierPreset, count: int, rng: np.random.Generator, tolerance: float = 5e-4
    ) -> AmplifierBank:
        """Draw `count` amplifiers with feedback parts of relative `tolerance`."""
        offsets = preset.offset * rng.standard_normal(count)
        return cls(preset, offsets, tolerance * rng.standard_normal(count))

    def warmed(self, rng: np.random.Generator) -> AmplifierBank:
        """Return the same amplifiers with offsets that have drifted by what their temperature does; nothing drawn for 0."""
        shift = self.preset.offset_shift
        if not shift:
            return self
        return replace(self, offsets=self.offsets + shift * rng.standard_normal(len(self.offsets)))

    def first(self, count: int) -> AmplifierBank:
        """The first `count` amplifiers."""
        apart = {name: values[:count] for name, values in self.apart.items()}
        return AmplifierBank(self.preset, self.offsets[:count], self.gain_errors[:count], apart)


def thermal_density(conductance: Floats, temperature: float = 300.0) -> Floats:
    """Thermal current noise 4 k T G, A^2/Hz."""
    return np.asarray(4.0 * BOLTZMANN * temperature * conductance)
