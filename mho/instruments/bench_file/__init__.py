"""The TOML file that describes a bench: entries, addresses, models, limits that can be meant."""
