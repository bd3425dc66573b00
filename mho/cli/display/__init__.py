"""What the verbs print: tables, live displays, sentences; each knows only what it is handed and a terminal."""
