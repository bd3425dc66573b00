"""The rooms of `mho.instruments`: their public names, and what is not loaded before something needs it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
from daily import daily

ROOMS = ("", ".arrays", ".bench", ".bench_file", ".checks", ".laboratory", ".opening", ".simulated")
SLOW = ("pyvisa", "nidaqmx", "lupa", "scipy", "pymeasure", "mho.instruments.laboratory")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_the_names_that_it_says(room):
    module = import_module(f"mho.instruments{room}")
    assert module.__doc__
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="nonsense"):
        module.nonsense  # noqa: B018


@pytest.mark.parametrize(
    "names",
    daily(
        [
            "mho.instruments import ArrayBench, Bench, Cell, Limits, open_bench",
            "mho.instruments.bench import STOPPING",
            "mho.instruments.bench_file import load_bench_file",
            "mho.instruments.opening import confirm_bench_safe, open_rehearsal, open_simulated",
        ],
        1,
    ),
)
def test_neither_drivers_nor_twins_are_loaded_before_a_bench_is_opened(names):
    asked = f"import sys; from {names}; print([name for name in {SLOW} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
