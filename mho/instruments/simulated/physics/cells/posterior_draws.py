"""Cells drawn from what is known of them: the section ``[posterior]`` of a preset file.

    [posterior]
    parameters = ["gate_threshold", "gate_spread"]
    mean = [1.55, 0.032]                         # the parameters' own values where left out
    covariance = [[1e-4, 0.0], [0.0, 4e-6]]      # or, instead,
    interval_low = [1.53, 0.029]                 # 95 %, and
    interval_high = [1.57, 0.037]
    correlation = [[1.0, 0.3], [0.3, 1.0]]       # where left out, none

Draws are normal; of an interval that is wider on one side, that side is. A draw beyond a parameter's bounds is drawn again.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.errors import BenchError
from mho.instruments.simulated.physics.cells.presets import cell_preset, preset_text
from mho.toml import load_toml

WITHIN = 1.959964  # deviations that 95 % lie within
TRIES = 100


class PosteriorDraws:
    """Draws of a preset; without a posterior every one is the preset itself.

    `source`: as of `cell_preset`; `names` are the parameters that are drawn.
    `BenchError` for a preset or a posterior that cannot be used.
    """

    def __init__(self, source: str) -> None:
        self.preset, self._source = cell_preset(source), source
        section = _section(source)
        self.names: tuple[str, ...] = tuple(self._listed(section)) if section else ()
        if not self.names:
            return
        bounds = {one.name: one.metadata for one in fields(self.preset) if one.metadata}
        for name in self.names:
            if name not in bounds:
                near = difflib.get_close_matches(str(name), bounds, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise self._error(f"cells have no parameter {name!r}{hint}")
        self._limits = np.array([[bounds[name]["low"], bounds[name]["high"]] for name in self.names])
        own = [getattr(self.preset, name) for name in self.names]
        self._mean = self._array(section, "mean", (len(self.names),)) if "mean" in section else np.array(own)
        self._below, self._above, self._root = self._spread(section)

    def text(self, seed: int) -> str:
        """Return a preset for `ArrayBench`: the preset's own source, or the text of a draw."""
        if not self.names:
            return self._source
        rng = np.random.default_rng(seed)
        for _ in range(TRIES):
            z = self._root @ rng.standard_normal(len(self.names))
            drawn = self._mean + z * np.where(z < 0.0, self._below, self._above)
            if np.all((drawn >= self._limits[:, 0]) & (drawn <= self._limits[:, 1])):
                break
        else:
            drawn = np.clip(drawn, *self._limits.T)
        return preset_text(replace(self.preset, **dict(zip(self.names, drawn.tolist(), strict=True))))

    def _error(self, what: str) -> BenchError:
        return BenchError(f"{_named(self._source)}: posterior: {what}")

    def _listed(self, section: Mapping[str, Any]) -> list[str]:
        given = section.get("parameters")
        if given == [] and "no_interval" in section:  # no parameter of it is known well enough
            return []
        if not isinstance(given, list) or not given:
            raise self._error("`parameters` must list the names of what is known")
        return given

    def _spread(self, section: Mapping[str, Any]) -> tuple[Floats, Floats, Floats]:
        """Return the deviations below and above the mean, and a root of the correlation."""
        count = len(self.names)
        if "covariance" in section:
            covariance = self._array(section, "covariance", (count, count))
            deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
            scale = np.where(deviation > 0.0, deviation, 1.0)
            return deviation, deviation, self._rooted(covariance / np.outer(scale, scale), "covariance")
        if not {"interval_low", "interval_high"} <= set(section):
            raise self._error(
                "give `covariance`, or `interval_low` and `interval_high` with or without `correlation`"
            )
        low, high = (self._array(section, name, (count,)) for name in ("interval_low", "interval_high"))
        if not np.all((low <= self._mean) & (self._mean <= high)):
            worst = self.names[int(np.argmin((low <= self._mean) & (self._mean <= high)))]
            raise self._error(f"the interval of {worst} does not hold its mean")
        correlation = (
            self._array(section, "correlation", (count, count)) if "correlation" in section else np.eye(count)
        )
        return (
            (self._mean - low) / WITHIN,
            (high - self._mean) / WITHIN,
            self._rooted(correlation, "correlation"),
        )

    def _rooted(self, matrix: Floats, name: str) -> Floats:
        """Return a root of a symmetric matrix without negative eigenvalues."""
        if not np.allclose(matrix, matrix.T, atol=1e-6):
            raise self._error(f"`{name}` is not symmetric")
        values, vectors = np.linalg.eigh(matrix)
        if values[0] < -1e-6 * max(values[-1], 1.0):
            raise self._error(f"`{name}` has a negative eigenvalue: no distribution has it")
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))

    def _array(self, section: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Floats:
        given = section[name]
        if isinstance(given, dict):  # by parameter
            given = [given.get(one) for one in self.names]
        try:
            values = np.array(given, dtype=float)
        except (TypeError, ValueError):
            values = np.full(0, np.nan)
        if values.shape != shape or not np.all(np.isfinite(values)):
            shape_text = " x ".join(str(one) for one in shape)
            raise self._error(f"`{name}` must be {shape_text} numbers, for {', '.join(self.names)}")
        return values


def _section(source: str) -> Mapping[str, Any]:
    """Return the section of a preset file, or of its text; empty where there is none."""
    if "\n" not in source and not source.endswith(".toml"):
        return {}
    text = source if "\n" in source else Path(source).read_text("utf-8")
    section = load_toml(text, _named(source), BenchError).get("posterior", {})
    return section if isinstance(section, dict) else {}


def _named(source: str) -> str:
    return "the preset file" if "\n" in source else f"preset file {source}"
