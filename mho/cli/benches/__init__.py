"""The verbs on benches and chips, and what they print."""
