"""The check of a bench before it is used, on real instruments or on their twins."""

from __future__ import annotations

from mho.instruments.checks import check_bench


def test_nothing_is_wrong_with_the_bench(bench_name):
    report = check_bench(bench_name)
    wrong = [f"{f.subject} {f.what}: {f.detail}; {f.advice}" for f in report.findings if f.verdict == "wrong"]
    assert not wrong, "\n".join(wrong)


def test_checking_twice_finds_the_same(bench_name):
    first, second = (check_bench(bench_name) for _ in range(2))
    looked_at = [(f.subject, f.what) for f in first.findings]
    assert looked_at == [(f.subject, f.what) for f in second.findings]
    assert {subject for subject, _ in looked_at} >= {"bench", "smu", "gate", "pulser", "daq", "board"}
