"""A run, plan, campaign or job that asks for what its bench does not offer is refused before anything is opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lacking_benches import take_away, without_chuck
from queue_runners import Desk, running

import mho
from mho.errors import BenchError
from mho.instruments import Bench
from mho.procedures import Read, Retention, Solve
from mho.running.campaign import Campaign
from mho.running.continuing import chip_after
from mho.running.phases import Opening
from mho.running.plan import check_plan_needs, load_plan
from mho.running.queue import JobStatus, Order, Queue, expect, orders_of_plan
from mho.running.rehearsal import rehearse

HOT = Retention(rows="0", columns="0:2", last=2.0, temperature=398.0)
CHAMBER = "Retention cannot run on bench 'lab': nothing there serves `temperature`"
SOLVE = Solve(matrix=np.array([[0.8, 0.2], [0.1, 0.7]]), bits=3)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bench of real instruments without a chuck, of which none may be looked for."""
    monkeypatch.setattr("mho.running.phases.open_bench", lambda *names, **more: pytest.fail("opened"))
    return without_chuck(tmp_path)


def test_on_instruments_it_is_refused_before_any_is_opened(lab, tmp_path):
    with pytest.raises(BenchError, match=CHAMBER):
        mho.run(HOT, lab, seed=1, output=tmp_path / "hot.h5")
    assert not (tmp_path / "hot.h5").exists()


def test_on_an_open_bench_it_is_refused_before_it_is_planned(monkeypatch, tmp_path):
    take_away(monkeypatch, "invert")
    monkeypatch.setattr(Solve, "prepare", lambda *given: pytest.fail("planned"))
    with mho.open_bench("arrays", seed=1) as bench:
        for carry_out in (lambda: mho.run(SOLVE, bench, output=tmp_path), lambda: mho.evaluate(SOLVE, bench)):
            with pytest.raises(BenchError, match="nothing there serves `invert`"):
                carry_out()
    with pytest.raises(BenchError, match="nothing there serves `invert`"):
        mho.run(SOLVE, "arrays", output=tmp_path)
    assert not list(tmp_path.iterdir())


def test_after_another_run_it_is_refused_before_that_one_is_repeated(monkeypatch, tmp_path):
    first = mho.run(Read(rows="0:2", columns="0:2"), "arrays", seed=1, output=tmp_path / "first.h5")
    take_away(monkeypatch, "invert")
    monkeypatch.setattr(Bench, "__enter__", lambda bench: pytest.fail("opened"))
    with pytest.raises(BenchError, match="Solve cannot run on bench"):
        mho.run(SOLVE, "arrays", after=first.path, output=tmp_path / "second.h5")


def test_who_opens_a_bench_without_a_run_need_not_check_it(monkeypatch, tmp_path):
    first = mho.run(Read(rows="0:2", columns="0:2"), "arrays", seed=1, output=tmp_path / "first.h5")
    take_away(monkeypatch, "invert")
    with chip_after(first.path)(Opening(1, (), mho.Control())) as opened:
        assert opened.notes["after"] == str(first.path)


def test_a_rehearsal_is_refused_and_not_reported_as_unfinished(tmp_path):
    with pytest.raises(BenchError, match=CHAMBER):
        rehearse(HOT, without_chuck(tmp_path), seed=1)


def test_a_forecast_of_a_solve_that_a_bench_cannot_carry_out_is_refused(monkeypatch):
    take_away(monkeypatch, "invert")
    with pytest.raises(BenchError, match="Solve cannot run on bench 'arrays': nothing there serves `invert`"):
        mho.forecast([[0.5, 0.1], [0.1, 0.4]], [0.1, 0.2], bench="arrays", seed=1, draws=19)


PLAN = """name = "hot and cold"
bench = "lab.toml"
[[steps]]
procedure = "retention"
parameters = {{ rows = "0", columns = "0", last = 2.0 }}
[[steps]]
procedure = "retention"
name = "hot"
parameters = {{ rows = "0", columns = "0", last = 2.0 }}
[[steps]]
procedure = "read"
[[sweep]]
"hot.temperature" = {temperatures}
"""


@pytest.fixture
def plan(tmp_path: Path, lab: str) -> Path:
    (tmp_path / "plan.toml").write_text(PLAN.format(temperatures=[350.0, 398.0]), encoding="utf-8")
    return tmp_path / "plan.toml"


def test_a_plan_names_the_runs_that_cannot_be_carried_out(plan):
    with pytest.raises(BenchError) as refused:
        check_plan_needs(load_plan(plan))
    said = str(refused.value)
    assert said.startswith(
        "plan 'hot and cold' cannot be carried out; runs 2 and 5 (retention): Retention cannot run on"
    )
    assert said.count("serves `temperature`") == 1


def test_of_many_runs_a_plan_names_the_first_and_counts_the_others(plan):
    plan.write_text(PLAN.format(temperatures=list(range(300, 308))), encoding="utf-8")
    with pytest.raises(BenchError, match=r"runs 2, 5, 8, 11, 14 and 3 more \(retention\): "):
        check_plan_needs(load_plan(plan))


def test_of_many_refusals_a_plan_names_the_first_and_counts_the_others(lab, tmp_path):
    names = [f"lab{number}" for number in range(7)]
    benches = [without_chuck(tmp_path, name) for name in names]
    text = PLAN.format(temperatures=[350.0]) + f"[[sweep]]\nbench = {benches}\n"
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BenchError) as refused:
        check_plan_needs(load_plan(tmp_path / "plan.toml"))
    assert [name for name in names if f"on bench '{name}'" in str(refused.value)] == names[:5]
    assert str(refused.value).endswith("; and 2 more")


def test_what_else_is_wrong_with_a_plan_is_left_to_its_runs(plan):
    text = plan.read_text("utf-8").replace("lab.toml", "simulated")
    plan.write_text(text, encoding="utf-8")
    check_plan_needs(load_plan(plan))
    plan.write_text(text.replace("simulated", "gone.toml"), encoding="utf-8")
    check_plan_needs(load_plan(plan))
    text = text.replace("simulated", "lab.toml")
    plan.write_text(
        text.replace('rows = "0"', 'rows = "none"'), encoding="utf-8"
    )  # which no run knows what to do with
    check_plan_needs(load_plan(plan))


def test_a_plan_is_refused_by_the_queue_and_by_a_campaign_as_a_whole(plan, tmp_path):
    with pytest.raises(BenchError, match=r"runs 2 and 5 \(retention\)"):
        orders_of_plan(plan)
    with pytest.raises(BenchError, match=r"runs 2 and 5 \(retention\)"):
        Campaign(load_plan(plan), tmp_path / "campaign")
    assert not (tmp_path / "campaign").exists()


def test_a_job_is_refused_when_it_is_ordered(lab, tmp_path):
    order = Order("retention", {"temperature": 398.0}, lab, folder=tmp_path)
    with Queue(tmp_path / "queue.sqlite") as queue, pytest.raises(BenchError, match=CHAMBER):
        expect(order, queue)


def test_a_job_whose_bench_has_lost_its_chuck_since_fails_with_the_sentence(tmp_path):
    desk = Desk(tmp_path / "runs" / "queue.sqlite", without_chuck(tmp_path))
    (number,) = desk.add(Order("retention", {"temperature": 398.0}, desk.bench, 1, folder=tmp_path))
    with running(desk):
        pass
    job = desk.job(number)
    assert job.status is JobStatus.FAILED
    assert CHAMBER in job.reason
    assert not job.run.exists()
