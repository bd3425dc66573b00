"""The chip description: arrays, conductance levels, and known bad cells."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from mho.chip_maps.levels import Levels
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ChipMapError
from mho.input_files import read_text
from mho.toml import StrictModel, parse_toml

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]

MOST_LINES, MOST_CELLS = 4096, 1 << 26  # rows or columns of an array, and cells of all arrays together


class LevelMap(StrictModel):
    """The conductance levels of a cell, in S."""

    # Nominal conductance of each digit, ascending; digit 0 is a strong RESET
    conductances: tuple[Positive, ...] = Field(min_length=2, max_length=16)
    tolerance: Positive  # half width of the verify window of the digits above 0
    spread: Positive  # standard deviation of the achieved conductance inside the window: used for forecasts
    zero_range: tuple[NonNegative, Positive]  # lowest and highest conductance expected of digit 0
    zero_limit: Positive  # a cell at digit 0 is verified when it reads below this
    # What a cell at digit 0 is. ``reset``: a formed cell after a RESET; a virgin one is formed and RESET too.
    # ``virgin``: one that was never formed and does not conduct; forecasts take it as 0 S. ``either``: a
    # virgin cell is left as it is, and forecasts count it as a RESET one
    zero: Literal["either", "reset", "virgin"] = "either"

    @model_validator(mode="after")
    def _windows_apart(self) -> LevelMap:
        gaps = [b - a for a, b in zip(self.conductances[1:], self.conductances[2:], strict=False)]
        if any(gap <= 2 * self.tolerance for gap in gaps):
            raise ValueError("the verify windows of neighbouring levels overlap: lower `tolerance`")
        if self.zero_limit >= self.conductances[1] - self.tolerance:
            raise ValueError("`zero_limit` reaches into the window of level 1")
        return self

    @model_validator(mode="after")
    def _sums_of_levels_are_sums_of_digits(self) -> LevelMap:
        step = self.conductances[-1] / (len(self.conductances) - 1)
        for digit, level in enumerate(self.conductances[1:], 1):
            if abs(level - digit * step) > self.tolerance:
                raise ValueError(
                    f"level {digit} is {level:g} S, but {digit} steps of {step:g} S are {digit * step:g} S: "
                    "space the levels evenly, so that currents add up as digits do"
                )
        return self


class ArrayMap(StrictModel):
    """One array of 1T1R cells; rows are bit lines, columns are source lines."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    purpose: Literal["invert", "multiply"]
    rows: int = Field(ge=1, le=MOST_LINES)
    columns: int = Field(ge=1, le=MOST_LINES)
    wire_resistance: NonNegative = Field(description="ohm between neighbouring cells, each line")
    segment: int | None = Field(default=None, ge=1, description="lines are cut after so many cells")
    bias: Literal["cells", "resistors"] = Field(
        default="cells",
        description="what a bias column is made of: cells of one line more, or the board's resistors",
    )
    spare_rows: int = Field(default=0, ge=0, description="the last rows, of each segment; for defective ones")
    spare_columns: int = Field(default=0, ge=0, description="likewise")
    bad_cells: tuple[tuple[int, int], ...] = ()
    bad_rows: tuple[int, ...] = ()
    bad_columns: tuple[int, ...] = ()

    @property
    def stretch(self) -> tuple[int, int]:
        """Rows and columns that a block may span: those of a segment with switches of its own, less the spare ones."""
        rows, columns = (
            min(self.rows, self.segment or self.rows),
            min(self.columns, self.segment or self.columns),
        )
        return rows - self.spare_rows, columns - self.spare_columns

    @property
    def defects(self) -> int:
        """Number of known bad cells and lines."""
        return len(set(self.bad_cells)) + len(set(self.bad_rows)) + len(set(self.bad_columns))

    @model_validator(mode="after")
    def _bad_cells_inside(self) -> ArrayMap:
        for row, column in self.bad_cells:
            if not (0 <= row < self.rows and 0 <= column < self.columns):
                raise ValueError(f"bad cell [{row}, {column}] lies outside {self.rows} x {self.columns}")
        for what, lines, count in (
            ("row", self.bad_rows, self.rows),
            ("column", self.bad_columns, self.columns),
        ):
            for line in lines:
                if not 0 <= line < count:
                    raise ValueError(f"bad {what} {line} lies outside {self.rows} x {self.columns}")
        return self

    @model_validator(mode="after")
    def _not_all_spare(self) -> ArrayMap:
        if min(self.stretch) < 1:
            raise ValueError(
                f"{self.spare_rows} spare rows and {self.spare_columns} spare columns leave no line to use of a "
                f"stretch of {min(self.rows, self.segment or self.rows)} x "
                f"{min(self.columns, self.segment or self.columns)}: give fewer"
            )
        return self


