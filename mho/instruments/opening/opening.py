"""Opening a bench: the file, the lock, the drivers, and the laboratory behind them when it is simulated or rehearsed."""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mho.errors import BenchError, InputError, MhoError
from mho.instruments.arrays.bench import ArrayBench
from mho.instruments.bench.bench import Bench
from mho.instruments.bench.instruments import BenchInstruments
from mho.instruments.bench.locking import lock_bench
from mho.instruments.bench.reconnection import Connection, Reconnecting
from mho.instruments.bench_file.bench_file import BenchSource, load_bench_file, with_circuit, with_stuck_cells
from mho.instruments.bench_file.entries import BoardEntry, DaqEntry, LinesEntry, SourceEntry
from mho.instruments.bench_file.models import takes_library
from mho.instruments.bench_file.plausibility import NI_OUTPUTS, check_limits
from mho.instruments.limits import Limits
from mho.instruments.roles import Daq
from mho.keywords import Seed, keywords_checked, seed_number

log = logging.getLogger(__name__)

NONE: Mapping[str, Any] = MappingProxyType({})


def role_openers(
    source: BenchSource, visa: str, session: Callable[[], Any], sleep: Callable[[float], None] | None,
    limits: Limits | None = None, libraries: Mapping[str, Any] = NONE,
) -> dict[str, Callable[[], Any]]:  # fmt: skip
    """Return functions that open the instrument of each role of a bench; roles that share an instrument open it once.

    `visa` is PyVISA's choice of a library, `session` the context within which NI-DAQmx tasks are made. `sleep` waits, in
    seconds, before a lost connection is reopened; None never reopens one, whatever the file says. `limits` stand for the
    file's own. `libraries` are what stands for the library of a vendor, by the instrument's address in the bench file.
    """
    entries = source.bench.instruments
    shared: dict[str, Connection] = {}
    highest = (limits or source.bench.terminal_limits()).highest("vector")

    def connect(entry: Any, open_driver: Callable[[], Any]) -> Connection:
        reconnect = None if sleep is None else entry.reconnect
        return Connection(open_driver, reconnect, sleep or time.sleep)

    def source_of(entry: SourceEntry) -> Any:
        model = entry.model
        if model.keyword:
            return plain(entry, **{model.keyword: entry.channel})
        if entry.address not in shared:
            shared[entry.address] = connect(entry, partial(_made, entry, visa, libraries))
        connection = shared[entry.address]
        return connection.role(lambda whole: whole.channel(entry.channel) if model.channels > 1 else whole)

    def plain(entry: Any, **options: Any) -> Any:
        return connect(entry, partial(_made, entry, visa, libraries, **options)).role()

    def board(entry: BoardEntry) -> Connection:
        if entry.address not in shared:
            shared[entry.address] = connect(entry, partial(_made, entry, visa, libraries))
        return shared[entry.address]

    def daq(entry: DaqEntry) -> Any:
        if entry.driver == "array_board":
            assert entries.board is not None  # the file was checked
            return board(entries.board).role(lambda whole: whole.converters)
        if entry.is_own:
            return plain(entry)
        return connect(entry, partial(_open_daq, entry, visa, session, highest)).role()

    def lines(entry: LinesEntry) -> Any:
        widest = max((limits or source.bench.terminal_limits()).highest(one) for one in entry.reached())
        return connect(
            entry, partial(_open_lines, entry, session, min(widest, NI_OUTPUTS), source.bench.read.gate)
        ).role()

    openers: dict[str, Callable[[], Any]] = {}
    if (reader := entries.smu) is not None:
        openers["smu"] = lambda: source_of(reader)
    if (sink := entries.sink) is not None:
        openers["sink"] = lambda: source_of(sink)
    for line, contact in entries.contacts.items():
        openers[line] = partial(source_of, contact)
    if (gate := entries.gate) is not None:
        openers["gate"] = lambda: source_of(gate)
    if (pulser := entries.pulser) is not None:
        openers["pulser"] = lambda: plain(pulser, edge=pulser.edge)
    if (vectors := entries.daq) is not None:
        openers["daq"] = lambda: daq(vectors)
    if (carrier := entries.board) is not None:
        openers["board"] = lambda: board(carrier).role()
    if (matrix := entries.switch) is not None:
        openers["switch"] = lambda: plain(matrix)
    if (stage := entries.chuck) is not None:
        openers["chuck"] = lambda: plain(
            stage, output=stage.output, input=stage.input, heater_range=stage.heater_range
        )
    if (tester := entries.tester) is not None:
        openers["tester"] = lambda: lines(tester) if isinstance(tester, LinesEntry) else plain(tester)
    if (prober := entries.prober) is not None:
        openers["prober"] = lambda: plain(prober)
    if (scope := entries.scope) is not None:
        openers["scope"] = lambda: plain(scope)
    for name, one in entries.beside.items():
        if source.bench.simulation is None or one.model.twin:
            openers[name] = partial(plain, one)
    return openers


