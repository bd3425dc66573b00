"""The panel of runs: found, previewed, compared, exported."""
