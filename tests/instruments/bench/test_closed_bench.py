"""A closed bench refuses all that it could do, in one sentence, with and without instruments."""

from __future__ import annotations

import copy
import pickle
from types import FunctionType

import numpy as np
import pytest

from mho.errors import BenchError, UnsafeError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.arrays import ArrayBench
from mho.instruments.roles import CellPositions

CELL = Cell("multiply", 0, 0)
SENDS_NOTHING = {"close", "safe", "forget", "states", "live", "note_state", "standing"}


def operations(kind: type[Bench]) -> list[str]:
    """Return the names of all that a bench can do, but for what sends nothing."""
    return [
        name
        for name in dir(kind)
        if isinstance(getattr(kind, name), FunctionType)
        and not name.startswith(("_", "check_"))
        and name not in SENDS_NOTHING
    ]


@pytest.fixture(params=["arrays", "simulated"])
def closed(request: pytest.FixtureRequest) -> Bench:
    with open_bench(request.param, seed=1) as bench:
        bench.read(CELL)
    return bench


def test_every_operation_of_a_closed_bench_is_refused_in_one_sentence(closed: Bench) -> None:
    names = operations(type(closed))
    assert {"read", "pulse", "multiply", "invert", "connect_invert", "rest", "identities"} <= set(names)
    for name in names:
        with pytest.raises(BenchError, match=rf"^bench '{closed.file.name}' is closed, and does nothing"):
            getattr(closed, name)()


def test_a_closed_bench_is_told_from_wrong_arguments(closed: Bench) -> None:
    with pytest.raises(BenchError, match="is closed"):
        closed.read(CELL)
    with pytest.raises(BenchError, match="is closed"):
        closed.pulse(CELL, Pulse("set", 1.0, 1e-6, 2.0))
    with pytest.raises(BenchError, match="is closed"):
        closed.multiply(np.ones((1, 2)))
    with pytest.raises(BenchError, match="is closed"), closed:
        pass


def test_a_bench_that_was_safe_when_it_was_closed_stays_so(closed: Bench) -> None:
    assert not closed.live()
    closed.safe()
    closed.close()  # a second time does nothing


def test_a_visit_ends_with_its_bench() -> None:
    bench = open_bench("arrays", seed=1)
    assert isinstance(bench, ArrayBench)
    with bench.visit([CellPositions("multiply", np.array([0, 1]), np.array([0, 1]))]) as visit:
        visit.read(np.array([0]))
        bench.close()
        with pytest.raises(BenchError, match="bench 'arrays' is closed"):
            visit.read(np.array([0]))


def test_a_bench_that_is_closed_within_its_block_is_not_confirmed_safe() -> None:
    bench = open_bench("arrays", seed=1).__enter__()
    bench.read(CELL)
    bench.close()
    with pytest.raises(UnsafeError, match=r"closed before smu, .* confirmed off") as caught:
        bench.__exit__(None, None, None)
    assert "smu" in caught.value.live


@pytest.mark.parametrize("name", ["arrays", "simulated"])
def test_an_open_bench_does_not_travel(name: str) -> None:
    with open_bench(name, seed=1) as bench:
        for travel in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(BenchError, match=r"a bench cannot be pickled or copied: .* in the worker"):
                travel(bench)
        bench.read(CELL)
