"""What time does: relaxation, the window closing with cycles, and retention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import kurtosis

from docs.cell_figures.bench import ALL, COLOURS, DAY, GRADUAL, MICRO, Row, formed, save
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS


def relaxation() -> Iterator[Row]:
    """Spread and mean of cells at 15 uS, none of which is touched after its pulse."""
    figure = Figure((9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    times = np.geomspace(1e-6, 10 * DAY, 80)
    sources = {"quiet": (0.41, 0.89, "0.41 + 0.042 ln t [C]"), "relaxing": (2.3, 4.0, "[L, W]")}
    for name, preset in GRADUAL.items():
        same = replace(preset, set_cycle_spread=0.0, set_device_spread=0.0, stuck_on=0.0, stuck_off=0.0,
                       landing=0.0, landing_share=0.0)  # fmt: skip
        array, clock = formed(same, 1, 20000)
        array.set_cells(ALL, 3.0, 10e-6, 0.8 + 15 / 35)
        start, before = clock.now, array.conductance()
        spread, mean = [], []
        for moment in times:
            clock.advance(start + moment - clock.now)
            change = MICRO * (array.conductance() - before)
            spread.append(change.std())
            mean.append(change.mean())
        axes[0].semilogx(times, spread, color=COLOURS[name], label=name)
        axes[1].semilogx(times, mean, color=COLOURS[name], label=name)
        at = [np.interp(np.log(t), np.log(times), spread) for t in (1.0, 3600.0, DAY)]
        if name == "quiet":
            laws = [0.41 + 0.042 * np.log(t) for t in (1.0, 3600.0, DAY)]
            expected = ", ".join(f"{law:.2f}" for law in laws) + " uS [C]"
        else:
            expected = {"relaxing": "2.3, -, 4.0 uS [L, W]", "pku": "stays in its windows [P]", "ideal": "0"}[
                name
            ]
        yield "relaxation sd after 1 s, 1 h, 1 day", name, ", ".join(f"{s:.2f}" for s in at) + " uS", expected
        if name == "quiet":
            drop = np.interp(np.log(DAY), np.log(times), mean)
            yield "mean drift after a day", name, f"{drop:.2f} uS", f"{-0.089 * np.log(DAY):.2f} uS [C]"
            axes[0].plot(
                times[times > 1],
                0.41 + 0.042 * np.log(times[times > 1]),
                "k--",
                lw=0.8,
                label=sources[name][2],
            )
            axes[1].plot(
                times[times > 1], -0.089 * np.log(times[times > 1]), "k--", lw=0.8, label="-0.089 ln t [C]"
            )
        if name == "relaxing":
            axes[0].plot([1.0, DAY], [2.3, 4.0], "ko", label="measured [L, W]")
            yield "excess kurtosis after a day", name, f"{kurtosis(change[0]):.1f}", "heavy tails [L, W]"
    axes[0].set(
        xlabel="time since the pulse (s)",
        ylabel="sd of the change (uS)",
        title="relaxation of cells at 15 uS",
    )
    axes[1].set(xlabel="time since the pulse (s)", ylabel="mean change (uS)", title="drift")
    for ax in axes:
        ax.legend()
    save(figure, "relaxation")


def lifetime() -> Iterator[Row]:
    """The window closing with cycles, and retention at three temperatures."""
    figure = Figure((9, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    cycles = np.geomspace(1e3, 1e8, 26)
    top, bottom = [], []
    for count in cycles:
        array, _ = formed(CELL_PRESETS["pku"], 1, 500)
        array.age(ALL, float(count))
        array.set_cells(ALL, 3.0, 1e-6, 2.5)
        top.append(np.median(array.conductance()))
        for _ in range(3):
            array.reset_cells(ALL, 3.0, 100e-9, 2.8)
        bottom.append(np.median(array.conductance()))
    axes[0].loglog(cycles, MICRO * np.array(top), color=COLOURS["pku"], label="after SET at V_WL = 2.5 V")
    axes[0].loglog(cycles, MICRO * np.array(bottom), "--", color=COLOURS["pku"], label="after RESET at 3 V")
    axes[0].set(xlabel="cycles", ylabel="median G (uS)", title="pku: endurance")
    axes[0].legend()
    still = replace(CELL_PRESETS["pku"], relaxation=0.0, drift=0.0)
    times = np.geomspace(1.0, 1e10, 60)
    half = {}
    for kelvin, style in ((398.15, "-"), (448.15, "--"), (498.15, ":")):
        array, clock = formed(still, 1, 50)
        array.set_cells(ALL, 3.0, 1e-6, 1.6)
        start, before = clock.now, array.conductance()
        array.temperature = kelvin
        kept = []
        for moment in times:
            clock.advance(start + moment - clock.now)
            kept.append((array.conductance() / before).mean())
        half[kelvin] = np.interp(-0.5, -np.array(kept), np.log(times))
        axes[1].semilogx(times, kept, style, color=COLOURS["pku"], label=f"{kelvin - 273.15:.0f} °C")
    axes[1].set(xlabel="time (s)", ylabel="share of G kept", title="pku: retention")
    axes[1].legend()
    save(figure, "lifetime")
    energy = 8.617333e-5 * (half[398.15] - half[498.15]) / (1 / 398.15 - 1 / 498.15)
    yield "activation energy of retention", "pku", f"{energy:.2f} eV", "2.25 eV [L]"
