"""The panel of the bench: its instruments, its limits, its check."""
