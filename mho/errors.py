"""The hierarchy of errors, shown to users without a traceback.

All packages import it, so that independent packages raise the same types. A message states what happened, to which
object, with which value, and what to do about it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec


class MhoError(Exception):
    """Base of everything mho raises on purpose; the command line prints it as one line."""


class InputError(MhoError, ValueError):
    """A matrix, vector, option or path that cannot be used as given; also a `ValueError`, which Python raises for it."""


class KeywordError(InputError, TypeError):
    """A keyword that a function does not have; also a `TypeError`, which Python raises for it."""


class UnknownNameError(InputError, AttributeError):
    """An attribute that an object does not have."""


class ChangedInputError(InputError):
    """What a run of a campaign depends on is not what it was: its table would mix two kinds of runs."""


class WorkersLostError(MhoError):
    """The scheduler of the workers is gone, and what they were at with it."""


class LimitError(MhoError):
    """A value beyond a terminal's limit; raised before anything is sent."""


class BenchError(MhoError):
    """A bench description that is wrong, a bench that is busy, or an unsafe state on it."""


class BenchInUseError(BenchError):
    """Another process has an instrument of the bench; nothing was opened."""


class UnsafeError(BenchError):
    """Outputs that could not be confirmed off; `live` names the roles, and is what decides, not the words.

    Parameters
    ----------
    message : str
    live : sequence of str
        The roles that may be live.
    left_on : sequence of str
        The roles whose outputs were on before they were made safe, as far as they were asked.
    """

    def __init__(self, message: str, live: Sequence[str] = (), left_on: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.live, self.left_on = tuple(live), tuple(left_on)


class InstrumentError(MhoError):
    """An instrument refused a command, answered nonsense or did not answer."""


class InstrumentTimeoutError(InstrumentError, TimeoutError):
    """An instrument did not answer in time; also a `TimeoutError`, and so an `OSError`, as Python has it."""


class ConnectionRestored(InstrumentError):
    """A connection was lost during a command and is back, outputs off; whether the command was carried out is unknown."""


class ChipMapError(MhoError):
    """A chip description that is wrong, or a matrix that does not fit on the chip."""


class ConvergenceError(MhoError):
    """A system that the analogue circuit or the refinement cannot solve."""


class RunFileError(MhoError):
    """A run file that is missing, damaged, foreign or in the way."""


class QueueError(MhoError):
    """A queue that cannot be used as asked, or a runner that is missing, busy or does not answer."""


class RunWarning(UserWarning):
    """What a run without a file would have written into it as a warning."""


class ConvergenceWarning(UserWarning):
    """A solution is returned that does not have the bits, or the residual, that were asked for."""


class Aborted(MhoError):
    """The user or the system asked the run to stop."""


class Interrupted(Aborted):
    """The run stops because its runner or supervisor is gone, not on a user's request."""


def recorded_name(error: BaseException) -> str:
    """Return the name under which the type of an error is stored and sent to other processes.

    This is the nearest class of this module, so that a lab's own subclass of `LimitError` counts as one; for an error
    outside mho it is its own class.
    """
    kind = type(error)
    own = next((one for one in kind.__mro__ if one.__module__ == __name__), kind)
    known_here = own.__module__ in (__name__, "builtins")
    return own.__name__ if known_here else f"{own.__module__}.{own.__qualname__}"


def recorded_class(name: str) -> type[BaseException]:
    """Return the class that `recorded_name` has named; `Exception` for one that is none of mho's, or of a newer mho."""
    kind = globals().get(name)
    return kind if isinstance(kind, type) and issubclass(kind, MhoError) else Exception


@contextmanager
def os_errors_as(kind: type[MhoError], what: str, advice: str = "") -> Iterator[None]:
    """Turn an error of the system in the block into one of a `kind`: what cannot be done, why, and what to do."""
    try:
        yield
    except OSError as error:
        raise kind(f"{what}: {error.strerror or error}{advice}") from error


def install_command(*packages: str) -> str:
    """Return the command that brings `packages` to this Python, in the words of every shell.

    It names packages, not an extra of mho: an index need not know mho, and what it was installed from may be gone. This
    Python is named by its path, since the `pip` of a terminal is another's; one of `uv tool` has no pip of its own.
    """
    python = _quoted(sys.executable)
    pip = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return " ".join((pip, *map(_quoted, packages)))


def _quoted(word: str) -> str:
    """Return a word of a command; quotation marks are doubled ones, which cmd, PowerShell and sh all take."""
    return f'"{word}"' if re.search(r"[^\w./\\:+-]", word) else word


@contextmanager
def needing(what: str, *packages: str, otherwise: str = "") -> Iterator[None]:
    """Turn an `ImportError` of the block into an `InputError`: what needs which packages, and the command for them."""
    try:
        yield
    except ImportError as error:
        command = install_command(*packages)
        raise InputError(f"{what} needs {' and '.join(packages)}: {command}{otherwise}") from error


def nearest(
    name: str, known: Collection[str], most: int = 1, otherwise: str | None = None, cutoff: float = 0.6
) -> str:
    """Return the hint for an unknown name: the `known` ones like it, whatever their case, `otherwise` all of them."""
    from difflib import get_close_matches

    spelled = {one.lower(): one for one in known}
    near = [spelled[one] for one in get_close_matches(name.lower(), spelled, most, cutoff)]
    if near:
        return f"did you mean {' or '.join(near) if most > 1 else repr(near[0])}?"
    return f"there are {', '.join(sorted(filter(None, known)))}" if otherwise is None else otherwise
