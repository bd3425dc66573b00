"""The simulated instruments on TCP sockets of this computer, for VISA programs that do not use `@mho`.

Each behaves like a real instrument on its raw socket: messages and replies end with a line feed, without END, serial
poll or device clear. Like many real ones it serves one client at a time and disconnects another at once. Only the
loopback interface is used, as there is no authentication. An NI DAQ is not served: it is reached by calls of NI's
library, not by messages.
"""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import NamedTuple, Self

from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import BenchSource, load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.stand_in import stand_in
from mho.instruments.simulated.ports import Device, Rack, Traffic

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
DEFAULT_PORT = 5025  # port of the first instrument: the usual one for SCPI
CHUNK = 1 << 16
AT_ONCE = 100  # chunks of input in a row: a client that never pauses must not keep the server from ending
PATIENCE = 10.0  # s that a client may take to accept a reply


class Endpoint(NamedTuple):
    """The endpoint of a served instrument: its resource name on the bench, and the socket."""

    resource: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """VISA resource name of the socket."""
        return f"TCPIP0::{self.host}::{self.port}::SOCKET"


class Server:
    """Serves a rack until it is closed; a context manager.

    Parameters
    ----------
    rack : Rack
        While served, its instruments frame replies as streams; do not open it by `@mho` meanwhile.
    port_base : int
        Port of the first instrument, the others follow; 0 takes any that are free.

    Attributes
    ----------
    endpoints : list of Endpoint
        In the order of the rack.
    unserved : dict
        Products of the devices that cannot be served (NI DAQs), by device name.

    Raises
    ------
    BenchError
        When a port is taken or must not be used.
    """

    def __init__(self, rack: Rack, port_base: int = DEFAULT_PORT) -> None:
        self._rack = rack  # whose instruments refer to its wires weakly
        turn = threading.Lock()  # all share one clock and one chip: messages are carried out one by one
        counted: dict[str, Traffic] = getattr(rack, "traffic", {})
        with ExitStack() as opened:
            self._lines = []
            for number, (resource, device) in enumerate(rack.devices.items()):
                listener = opened.enter_context(_listen(port_base + number if port_base else 0))
                endpoint = Endpoint(resource, HOST, listener.getsockname()[1])
                traffic = counted.setdefault(resource, Traffic())
                self._lines.append(_Line(endpoint, device, listener, turn, traffic))
            opened.pop_all()  # from here on each thread closes its own
        self.endpoints = [line.endpoint for line in self._lines]
        self.unserved: dict[str, str] = dict(getattr(getattr(rack, "daq", None), "products", {}))
        for line in self._lines:
            line.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def listing(self) -> str:
        """Return a table of the served instruments and of those that are not served, one line each."""
        lines = [f"{endpoint.address}  {endpoint.resource}" for endpoint in self.endpoints]
        if self.unserved:
            devices = ", ".join(f"{name} ({product})" for name, product in self.unserved.items())
            lines.append(
                f"not served: NI DAQ {devices}. It is reached through NI-DAQmx, not by messages: use nidaqmx in "
                "the process that opens the bench, within laboratory.daq_session()"
            )
        return "\n".join(lines)

    def close(self) -> None:
        """Disconnect all clients and free the ports; outputs stay as they are. A second call does nothing."""
        for line in self._lines:
            line.stop()
        for line in self._lines:
            line.join()


class _Line(threading.Thread):
    """One instrument's socket and the thread that serves it."""

    def __init__(
        self, endpoint: Endpoint, device: Device, listener: socket.socket, turn: threading.Lock,
        traffic: Traffic,
    ) -> None:  # fmt: skip
        super().__init__(name=f"serving {endpoint.resource}", daemon=True)
        self.endpoint = endpoint
        self._device, self._listener, self._turn, self._traffic = device, listener, turn, traffic
        self._wake, self._woken = socket.socketpair()

    def stop(self) -> None:
        """Ask the thread to end."""
        with suppress(OSError):  # it has ended already
            self._wake.send(b"x")

    def run(self) -> None:
        """Accept clients and answer them until told to stop."""
        self._device.stream = True
        with self._wake, self._woken, self._listener, selectors.DefaultSelector() as ready:
            ready.register(self._woken, selectors.EVENT_READ)
            ready.register(self._listener, selectors.EVENT_READ)
            client: socket.socket | None = None
            try:
                while True:
                    sources = {key.fileobj for key, _ in ready.select()}
                    if self._woken in sources:
                        return
                    if client is not None and not self._serve(client):
                        ready.unregister(client)
                        self._hang_up(client)
                        client = None
                    if self._listener in sources:
                        newcomer = self._accept(busy=client is not None)
                        if newcomer is not None:
                            client = newcomer
                            ready.register(client, selectors.EVENT_READ)
            finally:
                if client is not None:
                    self._hang_up(client)

    def _accept(self, *, busy: bool) -> socket.socket | None:
        """Accept the waiting client, unless there is one already."""
        try:
            caller, _ = self._listener.accept()
        except OSError:  # disconnected before it was accepted
            return None
        if busy:
            log.warning("%s: a second client is refused", self.endpoint.resource)
            caller.close()
            return None
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        caller.settimeout(PATIENCE)
        return caller

    def _serve(self, client: socket.socket) -> bool:
        """Answer all that the client has sent so far; return whether it is still connected.

        Its disconnection is handled here as well: the next client must not be taken for a second one.
        """
        with selectors.DefaultSelector() as pending:
            pending.register(client, selectors.EVENT_READ)
            for _ in range(AT_ONCE):
                if not pending.select(0):
                    break
                if not self._answer(client):
                    return False
        return True

    def _answer(self, client: socket.socket) -> bool:
        """Pass on the client's messages and the instrument's replies; return whether the client is still connected."""
        try:
            data = client.recv(CHUNK)
            if not data:
                return False
            with self._turn:
                self._device.write(data, False)
                reply = self._device.read()
            self._traffic.messages += data.count(b"\n")
            self._traffic.bytes_sent += len(data)
            if reply:
                client.sendall(reply)
                self._traffic.replies += 1
                self._traffic.bytes_received += len(reply)
        except OSError as error:
            log.warning("%s: lost its client: %s", self.endpoint.resource, error)
            return False
        except Exception:  # an error in the twin: the others stay served
            log.exception("%s failed; its client is hung up on", self.endpoint.resource)
            return False
        return True

    def _hang_up(self, client: socket.socket) -> None:
        """End a connection and discard unfinished input and unread replies; settings stay."""
        with self._turn:
            self._device.clear()
        client.close()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise BenchError(f"port {port} of {HOST} cannot be used: {reason}; choose another") from None
    return listener


def serve_bench(bench: str, port_base: int, announce: Callable[[BenchSource, Server], None]) -> None:
    """Serve the instruments of a bench, or the twins of real ones, until SIGINT or SIGTERM.

    Parameters
    ----------
    bench : str
        A packaged bench or a bench file.
    port_base : int
        As for `Server`.
    announce : callable
        Given the bench file and the server, once its endpoints can be opened.

    Raises
    ------
    BenchError
        For a bench file that is wrong, or a port that cannot be used.
    """
    source = load_bench_file(bench)
    rack = Laboratory(stand_in(source))
    stop = threading.Event()
    previous = {
        number: signal.signal(number, lambda received, frame: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with Server(rack, port_base) as server:
            announce(source, server)
            stop.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
