"""Which settings of the bench `zuo2025` fit both published 4 x 4 curves: p of either, and of both together, for each.

Every setting is the published loop on so many chips, with one thing changed. A p at or below 0.05 says that the published
curve is none of those chips'; one above says no more than that so many chips do not rule it out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks._solves import threads
from benchmarks.registry import Figure
from mho.chip_maps.inverse_encoding import InverseEncoding
from mho.extensions.published import ExperimentOutcome, Setup
from mho.extensions.published.as_published import rounded_loop
from mho.extensions.published.curves import TWELVE, TWENTY_FOUR
from mho.extensions.published.rejection import combined
from mho.procedures.equations.circuits import loop_on_cells

CHIPS_A_REPEAT = 20
CURVES = {"24 bits": TWENTY_FOUR, "12 bits": TWELVE}
FINE, NEARLY_CLAMPED = 0.95 ** np.arange(160), 0.38  # input scales, and V that outputs may reach


def cut_off() -> InverseEncoding:
    """Return the loop of digits that are cut off instead of rounded."""
    loop = rounded_loop(TWELVE.matrix(np.random.default_rng(0)))
    digits = np.floor(8.0 * TWELVE.matrix(np.random.default_rng(0))).astype(np.int64)
    return InverseEncoding("differential", 4, digits, None, loop.unit, 0.0)


@dataclass(frozen=True)
class Changed:
    """What is otherwise than in the bench.

    Attributes
    ----------
    bench, chip : mappings
        Lines of the bench file and of the chip map by their key; None leaves one out.
    zero : str
        Lines of the bench file's ``[inverse]``.
    preset : str or None
    loop : mapping
        What the published loop does otherwise.
    filled : bool
        Whether outputs are brought to within 5 % of the clamps, instead of within a factor of 2 of 0.3 V.
    """

    bench: Mapping[str, str | None] = field(default_factory=dict)
    chip: Mapping[str, str | None] = field(default_factory=dict)
    zero: str = ""
    preset: str | None = None
    loop: Mapping[str, Any] = field(default_factory=dict)
    filled: bool = False


def bits(count: int | None) -> dict[str, str | None]:
    """Return the line of a bench with so many bits at the INV outputs; None for the DAQ's own 16."""
    return {"inverse_bits": None, "inverse_codes": None} if count is None else {"inverse_bits": str(count)}


MID_RISE: dict[str, str | None] = {"inverse_codes": None}
VIRGIN: dict[str, str | None] = {"zero": None, "zero_limit": "0.6e-6"}  # no cell of level 0 is formed
MID_TREAD, CURVED = '"mid-tread"', "inverse_inl = 0.5\ninverse_dnl = 0.25"
NEVER_CLAMPED = 0.0435  # V: from here down no vector takes an output of this loop beyond 0.3 V
AVERAGED = "zero_readings = 64\nzero_dither = 0.02"