def _made(entry: Any, visa: str, libraries: Mapping[str, Any], **options: Any) -> Any:
    """Return the opened driver of an entry; `BenchError` for `options` that its class does not take."""
    driver = entry.model.load_driver()
    if not takes_library(driver):
        options["visa_library"] = visa
    elif entry.address in libraries:
        options["library"] = libraries[entry.address]
    try:
        return driver(entry.address, **options, **entry.options)
    except ImportError as error:
        raise BenchError(
            f"driver {entry.driver} needs what is not there ({error}): install it, or rehearse the bench on twins"
        ) from error
    except TypeError as error:
        if not entry.options:
            raise
        raise BenchError(
            f"driver {entry.driver} does not take `options` {entry.options}: {error}; correct them in the bench file"
        ) from error
    except (ValueError, LookupError, AttributeError) as error:  # of a class of one's own
        if isinstance(error, MhoError):
            raise
        given = f" with `options` {entry.options}" if entry.options else ""
        raise BenchError(
            f"driver {entry.driver} cannot be made{given}: {type(error).__name__}: {error}; correct the driver or the "
            "bench file"
        ) from error


def _open_daq(entry: DaqEntry, visa: str, session: Callable[[], Any], highest: float) -> Daq:
    """Open a DAQ with its own connection; its outputs refuse voltages beyond +-`highest` (V)."""
    span = min(highest, NI_OUTPUTS)
    if entry.driver == "ni_daq":
        from mho.instruments.drivers.ni_daq import NIDaq

        return NIDaq(
            entry.outputs, entry.inputs, rate=entry.rate, output_range=(-span, span), session=session
        )
    from mho.instruments.drivers.keithleydaq6510 import KeithleyDAQ6510
    from mho.instruments.drivers.ni_daq import NIOutputs
    from mho.instruments.drivers.scanned_daq import ScannedDaq

    outputs = NIOutputs(entry.outputs, output_range=(-span, span), session=session)
    try:
        inputs = KeithleyDAQ6510(entry.address, visa_library=visa, channels=entry.scanned_channels())
    except BaseException:
        outputs.close()
        raise
    return ScannedDaq(outputs, inputs, full_scale=entry.full_scale, nplc=entry.nplc)


def _open_lines(entry: LinesEntry, session: Callable[[], Any], span: float, gate: float) -> Any:
    """Open a DAQ at the lines of a chip; its outputs refuse voltages beyond +-`span` (V); `gate` is that of products, V."""
    from mho.instruments.drivers.ni_lines import NILines

    return NILines(
        entry.outputs, entry.inputs, gate=entry.gate, product_gate=gate, transimpedance=entry.transimpedance,
        full_scale=entry.full_scale, rate=entry.rate, output_range=(-span, span), session=session,
    )  # fmt: skip


def connect_instruments(
    source: BenchSource, visa: str, session: Callable[[], Any], sleep: Callable[[float], None] = time.sleep,
    limits: Limits | None = None, libraries: Mapping[str, Any] = NONE,
) -> BenchInstruments:  # fmt: skip
    """Open the instrument of each role; parameters as for `role_openers`."""
    with ExitStack() as opened:  # closes what was opened when a later one fails
        instruments: dict[str, Any] = {}
        for role, open_role in role_openers(source, visa, session, sleep, limits, libraries).items():
            instruments[role] = open_role()
            opened.callback(instruments[role].close)
        opened.pop_all()
    beside = {name: instruments.pop(name) for name in source.bench.instruments.beside if name in instruments}
    contacts = {line: instruments.pop(line) for line in source.bench.instruments.contacts}
    return BenchInstruments(**instruments, contacts=contacts, beside=beside)