class CellRatings(StrictModel):
    """Ratings of a cell: voltages (V) at its lines, and current (A). Limits above them count as implausible."""

    bit_line: Positive | None = None
    source_line: Positive | None = None
    word_line: Positive | None = None
    current: Positive | None = None


class FormedRatings(StrictModel):
    """Ratings of a cell that has conducted: pulses on it (V) at its lines go no further, unless the bench file insists."""

    bit_line: Positive | None = None
    source_line: Positive | None = None


class CellMap(StrictModel):
    """Properties common to all cells: what they bear, and what they bear once they are formed."""

    bears: CellRatings = CellRatings()
    bears_formed: FormedRatings = FormedRatings()


class ChipMap(StrictModel):
    """A whole chip as its TOML file describes it; made by `load_chip_map`.

    Attributes
    ----------
    name, description : str
    terminals : tuple of str
        What a source can be wired to; without word lines the chip is a passive crossbar.
    levels : LevelMap
        Conductances (S) of the digits, and their windows.
    write_verify : WriteVerifySettings
        Pulses (V, s) that program and form its cells.
    cells : CellMap
        What a cell bears.
    defects : str
        The list of its defects, a file beside it; "" for none.
    arrays : tuple of ArrayMap
        Name, size and purpose of each.

    Raises
    ------
    ChipMapError
        By `array`, for a name that it does not have.

    Examples
    --------
    >>> chip = mho.load_chip_map("reference")
    >>> array = chip.array("multiply")
    >>> array.rows, array.columns, len(chip.levels.conductances)
    (1024, 1024, 8)
    """

    name: str
    description: str = ""
    terminals: tuple[str, ...] = ("bit line", "source line", "word line")
    levels: LevelMap
    write_verify: WriteVerifySettings = WriteVerifySettings()
    cells: CellMap = CellMap()
    defects: str = Field(
        default="", description="the list of defects, beside this file (mho.chip_maps.defects)"
    )
    arrays: tuple[ArrayMap, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _cells_have_two_ends(self) -> ChipMap:
        if missing := {"bit line", "source line"}.difference(self.terminals):
            raise ValueError(
                f"`terminals` lacks the {min(missing)}: every cell lies between a bit line and a source line"
            )
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> ChipMap:
        names = [array.name for array in self.arrays]
        if len(set(names)) != len(names):
            raise ValueError("two arrays have the same name")
        return self

    @model_validator(mode="after")
    def _a_reset_zero_is_told_from_a_virgin_one(self) -> ChipMap:
        if self.levels.zero == "reset" and self.write_verify.formed_above >= self.levels.zero_limit:
            raise ValueError(
                f"a RESET cell at digit 0 reads between `formed_above` ({self.write_verify.formed_above:g} S) and "
                f"`zero_limit` ({self.levels.zero_limit:g} S): lower the first, or raise the second"
            )
        return self

    @model_validator(mode="after")
    def _formed_cells_bear_their_pulses(self) -> ChipMap:
        s, bears = self.write_verify, self.cells.bears_formed
        for line, most, names in (
            ("bit_line", bears.bit_line, ("set_voltage",)),
            ("source_line", bears.source_line, ("reset_full", "reset_fine")),
        ):
            for name in names:
                volts = float(np.max(getattr(s, name)))
                if most is not None and volts > most:
                    raise ValueError(
                        f"`{name}` of write-verify goes up to {volts:g} V, and a formed cell bears {most:g} V "
                        f"(`bears_formed.{line}`): lower it, or raise that if the cells bear more"
                    )
        return self

    @model_validator(mode="after")
    def _no_more_cells_than_memory(self) -> ChipMap:
        cells = sum(array.rows * array.columns for array in self.arrays)
        if cells > MOST_CELLS:
            raise ValueError(f"the arrays have {cells} cells, more than {MOST_CELLS}")
        return self

    @model_validator(mode="after")
    def _a_loop_s_arrays_are_alike(self) -> ChipMap:
        pair = [(array.rows, array.columns) for array in self.arrays_for("invert")[:2]]
        if len(set(pair)) > 1:
            raise ValueError(
                "the first two inverting arrays share rows and columns in a differential loop: give them one size"
            )
        return self

    def array(self, name: str) -> ArrayMap:
        """Return the array called `name`; `ChipMapError` when there is none."""
        for array in self.arrays:
            if array.name == name:
                return array
        known = ", ".join(array.name for array in self.arrays)
        raise ChipMapError(f"chip {self.name!r} has no array {name!r}; it has {known}")

    def arrays_for(self, purpose: Literal["invert", "multiply"]) -> tuple[ArrayMap, ...]:
        """Return the arrays meant for `purpose`, in file order."""
        return tuple(array for array in self.arrays if array.purpose == purpose)

    @property
    def second_slice(self) -> tuple[ArrayMap, ...]:
        """The arrays of an inverting loop's second slice: the third and fourth, if as large as the first two; else none."""
        arrays = self.arrays_for("invert")[:4]
        alike = (
            len(arrays) == 4 and len({(array.rows, array.columns, array.segment) for array in arrays}) == 1
        )
        return arrays[2:] if alike else ()

    def level_scale(self) -> Levels:
        """Return the levels as arrays to compute with."""
        virgin, reset = self.levels.zero == "virgin", self.levels.zero == "reset"
        return Levels.from_values(
            (0.0, *self.levels.conductances[1:]) if virgin else self.levels.conductances,
            tolerance=self.levels.tolerance,
            spread=self.levels.spread,
            zero_range=(0.0, 0.0) if virgin else self.levels.zero_range,
            zero_limit=self.levels.zero_limit,
            zero_floor=self.write_verify.formed_above if reset else None,
        )


def packaged_chip_maps() -> tuple[str, ...]:
    """Return the names of the chip maps that ship with mho."""
    folder = resources.files("mho.chip_maps") / "maps"
    return tuple(sorted(Path(f.name).stem for f in folder.iterdir() if f.name.endswith(".toml")))


def read_chip_text(source: str | Path, relative_to: Path | None = None) -> str:
    """Return the text of a chip map: a packaged name, or the path of a TOML file."""
    known = packaged_chip_maps()
    if str(source) in known:
        return (resources.files("mho.chip_maps") / "maps" / f"{source}.toml").read_text("utf-8")
    path = Path(source)
    if relative_to is not None and not path.is_absolute():
        path = relative_to / path
    advice = f"; name a TOML file or one of: {', '.join(known)}"
    return read_text(path, ChipMapError, f"cannot read chip map {source!s}", advice)


@lru_cache(maxsize=16)
def parse_chip_map(text: str, source: str = "chip map") -> ChipMap:
    """Check a chip map's text and return the chip.

    Raises
    ------
    ChipMapError
        Naming the file, the key, the line and the error.
    """
    return parse_toml(text, ChipMap, source, ChipMapError)


def load_chip_map(source: str | Path) -> ChipMap:
    """Read and check a chip map by packaged name or path.

    Parameters
    ----------
    source : str or path
        A packaged chip map's name, or the path of a TOML file.

    Returns
    -------
    ChipMap

    Raises
    ------
    ChipMapError
        There is no such chip map, it cannot be read, or something in it is wrong: key and value are named.

    Examples
    --------
    >>> mho.load_chip_map("reference").arrays_for("multiply")[0].name
    'multiply'
    """
    return parse_chip_map(read_chip_text(source), f"chip map {source!s}")


def chip_hash(text: str) -> str:
    """Return the SHA-256 of a chip map's text, with which a run file identifies its chip."""
    return hashlib.sha256(text.encode()).hexdigest()


_SECTION = re.compile(r"^\[write_verify\][^\S\n]*(?:#.*)?$", re.MULTILINE)
_NEXT = re.compile(r"^\s*\[", re.MULTILINE)


def with_write_verify(text: str, values: Mapping[str, float], note: str = "") -> str:
    """Return the text of a chip map with these settings of write-verify, in place of its own or added.

    `text`: a chip map; `values`: numbers by the name of the setting, in SI units; `note`: a comment above them.
    Raises `ChipMapError` when `text` is no chip map, a value is not allowed, or its settings are not in a section of
    their own.
    """
    parse_chip_map(text)
    lines = "".join(f"# {line}\n" for line in note.splitlines())
    lines += "".join(f"{name} = {_number(value)}\n" for name, value in values.items())
    section = _SECTION.search(text)
    if section is None:
        changed = f"{text.rstrip()}\n\n[write_verify]\n{lines}"
    else:
        start = section.end() + 1
        following = _NEXT.search(text, start)
        end = len(text) if following is None else following.start()
        old = re.compile(rf"^[^\S\n]*(?:{'|'.join(values)})[^\S\n]*=.*\n?", re.MULTILINE)
        changed = f"{text[: section.end()]}\n{lines}{old.sub('', text[start:end])}{text[end:]}"
    try:
        settings = parse_chip_map(changed, "the new chip map").write_verify
        taken = all(getattr(settings, name) == float(_number(value)) for name, value in values.items())
    except ChipMapError as error:
        raise ChipMapError(f"{error}; write by hand into [write_verify]: {lines.strip()}") from None
    if not taken:
        raise ChipMapError(
            f"this chip map's settings are not lines of a section [write_verify]; write by hand: {lines.strip()}"
        )
    return changed


def _number(value: float) -> str:
    return repr(float(f"{value:.4g}"))
