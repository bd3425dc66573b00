"""Public names and signatures are those of lists that are kept with mho, so that a change of them is seen in a review."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from public_names import LIST, SIGNATURES, public_names, public_signatures


@pytest.mark.parametrize(
    ("path", "there"), [(LIST, public_names), (SIGNATURES, public_signatures)], ids=["names", "signatures"]
)
def test_they_are_those_of_the_list(path: Path, there: Callable[[], Iterator[str]]) -> None:
    listed, found = path.read_text("utf-8").splitlines(), list(there())
    assert listed == sorted(set(listed))
    gone, new = sorted(set(listed) - set(found)), sorted(set(found) - set(listed))
    assert not gone + new, (
        f"no longer public: {gone}; newly public: {new}. If this is meant, `python tests/support/public_names.py` writes "
        f"{path.name} anew, and a fragment in changelog.d says it (docs/public-api.md: what stays, and for how long)"
    )


def test_the_list_of_signatures_has_what_a_caller_writes() -> None:
    lines = SIGNATURES.read_text("utf-8").splitlines()
    for start in (
        "mho.run(procedure: ",
        "mho.Bench.read(self, ",
        "mho.open_bench(bench: ",
        "mho.linalg.solve(",
    ):
        assert any(line.startswith(start) for line in lines), start
    assert not [line for line in lines if " at 0x" in line]
