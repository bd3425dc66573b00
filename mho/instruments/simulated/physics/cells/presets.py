"""Named cell presets: every number of the cells' physics, with its unit, its bounds and its source.

Sources: [P] Zuo et al., Nature Electronics 8, 1222 (2025); [R] read off its figures; [L] Levy et al. (Stanford
1T1R HfO2, as measured); [F] fitted to the statistics of [L] (docs/cells-as-measured.md); [C] CMO/HfOx, arXiv 2502.04524;
[W] Wan et al. 2022 as fitted in aihwkit; [N] bench settings of NI-RRAM-Python; [M] RRAM-Relaxation-Master-Model
(Stanford, technology C, cells to 40 uS), as measured; [J] Jiang and Wong, Stanford RRAM model 1.0.0, doi
10.4231/D37H1DN48; [S] surveys; [E] an engineering choice of this project.

    name = "mychip"
    base = "stanford"        # what is not given below is as there

    [parameters]             # names and SI units as in docs/presets.md
    set_slope = 455e-6

A section ``[posterior]`` says how well the parameters are known; the simulated cells do not need it. ``[checks]`` says
whether runs were repeated on these cells, and what came of it: a preset that was fitted and not checked, or that failed, is
in doubt wherever it is used. Laws of a user's own (`own_laws`) are listed under ``[[laws]]``: name, and the numbers that
make it. Such code is loaded only where its user has named it or agreed to it.
"""

from __future__ import annotations

import json
import math
import numbers
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from mho.errors import BenchError, nearest
from mho.input_files import read_text
from mho.instruments.simulated.physics.cells.own_laws import (
    Conduction,
    DeviceSpread,
    OwnLaws,
    ReadNoise,
    Relaxation,
    SwitchingLaw,
    class_name_of,
    fields_of,
)
from mho.own_code import AGREED, import_named, is_mhos_own
from mho.toml import StrictModel, parse_toml

LAWS = ("gradual", "threshold")


def number(default: float, unit: str, source: str, low: float = 0.0, high: float = math.inf) -> Any:
    """Declare a parameter: its default, unit, source and allowed range (both ends included)."""
    return field(default=default, metadata={"unit": unit, "source": source, "low": low, "high": high})


@dataclass(frozen=True)
class Doubt:
    """Why a fitted preset may not describe its chip: it failed its checks, or had none, and in words why."""

    failed: bool
    why: str = ""


