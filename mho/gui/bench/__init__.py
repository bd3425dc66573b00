"""The bench panel: instruments, limits, and the check of the bench."""
