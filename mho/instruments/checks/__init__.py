"""Is this bench sound? Identity, contact, limits, and how somebody left it; `mho bench check` prints what is found."""

from mho.instruments.checks.checking import BenchReport, Finding, check_bench

__all__ = ["BenchReport", "Finding", "check_bench"]
