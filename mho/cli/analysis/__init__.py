"""The verbs of analysis: report, compare, import, calibrate, budget; and what they print."""
