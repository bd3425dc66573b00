"""An error of a user's own parameter keeps its words."""

from __future__ import annotations

from typing import Any

import pytest

import mho
from mho.errors import InputError


class Even(mho.IntegerParameter):
    """An even number."""

    def convert(self, value: Any) -> int:
        """Return an even number."""
        if int(value) % 2:
            raise InputError(f"{value} is odd")
        return int(value)


class Halving(mho.Procedure):
    """Takes an even number."""

    count = Even("Count", default=2)


def test_what_an_own_parameter_says_is_not_replaced() -> None:
    with pytest.raises(InputError, match=r"^3 is odd$"):
        Halving(count=3)
