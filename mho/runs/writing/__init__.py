"""Run files written while the run happens."""
