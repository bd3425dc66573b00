"""Watches and commands a runner from another process; the command line and the window use it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from multiprocessing import AuthenticationError
from pathlib import Path
from typing import Any, Self

from mho import platforms
from mho.errors import QueueError, UnsafeError
from mho.input_files import bench_key
from mho.running.queue.store import queue_path
from mho.running.runner.connection import PATIENCE, Rendezvous, RunnerAddress, Wire
from mho.running.runner.messages import Event, Request, RequestRefused, RunnerState, decode

ANSWER_WITHIN = 40.0  # s; the runner gives up after 30
SAFE_WITHIN = 90.0  # s; more than the runner grants a worker and the process that makes safe after it
EMERGENCY_WITHIN = 10.0  # s in which a runner must have taken up an emergency stop
LOOK = 0.05  # s between two looks


class NoRunnerError(QueueError):
    """There is no runner to talk to."""


class RunnerBusyError(QueueError):
    """There is a runner, but it refuses the connection, does not answer, or serves too many clients."""


class RunnerClient:
    """Commands to the runner of one queue and bench; every call opens its own connection.

    `NoRunnerError`, `RunnerBusyError` by every call: there is no runner, or one that does not answer;
    `QueueError` by every call: the runner refuses.
    """

    def __init__(self, queue: Path | None = None, bench: str = "simulated") -> None:
        self.bench = bench_key(bench)
        self._queue_path = queue or queue_path()
        self._place = Rendezvous(self._queue_path, self.bench)

    def status(self, within: float = ANSWER_WITHIN) -> RunnerState:
        """Return the state of the runner, which has `within` seconds to answer."""
        return self._ask(Request(command="status"), within)

    def pause(self) -> RunnerState:
        """Pause the running job at its next safe point, outputs idle, and start no other."""
        return self._ask(Request(command="pause"))

    def resume(self) -> RunnerState:
        """Continue the job and the queue."""
        return self._ask(Request(command="resume"))

    def abort(self, job: int | None = None) -> RunnerState:
        """Stop the running job, which must be `job`, at its next safe point."""
        return self._ask(Request(command="abort", job=job))

    def act(
        self, procedure: str, parameters: Mapping[str, Any], instrument: str = "",
    ) -> RunnerState:  # fmt: skip
        """Let the session by hand carry out a procedure, or touch an instrument, as its next act.

        `QueueError` where no session is open.
        """
        return self._ask(
            Request(command="act", procedure=procedure, parameters=dict(parameters), instrument=instrument)
        )

    def end_by_hand(self, job: int | None = None, by: str = "", within: float = ANSWER_WITHIN) -> RunnerState:
        """End the session by hand, which must be `job`; `by` says who does, and for what, in its conclusion.

        The runner has `within` seconds to answer. `QueueError` where that session is not open.
        """
        return self._ask(Request(command="act", job=job, by=by), within)

    def emergency_stop(self) -> RunnerState:
        """Break off the running job at once, make the bench safe, and hold the queue.

        People call `mho.running.runner.emergency_stop`, which works without a runner too.
        """
        return self._ask(Request(command="emergency"), EMERGENCY_WITHIN)

    def confirm_safe(self) -> str:
        """Wait until an emergency stop is complete; return the sentence that says that the bench is safe.

        `UnsafeError` where the runner could not make the bench safe, or takes too long; `NoRunnerError`,
        `RunnerBusyError` when the runner is gone or no longer answers: nothing is confirmed.
        """
        deadline = time.monotonic() + SAFE_WITHIN
        while (state := self.status()).state != "idle":
            if time.monotonic() > deadline:
                raise UnsafeError(
                    f"emergency stop: the runner of bench {self.bench!r} has not confirmed within {SAFE_WITHIN:.0f} s that "
                    "the bench is safe; see to the bench"
                )
            time.sleep(LOOK)
        if state.unsafe:
            raise UnsafeError(
                f"emergency stop: {state.warning}. The queue is held; see to the bench", live=state.live
            )
        return f"emergency stop: bench {self.bench} is safe, the queue is held"

    def watch(self) -> Watch:
        """Receive everything that the runner announces from now on; its state comes first."""
        wire = self._open()
        try:
            wire.send(Request(command="watch").model_dump_json().encode())
        except OSError:
            wire.release()
            raise self._silent(self._place.card()) from None
        return Watch(wire)

    def _ask(self, request: Request, within: float = ANSWER_WITHIN) -> RunnerState:
        wire = self._open()
        try:
            wire.send(request.model_dump_json().encode())
            line = wire.receive(within)
        except (OSError, EOFError):
            raise self._silent(self._place.card()) from None
        finally:
            wire.release()
        if line is None:
            raise self._silent(self._place.card())
        answer = decode(line)
        if isinstance(answer, RequestRefused):
            raise _refusal(answer)
        if not isinstance(answer, RunnerState):
            raise QueueError(f"the runner of bench {self.bench!r} answers nonsense; update mho on both sides")
        return answer

    def _open(self) -> Wire:
        card = self._place.card()
        if card is None:
            raise self._silent(None)  # one that is published a moment later has not been asked
        sock = platforms.here.connect_to(card.address)
        try:
            platforms.here.set_patience(sock, PATIENCE)
            sock.connect(card.address)
            return Wire.opened(sock, card.secret)
        except AuthenticationError as error:
            raise QueueError(
                f"the runner of bench {self.bench!r} does not know this user's key: {error}"
            ) from None
        except (OSError, EOFError):
            raise self._silent(card) from None
        finally:
            sock.close()

    def _silent(self, card: RunnerAddress | None) -> QueueError:
        """Return the error to raise when nothing answered at the address on `card`: no runner, or a silent one."""
        if card is not None and card.lives():
            return RunnerBusyError(
                f"the runner of bench {self.bench!r} (process {card.pid}) does not answer; end its process if it hangs"
            )
        return NoRunnerError(
            f"no runner serves bench {self.bench!r}; start one with `mho runner --bench {self.bench}`"
        )


def _refusal(answer: RequestRefused) -> QueueError:
    return (RunnerBusyError if answer.busy else QueueError)(answer.reason)


class Watch:
    """The events that a runner announces; a context manager, and an iterator that ends with the runner or by `close`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.over = False  # whether there is nothing more to come

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._wire.release()

    def __iter__(self) -> Iterator[Event]:
        while (event := self.receive()) is not None:
            yield event

    def receive(self, timeout: float | None = None) -> Event | None:
        """Return the next event; None after `timeout` seconds without one, and when the runner is gone.

        `RunnerBusyError` first of all, when too many watch already.
        """
        try:
            line = self._wire.receive(timeout)
        except (OSError, EOFError):
            self.over = True
            return None
        event: Event | RequestRefused | None = None if line is None else decode(line)
        if isinstance(event, RequestRefused):
            self.over = True
            raise _refusal(event)
        return event

    def close(self) -> None:
        """Stop watching; may be called from another thread than the one that iterates."""
        self._wire.close()
