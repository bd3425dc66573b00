"""Makes the pictures of README and docs, plot, windows and panels, from fresh runs: ``python docs/make_pictures.py``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
SEED = 1


def solve(folder: Path) -> Path:
    """Solve the massive-MIMO matrix to 24 bits and return the run file."""
    from mho import run
    from mho.procedures import Solve

    procedure = Solve(matrix=str(Path("data", "matrices", "mimo-16x16.mtx")), bits=24)
    path: Path = run(procedure, seed=SEED, output=folder / "mimo-16x16.h5").path
    return path


def grab_window(run: Path, picture: Path) -> None:
    """Save what the window on `run` looks like; needs a QApplication."""
    from PySide6.QtTest import QTest

    import mho.gui as gui

    window = gui.open_run_window(run)
    QTest.qWait(200)  # layouts settle
    view = window.map
    QTest.mouseMove(view.canvas.viewport(), view.canvas.mapFromScene(view.scene_position(24, 39)))
    QTest.qWait(100)
    window.grab().save(str(picture))
    window.close()
    window.deleteLater()
    QTest.qWait(50)  # gone before its application is


def _new(folder: str, name: str) -> Path:
    """Make a folder of its own for runs whose names others have, too."""
    made = Path(folder) / name
    made.mkdir()
    return made


def main() -> None:
    """Make them all."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from pictures_budget import draw_budget
    from pictures_calibrate import draw_checks
    from pictures_cells import plot_cells
    from pictures_characterise import draw_page
    from pictures_chip import grab_chip_panel
    from pictures_circuit import draw_settling
    from pictures_experiments import plot_experiments, plot_strategies
    from pictures_field import draw_field
    from pictures_fields import draw_fields
    from pictures_imports import plot_import
    from pictures_learning import draw_learning
    from pictures_levels import draw_levels, plot_refresh
    from pictures_lifetimes import plot_lifetimes
    from pictures_linalg import draw_krylov
    from pictures_mimo import draw_mimo
    from pictures_optimise import draw_policy
    from pictures_over_runs import plot_over_runs
    from pictures_panels import grab_panels
    from pictures_projection import draw_projection
    from pictures_published import draw_published
    from pictures_reports import draw_reports
    from pictures_slices import draw_slices
    from pictures_training import draw_training
    from pictures_window import grab_main_window
    from pictures_worth import draw_worth
    from PySide6.QtWidgets import QApplication

    import mho.analysis as analysis

    app = QApplication.instance() or QApplication([])
    PICTURES.mkdir(exist_ok=True)
    draw_settling(PICTURES)
    draw_slices(PICTURES)
    draw_policy(PICTURES)
    draw_krylov(PICTURES)
    draw_worth(PICTURES)
    os.chdir(ROOT)  # the run names its matrix as the README does
    with tempfile.TemporaryDirectory() as folder:
        run = solve(Path(folder))
        analysis.plot(run, PICTURES / "plot.png")
        draw_budget(Path(folder), PICTURES)
        plot_experiments(Path(folder), PICTURES)
        draw_learning(_new(folder, "learning"), PICTURES)
        draw_levels(Path(folder), PICTURES)
        plot_refresh(Path(folder), PICTURES)
        plot_cells(Path(folder), PICTURES)
        plot_lifetimes(Path(folder), PICTURES)
        draw_mimo(_new(folder, "mimo"), PICTURES)
        draw_field(_new(folder, "field"), PICTURES)
        draw_page(Path(folder), PICTURES)
        draw_fields(_new(folder, "fields"), PICTURES)
        plot_import(Path(folder), PICTURES)
        plot_strategies(Path(folder), PICTURES)
        draw_published(_new(folder, "published"), PICTURES)
        draw_checks(_new(folder, "checks"), PICTURES)
        plot_over_runs(PICTURES, Path(folder) / "over-runs")
        draw_projection(_new(folder, "projection"), PICTURES)
        draw_reports(run, _new(folder, "reports"), PICTURES)
        draw_training(_new(folder, "training"), PICTURES)
        grab_window(run, PICTURES / "window.png")
        grab_main_window(PICTURES)
        grab_chip_panel(run, PICTURES)
        grab_panels(run, PICTURES)
    del app


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