if TYPE_CHECKING:  # imported only for a simulated bench: the twins load slowly
    from mho.instruments.laboratory.laboratory import Laboratory
    from mho.instruments.simulated.physics.cells.presets import Cells
    from mho.instruments.simulated.physics.circuits.circuit_files import Circuit

_racks = itertools.count(1)


@keywords_checked()
def open_bench(
    bench: str | os.PathLike[str] = "simulated", *, preset: Cells | None = None, circuit: Circuit | None = None,
    seed: Seed = None, stuck: float | None = None, force: bool = False,
    taken: Callable[[], object] = lambda: None,
) -> Bench:  # fmt: skip
    """Open the bench described by a packaged name or a TOML file.

    Parameters
    ----------
    bench : str or path
        "simulated", "arrays" (the same chip without instruments), another packaged bench, or the path of a bench file.
    preset : str or object, optional
        Cells of a simulated bench, as `mho.cells.cell_preset` takes them: one of `CELL_PRESETS`, a file, or one's own.
    circuit : str, object or list of these, optional
        Amplifiers, converters or wires of one's own, as `mho.circuits.circuit_elements` takes them.
    seed : int, numpy.random.SeedSequence, numpy.random.Generator or None
        Of a simulated bench; None takes the bench file's, else draws a fresh one.
    stuck : float, optional
        Share of cells that no pulse changes, 0 to 1, drawn at random on a simulated bench; half of them conduct.
    force : bool
        Accept implausible limits (`mho.instruments.bench_file.plausibility`).
    taken : callable
        Called once real instruments are locked, before anything is sent to them; never for a simulated bench.

    Returns
    -------
    Bench
        A context manager; opening it changes no output.

    Raises
    ------
    BenchError
        For a wrong bench file, implausible limits, a bench in use, or a preset or circuit for a bench of real instruments.
    InstrumentError
        When an instrument does not answer as its driver expects; `InstrumentTimeoutError` when it does not answer at all.
    InputError
        For a seed that is none, and for a `bench` that is neither name nor path, such as one that is open already.

    Examples
    --------
    >>> with mho.open_bench("arrays", preset="pku", seed=1) as bench:
    ...     conductance = bench.read(mho.Cell("multiply", 0, 0))
    >>> conductance < 1e-6  # S: the cell is not formed
    True
    """
    if not isinstance(bench, str | os.PathLike):
        raise InputError(
            f"bench is {bench!r}; give the name of a bench or a bench file: an open one is open already"
        )
    seed, bench = seed_number(seed), os.fspath(bench)
    source = load_bench_file(bench)
    if stuck is not None:
        source = with_stuck_cells(source, stuck)
    if circuit is not None:
        source = with_circuit(source, circuit)
    check_limits(source, force)
    if source.bench.simulation is not None:
        return open_simulated(source, preset, seed)
    if preset is not None:
        raise BenchError(f"bench {bench!r} has real instruments: a preset is for simulated cells only")
    with ExitStack() as stack:
        stack.enter_context(lock_bench(source))
        taken()
        instruments = connect_instruments(source, source.bench.visa, nullcontext)
        if unguarded := source.bench.unguarded():
            log.warning("bench %s: %s", source.bench.name, unguarded)
        release = stack.pop_all().close
    opened = time.perf_counter()  # `monotonic` goes by steps of 15.6 ms on Windows before Python 3.13
    return _forgetful(Bench(source, instruments, now=lambda: time.perf_counter() - opened, release=release))


