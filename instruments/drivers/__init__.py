"""One driver per model, named as the model; each fills a role of `instruments.roles`."""
