"""Findings on benches: who uses them, the queue and its runner, and, only on request, the firmware of instruments."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from mho.doctor.buses import is_measuring
from mho.doctor.findings import Ending, Finding
from mho.doctor.machine import Machine
from mho.errors import MhoError, QueueError
from mho.instruments.bench import holder, last_taken
from mho.instruments.bench_file import BenchSource, load_bench_file
from mho.running.queue import JobStatus, Queue, queue_path
from mho.running.runner import NoRunnerError, RunnerClient

RUNNER_WITHIN = 3.0  # s
NO_QUESTIONS = ("ASRL", "TCPIP")  # whose other end is not known to be an instrument


def check_queue(machine: Machine) -> Iterator[Finding]:
    """Find whether jobs wait, whether a runner is there for them, and whether a bench is not confirmed safe."""
    say = Ending("queue")
    path = queue_path(machine.runs)
    if not path.exists():
        yield say.ok("none in the folder of runs")
        return
    with Queue(path) as queue:
        lanes = {lane.bench: lane for lane in queue.lanes()}
        jobs = Counter(job.order.bench for job in queue.jobs(statuses=(JobStatus.QUEUED,)))
    for bench in sorted({*lanes, *jobs}):
        lane, waiting = lanes.get(bench), jobs[bench]
        what = f"bench {bench}: {waiting} jobs wait"
        try:
            state = RunnerClient(path, bench).status(RUNNER_WITHIN)
            what, alive = f"{what}, the runner is {state.state}", True
        except NoRunnerError:
            what, alive = f"{what}, no runner", False
        except QueueError as error:
            yield say.wrong(f"{what}; {error}", "end its process, and start `mho runner` anew")
            continue
        if lane is not None and lane.unsafe:
            yield say.wrong(f"{what}; not confirmed safe: {lane.unsafe_reason}", f"`mho bench safe {bench}`")
        elif lane is not None and lane.held:
            yield say.note(f"{what}; held: {lane.reason}", f"`mho queue resume --bench {bench}`")
        elif waiting and not alive:
            yield say.note(what, f"`mho runner --bench {bench}` carries them out")
        else:
            yield say.ok(what)


def known_benches(machine: Machine) -> list[str]:
    """Return the bench in question, and those of the queue."""
    names = [machine.bench] if machine.bench else []
    path = queue_path(machine.runs)
    if path.exists():
        with Queue(path) as queue:
            names += [lane.bench for lane in queue.lanes()] + [job.order.bench for job in queue.jobs()]
    return list(dict.fromkeys(names))


def check_locks(machine: Machine) -> Iterator[Finding]:
    """Find which process uses a bench, and whether that process still works."""
    say = Ending("locks")
    for name in known_benches(machine):
        try:
            source = load_bench_file(name)
        except MhoError as error:
            verdict = say.wrong if name == machine.bench else say.note
            yield verdict(f"bench {name}: {error}", "correct the file, or name another with --bench")
            continue
        if source.bench.simulation is None:
            yield _lock(name, source)
    yield say.ok(
        "an instrument is in use"
        if is_measuring(machine)
        else "no process of this machine uses an instrument"
    )


def _lock(name: str, source: BenchSource) -> Finding:
    import psutil

    say = Ending("locks")
    process = holder(source)
    if process is None:
        taken = last_taken(source)
        return say.ok(f"bench {name} is free{'' if taken is None else f', last used {_time(taken)}'}")
    what = f"bench {name} is in use by process {process.process} since {_time(process.since)}"
    state: str
    try:
        state = psutil.Process(process.process).status()
    except psutil.Error:
        state = "gone, or another user's"
    if state in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE):
        advice = f"`fg` in its terminal, or `kill -9 {process.process}` and then `mho bench safe {name}`"
        return say.wrong(f"{what}, which is stopped ({state})", advice)
    return say.note(f"{what} ({state})", "end it, or wait, before anything else uses this bench")


def _time(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def check_instruments(machine: Machine) -> Iterator[Finding]:
    """Ask instruments for their identity, those of a bench file and those that are found, if that is asked for."""
    say = Ending("instruments")
    if not machine.bench and not machine.ask:
        yield say.ok("not asked: --bench FILE asks those of a bench, --ask all on USB, GPIB and PXI")
        return
    if machine.bench:
        yield from _of_bench(machine)
    if machine.ask:
        if is_measuring(machine):
            yield say.note(
                "not asked: a process measures with a bench of mho", "look again when it has ended"
            )
            return
        there = machine.probe("visa_ivi")
        library = "@ivi" if there["paths"] else "@py"
        resources = there["resources"] if there["paths"] else machine.probe("visa_py")["resources"]
        asked = may_be_asked(resources)
        if not asked:
            yield say.ok(
                "none on USB, GPIB and PXI to ask; those on serial ports and networks only with --bench"
            )
            return
        yield from _ask(machine, library, asked, {})


def _of_bench(machine: Machine) -> Iterator[Finding]:
    say = Ending("instruments")
    try:
        source = load_bench_file(machine.bench)
    except MhoError:
        yield say.note("not asked: the bench file cannot be used, see locks")
        return
    if source.bench.simulation is not None:
        yield say.ok(f"bench {source.bench.name} is simulated: there is nothing to ask")
    elif (process := holder(source)) is not None:
        yield say.note(
            f"not asked: process {process.process} uses bench {source.bench.name}", "look when it has ended"
        )
    else:
        addresses = list(dict.fromkeys(source.bench.instruments.addresses()))
        named = {getattr(one, "address", ""): name for name, one in source.bench.instruments.root.items()}
        yield from _ask(machine, source.bench.visa, addresses, named)


def may_be_asked(resources: Iterable[str]) -> list[str]:
    """Return the resources at which there is an instrument: not serial ports, nor what is on a network."""
    return [one for one in resources if not one.upper().startswith(NO_QUESTIONS)]


def ask_identities(
    machine: Machine, library: str, addresses: Iterable[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Ask instruments ``*IDN?``, and yield each address with its `identity`, or with the `trouble` there was.

    One after the other, each from a process of its own: one that hangs keeps no other from its turn.
    """
    for address in addresses:
        try:
            answer = machine.probe("identify", library, address)[address]
        except (TimeoutError, RuntimeError) as error:
            answer = {"trouble": str(error)}
        yield address, answer


