"""PyMeasure's Parameters, without what nobody here uses of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mho.procedures import Procedure
from mho.procedures.parameters import FloatParameter, IntegerParameter


@pytest.mark.thorough
def test_parameters_load_no_pandas_and_are_pymeasures_own() -> None:
    code = (
        "import sys, mho; mho.Procedure\n"
        "assert not {'pandas', 'pint'} & set(sys.modules)\n"
        "import pymeasure.experiment as theirs\n"
        "assert theirs.IntegerParameter is mho.IntegerParameter\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.thorough
def test_parameters_are_found_after_pymeasure_itself() -> None:
    code = (
        "import pymeasure.experiment as theirs, mho\nassert theirs.IntegerParameter is mho.IntegerParameter\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_parameters_are_in_the_order_of_their_declaration_and_each_object_has_its_own() -> None:
    class Base(Procedure):
        zeta = IntegerParameter("Z", default=1)
        gone = IntegerParameter("G", default=1)

    class Further(Base):
        alpha = FloatParameter("A")
        gone = None  # type: ignore[assignment]

    one, other = Further(), Further()
    assert list(one._parameters) == ["zeta", "alpha"]
    assert (one.zeta, one.alpha, one.gone) == (1, None, None)
    assert one._parameters["zeta"] is not other._parameters["zeta"]
