"""Whatever a program sends to a simulated instrument: no crash, no hang, and an error queue in order.

The soak (``pytest -m slow tests/instruments/simulated/test_fuzz.py``) sends a million messages to each;
``MHO_FUZZ_MESSAGES`` sends another number, and ``-k 2636B`` chooses an instrument.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
from daily import daily
from fuzz_twins import TWINS, CountingClock, Outcome, Port, soak

MESSAGES = int(os.environ.get("MHO_FUZZ_MESSAGES", 1_000_000))


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[list[Outcome]]:
    """Collects what the soaks have seen, and shows it at their end."""
    seen: list[Outcome] = []
    yield seen
    plugins = request.config.pluginmanager
    with plugins.getplugin("capturemanager").global_and_fixture_disabled():
        plugins.getplugin("terminalreporter").write("\n" + "\n".join(map(str, seen)) + "\n", flush=True)


@pytest.mark.parametrize("name", daily(TWINS, 2))
def test_a_thousand_random_messages(name: str) -> None:
    outcome = soak(name, 1000, seed=1)
    assert outcome.messages == 1000
    assert outcome.replies > 100  # or they did not mean anything
    assert len(outcome.errors) > 4


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", TWINS)
def test_a_million_random_messages(name: str, outcomes: list[Outcome]) -> None:
    outcomes.append(soak(name, MESSAGES, seed=2))


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("2636B", b"smua.trigger.source.listv(print)", -224),
        ("2636B", b"trigger.timer[1].delaylist = print", -224),
        ("2636B", b"printbuffer(1, 1, {1})", -104),
        ("707B", b"printbuffer(1, 1, {1})", -104),
        ("2636B", b'error("in\\ntwo\\tparts")', -286),
        ("707B", b'"\t\n', -285),
        ("array board", b':CONF:INV:NEG "B1"""', -224),
    ],
)
def test_what_has_crashed_or_broken_a_reply_is_refused(name: str, message: bytes, code: int) -> None:
    twin = TWINS[name]
    clock = CountingClock()
    device = twin.make(clock, np.random.default_rng(0), Port(clock))
    device.write(message + b"\n")
    queue = twin.queue(device)
    device.write(queue.ask)
    entry = queue.entry.match(device.read())
    assert entry is not None
    assert float(entry[1]) == code


def test_a_twin_that_does_not_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz_twins.MOST_STEPS", 1000)

    def run_for_ever(clock: CountingClock) -> None:
        while True:
            clock.advance(1.0)

    with pytest.raises(AssertionError, match="a message took more than"):
        run_for_ever(CountingClock())