@dataclass(frozen=True)
class CellPreset:
    """One kind of 1T1R cell; `BenchError` names a parameter that is out of its range.

    The laws with these parameters are in `physics.switching`, `physics.gradual_law`, `physics.threshold_law`,
    `physics.relaxation` and `physics.noise`; units and sources are in the fields' metadata and in docs/presets.md.

    Attributes
    ----------
    law : str
        How pulses change the cells: ``gradual`` or ``threshold``.
    doubt : Doubt or None
        Why these cells may not be those of the chip that they were fitted to; None for presets that passed their checks,
        and for those that were not fitted.
    own : OwnLaws or None
        Laws of a user's own, by aspect (`but` takes them); None for cells of mho's laws alone.

    Examples
    --------
    >>> quiet = mho.CELL_PRESETS["pku"].but(name="sharp", set_cycle_spread=0.0)
    >>> quiet.law, quiet.set_cycle_spread
    ('gradual', 0.0)
    """

    name: str
    law: str = "gradual"

    # SET: the gate's compliance is the level that a pulse approaches
    set_slope: float = number(35e-6, "S/V", "0.5 mS/V in [L], scaled to the range of [P]", 1e-9)
    gate_threshold: float = number(0.8, "V", "[E]")
    maximum: float = number(60e-6, "S", "170 uS in [L], scaled to the range of [P]", 1e-9)
    set_threshold: float = number(1.2, "V", "[E], bit line")
    set_threshold_spread: float = number(0.08, "V", "[E], device to device")
    set_time: float = number(40e-9, "s", "[E]: a pulse of 100 ns [L] does 92 %", 1e-15)
    set_acceleration: float = number(0.03, "V", "[E]: 69 mV a decade; 0.4 V for minutes: harmless [P]", 0.005)
    set_cycle_spread: float = number(0.056, "decades", "[L], LRS cycle to cycle")
    set_device_spread: float = number(0.061, "decades", "[L], LRS device to device")
    gate_rise: float = number(0.0, "V", "threshold law: so much higher for 100 ns than for long pulses")
    gate_power: float = number(0.65, "1", "[F], threshold law: of 100 ns/width", 0.0, 3.0)
    gate_bit_line: float = number(0.0, "V/V", "threshold law: a bit line volt, on the gate", 0.0, 1.0)
    gate_spread: float = number(0.0, "V", "threshold law: of the gate's threshold, device to device")
    gate_cycle_spread: float = number(0.0, "V", "threshold law: of the gate's threshold, pulse to pulse")
    set_tail: float = number(0.0, "1", "threshold law: Tukey's h of the draws below 0", 0.0, 0.9)
    set_knee: float = number(6.0, "1", "[F], threshold law: sharpness of the bend at `maximum`", 1.0, 100.0)
    maximum_slope: float = number(0.0, "S/V", "threshold law: of the curve beyond the knee")
    cycle_memory: float = number(0.0, "1", "share of the cycle to cycle variance that drifts", 0.0, 1.0)
    memory_pulses: float = number(80.0, "pulses", "[F]: correlation length of that part", 1.0)
    landing: float = number(0.0, "S", "[C]: programming sigma 0.011 uS + 0.011 G in `quiet`")
    landing_share: float = number(0.0, "1", "[C]: programming sigma 0.011 uS + 0.011 G in `quiet`")

    # RESET: gradual, down to a floor
    reset_slope: float = number(2.5, "1/V", "[E]: of ln G, 100 ns")
    reset_threshold: float = number(0.9, "V", "[E], source line")
    reset_threshold_spread: float = number(0.06, "V", "[E], device to device")
    reset_gate: float = number(1.5, "V", "[E]: starves the RESET below; of the source follower")
    reset_rise: float = number(0.0, "V/S", "threshold law: threshold per conductance")
    reset_reach: float = number(0.43, "V", "[F], threshold law: so much over the threshold does 63 %", 1e-3)
    reset_drop_spread: float = number(0.0, "1", "threshold law: of a drop of ln G, cycle to cycle")
    reset_margin: float = number(0.1, "V", "[E], threshold law: weaker by this, a redraw is less by e", 1e-3)
    reset_top: float = number(156e-6, "S", "[F], threshold law: where a RESET at the threshold ends", 1e-9)
    reset_cycle_spread: float = number(0.33, "1", "[L]: sigma(ln G) about 0.6 after a RESET, of ln(drop)")
    floor: float = number(0.36e-6, "S", "[R]: strong RESET, 0.22 to 0.52 uS", 1e-12)
    floor_spread: float = number(0.12, "1", "[R] (0.33 decades in [L]): of ln(floor), cycle to cycle")
    floor_device_spread: float = number(0.1, "1", "[R] (0.43 decades in [L]): of ln(floor), by device")
    deep_reset: float = number(0.2e-6, "S", "[E] (100 kOhm in [L]): a cell reset from below may be lost")
    deep_reset_loss: float = number(1e-4, "1", "[E]: chance a pulse to be lost, stuck off", 0.0, 1.0)

    # Forming, loss and wear
    unformed: float = number(1e-9, "S", "[E]", 1e-15)
    forming_share: float = number(1.0, "1", "of the way to its compliance, by forming", 0.0, 1.0)
    forming_scatter: float = number(0.0, "1", "of ln of that share, cell to cell", 0.0, 2.0)
    forming_voltage: float = number(3.15, "V", "[L]")
    forming_spread: float = number(0.25, "V", "[L]")
    forming_gate: float = number(1.6, "V", "[E]; 1.3 to 4 V in use [N]: from here the whole voltage arrives")
    forming_gate_loss: float = number(0.5, "1", "[E]: volts lost on the bit line a volt of gate below that")
    forming_decade: float = number(0.12, "V", "[E]: a pulse ten times shorter than 1 us needs as much more")
    damage_voltage: float = number(4.4, "V", "[E]: above, a formed cell is lost, stuck on", 1.0)
    endurance: float = number(1e6, "cycles", "[S]: 1e5 to 1e9 for TaOx", 1.0)
    wear_floor: float = number(1.0, "1", "[E]: the floor has risen by this share after `endurance` cycles")
    wear_top: float = number(0.25, "1", "[E]: SET reaches 1/(1 + this) after `endurance` cycles")
    wear_voltage: float = number(3.0, "V", "[N]: the usual SET and RESET")
    wear_acceleration: float = number(0.25, "V", "[E]: e times the wear for so much more", 0.01)
    wear_idle: float = number(0.01, "cycles", "[E]: wear of a pulse that changes nothing")
    stuck_on: float = number(0.0, "1", "[S]: stuck cells 0.1 to 5 %", 0.0, 1.0)
    stuck_off: float = number(0.0, "1", "[S]", 0.0, 1.0)
    stuck_conductance: float = number(60e-6, "S", "[E], of cells that are stuck on", 1e-12)

    # After programming
    relaxation: float = number(0.015e-6, "S", "[E]: stays in the windows of [P, R]; rms of a jump")
    relaxation_time: float = number(5e-5, "s", "[E]", 1e-15)
    relaxation_power: float = number(1.0, "1", "[C]: sd with ln t; number of jumps fitted to [M]", 0.25, 2.0)
    relaxation_full: float = number(5e-6, "S", "[E]: relaxation (or rises) in proportion to G below", 1e-12)
    relaxation_tail: float = number(0.05, "1", "[E]: Tukey's h, 0 is a Gaussian", 0.0, 0.24)
    drift: float = number(-0.004e-6, "S", "[E]: mean change per ln(s)", -1e-3, 1e-3)
    relaxation_jumps: float = number(0.0, "1", "fitted to [M]: mean number of each a ln; 0: none", 0.0, 10.0)
    jump_tail: float = number(2.0, "1", "fitted to [M]: power of an exponential draw in a jump", 0.0, 4.0)
    jump_return: float = number(0.5, "1", "[M], correlations: share of jumps that is undone", 0.0, 1.0)
    jump_memory: float = number(2.5, "1", "[M], correlations: mean d from such a jump to its end", 1e-3)
    rise_fading: float = number(20e-6, "S", "fitted to [M]: a rise is less by e for so much", 1e-9)
    fall_full: float = number(7e-6, "S", "fitted to [M]: of ln G a fall takes `relaxation` over this", 1e-9)
    fall_fading: float = number(16e-6, "S", "fitted to [M]: a fall is less by e for so much", 1e-9)
    relaxation_renewal: float = number(0.0, "1", "[E]: share of G moved from which a pulse starts it anew")
    retention_time: float = number(3.2e8, "s", "[E]: ten years at `retention_temperature`", 1.0)
    retention_temperature: float = number(398.15, "K", "[E]", 100.0)
    retention_energy: float = number(2.25, "eV", "[L]")

    # Reading
    read_noise: float = number(0.004, "1", "[P]: integers of two lines stay exact; 1/f, all decades together")
    noise_fastest: float = number(1e-6, "s", "[E]: shortest and longest time of the 1/f noise", 1e-12)
    noise_slowest: float = number(1e4, "s", "[E]", 1e-12)
    rtn_share: float = number(0.02, "1", "[E]: cells with random telegraph noise", 0.0, 1.0)
    rtn_noise: float = number(0.01, "1", "[L]: about 0.1 in `quiet` and `relaxing`; less for [P]")
    rtn_fastest: float = number(1e-5, "s", "[E]: correlation times are log-uniform between these", 1e-12)
    rtn_slowest: float = number(1e2, "s", "[E]", 1e-12)
    rtn_asymmetry: float = number(0.0, "decades", "[M]: sd of log10 of dwell times; 0: see noise.py")
    rtn_spread: float = number(0.0, "1", "[M]: sd of ln of a trap's step over cells", 0.0, 3.0)
    noise_full: float = number(0.0, "S", "fitted to [M]: noise grows with G up to this; 0: always")
    white_noise: float = number(1.0, "1", "thermal and shot noise, times what physics gives", 0.0, 100.0)
    disturb_voltage: float = number(0.6, "V", "[E]: from here a read counts as a pulse")

    # Conduction away from the read at which levels are verified (`conduction`)
    nonlinearity: float = number(0.0, "1", "[E]: share of the I-V law: 0 a line, 1 all of it", 0.0, 1.0)
    hopping_voltage: float = number(0.25, "V", "[J]: V0 of the gap's current, sinh(V/V0)", 0.05)
    ohmic_conductance: float = number(5e-6, "S", "[E]: half of the current is ohmic here", 1e-9)
    transistor_slope: float = number(0.5e-3, "S/V", "[E]: k of the transistor, 1.2 kohm at 2.5 V; 0: none")
    rated_voltage: float = number(0.2, "V", "[N]: of the read at which conductances are meant", 0.01, 1.0)
    rated_gate: float = number(2.5, "V", "[N]: of that read")

    doubt: Doubt | None = field(default=None, compare=False)
    own: OwnLaws | None = None

    def but(self, *laws: object, name: str = "", **values: float) -> CellPreset:
        """Return these cells with laws of one's own, or other numbers.

        Parameters
        ----------
        *laws : objects or classes
            With the methods of one or more of `SwitchingLaw`, `DeviceSpread`, `Relaxation`, `ReadNoise`, `Conduction`.
        name : str, optional
            Of the new cells; by default that of these, and the laws'.
        **values : float
            Parameters as in docs/presets.md, in SI units.

        Raises
        ------
        BenchError
            For what is no law, an unknown parameter, or one out of its range.

        Examples
        --------
        >>> from mho.cells import cell_preset
        >>> cell_preset("stanford").but(set_slope=455e-6).name
        'stanford-own'
        """
        for one in values:
            if one not in NUMBERS:
                hint = nearest(one, NUMBERS, 2, "docs/presets.md lists them")
                raise BenchError(f"cell preset {self.name!r}: cells have no parameter {one!r}; {hint}")
        own = (self.own or OwnLaws()).and_these(laws) if laws else self.own
        if own is not None and own.conduction is not None and (self.own is None or not self.own.conduction):
            values = {"nonlinearity": 1.0, **values}  # the share of the law that counts
        # A user has given these, so that a run in this process may make them again.
        AGREED.update(class_name_of(law) for law in (own.objects() if own is not None and laws else ()))
        added = "".join(f"-{part}" for part in (own.names().split(" and ") if laws and own else ["own"]))
        changed: dict[str, Any] = {"own": own, "name": name or f"{self.name}{added}"[:100], **values}
        return replace(self, **changed)

    @property
    def warning(self) -> str:
        """The sentence on its doubt; empty for none."""
        if self.doubt is None:
            return ""
        what = "failed its checks" if self.doubt.failed else "was not checked on runs of its chip"
        return f"preset {self.name} {what}" + (f": {self.doubt.why}" if self.doubt.why else "")

    def __post_init__(self) -> None:
        if self.law not in LAWS:
            raise BenchError(
                f"cell preset {self.name!r}: law = {self.law!r} must be one of {', '.join(LAWS)}"
            )
        for parameter in parameters():
            value, limits = getattr(self, parameter.name), parameter.metadata
            number = type(value) is float or (not isinstance(value, bool) and isinstance(value, numbers.Real))
            if not number:
                raise BenchError(f"cell preset {self.name!r}: {parameter.name} = {value!r} must be a number")
            if not (math.isfinite(value) and limits["low"] <= value <= limits["high"]):
                raise BenchError(
                    f"cell preset {self.name!r}: {parameter.name} = {value:g} {limits['unit']} must lie between "
                    f"{limits['low']:g} and {limits['high']:g} {limits['unit']}"
                )
        if self.stuck_on + self.stuck_off > 1.0:
            raise BenchError(
                f"cell preset {self.name!r}: stuck_on + stuck_off = {self.stuck_on + self.stuck_off:g} of all cells; "
                "at most 1 is possible"
            )
        for fast, slow in (("noise_fastest", "noise_slowest"), ("rtn_fastest", "rtn_slowest")):
            if getattr(self, fast) > getattr(self, slow):
                raise BenchError(
                    f"cell preset {self.name!r}: {fast} = {getattr(self, fast):g} s is longer than {slow} = "
                    f"{getattr(self, slow):g} s; swap them"
                )


