"""A signed matrix on the inverting array: bias column or two arrays, with or without a diagonal in resistors.

The inverting loop holds one rounded digit per entry and need only be approximate, A0 ~ A. Its error determines the
convergence, so every encoding is forecast from the expected errors and the best one is used.

Bias column (Zuo 2025): A = A+ - m j j^T. One extra row and column whose amplifier outputs minus the sum
of the outputs; the extra row is at the top digit throughout, the extra column holds m.
Bias resistors: the same with m in resistors outside the array, as all its entries are alike: no line of cells is taken, and
m need be no digit.
Differential (Sun 2019, PNAS 116:4123): A = A+ - A-, the second array driven through inverters.
Diagonal: A = n I + B with n I in resistors outside the array, so that the digits resolve B alone.

Forecast are the contraction of the refinement, and the stability of the loop.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.chip_maps.levels import Levels
from mho.errors import ChipMapError, ConvergenceError, InputError, MhoError

POLE_RATIO = 4.0  # unity-gain frequency over second pole, amplifier and row; the reference board has about 2


def contraction(matrix: Floats, inverse_of: Floats) -> Floats:
    """Return the spectral radius of I - A A0^-1, the factor by which a cycle reduces the error.

    Refinement converges exactly when it is below 1 (Zuo 2025, Methods). `matrix` (n, n): A, as the multiplying array
    holds it. `inverse_of` (..., n, n): A0, as the inverting array achieved it; leading axes are draws. Returns (...)
    array; infinite where A0 is singular.
    """
    draws = inverse_of.shape[:-2]
    with np.errstate(all="ignore"):
        try:
            product = np.linalg.solve(np.swapaxes(inverse_of, -1, -2), np.swapaxes(matrix, -1, -2))
        except np.linalg.LinAlgError:  # at least one draw is singular: evaluate each separately
            if not draws:
                return np.asarray(np.inf)
            return np.array([contraction(matrix, one) for one in inverse_of])
    iteration = np.eye(len(matrix)) - np.swapaxes(product, -1, -2)
    finite = np.isfinite(iteration).all(axis=(-2, -1))
    rho = np.full(draws, np.inf)
    rho[finite] = np.abs(np.linalg.eigvals(iteration[finite])).max(axis=-1)
    return rho


def loop_eigenvalues(network: Floats, row_load: Floats) -> NDArray[Any]:
    """Return the eigenvalues of D^-1 G, which determine settling (dx/dt = -w_u D^-1 (G x + i)).

    `network` (..., n, n): G, signed: the current (S per volt of output) into each amplifier's input; `row_load` (...,
    n): D, the sum of all conductances on each row, S. Returns (..., n), complex where some are.
    """
    return np.asarray(np.linalg.eigvals(network / row_load[..., None]))


def slowest_eigenvalue(eigenvalues: NDArray[Any]) -> complex:
    """Return a loop's eigenvalue with the smallest real part; unless it is positive, the loop rails."""
    return complex(eigenvalues[np.argmin(eigenvalues.real)])


def damping(eigenvalues: NDArray[Any], ratio: float = POLE_RATIO) -> Floats:
    """Return the least Re l - ratio (Im l)^2 over a loop's eigenvalues l (..., n); unless positive, the loop may oscillate.

    An amplifier with a second pole w_2 turns each eigenvalue into s (1 + s / w_2) + w_u l = 0, whose roots lie in the
    left half plane exactly when Re l > (w_u / w_2) (Im l)^2.
    """
    return np.asarray((eigenvalues.real - ratio * eigenvalues.imag**2).min(axis=-1))


Kind = Literal["bias", "differential", "bias resistors"]

KINDS: tuple[Kind, ...] = ("bias", "differential")
"""What can be asked for; a bias column is of resistors where the board has them (`ArrayMap.bias`)."""
NAMES: dict[Kind, str] = {
    "bias": "bias column",
    "differential": "differential",
    "bias resistors": "bias column in resistors",
}
DIAGONAL_SHARES = (0.0, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2)  # fractions of the mean diagonal of A
SATURATIONS = (1.0, 1.04, 1.07)  # largest entry in units of the top digit: up to 7.49 still rounds to 7
SCREENING, DRAWS = 8, 48  # draws of cell errors: for every encoding, and for the finalists of each name
LOOPS = 16  # of the latter, how many loops are tried for stability
SURE = 0.9  # share of the tried loops that must settle
FINALISTS = 2
AT_ONCE = 2**18  # drawn conductances of encodings that are forecast together: 2 MB per array

