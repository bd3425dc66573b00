"""The page about `mho.extensions.linalg`: what it shows runs, in the order in which it is read."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pytest
from repository import ROOT

PAGE = (ROOT / "docs/linalg.md").read_text("utf-8")
SCRIPTS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
LIBRARIES = ("sklearn", "torch")


@pytest.mark.thorough
def test_every_script_runs():
    names: dict[str, object] = {}
    if importlib.util.find_spec("torch"):
        names["torch"] = importlib.import_module("torch")
    run = 0
    for script in SCRIPTS:
        needed = [one for one in LIBRARIES if f"{one}." in script]
        if all(importlib.util.find_spec(one) for one in needed):
            exec(compile(script, "docs/linalg.md", "exec"), names)
            run += 1
    assert run >= 2
    matrix, b = names["matrix"], names["b"]
    assert names["info"] == 0
    np.testing.assert_allclose(names["x"], np.linalg.solve(matrix, b), rtol=1e-6)
    assert names["several"].shape == (2, 16, 3)


def test_the_first_takes_ten_lines():
    lines = [line for line in SCRIPTS[0].splitlines() if line]
    assert lines[0] == "import numpy as np"
    assert len(lines) <= 10
