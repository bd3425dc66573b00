"""What the panels share: the run that is shown, the queue, the runner, and the threads that ask them."""
