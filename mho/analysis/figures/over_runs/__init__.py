"""Figures over several runs: runs in groups, each group a median with the quartiles of its runs.

Which runs make a group says `mho.analysis.grouping`.

- `reading`: the one pass over the files; of each run a bounded part is kept;
- `groups_of_runs`: that part by group, and the figure that is made of it;
- `comparing`: its marks; `curves`: those of curves and points; `counting`: those of histograms and distributions;
  `median_images`: its maps;
  `pooled_statistics`: shares, confusions and correlations;
- `runs_table`: figures of parameters and results, a point a run; `standard_set`: those that are known by name;
- `layout`: panels and ratios on a sheet; `drawing_runs`: from paths to the sheet.
"""