def parameters() -> tuple[Field[Any], ...]:
    """Return the fields of a preset that are numbers, with their units and bounds as metadata."""
    return tuple(one for one in fields(CellPreset) if one.metadata)


_PKU = CellPreset("pku")

# 1T1R HfO2 of [L] as programmed at 2 bits: fitted to single SETs at 100 ns, a staircase of RESETs, the pulses of ISPP
# by level and the sweep of its step (docs/cells-as-measured.md)
_STANFORD = replace(
    _PKU, name="stanford", law="threshold", set_slope=454e-6, gate_threshold=1.554, gate_rise=0.736,
    gate_bit_line=0.05, gate_spread=0.0323, gate_cycle_spread=0.0308, maximum=189e-6, set_tail=0.18,
    set_knee=7.5, maximum_slope=12.4e-6, set_cycle_spread=0.0184, set_device_spread=0.0159,
    set_threshold=1.1, set_time=10e-9, cycle_memory=0.28, reset_threshold=1.349,
    reset_threshold_spread=0.226, reset_rise=1100.0, reset_reach=0.269, reset_drop_spread=0.184,
    reset_top=187e-6, reset_slope=3.18, reset_cycle_spread=0.489, reset_gate=1.6, floor=7.68e-6,
    floor_spread=0.0, floor_device_spread=1.32, deep_reset=10e-6, deep_reset_loss=1e-7, forming_share=0.74,
    forming_scatter=0.22, stuck_on=0.0026, stuck_off=2e-5, stuck_conductance=240e-6, relaxation=0.97e-6,
    relaxation_time=3.6e-3, relaxation_power=0.5, relaxation_full=10e-6, relaxation_tail=0.12,
    drift=-0.05e-6, rtn_share=0.05, rtn_noise=0.02, ohmic_conductance=28.6e-6, transistor_slope=2.86e-3,
)  # fmt: skip


