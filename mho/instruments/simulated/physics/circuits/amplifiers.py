"""Operational amplifiers: presets with their data-sheet numbers, their corners, and banks of specimens, one per line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mho.array_types import Floats
from mho.errors import BenchError

BOLTZMANN = 1.380649e-23  # J/K
CLAMP = 0.4  # V, the diode pairs around the INV outputs that keep cells from being disturbed [P]
SUPPLY = 5.0  # V of either supply at which the presets' numbers are meant
ROOM = 298.15  # K at which they are
Corner = Literal["slow", "typical", "fast"]


@dataclass(frozen=True)
class Variation:
    """How one type of amplifier varies with process, temperature and supply; without it, it does not.

    Attributes
    ----------
    spread : float
        Share by which a slow or a fast specimen's bandwidth, second pole and slew rate deviate.
    least_gain : float
        Open-loop gain of a slow specimen; 0 for the typical one.
    largest_bias : float
        Input bias current of a slow specimen, A; 0 for the typical one.
    per_kelvin : float
        Change of bandwidth, second pole and slew rate with temperature, 1/K.
    offset_drift : float
        Standard deviation of the offset's drift, V/K.
    bias_doubling : float
        Temperature by which the bias current doubles, K; infinite where it does not.
    per_volt : float
        Loss of bandwidth, second pole and slew rate a volt of either supply below 5 V, 1/V.
    supplies : (float, float)
        Least and largest voltage of either supply, V.
    """

    spread: float = 0.0
    least_gain: float = 0.0
    largest_bias: float = 0.0
    per_kelvin: float = 0.0
    offset_drift: float = 0.0
    bias_doubling: float = np.inf
    per_volt: float = 0.0
    supplies: tuple[float, float] = (0.5, 20.0)


@dataclass(frozen=True)
class AmplifierPreset:
    """One type of operational amplifier.

    Attributes
    ----------
    offset : float
        Standard deviation of the input offset, V: a third of the data sheet's maximum.
    gain : float
        Open-loop gain at DC.
    noise : float
        Input voltage noise, V/rtHz.
    bandwidth : float
        Gain-bandwidth product, Hz.
    second_pole : float
        Second pole of the open loop, Hz; data sheets give it as the phase margin at unity gain.
    slew : float
        Slew rate, V/s.
    bias_current : float
        Input bias current, A.
    row_capacitance : float
        C_in of a row in INV: the amplifier's input, pad and board, F.
    feedback_capacitance : float
        C_f from the amplifier's output to its own row in INV, F: see `compensation`.
    output_current : float
        Largest current of the output, A.
    swing : float
        Largest output voltage, V: the supply less what the output stage needs.
    offset_shift : float
        Standard deviation of what temperature has added to the offset, V.
    variation : Variation
        What `at` makes of it.
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

        Raises
        ------
        BenchError
            For a supply with which it does not work.
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
            self,
            gain=varies.least_gain if slow and varies.least_gain else self.gain,
            bandwidth=self.bandwidth * speed,
            second_pole=self.second_pole * speed,
            slew=self.slew * speed,
            bias_current=bias * 2.0 ** (warmer / varies.bias_doubling),
            swing=self.swing + (supply - SUPPLY),
            offset_shift=varies.offset_drift * abs(warmer),
        )

    def with_capacitances(self, row: float | None = None, feedback: float | None = None) -> AmplifierPreset:
        """Return the same amplifier on another board: with its own C_in, C_f or both, F."""
        return replace(
            self,
            row_capacitance=self.row_capacitance if row is None else row,
            feedback_capacitance=self.feedback_capacitance if feedback is None else feedback,
        )


