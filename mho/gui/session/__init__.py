"""The state that all panels share: the shown run, the queue, the runner, and the threads that read them."""
