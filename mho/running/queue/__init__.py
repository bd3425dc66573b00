"""The durable queue: jobs, their policy, and the SQLite file that stores them."""

from mho.running.queue.job import Job, JobStatus, Lane, Order
from mho.running.queue.policy import Answer, Policy
from mho.running.queue.store import Queue, queue_path

__all__ = ["Answer", "Job", "JobStatus", "Lane", "Order", "Policy", "Queue", "queue_path"]