SMALLEST_REST = 2.0**-4
"""Share f of the diagonal in resistors down to which what the cells hold beside it is spread over all digits.

Resistors 1/f as large as the top digit leave outputs of about f volts: the converters' 0.2 mV then err by 2e-4 / f, the
cells by 0.02 f sqrt(n) (a spread of 0.65 uS in 35). Both together are least at f of 0.1 to 0.05 for n of 1 to 32.
"""


@dataclass(frozen=True)
class InverseEncoding:
    """Digits of the inverting array(s) and their meaning.

    Attributes
    ----------
    kind : str
        Representation of signs: "differential", "bias" or "bias resistors".
    size : int
        n, the order of A.
    positive : (k, k) array of int
        Digits of the first array; k = n + 1 with a bias column, else n.
    negative : (k, k) array of int, or None
        Digits of the second array, behind inverters; None when no entry needs it.
    unit : float
        Value of one digit in A.
    diagonal : float
        n of n I, the value of the resistors in A; 0 without resistors.
    bias : float
        m of m j j^T in resistors, in A; 0 without them.
    made_by : str
        The class of a user's own that made it.

    Examples
    --------
    >>> held = mho.InverseEncoding("differential", 2, np.eye(2, dtype=int), None, unit=0.5, diagonal=0.0)
    >>> held.name, held.order
    ('unsigned', 2)
    """

    kind: Kind
    size: int
    positive: Integers
    negative: Integers | None
    unit: float
    diagonal: float
    bias: float = 0.0
    made_by: str = ""

    @property
    def name(self) -> str:
        """The encoding in words, for messages and run files."""
        return f"{self.made_by}, {self._how}" if self.made_by else self._how

    @property
    def _how(self) -> str:
        unsigned = self.kind == "differential" and self.negative is None
        signs = "unsigned" if unsigned else NAMES[self.kind]
        return signs + (" + diagonal in resistors" if self.diagonal else "")

    @property
    def order(self) -> int:
        """k, the number of rows, columns and amplifiers of the loop."""
        return len(self.positive)

    def diagonal_conductance(self, step: float) -> float:
        """Return the conductance (S) of each diagonal resistor when one digit is `step` (S)."""
        return self.diagonal / self.unit * step

    def bias_conductance(self, step: float) -> float:
        """Return the conductance (S) of each bias resistor when one digit is `step` (S)."""
        return self.bias / self.unit * step

    def unrounded(self, matrix: Floats) -> tuple[Floats, Floats | None]:
        """Return the digits (k, k) of both arrays before they are rounded, for the `matrix` (n, n) that is held.

        What no digit can be rounded from is left out: entries below 0 where there is no second array for them.
        """
        n = self.size
        digits = (matrix - self.diagonal * np.eye(n) + self.bias) / self.unit
        if self.kind == "bias":
            positive = self.positive.astype(np.float64)
            positive[:n, :n] = np.maximum(digits + self.positive[:n, n:], 0.0)
            return positive, None
        return np.maximum(digits, 0.0), None if self.negative is None else np.maximum(-digits, 0.0)

    def network(
        self, positive: Floats, negative: Floats | None, diagonal: float | Floats, bias: float | Floats = 0.0
    ) -> Floats:
        """Return signed conductances (..., k, k), S: current into each amplifier per volt of each output.

        `diagonal` and `bias` (S), those of the resistors, are one number, or (..., 1).
        """
        g = positive - negative if negative is not None else positive.copy()
        g -= np.asarray(bias)[..., None]
        index = np.arange(self.size)
        g[..., index, index] += diagonal
        return g

    def row_load(
        self, positive: Floats, negative: Floats | None, diagonal: float | Floats, input_conductance: float,
        bias: float | Floats = 0.0,
    ) -> Floats:  # fmt: skip
        """Return the sum of all conductances on each row, (..., k), S: the D of the loop's dynamics."""
        load = positive.sum(axis=-1) + input_conductance
        if negative is not None:
            load = load + negative.sum(axis=-1)
        load[..., : self.size] += diagonal + np.asarray(bias)
        return np.asarray(load)

    def represented(self, network: Floats, step: float) -> Floats:
        """Return the matrix A0 (..., n, n), in A's units, whose inverse the loop computes."""
        return self.reduced(network) * (self.unit / step)

    def reduced(self, network: Floats) -> Floats:
        """Return the network (..., n, n), S, with the bias column eliminated."""
        if self.kind != "bias":
            return network
        n = self.size
        column, row, corner = network[..., :n, n:], network[..., n:, :n], network[..., n:, n:]
        return network[..., :n, :n] - column @ row / corner


