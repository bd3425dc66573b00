"""What settings are predicted to take on a chip, digit by digit; and a run held to it.

Pulses and reads of a cell depend on its digit, so a prediction for a run adds up those of its digits. Its interval, 95 %,
holds three parts: cells of a digit differ, chips differ by more than their cells do, and the twin's means are known from
so many chips only.

Success over chips, and savings between two settings on the same chips, have 95 % intervals too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as students

from mho.array_types import Floats
from mho.chip_maps import WriteVerifySettings
from mho.confidence import clustered_binomial_interval, ratio_interval
from mho.errors import InputError, RunFileError
from mho.extensions.optimise.twin import Programming
from mho.input_files import read_text
from mho.procedures import find_strategy, read_settings
from mho.runs import RunFile
from mho.toml import load_toml


@dataclass(frozen=True)
class GainEstimate:
    """A value with its 95 % interval."""

    low: float
    mean: float
    high: float

    def holds(self, value: float) -> bool:
        """Return whether a value lies in the interval, ends included."""
        return self.low <= value <= self.high


def success_of(successes: Sequence[int], cells: Sequence[int]) -> GainEstimate:
    """Return the share of the cells that succeed, of so many of so many on each chip, chips being independent."""
    low, high = clustered_binomial_interval(successes, cells)
    return GainEstimate(float(low), float(np.sum(successes) / np.sum(cells)), float(high))


def saving(before: Sequence[float] | Floats, after: Sequence[float] | Floats) -> GainEstimate:
    """Return the share saved, 1 - mean(after)/mean(before), of pairs (chips,): costs of the same chips."""
    high, low = (1.0 - float(end) for end in ratio_interval(after, before))
    return GainEstimate(low, 1.0 - float(np.mean(after) / np.mean(before)), high)


QUANTITIES = ("pulses", "reads", "success")


@dataclass(frozen=True)
class Prediction:
    """Means, spreads among cells, and spreads among chips."""

    chips: int  # on which it rests
    passes: int  # of touching up
    # pulses, reads, success: of a cell, by digit
    pulses: tuple[float, ...]
    reads: tuple[float, ...]
    success: tuple[float, ...]
    # pulses_sd, reads_sd, success_sd: standard deviations among the cells of a digit
    pulses_sd: tuple[float, ...]
    reads_sd: tuple[float, ...]
    success_sd: tuple[float, ...]
    # pulses_chip_sd, reads_chip_sd, success_chip_sd: standard deviations among chips, of what their cells do
    # not explain
    pulses_chip_sd: float
    reads_chip_sd: float
    success_chip_sd: float

    @classmethod
    def of(cls, programmed: Sequence[Programming], digits: int, passes: int) -> Prediction:
        """Return what programmed chips tell; `digits` is the number of levels."""
        statistics: dict[str, Any] = {}
        for name in QUANTITIES:
            values = [np.asarray(_values(one, name), dtype=float) for one in programmed]
            every, which = np.concatenate(values), np.concatenate([one.digits for one in programmed])
            parts = [every[which == digit] for digit in range(digits)]
            mean = np.array([part.mean() if part.size else every.mean() for part in parts])
            spread = np.array([part.std(ddof=1) if part.size > 1 else every.std() for part in parts])
            # A chip's excess over what its digits lead one to expect, less what its cells explain of that.
            excess = [
                value.mean() - mean[one.digits].mean() for value, one in zip(values, programmed, strict=True)
            ]
            explained = np.mean(
                [np.square(spread[one.digits]).sum() / len(one.digits) ** 2 for one in programmed]
            )
            among = np.sqrt(max(float(np.var(excess, ddof=1)) - float(explained), 0.0))
            statistics |= {name: _rounded(mean), f"{name}_sd": _rounded(spread)}
            statistics[f"{name}_chip_sd"] = _rounded([among])[0]
        return cls(chips=len(programmed), passes=passes, **statistics)

    def of_run(self, name: str, digits: ArrayLike) -> GainEstimate:
        """Return the mean of a quantity over a run's cells with these digits, 95 %."""
        which = np.asarray(digits, dtype=np.int64).ravel()
        mean, spread = (np.array(getattr(self, one)) for one in (name, f"{name}_sd"))
        among = getattr(self, f"{name}_chip_sd")
        own = np.square(spread[which]).sum() / len(which) ** 2
        seen = np.square(spread[which]).mean() / (self.chips * len(which)) + among**2 / self.chips
        half = float(students.ppf(0.975, self.chips - 1)) * float(np.sqrt(own + among**2 + seen))
        middle = float(mean[which].mean())
        top = 1.0 if name == "success" else np.inf
        return GainEstimate(max(middle - half, 0.0), middle, min(middle + half, top))

    def plain(self) -> dict[str, Any]:
        """Return the values by name, for a file."""
        return {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(self).items()}

    @classmethod
    def from_plain(cls, values: dict[str, Any], source: str) -> Prediction:
        """Return the prediction that `plain` made; other keys are left alone.

        Raises `InputError`: where it is none, naming `source`.
        """
        known: dict[str, Any] = {}
        for name in cls.__dataclass_fields__:
            try:
                given = values[name]
                known[name] = tuple(map(float, given)) if isinstance(given, list) else given + 0
            except (KeyError, TypeError, ValueError):
                raise InputError(
                    f"{source}: [prediction] has no usable `{name}`; write the file anew with mho optimise"
                ) from None
        made = cls(**known)
        lengths = {len(getattr(made, f"{name}{end}")) for name in QUANTITIES for end in ("", "_sd")}
        if len(lengths) != 1 or made.chips < 2:
            raise InputError(
                f"{source}: [prediction] does not fit together; write the file anew with mho optimise"
            )
        return made


