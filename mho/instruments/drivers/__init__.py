"""One driver per model, named as the model; each fills a role of `mho.instruments.roles`."""
