"""The bench: routes, limits, order of switching, safety, reconnection."""
