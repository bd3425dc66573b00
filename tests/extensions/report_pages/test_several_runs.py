"""Reports of several runs: comparisons and campaigns, and which of them is written."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from run_samples import failed_run, other_run, whole_run

from mho.analysis.comparisons import compare_files
from mho.analysis.datasets import open_runs
from mho.analysis.figures import draw
from mho.errors import InputError
from mho.extensions.report_pages import report
from mho.extensions.report_pages.kinds import kind_of
from mho.runs import Column, Figure, Layout, RecordedParameter, RunHeader, RunWriter, Status, Table

PRESETS = {"ideal": 1.0, "pku": 4.0}


def write(path: Path, preset: str, seed: int, **given: object) -> Path:
    header = RunHeader(
        "Decay", str(given.get("procedure", "Decay")), "1", {"rate": RecordedParameter(2.0, "1/s")},
        bench='name = "desk"\n[simulation]\n',
        provenance={"preset": preset, "seed": str(seed), **dict(given.get("provenance", {}))},
    )  # fmt: skip
    table = Table("decay", (Column("time", "s"), Column("current", "A")), "current", "time")
    figure = Figure("decay", table="decay", x="time", y="current", title="Decay")
    path.parent.mkdir(parents=True, exist_ok=True)
    with RunWriter.create(path, header, Layout((table,), figures=(figure,))) as writer:
        for time in np.linspace(0.0, 1.0, 5):
            writer.emit(
                "decay",
                time=time,
                current=1e-6 * PRESETS.get(preset, 1.0) * np.exp(-time) * (1 + 0.01 * seed),
            )
        writer.set_result(
            {"first": 1e-6 * (PRESETS.get(preset, 1.0) + 0.01 * seed), "cells": 4, "noise": float(seed % 3)},
            {"first": "A"},
        )
        writer.finish(Status(given.get("status", "finished")), str(given.get("reason", "")))
    return path


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work") / "decays"
    for preset in PRESETS:
        for seed in range(6):
            write(folder / "runs" / f"{preset}-{seed}.h5", preset, seed)
    write(folder / "runs" / "stopped.h5", "pku", 7, status="aborted", reason="the lamp failed")
    (folder / "runs" / "torn.h5").write_bytes(b"no run file")
    (folder / "plan.toml").write_text(
        'name = "decays"\n[[steps]]\nprocedure = "decay"\n[[sweep]]\nseed = [1]\n', "utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def page(campaign: Path) -> str:
    return report(campaign).read_text("utf-8")


def section(text: str, anchor: str) -> str:
    """Return the part of a page from an anchor to the next one."""
    start = text.index(f'id="{anchor}"')
    end = re.compile(r'<(h2|details) id="').search(text, start)
    return text[start : end.start() if end else None]


@pytest.mark.thorough
def test_a_campaign_says_how_it_went_and_names_what_is_damaged(page: str, campaign: Path) -> None:
    assert (campaign / "report.html").is_file()
    assert "<title>Campaign decays: 13 runs</title>" in page
    box = section(page, "verdict")
    assert '<section class="verdict bad"' in page
    assert '<span class="bad">12 of 14 runs finished</span>: 1 aborted, 1 damaged.' in box
    assert "stopped.h5: aborted: the lamp failed" in box
    assert "torn.h5: damaged: " in box
    assert "torn.h5" in section(page, "damaged")
    stopped = section(page, "unfinished")
    assert "stopped.h5" in stopped
    assert "the lamp failed" in stopped
    assert "SIMULATED</span>: all runs, presets ideal, pku; no chip was measured there." in box


@pytest.mark.thorough
def test_a_part_of_a_campaign_says_of_how_many_runs_it_is(tmp_path: Path) -> None:
    for number in range(1, 6):
        status = "failed" if number == 5 else "finished"
        planned = {"planned_run": f"{number} of 7"}
        write(tmp_path / "out" / "runs" / f"{number:06}.h5", "pku", number, status=status, provenance=planned)
    part = section(report(tmp_path / "out").read_text("utf-8"), "verdict")
    assert '<span class="bad">4 of 7 runs finished</span>: 1 failed, 2 left.' in part
    assert "What follows is of a part of the campaign." in part
    for number in range(5, 8):
        (tmp_path / "out" / "runs" / f"{number:06}.h5").unlink(missing_ok=True)
        write(tmp_path / "out" / "runs" / f"{number:06}.h5", "pku", number, provenance=planned)
    whole = section(report(tmp_path / "out").read_text("utf-8"), "verdict")
    assert '<span class="good">7 of 7 runs finished</span></p>' in whole
    assert "of a part of the campaign" not in whole


ORDER = (
    "verdict",
    "compared-Decay",
    "varied-Decay",
    "run",
    "differences-Decay",
    "tables",
    "results-Decay",
    "repeat",
)


def test_a_campaign_begins_with_the_comparison_it_was_made_for(page: str) -> None:
    places = [page.index(f'id="{anchor}"') for anchor in ORDER]
    assert places == sorted(places)
    compared = section(page, "compared-Decay")
    assert "Results by preset" in compared
    row = re.search(
        r'<td>pku</td><td class="n">7</td><td class="n">(.*?)</td><td class="n">(.*?)</td>', compared
    )
    assert row[1] == "4.03"
    low, high = map(float, row[2].split(" to "))  # between the outermost values and those beside them
    assert 4.00 < low < 4.01
    assert 4.05 < high < 4.07
    assert compared.index("data:image/") < compared.index("<td>pku</td>")
    assert "<table" not in re.sub(r"<details.*?</details>", "", page[places[5] : places[7]], flags=re.DOTALL)


@pytest.mark.thorough
def test_a_campaign_says_what_was_varied(page: str) -> None:
    told = section(page, "varied-Decay")
    assert "ideal (6), pku (7)" in told
    assert "rate" not in told


def test_a_campaign_has_results_by_group(page: str) -> None:
    results = section(page, "results-Decay")
    assert "Groups by preset" in results
    row = '<td>first (µA)</td><td>pku</td><td class="n">7</td><td class="n">4.03</td>'
    assert row in results
    assert "<td>noise</td>" in results
    assert results.index("first (µA)") < results.index("noise")  # the one in which the groups lie apart
    assert "1 result is the same in all runs" in results
    assert "cells 4" in results


def test_a_campaign_has_its_figures_over_the_runs_and_a_list_of_them(page: str) -> None:
    figures = section(page, "compared-Decay")
    assert figures.count("data:image/") == 1
    assert "ideal (6 runs)" in figures
    assert "pku (7 runs, 1†)" in figures
    assert section(page, "runs").count("<tr>") == 1 + 13


def test_a_campaign_can_be_repeated_from_its_plan(page: str) -> None:
    told = section(page, "repeat")
    assert "mho campaign plan.toml" in told
    assert "procedure = &quot;decay&quot;" in told


@pytest.mark.thorough
def test_a_campaign_is_the_same_bytes_again_and_names_no_folder(
    page: str, campaign: Path, tmp_path: Path
) -> None:
    shutil.copytree(campaign, tmp_path / "other" / "decays")
    assert report(tmp_path / "other" / "decays").read_text("utf-8") == page
    assert str(campaign.parent) not in page


@pytest.mark.thorough
def test_runs_of_a_campaign_are_grouped_by_what_is_asked_for(campaign: Path, tmp_path: Path) -> None:
    text = report(campaign, by="noise", output=tmp_path / "page.html").read_text("utf-8")
    assert "<td>noise 2</td>" in section(text, "results-Decay")
    with pytest.raises(InputError, match="no run has anything called 'colour'"):
        report(campaign, by="colour")


@pytest.mark.thorough
def test_a_campaign_of_several_procedures_has_parts_for_each(campaign: Path, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    for seed in range(2):
        write(folder / "a" / f"{seed}.h5", "pku", seed)
        write(folder / "b" / f"{seed}.h5", "pku", seed, procedure="Rise")
    text = report(folder).read_text("utf-8")
    assert "Results of Decay" in text
    assert "Results of Rise" in text


def test_of_a_campaign_nothing_of_which_can_be_read_there_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    for number in range(3):
        (tmp_path / "bad" / f"{number}.h5").write_bytes(b"no run file")
    with pytest.raises(InputError, match="none of 3 run files can be read"):
        report(tmp_path / "bad", kind="campaign")
    assert not (tmp_path / "bad" / "report.html").exists()


def test_two_runs_are_compared_with_their_figures_over_one_another(campaign: Path, tmp_path: Path) -> None:
    first, second = (shutil.copy(campaign / "runs" / f"{name}-0.h5", tmp_path) for name in PRESETS)
    page = report(first, second)
    assert page.name == "ideal-0-comparison.html"
    text = page.read_text("utf-8")
    assert "<td>preset</td><td>ideal</td><td>pku</td>" in section(text, "settings")
    row = (
        '<td>first (µA)</td><td class="n">1</td><td class="n">4</td><td class="n">+3</td><td class="n">4</td>'
    )
    assert row in section(text, "results")
    assert "ideal-0, pku-0" in section(text, "figures")
    assert "Each side is a single run" in text
    assert "mho compare ideal-0.h5 pku-0.h5" in section(text, "repeat")


@pytest.mark.thorough
def test_groups_are_compared_with_effects(campaign: Path, tmp_path: Path) -> None:
    text = report(campaign / "runs", kind="comparison", by="preset", output=tmp_path / "page.html").read_text(
        "utf-8"
    )
    assert "Cliff&#x27;s delta [95 %]" in section(text, "results")
    assert "torn.h5" in text
    assert "aborted: the lamp failed" in text
    assert "pku (7 runs, 1†)" in section(text, "figures")


@pytest.mark.thorough
def test_runs_of_different_kinds_are_compared_in_what_they_have(tmp_path: Path) -> None:
    first, second = whole_run(tmp_path / "a.h5"), failed_run(tmp_path / "b.h5")
    assert "failed: ValueError: boom" in report(first, second).read_text("utf-8")
    with pytest.raises(InputError, match="have no result in common"):
        report(first, other_run(tmp_path / "c.h5"))


def test_the_kind_is_chosen_by_what_there_is(campaign: Path, tmp_path: Path) -> None:
    runs = sorted((campaign / "runs").glob("*-*.h5"))
    assert kind_of(runs[:1]) == "run"
    assert kind_of(runs[:2]) == "comparison"
    assert kind_of(runs[:11]) == "campaign"
    assert kind_of(runs[:11], "preset") == "comparison"
    assert kind_of([campaign]) == kind_of([campaign / "runs"]) == "campaign"
    planned = tmp_path / "planned"
    write(planned / "01-decay.h5", "pku", 1)
    write(planned / "02-decay.h5", "pku", 2)
    assert kind_of([planned]) == "campaign"
    (planned / "plan.toml").write_text('[[steps]]\nprocedure = "decay"\n', "utf-8")
    assert kind_of([planned]) == "characterisation"
    assert kind_of([tmp_path / "planned" / ".."]) == "campaign"  # runs in folders below
    mixed = tmp_path / "mixed"
    write(mixed / "a.h5", "pku", 1)
    write(mixed / "b.h5", "pku", 1, procedure="Rise")
    assert kind_of([mixed]) == "characterisation"


def test_what_does_not_go_together_is_refused(campaign: Path) -> None:
    runs = sorted((campaign / "runs").glob("*-*.h5"))[:2]
    with pytest.raises(InputError, match="of kind run is of one place"):
        report(*runs, kind="run")
    with pytest.raises(InputError, match="--by goes with a comparison or a campaign"):
        report(runs[0], kind="run", by="preset")


@pytest.mark.thorough
def test_a_run_that_was_tried_again_counts_once_everywhere(tmp_path: Path) -> None:
    folder = tmp_path / "again"
    for preset in PRESETS:
        for seed in range(3):
            write(folder / f"{preset}-{seed}.h5", preset, seed)
    write(folder / "pku-0.failed-1.h5", "pku", 0, status="failed", reason="the lamp failed")
    said = "1 earlier try of a run that was tried again is left out: pku-0.failed-1.h5"
    page = report(folder, kind="campaign").read_text("utf-8")
    assert "6 of 6 runs finished</span></p>" in page
    assert f'<p class="dim">{said}.</p>' in page
    assert said in compare_files([folder], by="preset").notes
    sheet = draw(folder, by="preset")
    assert "6 runs by preset" in sheet.get_suptitle()
    assert "1 earlier try" in sheet.get_suptitle()
    assert len(open_runs(folder)) == len(open_runs("cells>=1", folder=folder)) == 6
    named = report(*sorted(folder.glob("*.h5")), kind="campaign", output=tmp_path / "named.html").read_text(
        "utf-8"
    )
    assert "6 of 7 runs finished</span>: 1 failed." in named
    assert "earlier" not in named


def test_a_folder_without_runs_is_nothing_to_report_on(shell, tmp_path: Path) -> None:
    assert "nothing to report on" in shell.refused("report", tmp_path)
