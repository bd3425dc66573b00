"""A bench of real instruments with each replaced by its simulated twin, or by none: the same converters and limits."""

from __future__ import annotations

import logging

from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import BenchSource, Simulation
from mho.instruments.bench_file.entries import DaqEntry, LinesEntry
from mho.instruments.simulated.nidaqmx.converters import PRODUCTS, Bus, channel_names
from mho.instruments.simulated.physics.cells.presets import CellPreset, Cells, cell_preset

log = logging.getLogger(__name__)

HEADROOM = 5.0  # V between the end of an amplifier's output and its supply


def stand_in(source: BenchSource, preset: Cells | None = None) -> BenchSource:
    """Return a bench file whose instruments are twins; a simulated bench is returned unchanged.

    `source`: usually without a ``[simulation]`` section.
    `preset`: cells of the simulated chip; default that of `Simulation`.

    `BenchError` when no simulated DAQ has the channels in use.
    """
    bench = source.bench
    if bench.simulation is not None and bench.simulation.instruments:
        return source
    if bench.simulation is not None:
        with_twins = bench.simulation.model_copy(update={"instruments": True})
        return source.model_copy(update={"bench": bench.model_copy(update={"simulation": with_twins})})
    cells = _cells(preset)
    simulation = Simulation(preset=preset) if isinstance(preset, str) else Simulation()
    # Imported for real instruments only: a chip without any enters no further module.
    from mho.instruments.laboratory.untwinned import missing_twins, without_twins

    for sentence in missing_twins(bench.instruments).values():
        log.warning("%s; the rest is rehearsed", sentence)
    instruments = without_twins(bench.instruments)
    if instruments.lines is not None:  # whose amplifiers reach their full scale, and a little more
        supply = instruments.lines.full_scale + HEADROOM
        simulation = simulation.model_copy(update={"amplifier_supply": supply})
    for seat, daq in (("daq", instruments.daq), ("tester", instruments.lines)):
        if daq is not None and not getattr(daq, "is_own", False):
            wired = daq.model_copy(update={"products": _products(daq)})
            instruments = instruments.changed(instruments.name_of(seat), wired)
    return source.model_copy(
        update={
            "bench": bench.model_copy(update={"simulation": simulation, "instruments": instruments}),
            # Run files store this text: such a run must not be taken for a measurement.
            "text": f"# A rehearsal: simulated twins stand in for the instruments; cells "
            f"{(simulation.preset if cells is None else cells.name)!r}.\n" + source.text,
            "cells": cells,
        }
    )


def as_arrays(source: BenchSource, preset: Cells | None = None) -> BenchSource:
    """Return a bench file without instruments, for `ArrayBench`; real instruments are replaced, and their cells simulated.

    Converters, limits, levels and bad cells remain those of the file and its chip map. Nothing is connected.

    `source`: any bench, real or simulated.
    `preset`: cells in place of the file's; for real instruments that of `Simulation` where left out.

    `BenchError` when no simulated DAQ has the channels in use.
    """
    simulated = stand_in(source, preset) if source.bench.simulation is None else source
    simulation = simulated.bench.simulation
    assert simulation is not None  # `stand_in` gives one
    changed = {"instruments": False} | ({"preset": preset} if isinstance(preset, str) else {})
    bench = simulated.bench.model_copy(update={"simulation": simulation.model_copy(update=changed)})
    cells = simulated.cells if preset is None else _cells(preset)
    return simulated.model_copy(update={"bench": bench, "cells": cells})


def _cells(preset: Cells | None) -> CellPreset | None:
    """Return cells that are given as an object; None for a name, which a bench file can have."""
    return None if preset is None or isinstance(preset, str) else cell_preset(preset)


def _products(daq: DaqEntry | LinesEntry) -> dict[str, str]:
    """Return the product of each device in use: as in the bench file, else the first that has the channels."""
    needed: dict[str, tuple[int, int]] = {}
    channels_in = daq.inputs if daq.driver == "ni_daq" else ""
    driven = daq.driven if isinstance(daq, LinesEntry) else daq.outputs
    for kind, channels in enumerate((driven, channels_in)):
        for channel in channel_names(channels):
            device, _, terminal = channel.partition("/")
            number = int("".join(filter(str.isdigit, terminal)) or 0) + 1
            counts = list(needed.get(device, (0, 0)))
            counts[kind] = max(counts[kind], number)
            needed[device] = (counts[0], counts[1])
    products = dict(daq.products)
    for device, (outputs, inputs) in needed.items():
        if device in products:
            continue
        fitting = [
            name
            for name, product in PRODUCTS.items()
            if product.output_count >= outputs and product.input_count >= inputs
        ]
        if not fitting:
            raise BenchError(
                f"no simulated DAQ has {outputs} outputs and {inputs} inputs as {device} is used; there are "
                f"{', '.join(PRODUCTS)}: split the channels over two devices, or name them in [instruments.daq] products"
            )
        on_backplane = device.upper().startswith("PXI")
        products[device] = min(fitting, key=lambda name: (PRODUCTS[name].bus is Bus.PXIE) is not on_backplane)
    return products
