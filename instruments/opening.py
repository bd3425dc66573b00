"""Opening a bench: the file, the lock, the drivers, and the laboratory behind them when it is simulated."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from instruments.bench import Bench, BenchInstruments
from instruments.bench_file import BenchSource, SourceMeterEntry, load_bench_file
from instruments.models import PULSE_GENERATORS, SOURCE_METERS
from mho_errors import BenchError

_racks = itertools.count(1)


def open_bench(bench: str = "simulated", *, preset: str | None = None, seed: int | None = None) -> Bench:
    """Open the bench described by a packaged name or a TOML file.

    Parameters
    ----------
    bench : str
        "simulated", another packaged bench, or the path of a bench file.
    preset : str, optional
        Cell preset of a simulated bench ("ideal", "quiet", "pku", "relaxing").
    seed : int, optional
        Seed of a simulated bench.

    Returns
    -------
    Bench
        A context manager; no output has changed by opening it.

    Raises
    ------
    BenchError
        For a wrong bench file, a bench in use, or a preset on a bench of real instruments.
    InstrumentError
        When an instrument does not answer as its driver expects.
    """
    source = load_bench_file(bench)
    if source.bench.simulation is not None:
        return _open_simulated(source, preset, seed)
    if preset is not None:
        raise BenchError(f"bench {bench!r} has real instruments: --preset is for simulated cells only")
    with ExitStack() as stack:
        stack.enter_context(_lock(source))
        instruments = _connect(source, source.bench.visa, nullcontext)
        release = stack.pop_all().close
    return Bench(source, instruments, release=release)


def _open_simulated(source: BenchSource, preset: str | None, seed: int | None) -> Bench:
    from instruments.simulated.laboratory import Laboratory
    from instruments.simulated.visa import register_rack, unregister_rack

    laboratory = Laboratory(source, preset=preset, seed=seed)
    name = f"laboratory-{next(_racks)}"
    register_rack(name, laboratory)
    with ExitStack() as stack:
        stack.callback(unregister_rack, name)
        instruments = _connect(source, f"{name}@mho", laboratory.daq_session)
        release = stack.pop_all().close
    return Bench(
        source, instruments, now=lambda: laboratory.clock.now, laboratory=laboratory, release=release
    )


def _connect(source: BenchSource, visa: str, session: Callable[[], Any]) -> BenchInstruments:
    from instruments.drivers.array_board import ArrayBoardDriver
    from instruments.drivers.ni_daq import NIDaq

    entries = source.bench.instruments
    with ExitStack() as opened:  # closes what was opened when a later one fails
        meters: dict[str, Any] = {}

        def keep(instrument: Any) -> Any:
            opened.callback(instrument.close)
            return instrument

        def meter(entry: SourceMeterEntry) -> Any:
            model = SOURCE_METERS[entry.driver]
            driver = model.load_driver()
            if model.keyword:
                return keep(driver(entry.address, visa_library=visa, **{model.keyword: entry.channel}))
            if entry.address not in meters:
                meters[entry.address] = driver(entry.address, visa_library=visa)
            instrument = meters[entry.address]
            return keep(instrument.channel(entry.channel) if model.channels > 1 else instrument)

        pulser = PULSE_GENERATORS[entries.pulser.driver].load_driver()
        result = BenchInstruments(
            smu=meter(entries.smu),
            gate=meter(entries.gate),
            pulser=keep(pulser(entries.pulser.address, visa_library=visa)),
            daq=keep(NIDaq(entries.daq.outputs, entries.daq.inputs, rate=entries.daq.rate, session=session)),
            board=keep(ArrayBoardDriver(entries.board.address, visa_library=visa)),
        )
        opened.pop_all()
    return result


def _lock(source: BenchSource) -> Any:
    """Lock every instrument of a real bench for this process, by its address."""
    from filelock import FileLock, Timeout

    daq = source.bench.instruments.daq
    with ExitStack() as stack:
        for used in sorted({*source.bench.instruments.addresses(), daq.outputs, daq.inputs}):
            digest = hashlib.sha256(used.encode()).hexdigest()[:16]
            # Benches share instruments, and a computer has several users: a lock each, open to all.
            lock = FileLock(Path(tempfile.gettempdir()) / f"mho-bench-{digest}.lock", mode=0o666)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise BenchError(
                    f"bench {source.bench.name!r} is in use: another process has {used}; end it, or wait"
                ) from None
            stack.callback(lock.release)
        return stack.pop_all()
