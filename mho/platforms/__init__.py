"""What differs between operating systems: `here` answers for the one of this computer; tests put another in its place.

Nothing else in mho asks which system it runs on, but for what examines one: `mho.doctor`, and the libraries of the window.
"""

from __future__ import annotations

import sys

from mho.platforms.system import System


def _of_this_computer() -> System:
    if sys.platform == "win32":
        from mho.platforms.windows import Windows

        return Windows()
    else:  # noqa: RET505  # type checkers look at one of them
        from mho.platforms.posix import SYSTEMS, Posix

        return SYSTEMS.get(sys.platform, Posix)()


here: System = _of_this_computer()
