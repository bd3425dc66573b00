"""The verbs of experiments: solve, run, rehearse, forecast, optimise, characterise; and what they print."""
