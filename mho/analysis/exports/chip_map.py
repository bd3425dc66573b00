"""Exports what a run measured of a chip as a new chip map: the run's own, with the coarse curve G(V_WL) in it."""

from __future__ import annotations

from pathlib import Path

from mho.chip_maps.chip import parse_chip_map, with_write_verify
from mho.errors import InputError
from mho.runs import RunFile

MEASURED = ("set_slope", "set_offset")
ENDS = ("", "_low", "_high")
CONDITIONS = ("set_voltage", "width")


def write_chip_map(run: RunFile, target: Path) -> None:
    """Write the chip map of a run with the coarse curve that it measured.

    Amplitude and width of the pulses go with it where they were not the chip map's: the curve holds for these.

    Raises `InputError`: the run measured no such curve; `ChipMapError`: its chip map cannot be changed line by line.
    """
    summary = run.summary
    if not all(isinstance(summary.get(f"{name}{end}"), float) for name in MEASURED for end in ENDS):
        raise InputError(
            f"{run.path} has measured nothing that a chip map holds; `mho run response` measures G(V_WL), and its levels "
            "must reach two levels of the chip"
        )
    settings = parse_chip_map(run.chip, f"chip map of {run.path}").write_verify
    values: dict[str, float] = {name: float(summary[name]) for name in MEASURED}
    for name in CONDITIONS:
        used = run.parameters[name].value if name in run.parameters else None
        if isinstance(used, float) and used != getattr(settings, name):
            values[name] = used
    ends = [f"{name} {summary[f'{name}_low']:.4g} to {summary[f'{name}_high']:.4g}" for name in MEASURED]
    gates = summary.get("gates_of_levels")
    each = gates if isinstance(gates, list) else []
    known = [f"{gate:.3f}" if isinstance(gate, float) else "none" for gate in each]
    note = (
        f"G(V_WL) as {run.path.name} measured it with {summary.get('cells_fitted')} cells; 95 % intervals:\n"
        f"{', '.join(ends)}\nword line (V) of levels 1, 2, ...: {', '.join(known)}"
    )
    target.write_text(with_write_verify(run.chip, values, note), encoding="utf-8")