def scaled(preset: CellPreset, name: str, factor: float) -> CellPreset:
    """Return the preset with all conductances times `factor`: the same switching on a smaller or larger scale."""
    siemens = {"S": factor, "S/V": factor, "V/S": 1.0 / factor}
    changed = {
        parameter.name: getattr(preset, parameter.name) * siemens[parameter.metadata["unit"]]
        for parameter in parameters()
        if parameter.metadata["unit"] in siemens and parameter.name != "unformed"
    }
    return replace(preset, name=name, **changed)


CELL_PRESETS: dict[str, CellPreset] = {
    # no spread, no noise, no drift: the equations alone
    "ideal": replace(
        _PKU, name="ideal", set_threshold_spread=0.0, set_cycle_spread=0.0, set_device_spread=0.0,
        reset_threshold_spread=0.0, reset_cycle_spread=0.0, floor_spread=0.0, floor_device_spread=0.0,
        deep_reset_loss=0.0, forming_spread=0.0, relaxation=0.0, drift=0.0, read_noise=0.0, rtn_share=0.0,
        white_noise=0.0,
    ),
    # sd 0.41 + 0.042 ln t uS, mean -0.089 ln t uS [C]; 0.042 ln(1 + t/5.8e-5) is that law
    "quiet": replace(
        _PKU, name="quiet", landing=0.011e-6, landing_share=0.011, relaxation=0.042e-6,
        relaxation_time=5.8e-5, relaxation_tail=0.0, drift=-0.089e-6, read_noise=0.01, rtn_share=0.01,
        rtn_noise=0.1,
    ),
    # the published chip: tight levels, long-lived, little noise [P, R]
    "pku": _PKU,
    # relaxation and noise fitted to [M] (`python -m benchmarks relaxation`); HRS spread of [L]
    "relaxing": replace(
        _PKU, name="relaxing", floor=0.1e-6, floor_spread=0.76, floor_device_spread=0.99, deep_reset=10e-6,
        deep_reset_loss=2e-5, stuck_on=0.0005, stuck_off=0.0005, relaxation=2.16e-6, relaxation_time=6.6e-3,
        relaxation_power=1.17, relaxation_full=1.68e-6, drift=0.0, relaxation_jumps=0.553, jump_tail=2.12,
        jump_return=0.49, jump_memory=2.5, rise_fading=20.1e-6, fall_full=7.7e-6, fall_fading=15.8e-6,
        relaxation_renewal=0.05, read_noise=0.0525, noise_full=12.8e-6, rtn_share=0.2, rtn_noise=0.1,
        rtn_asymmetry=0.5, rtn_spread=0.7,
    ),
    "stanford": _STANFORD,
    # 200 uS there are 35 uS here; what happens after programming is that of cells of this range
    "stanford35": replace(
        scaled(_STANFORD, "stanford35", 0.175), relaxation=0.97e-6, relaxation_full=10e-6, drift=-0.05e-6,
    ),
}  # fmt: skip


