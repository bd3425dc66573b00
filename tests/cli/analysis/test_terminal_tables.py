"""The tables of verbs, where they go into a pipe or a file."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from mho.cli.terminal.terminal import Terminal

LONG = "G after SET at a gate of 2.4 V, standard deviation of cycles, cells of the third quarter of the array"


@pytest.mark.parametrize(("environment", "whole"), [({}, True), ({"COLUMNS": "80"}, False)])
def test_a_table_is_cut_only_where_its_width_was_asked_for(environment: dict[str, str], whole: bool) -> None:
    out = io.StringIO()
    table = Table("number", "measured")
    table.columns[0].no_wrap = True
    table.add_row(LONG, "1.23 uS (1.11 to 1.31 uS)")
    Terminal(file=out, soft_wrap=True, _environ=environment).print(table)
    assert (LONG in out.getvalue()) is whole