@dataclass(frozen=True)
class PredictedQuantity:
    """One quantity of a run beside its prediction."""

    name: str
    predicted: GainEstimate
    measured: float

    @property
    def inside(self) -> bool:
        """Whether it lies in the interval."""
        return self.predicted.holds(self.measured)


def compare(run: str | Path, settings: str | Path) -> tuple[PredictedQuantity, ...]:
    """Hold a run of `Program` to the prediction in the settings file that it ran with.

    Parameters
    ----------
    run : path
        Run file.
    settings : path
        What ``mho optimise --to`` wrote.

    Returns
    -------
    tuple of Compared
        Pulses and reads a cell, and the share of the cells that ended in their windows.

    Raises
    ------
    InputError
        For a file without a prediction, or a run that used other settings, of which the first is named.
    RunFileError
        For a file that is no finished run of `Program`.
    """
    prediction, facts = read_prediction(settings)
    with RunFile(run) as file:
        _check_same(file, run, str(settings), prediction, facts)
        result, digits = file.summary, file.array("digits")
    if digits.max(initial=0) >= len(prediction.pulses):
        raise InputError(
            f"{run} has the digit {int(digits.max())}, the prediction in {settings} digits up to "
            f"{len(prediction.pulses) - 1}: it is of another chip's levels"
        )
    cells = float(result["cells"])
    measured = {
        "pulses": result["pulses"] / cells,
        "reads": result["reads"] / cells,
        "success": 1.0 - result["cells_failed"] / cells,
    }
    return tuple(
        PredictedQuantity(name, prediction.of_run(name, digits), measured[name]) for name in QUANTITIES
    )


def read_prediction(path: str | Path) -> tuple[Prediction, dict[str, Any]]:
    """Return the prediction in a settings file, and all that its section says.

    Raises `InputError`: for a file that cannot be read or has none.
    """
    text = read_text(Path(path), InputError, f"cannot read settings file {path}")
    section = load_toml(text, str(path), InputError).get("prediction")
    if not isinstance(section, dict) or not isinstance(section.get("strategy"), str):
        raise InputError(f"{path} has no section [prediction]; mho optimise STRATEGY --to {path} writes one")
    return Prediction.from_plain(section, str(path)), section


def _check_same(
    file: RunFile, run: str | Path, source: str, prediction: Prediction, facts: dict[str, Any]
) -> None:
    """Refuse a run that is not of the settings of the prediction."""
    if file.procedure != "Program" or "cells" not in file.summary:
        raise RunFileError(
            f"{run} is no finished run of program; `mho run program --write-verify {source}` makes one"
        )
    # A strategy of one's own is not loaded for a comparison: what it calls its settings, the run has written.
    kind = (
        find_strategy(facts["strategy"]).settings_type
        if ":" not in facts["strategy"]
        else WriteVerifySettings
    )
    used = read_settings(str(file.parameters["write_verify"].value), kind)
    settings = read_settings(source, kind)
    for name, value in settings.items():
        if used.get(name, ()) != value:
            long = isinstance(value, tuple) and len(value) > 2
            differs = (
                f"another {name} than in {source}"
                if long
                else f"{name} = {used.get(name)}, {source} says {value}"
            )
            raise InputError(f"{run} was programmed with {differs}: the prediction is not of this run")
    passes = int(file.parameters["passes"].value or 0)
    if passes != prediction.passes:
        raise InputError(
            f"{run} was touched up in {passes} passes, the prediction in {source} is for {prediction.passes}"
        )


def _values(one: Programming, name: str) -> NDArray[Any]:
    return {"pulses": one.pulses, "reads": one.reads, "success": one.inside}[name]


def _rounded(values: ArrayLike) -> tuple[float, ...]:
    return tuple(float(f"{one:.5g}") for one in np.asarray(values, dtype=float))
