"""The public names of mho are those of a list that is kept with it, so that a change of them is seen in a review."""

from __future__ import annotations

from public_names import LIST, public_names


def test_they_are_those_of_the_list():
    listed, found = LIST.read_text("utf-8").splitlines(), list(public_names())
    assert listed == sorted(set(listed))
    gone, new = sorted(set(listed) - set(found)), sorted(set(found) - set(listed))
    assert not gone + new, (
        f"no longer public: {gone}; newly public: {new}. If this is meant, `python tests/support/public_names.py` writes "
        f"{LIST.name} anew, and a fragment in changelog.d says it"
    )