SUFFIX = ".toml"
GROUP = "mho.cells"  # of entry points
# Unit of each parameter by name
NUMBERS = {parameter.name: parameter.metadata["unit"] for parameter in parameters()}


class PresetChecks(StrictModel):
    """Whether a fitted preset was held to the runs that it comes from, or others, and in words what came of it."""

    state: Literal["passed", "failed", "none"]
    says: Annotated[str, StringConstraints(max_length=2000)] = ""


class OwnLaw(StrictModel):
    """One law of a user's own: its class, and the numbers and words that make it; `again` says that they do."""

    name: str  # ``module:Class`` or ``path/file.py:Class``
    fields: dict[str, bool | int | float | str] = {}
    again: bool = True

    def made(self, source: str, noun: str = "law of a cell") -> object:
        """Return the law; `BenchError` where it cannot be made, or nobody has agreed to its code."""
        if not (self.name in AGREED or is_mhos_own(self.name)):
            raise BenchError(
                f"{source} has the {noun} {self.name}, which is none of mho's own, and nobody has agreed to that code "
                "here; look at it, and say --trust where a run is repeated, or name it yourself"
            )
        if not self.again:
            raise BenchError(
                f"{source} has the {noun} {self.name} that was an object in a script, and what it was made of is not "
                "known; make its class a dataclass of numbers"
            )
        kind = import_named(self.name, noun)
        try:
            return kind(**self.fields)
        except Exception as error:  # a user's own code may raise anything
            raise BenchError(f"{source}: the {noun} {self.name} cannot be made: {error}") from error