def open_simulated(
    source: BenchSource, preset: Cells | None, seed: int | None, limits: Limits | None = None
) -> Bench:
    """Open a bench file that has a ``[simulation]`` section; parameters and errors as for `open_bench`.

    `limits` replace the file's own in a rehearsal, where no hardware can be damaged.
    """
    if without_instruments(source):
        return ArrayBench(source, preset, seed, limits)
    with ExitStack() as stack:
        laboratory, visa = stack.enter_context(simulated_rack(source, preset, seed))
        clock = laboratory.clock
        instruments = connect_instruments(
            source, visa, laboratory.daq_session, clock.advance, limits, laboratory.libraries
        )
        release = stack.pop_all().close
    return _forgetful(
        Bench(
            source, instruments, now=partial(getattr, clock, "now"), laboratory=laboratory, limits=limits,
            release=release, every=partial(clock.every, skip=laboratory.board.heard),
        )
    )  # fmt: skip


def open_rehearsal(
    source: BenchSource, *, preset: Cells | None = None, seed: int | None = None, beyond: bool = False,
    force: bool = False,
) -> Bench:  # fmt: skip
    """Open a bench file with twins for its instruments; takes no lock and needs no hardware.

    Parameters
    ----------
    source : BenchSource
        The bench file.
    preset : str or object, optional
        Cells of the simulated chip, as for `open_bench`.
    seed : int, optional
        Of everything random on the bench.
    beyond : bool
        Lift the file's limits; the laboratory's monitor keeps them and reports values beyond them.
    force : bool
        Accept implausible limits.

    Raises
    ------
    BenchError
        As `stand_in`, for implausible limits, or for an unknown preset.
    """
    # Imported here: opening a bench of real instruments need not wait for the twins to load.
    from mho.instruments.laboratory.twins_for_real import stand_in

    check_limits(source, force)
    limits = source.bench.terminal_limits().lifted() if beyond else None
    return open_simulated(stand_in(source, preset), preset, seed, limits)


def without_instruments(source: BenchSource) -> bool:
    """Return whether a bench is the chip alone, evaluated a whole array at a time."""
    return source.bench.simulation is not None and not source.bench.simulation.instruments


def need_instruments(source: BenchSource) -> None:
    """Raise `BenchError` for a bench that is the chip alone."""
    if without_instruments(source):
        raise BenchError(
            f"bench {source.bench.name!r} has no instruments ([simulation] instruments = false): there is nothing to "
            "connect to; name the bench with them, as 'simulated'"
        )


@contextmanager
def simulated_rack(
    source: BenchSource, preset: Cells | None = None, seed: int | None = None
) -> Iterator[tuple[Laboratory, str]]:
    """Build the laboratory of a simulated bench; yield it and the name of its PyVISA library."""
    # Imported here for a fast start: a bench of real instruments does not use twins.
    from mho.instruments.laboratory.laboratory import Laboratory
    from mho.instruments.simulated.visa.backend import register_rack, unregister_rack

    need_instruments(source)
    laboratory = Laboratory(source, preset=preset, seed=seed)
    name = f"laboratory-{next(_racks)}"
    register_rack(name, laboratory)
    try:
        yield laboratory, f"{name}@mho"
    finally:
        unregister_rack(name)


@contextmanager
def bench_openers(
    source: BenchSource, preset: Cells | None = None, seed: int | None = None
) -> Iterator[tuple[dict[str, Callable[[], Any]], Laboratory | None]]:
    """Yield functions that open each role's instrument, locked for this process, and a simulated bench's laboratory.

    For opening instruments one by one; a lost connection is not reopened. Errors as `open_bench`.
    """
    if source.bench.simulation is None:
        with lock_bench(source):
            yield role_openers(source, source.bench.visa, nullcontext, None), None
    elif without_instruments(source):
        roles = open_simulated(source, preset, seed).instruments.by_name()
        yield {role: partial(roles.__getitem__, role) for role in roles}, None
    else:
        with simulated_rack(source, preset, seed) as (laboratory, visa):
            session, libraries = laboratory.daq_session, laboratory.libraries
            yield role_openers(source, visa, session, None, libraries=libraries), laboratory


def _forgetful(bench: Bench) -> Bench:
    """Make a bench prepare itself anew after the connection of an instrument that it uses was lost and restored."""
    for name, instrument in bench.instruments.by_name().items():
        if isinstance(instrument, Reconnecting) and name not in bench.instruments.beside:
            instrument.connection.reopened = bench.forget
    return bench
