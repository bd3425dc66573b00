"""Every printed word: a module a group of verbs. Only here are rich and typer imported."""