class PresetFile(StrictModel):
    """The sections of a preset file."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w. -]+$")]
    base: str = "pku"
    parameters: dict[str, float] = {}
    posterior: dict[str, Any] = {}
    checks: PresetChecks | None = None
    laws: list[OwnLaw] = []

    @property
    def doubt(self) -> Doubt | None:
        """Why these cells may not be those of the chip; None where checks passed, and for a preset that was not fitted."""
        if self.checks is None:
            return Doubt(False) if self.posterior else None
        return (
            None if self.checks.state == "passed" else Doubt(self.checks.state == "failed", self.checks.says)
        )


Cells = str | CellPreset | SwitchingLaw | DeviceSpread | Relaxation | ReadNoise | Conduction
"""What names or is a kind of cells, as `cell_preset` takes it."""


def cell_preset(source: Cells, stuck: float | None = None, nonlinearity: float | None = None) -> CellPreset:
    """Return a kind of cells, with a share `stuck` of them stuck, half of these on, and a `nonlinearity`, where given.

    Parameters
    ----------
    source : str, CellPreset or law
        A packaged preset's name, the path of a preset file (.toml), or the text of one; ``module:Class``,
        ``path/file.py:Class`` or an entry point of the group ``mho.cells``, which are a law or a `CellPreset` of a user's
        own; or these themselves. A law's attribute `base` names the preset of all that it does not bring ("pku").
    stuck : float, optional
        Share of cells that no pulse changes, 0 to 1.
    nonlinearity : float, optional
        Of conduction, as `CellPreset.nonlinearity`.

    Returns
    -------
    CellPreset

    Raises
    ------
    BenchError
        For an unknown name (the known ones are listed), or a file that cannot be read or does not describe cells.
    InputError
        For code of one's own that is not there, or cannot be loaded.

    Examples
    --------
    >>> preset = mho.cell_preset("pku", stuck=0.02)
    >>> preset.name, preset.stuck_on
    ('pku', 0.01)
    """
    preset = _named_preset(source) if isinstance(source, str) else _preset_of(source)
    if stuck is not None:
        preset = replace(preset, stuck_on=0.5 * stuck, stuck_off=0.5 * stuck)
    return preset if nonlinearity is None else replace(preset, nonlinearity=nonlinearity)


def _named_preset(source: str) -> CellPreset:
    if source in CELL_PRESETS:
        return CELL_PRESETS[source]
    if "\n" in source:
        return parse_preset(source, "the preset file")
    if source.endswith(SUFFIX):
        return parse_preset(_read(source), f"preset file {source}")
    if ":" in source:
        return _own_preset(source)
    from mho.extension_points import find_offer, offers  # packages' metadata: only for other names

    offer = find_offer(GROUP, "kind of cells", source)
    if offer is None:
        known = ", ".join((*CELL_PRESETS, *offers(GROUP)))
        raise BenchError(f"unknown cell preset {source!r}; there are {known}, or name a preset file (.toml)")
    return _own_preset(offer.target)


def _own_preset(name: str) -> CellPreset:
    """Return the cells that ``module:Class`` names, which its user has named."""
    own = import_named(name, "kind of cells")
    return _preset_of(own)


def _preset_of(own: object) -> CellPreset:
    """Return the cells that an object is, or the cells with the laws that it brings."""
    if not isinstance(own, CellPreset):
        return cell_preset(getattr(own, "base", "pku")).but(own)
    packaged = CELL_PRESETS.get(own.name)
    return own if packaged is None or own == packaged else replace(own, name=f"{own.name}-own")


def own_code_of(preset: str) -> tuple[str, ...]:
    """Return the classes of a user's own that a preset would load, by its name or text; nothing is loaded."""
    if "\n" in preset:
        return tuple(one.name for one in parse_toml(preset, PresetFile, "the preset file", BenchError).laws)
    return (preset,) if ":" in preset and not preset.endswith(SUFFIX) else ()


