"""The durable queue of jobs, the runner that carries them out one by one, and the clients that watch and command it."""

from procedures.queue.child import Grace
from procedures.queue.client import NoRunnerError, RunnerBusyError, RunnerClient, Watch
from procedures.queue.emergency import emergency_stop
from procedures.queue.job import Job, JobStatus, Lane, Order
from procedures.queue.policy import Answer, Policy
from procedures.queue.runner import Runner
from procedures.queue.store import Queue, queue_path

__all__ = [
    "Answer",
    "Grace",
    "Job",
    "JobStatus",
    "Lane",
    "NoRunnerError",
    "Order",
    "Policy",
    "Queue",
    "Runner",
    "RunnerBusyError",
    "RunnerClient",
    "Watch",
    "emergency_stop",
    "queue_path",
]
