"""Sentences, progress and results on a terminal, as all verbs have them."""