@dataclass(frozen=True)
class EncodingForecast:
    """An encoding and its forecast."""

    encoding: InverseEncoding
    # Median contraction over draws of the expected cell errors; infinite where the loop is not stable
    rho: float
    slowest: complex  # worst eigenvalue of D^-1 G over the nominal network: the loop is stable when Re > 0
    # Of the same network: above 0 the loop also settles with amplifiers that have a second pole
    damping: float
    # Share of loops with drawn cell errors that settle with such amplifiers; 1 where none was tried
    settling: float
    shift: float  # s, where the loop holds A + s I, in A's units: its inverse then only resembles that of A

    @property
    def stable(self) -> bool:
        """Whether the loop settles at all."""
        return self.slowest.real > 0.0

    @property
    def damped(self) -> bool:
        """Whether it is forecast to settle with real amplifiers, as designed and with the errors of its cells."""
        return self.damping > 0.0 and self.settling >= SURE


def _bias(rest: Floats, diagonal: float, saturation: float, top: int) -> InverseEncoding | None:
    n = len(rest)
    lowest, highest = float(-rest.min()), float(rest.max())
    if lowest <= 0.0 or top < 2:
        # Without negative entries the differential encoding without a second array is the same. With two levels per
        # cell there is no digit between the shift and the top.
        return None
    shifts = np.arange(1, top)
    units = np.maximum(max(highest, 0.0) / (top * saturation - shifts), lowest / shifts)
    best = int(np.argmin(units))
    unit, shift = max(float(units[best]), SMALLEST_REST * abs(diagonal) / top), int(shifts[best])
    positive = np.full((n + 1, n + 1), top, dtype=np.int64)
    positive[:n, :n] = np.clip(np.rint(rest / unit) + shift, 0, top)
    positive[:n, n] = shift
    return InverseEncoding("bias", n, positive, None, unit, diagonal)


def _bias_resistors(rest: Floats, diagonal: float, saturation: float, top: int) -> InverseEncoding | None:
    shift = float(-rest.min())
    if shift <= 0.0:  # the differential encoding without a second array is the same
        return None
    unit = max((float(rest.max()) + shift) / (top * saturation), SMALLEST_REST * abs(diagonal) / top)
    if unit == 0.0:
        return None
    digits = np.clip(np.rint((rest + shift) / unit), 0, top).astype(np.int64)
    return InverseEncoding("bias resistors", len(rest), digits, None, unit, diagonal, shift)


def _differential(rest: Floats, diagonal: float, saturation: float, top: int) -> InverseEncoding | None:
    # Where the resistors hold the whole matrix the array stays at zero.
    peak = float(np.abs(rest).max()) or abs(diagonal)
    unit = max(peak / (top * saturation), SMALLEST_REST * abs(diagonal) / top)
    digits = np.clip(np.rint(rest / unit), -top, top).astype(np.int64)
    negative = np.maximum(-digits, 0)
    return InverseEncoding(
        "differential", len(rest), np.maximum(digits, 0), negative if negative.any() else None, unit, diagonal
    )


_BUILD = {"bias": _bias, "differential": _differential, "bias resistors": _bias_resistors}
"""Ways to hold what the resistors leave of the matrix (n, n): their diagonal, the saturation, and the top digit."""


class Encoding(Protocol):
    """An encoding of one's own of a signed matrix on the inverting array: how entries become digits.

    Its name stands where an encoding's does: ``encoding="mine.py:Rounded"``, or the class itself. What it returns is
    forecast as mho's own encodings are, and the best that is expected to settle is used.

    Examples
    --------
    >>> class Rounded:
    ...     def encode(self, matrix, top):
    ...         unit = np.abs(matrix).max() / top
    ...         digits = np.rint(matrix / unit).astype(int)
    ...         yield mho.InverseEncoding("differential", len(matrix), digits.clip(0), (-digits).clip(0), unit, 0.0)
    >>> next(Rounded().encode(np.eye(2), 7)).positive.tolist()
    [[7, 0], [0, 7]]
    """

    def encode(self, matrix: Floats, top: int) -> Iterable[InverseEncoding]:
        """Return the encodings to consider.

        Parameters
        ----------
        matrix : (n, n) array
            What the loop is to invert, scaled, reordered and shifted as is tried.
        top : int
            The largest digit of a cell; the least is 0.
        """
        ...


