"""The simulated instruments on TCP sockets of this computer, for VISA programs that do not use `@mho`.

Each behaves like a real instrument on its raw socket: messages and replies end with a line feed, without END, serial
poll or device clear. A script that goes on lets the others answer, and ends when its client hangs up or sends
``abort``. Like many real ones it serves one client at a time and disconnects another at once. Only the loopback
interface is used, as there is no authentication. An NI DAQ is not served: it is reached by calls of NI's library, not
by messages.

A bench file with these sockets as addresses is written too: drivers, checks and tests use it like a real bench's.
"""

from __future__ import annotations

import logging
import re
import select
import selectors
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import BenchFile, BenchSource, load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.instruments.simulated.ports import Device, Rack, Traffic
from mho.platforms import here
from mho.toml import parse_toml

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
DEFAULT_PORT = 5025  # port of the first instrument: the usual one for SCPI
CHUNK = 1 << 16
AT_ONCE = 100  # chunks of input in a row: a client that never pauses must not keep the server from ending
GLANCE = 0.2  # s between looks for a signal
PATIENCE = 10.0  # s that a client may take to accept a reply
ABORT = re.compile(rb"^[ \t]*abort[ \t\r]*\n", re.MULTILINE)


class Endpoint(NamedTuple):
    """The endpoint of a served instrument: its resource name on the bench, and the socket."""

    resource: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """VISA resource name of the socket."""
        return f"TCPIP0::{self.host}::{self.port}::SOCKET"


class Turn:
    """Whose message is carried out: threads have it one by one, in the order in which they ask."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asked = self._done = 0

    def __enter__(self) -> None:
        with self._changed:
            mine = self._asked
            self._asked += 1
            while self._done != mine:
                self._changed.wait()

    def __exit__(self, *ended: object) -> None:
        with self._changed:
            self._done += 1
            self._changed.notify_all()

    def pass_on(self) -> None:
        """Let those who wait go first, and take it back."""
        self.__exit__()
        self.__enter__()


class Server:
    """Serves a rack until it is closed; a context manager.

    `rack`: while served, its instruments frame replies as streams; do not open it by `@mho` meanwhile.
    `port_base`: port of the first instrument, the others follow; 0 takes any that are free.

    `endpoints`: in the order of the rack.
    `unserved`: products of the devices that cannot be served (NI DAQs), by device name.

    `BenchError` when a port is taken or must not be used.
    """

    def __init__(self, rack: Rack, port_base: int = DEFAULT_PORT) -> None:
        self._rack = rack  # whose instruments refer to its wires weakly
        turn = Turn()  # all share one clock and one chip: messages are carried out one by one
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
        self, endpoint: Endpoint, device: Device, listener: socket.socket, turn: Turn,
        traffic: Traffic,
    ) -> None:  # fmt: skip
        super().__init__(name=f"serving {endpoint.resource}", daemon=True)
        self.endpoint = endpoint
        self._device, self._listener, self._turn, self._traffic = device, listener, turn, traffic
        self._wake, self._woken = socket.socketpair()
        self._client: socket.socket | None = None

    def stop(self) -> None:
        """Ask the thread to end."""
        with suppress(OSError):  # it has ended already
            self._wake.send(b"x")

    def run(self) -> None:
        """Accept clients and answer them until told to stop."""
        self._device.stream = True
        if hasattr(self._device, "pause"):
            self._device.pause = self._pause
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

    def _pause(self) -> None:
        """Let the other instruments answer while this one is at a script, and end it if its client or the server does."""
        self._turn.pass_on()
        asking = [one for one in (self._woken, self._client) if one is not None]
        ready = select.select(asking, [], [], 0)[0]
        if self._woken in ready or (self._client in ready and self._gives_up(self._client)):
            self._device.abort()  # type: ignore[attr-defined]  # as has what has `pause`

    @staticmethod
    def _gives_up(client: socket.socket | None) -> bool:
        """Return whether a client has hung up or sent ``abort``; what it has sent stays to be received."""
        try:
            data = client.recv(CHUNK, socket.MSG_PEEK) if client is not None else b""
        except OSError:
            return True
        return not data or ABORT.search(data) is not None

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
        self._client = client
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
        # On Windows the other option lets two programs have one port.
        alone = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
        listener.setsockopt(socket.SOL_SOCKET, alone, 1)
        listener.bind((HOST, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise BenchError(f"port {port} of {HOST} cannot be used: {reason}; choose another") from None
    return listener


def serve_bench(bench: str, port_base: int, announce: Callable[[BenchSource, Server], None]) -> None:
    """Serve the instruments of a bench, or the twins of real ones, until SIGINT, SIGTERM or another key that ends programs.

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
        for number in (signal.SIGTERM, *here.keys)
    }
    try:
        with Server(rack, port_base) as server:
            announce(source, server)
            while not stop.wait(GLANCE):  # on Windows no signal interrupts it
                pass
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


FIRST_LINE = (
    "# Written by `mho bench serve`: simulated instruments on this computer's sockets, used as real ones."
)
_SIMULATION = re.compile(r"^\[simulation\][^\n]*\n(?:(?!\[)[^\n]*\n)*", re.MULTILINE)
# It would trip: the twins' virtual clock runs ahead of the computer's clock, by which the board is fed.
_WATCHDOG = re.compile(r"^watchdog\s*=[^\n]*\n", re.MULTILINE)
_NAME = re.compile(r'^(name\s*=\s*")([^"\n]*)"', re.MULTILINE)
_VISA = re.compile(r"^visa\s*=[^\n]*\n", re.MULTILINE)


def served_text(source: BenchSource, endpoints: Iterable[Endpoint]) -> str:
    """Return a bench file's text with sockets as addresses, a name that says so, and without its simulation and watchdog.

    `BenchError` when the file is written in a form that cannot be edited in this way.
    """
    text = _WATCHDOG.sub("", _VISA.sub("", _SIMULATION.sub("", source.text)))
    for endpoint in endpoints:
        text = text.replace(f'"{endpoint.resource}"', f'"{endpoint.address}"')
    text = _NAME.sub(lambda match: f'{match[1]}{match[2]}, served"', text, count=1)
    text = f'{FIRST_LINE}\nvisa = "@py"\n{text}'
    bench = parse_toml(text, BenchFile, "the bench file as served", BenchError)
    served = {endpoint.address for endpoint in endpoints}
    if bench.simulation is not None or not served.issuperset(bench.instruments.addresses()):
        raise BenchError(
            "the bench file cannot be rewritten for its sockets: give it a section [simulation] of its own and its "
            'addresses in double quotes, as address = "…"'
        )
    return text


def write_served(path: Path, text: str) -> None:
    """Write the served bench file; raises `BenchError` when this fails, or another file is there."""
    try:
        if path.exists() and not path.read_text("utf-8", "replace").startswith(FIRST_LINE):
            raise BenchError(f"{path} was not written by `mho bench serve`: it stays; choose another name")
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchError(f"cannot write {path} ({error.strerror}); choose another place") from None