SETTINGS: dict[str, Changed] = {
    "as packaged": Changed(),
    **{f"INV outputs of {count} bits": Changed(bits(count)) for count in (3, 4, 6, 8)},
    "INV outputs of 16 bits": Changed(bits(None)),
    "zero read once, between codes": Changed(MID_RISE),
    "zero read once, between codes, 4 bits": Changed(bits(4) | MID_RISE),
    "zero averaged, between codes": Changed(MID_RISE, zero=AVERAGED),
    "zero averaged, between codes, 4 bits": Changed(bits(4) | MID_RISE, zero=AVERAGED),
    "zero trimmed, between codes": Changed(MID_RISE, zero="zero_readings = 0"),
    "level 0 virgin": Changed(chip=VIRGIN),
    "level 0 virgin, zero read once, between codes": Changed(MID_RISE, VIRGIN),
    "converters of INL 0.5, DNL 0.25": Changed({"inverse_codes": f"{MID_TREAD}\n{CURVED}"}),
    "converters of noise 5 mV": Changed({"inverse_codes": f"{MID_TREAD}\ninverse_noise = 5e-3"}),
    "inputs up to 44 mV": Changed(loop={"full_scale": NEVER_CLAMPED}),
    "inputs up to 44 mV, 6 bits": Changed(bits(6), loop={"full_scale": NEVER_CLAMPED}),
    "inputs up to 20 mV, 7 bits": Changed(bits(7), loop={"full_scale": 0.02}),
    "INV outputs of 4 bits, filled": Changed(bits(4), filled=True),
    "INV outputs of 3 bits, filled": Changed(bits(3), filled=True),
    "cells without any spread": Changed(preset="ideal"),
    "cells without any spread, 16 bits": Changed(bits(None), preset="ideal"),
    "cells quiet": Changed(preset="quiet"),
    "cells relaxing": Changed(preset="relaxing"),
    "windows of 0.6 uS": Changed(chip={"tolerance": "0.6e-6"}),
    "windows of 0.6 uS, 16 bits": Changed(bits(None), {"tolerance": "0.6e-6"}),
    "windows of 2 uS": Changed(chip={"tolerance": "2.0e-6"}),
    "cells aimed at 0.8 of their window": Changed(chip={"inner": "0.8"}),
    "ideal amplifiers": Changed({"amplifier": '"ideal"'}),
    "line search": Changed(loop={"method": "line search"}),
    "corrections of 4 bits": Changed(loop={"correction_bits": 4}),
    "corrections of 24 bits": Changed(loop={"correction_bits": 24}),
    "leading digits cut off, not rounded": Changed(loop={"loop": cut_off()}),
}


def run(repeat: int) -> list[Figure]:
    """Test both curves on 20 chips a repeat, in every setting."""
    return [
        figure
        for name, changed in SETTINGS.items()
        for figure in judged(name, changed, CHIPS_A_REPEAT * repeat)
    ]


def judged(name: str, changed: Changed, chips: int) -> Iterator[Figure]:
    """Yield p of either curve, with where the published errors lie among the chips', and that of both together."""
    each = []
    for curve, outcome in outcomes(changed, chips).items():
        assert outcome.rejection is not None  # both are published
        errors = [row for row in outcome.rows if row.quantity == "relative error"]
        detail = {
            "median over published, by cycle": [round(row.deviation, 2) for row in errors],
            "share of chips below, by cycle": [round(row.below, 2) for row in errors],
            "wrong integers": outcome.facts["wrong_integers"],
            "chips": chips,
        }
        each.append(outcome.rejection.p)
        yield Figure(f"{name}: p of {curve}", each[-1], "", detail=detail, threads=threads())
    yield Figure(f"{name}: p of both", combined(each), "", threads=threads())


def outcomes(changed: Changed, chips: int) -> dict[str, ExperimentOutcome]:
    """Return both curves on chips of the bench with something changed."""
    with tempfile.TemporaryDirectory() as folder, _ranging(changed.filled):
        setup = Setup(_write(Path(folder), changed), changed.preset, chips, 1)
        return {
            name: curve.carry_out(setup, lambda done, total: None, **changed.loop)
            for name, curve in CURVES.items()
        }


@contextmanager
def _ranging(filled: bool) -> Iterator[None]:
    if not filled:
        yield
        return
    with patch.object(loop_on_cells, "LADDER", FINE), patch.object(loop_on_cells, "LINEAR", NEARLY_CLAMPED):
        yield


def _write(folder: Path, changed: Changed) -> str:
    """Write bench file and chip map with lines changed; return the bench's path."""
    chip = (resources.files("mho.chip_maps") / "maps/zuo2025.toml").read_text("utf-8")
    bench = (resources.files("mho.instruments") / "benches/zuo2025.toml").read_text("utf-8")
    (folder / "chip.toml").write_text(_with(chip, changed.chip), encoding="utf-8")
    path = folder / "bench.toml"
    text = _with(bench, {"chip": '"chip.toml"'} | dict(changed.bench))
    path.write_text(f"{text}\n[inverse]\n{changed.zero}\n", encoding="utf-8")
    return str(path)


def _with(text: str, lines: Mapping[str, str | None]) -> str:
    kept = []
    for line in text.splitlines():
        key = line.partition("=")[0].strip()
        if key not in lines:
            kept.append(line)
        elif lines[key] is not None:
            kept.append(f"{key} = {lines[key]}")
    return "\n".join(kept)
