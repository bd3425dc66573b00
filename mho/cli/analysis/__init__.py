"""The verbs of analysis: report, compare, budget; and what they print."""
