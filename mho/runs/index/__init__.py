"""The index of a folder of run files: found, searched, annotated."""
