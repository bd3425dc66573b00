"""The virtual bench: simulated instruments at the wire, one chip, one clock and one seed behind them."""
