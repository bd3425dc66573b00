"""How `mho` exits, besides 0 for all is well."""

UNFINISHED = 1
"""Something that was asked for did not come to its end, or is not in order."""
REFUSED = 2
"""What was typed, or a file, cannot be used; nothing was begun."""
NOT_CONVERGED = 3
"""A solve came to its end without the precision that was asked for."""
ABORTED = 130
"""Somebody or something stopped it."""
