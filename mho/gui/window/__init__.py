"""The main window around the panels: docks, commands, messages, STOP."""
