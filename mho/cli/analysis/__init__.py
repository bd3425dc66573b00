"""The verbs of analysis: compare, calibrate, budget; and what they print."""
