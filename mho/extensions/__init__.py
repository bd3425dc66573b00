"""What builds on mho's core, each found by entry point as a stranger's package is, and to be taken out without a trace.

- `applications`: problems of other fields (control, fields, graphs, learning, training, wireless), solved on a chip;
- `calibration`: a cell preset fitted to run files, how well it is known, and its runs beside those of drawn chips;
- `published`: the reference paper's experiments on the virtual bench, beside its numbers;
- `projection`: analogue inversion projected from named assumptions, beside GPUs and CPUs;
- `optimise`: programming policies found on the twin of a chip, and runs held to them;
- `imports`: foreign tables of measurements as run files, with what procedures extract;
- `report_pages`: pages about a run, a comparison, a campaign or a folder;
- `characterise`: the standard protocol over a sample of cells;
- `watch`: a page for the phone about queue, safety, progress and figures, with STOP and Pause;
- `reach`: families of systems, solved beside no chip, and as a benchmark that others can run;
- `linalg`: a bench for SciPy, scikit-learn, PyTorch and others.

They use public names only: what `mho` and its rooms export by ``__all__``. docs/extensions.md says how to write one.
"""