def parse_preset(text: str, source: str) -> CellPreset:
    """Check the text of a preset file and return its cells; `source` names it in errors (`BenchError`)."""
    file = parse_toml(text, PresetFile, source, BenchError)
    if file.name in CELL_PRESETS:
        raise BenchError(f"{source}: name = {file.name!r} is that of a packaged preset; give it another")
    if file.base not in CELL_PRESETS:
        raise BenchError(
            f"{source}: base = {file.base!r} is no packaged preset; there are {', '.join(CELL_PRESETS)}"
        )
    for name in file.parameters:
        if name not in NUMBERS:
            hint = nearest(name, NUMBERS, 2, "docs/presets.md lists them")
            raise BenchError(f"{source}: cells have no parameter {name!r}; {hint}")
    changed: dict[str, Any] = {"name": file.name, "doubt": file.doubt, **file.parameters}
    preset = replace(CELL_PRESETS[file.base], **changed)
    if not file.laws:
        return preset
    laws = [one.made(source) for one in file.laws]
    return preset.but(*laws, name=preset.name, nonlinearity=preset.nonlinearity)


def preset_text(preset: Cells) -> str:
    """Return a preset file of these cells, on the packaged preset that differs from it in the fewest parameters.

    Parameters
    ----------
    preset : str, CellPreset or law
        As `cell_preset` takes it.

    Returns
    -------
    str
        What `cell_preset` takes; of laws of one's own, their names and the numbers that make them. Only a packaged preset
        of the same `law` can be the base, as `law` is no number.

    Raises
    ------
    BenchError, InputError
        As `cell_preset`.

    Examples
    --------
    >>> print(mho.cells.preset_text(mho.cell_preset("quiet").but(read_noise=0.02)))
    name = "quiet-own"
    base = "quiet"
    <BLANKLINE>
    [parameters]
    read_noise = 0.02  # 1
    <BLANKLINE>
    """
    preset = preset if isinstance(preset, CellPreset) else cell_preset(preset)
    alike = [base for base in CELL_PRESETS.values() if base.law == preset.law]
    base = min(alike, key=lambda one: len(_different(preset, one)))
    lines = [f'name = "{preset.name}"', f'base = "{base.name}"', "", "[parameters]"]
    lines += [f"{name} = {value!r}  # {NUMBERS[name]}" for name, value in _different(preset, base).items()]
    if preset.doubt is not None:
        state = "failed" if preset.doubt.failed else "none"
        lines += ["", "[checks]", f'state = "{state}"', f"says = {json.dumps(preset.doubt.why)}"]
    for law in preset.own.objects() if preset.own is not None else ():
        lines += ["", "[[laws]]", f"name = {json.dumps(class_name_of(law))}", *law_lines(fields_of(law))]
    return "\n".join(lines) + "\n"


def law_lines(values: dict[str, float | int | bool | str] | None, section: str = "laws") -> list[str]:
    """Return the lines that make a law, or an element of a circuit, again of its `fields_of`."""
    if not values:
        return ["again = false"] if values is None else []
    words = {name: repr(one) if type(one) is float else json.dumps(one) for name, one in values.items()}
    return [f"[{section}.fields]", *(f"{json.dumps(name)} = {one}" for name, one in words.items())]


def _different(preset: CellPreset, base: CellPreset) -> dict[str, float]:
    return {
        name: float(getattr(preset, name)) for name in NUMBERS if getattr(preset, name) != getattr(base, name)
    }


def _read(source: str) -> str:
    return read_text(Path(source), BenchError, f"cannot read preset file {source}")
