"""What a machine has of what a measurement needs, and what to do about the rest: ``mho doctor``.

- `findings`: what a finding is, each found apart from the others and bounded in time; what is private is taken out;
- `machine`: what a finding may ask of the system: files, environment, programs, and vendors' libraries in `probes`,
  a process of their own;
- `installation`: Python, mho, packages; `buses`: VISA, USB, serial ports, GPIB, NI-DAQmx; `libraries`: vendors' DLLs;
- `display`: Qt, the console; `storage`: the folder of runs; `computer`: clock, sleep, updates, processor, memory;
- `benches`: locks, the queue and its runner, and the instruments, which are asked only on request;
- `examination`: all of them;
- `new_bench`: a bench file for what was found, `mho bench new`.

Nothing is changed, no network is used, and no instrument is sent anything unless that is asked for. The names are
loaded when they are asked for (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.doctor.benches import ask_identities, may_be_asked
    from mho.doctor.examination import examine
    from mho.doctor.findings import Finding, Verdict
    from mho.doctor.installation import mho_version
    from mho.doctor.machine import Machine
    from mho.doctor.new_bench import (
        BY_HAND,
        Matrix,
        NewBench,
        Ratings,
        Wired,
        bench_text,
        check_on_twins,
        chip_suggests,
        columns_of,
        found_instruments,
        operations_of,
        rows_of,
        suggestions,
        write_new,
    )
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "BY_HAND", "Finding", "Machine", "Matrix", "NewBench", "Ratings", "Verdict", "Wired", "ask_identities", "bench_text",
    "check_on_twins", "chip_suggests", "columns_of", "examine", "found_instruments", "may_be_asked",
    "mho_version", "operations_of", "rows_of", "suggestions", "write_new",
]  # fmt: skip
