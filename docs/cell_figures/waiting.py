"""What time does: relaxation, the window closing with cycles, and retention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import kurtosis

from benchmarks import relaxation as benchmark
from docs.cell_figures.bench import ALL, COLOURS, DAY, GRADUAL, MICRO, Row, formed, save
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS


def relaxation() -> Iterator[Row]:
    """Spread and mean of cells at 15 uS, none of which is touched after its pulse."""
    figure = Figure((9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    times = np.geomspace(1e-6, 10 * DAY, 80)
    law = "0.41 + 0.042 ln t [C]"
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
            expected = {
                "relaxing": "2.31, -, 4.04 uS, 12 to 20 uS [M]",
                "pku": "stays in its windows [P]",
                "ideal": "0",
            }[name]
        yield "relaxation sd after 1 s, 1 h, 1 day", name, ", ".join(f"{s:.2f}" for s in at) + " uS", expected
        if name == "quiet":
            drop = np.interp(np.log(DAY), np.log(times), mean)
            yield "mean drift after a day", name, f"{drop:.2f} uS", f"{-0.089 * np.log(DAY):.2f} uS [C]"
            axes[0].plot(
                times[times > 1],
                0.41 + 0.042 * np.log(times[times > 1]),
                "k--",
                lw=0.8,
                label=law,
            )
            axes[1].plot(
                times[times > 1], -0.089 * np.log(times[times > 1]), "k--", lw=0.8, label="-0.089 ln t [C]"
            )
        if name == "relaxing":
            measured = [row for row in benchmark.measured() if round(1e6 * row.low) == 12]
            moments = [row.time for row in measured]
            for ax, value in zip(axes, ("sd", "mean"), strict=True):
                ax.plot(moments, [row.statistics[value] for row in measured], "ko", label="12 to 20 uS [M]")
            yield "excess kurtosis after a day", name, f"{kurtosis(change[0]):.1f}", "1.5 at 12 to 20 uS [M]"
    axes[0].set(
        xlabel="time since the pulse (s)",
        ylabel="sd of the change (uS)",
        title="relaxation of cells at 15 uS",
    )
    axes[1].set(xlabel="time since the pulse (s)", ylabel="mean change (uS)", title="drift")
    for ax in axes:
        ax.legend()
    save(figure, "relaxation")


def beside_measured() -> Iterator[tuple[str, ...]]:
    """Quantiles of relaxing cells over time beside the measured ones, and every statistic with its probability."""
    preset, rng = CELL_PRESETS["relaxing"], np.random.default_rng(11)
    shares = (1, 5, 25, 50, 75, 95, 99)
    table = benchmark.source()["relaxation"]["table"]
    figure = Figure((9, 5.2), layout="constrained")
    times = [float(t) for t in np.geomspace(1e-3, 1e6, 46)]
    for k, low in enumerate(sorted({row[0] for row in table})):
        rows = [row for row in table if row[0] == low]
        _, changes = benchmark.watch(preset, (1e-6 * low, 1e-6 * rows[0][1]), (1, 20000), times, rng)
        quantiles = MICRO * np.percentile(changes[:, 0], shares, axis=1)
        ax = figure.add_subplot(2, 3, k + 1)
        for share, line in zip(shares, quantiles, strict=True):
            ax.semilogx(times, line, color=COLOURS["relaxing"], lw=1.6 if share == 50 else 0.8)
        for row in rows:
            ax.plot([row[2]] * len(shares), row[9:], "k.", ms=4)
        ax.set(title=f"{low} to {rows[0][1]} uS", xlabel="time (s)", ylabel="change (uS)")
    save(figure, "relaxation-measured")
    cells: dict[str, list[str]] = {}
    for found in _compared():
        *where, name = found.name.rsplit(": ", 1)
        if where and name in benchmark.CRITERIA:
            p = found.detail["p"]
            text = f"{found.value:.3g} / {found.peer_value:.3g} ({'<0.01' if p <= 0.01 else f'{p:.2f}'})"
            cells.setdefault(where[0], []).append(text if found.met else f"**{text}**")
    for where_and_when, texts in cells.items():
        yield where_and_when, *texts


@lru_cache(maxsize=1)
def _compared() -> tuple[benchmark.Figure, ...]:
    """Return what the benchmark finds in 200 replicas."""
    return tuple(benchmark.run(5))


def held_out() -> Iterator[tuple[str, ...]]:
    """What was not fitted."""
    for found in _compared():
        if found.target == "not fitted":
            yield found.name, f"{found.value:.3g}", f"{found.peer_value:.3g}", f"{found.detail['p']:.2f}"


def bake() -> Iterator[tuple[str, ...]]:
    """Mean and sd of the change of cells at 30 to 42 uS by a bake, beside measured ones of another technology."""
    rows = [row for row in benchmark.source()["bake"]["rows"] if row[1] == 30]
    for celsius, low, high, seconds, _, mean, sd, _ in rows:
        array, clock = formed(replace(CELL_PRESETS["relaxing"], stuck_on=0.0, stuck_off=0.0), 1, 5000)
        array.set_cells(
            ALL, 3.0, 10e-6, np.linspace(0.8 + low / 35, 0.8 + high / 35, 5000, dtype=np.float32)[None]
        )
        clock.advance(1e-3)
        before = array.conductance()
        array.temperature = celsius + 273.15
        clock.advance(seconds)
        change = MICRO * (array.conductance() - before)
        yield (
            f"{celsius} °C, {seconds / 3600:.1f} h",
            f"{change.mean():.1f}, {change.std():.1f} uS",
            f"{mean:.1f}, {sd:.1f} uS",
        )


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
