"""Read noise: its spectrum, a trap over time, and how much of it a read sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from docs.cell_figures.bench import ALL, COLOURS, Row, formed, save
from mho.instruments.simulated.physics.cells.noise import FlickerNoise, TelegraphNoise
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS


def noise() -> Iterator[Row]:
    """Spectrum of the 1/f noise, and what a trap looks like over time."""
    figure = Figure((9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for name in ("quiet", "pku"):
        source = FlickerNoise((1, 100), CELL_PRESETS[name], np.random.default_rng(3))
        step, length = 1e-3, 1 << 14
        series = np.array([source.average((0, ALL), k * step, step) for k in range(length)])
        window = np.hanning(length)
        power = (np.abs(np.fft.rfft(series * window[:, None], axis=0)) ** 2).mean(axis=1)
        power *= 2 * step / (window**2).sum()
        frequency = np.fft.rfftfreq(length, step)
        band = (frequency > 0.3) & (frequency < 200.0)
        slope = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
        axes[0].loglog(
            frequency[2:], power[2:], color=COLOURS[name], lw=0.8, label=f"{name}, slope {slope:.2f}"
        )
        yield "slope of the noise spectrum", name, f"{slope:.2f}", "about -1 [L]"
    axes[0].loglog(frequency[2:], 6e-6 / frequency[2:], "k--", lw=0.8, label="1/f")
    axes[0].set(xlabel="frequency (Hz)", ylabel="relative noise (1/Hz)", title="1/f noise, 100 cells")
    axes[0].legend()
    trap = replace(CELL_PRESETS["quiet"], rtn_fastest=0.3, rtn_slowest=0.3)
    telegraph = TelegraphNoise(np.ones((1, 1), bool), trap, np.random.default_rng(9))
    flicker = FlickerNoise((1, 1), CELL_PRESETS["quiet"], np.random.default_rng(9))
    times = np.arange(4000) * 2.5e-3
    trace = [float(telegraph.average((0, 0), t, 2e-4) + flicker.average((0, 0), t, 2e-4)) for t in times]
    axes[1].plot(times, 20 * (1 + np.array(trace)), color=COLOURS["quiet"], lw=0.6)
    axes[1].set(xlabel="time (s)", ylabel="read (uS)", title="quiet: a cell at 20 uS with a trap of 0.3 s")
    save(figure, "noise")
    for name, expected in (
        ("quiet", "1 %, 10 % [L]"),
        ("pku", "0.4 %, 1 % [P: integers exact]"),
        ("relaxing", "1 %, 10 % [L]"),
    ):
        still = replace(
            CELL_PRESETS[name], relaxation=0.0, drift=0.0, stuck_on=0.0, stuck_off=0.0, deep_reset_loss=0.0
        )
        sds = []
        for share in (0.0, 1.0):
            array, _ = formed(replace(still, rtn_share=share), 1, 20000)
            array.set_cells(ALL, 3.0, 10e-6, 1.3)
            sds.append((array.read(ALL, aperture=1e-5) / array.conductance()).std())
        text = f"{100 * sds[0]:.2f} %, {100 * np.sqrt(sds[1] ** 2 - sds[0] ** 2):.1f} %"
        yield "read noise of G: without a trap, of a trap", name, text, expected
