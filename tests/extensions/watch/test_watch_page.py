"""``mho watch``: the page over real HTTP and in a real browser, of real queues and run files."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest
import run_samples
from daily import daily
from queue_runners import Desk, eventually, order, running
from repository import ROOT
from system_packages import ALONE, browser, needs_browser

from mho.errors import InputError
from mho.extensions.watch import WatchServer, look
from mho.extensions.watch.glance import MOST_ENDED
from mho.running.queue import JobStatus, Queue
from mho.running.runner.connection import Rendezvous
from mho.running.runner.server import WATCHERS


@pytest.mark.thorough
def test_the_page_needs_no_qt():
    """A machine without a display, and without the libraries that Qt needs there, serves it as well."""
    code = "import sys, mho.extensions.watch.serving; print({'PySide6', 'pyqtgraph'} & {*sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "set()\n"


@pytest.fixture
def server(tmp_path):
    with WatchServer(tmp_path, 0) as made:
        yield made


def fetch(server, path="/", method="GET", host=None, body=None, **headers):
    address = server.address.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(address, timeout=100)
    connection.request(method, path, body, headers | ({} if host is None else {"Host": host}))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def text(server, path="/"):
    answer, content = fetch(server, path)
    assert answer.status == 200
    return content.decode()


def test_an_empty_folder(server, tmp_path):
    assert "no run in this folder yet" in text(server)
    assert "no jobs" in text(server)
    assert list(tmp_path.iterdir()) == []  # not even a queue is made


@pytest.mark.thorough
def test_the_newest_run_with_convergence_and_map(server, tmp_path):
    run_samples.whole_run(tmp_path / "run.h5", title="Solve 4x4")
    page = text(server)

    assert "Solve 4x4" in page
    assert "FINISHED" in page
    assert "SIMULATED" in page
    assert re.search(r"5 cycles, residual 3\.1\de-07, relative error 3\.75e-07", page)
    assert "3 cells could not be brought into their verify window" in page
    for name in re.findall(r'src="([^"]+)"', page):
        answer, content = fetch(server, f"/{name}")
        assert answer.status == 200
        if ".png" in name:
            assert answer.getheader("Content-Type") == "image/png"
            assert content.startswith(b"\x89PNG")
    leading = [
        "Convergence",
        "Levels of the programmed cells",
        "Conductance errors",
        "Wrong integers by cycle",
    ]
    assert re.findall(r'<img src="figure-\d\.png\?\w+" alt="([^"]+)"', page) == leading
    order = [
        page.index(one) for one in ('class="verdict', "<img", "Differs from the defaults", "on what", "Log")
    ]
    assert order == sorted(order)
    assert "<dt>file</dt><dd>run.h5</dd>" in page


@pytest.mark.thorough
def test_what_comes_from_files_is_escaped(server, tmp_path):
    evil = '<script>alert(1)</script> " onload="x'
    run_samples.whole_run(tmp_path / "run.h5", title=evil)
    with Queue(tmp_path / "queue.sqlite") as queue:
        job = queue.add(order())
        queue.skip(job.id, evil)
    page = text(server)

    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert '" onload=' not in page
    assert "script-src 'self'" in fetch(server)[0].getheader("Content-Security-Policy")


def test_the_queue_with_its_hold(server, tmp_path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        for _ in range(MOST_ENDED + 3):
            queue.skip(queue.add(order()).id, "not wanted any more")
        queue.add(order(), estimate=42.0)
        queue.hold("simulated", "the probes are lifted")
    page = text(server)

    assert "the probes are lifted" in page
    assert "HELD" in page
    assert page.count("not wanted any more") == MOST_ENDED
    assert "expected 42.0 s" in page
    assert "and 3 more: mho queue list" in page
    assert "no runner" in page


@pytest.mark.thorough
def test_what_is_not_safe_comes_first_and_stays(server, tmp_path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.hold_unsafe("simulated", "unsafe", "no <answer>", ["gate"])
        queue.hold("simulated", "job 1 (solve): it failed, and the policy is to stop")
        warning = "NOT CONFIRMED SAFE: bench simulated, gate may be live (no &lt;answer&gt;)"
        shown = text(server, "/body")
        assert shown.startswith(f'<p class="unsafe" role="alert">{warning}</p>')
        assert 'class="badge UNSAFE">NOT SAFE</span>' in shown
        assert "not confirmed: gate may be live (no &lt;answer&gt;)" in shown
        queue.release("simulated")
        eventually(lambda: "HELD" not in (shown := text(server, "/body")) and warning in shown)
        queue.acknowledge("simulated")
        eventually(
            lambda: 'class="badge UNKNOWN">NOT KNOWN' in (shown := text(server)) and "somebody" in shown
        )
        queue.confirm_safe("simulated", time.time())
    eventually(lambda: 'class="badge SAFE">SAFE' in (shown := text(server)) and "somebody" not in shown)


def test_a_runner_that_does_not_answer_is_not_taken_for_none(server, tmp_path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.add(order())
    place = Rendezvous(tmp_path / "queue.sqlite", "simulated")
    place.prepare()
    with place.listen() as listener:
        place.publish(listener)  # of this process, which does not listen any more
    shown = text(server)
    assert f"(process {os.getpid()}) does not answer" in shown
    assert "no runner" not in shown


@pytest.mark.thorough
def test_however_many_watch_the_page_says_how_the_runner_stands(server, tmp_path):
    desk = Desk(tmp_path / "queue.sqlite")
    desk.add(order())
    desk.change(lambda queue: queue.hold("simulated", "for tea"))
    with running(desk, drain=False) as runner, contextlib.ExitStack() as stack:
        eventually(lambda: runner._presence._server)
        for _ in range(WATCHERS):
            stack.enter_context(desk.client.watch()).receive(5.0)
        shown = text(server)
        assert "IDLE" in shown
        assert "no runner" not in shown


@pytest.mark.thorough
def test_a_job_in_progress(tmp_path, server):
    desk = Desk(tmp_path / "queue.sqlite")
    (number,) = desk.add(order(seconds=60.0))
    with running(desk, drain=False):
        desk.wait_begun(number)
        page = eventually(
            lambda: re.search(r"job \d+, reading \d+ of 60000, about", shown := text(server)) and shown
        )
        assert "RUNNING" in page
        assert f'class="badge LIVE">LIVE, job {number}</span>' in page
        assert '<progress max="60000"' in page
        desk.client.abort(number)
        desk.wait(number, JobStatus.ABORTED)
    assert "no runner" in eventually(lambda: "no runner" in (shown := text(server)) and shown)


def test_a_damaged_file_and_one_that_is_gone_are_told(server, tmp_path):
    path = run_samples.whole_run(tmp_path / "run.h5")
    path.write_bytes(path.read_bytes()[:3000])
    page = text(server)
    assert "run.h5" in page
    assert 'class="bad"' in page
    assert fetch(server, "/figure-1.png")[0].status == 404


@pytest.mark.thorough
@pytest.mark.parametrize(
    "path",
    [
        "/run.h5",
        "/../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/queue.sqlite",
        "/body/",
        "/%00",
        "/map",
    ],
)
def test_there_is_nothing_else(server, tmp_path, path):
    run_samples.whole_run(tmp_path / "run.h5")
    assert fetch(server, path)[0].status == 404


@pytest.mark.parametrize("method", daily(["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"], 2))
def test_it_takes_no_other_methods(server, method):
    assert fetch(server, method=method)[0].status == 501


def test_head_is_answered_without_content(server):
    answer, content = fetch(server, method="HEAD")
    assert answer.status == 200
    assert content == b""


@pytest.mark.parametrize(
    "host", daily(["evil.example", "127.0.0.1.evil.example:8080", "", "localhost.", "10.0.0.1:80"], 2)
)
def test_another_name_for_it_is_refused(server, host):
    assert fetch(server, host=host)[0].status == 403


@pytest.mark.parametrize("host", daily(["localhost:9000", "127.0.0.1", "[::1]:1"], 1))
def test_through_a_tunnel_it_has_another_port(server, host):
    assert fetch(server, host=host)[0].status == 200


def test_it_listens_on_loopback_only(server):
    port = int(server.address.rstrip("/").rpartition(":")[2])
    listening = [
        one.laddr for one in psutil.Process().net_connections("inet") if one.status == psutil.CONN_LISTEN
    ]
    assert ("127.0.0.1", port) in listening
    assert {address for address, taken in listening if taken == port} == {"127.0.0.1"}


def test_a_port_that_is_taken(server, tmp_path):
    port = int(server.address.rstrip("/").rpartition(":")[2])
    with pytest.raises(InputError, match=f"port {port} cannot be had .* --port"):
        WatchServer(tmp_path, port)
    with pytest.raises(InputError, match="port 70000"):
        WatchServer(tmp_path, 70_000)


def test_rubbish_and_a_reader_that_leaves_harm_nothing(server):
    host, port = server.address.removeprefix("http://").rstrip("/").split(":")
    for content in (b"\x00\xff rubbish\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET"):
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(content)
    assert "mho" in text(server)


@pytest.mark.thorough
def test_many_readers_at_once(server, tmp_path):
    run_samples.whole_run(tmp_path / "run.h5")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(server, "/figure-1.png")[0].status))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 12


@pytest.mark.thorough
def test_pictures_follow_the_run(server, writer, tmp_path):
    shown = r'src="(figure-\d\.png)\?(\w+)" alt="Conductance errors"'
    writer.tell("half")
    name, first = eventually(lambda: re.search(shown, text(server))).groups()
    before = fetch(server, f"/{name}")[1]
    writer.tell("program")
    eventually(lambda: re.search(shown, text(server, "/body"))[2] != first)
    assert fetch(server, f"/{name}")[1] != before
    assert "RUNNING" in text(server)


@pytest.mark.thorough
def test_the_command_serves_until_ctrl_c(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "mho", "watch", "--port", "0", "--runs", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    looking, commanding = process.stdout.readline(), process.stdout.readline()
    address = re.match(r"http://(127\.0\.0\.1:\d+)/ ", looking)[1]
    assert re.match(rf"http://{address}/#token=[\w-]{{20,}} ", commanding)
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors == ""


def test_a_folder_that_is_not_there_is_refused(shell, tmp_path):
    assert "no folder of runs" in shell.refused("watch", "--runs", tmp_path / "nowhere")
    assert "port 70000 cannot be had" in shell.refused("watch", "--port", "70000")


@pytest.mark.thorough
@needs_browser
def test_a_browser_shows_it_and_keeps_it_fresh(server, tmp_path, monkeypatch):
    looks = []

    def look_while_another_run_is_made(folder):
        looks.append(folder)
        if len(looks) == 4:
            run_samples.whole_run(tmp_path / "second.h5", title="<i>second</i>")
        return look(folder)

    monkeypatch.setattr("mho.extensions.watch.serving.look", look_while_another_run_is_made)
    monkeypatch.setattr("mho.extensions.watch.serving.FRESH", 0.0)
    run_samples.whole_run(tmp_path / "run.h5", title="first")
    command = [
        browser(), *ALONE, f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=8000", "--dump-dom", server.address,
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout

    # By its own script: the page was loaded before there was a second run.
    assert "<h1>&lt;i&gt;second&lt;/i&gt;</h1>" in shown
    assert 'alt="Convergence"' in shown
    assert re.search(r'id="stale" hidden', shown)
