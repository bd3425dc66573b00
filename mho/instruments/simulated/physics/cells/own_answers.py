"""Answers of laws that a user brings: how a law is asked, and what its answers are held to.

An answer that is not finite, of another shape or out of its range is an `OwnLawError`, which names law, method, value and
cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np

from mho.array_types import Floats
from mho.errors import InstrumentError, MhoError
from mho.foreign_arrays import is_masked_array
from mho.instruments.simulated.physics.cells.own_laws import DeviceSpread, ReadNoise

MOST = 1e-2  # S: no cell conducts more where its law does not say its own `maximum`
DEVICE_NAMES = ("set_factor", "set_threshold", "reset_deviate", "gate_shift")

Values = Any  # numpy scalar or array


class OwnLawError(InstrumentError):
    """A law of a user's own gave an answer that no cell can have; `number` is that of the cell among those asked of."""

    def __init__(self, begin: str, end: str = "", number: int | None = None) -> None:
        super().__init__(f"{begin}{end}")
        self.begin, self.end, self.number = begin, end, number

    def at(self, cell: str) -> OwnLawError:
        """Return the same error with the name of its cell."""
        return OwnLawError(f"{self.begin} for cell {cell}", self.end)


def ask(
    law: object, method: str, like: Values, *others: Values, unit: str, low: float, high: float,
    rest: Sequence[Any] = (), where: Values = True,
) -> Values:  # fmt: skip
    """Return what a law answers for cells; a number for one cell.

    Parameters
    ----------
    like : number or array
        What the method is asked with first; the answer has its shape, and it is the answer beside `where`.
    others : numbers, arrays or mappings of these
        Further arguments, one value a cell.
    unit, low, high : str, float, float
        What each value must be: finite, from `low` to `high`.
    rest : sequence
        Arguments that are not by cell.
    where : mask
        The cells that are asked of.

    Raises
    ------
    OwnLawError
        The method raised an error, or its answer is none.
    """
    shape = np.shape(like)
    result = np.array(like, np.float64).reshape(-1)
    asked = np.broadcast_to(where, shape).reshape(-1)
    if not asked.any():
        return result.reshape(shape)[()]

    def flat(value: Values) -> Any:
        if isinstance(value, Mapping):
            return {name: flat(one) for name, one in value.items()}
        return np.broadcast_to(np.asarray(value, np.float64), shape).reshape(-1)[asked]

    name = f"the cells' own {type(law).__qualname__}.{method}"
    given = result[asked]
    try:
        said = getattr(law, method)(given.copy(), *map(flat, others), *rest)
        answer = np.asarray(said)
    except MhoError:
        raise
    except Exception as error:  # a law of a user's own may raise anything
        raise OwnLawError(f"{name} raised {type(error).__name__}: {error}") from error
    if said is None or is_masked_array(said):
        what = "None" if said is None else "a masked array, which hides values"
        raise OwnLawError(f"{name} returned {what}; it must return floats of shape {given.shape}")
    if answer.shape != given.shape or answer.dtype.kind not in "fiu":
        raise OwnLawError(
            f"{name} returned {answer.dtype} of shape {answer.shape} for {given.size} cells; it must return floats of "
            f"shape {given.shape}"
        )
    # A NaN is wrong, too; what relaxed beyond `high` may stay there.
    wrong = ~((answer >= low) & (answer <= np.maximum(high, given)))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise OwnLawError(
            f"{name} returned {answer[first]:g} {unit}",
            f", with {given[first]:g} S; it must lie between {low:g} and {high:g} {unit}",
            int(np.flatnonzero(asked)[first]),
        )
    result[asked] = answer
    return result.reshape(shape)[()]


def most_of(law: object) -> float:
    """Return the largest conductance (S) that a switching law may return."""
    return float(getattr(law, "maximum", MOST))


def own_devices(law: DeviceSpread, shape: tuple[int, ...], rng: np.random.Generator) -> dict[str, Floats]:
    """Return what a law of a user's own draws of devices; `OwnLawError` for what is no array of `shape`."""
    name = f"the cells' own {type(law).__qualname__}.draw_devices"
    try:
        drawn = law.draw_devices(shape, rng)
    except Exception as error:
        raise OwnLawError(f"{name} raised {type(error).__name__}: {error}") from error
    if not isinstance(drawn, Mapping):
        said = "None" if drawn is None else f"a {type(drawn).__name__}"
        raise OwnLawError(f"{name} returned {said}; it must return arrays of shape {shape} by name, a dict")
    devices = {}
    for what, values in drawn.items():
        array = np.asarray(values)
        if array.shape != shape or array.dtype.kind not in "fiu":
            raise OwnLawError(
                f"{name} returned {what!r} of shape {array.shape}; it must be floats of shape {shape}"
            )
        if not np.isfinite(array).all():
            raise OwnLawError(
                f"{name} returned {array[~np.isfinite(array)][0]} as {what!r}; it must be finite"
            )
        devices[str(what)] = array.astype(np.float64)
    return devices


class OwnNoise:
    """The noise of cells by a law of a user's own, in the place of `noise.CellNoise`: it remembers nothing."""

    def __init__(self, law: ReadNoise, shape: tuple[int, int], rng: np.random.Generator) -> None:
        self._law, self._shape, self._rng = law, shape, rng

    def extend(self, lots: Sequence[Any]) -> None:
        """Append the cells of `lots`."""
        self._shape = (self._shape[0] + sum(lot._shape[0] for lot in lots), self._shape[1])

    def taken(self, rows: Any, rng: np.random.Generator, apart: float) -> Self:
        """Return the noise of the cells of some rows, as `CellArray.taken`."""
        some = copy(self)
        some._rng, some._shape = rng, (len(np.arange(self._shape[0])[rows]), self._shape[1])
        return some

    def put(self, rows: Any, some: Any) -> None:
        """Return the noise of cells that was `taken`."""

    def postpone(self, index: Any, begun: float, early: Values, late: Values) -> None:
        """Shift the stored times of the cells, of which there are none."""

    def average(self, index: Any, conductance: Values, now: float, aperture: float) -> Values:
        """Mean deviation (relative) of cells at `conductance` (S) over `aperture` seconds."""
        return self._ask("deviation", conductance, -1.0, aperture, self._rng)

    def for_batch(
        self, index: Any, conductance: Values, now: float, window: float, shot: float,
        rng: np.random.Generator | None = None,
    ) -> tuple[Values, Values]:  # fmt: skip
        """Relative deviation that is constant for `window` seconds, which is none, and the `fast_variance`."""
        return np.zeros(np.shape(conductance)), self.fast_variance(index, conductance, window, shot)

    def fast_variance(self, index: Any, conductance: Values, window: float, shot: float) -> Values:
        """Relative variance of a mean over `shot` seconds."""
        return self._ask("variance", conductance, 0.0, shot)

    LIMIT: ClassVar[float] = 1e3  # of a relative deviation

    def _ask(self, method: str, conductance: Values, low: float, *rest: Any) -> Values:
        zeros = np.asarray(conductance)
        return ask(self._law, method, zeros, unit="(relative)", low=low, high=self.LIMIT, rest=rest)
