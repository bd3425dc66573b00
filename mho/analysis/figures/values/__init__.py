"""What a figure shows, before anything is drawn: read from run files, grouped, and counted."""
