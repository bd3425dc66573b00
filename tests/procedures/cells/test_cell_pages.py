"""The pages on contact, forming, I-V loops, responses and the protocol: their scripts run and print what they say."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest
from repository import ROOT


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("page", "printed"),
    [
        ("contact", r"16 \(\)\n"),
        ("forming", r"1\.0 \d\.\d+\n"),
        ("iv", r"\(1, 1, 2\) -0\.\d+\n"),
        ("response", r"3\.\d+e-05 \["),
        pytest.param(
            "characterise",
            r"\['finished'(, 'finished'){12}\]\n",
            marks=pytest.mark.skipif(not find_spec("mho.extensions.characterise"), reason="taken out"),
        ),
    ],
)
def test_the_script_of_the_page_runs(page, printed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (script,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text("utf-8"), re.DOTALL
    )
    exec(compile(script, f"{page}.md", "exec"), {"__name__": "page"})
    assert re.match(printed, capsys.readouterr().out)
