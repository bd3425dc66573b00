"""The verbs of analysis: compare, budget; and what they print."""
