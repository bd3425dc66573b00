"""Every printed word: a module a group of verbs. Only here are rich and typer imported.

- `main`: which verbs there are, and how an error is answered; `lazy_verbs`: groups that are imported when one is typed;
- `experiments`: solve, run, rehearse, procedures, gui; `many_runs`: campaign, runner, watch; `queue`: `mho queue …`;
- `run_files`: show, plot, table, export, import, rerun, verify, recover; `runs`: `mho runs …`; `bench`: `mho bench …`;
- `chip`: `mho chip …`;
- `procedure_command`: a procedure's Parameters as options of the verb that is given it;
- `options`: arguments and options that several verbs have; `completion`: what a shell is offered;
- `plan`, `campaign`: many runs, carried out and shown; `supervision`: runs in a process of their own;
- `exit_codes`: how `mho` exits;
- `display`: what the verbs print.
"""
