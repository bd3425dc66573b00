"""The verbs on run files: shown, drawn, tabulated, exported, repeated, checked; the index of runs; and what they print."""
