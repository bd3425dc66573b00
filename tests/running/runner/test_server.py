"""The runner's socket: who gets in, what is understood, and that no client holds anybody up."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import AuthenticationError
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from hypothesis import given, settings
from hypothesis import strategies as st
from queue_runners import Desk, eventually, running

from mho import platforms
from mho.errors import QueueError
from mho.procedures.stream import Message, Row
from mho.running.queue import Queue
from mho.running.runner import NoRunnerError, RunnerBusyError, RunnerClient
from mho.running.runner import server as control
from mho.running.runner.connection import REQUEST_LIMIT, Rendezvous, RunnerAddress, Wire
from mho.running.runner.messages import (
    ROOM,
    Missed,
    Outbox,
    QueueChanged,
    RunnerState,
    decode,
    decode_request,
    encode,
)
from mho.running.runner.server import SEATS, WATCHERS


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "queue.sqlite")


@pytest.fixture
def place(desk) -> Rendezvous:
    return Rendezvous(desk.path, "simulated")


@pytest.fixture
def runner(desk, place) -> Iterator[None]:
    """An idle runner."""
    with running(desk, drain=False) as serving:
        eventually(lambda: serving._presence._server)
        yield serving


def wire(place: Rendezvous) -> Wire:
    card = place.card()
    with platforms.here.connect_to(card.address) as sock:
        sock.connect(card.address)
        return Wire.opened(sock, card.secret)


def listens(place: Rendezvous, message: bytes) -> object:
    connected = wire(place)
    try:
        connected.send(message)
        return decode(connected.receive(5.0))
    finally:
        connected.release()


# --- who gets in ---


def test_only_the_user_can_reach_the_socket_and_read_the_secret(runner, place):
    found = [place.lock, place._card, Path(place.card().address)]
    assert [stat.S_IMODE(path.stat().st_mode) for path in found] == [0o600] * 3
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in found} == {0o700}


def test_a_folder_that_is_open_to_others_is_refused(desk, place):
    place.folder.mkdir(mode=0o755)
    for meet in (place.prepare, desk.client.status):
        with pytest.raises(QueueError, match="must be yours, and closed to others"):
            meet()


def test_the_place_is_one_whatever_the_environment_and_the_folder_say(desk, place, tmp_path, monkeypatch):
    for name in ("TMPDIR", "XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert Rendezvous(Path("queue.sqlite"), "simulated").lock == place.lock
    assert place.lock.parent.parent == desk.path.parent


def test_the_place_is_one_by_whatever_link_the_queue_is_found(desk, place, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "other.sqlite").symlink_to(desk.path)
    for path in ("link/queue.sqlite", "other.sqlite"):
        assert Rendezvous(tmp_path / path, "simulated").lock == place.lock


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["q", "q" * 90])
def test_a_client_with_another_environment_finds_the_runner_wherever_its_socket_is(name, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="mho", dir="/tmp") as folder:
        desk = Desk(Path(folder) / name)
        place = Rendezvous(desk.path, "simulated")
        with running(desk, drain=False):
            card = eventually(place.card)
            assert (Path(card.address).parent == place.folder) is (
                name == "q"
            )  # else its name is too long for one
            monkeypatch.setenv("TMPDIR", "/var/tmp")
            monkeypatch.setenv("XDG_RUNTIME_DIR", "/run")
            assert desk.client.status().pid == os.getpid()
            monkeypatch.undo()
        assert not Path(card.address).exists()


def test_a_client_with_a_wrong_key_is_refused(runner, desk, place, monkeypatch):
    right = place.card()
    monkeypatch.setattr(Rendezvous, "card", lambda self: replace(right, secret=b"x" * 32))
    with pytest.raises(QueueError, match="does not know this user's key"):
        desk.client.pause()
    monkeypatch.undo()
    assert not desk.client.status().held


def test_a_runner_that_does_not_know_the_key_is_no_runner(desk, place):
    """Somebody who took over the socket's name cannot pass for the runner."""
    place.prepare()
    with place.listen() as listener:
        card = place.publish(listener)

        def pretend() -> None:
            sock, _ = listener.accept()
            with pytest.raises((OSError, EOFError, AuthenticationError)):
                Wire.accepted(sock, b"y" * len(card.secret))

        thread = threading.Thread(target=pretend)
        thread.start()
        with pytest.raises(QueueError):
            desk.client.abort()
        thread.join()
    place.withdraw()


