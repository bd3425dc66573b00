"""The bench that a call of another library uses: one that is open already, or one that is opened for it by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

from mho.errors import InputError
from mho.instruments import Bench, open_bench

BenchLike: TypeAlias = "Bench | str | os.PathLike[str]"


@contextmanager
def bench_in_use(bench: BenchLike, seed: int | None) -> Iterator[Bench]:
    """Yield an open bench as it is, and leave it open; open one by its name, and make it safe and close it.

    `bench`: one that is open, a packaged name ("arrays", "simulated"), or a bench file; `seed`: of a simulated bench
    that is opened here. Raises `InputError`: for something else. Raises `BenchError`: as `open_bench`.
    """
    if isinstance(bench, Bench):
        yield bench
    elif isinstance(bench, str | os.PathLike):
        with open_bench(os.fspath(bench), seed=seed) as opened:
            yield opened
    else:
        raise InputError(
            f"bench is {bench!r}; give the name of a bench ('arrays'), a bench file, or an open bench of mho.open_bench"
        )