def own_encodings(own: type[Encoding], matrix: Floats, top: int) -> Iterator[InverseEncoding]:
    """Yield the encodings that a class of a user's own makes of a matrix (n, n), checked.

    Raises `InputError` for what no loop could hold: it names the class and what is wrong.
    """
    name = own.__name__

    def error(what: str) -> InputError:
        return InputError(f"the encoding {name} cannot be used: {what}")

    try:
        made = list(own().encode(matrix.copy(), top))
    except (TypeError, ValueError, AttributeError) as fault:
        if isinstance(fault, MhoError):
            raise
        raise error(f"its encode(matrix, top) failed ({type(fault).__name__}: {fault})") from fault
    for one in made:
        if not isinstance(one, InverseEncoding):
            raise error(f"it returned {type(one).__name__}; return mho.InverseEncoding")
        n = len(matrix)
        lines = n + (one.kind == "bias")
        for what, digits in (("positive", one.positive), ("negative", one.negative)):
            if digits is None:
                if what == "positive":
                    raise error("its positive digits are None")
                continue
            if np.shape(digits) != (lines, lines):
                raise error(f"its {what} digits have the shape {np.shape(digits)}; give ({lines}, {lines})")
            if digits.dtype.kind not in "iu" or digits.min() < 0 or digits.max() > top:
                raise error(f"its {what} digits must be whole numbers from 0 to {top}")
        if not (math.isfinite(one.unit) and one.unit > 0.0):
            raise error(f"its unit, the value of one digit, is {one.unit}; it must be above 0")
        if not (
            math.isfinite(one.diagonal) and math.isfinite(one.bias) and min(one.diagonal, one.bias) >= 0.0
        ):
            raise error(f"its resistors hold {one.diagonal} and {one.bias}; no resistor is below 0")
        yield replace(one, size=n, made_by=name)


def candidates(
    matrix: Floats, levels: Levels, kinds: Sequence[Kind] = KINDS, diagonal: bool = True
) -> Iterator[InverseEncoding]:
    """Return all encodings to forecast: each kind, with a range of n and of scale."""
    mean = float(np.trace(matrix)) / len(matrix)
    shares = DIAGONAL_SHARES if diagonal and mean > 0.0 else (0.0,)
    rests = [matrix - share * mean * np.eye(len(matrix)) for share in shares]
    for kind in kinds:
        for share, rest in zip(shares, rests, strict=True):
            for saturation in SATURATIONS:
                encoding = _BUILD[kind](rest, share * mean, saturation, levels.top)
                if encoding is not None:
                    yield encoding