@pytest.mark.parametrize(
    "noise",
    daily([b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 1000, b"\0\0\0\x05hello", os.urandom(400)], 3),
)
def test_noise_instead_of_authentication_harms_nobody(runner, desk, place, noise):
    address = place.card().address
    with platforms.here.connect_to(address) as sock:
        sock.connect(address)
        sock.sendall(noise)
    assert desk.client.status().state == "idle"


def test_without_a_runner_that_is_said(desk, place):
    with pytest.raises(NoRunnerError, match="no runner serves bench 'simulated'; start one with `mho runner"):
        desk.client.status()
    with running(desk, drain=False):
        eventually(place.card)
        desk.client.status()
    assert place.card() is None
    with pytest.raises(NoRunnerError):
        desk.client.status()


def test_a_card_that_a_killed_runner_left_is_nobody_and_one_of_a_runner_that_hangs_is_somebody(desk, place):
    place.prepare()
    with place.listen() as listener:
        card = place.publish(listener)  # of this process; from now on nobody listens
    with pytest.raises(RunnerBusyError, match=rf"\(process {os.getpid()}\) does not answer"):
        desk.client.status()
    content = place._card.read_text("utf-8")
    place._card.write_text(
        content.replace(card.birth, "another boot 1")
    )  # its number is another process's now
    with pytest.raises(NoRunnerError):
        desk.client.status()


def test_a_runner_that_starts_a_moment_later_is_not_said_to_be_silent(desk, place, monkeypatch):
    card = RunnerAddress(os.getpid(), platforms.here.birth_of(os.getpid()), "nowhere", b"secret")
    found = iter([None, card, card])
    monkeypatch.setattr(Rendezvous, "card", lambda self: next(found))
    with pytest.raises(NoRunnerError):
        desk.client.status()


def test_a_runner_is_never_taken_for_the_one_that_was_killed_here(desk, place, monkeypatch):
    place.prepare()
    with place.listen() as listener:
        place.publish(listener)
    place._card.write_text(place._card.read_text("utf-8").replace(f'"pid": {os.getpid()}', '"pid": 1'))
    cards = []

    def listen(self: Rendezvous) -> socket.socket:
        listener = own(self)
        cards.append(self.card())  # a client that comes now
        return listener

    own = Rendezvous.listen
    monkeypatch.setattr(Rendezvous, "listen", listen)
    with running(desk, drain=False):
        eventually(lambda: cards)
    assert cards == [None]


# --- what is understood ---


@pytest.mark.parametrize(
    "message",
    daily([
        b"", b"hello", b"[]", b"{}", b'{"command": "dance"}', b'{"command": "pause", "job": "x"}', b"\xff\xfe",
        b'{"command": "status", "more": 1}', b"\x80\x04\x95.", b'{"kind": "Command", "command": "emergency"}', b"[" * 4000,
    ], 5),
)  # fmt: skip
def test_a_malformed_request_is_answered_and_the_next_one_is_heard(runner, place, message):
    connected = wire(place)
    connected.send(message)
    assert decode(connected.receive(5.0)).reason.startswith("not a request: ")
    connected.send(b'{"command": "status"}')
    assert isinstance(decode(connected.receive(5.0)), RunnerState)
    connected.release()


def test_an_oversized_request_is_hung_up_on_and_others_are_served(runner, desk, place):
    connected = wire(place)
    connected.send(b"x" * (REQUEST_LIMIT + 1))
    with pytest.raises((EOFError, OSError)):
        connected.receive(5.0)
    connected.release()
    assert desk.client.status().state == "idle"


def test_aborting_what_does_not_run_is_refused(runner, desk):
    with pytest.raises(QueueError, match="no job is being run on bench 'simulated'"):
        desk.client.abort(7)
    with pytest.raises(QueueError, match="no job is being run"):
        desk.client.abort()


KINDS = st.sampled_from(["Row", "Progress", "Job", "JobChanged", "Assignment", "Command", "Done", "X"])
PLAIN = st.none() | st.booleans() | st.floats() | st.integers() | st.text()
JSON = st.recursive(PLAIN, lambda one: st.lists(one) | st.dictionaries(st.text(), one))


@pytest.mark.thorough
@settings(max_examples=40)
@given(st.binary() | st.dictionaries(st.text(), JSON).map(lambda d: json.dumps(d).encode()), KINDS, JSON)
def test_whatever_arrives_is_understood_or_refused(noise, kind, content):
    for line in (noise, json.dumps({"kind": kind, "values": content}).encode()):
        for take in (decode, decode_request):
            with contextlib.suppress(QueueError):
                take(line)


