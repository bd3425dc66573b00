"""The queue panel: the table of jobs on a bench, and their buttons."""