def _ask(machine: Machine, library: str, addresses: list[str], named: Mapping[str, str]) -> Iterator[Finding]:
    """Ask what is at these addresses for its identity; `named` has the names that a bench file gives some of them."""
    say = Ending("instruments")
    for address, answer in ask_identities(machine, library, addresses):
        where = f"{named[address]} at {address}" if address in named else address
        if trouble := answer.get("trouble"):
            advice = "look at cable, power and address; `mho bench check` says more"
            yield say.wrong(f"{where}: {trouble}", advice, private=_names_in(address))
            continue
        fields = [field.strip() for field in answer["identity"].split(",")]
        if len(fields) != 4:  # not IEEE 488.2, section 10.14
            yield say.note(
                f"{where}: {answer['identity']!r} is no identity", "is this the instrument that is meant?"
            )
            continue
        maker, model, serial, firmware = fields
        what = f"{where}: {maker} {model}, serial {serial}, firmware {firmware}"
        secret = (serial,) if len(serial) > 1 else ()  # 0 where there is none
        yield say.ok(what, private=(*secret, *_names_in(address)))


def _names_in(address: str) -> tuple[str, ...]:
    """Return the parts of an address that are somebody's: a host's name, a serial number."""
    interface, *parts = address.split("::")
    place = {"TCPIP": 0, "USB": 2}.get(interface.upper().rstrip("0123456789"))
    return () if place is None else tuple(parts[place : place + 1])
