"""The loops of the reference paper as it describes them: HP-INV on one array, and the inverse in two stages of blocks."""
