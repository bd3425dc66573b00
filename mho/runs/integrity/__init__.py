"""Is a run file whole and as it was written? Seal, verification, recovery, comparison."""
