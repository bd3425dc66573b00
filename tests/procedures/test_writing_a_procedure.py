"""docs/writing-a-procedure.md as its reader follows it: every file is written, every command and script run, in order."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pyarrow.parquet
import pytest
from command_line import Shell
from repository import ROOT

from mho.procedures import Procedure
from mho.procedures.base import PHASES
from mho.procedures.catalogue import find_procedure
from mho.runs import RunFile, Status

PAGE = (ROOT / "docs/writing-a-procedure.md").read_text("utf-8")
BLOCK = re.compile(r"(?:Write `(?P<name>[\w.]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```", re.M | re.S)
MOST_LINES = 30

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")  # of dask


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_experiment_takes_at_most_thirty_lines():
    whole = next(block["text"] for block in BLOCK.finditer(PAGE) if block["name"] == "endurance.py")
    assert len(whole.splitlines()) <= MOST_LINES


RATIO = next(block["text"] for block in BLOCK.finditer(PAGE) if "class Ratio" in block["text"])
BARE = "from mho import Procedure\nclass Ratio(Procedure):\n    def execute(self, plan, bench, stream):\n        pass\n"


@pytest.mark.parametrize("text", [RATIO, BARE], ids=["of the page", "bare"])
def test_a_procedure_needs_no_more_than_execute_on_any_surface(shell: Shell, folder: Path, text: str) -> None:
    Path("ratio.py").write_text(text, "utf-8")
    for words in (
        "run ratio.py:Ratio --seed 1 --output a.h5", "show a.h5", "plot a.h5", "report a.h5 --output a.html", "verify a.h5",
        "rerun a.h5 --trust", "rehearse simulated ratio.py:Ratio", "queue add ratio.py:Ratio", "queue list",
        "runner --drain", "runs", "export a.h5 --to csv --output out", "export a.h5 --to netcdf",
    ):  # fmt: skip
        code, out, err = shell(*words.split())
        assert (code, "Traceback" in err) == (0, False), (words, out, err)
        assert words != "show a.h5" or text == BARE or re.search(r"window +0\.9", out)
    with RunFile("a.h5") as file:
        assert file.status is Status.FINISHED
        assert text == BARE or file.summary["window"] == 0.9


@pytest.mark.thorough
def test_the_page_can_be_followed(shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    followed = []
    for block in BLOCK.finditer(PAGE):
        name, language, text = block["name"], block["language"], block["text"]
        followed.append(language)
        if name:
            Path(name).write_text(text, "utf-8")
        elif language == "python":
            monkeypatch.syspath_prepend(str(folder))
            exec(compile(text, "docs/writing-a-procedure.md", "exec"), {"__name__": "script"})
        elif language == "toml":
            tomllib.loads(text)
        else:
            for command in text.splitlines():
                program, *words = [
                    word for typed in shlex.split(command) for word in sorted(glob(typed)) or [typed]
                ]
                code, out, err = shell(*words, *(["--trust"] if words[0] == "rerun" else []))
                assert (program, code, "Traceback" in err) == ("mho", 0, False), (command, out, err)
                said = {"show": "window", "runs": "endurance", "rehearse": "passed"}.get(words[0], "")
                assert said in out, (command, out)
    assert {"sh", "python", "toml"} <= set(followed)
    check_what_was_made(folder)


def check_what_was_made(folder: Path) -> None:
    """Look into everything that the page's commands have left."""
    for picture in ("endurance.png", "script.pdf", "compared.png"):
        assert (folder / picture).stat().st_size > 5_000, picture
    with RunFile("endurance.h5") as file:
        assert (file.status, file.length("endurance"), file.procedure) == (Status.FINISHED, 100, "Endurance")
        assert [figure.name for figure in file.figures] == ["endurance"]
        assert file.summary["on"] > 2 * file.summary["off"] > 0.0
        assert file.result_units == {"on": "S", "off": "S", "wall_seconds": "s"}
        assert file.source == (folder / "endurance.py").read_text("utf-8")
    with RunFile("many.h5") as file:
        assert (file.parameters["gate"].value, file.length("endurance")) == (1.7, 12)
    assert len(list(Path("planned").glob("*.h5"))) == 2
    rows = pyarrow.parquet.read_table("campaign/table.parquet").to_pylist()
    assert [row["status"] for row in rows] == ["finished"] * 2
    assert all(row["result.window"] == row["result.on"] / row["result.off"] for row in rows)


def test_the_page_names_the_phases_as_they_are_called():
    table = PAGE[PAGE.index("| phase |") : PAGE.index("A parameter without a default")]
    for name, arguments in PHASES.items():
        if name != "recorded_parameters":
            assert f"`{name}({', '.join(('self', *arguments))})`" in table, name


def test_the_page_s_streams_and_benches_have_what_it_says(folder: Path):
    from mho.instruments import Bench
    from mho.procedures.stream import NullStream

    table = PAGE[PAGE.index("## 4. While it runs") : PAGE.index("## 5.")]
    for name in re.findall(r"`stream\.(\w+)", table):
        assert hasattr(NullStream(), name), name
    for name in re.findall(r"bench\.(\w+)\(", PAGE):
        assert hasattr(Bench, name) or name == "now", name


def test_the_longer_example_is_a_procedure_with_none_for_what_is_not_given(folder: Path):
    for block in BLOCK.finditer(PAGE):
        if block["name"]:
            Path(block["name"]).write_text(block["text"], "utf-8")
    kind = find_procedure("endurance_of_many.py:EnduranceOfMany")
    assert issubclass(kind, Procedure)
    assert kind().gate is None
    assert kind(gate=0.0).gate == 0.0
