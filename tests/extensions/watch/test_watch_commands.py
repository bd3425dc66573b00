"""STOP and Pause from the page of ``mho watch``: over real HTTP, on real runners, and never without the token."""

import http.client
import re
import subprocess

import pytest
from daily import daily
from queue_runners import Desk, eventually, order, running, served_bench, unsafe_roles
from system_packages import ALONE, browser, needs_browser

from mho.extensions.watch import WatchServer
from mho.extensions.watch.serving import LONGEST, PAUSED
from mho.running.queue import JobStatus, Queue

BENCH = "simulated"


@pytest.fixture
def server(tmp_path):
    with WatchServer(tmp_path, 0) as made:
        yield made


def token_of(server):
    return server.commanding_address.partition("#token=")[2]


def command(server, act, bench=BENCH, token=None, **headers):
    """Send a command as the page does, and return the status and the sentence."""
    address = server.address.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(address, timeout=100)
    given = {} if token is None else {"Authorization": f"Bearer {token}"}
    connection.request("POST", f"/{act}", bench, given | headers)
    answer = connection.getresponse()
    result = answer.status, answer.read().decode()
    connection.close()
    return result


def lane(folder, bench=BENCH):
    with Queue(folder / "queue.sqlite") as queue:
        return queue.lane(bench)


def test_a_token_is_long_and_of_one_server(server, tmp_path):
    assert len(token_of(server)) >= 22  # of 128 bits
    with WatchServer(tmp_path, 0) as other:
        assert token_of(other) != token_of(server)


STRANGE = "\xe9\xff"  # no letters of a token, which nothing that compares it may stumble over


@pytest.mark.parametrize("token", daily([None, STRANGE, "", "guess"], 2))
def test_without_the_token_nothing_is_stopped(server, tmp_path, token):
    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.add(order())
    for act in ("stop", "pause"):
        status, said = command(server, act, token=token)
        assert status == 403
        assert said.startswith(
            "this page is read only without the token; open the whole address that mho watch printed"
        )
    assert not lane(tmp_path).held


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},  # its name was made to resolve to 127.0.0.1
        {"Host": "127.0.0.1.evil.example:8080"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},  # another server of this machine
    ],
)
def test_a_page_elsewhere_commands_nothing_even_with_the_token(server, tmp_path, headers):
    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.add(order())
    assert command(server, "pause", token=token_of(server), **headers)[0] == 403
    assert not lane(tmp_path).held


def test_the_token_is_in_no_answer(server, tmp_path):
    address = server.address.removeprefix("http://").rstrip("/")
    for path in ("/", "/body", "/script.js", "/style.css", "/stop"):
        connection = http.client.HTTPConnection(address, timeout=20)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert token_of(server).encode() not in answer.read()
        assert answer.status == (404 if path == "/stop" else 200)
        connection.close()


def test_wrong_commands_are_answered_in_a_sentence(server, tmp_path):
    token = token_of(server)
    assert command(server, "resume", token=token) == (404, "there is nothing here")
    assert command(server, "stop", token=token) == (
        404,
        "bench 'simulated' has no queue in this folder; it has none",
    )
    assert list(tmp_path.iterdir()) == []  # not even a queue is made
    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.add(order())
    status, said = command(server, "stop", "/etc/passwd", token)
    assert status == 404
    assert said == "bench '/etc/passwd' has no queue in this folder; it has simulated"
    assert command(server, "stop", "x" * (LONGEST + 1), token)[0] == 400
    assert command(server, "stop", "", token, **{"Content-Length": "-1"})[0] == 400
    assert not lane(tmp_path).held


def test_a_queue_without_a_runner_is_held(server, tmp_path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.add(order())
    status, said = command(server, "pause", token=token_of(server))
    assert status == 200
    assert said.startswith("the queue of simulated is held; no runner was there.")
    assert lane(tmp_path).reason == PAUSED


@pytest.mark.thorough
def test_a_job_is_paused_and_goes_on_by_the_command_line_alone(server, tmp_path):
    desk = Desk(tmp_path / "queue.sqlite")
    (number,) = desk.add(order(seconds=60.0))
    with running(desk, drain=False):
        desk.wait_begun(number)
        assert command(server, "pause", token="guess")[0] == 403
        assert desk.client.status().state == "running"
        status, said = command(server, "pause", token=token_of(server))
        assert (status, said.partition(",")[0]) == (200, f"job {number} pauses at its next safe point")
        desk.wait(number, JobStatus.PAUSED)
        desk.client.abort(number)
        desk.wait(number, JobStatus.ABORTED)


@pytest.mark.thorough
def test_stop_breaks_the_job_off_and_leaves_the_instruments_safe(server, tmp_path):
    with served_bench(tmp_path) as (bench, laboratory):
        desk = Desk(tmp_path / "queue.sqlite", bench)
        (number,) = desk.add(order(bench, seconds=600.0))
        bench = desk.job(number).order.bench
        with running(desk, drain=False):
            desk.wait_begun(number)
            eventually(lambda: unsafe_roles(laboratory))
            for token in (None, "guess"):
                assert command(server, "stop", bench, token)[0] == 403
            assert desk.job(number).status is JobStatus.RUNNING
            assert unsafe_roles(laboratory)
            status, said = command(server, "stop", bench, token_of(server))
            assert (status, said) == (200, f"emergency stop: bench {bench} is safe, the queue is held")
            assert unsafe_roles(laboratory) == set()
            assert desk.wait(number, JobStatus.ABORTED, JobStatus.FAILED).reason
        assert lane(tmp_path, bench).held


@pytest.mark.thorough
@needs_browser
def test_a_browser_has_buttons_only_with_the_token(server, tmp_path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.add(order())
    for address, buttons in ((server.address, []), (server.commanding_address, ["stop", "pause"])):
        command = [
            browser(), *ALONE, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom",
            address,
        ]  # fmt: skip
        shown = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
        assert re.findall(r'<button class="(\w+)">', shown) == buttons
