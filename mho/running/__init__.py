"""How a procedure is carried out: run, plans, campaigns, reruns, rehearsal, notifications."""

from mho.running.execution import run
from mho.running.solving import solve

__all__ = ["run", "solve"]
