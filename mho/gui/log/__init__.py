"""The log panel: messages of the run, the runner and the window."""
