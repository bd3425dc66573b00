"""The benchmark of the window observes a real one."""

import pytest

from benchmarks import window
from benchmarks._pulse_runs import PulseWriter


@pytest.fixture
def pulses(tmp_path):
    pulses = PulseWriter(tmp_path / "run.h5")
    pulses.emit(100_000)
    pulses.writer.flush()
    yield pulses
    pulses.finish()


@pytest.mark.slow
def test_a_stream_is_shown_row_by_row(pulses):
    watching = window.observe("stream", pulses.writer.path, 1.0)
    pulses.stream(1000.0, lambda: watching.poll() is not None)
    seen = window.found(watching)
    assert seen["frames"] > 0
    assert 0 < seen["blocked"] < 5.0
    assert seen["rows"] > 100
    assert 0 < seen["cpu"] < 3.0


@pytest.mark.slow
def test_a_long_run_is_opened_and_a_cell_s_history_found(pulses):
    pulses.picture()
    pulses.writer.flush()
    seen = window.found(window.observe("opening", pulses.writer.path, 30.0))
    assert 0 < seen["opened"] <= seen["whole"]
    assert seen["found"] == 0  # cell [500, 500] comes later


@pytest.mark.slow
def test_a_start_is_timed_to_the_first_answer_and_to_the_procedures(tmp_path):
    answered, offers = window._start(tmp_path)
    assert 0.0 < answered <= offers < 60.0
