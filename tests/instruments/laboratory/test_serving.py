"""The virtual bench on loopback sockets: any VISA program may open it, one client at a time, and it ends cleanly."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import pyvisa
from daily import daily
from queue_runners import eventually
from repository import ROOT

from mho.errors import BenchError, InstrumentError
from mho.instruments.bench_file.bench_file import BenchSource, load_bench_file
from mho.instruments.bench_file.models import SOURCE_METERS
from mho.instruments.drivers.keithley2450 import Keithley2450
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.serving import Endpoint, Server, serve_bench
from mho.instruments.simulated.agilentb1500.instrument import SimulatedAgilentB1500
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2636b import SimulatedKeithley2636B
from mho.instruments.simulated.scpi.instrument import ScpiDevice, Setting, command
from mho.instruments.simulated.scpi.parameters import BlockParameter, Numeric

BENCHES = ROOT / "mho/instruments/benches"
NAMES = ("GPIB0::1::INSTR", "GPIB0::2::INSTR")


class Meter(ScpiDevice):
    identity = "MHO,METER,{serial},1"
    level = Setting(":LEVel", Numeric(0.0, -10.0, 10.0, unit="V"))
    data = Setting(":DATA", BlockParameter())

    @command(":CRASH")
    def crash(self) -> None:
        raise RuntimeError("a bug in a twin")


class Load:
    """A hundred kilohm."""

    def drive(self, volts: float, *, connected: bool) -> None:
        pass

    def current(self, volts: float, aperture: float) -> float:
        return volts * 1e-5


@pytest.fixture
def rack() -> SimpleNamespace:
    clock = VirtualClock()
    devices = {name: Meter(clock, np.random.default_rng(0), serial=name[7]) for name in NAMES}
    return SimpleNamespace(clock=clock, devices=devices, traffic={})


@pytest.fixture
def server(rack) -> Iterator[Server]:
    with Server(rack, 0) as serving:
        yield serving


@pytest.fixture
def manager() -> Iterator[pyvisa.ResourceManager]:
    opened = pyvisa.ResourceManager("@py")
    yield opened
    opened.close()


def visa(manager: pyvisa.ResourceManager, endpoint: Endpoint) -> pyvisa.resources.MessageBasedResource:
    return manager.open_resource(
        endpoint.address, read_termination="\n", write_termination="\n", timeout=5000
    )


def raw(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection((endpoint.host, endpoint.port), timeout=5)


def ask(client: socket.socket, message: bytes) -> bytes:
    client.sendall(message)
    return client.recv(1000)


def is_refused(client: socket.socket) -> bool:
    """Whether the server hung up (with or without what we had said being read)."""
    try:
        return client.recv(10) == b""
    except ConnectionError:
        return True


def test_every_instrument_has_a_port_on_the_loopback_interface(server, manager):
    assert [endpoint.resource for endpoint in server.endpoints] == list(NAMES)
    assert {endpoint.host for endpoint in server.endpoints} == {"127.0.0.1"}
    for endpoint, number in zip(server.endpoints, "12", strict=True):
        assert endpoint.address == f"TCPIP0::127.0.0.1::{endpoint.port}::SOCKET"
        with visa(manager, endpoint) as instrument:
            assert instrument.query("*IDN?") == f"MHO,METER,{number},1"


def test_several_queries_and_pieces_of_messages_are_framed_by_line_feeds(server):
    with raw(server.endpoints[0]) as client:
        assert ask(client, b"LEV 2;LEV?\nLEV 3;LEV?\n") == b"2.000000E+00\n3.000000E+00\n"
        client.sendall(b"LEV 4;")
        time.sleep(0.05)
        assert ask(client, b"LEV?\n") == b"4.000000E+00\n"


def test_large_binary_blocks_pass_both_ways(server, manager):
    with visa(manager, server.endpoints[0]) as instrument:
        values = np.arange(100_000.0)
        instrument.write_binary_values("DATA ", values, datatype="d")
        back = instrument.query_binary_values("DATA?", datatype="d", container=np.array)
        assert np.array_equal(back, values)


def test_a_second_client_is_refused_until_the_first_has_left(server):
    one, other = server.endpoints
    with raw(one) as first:
        assert ask(first, b"*IDN?\n") == b"MHO,METER,1,1\n"
        with raw(one) as second:
            assert is_refused(second)
        with raw(other) as elsewhere:
            assert ask(elsewhere, b"*IDN?\n") == b"MHO,METER,2,1\n"
        assert ask(first, b"*IDN?\n") == b"MHO,METER,1,1\n"
    with raw(one) as third:
        assert ask(third, b"*IDN?\n") == b"MHO,METER,1,1\n"


def test_who_leaves_takes_half_a_message_along_but_no_setting(server, rack):
    one = server.endpoints[0]
    with raw(one) as client:
        assert ask(client, b"LEV 5;LEV?\n") == b"5.000000E+00\n"
        client.sendall(b"LEV 7;DATA #5000")
    with raw(one) as client:
        assert ask(client, b"LEV?\n") == b"5.000000E+00\n"
        assert ask(client, b"SYST:ERR?\n") == b'0,"No error"\n'


def test_two_instruments_may_be_used_at_once(server):
    wrong: list[bytes] = []

    def use(endpoint: Endpoint) -> None:
        with raw(endpoint) as client:
            for number in range(300):
                if ask(client, b"LEV %d;LEV?\n" % (number % 10)) != b"%.6E\n" % (number % 10):
                    wrong.append(b"%d" % number)

    threads = [threading.Thread(target=use, args=(endpoint,)) for endpoint in server.endpoints]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []


def test_traffic_is_counted(server, rack):
    with raw(server.endpoints[0]) as client:
        ask(client, b"*IDN?\n")
        eventually(lambda: rack.traffic[NAMES[0]].replies == 1)
    counted = rack.traffic[NAMES[0]]
    assert (counted.messages, counted.bytes_sent, counted.bytes_received) == (1, 6, 14)
    assert rack.traffic[NAMES[1]].messages == 0


def test_a_twin_that_fails_hangs_up_and_goes_on(server, caplog):
    with raw(server.endpoints[0]) as client:
        client.sendall(b"CRASH\n")
        assert is_refused(client)
    with raw(server.endpoints[0]) as client:
        assert ask(client, b"*IDN?\n") == b"MHO,METER,1,1\n"
    assert "a bug in a twin" in caplog.text


def test_closing_frees_the_ports_and_ends_the_threads(rack):
    before = threading.active_count()
    server = Server(rack, 0)
    port = server.endpoints[0].port
    client = raw(server.endpoints[0])
    ask(client, b"*IDN?\n")
    server.close()
    server.close()
    assert is_refused(client)
    client.close()
    assert threading.active_count() == before
    with Server(SimpleNamespace(clock=rack.clock, devices={NAMES[0]: rack.devices[NAMES[0]]}), port) as again:
        assert again.endpoints[0].port == port


@pytest.mark.thorough
def test_a_client_that_never_pauses_does_not_keep_the_server_from_ending(rack):
    server = Server(rack, 0)
    client = raw(server.endpoints[0])

    def flood() -> None:
        try:
            while True:
                client.sendall(b"LEV 1\n" * 1000)
        except OSError:
            pass

    flooding = threading.Thread(target=flood)
    flooding.start()
    eventually(lambda: rack.traffic[NAMES[0]].messages > 10_000)
    server.close()
    flooding.join(10)
    client.close()
    assert not flooding.is_alive()


def test_a_taken_port_is_refused_and_leaves_nothing_behind(rack):
    before = threading.active_count()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        with pytest.raises(
            BenchError, match=rf"port {taken} of 127\.0\.0\.1 cannot be used: .*choose another"
        ):
            Server(rack, taken)
    with pytest.raises(BenchError, match="port 70000"):
        Server(rack, 70000)
    assert threading.active_count() == before


def test_the_bench_is_served_with_its_chip_and_its_drivers_work_on_it():
    lab = Laboratory(load_bench_file("simulated"), preset="ideal", seed=1)
    with Server(lab, 0) as server:
        address = {endpoint.resource: endpoint.address for endpoint in server.endpoints}
        smu, gate = (Keithley2450(address[name], "@py") for name in list(lab.devices)[:2])
        try:
            for meter in (smu, gate):
                meter.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
                meter.enable()
            gate.hold(2.5)
            assert lab.lines.gate == pytest.approx(2.5, rel=1e-2)
            reading = smu.read(0.2)
            assert reading.voltage == pytest.approx(0.2, rel=1e-2)
            assert abs(reading.current) < 1e-8
            assert lab.monitor.extremes()["bit line"].highest == pytest.approx(0.2, rel=1e-2)
        finally:
            smu.close()
            gate.close()


def addresses(text: str) -> set[str]:
    """Every VISA address that a bench file names."""
    instruments = tomllib.loads(text)["instruments"]
    return {entry["address"] for entry in instruments.values() if "address" in entry}


@pytest.mark.parametrize("bench", daily(sorted(path.stem for path in BENCHES.glob("*.toml")), 3))
def test_every_instrument_of_every_packaged_bench_is_served_or_said_not_to_be(bench):
    source = load_bench_file(bench)
    lab = Laboratory(source, preset="ideal", seed=1)
    with Server(lab, 0) as server:
        assert {endpoint.resource for endpoint in server.endpoints} == addresses(source.text)
        for endpoint in server.endpoints:
            with raw(endpoint) as client:
                assert ask(client, b"*IDN?\n").count(b",") == 3
        listing = server.listing()
    products = getattr(source.bench.instruments.daq, "products", {})
    for device, product in products.items():
        assert f"{device} ({product})" in listing.splitlines()[-1]
    assert ("not served: NI DAQ" in listing) == bool(products)


@pytest.mark.parametrize("driver", SOURCE_METERS)
def test_every_source_meter_can_be_served(driver):
    model = SOURCE_METERS[driver]
    twin = model.load_twin()
    wired = {1: Load(), 2: Load()} if model.channels > 1 else Load()
    clock = VirtualClock()
    device = twin(clock, np.random.default_rng(1), wired, serial="S1")
    with (
        Server(SimpleNamespace(clock=clock, devices={"X": device}), 0) as server,
        raw(server.endpoints[0]) as client,
    ):
        assert ask(client, b"*IDN?\n").count(b",") == 3


def test_all_data_of_a_b1500_come_through():
    clock = VirtualClock()
    device = SimulatedAgilentB1500(clock, np.random.default_rng(1), {1: Load()}, accuracy=0.0, noise=0.0)
    with (
        Server(SimpleNamespace(clock=clock, devices={"B": device}), 0) as server,
        raw(server.endpoints[0]) as client,
    ):
        replies = ask(client, b"FMT 21;CN 1;DV 1,0,0.5,1E-3;TI 1,0;TV 1,0;ERRX?\r\n")
    assert replies == b'+0,"No Error."\r\n000AI+005.0000E-06\r\n000AV+500.0000E-03\r\n'


def test_a_real_benchs_twins_may_be_served(tmp_path, monkeypatch):
    text = (ROOT / "mho/instruments/benches/simulated.toml").read_text("utf-8")
    start, end = text.index("\n[simulation]"), text.index("[instruments.smu]")
    (tmp_path / "lab.toml").write_text(f"{text[:start]}\n{text[end:]}", encoding="utf-8")
    told: list[list[Endpoint]] = []

    def announce(source: BenchSource, server: Server) -> None:
        told.append(server.endpoints)
        with raw(server.endpoints[0]) as client:
            assert b"MODEL 2450" in ask(client, b"*IDN?\n")
        signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    serve_bench(str(tmp_path / "lab.toml"), 0, announce)
    assert len(told[0]) == 4
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_cleanly(number):
    script = (
        "from mho.instruments.laboratory.serving import serve_bench\n"
        "serve_bench('simulated', 0, lambda _, server: print(*(e.address for e in server.endpoints), flush=True))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        addresses = child.stdout.readline().split()
        assert len(addresses) == 4
        with socket.create_connection(("127.0.0.1", int(addresses[0].split("::")[2])), timeout=5) as client:
            assert b"KEITHLEY" in ask(client, b"*IDN?\n")
            child.send_signal(number)
            _, errors = child.communicate(timeout=20)
        assert (child.returncode, errors) == (0, "")
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.mark.timeout(30)
def test_making_safe_over_a_socket_whose_other_end_has_gone_ends_with_an_error():
    clock = VirtualClock()
    meter = SOURCE_METERS["keithley2450"].load_twin()(clock, np.random.default_rng(0), Load(), serial="1")
    rack = SimpleNamespace(clock=clock, devices={NAMES[0]: meter}, traffic={})
    with Server(rack, 0) as serving:
        driver = Keithley2450(serving.endpoints[0].address, "@py", timeout=0.2)
        driver.interrupt()
        assert driver.identify().startswith("KEITHLEY INSTRUMENTS")
    with pytest.raises(InstrumentError):
        driver.make_safe()
    driver.close()


# --- scripts that do not end ---


@pytest.fixture
def scripted(monkeypatch) -> Iterator[Server]:
    """Serve a 2636B, whose scripts have a budget that they cannot use up, and a meter."""
    monkeypatch.setattr("mho.instruments.simulated.tsp.lua.INSTRUCTIONS", 10**13)
    clock, rng = VirtualClock(), np.random.default_rng(0)
    devices = {NAMES[0]: SimulatedKeithley2636B(clock, rng, {}), NAMES[1]: Meter(clock, rng)}
    with Server(SimpleNamespace(clock=clock, devices=devices, traffic={}), 0) as serving:
        yield serving


def begun(server: Server) -> socket.socket:
    """Begin a script that does not end, and return its client."""
    device = server._lines[0]._device
    client = raw(server.endpoints[0])
    client.settimeout(60)
    client.sendall(b"print('runs') while true do end\n")
    eventually(lambda: bool(device._output))
    return client


def test_others_answer_while_a_script_goes_on_and_abort_ends_it(scripted):
    with begun(scripted) as client, raw(scripted.endpoints[1]) as other:
        other.settimeout(60)
        for number in range(5):
            assert ask(other, b"LEV %d;LEV?\n" % number) == b"%.6E\n" % number
        client.sendall(b"abort\n")
        assert client.recv(100) == b"runs\n"
        assert ask(client, b"print(errorqueue.next())\n").startswith(
            b"-2.86000e+02\tTSP Runtime error: the script was aborted"
        )


def test_hanging_up_ends_a_script_and_the_next_client_is_served(scripted):
    begun(scripted).close()
    with raw(scripted.endpoints[0]) as client:
        client.settimeout(60)
        assert ask(client, b"print(errorqueue.count)\n") == b"1.00000e+00\n"


def test_closing_the_server_ends_a_script(scripted):
    with begun(scripted):
        scripted.close()
    assert not any(line.is_alive() for line in scripted._lines)
