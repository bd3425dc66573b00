"""Figures of this field beside stored pictures of them: a curve that is missing, moved or of another colour is seen.

Fonts and antialiasing differ from one Matplotlib to the next, so both pictures are blurred before they are compared, and
what is drawn is held to its description in words and numbers as well. Run as a script, this module makes the stored
pictures and descriptions anew: look at them before they are committed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daily import daily
from matplotlib import image as pictures
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "support"))

from figure_samples import write_samples  # noqa: E402

from mho.analysis.figures.drawing import compose  # noqa: E402
from mho.analysis.figures.marks import Drawing, Mark  # noqa: E402
from mho.analysis.figures.sheet import draw_drawing  # noqa: E402
from mho.analysis.figures.values.figure_reading import gather  # noqa: E402
from mho.runs import RunFile  # noqa: E402

REFERENCES = HERE / "references"
DESCRIPTIONS = REFERENCES / "drawings.json"
SIZE, DOTS = (3.35, 2.6), 72  # a column of a journal, 85 mm
BLUR = 3.0  # pixels: more than fonts and antialiasing move anything, less than a curve is from the next
DIFFERENT = 0.05  # of black to white
FEW = 0.004  # share of pixels
LARGEST = 30_000  # bytes

NAMES = (
    "current_voltage", "set_voltage", "retention", "spectra", "bit_error_rate", "convergence", "levels",
    "level_shares", "confusion", "inside", "pulses_by_level", "errors", "error_correlation",
)  # fmt: skip
"""What is compared; all of the samples' figures but the histogram of pulses."""


def drawings(path: Path) -> dict[str, Drawing]:
    """Return what is drawn of each figure of a run."""
    with RunFile(path) as run:
        return {figure.name: compose(figure, [gather(run, figure)]) for figure in run.figures}


def rendered(drawing: Drawing) -> NDArray[np.float64]:
    """Return the picture (height, width, 3) of a drawing, from 0 to 1."""
    sheet = draw_drawing(drawing, SIZE, DOTS)
    sheet.canvas.draw()
    return np.asarray(sheet.canvas.buffer_rgba(), dtype=float)[:, :, :3] / 255.0


def difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the share of the pixels that differ after both pictures are blurred."""
    blurred = (gaussian_filter(picture, (BLUR, BLUR, 0.0)) for picture in (one, other))
    first, second = blurred
    return float((np.abs(first - second).max(axis=2) > DIFFERENT).mean())


def described(drawing: Drawing) -> dict[str, Any]:
    """Return what is drawn in words and numbers: marks with their names, colours, places and values."""
    return {
        "title": drawing.title,
        "axes": [f"{axis.name} / {axis.unit}" for axis in (drawing.x, drawing.y)],
        "scales": [drawing.x_scale, drawing.y_scale],
        "marks": [_mark(mark) for mark in drawing.marks],
        "levels": [[level.label, level.x, level.y] for level in drawing.levels],
        "bands": [[band.low, band.high, band.label] for band in drawing.bands],
        "images": [[image.name, *_values(image.values)] for image in drawing.images],
    }


def _mark(mark: Mark) -> list[Any]:
    return [mark.shape, mark.label, mark.colour, mark.dash, mark.marker, *_values(mark.x), *_values(mark.y)]


def _values(values: NDArray[np.float64]) -> list[float | int]:
    known = values[np.isfinite(values)]
    return [known.size, *(round(float(one), 15) for one in (known.min(), known.max(), known.mean()))]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drawing]:
    return drawings(write_samples(tmp_path_factory.mktemp("samples") / "samples.h5"))


@pytest.mark.parametrize("name", daily(NAMES, 2))
def test_a_figure_is_drawn_as_its_stored_picture(name: str, drawn: dict[str, Drawing]) -> None:
    stored = REFERENCES / f"{name}.png"
    assert stored.stat().st_size < LARGEST
    assert difference(rendered(drawn[name]), pictures.imread(stored)[:, :, :3].astype(float)) < FEW


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_the_marks_that_are_described(name: str, drawn: dict[str, Drawing]) -> None:
    stored = json.loads(DESCRIPTIONS.read_text(encoding="utf-8"))[name]
    found = json.loads(json.dumps(described(drawn[name])))
    _assert_near(found, stored, name)


def _assert_near(found: Any, stored: Any, where: str) -> None:
    if isinstance(stored, float) and isinstance(found, float | int):
        assert found == pytest.approx(stored, rel=1e-6, abs=1e-12), where
    elif isinstance(stored, list):
        assert len(found) == len(stored), where
        for number, (one, other) in enumerate(zip(found, stored, strict=True)):
            _assert_near(one, other, f"{where}[{number}]")
    elif isinstance(stored, dict):
        assert list(found) == list(stored), where
        for key, value in stored.items():
            _assert_near(found[key], value, f"{where}.{key}")
    else:
        assert found == stored, where


def _without_one(drawing: Drawing) -> Drawing:
    curve = next(mark for mark in drawing.marks if mark.front)
    return replace(drawing, marks=tuple(mark for mark in drawing.marks if mark is not curve))


def _recoloured(drawing: Drawing) -> Drawing:
    return replace(drawing, marks=tuple(replace(mark, colour="#E69F00") for mark in drawing.marks))


def _moved(drawing: Drawing) -> Drawing:
    """Move all marks but the first to the right, by a twentieth of the axis."""
    every = np.concatenate([mark.x[np.isfinite(mark.x)] for mark in drawing.marks])
    log = drawing.x_scale == "log"
    reach = np.ptp(np.log(every)) if log else np.ptp(every)
    rest = (
        replace(mark, x=mark.x * np.exp(0.05 * reach) if log else mark.x + 0.05 * reach)
        for mark in drawing.marks[1:]
    )
    return replace(drawing, marks=(drawing.marks[0], *rest))


@pytest.mark.parametrize("spoil", daily([_without_one, _recoloured, _moved], [_moved]))
@pytest.mark.parametrize(
    "name",
    daily(["current_voltage", "set_voltage", "retention", "spectra", "bit_error_rate", "convergence"], 1),
)
def test_a_spoilt_figure_is_told_from_its_stored_picture(
    name: str, spoil: Any, drawn: dict[str, Drawing]
) -> None:
    stored = pictures.imread(REFERENCES / f"{name}.png")[:, :, :3].astype(float)
    assert difference(rendered(spoil(drawn[name])), stored) > FEW


def test_an_image_with_a_row_too_few_or_one_wrong_cell_is_told_from_its_stored_picture(
    drawn: dict[str, Drawing],
) -> None:
    stored = pictures.imread(REFERENCES / "errors.png")[:, :, :3].astype(float)
    (image,) = drawn["errors"].images
    wrong = image.values.copy()
    wrong[4, 4] = -wrong[2, 3]
    for values in (wrong, np.roll(image.values, 1, axis=0)):
        spoilt = replace(drawn["errors"], images=(replace(image, values=values),))
        assert difference(rendered(spoilt), stored) > FEW


def main() -> None:
    """Make the stored pictures and descriptions anew."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = drawings(write_samples(Path(folder) / "samples.h5"))
    for name in NAMES:
        pictures.imsave(REFERENCES / f"{name}.png", rendered(drawn[name]), metadata={"Software": None})
    text = json.dumps({name: described(drawn[name]) for name in NAMES}, indent=1, ensure_ascii=False)
    DESCRIPTIONS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