def test_rows_cross_with_arrays_as_lists():
    row = Row("cycles", {"x": np.arange(3.0), "n": np.uint32(2), "z": np.complex128(1 + 2j), "name": "a"})
    assert decode(encode(row)) == Row("cycles", {"x": [0.0, 1.0, 2.0], "n": 2, "z": [1.0, 2.0], "name": "a"})


# --- there is always a seat ---


@pytest.mark.thorough
def test_with_as_many_watchers_as_may_be_the_next_is_told_so_and_a_command_is_heard(runner, desk):
    with contextlib.ExitStack() as stack:
        for _ in range(WATCHERS):
            stack.enter_context(desk.client.watch()).receive(5.0)
        late = stack.enter_context(desk.client.watch())
        with pytest.raises(
            RunnerBusyError, match=f"a runner serves this bench .* all {WATCHERS} seats of those who watch"
        ):
            late.receive(5.0)
        assert late.over
        assert desk.client.pause().held
        assert desk.client.emergency_stop().unsafe


def test_clients_that_say_nothing_give_up_their_seats(runner, desk, place, monkeypatch):
    monkeypatch.setattr(control, "REQUEST_WITHIN", 0.3)
    silent = [wire(place) for _ in range(SEATS)]
    assert desk.client.status().state == "idle"
    for one in silent:
        one.release()


# --- nobody is held up ---


def test_two_clients_hear_what_either_does(runner, desk):
    with desk.client.watch() as one, desk.client.watch() as other:
        heard = [next(iter(one)), next(iter(other))]
        assert all(isinstance(state, RunnerState) and not state.held for state in heard)
        RunnerClient(desk.path).pause()
        for watch in (one, other):
            assert eventually(lambda watch=watch: isinstance(e := watch.receive(5.0), RunnerState) and e.held)
        with Queue(desk.path) as queue:
            queue.release("simulated")
        for watch in (one, other):
            assert eventually(lambda watch=watch: isinstance(watch.receive(5.0), QueueChanged))


@pytest.mark.thorough
def test_a_client_that_takes_nothing_holds_nobody_up(runner, desk, place):
    lazy = wire(place)
    lazy.send(b'{"command": "watch"}')
    with desk.client.watch() as watch:
        watch.receive(5.0)
        for number in range(3 * ROOM):  # waiting for the lazy one would never end
            runner._presence._server.announce(Message("INFO", f"{number} " + "x" * 1000))
        assert desk.client.status().state == "idle"
        events = []
        while (event := watch.receive(1.0)) is not None:
            events.append(event)
    missed = sum(event.count for event in events if isinstance(event, Missed))
    assert len(events) + missed >= ROOM
    lazy.release()


def test_what_was_missed_is_told_when_there_is_room_again():
    taken, open_ = [], threading.Event()

    def take(line: bytes) -> None:
        open_.wait(10)
        taken.append(decode(line))

    box = Outbox(take)
    for number in range(ROOM + 11):
        box.offer(Message("INFO", str(number)))
    open_.set()
    eventually(lambda: len(taken) >= ROOM)
    box.offer(Message("INFO", "later"))
    box.close(10.0)
    missed = next(event for event in taken if isinstance(event, Missed))
    assert 10 <= missed.count <= 11
    assert taken[-1] == Message("INFO", "later")
    assert len(taken) == ROOM + 11 - missed.count + 2


def test_a_dead_client_is_forgotten(runner, desk, place):
    server = runner._presence._server
    for _ in range(5):
        dying = wire(place)
        dying.send(b'{"command": "watch"}')
        dying.receive(5.0)
        dying.release()
    eventually(lambda: not server._clients)
    assert not server._watching


def test_watching_ends_with_the_runner(desk, place):
    with running(desk, drain=False) as serving:
        eventually(place.card)
        with desk.client.watch() as watch:
            watch.receive(5.0)
            serving.end("enough")
            assert all(isinstance(event, RunnerState) for event in watch)  # how it stands, at most once more
            assert watch.over


def test_a_folder_that_cannot_be_read_is_an_error_of_the_queue(tmp_path: Path, monkeypatch) -> None:
    """Which a window that listens reports, and it listens on."""
    runner = Rendezvous(tmp_path / "queue.sqlite", "simulated")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:  # root may read all
        patched.setattr(os, "stat", refuse)
        patched.setattr(Path, "read_text", refuse)
        with pytest.raises(QueueError, match="cannot be read"):
            runner.card()
