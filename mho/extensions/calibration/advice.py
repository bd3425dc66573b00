"""Which experiment tells which parameter of a preset."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from mho.errors import InputError

FURTHEST = 3.0  # times, between what cells reach and the top of their base
WIDTHS = "SETs of several widths at the same voltages"
TOP = "SETs at gate voltages up to the limit"
CYCLES = "many SETs of the same cell from HRS, at several gate voltages"
DEEP = "RESETs up to voltages that leave cells at their floor"
STAIRCASE = "staircases of RESETs from LRS"
FORM = "forming of virgin cells with a ramp of V_BL"
RETENTION = "reads over hours at two temperatures"
AFTERWARDS = "reads of programmed cells from milliseconds to a day"
NOISE = "thousands of reads of the same cells"
ENDURANCE = "SET and RESET cycles until windows close"

COMMANDS = {
    WIDTHS: "mho run response --against width", TOP: "mho run response",
    CYCLES: "mho run switching --cycles 200", DEEP: "mho run response --against V_SL",
    STAIRCASE: "mho run response --against V_SL", FORM: "mho run form",
    RETENTION: "mho run retention --temperature KELVIN, twice", AFTERWARDS: "mho run retention",
    NOISE: "mho run noise", ENDURANCE: "mho run endurance",
    "SETs at several V_BL": "mho run response --against V_BL",
    "SETs at low V_BL, of several widths": "mho run response --against V_BL",
    "hundreds of cycles of the same cells": "mho run switching --cycles 300",
    "staircases of RESETs on more cells": "mho run response --against V_SL",
}  # fmt: skip
"""Commands of some of these experiments."""

EXPERIMENTS = {
    "set_slope": "SETs at gate voltages from below the threshold to the top", "gate_threshold": WIDTHS,
    "gate_rise": WIDTHS, "gate_power": WIDTHS, "gate_bit_line": "SETs at several V_BL",
    "gate_spread": "SETs near the threshold of more cells", "gate_cycle_spread": CYCLES, "set_tail": CYCLES,
    "maximum": TOP, "maximum_slope": TOP, "set_knee": TOP, "set_cycle_spread": TOP,
    "set_device_spread": "SETs at the top of more cells",
    "cycle_memory": "hundreds of cycles of the same cells",
    "memory_pulses": "hundreds of cycles of the same cells",
    "set_threshold": "SETs at low V_BL, of several widths", "set_time": "SETs at low V_BL, of several widths",
    "reset_threshold": STAIRCASE, "reset_threshold_spread": "staircases of RESETs on more cells",
    "reset_rise": "RESETs from several levels", "reset_reach": "RESETs of several widths",
    "reset_drop_spread": STAIRCASE, "reset_top": STAIRCASE, "reset_slope": DEEP,
    "reset_cycle_spread": "repeated RESETs of the same cells",
    "reset_margin": "RESETs weaker than the last one of the same cells",
    "reset_gate": "RESETs at gate voltages below V_SL + 1.5 V", "floor": DEEP, "floor_device_spread": DEEP,
    "forming_voltage": FORM, "forming_spread": FORM, "stuck_on": "pulses on a thousand cells and more",
    "relaxation": AFTERWARDS, "relaxation_tail": AFTERWARDS, "drift": AFTERWARDS,
    "retention_energy": RETENTION, "retention_time": RETENTION, "read_noise": NOISE, "rtn_share": NOISE,
    "rtn_noise": NOISE, "endurance": ENDURANCE,
}  # fmt: skip
"""What would tell each parameter that a chip has."""

GATES = "SETs at gate voltages from below the threshold to the top"
LANDING = "SETs of the same cell in small steps of the gate"

ELSEWHERE = {
    "threshold": ("set_threshold_spread", "set_acceleration", "floor_spread", "landing", "landing_share"),
    "gradual": (
        "gate_rise", "gate_power", "gate_bit_line", "gate_spread", "gate_cycle_spread", "set_tail", "maximum_slope",
        "set_knee", "cycle_memory", "memory_pulses", "reset_rise", "reset_reach", "reset_drop_spread", "reset_margin",
        "reset_top",
    ),
}  # fmt: skip
"""Parameters that have no meaning under a law."""

OTHERWISE = {
    "gradual": {
        "gate_threshold": GATES,
        "set_threshold_spread": "SETs at V_BL about the threshold of more cells",
        "set_acceleration": "SETs at low V_BL, of several widths",
        "set_time": WIDTHS,
        "set_cycle_spread": CYCLES,
        "landing": LANDING,
        "landing_share": LANDING,
        "reset_slope": STAIRCASE,
        "floor_spread": "RESETs of the same cells down to their floor, again and again",
        "reset_gate": "RESETs at gate voltages about 1.5 V",
    },
}
"""What tells parameters that mean something else under a law, or nothing under another."""


def what_helps(sets: int, resets: int, cells: int, forming: int, least_pulses: int, least_cells: int) -> str:
    """Return the sentence with which too little data are refused: what there is, what is the least, what to do."""
    there = (
        f"too little to calibrate on: {sets} SETs and {resets} RESETs of {cells} formed cells; {least_pulses} of a kind "
        f"on {least_cells} cells are the least. What would help most: "
    )
    if forming and not sets + resets:
        return (
            there + "SETs and RESETs of the cells that were formed here: `mho run response --after` this run"
        )
    if cells < least_cells:
        return there + (
            "SETs and RESETs of many voltages on some 100 cells: `mho run response --rows 0:10 --columns 0:10` gives each "
            "cell 75 SETs at 25 word-line voltages, the same with `--against V_SL` 75 RESETs"
        )
    more = least_pulses - max(sets, resets)
    return there + (
        f"{more} SETs more, at many gate voltages, and as many RESETs at many voltages: `mho run response` gives each cell "
        "75 SETs at 25 word-line voltages, `mho run response --against V_SL` 75 RESETs"
    )


def check_range(top: float, base: str, maxima: Mapping[str, float]) -> None:
    """Raise `InputError` where cells reach a conductance `top`, S, of another order than the base preset of `maxima`."""
    ratio = top / maxima[base]
    if 1.0 / FURTHEST < ratio < FURTHEST:
        return
    nearest = min(maxima, key=lambda name: abs(math.log(top / maxima[name])))
    advice = f"name --base {nearest}" if nearest != base else "check the unit of the conductances"
    raise InputError(
        f"the cells reach {1e6 * top:.3g} uS, those of the base {base} {1e6 * maxima[base]:.3g} uS: {advice}"
    )


def helping(known: Collection[str], law: str = "threshold") -> dict[str, str]:
    """Return the parameters of a law that are not known, each with the experiment that tells it."""
    experiments = EXPERIMENTS | OTHERWISE.get(law, {})
    return {name: what for name, what in experiments.items() if name not in {*known, *ELSEWHERE[law]}}
