"""Preset files: a user's own kind of cells as TOML, what differs from a packaged preset, and what is known of it.

    name = "mychip"
    base = "stanford"        # what is not given below is as there

    [parameters]             # names and SI units as in docs/presets.md
    set_slope = 455e-6

A section ``[posterior]`` says how well the parameters are known; the simulated cells do not need it. ``[checks]`` says
whether runs were repeated on these cells, and what came of it: a preset that was fitted and not checked, or that failed, is
in doubt wherever it is used.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mho.errors import BenchError
from mho.input_files import check_ordinary
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset, Doubt, parameters
from mho.toml import StrictModel, parse_toml

SUFFIX = ".toml"
NUMBERS = {parameter.name: parameter.metadata["unit"] for parameter in parameters()}
"""Unit of each parameter by name."""


class PresetChecks(StrictModel):
    """Whether a fitted preset was held to the runs that it comes from, or others, and in words what came of it."""

    state: Literal["passed", "failed", "none"]
    says: Annotated[str, Field(max_length=2000)] = ""


class PresetFile(StrictModel):
    """The sections of a preset file."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w. -]+$")]
    base: str = "pku"
    parameters: dict[str, float] = {}
    posterior: dict[str, Any] = {}
    checks: PresetChecks | None = None

    @property
    def doubt(self) -> Doubt | None:
        """Why these cells may not be those of the chip; None where checks passed, and for a preset that was not fitted."""
        if self.checks is None:
            return Doubt(False) if self.posterior else None
        return (
            None if self.checks.state == "passed" else Doubt(self.checks.state == "failed", self.checks.says)
        )


def cell_preset(source: str, stuck: float | None = None, nonlinearity: float | None = None) -> CellPreset:
    """Return a kind of cells, with a share `stuck` of them stuck, half of these on, and a `nonlinearity`, where given.

    Parameters
    ----------
    source : str
        A packaged preset's name, the path of a preset file (.toml), or the text of one.

    Raises
    ------
    BenchError
        For an unknown name (the known ones are listed), or a file that cannot be read or does not describe cells.
    """
    if source in CELL_PRESETS:
        preset = CELL_PRESETS[source]
    elif "\n" in source:
        preset = parse_preset(source, "the preset file")
    elif source.endswith(SUFFIX):
        preset = parse_preset(_read(source), f"preset file {source}")
    else:
        known = ", ".join(CELL_PRESETS)
        raise BenchError(f"unknown cell preset {source!r}; there are {known}, or name a preset file (.toml)")
    if stuck is not None:
        preset = replace(preset, stuck_on=0.5 * stuck, stuck_off=0.5 * stuck)
    return preset if nonlinearity is None else replace(preset, nonlinearity=nonlinearity)


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
            near = difflib.get_close_matches(name, NUMBERS, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; docs/presets.md lists them"
            raise BenchError(f"{source}: cells have no parameter {name!r}{hint}")
    changed: dict[str, Any] = {"name": file.name, "doubt": file.doubt, **file.parameters}
    return replace(CELL_PRESETS[file.base], **changed)


def preset_text(preset: CellPreset) -> str:
    """Return a preset file of these cells, on the packaged preset that differs from it in the fewest parameters.

    Only a law of the same name can be a base: what is not a number is not in the file.
    """
    alike = [base for base in CELL_PRESETS.values() if base.law == preset.law]
    base = min(alike, key=lambda one: len(_different(preset, one)))
    lines = [f'name = "{preset.name}"', f'base = "{base.name}"', "", "[parameters]"]
    lines += [f"{name} = {value!r}  # {NUMBERS[name]}" for name, value in _different(preset, base).items()]
    if preset.doubt is not None:
        state = "failed" if preset.doubt.failed else "none"
        lines += ["", "[checks]", f'state = "{state}"', f"says = {json.dumps(preset.doubt.why)}"]
    return "\n".join(lines) + "\n"


def _different(preset: CellPreset, base: CellPreset) -> dict[str, float]:
    return {
        name: float(getattr(preset, name)) for name in NUMBERS if getattr(preset, name) != getattr(base, name)
    }


def _read(source: str) -> str:
    try:
        check_ordinary(Path(source))
        return Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise BenchError(f"cannot read preset file {source} ({reason})") from None
