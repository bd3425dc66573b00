"""The runner of one bench: takes jobs from the queue, runs each in its own process, and serves clients."""

from mho.running.runner.client import NoRunnerError, RunnerBusyError, RunnerClient, Watch
from mho.running.runner.emergency_stop import emergency_stop
from mho.running.runner.runner import Runner
from mho.running.runner.worker_process import Grace

__all__ = ["Grace", "NoRunnerError", "Runner", "RunnerBusyError", "RunnerClient", "Watch", "emergency_stop"]