def compensation(conductance: float, load: float, capacitance: float, bandwidth: float) -> float:
    """Return the C_f (F) that a designer chooses for an amplifier with `capacitance` C_in (F) at its input.

    The loop gain of one amplifier, w_u G / (D s), falls faster from the row's pole D / C_in. Where it is below 1 there,
    45 degrees of phase are left and the answer is 0. Otherwise it is 1 at sqrt(w_u G / C_in), and the feedback's own
    corner G / C_f is put there, which is the rule for transimpedance amplifiers: C_f = sqrt(C_in G / w_u), for C_f << C_in.

    Parameters
    ----------
    conductance, load : float
        G from output to input, and D, all conductance at the input, S.
    bandwidth : float
        Gain-bandwidth product, w_u / (2 pi), Hz.
    """
    unity = 2.0 * np.pi * bandwidth
    if unity * conductance * capacitance <= load**2:
        return 0.0
    return float(np.sqrt(capacitance * conductance / unity))


AMPLIFIER_PRESETS: dict[str, AmplifierPreset] = {
    # AD823: Vos <= 0.8 mV, 2 uV/K, 16 nV/rtHz, 16 MHz, 22 V/us, Ib <= 25 pA, A_ol 45 V/mV; 15 mA; within 50 mV of +-1.5 to
    # +-18 V; second pole and C_in (?). Corners: spread, least gain and -0.2 %/K (?); Ib doubles every 10 K, as of any JFET.
    # It needs no C_f: see `compensation` for G = 35 uS and D = 105 uS, a full cell beside as much from input and others.
    "AD823": AmplifierPreset(
        "AD823",
        0.8e-3 / 3,
        45e3,
        16e-9,
        16e6,
        30e6,
        22e6,
        25e-12,
        2e-12,
        output_current=15e-3,
        swing=SUPPLY - 0.05,
        variation=Variation(0.25, 20e3, 0.0, -2e-3, 2e-6, 10.0, 0.0, (1.5, 18.0)),
    ),
    # OPA690: 500 MHz at G = 1, GBP 300 MHz, 1800 V/us, 5.5 nV/rtHz, 190 mA, +-4 V of +-5 V, +-2.5 to +-6 V; offset, gain
    # (69 dB), second pole, Ib, C_in (?). Corners: spread, 58 dB, 10 uA, 10 uV/K, -0.1 %/K, 10 %/V (?). C_f as
    # `compensation`, to 0.1 pF. Ib makes 0.14 V across 35 uS: it settles fast, but not to the solution.
    "OPA690": AmplifierPreset(
        "OPA690",
        1e-3 / 3,
        2.8e3,
        5.5e-9,
        300e6,
        500e6,
        1800e6,
        5e-6,
        3e-12,
        0.2e-12,
        output_current=190e-3,
        swing=SUPPLY - 1.0,
        variation=Variation(0.25, 800.0, 10e-6, -1e-3, 10e-6, np.inf, 0.1, (2.5, 6.0)),
    ),
    "ideal": AmplifierPreset("ideal", 0.0, 1e12, 0.0, 1e9, 1e12, 1e15, 0.0, 0.0),
}


def amplifier_preset(name: str) -> AmplifierPreset:
    """Return the preset called `name`; `BenchError` lists the known ones."""
    try:
        return AMPLIFIER_PRESETS[name]
    except KeyError:
        raise BenchError(f"unknown amplifier {name!r}; there are {', '.join(AMPLIFIER_PRESETS)}") from None


@dataclass(frozen=True)
class AmplifierBank:
    """One amplifier per line, each with its own offset and feedback part.

    Attributes
    ----------
    offsets : (n,) array
        Input offset voltages, V.
    gain_errors : (n,) array
        Relative error of each feedback resistor (MULTIPLY) or inverter (INVERT).
    """

    preset: AmplifierPreset
    offsets: Floats
    gain_errors: Floats

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
        return AmplifierBank(self.preset, self.offsets[:count], self.gain_errors[:count])


def thermal_density(conductance: Floats, temperature: float = 300.0) -> Floats:
    """Thermal current noise 4 k T G, A^2/Hz."""
    return np.asarray(4.0 * BOLTZMANN * temperature * conductance)
