"""What a figure shows, before anything is drawn: read from run files, grouped, and counted.

- `inferred`: which figures a run has;
- `gathering`: reads the data of one of them, as `figure_data`;
- `codes`: what whole numbers stand for;
- `statistics`: bins, shares, quartiles and fits of arrays;
- `level_counts`: the confusion of levels, shares with intervals;
- `spatial_correlation`: of maps, against distance.
"""
