"""Checks a bench in a process of its own and prints what it found as JSON: ``python -m mho.gui.bench.check BENCH``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from mho.errors import MhoError


def main() -> None:
    """Check the bench that the command line names; what keeps it from being checked goes to standard error."""
    from mho.instruments.checks import check_bench

    try:
        report = check_bench(sys.argv[1])
    except MhoError as error:
        sys.exit(f"{error}")
    sys.stdout.write(json.dumps([asdict(finding) for finding in report.findings]))


if __name__ == "__main__":
    main()
