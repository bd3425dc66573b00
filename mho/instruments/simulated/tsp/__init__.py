"""TSP for simulated instruments: Lua scripts on the virtual clock."""