def assess(
    encodings: Iterable[InverseEncoding], matrix: Floats, levels: Levels, rng: np.random.Generator, *,
    input_conductance: float, draws: int = DRAWS, loops: int = 0, shift: float = 0.0,
) -> list[EncodingForecast]:  # fmt: skip
    """Forecast encodings: contraction from drawn cell errors, stability of the nominal loop and of `loops` drawn ones."""
    alike: dict[tuple[Kind, bool], list[InverseEncoding]] = {}
    for encoding in encodings:
        alike.setdefault((encoding.kind, encoding.negative is None), []).append(encoding)
    assessed: list[EncodingForecast] = []
    for group in alike.values():
        together = max(AT_ONCE // (draws * group[0].order ** 2), 1)
        for start in range(0, len(group), together):
            part = group[start : start + together]
            assessed.extend(_assess_alike(part, matrix, levels, rng, input_conductance, draws, loops, shift))
    return assessed


def _assess_alike(
    encodings: Sequence[InverseEncoding], matrix: Floats, levels: Levels, rng: np.random.Generator,
    input_conductance: float, draws: int, loops: int, shift: float,
) -> Iterator[EncodingForecast]:  # fmt: skip
    """Forecast encodings of one kind and shape in one array operation each, the encodings along the axis -3."""
    one, step = encodings[0], levels.step
    positive = np.stack([encoding.positive for encoding in encodings])
    negatives = [encoding.negative for encoding in encodings if encoding.negative is not None]
    negative = np.stack(negatives) if negatives else None
    units = np.array([encoding.unit for encoding in encodings])[:, None, None]
    diagonal = np.array([encoding.diagonal_conductance(step) for encoding in encodings])[:, None]
    bias = np.array([encoding.bias_conductance(step) for encoding in encodings])[:, None]
    drawn = levels.draw(positive, draws, rng)
    drawn_negative = None if negative is None else levels.draw(negative, draws, rng)
    networks = one.network(drawn, drawn_negative, diagonal, bias)
    nominal = levels.conductance(positive)
    nominal_negative = None if negative is None else levels.conductance(negative)
    eigenvalues = loop_eigenvalues(
        one.network(nominal, nominal_negative, diagonal, bias),
        one.row_load(nominal, nominal_negative, diagonal, input_conductance, bias),
    )
    stable = eigenvalues.real.min(axis=-1) > 0.0
    rho = np.full(len(encodings), np.inf)
    if stable.any():
        represented = (one.reduced(networks) * (units / step))[:, stable]
        # The median, without the masked arrays of NumPy that its own loads
        middle = np.sort(contraction(matrix, represented), axis=0)[(draws - 1) // 2 : draws // 2 + 1]
        rho[stable] = middle.sum(axis=0) / len(middle)
    settling = np.ones(len(encodings))
    if loops:
        loads = one.row_load(drawn, drawn_negative, diagonal, input_conductance, bias)
        settling = (damping(loop_eigenvalues(networks[:loops], loads[:loops])) > 0.0).mean(axis=0)
    for encoding, contracts, settles, share in zip(
        encodings, rho.tolist(), eigenvalues, settling.tolist(), strict=True
    ):
        yield EncodingForecast(
            encoding, contracts, slowest_eigenvalue(settles), float(damping(settles)), share, shift
        )


def choose_encoding(
    matrix: Floats, levels: Levels, rng: np.random.Generator, *, input_conductance: float,
    kinds: Sequence[Kind] = KINDS, diagonal: bool = True, arrays: int = 2, shift: float = 0.0,
    own: type[Encoding] | None = None, room: int | None = None,
) -> tuple[EncodingForecast, tuple[EncodingForecast, ...]]:  # fmt: skip
    """Forecast every encoding and return the stable one with the smallest rho, and the best of each name.

    One that may oscillate with real amplifiers ranks after all others. With one of `arrays` only, encodings that need
    a second are left out, as those of more lines than there is `room` for. Those that a class of a user's `own` makes are
    considered alone. A few draws select the finalists, which are then forecast with all draws. `matrix` (n, n):
    A; `shift`: s, in A's units: the loop is to hold A + s I, where that of A itself would be unstable. Raises
    `ConvergenceError` when no encoding gives a stable loop, naming the unstable eigenvalue.
    """

    forecast = partial(
        assess, matrix=matrix, levels=levels, rng=rng, input_conductance=input_conductance, shift=shift
    )
    shifted = matrix + shift * np.eye(len(matrix))
    made = (
        candidates(shifted, levels, kinds, diagonal)
        if own is None
        else own_encodings(own, shifted, levels.top)
    )
    fitting = [
        one
        for one in made
        if (arrays > 1 or one.negative is None) and (room is None or one.order <= room) and one.kind in kinds
    ]
    assessed = forecast(fitting, draws=SCREENING)
    if not assessed and own is not None:
        raise ChipMapError(
            f"{own.__name__} made no encoding of the {len(matrix)} x {len(matrix)} matrix that fits: there is room for "
            f"{' or '.join(kinds)} on {arrays} inverting arrays of {room} lines"
        )
    if not assessed:
        raise ConvergenceError(
            "the bias column serves neither a matrix without negative entries nor cells of two levels: use the "
            "differential encoding"
        )
    stable = [candidate for candidate in assessed if candidate.stable]
    if not stable:
        nearest = max(assessed, key=lambda candidate: candidate.slowest.real)
        raise ConvergenceError(
            f"the INV circuit would be unstable for this matrix: eigenvalue {nearest.slowest:.4g} of D^-1 G has no "
            f"positive real part (best of {len(assessed)} encodings, {nearest.encoding.name}); "
            "rows in another order or negated may bring the eigenvalues of A into the right half plane"
        )
    finalists = _best_of_each_name(stable, FINALISTS)
    ranked = _best_of_each_name(forecast((one.encoding for one in finalists), draws=DRAWS, loops=LOOPS), 1)
    return ranked[0], ranked


def _best_of_each_name(assessed: Iterable[EncodingForecast], count: int) -> tuple[EncodingForecast, ...]:
    """Return the best `count` of each name, best first; encodings that may oscillate come last."""
    taken: Counter[str] = Counter()
    best = []
    for candidate in sorted(assessed, key=lambda candidate: (not candidate.damped, candidate.rho)):
        taken[candidate.encoding.name] += 1
        if taken[candidate.encoding.name] <= count:
            best.append(candidate)
    return tuple(best)
