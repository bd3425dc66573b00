"""The index of a folder of run files: search, links, tags and notes."""
