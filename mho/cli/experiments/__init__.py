"""The verbs of experiments: solve, run, rehearse, forecast; and what they print."""
