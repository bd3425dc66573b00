"""PyMeasure's Parameters, without what nobody here uses of it."""

from __future__ import annotations

import subprocess
import sys


def test_parameters_load_no_pandas_and_are_pymeasures_own() -> None:
    code = (
        "import sys, mho; mho.Procedure\n"
        "assert 'pandas' not in sys.modules\n"
        "import pymeasure.experiment as theirs\n"
        "assert theirs.IntegerParameter is mho.IntegerParameter\n"
        "assert issubclass(mho.Procedure, theirs.Procedure)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_parameters_are_found_after_pymeasure_itself() -> None:
    code = (
        "import pymeasure.experiment as theirs, mho\n"
        "assert theirs.IntegerParameter is mho.IntegerParameter\n"
        "assert issubclass(mho.Procedure, theirs.Procedure)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
