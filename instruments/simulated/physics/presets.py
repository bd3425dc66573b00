"""Named cell and amplifier presets: every number of the physics, with its source.

Conductances in S, voltages in V, times in s. Sources: [P] Zuo et al. 2025 (doi 10.1038/s41928-025-01477-0),
[R] read off its figures, [L] Levy et al. (Stanford 1T1R HfO2), [C] CMO/HfOx, arXiv 2502.04524, [W] Wan et al.
2022 as fitted in aihwkit, [S] surveys; everything else is an engineering choice of this preset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mho_errors import BenchError


@dataclass(frozen=True)
class CellPreset:
    """One kind of 1T1R cell.

    SET follows the gate: G_c = set_slope (V_WL - gate_threshold), spread by device and by cycle; RESET is
    gradual: d ln G = -reset_slope (V_SL - reset_threshold). After programming a cell relaxes in log time:
    sd = relaxation ln(1 + t/relaxation_time), mean = drift ln(1 + t), both scaled by G/(G + relaxation_half).
    """

    name: str
    set_slope: float = 35e-6  # S/V; 0.5 mS/V in [L], scaled to the paper's 35 uS range [P]
    gate_threshold: float = 0.8  # V
    maximum: float = 60e-6  # S, where SET saturates
    set_threshold: float = 1.2  # V at the bit line
    set_threshold_spread: float = 0.08
    set_time: float = 40e-9  # s: a 100 ns pulse does 92 % of what an endless one would
    set_cycle_spread: float = 0.056  # log10, LRS cycle to cycle [L]
    set_device_spread: float = 0.061  # log10, LRS device to device [L]
    reset_slope: float = 2.5  # 1/V
    reset_threshold: float = 0.9  # V at the source line
    reset_threshold_spread: float = 0.06
    reset_gate: float = 1.5  # V: below this gate voltage the transistor starves the RESET
    reset_cycle_spread: float = 0.4  # of ln(change)
    floor: float = 0.36e-6  # S, strong RESET: 0.22 to 0.52 uS [R]
    floor_spread: float = 0.16  # of ln(floor)
    unformed: float = 1e-9
    forming_voltage: float = 3.15  # V [L]
    forming_spread: float = 0.25  # V [L]
    damage_voltage: float = 4.4  # V: above, a formed cell is lost for good
    stuck_on: float = 0.0  # fraction of cells
    stuck_off: float = 0.0
    relaxation: float = 0.012e-6
    relaxation_time: float = 5e-5
    relaxation_half: float = 5e-6
    relaxation_tail: float = 6.0  # degrees of freedom of Student's t; infinity is a Gaussian
    drift: float = -0.004e-6
    read_noise: float = 0.004  # of G, 1/f: does not average away; about 1 % for quiet cells, less in [P]
    disturb_voltage: float = 0.6  # V: reading above this acts as a SET


_PKU = CellPreset("pku")

CELL_PRESETS: dict[str, CellPreset] = {
    "ideal": replace(
        _PKU,
        name="ideal",
        set_cycle_spread=0.0,
        set_device_spread=0.0,
        set_threshold_spread=0.0,
        reset_threshold_spread=0.0,
        reset_cycle_spread=0.0,
        floor_spread=0.0,
        forming_spread=0.0,
        relaxation=0.0,
        drift=0.0,
        read_noise=0.0,
    ),
    # sd 0.41 + 0.042 ln t uS, mean -0.089 ln t uS after programming [C]; ln(1 + t/5.8e-5) is that law.
    "quiet": replace(
        _PKU,
        name="quiet",
        relaxation=0.042e-6,
        relaxation_time=5.8e-5,
        relaxation_half=0.0,
        drift=-0.089e-6,
        read_noise=0.01,
    ),
    "pku": _PKU,
    # sd 2.3 uS after 1 s and 4 uS after a day, heavy tails [L, W]; stuck cells at the survey's lower end [S].
    "relaxing": replace(
        _PKU,
        name="relaxing",
        relaxation=0.15e-6,
        relaxation_time=2.2e-7,
        relaxation_tail=3.0,
        drift=-0.05e-6,
        read_noise=0.02,
        stuck_on=0.0005,
        stuck_off=0.0005,
    ),
}


@dataclass(frozen=True)
class AmplifierPreset:
    """An operational amplifier: offset (V), open-loop gain, noise (V/rtHz), gain-bandwidth (Hz), slew (V/s)."""

    name: str
    offset: float
    gain: float
    noise: float
    bandwidth: float
    slew: float


AMPLIFIER_PRESETS: dict[str, AmplifierPreset] = {
    # data sheets: offset is drawn with a third of the maximum as its sd
    "AD823": AmplifierPreset("AD823", 0.8e-3 / 3, 45e3, 16e-9, 16e6, 22e6),
    "OPA690": AmplifierPreset("OPA690", 1.0e-3 / 3, 2e3, 5.5e-9, 300e6, 1800e6),
}


def cell_preset(name: str) -> CellPreset:
    """Return the preset called `name`; `BenchError` lists the known ones."""
    try:
        return CELL_PRESETS[name]
    except KeyError:
        known = ", ".join(CELL_PRESETS)
        raise BenchError(f"unknown cell preset {name!r}; there are {known}") from None
