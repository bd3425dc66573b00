"""The plan panel: runs in a table, swept by mouse, and the plan file that they are."""
