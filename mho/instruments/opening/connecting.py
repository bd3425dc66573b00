"""Connection to the instruments of a bench: the driver and the address of each role."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from mho.instruments.bench.instruments import BenchInstruments
from mho.instruments.bench.reconnection import Connection
from mho.instruments.bench_file.bench_file import BenchSource
from mho.instruments.bench_file.entries import (
    BoardEntry,
    ChuckEntry,
    DaqEntry,
    InstrumentEntry,
    PulserEntry,
    SourceMeterEntry,
    SwitchEntry,
)
from mho.instruments.bench_file.plausibility import NI_OUTPUTS
from mho.instruments.limits import Limits
from mho.instruments.roles import Daq


def role_openers(
    source: BenchSource,
    visa: str,
    session: Callable[[], Any],
    sleep: Callable[[float], None] | None,
    limits: Limits | None = None,
) -> dict[str, Callable[[], Any]]:
    """Return functions that open the instrument of each role of a bench; roles that share an instrument open it once.

    Parameters
    ----------
    source : BenchSource
        The bench file.
    visa : str
        PyVISA's choice of a library.
    session : callable
        Context within which NI-DAQmx tasks are made.
    sleep : callable or None
        Waits, in seconds, before a lost connection is reopened; None never reopens one, whatever the file says.
    limits : Limits, optional
        Instead of the file's own.
    """
    # Drivers are imported only for benches that use them: each imports PyVISA or nidaqmx.
    from mho.instruments.drivers.array_board import ArrayBoardDriver

    entries = source.bench.instruments
    shared: dict[str, Connection] = {}
    highest = (limits or source.bench.terminal_limits()).highest("vector")

    def connect(entry: InstrumentEntry, open_driver: Callable[[], Any]) -> Connection:
        reconnect = None if sleep is None else entry.reconnect
        return Connection(open_driver, reconnect, sleep or time.sleep)

    def single(entry: InstrumentEntry, open_driver: Callable[[], Any]) -> Any:
        return connect(entry, open_driver).role()

    def meter(entry: SourceMeterEntry) -> Any:
        model = entry.model
        driver = model.load_driver()
        if model.keyword:
            options = {model.keyword: entry.channel}
            return single(entry, lambda: driver(entry.address, visa_library=visa, **options))
        if entry.address not in shared:
            shared[entry.address] = connect(entry, lambda: driver(entry.address, visa_library=visa))
        connection = shared[entry.address]
        return connection.role(lambda whole: whole.channel(entry.channel) if model.channels > 1 else whole)

    def pulser(entry: PulserEntry) -> Any:
        driver = entry.model.load_driver()
        return single(entry, lambda: driver(entry.address, visa_library=visa, edge=entry.edge))

    def board(entry: BoardEntry) -> Connection:
        if entry.address not in shared:
            shared[entry.address] = connect(entry, lambda: ArrayBoardDriver(entry.address, visa_library=visa))
        return shared[entry.address]

    def daq(entry: DaqEntry) -> Any:
        if entry.driver == "array_board":
            return board(entries.board).role(lambda whole: whole.converters)
        return single(entry, partial(_open_daq, entry, visa, session, highest))

    def switch(entry: SwitchEntry) -> Any:
        driver = entry.model.load_driver()
        return single(entry, lambda: driver(entry.address, visa_library=visa))

    def chuck(entry: ChuckEntry) -> Any:
        driver = entry.model.load_driver()
        wired = {"output": entry.output, "input": entry.input, "heater_range": entry.heater_range}
        return single(entry, lambda: driver(entry.address, visa_library=visa, **wired))

    openers = {
        "smu": lambda: meter(entries.smu),
        "gate": lambda: meter(entries.gate),
        "pulser": lambda: pulser(entries.pulser),
        "daq": lambda: daq(entries.daq),
        "board": lambda: board(entries.board).role(),
    }
    if (matrix := entries.switch) is not None:
        openers["switch"] = lambda: switch(matrix)
    if (stage := entries.chuck) is not None:
        openers["chuck"] = lambda: chuck(stage)
    return openers


def _open_daq(entry: DaqEntry, visa: str, session: Callable[[], Any], highest: float) -> Daq:
    """Open a DAQ with its own connection; its outputs refuse voltages beyond +-`highest` (V)."""
    span = min(highest, NI_OUTPUTS)
    if entry.driver == "ni_daq":
        from mho.instruments.drivers.ni_daq import NIDaq

        return NIDaq(
            entry.outputs, entry.inputs, rate=entry.rate, output_range=(-span, span), session=session
        )
    from mho.instruments.drivers.keithleydaq6510 import KeithleyDAQ6510
    from mho.instruments.drivers.ni_outputs import NIOutputs
    from mho.instruments.drivers.scanned_daq import ScannedDaq

    outputs = NIOutputs(entry.outputs, output_range=(-span, span), session=session)
    try:
        inputs = KeithleyDAQ6510(entry.address, visa_library=visa, channels=entry.scanned_channels())
    except BaseException:
        outputs.close()
        raise
    return ScannedDaq(outputs, inputs, full_scale=entry.full_scale, nplc=entry.nplc)


def connect_instruments(
    source: BenchSource,
    visa: str,
    session: Callable[[], Any],
    sleep: Callable[[float], None] = time.sleep,
    limits: Limits | None = None,
) -> BenchInstruments:
    """Open the instrument of each role; parameters as for `role_openers`."""
    with ExitStack() as opened:  # closes what was opened when a later one fails
        instruments: dict[str, Any] = {}
        for role, open_role in role_openers(source, visa, session, sleep, limits).items():
            instruments[role] = open_role()
            opened.callback(instruments[role].close)
        opened.pop_all()
    return BenchInstruments(**instruments)
