"""A run as pictures: panels, palette, and the file they are drawn into."""
