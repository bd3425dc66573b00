from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import psutil

from mho import platforms
from mho.runs.liveness import Writer

NOW = 1e9


def test_this_process_lives_whatever_its_heartbeat() -> None:
    assert Writer.this_process().lives(heartbeat=NOW - 1000, now=NOW)


def test_a_process_that_took_over_the_id_is_another() -> None:
    writer = Writer.this_process()
    other = f"{writer.birth}0" if writer.birth else ""
    assert not replace(writer, started=writer.started - 60, birth=other).lives(heartbeat=NOW, now=NOW)
    assert not replace(writer, started=writer.started - 60, birth="").lives(heartbeat=NOW, now=NOW)


def test_a_clock_that_was_set_makes_no_other_process_of_it() -> None:
    writer = Writer.this_process()
    assert replace(writer, started=writer.started - 3600).lives(heartbeat=NOW, now=NOW)


def test_a_process_that_is_gone_is_gone_reaped_or_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    writer = Writer(
        "", child.pid, psutil.Process(child.pid).create_time(), platforms.here.birth_of(child.pid)
    )
    writer = replace(writer, host=Writer.this_process().host)
    assert writer.lives(heartbeat=0, now=NOW)
    child.kill()
    platforms.here.wait_unreaped(child)
    assert not writer.lives(heartbeat=NOW, now=NOW)
    child.communicate()
    assert not writer.lives(heartbeat=NOW, now=NOW)


def test_on_another_host_the_heartbeat_decides() -> None:
    far = replace(Writer.this_process(), host="some-other-host")
    assert far.lives(heartbeat=NOW - 9.0, now=NOW)
    assert not far.lives(heartbeat=NOW - 11.0, now=NOW)
