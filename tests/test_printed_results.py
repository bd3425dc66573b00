"""What pages show of a command's output is what it prints: the comparison, and in the long job every page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from repository import ROOT
from scripts import load_script

results = load_script("make_results")
PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if results.has_results(page)]

PAGE = """# A page

Write `a.csv`:

```csv
1, 2
```

```sh
mho solve a.csv     # not run
```

```console
$ mho run form --rows 0:4
…
finished: 16 cells
$ mho plot formed.h5
$ mho show gone.h5
mho: there is no run file gone.h5
```
"""
PRINTED = """Form multiply
forming 16/16 0:00:01
finished: 15 cells
cells      15
yield      1
yield low  0.79
took 1.3 s
formed.h5
"""


def test_a_page_is_files_and_commands_with_what_they_print() -> None:
    steps = list(results.steps(PAGE))
    assert [(step.kind, step.name) for step in steps] == [
        ("file", "a.csv"),
        ("command", "mho run form --rows 0:4"),
        ("command", "mho plot formed.h5"),
        ("command", "mho show gone.h5"),
    ]
    assert steps[0].text == "1, 2\n"
    assert [step.text for step in steps[1:]] == [
        "…\nfinished: 16 cells\n",
        "",
        "mho: there is no run file gone.h5\n",
    ]
    assert all(PAGE[step.start : step.end] == step.text for step in steps[1:])


def test_lines_of_an_excerpt_are_renewed_by_their_labels() -> None:
    shown = "…\nfinished: 16 cells\nyield      1\nyield low  0.9\n"
    assert results.renewed(shown, PRINTED) == "…\nfinished: 15 cells\nyield      1\nyield low  0.79\n"


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("level 5.drift           -2e-07 S", "level 5.drift"),
        ("level 5.drift low -2.09e-07 S", "level 5.drift low"),
        ("finished: 16 of 16 cells", "finished"),
        (
            "converged in 46 cycles for 8 right-hand sides: 24.7 bits",
            "converged in  cycles for  right-hand sides",
        ),
        ("    1  8.869e-02", ""),
        ("took 1.3 s", "took"),
    ],
)
def test_a_line_is_known_by_what_names_its_numbers(line: str, label: str) -> None:
    assert results.label(line) == label


def test_an_excerpt_that_is_true_stays_as_it_is() -> None:
    shown = "Form multiply\n…\ncells      15\ntook … s\n"
    assert results.renewed(shown, PRINTED) == shown


def test_lines_have_to_be_printed_in_the_order_that_is_shown() -> None:
    assert results.renewed("…\nyield      1\ncells      15\n", PRINTED) == "…\nyield      1\n"


def test_lines_that_are_printed_no_more_are_left_out_and_not_all_of_them_may_be() -> None:
    assert results.renewed("…\nyield      1\nwear       3\n", PRINTED) == "…\nyield      1\n"
    with pytest.raises(ValueError, match="none of these lines is printed any more"):
        results.renewed("…\nwear       3\n", PRINTED)


def test_an_output_without_a_gap_is_compared_whole() -> None:
    assert results.renewed("mho: old\n", "mho: new\nand more\n") == "mho: new\nand more\n"
    assert results.renewed("in …/queue\nnew\n", "in /somewhere/queue  \nnew\n\n") == "in …/queue\nnew\n"
    assert results.renewed("in …/queue\n", "in /somewhere/line\n") == "in /somewhere/line\n"


def test_an_output_that_is_not_shown_is_not_compared() -> None:
    assert results.renewed("", PRINTED) == ""


def test_a_page_is_followed_in_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    there = []

    def run(command: str, folder: Path) -> str:
        there.append((folder / "a.csv").read_text("utf-8"))
        return "mho: there is no file\n" if "show" in command else PRINTED

    monkeypatch.setattr(results, "run", run)
    followed = results.follow(PAGE)
    assert there == ["1, 2\n"] * 3
    assert followed == PAGE.replace("16 cells", "15 cells").replace("no run file gone.h5", "no file")


@pytest.mark.thorough
def test_a_command_is_run_as_a_reader_would(tmp_path: Path) -> None:
    assert results.run("mho show gone.h5", tmp_path) == "mho: there is no run file gone.h5; check the path\n"
    assert results.run("mho bench show simulated > lab.toml", tmp_path).startswith("operation")
    assert 'name = "simulated"' in (tmp_path / "lab.toml").read_text("utf-8")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        results.run("python -c 1/0", tmp_path)


def test_pages_show_results() -> None:
    assert len(PAGES) >= 15
    shown = [step for page in PAGES for step in results.steps(page.read_text("utf-8")) if step.text]
    assert len(shown) >= 30
    assert all(results.GAP not in step.text.splitlines() or step.text.count("\n") > 1 for step in shown)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows_is_what_its_commands_print(page: Path) -> None:
    text = page.read_text("utf-8")
    assert results.follow(text) == text, f"run python docs/make_results.py --write {page.relative_to(ROOT)}"


# --- pictures ---

pictures = load_script("make_pictures")
OF_A_SCREEN = ("window", "main-window", "chip-panel", "panels", "reports")
"""What shows the fonts, times and folders of the machine; it is made anew by hand."""


def test_a_picture_has_one_command() -> None:
    assert pictures.maker_of("mimo-image") == "python docs/make_pictures.py mimo"
    assert pictures.maker_of("cells-noise") == "python docs/make_cell_figures.py"
    with pytest.raises(ValueError, match="not enough values"):
        pictures.maker_of("nobody-makes-this")


def test_pictures_are_alike_by_their_pixels(tmp_path: Path) -> None:
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    Image.new("RGB", (10, 10), "white").save(one)
    changed = Image.new("RGB", (10, 10), "white")
    changed.putpixel((3, 3), (0, 0, 0))
    changed.putpixel((4, 4), (250, 250, 250))
    changed.save(other)
    assert pictures.difference(one, one) == 0.0
    assert pictures.difference(one, other) == 0.01
    Image.new("RGB", (10, 11), "white").save(other)
    assert pictures.difference(one, other) == 1.0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [name for name in pictures.MAKERS if name not in OF_A_SCREEN])
def test_pictures_are_those_of_the_runs_that_make_them(name: str) -> None:
    words = [sys.executable, ROOT / "docs/make_pictures.py", "--compare", name]
    compared = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert compared.returncode == 0, compared.stdout + compared.stderr
