"""The figures of solves by blocks: one small job as the benchmark runs it, and what is fitted over sizes."""

from __future__ import annotations

import math

import pytest

from benchmarks import block_solves
from benchmarks.block_solves import Job


@pytest.mark.thorough
def test_a_job_is_held_to_the_solution_of_its_system():
    job = block_solves.solve("general", 40, 1)
    assert job.converged
    assert not job.false
    assert 1 <= job.cycles <= block_solves.MOST_CYCLES
    assert job.inversions >= job.cycles
    assert job.effort
    assert 0.0 < job.gigabytes < 2.0
    assert 0.0 < job.processor < 2.0 * job.seconds + 1.0


def test_time_and_memory_are_fitted_by_a_power_of_the_size(monkeypatch):
    def job(family: str, n: int, seed: int) -> Job:
        return Job(True, False, 4, n, n, n, 3e-6 * n**2, 1e-3 * n, "", "one-step")

    monkeypatch.setattr(block_solves, "_apart", job)
    seconds, memory = block_solves._against_size("Gram", (64, 128, 256))
    assert seconds.detail["exponent"] == pytest.approx(2.0)
    assert memory.detail["exponent"] == pytest.approx(1.0)
    assert seconds.value == pytest.approx(3e-6 * 256**2)
    assert math.isfinite(memory.value)
