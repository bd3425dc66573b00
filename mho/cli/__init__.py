"""Every printed word: a room a group of verbs, with what they print beside them.

Rich and Typer are imported here, and by the verbs of extensions.

- `main`: how an error is answered; `verbs`: which verbs there are, each imported when it is typed;
- `experiments`: solve, run, rehearse, forecast, procedures; plans, one run after the other;
- `many_runs`: campaign, runner; `mho queue …`; `window`: gui;
- `run_files`: show, plot, table, export, rerun, verify, recover; `mho runs …`;
- `analysis`: compare, budget;
- `benches`: `mho bench …`, `mho chip …`; `bench_report`: what a check came to; `abilities`: what a bench can do;
  `new_bench`: a bench file asked for;
- `doctor`: what this machine has, as a page;
- `terminal`: sentences, progress and results on a terminal, as all verbs have them;
- `options`: arguments and options that several verbs have; `completion`: what a shell is offered;
- `exit_codes`: how `mho` exits; `manifests`: writes what lists of procedures and verbs are read from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.cli.exit_codes import UNFINISHED
    from mho.cli.experiments.supervision import apart
    from mho.cli.options import (
        TO,
        AsJson,
        Bench,
        By,
        Output,
        OutputFolder,
        Preset,
        Runs,
        RunsFolder,
        Seed,
        grouped,
        is_typed,
    )
    from mho.cli.terminal.run_display import RunDisplay
    from mho.cli.terminal.sentences import print_warning, say
    from mho.cli.terminal.stages import Stages
    from mho.cli.terminal.terminal import Terminal, plain_table
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "TO", "UNFINISHED", "AsJson", "Bench", "By", "Output", "OutputFolder", "Preset", "RunDisplay",
    "Runs", "RunsFolder", "Seed", "Stages", "Terminal", "apart", "grouped", "is_typed", "plain_table",
    "print_warning", "say",
]  # fmt: skip
